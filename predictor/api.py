"""What `import predictor` offers: paths and label distributions in, results out that show themselves.

Nothing is computed here: each function reads what it is given, makes one call, and returns its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.distribution import LabelDistribution
from predictor.errors import ManifestError, PredictorError
from predictor.models import fit as fits

if TYPE_CHECKING:
    import pandas as pd

    from predictor.agreements import AgreementTable
    from predictor.claims import ClaimsReport
    from predictor.indicators import Context
    from predictor.indicators.results import Indicators
    from predictor.planning import Advice, Design, PilotPlan, ScaleCurve
    from predictor.prediction import Predictions
    from predictor.records import RunRecord

Manifest = str | Path | LabelDistribution
Runs = str | Path | Iterable["RunRecord"]


@dataclass(frozen=True, eq=False, repr=False)
class Fit(fits.Fit):
    """A fit that answers: `predict`, `advise`, `curve` and `pilots` take files on disk, or label distributions."""

    def predict(
        self,
        *manifests: Manifest | Mapping[str, LabelDistribution],
        pilots: Runs | None = None,
        probe: str | Path | None = None,
        targets: Iterable[str] | None = None,
        how: Mapping[str, str | bool | None] | None = None,
        **asked: Any,
    ) -> Predictions:
        """Predict every outcome of every manifest, best first, and how they compare.

        pilots : runs of the manifests' own target set
        probe : probe.json of its images, see `predictor probe`
        targets : names of the tested classes; how : how files are read, see `predictor.read_manifest`
        asked : target_set, domain, model, image_size, image_steps, recipe, level, all_classes; see `predictor.predict`

        Raises FitError for names that the fit does not know, and ManifestError for files that cannot be read.
        """
        from predictor.images.results import read_probe
        from predictor.planning import predict_with_pilots
        from predictor.planning.next_step import with_next_step
        from predictor.prediction import predict

        read = _manifests(manifests, targets, how)
        known = None if probe is None else read_probe(Path(probe))
        pilots = self._own_runs(asked) if pilots is None else pilots
        if pilots is None:
            found = predict(self, read, probe=known, **asked)
            told = {name: value for name, value in asked.items() if name != "all_classes"}
            return with_next_step(self, read, found, probe=known, **told)
        return predict_with_pilots(self, read, _records(pilots), probe=known, **asked)

    def _own_runs(self, asked: Mapping[str, Any]) -> Runs | None:
        """Runs of the target set that is asked for, where they were added to the fit (`predictor fit --base`)."""
        if not self.content.get("own_runs"):
            return None
        from predictor.planning.pilots.based import own_records

        return own_records(self, asked.get("target_set", "new"))

    def advise(
        self,
        manifest: Manifest,
        budget: int | None = None,
        *,
        pilots: Runs | None = None,
        probe: str | Path | None = None,
        targets: Iterable[str] | None = None,
        how: Mapping[str, str | bool | None] | None = None,
        **asked: Any,
    ) -> Advice:
        """What to collect for a manifest.

        budget : images that can be collected; asked : wanted, cuts, prices, outcome, target_set, domain, model,
        image_size, image_steps and level, see `predictor.planning.advise`. The others as in `predict`.
        """
        from predictor.images.results import read_probe
        from predictor.planning import advise

        known = None if probe is None else read_probe(Path(probe))
        ((name, distribution),) = _manifests([manifest], targets, how).items()
        pilots = self._own_runs(asked) if pilots is None else pilots
        records = None if pilots is None else _records(pilots)
        return advise(self, distribution, budget, manifest=name, pilots=records, probe=known, **asked)

    def curve(
        self,
        manifest: Manifest,
        scale: tuple[float, float] = (0.25, 8.0),
        *,
        runs: Runs | None = None,
        pilots: Runs | None = None,
        probe: str | Path | None = None,
        targets: Iterable[str] | None = None,
        how: Mapping[str, str | bool | None] | None = None,
        **asked: Any,
    ) -> ScaleCurve:
        """What a manifest reaches at sizes from `scale[0]` to `scale[1]` times its own, and what that costs.

        runs : shown beside the curve where they are of its target set; they tell the speed
        asked : images_per_second, price_hour, prices, outcome, target_set, domain, model, image_size, image_steps,
        recipe and level, see `predictor.planning.scale_curve`. The others as in `predict`.
        """
        from predictor.images.results import read_probe
        from predictor.planning import scale_curve

        known = None if probe is None else read_probe(Path(probe))
        ((name, distribution),) = _manifests([manifest], targets, how).items()
        records = [] if runs is None else _records(runs)
        pilots = self._own_runs(asked) if pilots is None else pilots
        own = None if pilots is None else _records(pilots)
        return scale_curve(self, distribution, scale, manifest=name, runs=records, pilots=own, probe=known, **asked)

    def pilots(
        self,
        manifest: Manifest,
        n: int = 3,
        *,
        pilots: Runs | None = None,
        probe: str | Path | None = None,
        targets: Iterable[str] | None = None,
        how: Mapping[str, str | bool | None] | None = None,
        **asked: Any,
    ) -> PilotPlan:
        """Which cheap subsamples of a manifest to train first, so that its interval narrows most.

        asked : target_set, domain, model, image_size, image_steps, share and level, see
        `predictor.planning.plan_pilots`. The others as in `predict`.
        """
        from predictor.images.results import read_probe
        from predictor.planning import plan_pilots

        known = None if probe is None else read_probe(Path(probe))
        ((name, distribution),) = _manifests([manifest], targets, how).items()
        records = None if pilots is None else _records(pilots)
        return plan_pilots(self, distribution, n, manifest=name, pilots=records, probe=known, **asked)


def measure(
    *manifests: Manifest | Mapping[str, LabelDistribution],
    names: Sequence[str] | None = None,
    context: Context | None = None,
    targets: Iterable[str] | None = None,
    how: Mapping[str, str | bool | None] | None = None,
) -> Indicators:
    """The indicators of manifests.

    names : of indicators; None: those that `predictor indicators` prints
    context : of the test set, sources and images, see `predictor.indicators.Context`
    targets, how : as in `Fit.predict`

    >>> found = measure(LabelDistribution.from_counts({"cat": 60, "dog": 20}), names=["imbalance_ratio"])
    >>> found.values["manifest"]["imbalance_ratio"].value
    3.0
    """
    from predictor import indicators
    from predictor.indicators.results import Indicators

    read = _manifests(manifests, targets, how)
    context = context or indicators.Context()
    names = names or indicators.with_errors(indicators.default_names(context))
    return Indicators({name: indicators.compute(item, names, context) for name, item in read.items()}, read)


def fit(
    runs: Runs,
    *,
    outcomes: Sequence[str] | None = None,
    families: Sequence[str] | None = None,
    studies: Sequence[str] | None = None,
    **options: Any,
) -> Fit:
    """Fit, choose, validate and calibrate on a folder of runs, or on records.

    outcomes, families, studies : only these; options : progress, processes, see `predictor.fit_registry`

    Raises RegistryError where there is no registry, FitError where no outcome can be fitted.
    """
    from predictor.fitting import fit_registry

    if isinstance(runs, str | Path):
        from predictor.records.indicator_inputs import probes_of

        options.setdefault("probes", probes_of(Path(runs)))
    found = fit_registry(_records(runs, studies), outcomes, families, studies, **options)
    return Fit(found.content, f"a fit of {runs}" if isinstance(runs, str | Path) else found.where)


def load_fit(path: str | Path | None = None) -> Fit:
    """A fit: of a file, else runs/fit.json, else the one that ships. It is data; loading one can execute nothing.

    >>> repr(load_fit())[:7]
    '<Fit of'

    Raises FitError where it is missing, cut, edited or of another schema.
    """
    found, where = fits.find_fit(path)
    return Fit(found.content, where, found.made)


def agreement(runs: Runs | pd.DataFrame, **options: Any) -> AgreementTable:
    """Rank agreement of every indicator with every outcome, inside each target set and over all of them.

    runs : a frame of `predictor.frame`, a folder of runs, or records
    options : indicators, outcomes, statistics, given, by, level, ...; see `predictor.agreements.agreement`
    """
    from predictor.agreements import agreement as computed

    return computed(runs if hasattr(runs, "columns") else _frame(runs), **options)


def judge_claims(runs: Runs, **options: Any) -> ClaimsReport:
    """The paper's claims C1 to C7 and your own, tested on a folder of runs, or on records.

    options : names, studies; see `predictor.claims.claims`
    """
    from predictor.claims import claims

    return claims(runs if isinstance(runs, str | Path) else list(runs), **options)


def design(runs: str | Path, n: int = 8, **options: Any) -> Design:
    """Which n configurations to train next, so that the intervals of a fit on the runs shrink most for each hour.

    runs : a folder, as the grids beside the records say what could be trained
    options : studies, outcome, study, level; see `predictor.planning.design_registry`
    """
    from predictor.planning import design_registry

    return design_registry(runs, n, **options)


def report(
    runs: str | Path,
    output: str | Path = "report.html",
    *,
    studies: Sequence[str] | None = None,
    fit: str | Path | None = None,
) -> Path:
    """Write one self-contained HTML page about a folder of runs, whole or not at all; the path that was written.

    fit : a fit.json to show; None: one that is stored and of exactly these runs, else a new one

    Raises RegistryError where there is no registry, PredictorError where the page cannot be written.
    """
    from predictor.files import replace_file
    from predictor.render.report import registry_page

    path = Path(output)
    page, _ = registry_page(Path(runs), studies, fit=None if fit is None else Path(fit))
    try:
        replace_file(path, page.encode())
    except OSError as fault:
        raise PredictorError(f"cannot be written: {fault.strerror}", where=str(path), remedy="name another") from fault
    return path


def _manifests(
    given: Iterable[Any], targets: Iterable[str] | None, how: Mapping[str, str | bool | None] | None
) -> dict[str, LabelDistribution]:
    """{name: label distribution} of files, distributions and mappings of them."""
    from predictor.manifest import read_manifest

    tested = None if targets is None else list(targets)
    read: dict[str, LabelDistribution] = {}
    for item in given:
        found: Mapping[str, LabelDistribution]
        if isinstance(item, Mapping):
            found = item
        elif isinstance(item, LabelDistribution):
            found = {f"manifest {len(read) + 1}" if read else "manifest": item}
        elif isinstance(item, str | Path):
            found = {str(item): read_manifest(item, targets=tested, **(how or {}))}
        else:
            raise ManifestError(
                f"found {type(item).__name__}; needed: a path, a LabelDistribution, or {{name: LabelDistribution}}",
                where="manifests",
                remedy="give it as one of these",
            )
        for name, distribution in found.items():
            if name in read:
                raise ManifestError("named twice", where=name, remedy="name every manifest once")
            read[name] = distribution
    return read


def _records(runs: Runs, studies: Sequence[str] | None = None) -> list[RunRecord]:
    from predictor.records import read_registry

    return read_registry(runs, studies) if isinstance(runs, str | Path) else list(runs)


def _frame(runs: Any) -> pd.DataFrame:
    from predictor.records import frame

    return frame(runs if isinstance(runs, str | Path) else list(runs))
