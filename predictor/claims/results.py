"""Registry -> verdicts on claims, with the runs behind each and the runs that are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from predictor.claims.base import TARGET_SETS, Claim
from predictor.claims.configurations import Configuration, groups, regrouped
from predictor.claims.evidence import PartResult, clusters, part_results
from predictor.claims.missing import Missing, grid_content, missing
from predictor.claims.registry import registered
from predictor.claims.target_sets import Site, sites
from predictor.errors import PredictorError, SpecError
from predictor.grids import near, read_sources
from predictor.grids.write import grid_text
from predictor.recipes import FAMILIES, SCRATCH
from predictor.records import RunRecord, read_registry
from predictor.results import Result
from predictor.statistics.equivalence import p_differs
from predictor.statistics.multiplicity import adjusted

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05  # of all verdicts together
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """The verdict on one claim. Its numbers are those of its first part, the one that it is about.

    effect, low, high : fractions of accuracy, mean over target sets and its interval at `level`
    p : for the verdict that the effects speak for (all parts together to support, one part to contradict);
        p_adjusted : Holm's over all registered claims
    missing : runs that would decide it; None where every part has its target sets
    domain : None: all domains together; else the verdict on the target sets of one domain
    differs : p that the effect of the first part is the same in every domain (Welch's test over target sets); None
        where fewer than two domains have two target sets
    recipe : the recipe family whose runs it is about; None: the paper's claims, which are about networks from scratch
        (about all runs, where there are none)
    """

    claim: str
    question: str
    verdict: str
    reason: str | None
    effect: float | None
    low: float | None
    high: float | None
    level: float
    margin: float
    p: float | None
    p_adjusted: float | None
    n_target_sets: int
    n_pairs: int
    n_runs: int
    run_ids: tuple[str, ...]
    parts: tuple[PartResult, ...]
    note: str | None
    missing: Missing | None
    domain: str | None = None
    differs: float | None = None
    recipe: str | None = None

    @property
    def label(self) -> str:
        """The claim, the recipe family and the domain that it is about, as far as it is about one."""
        return " ".join(part for part in (self.claim, self.recipe, self.domain) if part)


@dataclass(frozen=True, kw_only=True, repr=False)
class ClaimsReport(Result):
    """All verdicts. unused : {why: runs} that no claim could use."""

    results: tuple[ClaimResult, ...]
    unused: Mapping[str, int]
    _places: Sequence[Site] = field(repr=False, default=())
    _more: Mapping[str, Sequence[Site]] = field(repr=False, default_factory=dict)
    _files: Mapping[str, str] = field(repr=False, default_factory=dict)
    shown_by: ClassVar[str] = "claims"

    def __repr__(self) -> str:
        return f"<ClaimsReport: {', '.join(f'{result.claim} {result.verdict}' for result in self.results)}>"

    def to_frame(self) -> pd.DataFrame:
        """One row per part of a claim, with the claim's verdict."""
        import pandas as pd

        return pd.DataFrame(part_rows(self.results))

    def verdicts(self) -> pd.DataFrame:
        """One row per claim."""
        import pandas as pd

        names = (
            "claim", "domain", "recipe", "question", "verdict", "effect", "low", "high", "level", "margin", "p",
            "p_adjusted", "n_target_sets", "n_pairs", "n_runs", "reason",
        )  # fmt: skip
        return pd.DataFrame([{name: getattr(result, name) for name in names} for result in self.results])

    def missing_grid(self, recipe: str | None = None) -> str | None:
        """The missing runs of all claims as one grid YAML; None where the registry's target sets lack none.

        recipe : of the runs of another recipe family than that of the paper's claims, see `missing_recipes`
        """
        own = [result for result in self.results if (result.recipe if result.recipe in self._more else None) == recipe]
        blocks = [block for result in own if result.missing for block in result.missing.blocks]
        if not blocks:
            return None
        note = "Runs that the claims of a registry lack. Look at it with:  trainer plan FILE --data DIR"
        places = self._places if recipe is None else self._more[recipe]
        return grid_text(grid_content(blocks, places, self._files), [note])

    @property
    def missing_recipes(self) -> list[str]:
        """Recipe families whose missing runs are a grid of their own: a grid has one network."""
        return [name for name in self._more if self.missing_grid(name) is not None]


def claims(
    runs: str | Path | Sequence[RunRecord], *, names: Iterable[str] | None = None, studies: Sequence[str] | None = None
) -> ClaimsReport:
    """Test claims on a registry, or on records.

    names : claims to report, by default every registered one; Holm's adjustment is over all that are registered
    studies : of the registry; None: all of them
    Held-out studies count like others: a claim chooses no model.
    Raises PredictorError for an unknown claim, RegistryError where there is no registry.
    """
    known = registered()
    wanted = list(dict.fromkeys(names)) if names else list(known)
    for name in wanted:
        if name not in known:
            raise PredictorError(f"no claim {name!r}{near(name, known)}")
    records = read_registry(runs, list(studies) if studies else None) if isinstance(runs, str | Path) else list(runs)
    found, unused = groups(records)
    files, digests = _grid_sources(Path(runs)) if isinstance(runs, str | Path) else ({}, {})
    main = [kept for group in found if (kept := [each for each in group if each.family == SCRATCH])] or found
    places = _independent(sites(main, digests))
    finished = {record.run_id for record in records}
    raw = [_result(claim, main, places, finished, files) for claim in known.values() if not claim.families]
    judged = [
        row
        for result in _judged(raw)
        for row in (result, *_by_domain(known[result.claim], result, raw, main, places, finished, files))
    ]
    by_recipe, more = _by_recipe(list(known.values()), found, digests, finished, files)
    judged += by_recipe
    results = tuple(result for name in wanted for result in judged if result.claim == name)
    return ClaimsReport(results=results, unused=unused, _places=tuple(places), _more=more, _files=files)


def _by_recipe(
    known: Sequence[Claim],
    found: Sequence[Sequence[Configuration]],
    digests: Mapping[str, str],
    finished: set[str],
    files: Mapping[str, str],
) -> tuple[list[ClaimResult], dict[str, list[Site]]]:
    """Claims that have a verdict for each recipe family of the registry, and where runs of another one than the main.

    What people repeat is one family of tests, the paper's claims are another: Holm's adjustment is inside each.
    """
    present = {each.family for group in found for each in group}
    rows: list[ClaimResult] = []
    every: dict[str, list[Site]] = {}
    asked: list[tuple[Claim, list[list[Configuration]], list[Site]]] = []
    for family in (name for name in FAMILIES if name in (present or {SCRATCH})):
        own = [kept for group in found if (kept := [each for each in group if each.family == family])]
        there = _independent(sites(own, digests))
        if family != SCRATCH and SCRATCH in present:
            every[family] = there
        for claim in known:
            if family not in claim.families:
                continue
            beside = {family, SCRATCH} if claim.across == "recipes" else {family}
            alike = [
                kept
                for group in regrouped(found, claim.across)
                if (kept := [each for each in group if each.family in beside])
            ]
            rows.append(replace(_result(claim, alike, there, finished, files), recipe=family))
            asked.append((claim, alike, there))
    judged = [
        row
        for result, (claim, alike, there) in zip(_judged(rows), asked, strict=True)
        for row in (result, *_by_domain(claim, result, rows, alike, there, finished, files, least=2))
    ]
    return judged, every


def part_rows(results: Sequence[ClaimResult]) -> list[dict[str, object]]:
    """A row for each part of each claim."""
    return [
        {
            "claim": result.claim, "domain": result.domain, "recipe": result.recipe, "verdict": result.verdict,
            "part": part.name, "outcome": part.outcome, "expects": part.expects, "effect": part.effect, "low": part.low,
            "high": part.high, "level": part.level,
            "p_supports": part.supports, "p_contradicts": part.contradicts, "n_target_sets": part.n_target_sets,
            "n_pairs": part.n_bases, "n_runs": len(part.run_ids), "reason": part.reason,
        }
        for result in results
        for part in result.parts
    ]  # fmt: skip


def _result(
    claim: Claim,
    found: Sequence[Sequence[Configuration]],
    places: Sequence[Site],
    finished: set[str],
    files: Mapping[str, str],
) -> ClaimResult:
    """A claim with its unadjusted p; the verdict waits for the others."""
    parts = part_results(claim, found)
    supports = [part.supports for part in parts]
    contradicts = [part.contradicts for part in parts if part.contradicts is not None]
    # all parts must hold: the largest p (intersection-union, Berger 1982); one may fail: the smallest, times how many
    for_it = None if None in supports else max(p for p in supports if p is not None)
    against = min(1.0, len(contradicts) * min(contradicts)) if contradicts else None
    # an effect may be surely above 0 and surely below the margin: then it is none, and the claim is contradicted
    if against is not None and (for_it is None or against < ALPHA or against < for_it):
        p, verdict = against, CONTRADICTED
    else:
        p, verdict = for_it, UNDECIDED if for_it is None else SUPPORTED
    effects = {part.name: part.target_sets for part in parts if part.outcome == "accuracy"}
    home = {c.target_set: c.domain for group in found for c in group}
    by_domain: dict[str, list[float]] = {}
    for name, value in parts[0].target_sets.items():
        by_domain.setdefault(home[name], []).append(value)
    return ClaimResult(
        claim=claim.name,
        question=claim.question,
        verdict=verdict,
        reason=None,
        effect=parts[0].effect,
        low=parts[0].low,
        high=parts[0].high,
        level=parts[0].level,
        margin=claim.margin,
        p=p,
        p_adjusted=None,
        n_target_sets=parts[0].n_target_sets,
        n_pairs=parts[0].n_bases,
        n_runs=len({run for part in parts for run in part.run_ids}),
        run_ids=tuple(sorted({run for part in parts for run in part.run_ids})),
        parts=tuple(parts),
        note=claim.describe(effects) if claim.describe else None,
        missing=missing(claim, parts, places, finished, files),
        differs=p_differs(list(by_domain.values())),
    )


def _by_domain(
    claim: Claim,
    pooled: ClaimResult,
    raw: Sequence[ClaimResult],
    found: Sequence[Sequence[Configuration]],
    places: Sequence[Site],
    finished: set[str],
    files: Mapping[str, str],
    least: int = 1,
) -> list[ClaimResult]:
    """A verdict for each domain, where the effect differs between them; Holm's adjustment is over domains as well.

    least : target sets of a domain that has a row
    """
    if pooled.differs is None or pooled.differs >= ALPHA:
        return []
    home = {c.target_set: c.domain for group in found for c in group if c.target_set in pooled.parts[0].target_sets}
    domains = sorted(name for name, n in Counter(home.values()).items() if n >= least)
    others = [result for result in raw if (result.claim, result.recipe) != (pooled.claim, pooled.recipe)]
    rows = []
    for name in domains:
        own = [[c for c in group if c.domain == name] for group in found]
        there = [site for site in places if site.domain == name]
        one = _result(claim, [group for group in own if group], there, finished, files)
        p = None if one.p is None else min(1.0, one.p * len(domains))
        (judged,) = _judged([replace(one, p=p), *others])[:1]
        rows.append(replace(judged, p=one.p, domain=name, differs=None, recipe=pooled.recipe))
    return rows


def _judged(raw: Sequence[ClaimResult]) -> list[ClaimResult]:
    """Holm (1979) over the claims, each in the direction that its effects speak for (Shaffer 1980).

    A claim that cannot be tested yet counts as one with p = 1: no verdict falls when its runs are trained.
    """
    judged = []
    family = adjusted([1.0 if result.p is None else result.p for result in raw], "holm")
    for result, q in zip(raw, family, strict=True):
        p = None if result.p is None else q
        decided = p is not None and p < ALPHA
        verdict = result.verdict if decided else UNDECIDED
        reason = None if verdict == SUPPORTED else _against(result) if verdict == CONTRADICTED else _why(result)
        judged.append(replace(result, verdict=verdict, p_adjusted=p, reason=reason))
    return judged


def _against(result: ClaimResult) -> str:
    """The parts that fail beyond doubt (Holm within the claim), in points of their outcome."""
    tested = [part for part in result.parts if part.contradicts is not None]
    adjusted_p = adjusted([part.contradicts for part in tested], "holm")
    failed = [part for part, p in zip(tested, adjusted_p, strict=True) if p < ALPHA and part.effect is not None]
    return ", ".join(f"{part.name} ({part.outcome}) {100 * part.effect:+z.1f}" for part in failed)


def _why(result: ClaimResult) -> str:
    """Why there is no verdict."""
    lacking = [part for part in result.parts if part.n_target_sets < TARGET_SETS]
    if len(lacking) == len(result.parts):
        most = max(part.n_target_sets for part in result.parts)
        return f"no runs to compare: needs {TARGET_SETS} target sets" if not most else (
            f"{most} of {TARGET_SETS} target sets have the runs to compare"
        )  # fmt: skip
    if lacking:
        return f"{len(lacking)} of {len(result.parts)} parts have fewer than {TARGET_SETS} target sets"
    open_parts = [part for part in result.parts if part.supports is None or part.supports >= ALPHA]
    if not open_parts:
        return "not significant after Holm's adjustment for the other claims"
    names = ", ".join(f"{part.name} ({part.outcome})" for part in open_parts[:2])
    more = f" and {len(open_parts) - 2} more" if len(open_parts) > 2 else ""
    return f"the interval holds both answers: {names}{more}"


def _independent(places: Sequence[Site]) -> list[Site]:
    """One site of those that share classes: together they are one piece of evidence. The one with most runs stays."""
    together = clusters([configuration for site in places for configuration in site.configurations])
    best: dict[str, Site] = {}
    for site in (site for site in places if site.target_set in together):
        rival = best.get(together[site.target_set])
        if rival is None or len(site.configurations) > len(rival.configurations):
            best[together[site.target_set]] = site
    return [site for site in places if site in best.values()]


def _grid_sources(runs: Path) -> tuple[dict[str, str], dict[str, str]]:
    """({source: file}, {source: digest}) as a registry's grids name them; one that cannot be read names none."""
    files: dict[str, str] = {}
    digests: dict[str, str] = {}
    for path in sorted(runs.glob("*/grid.yaml")):
        try:
            sources = read_sources(path)
        except SpecError:
            continue
        for name, source in sources.items():
            digests.setdefault(name, source.digest)
            if source.file:
                files.setdefault(name, source.file)
    return files, digests
