"""Options that several commands share."""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from predictor.errors import ManifestError, PredictorError
from predictor.files import check_replaceable, replace_file
from predictor.reading import MIB, read_bytes
from predictor.render.layout import FORMATS

if TYPE_CHECKING:
    from predictor.distribution import LabelDistribution

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FORMAT: Decorator = click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)


class Registry(click.ParamType):
    """A registry: a folder; or a URL or a pattern of folders, fetched into a folder that is gone afterwards."""

    name = "registry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if isinstance(value, Path) or ctx is None:
            return Path(value)
        from predictor.entry import stands_for
        from predictor.records.elsewhere import fetched, is_elsewhere

        if not is_elsewhere(value):
            return Path(value)
        folder = os.path.realpath(mkdtemp(prefix="predictor-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)  # a context that was never whole is never closed
        ctx.call_on_close(lambda: shutil.rmtree(folder, ignore_errors=True))
        ctx.meta[FETCHED] = value
        found = fetched(value, Path(folder))
        if found.is_relative_to(folder):
            stands_for(found, value)
        return found


class LocalRegistry(click.ParamType):
    """A registry that is written into: a local folder, there already or not."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        from predictor.records.elsewhere import local

        return value if isinstance(value, Path) else local(value)


FETCHED = "predictor.fetched"  # in the meta of a context: the place that RUNS was fetched from
LOCAL_RUNS: Decorator = click.argument("runs", type=LocalRegistry())
RUNS: Decorator = click.argument("runs", type=Registry())
STUDIES: Decorator = click.option(
    "--study", "studies", multiple=True, metavar="NAME", help="Take this study alone; may be repeated."
)
OUTCOMES: Decorator = click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="NAME",
    help="Take this outcome alone, e.g. accuracy; may be repeated.",
)
FIT: Decorator = click.option(
    "--fit",
    "fit_path",
    type=click.Path(path_type=Path),
    help="The fit.json to use.  [default: runs/fit.json, else the fit that ships]",
)
PILOT: Decorator = click.option(
    "--pilot", type=click.Path(path_type=Path), metavar="RUNS", help="Registry with pilot runs of your target set."
)
LEVEL: Decorator = click.option(
    "--level", type=float, default=0.9, show_default=True, help="Nominal coverage of the intervals."
)


def RECIPE(function: Callable[..., Any]) -> Callable[..., Any]:
    """--target-set, --domain, --recipe, --model, ...: where and how the manifest is trained."""
    for option in (
        click.option(
            "--recipe",
            metavar="NAME|GRID",
            help="A name that `predictor recipes` lists, e.g. frozen-lite0+class-weights, or a grid file.",
        ),
        click.option(
            "--image-steps",
            type=click.IntRange(1, 10**15),
            metavar="N",
            help="Images shown in training, every repeat counted.",
        ),
        click.option("--image-size", type=click.IntRange(1, 10**5), metavar="PX", help="Side of the images in pixels."),
        click.option("--model", metavar="NAME", help="Network.  [default: that of most runs of the fit]"),
        click.option(
            "--domain",
            default="new",
            show_default=True,
            metavar="NAME",
            help="Image domain that the fit knows, or 'new'.",
        ),
        click.option(
            "--target-set",
            default="new",
            show_default=True,
            metavar="NAME",
            help="Target set that the fit knows, or 'new'.",
        ),
    ):
        function = option(function)
    return function


ANOTHER = "name another: --output"
OTHER = "exists and says something else"
READING = (  # options of `open_manifest`
    "label", "count", "weight", "split", "where", "missing", "several", "several_separator", "one_hot", "header",
    "instances", "sheet",
)  # fmt: skip


def manifest_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How a manifest is read: --targets goes to `targets`, the other options together to `how`."""

    @functools.wraps(function)
    def called(**options: Any) -> Any:
        how = {name: options.pop(name) for name in READING}
        return function(how=how, **options)

    decorated: Callable[..., Any] = called
    for option in (
        click.option("--targets", type=click.Path(path_type=Path), help="File with one tested class a line."),
        click.option(
            "--several",
            type=click.Choice(["all", "first"]),
            default="all",
            show_default=True,
            help="An image with several labels counts for each of them, or for its first one.",
        ),
        click.option("--sheet", metavar="NAME", help="Sheet of a workbook (default: its only one)."),
        click.option("--instances", is_flag=True, help="Count every box; else a class counts once for each image."),
        click.option(
            "--header/--no-header",
            default=True,
            help="Whether the first line names the columns; without names, --label 2 is the second column.",
        ),
        click.option("--one-hot", is_flag=True, help="Classes are columns of 0 and 1, or vectors of them in a cell."),
        click.option(
            "--several-separator",
            metavar="TEXT",
            help="What stands between the labels of a cell, as in 'cat|dog'; 'none': a cell is one label.",
        ),
        click.option(
            "--missing",
            type=click.Choice(["drop", "error"]),
            default="drop",
            show_default=True,
            help="Rows without a label are left out and counted, or are an error.",
        ),
        click.option("--where", metavar="SQL", help="Rows to take: a condition on the columns; it can open no file."),
        click.option("--split", metavar="NAME", help="Rows to take; 'train' where there is a split column, or 'all'."),
        click.option("--weight", metavar="COL", help="Column that says how often a sample counts (default: once)."),
        click.option(
            "--count", metavar="COL", help="Column of images per class (default: count, where there is one), or 'none'."
        ),
        click.option("--label", metavar="COL", help="Column of class names (default: label)."),
    ):
        decorated = option(decorated)
    return decorated


NOT_REPEATED = ("form", "target_set", "output", "plot")  # they mean something else to another command


def repeated(other: str, *, but: Sequence[str] = ()) -> list[str]:
    """Options that this command was given and that `other` takes as well, so that a printed command reads the same."""
    context = click.get_current_context()
    module = importlib.import_module(f"predictor.cli.{other}_command")
    known = {parameter.name for parameter in module.command.params} - {*NOT_REPEATED, *but}
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not isinstance(option, click.Option) or not given or name not in known:
            continue
        value = context.params[name]
        if option.is_flag:
            words.append((option.opts if value else option.secondary_opts)[0])
            continue
        for item in value if option.multiple else (value,):
            words += [option.opts[0], str(item)]
    return words


def read_manifests(
    manifests: Sequence[str], *, targets: Path | None = None, how: Mapping[str, str | bool | None]
) -> dict[str, LabelDistribution]:
    """{argument: label distribution}; how each was read is said on standard error.

    One argument is one manifest: a file, a folder, a quoted pattern of files, or '-' for standard input.
    Raises ManifestError where two arguments are the same: it would be counted twice, or once where two are meant.
    """
    from predictor.manifest import one_engine, open_manifest, read_targets

    _check_distinct(manifests)
    tested = read_targets(targets) if targets else None
    read = {}
    files = [path for path in map(Path, manifests) if path.is_file()]
    with one_engine(files) if len(files) > 1 and not how.get("where") else nullcontext():
        for path in manifests:
            manifest = open_manifest(path, targets=tested, **how)
            for note in manifest.notes:
                click.echo(f"{path}: {note}", err=True)
            read[path] = manifest.distribution
    return read


def write_text(path: Path, text: str, *, keep: bool = False) -> None:
    """Write a file, whole or not at all. keep: refuse to replace a file that says something else.

    Raises PredictorError where it cannot be written.
    """
    check_writable(path)
    content = text.encode(errors="backslashreplace")  # names of files may be no Unicode
    try:
        if keep and path.exists() and read_bytes(path, limit=max(MIB, 2 * len(content))) != content:
            raise PredictorError(OTHER, where=str(path), remedy=ANOTHER)
        replace_file(path, content)
    except OSError as fault:
        raise PredictorError(f"cannot be written: {fault.strerror}", where=str(path), remedy=ANOTHER) from fault


def check_writable(path: Path, option: str = "--output") -> None:
    """Refuse before the work what could not be written after it. option : that names the path

    Raises PredictorError where the path is a folder, or its folder is missing or may not be written to.
    """
    problem, another = None, f"name another: {option}"
    try:
        check_replaceable(path)
    except IsADirectoryError:
        pass
    except OSError as fault:
        raise PredictorError(f"cannot be written: {fault.strerror}", where=str(path), remedy=another) from None
    if path.is_dir():
        problem = "is a folder; needed: the name of a file"
    elif not path.parent.is_dir():
        problem = f"cannot be written: no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        problem = f"cannot be written: no permission to write in {path.parent}"
    if problem:
        raise PredictorError(problem, where=str(path), remedy=another)


def check_asked(path: Path, question: str) -> None:
    """Refuse before the work a file that would be kept after it: one that another question wrote, or something else.

    question : a comment that the file will begin with
    """
    check_writable(path)
    try:
        if not path.exists() or f"# {question}\n".encode(errors="backslashreplace") in read_bytes(path, limit=64 * MIB):
            return
    except OSError:  # not to be read, so not to be compared
        pass
    raise PredictorError(OTHER, where=str(path), remedy=ANOTHER)


def say_result(renderer: Any, result: Any, form: str, **options: Any) -> None:
    """Print a result in a format, by its module below `predictor.render`. options : of its page"""
    from predictor.entry import colours, say_styled
    from predictor.render.page import page_text, result_text

    if form == "table" and colours():
        say_styled(page_text(renderer.page(result, **options), form, colour=True))
    else:
        click.echo(result_text(renderer, result, form, **options))


@contextmanager
def shown_progress(name: str) -> Iterator[Callable[[str, float], None]]:
    """A bar where standard error is a terminal, else a line for each thing done. name : what is being done"""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        from predictor.entry import no_sign, terminal

        with no_sign(), Progress(console=Console(file=terminal()), transient=True) as bar:
            task = bar.add_task(name, total=1.0)
            yield lambda line, share: bar.update(task, description=f"{name}: {line}", completed=share)
        return
    said = set()

    def say(line: str, share: float) -> None:
        if line not in said:
            click.echo(f"{name}: {line}", err=True)
        said.add(line)

    yield say


def _check_distinct(manifests: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for argument in manifests:
        place = argument if argument == "-" else os.path.realpath(argument)
        if place in seen:
            raise ManifestError(
                "named twice" + (f", also as {seen[place]}" if seen[place] != argument else ""),
                where=argument,
                remedy="name every manifest once",
            )
        seen[place] = argument
