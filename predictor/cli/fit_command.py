"""`predictor fit`: run records -> fit.json and the validation table."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import (
    FETCHED,
    FORMAT,
    OUTCOMES,
    STUDIES,
    Registry,
    check_writable,
    say_result,
    shown_progress,
)


@click.command(name="fit")
@click.argument("registries", nargs=-1, required=True, type=Registry(), metavar="RUNS...")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the fit.  [default: fit.json in the first RUNS]",
)
@click.option(
    "--base", metavar="FIT|shipped", help="Keep this fit, and learn only what the target sets of RUNS add to it."
)
@click.option(
    "--recipe", "take", multiple=True, metavar="SETTING=VALUE|all",
    help="Also take runs whose recipe differs in this setting, which becomes a factor; may be repeated.",
)  # fmt: skip
@STUDIES
@OUTCOMES
@click.option(
    "--family", "families", multiple=True, metavar="NAME", help="Try this model family alone; may be repeated."
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="Take N runs where there are more: whole configurations, from every study and target set.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Show every family on every kind of held-out run, and how often stated probabilities were right.",
)
@FORMAT
def command(
    registries: tuple[Path, ...],
    output: Path | None,
    base: str | None,
    take: tuple[str, ...],
    studies: tuple[str, ...],
    outcomes: tuple[str, ...],
    families: tuple[str, ...],
    sample: int,
    everything: bool,
    form: str,
) -> None:
    """Learn from registries to predict accuracies from labels; print how well that works on held-out runs.

    Of several RUNS the first is the main one; target sets of the others enter with four configurations or more. Recipe
    families (from scratch, frozen, fine-tuned) are fitted each for themselves.
    """
    from predictor.errors import FitError
    from predictor.fitting import fit_registry, score_held_out, select
    from predictor.fitting.several import probes_of_several, read_several
    from predictor.render import validation_screen
    from predictor.render.validation_screen import FitTold

    fetched = click.get_current_context().meta.get(FETCHED)
    if output is None and fetched:
        raise FitError("is not on this machine, and RUNS/fit.json would not be either", where=fetched,
                       remedy="say where the fit goes: --output fit.json")  # fmt: skip
    output = registries[0] / "fit.json" if output is None else output
    if base is not None:
        for option, given in (("--outcome", outcomes), ("--recipe", take), ("--family", families)):
            if given:
                raise FitError(
                    f"{option} has no effect beside --base, which stays as it is", remedy=f"leave {option} out"
                )
        _on_top(registries, output, base, studies, form)
        return
    records, notes = read_several(registries, studies or None, sample, take)
    check_writable(output)
    with shown_progress("fit") as progress:
        fit = fit_registry(
            records, outcomes or None, families or None, studies or None, take=take, notes=notes,
            probes=probes_of_several(registries), progress=progress,
        )  # fmt: skip
    written = fit.save(output)
    dropped = select(records, studies or None, take=take).dropped
    told = FitTold(fit=fit, scored=score_held_out(fit, records), dropped=dropped, notes=notes, written=written)
    say_result(validation_screen, told, form, everything=everything)


def _on_top(
    registries: tuple[Path, ...],
    output: Path,
    base: str,
    studies: tuple[str, ...],
    form: str,
) -> None:
    """A fit of own runs on top of another one: see `predictor.planning.pilots.based`."""
    from predictor.models.fit import load_fit, shipped_fit
    from predictor.planning.pilots.based import fit_on_top
    from predictor.records import read_registry
    from predictor.render import based
    from predictor.render.based import FitOnTop

    fit = shipped_fit() if base == "shipped" else load_fit(base)
    records = [record for registry in registries for record in read_registry(registry, studies or None)]
    check_writable(output)
    made, added, notes = fit_on_top(fit, records)
    say_result(based, FitOnTop(added, notes, fit.where, str(made.save(output))), form)
