"""What a probe of the training images says (`predictor probe`): how far classes are apart, how alike images are.

The same for every label distribution over the same images: they tell target sets apart, never designs of one.
"""

from __future__ import annotations

from predictor.distribution import LabelDistribution
from predictor.images.diversity import Diversity
from predictor.images.results import Probe, Size
from predictor.indicators.registry import Undefined, indicator

# bounds of levels and slopes follow from the floor of a share, .005, and from the closest two sizes, 5 and 10
OURS = "a probe of the images, this package"
DIVERSITY = "Leinster & Cobbold 2012, on the features of the probe"


def _example() -> tuple[LabelDistribution, Probe]:
    """Label counts and a probe, for the examples below."""
    sizes = [
        Size(samples_per_class=n, n_classes=2, n_tested=60, accuracy=share, standard_error=0.02, margin=share - 0.6)
        for n, share in ((5, 0.75), (20, 0.9))
    ]
    probe = Probe(
        digest="sha256:0", split="train", image_size=32, n_images=240, n_draws=5, sizes=tuple(sizes), classes=(),
        left_out={}, diversity=Diversity(per_class=20, within=2.5, total=3.0, classes=1.2),
    )  # fmt: skip
    return LabelDistribution.from_counts({"cat": 90, "dog": 30}), probe


def _images(text: str) -> tuple[int]:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return (number,)


def _there(probe: Probe | None) -> Probe:
    if probe is None:
        raise Undefined("no probe of the images: predictor probe IMAGES --output probe.json")
    return probe


def _at(probe: Probe | None, number: int) -> Size:
    found = _there(probe).at(number)
    if found is None:
        sizes = ", ".join(str(size.samples_per_class) for size in _there(probe).sizes) or "none"
        raise Undefined(f"the images were not probed at {number} a class; probed at {sizes}")
    return found


@indicator(unit="share", bounds=(0, 1), direction=1, source=OURS, parse=_images, parameter="n", defaults=("20",))
def probe_accuracy(distribution: LabelDistribution, number: int, *, probe: Probe | None) -> float:
    """Share of images that a classifier without training tells apart, from n training images of each class.

    Undefined without a probe, and where there are not so many images.

    >>> labels, probe = _example()
    >>> probe_accuracy(labels, 20, probe=probe)
    0.9
    """
    return _at(probe, number).accuracy


@indicator(unit="logit", bounds=(-5.3, 5.3), direction=1, source=OURS, parse=_images, parameter="n", defaults=("20",))
def probe_level(distribution: LabelDistribution, number: int, *, probe: Probe | None) -> float:
    """Logit of the probe's accuracy above chance, from n images of each class: comparable for 2 or 100 classes.

    >>> labels, probe = _example()
    >>> round(probe_level(labels, 20, probe=probe), 3)
    1.386
    """
    return _at(probe, number).level


@indicator(unit="score", bounds=(-1, 1), direction=1, source=OURS, parse=_images, parameter="n", defaults=("20",))
def probe_margin(distribution: LabelDistribution, number: int, *, probe: Probe | None) -> float:
    """Mean of the score of the right class above the best of the others, from n training images of each class.

    >>> labels, probe = _example()
    >>> round(probe_margin(labels, 20, probe=probe), 3)
    0.3
    """
    return _at(probe, number).margin


@indicator(unit="logit", bounds=(-15.3, 15.3), direction=0, source=OURS)
def probe_slope(distribution: LabelDistribution, *, probe: Probe | None) -> float:
    """Growth of the probe's level with the logarithm of the images of each class.

    >>> labels, probe = _example()
    >>> round(probe_slope(labels, probe=probe), 3)
    1.0
    """
    slope = _there(probe).slope
    if slope is None:
        raise Undefined("the images are too few to probe at two sizes")
    return slope


@indicator(unit="classes", bounds=(1, None), direction=1, source=DIVERSITY)
def probe_unlike_classes(distribution: LabelDistribution, *, probe: Probe | None) -> float:
    """Effective number of unlike classes: diversity of all images over that of a class, likeness counted.

    >>> labels, probe = _example()
    >>> probe_unlike_classes(labels, probe=probe)
    1.2
    """
    spread = _there(probe).diversity
    if spread is None:
        raise Undefined("the images are too few to compare")
    return spread.classes


@indicator(unit="images", bounds=(1, None), direction=0, source=DIVERSITY)
def probe_unlike_images(distribution: LabelDistribution, *, probe: Probe | None) -> float:
    """Effective number of unlike images among 20 of a class, likeness counted; geometric mean over the classes.

    >>> labels, probe = _example()
    >>> probe_unlike_images(labels, probe=probe)
    2.5
    """
    spread = _there(probe).diversity
    if spread is None:
        raise Undefined("the images are too few to compare")
    return spread.within
