"""The command line: one command a file, imported only when it is called, so that help is immediate."""

from __future__ import annotations

import importlib

import click

from predictor.entry import Commands, at_work, run

COMMANDS = {  # name -> short help, so that `predictor --help` imports no command
    "advise": "What to collect: which classes to add images to, at a budget.",
    "agreement": "How well each indicator ranks the outcomes of a registry.",
    "claims": "The paper's claims, tested on a registry; writes the runs that are missing.",
    "curve": "What a manifest reaches at other sizes, and what that costs.",
    "design": "Which configurations to train next, for each hour, as a grid.",
    "digest": "The digest of a source of images, as a grid states it.",
    "doctor": "What is installed, what is missing for what, and which fit answers.",
    "fit": "Fit and validate the models on a registry; writes fit.json.",
    "import": "Other people's runs: a table, timm's results or a tracker's files become run records.",
    "indicators": "Indicators of one or more manifests.",
    "pilots": "Which cheap subsamples of a manifest to train first, as a grid.",
    "predict": "Accuracy and robustness of manifests before training, with intervals.",
    "probe": "How far the classes of images are apart, before anything is trained.",
    "rates": "Which learning rate a grid shall have, on validation splits of its training data.",
    "recipes": "Which recipes the fit knows, and on how much each rests.",
    "report": "One self-contained HTML file about a registry.",
    "runs": "List, show, check, pack, unpack and merge run records.",
    "start": "From images of your own to a prediction and the pilots that sharpen it.",
}


class LazyGroup(Commands):
    """Commands from predictor.cli.<name>_command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"predictor.cli.{cmd_name}_command").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if near:
                error.message += f" Did you mean '{near[0]}'?"
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from predictor.errors import package_version
    from predictor.models.fit import shipped_fit

    fit = shipped_fit()
    click.echo(f"predictor {package_version('predictor')}")
    n, runs, made = fit.training["n_configurations"], fit.training["n_runs"], fit.made or "on an unknown day"
    click.echo(f"fit that ships: {fit.digest[:19]}, made {made}, {n:,} configurations, {runs:,} runs")
    ctx.exit()


@click.group(cls=LazyGroup)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version, and which fit ships.",
)
@click.option(
    "--load",
    "own",
    multiple=True,
    metavar="FILE|MODULE",
    help="Python that registers indicators, families or claims of your own.",
)
def predictor(own: tuple[str, ...]) -> None:
    """Predict accuracy and robustness of an image classifier from its data set's labels, before training."""
    at_work(f"predictor {click.get_current_context().invoked_subcommand}")
    if own:
        from predictor.extensions import load

        for name in own:
            load(name)


def main() -> None:
    """Entry point: a fault of the input is one message and exit 2, a fault of the program exits 1."""
    run(predictor, "predictor")
