"""Lists of classes that ship by name, as target sets and maps of labels use them. Identifiers of WordNet alone.

| name | classes | from |
|---|---|---|
| imagenet-1k | 1,000 | ILSVRC 2012 (Russakovsky et al. 2015), in the order of a network's logits, as in timm |
| imagenet-100 | 100 | ImageNet-100, which the paper tests (Feuer & Hegde) |
| imagenet-a | 200 | ImageNet-A (Hendrycks et al. 2021), as in timm |
| imagenet-r | 200 | ImageNet-R (Hendrycks et al. 2021), as in timm |
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from predictor.errors import SpecError, near
from predictor.reading import MIB, read_text

NAMES = ("imagenet-1k", "imagenet-100", "imagenet-a", "imagenet-r")


def class_list(name: str, folder: Path | None = None) -> tuple[str, ...]:
    """The classes of a list that ships or, with a folder, of a file in it, a name a line; in the order of the list.

    Raises SpecError where there is no such list, or it names a class twice.

    >>> classes = class_list("imagenet-100")
    >>> len(classes), classes[0], len(set(classes) & set(class_list("imagenet-a")))
    (100, 'n01484850', 37)
    """
    if name in NAMES:
        return _shipped(name)
    file = folder / name if folder is not None and Path(name).name == name else None
    if file is None or not file.is_file():
        known = near(name, NAMES) or list(NAMES)
        raise SpecError(
            f"there is no list of classes {name!r}",
            remedy=f"name one that ships ({', '.join(known)})" + ("" if folder is None else ", or a file beside it"),
        )
    try:
        names = tuple(line.strip() for line in read_text(file, limit=256 * MIB).splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{name} cannot be read: {error}", remedy="write a class a line") from None
    if len(set(names)) < len(names):
        raise SpecError(f"{name} names a class twice", remedy="name each class once")
    return names


@cache
def _shipped(name: str) -> tuple[str, ...]:
    text = resources.files("predictor.data").joinpath(f"classes/{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split())
