"""Where a source's images come from: two sources of one origin are no different sources, whatever their names."""

from __future__ import annotations

from fnmatch import fnmatchcase

# pattern of a source's name -> origin of its images; the first that fits counts. A source that fits none is its own.
ORIGINS: dict[str, str] = {
    "*-shift-tiny": "imagenet",
    "tiny-imagenet*": "imagenet",
    "imagenet": "imagenet",
    "imagenet1*": "imagenet",
    "imagenet-1*": "imagenet",
    "in100": "imagenet",
    "*-shift-caltech": "caltech-101",
    "*-shift-pacs": "pacs",
    "cifar10": "tiny images",  # both CIFAR sets are parts of the 80 million Tiny Images
    "cifar100": "tiny images",
    "characters-street-*": "chars74k street",
    "mnist*": "mnist",
}
SYNTHETIC = ("fractals:",)  # how the digests of drawn images begin


def origin(source: str) -> str:
    """The origin of a source's images.

    >>> origin("tiny-imagenet-other") == origin("cifar100-shift-tiny"), origin("omniglot")
    (True, 'omniglot')
    """
    return next((name for pattern, name in ORIGINS.items() if fnmatchcase(source, pattern)), source)


def synthetic(digest: str) -> bool:
    """Whether a source's images are drawn by a formula.

    >>> synthetic("fractals:1"), synthetic("sha256:00")
    (True, False)
    """
    return digest.startswith(SYNTHETIC)
