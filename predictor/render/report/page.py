"""The page: sections put together, every text escaped, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from predictor.errors import package_version
from predictor.render.report import ranking, scores, trained, verdicts
from predictor.render.report.drawing import palette
from predictor.render.report.material import Material, Progress, material
from predictor.render.report.story import sentences
from predictor.render.report.studies import studies
from predictor.text import visible

LONG = 34  # characters: a cell that may wrap


def registry_page(
    runs: Path, names: Sequence[str] | None = None, *, fit: Path | None = None, progress: Progress | None = None
) -> tuple[str, int]:
    """(the page about a registry, its number of runs). names : of studies; fit, progress : see `material`"""
    about = material(runs, names, fit=fit, progress=progress)
    if progress:
        progress("drawing", 0.75)
    return report_html(about), len(about.frame)


def report_html(about: Material) -> str:
    """The page as one text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("predictor.render"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: visible(value, keep="\n\t") if type(value) is str else value,
    )  # fmt: skip
    style, _, _ = environment.loader.get_source(environment, "report.css")
    environment.tests["long"] = lambda value: len(value) > LONG
    environment.tests["number"] = lambda value: bool(value) and value[0] in "+-0123456789[<" and len(value) <= LONG
    colours = palette(about.domains)
    table, drawn = ranking.ranking(about)
    reliability = scores.reliability_table(scores.reliability_rows(about))
    fit = about.fit
    return environment.get_template("report.html.j2").render(
        about=about,
        style=Markup(style),
        version=package_version("predictor"),
        sentences=sentences(about),
        n_runs=len(about.frame),
        n_configurations=len(about.configurations),
        overview=trained.pictures(about, colours),
        verdict_table=verdicts.verdict_table(about),
        part_table=verdicts.part_table(about),
        verdicts=verdicts.verdicts(about, colours),
        ranking=table,
        ranking_picture=drawn,
        fit=fit,
        score_table=scores.score_table(fit) if fit else None,
        coverage_table=scores.coverage_table(fit) if fit else None,
        reliability_table=reliability,
        held_out_table=scores.held_out_table(about),
        split_notes=scores.split_notes(),
        score_pictures=list(scores.pictures(about, colours)),
        study_table=trained.study_table(about),
        cost=trained.cost_line(about.columns),
        citations=trained.citations(about.columns),
        studies=studies(about),
    )
