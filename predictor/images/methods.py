"""Kinds of probes: which features describe the images; figures of one kind are not those of another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from predictor.images.results import METHOD
from predictor.text import command
from predictor.weights import KNOWN_WEIGHTS

_OF_NETWORK = re.compile(r"(.+)@([0-9]+):([0-9a-f]{12})/1")


def method_of(model: Mapping[str, Any]) -> str:
    """The probe that resembles a network: by its own features where it begins with pretrained weights.

    model : as a spec writes it

    >>> method_of({"name": "predictor_small"})
    'patches+gradients/1'
    >>> method_of({"name": "net", "image_size": 96, "weights": {"name": "a", "digest": "sha256:0123456789abcdef"}})
    'net@96:0123456789ab/1'
    """
    weights = model.get("weights")
    if not weights:
        return METHOD
    return f"{model['name']}@{model.get('image_size', 32)}:{weights['digest'].removeprefix('sha256:')[:12]}/1"


def how_to_probe(method: str, images: object = "IMAGES", *words: object) -> str:
    """The command that makes a probe of this kind. words : that it has besides

    >>> how_to_probe("patches+gradients/1", "photos")
    'predictor probe photos --output probe.json'
    >>> how_to_probe("net@96:0123456789ab/1", "photos")
    'trainer probe photos --weights FILE --model net --image-size 96 --output probe.json'
    """
    written = _OF_NETWORK.fullmatch(method)
    if written is None:
        return command("predictor", "probe", images, *words, "--output", "probe.json")
    network, size, digest = written.groups()
    known = next((one.name for one in KNOWN_WEIGHTS.values() if digest in one.digest), None)
    named = ("--weights", known) if known else ("--weights", "FILE", "--model", network)
    return command("trainer", "probe", images, *words, *named, "--image-size", size, "--output", "probe.json")
