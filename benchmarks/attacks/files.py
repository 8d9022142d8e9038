"""Files that never end, that are no files, that lead elsewhere, or that have impossible names."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import SECRET, Attack
from made import STUDY, all_of, first, grid, manifest, registry

SPECIAL: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a link to a pipe": lambda path: (os.mkfifo(path.parent / "pipe"), path.symlink_to(path.parent / "pipe")),
    "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "/dev/full": lambda path: path.symlink_to("/dev/full"),
    "/dev/tty": lambda path: path.symlink_to("/dev/tty"),
    "a socket": lambda path: _socket(path),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a folder": lambda path: path.mkdir(),
    "a huge file with holes": lambda path: _sparse(path),
}


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def _view(folder: Path, key: str) -> None:
    for label in ("cat", "dog"):
        (folder / "pets" / label).mkdir(parents=True)
        (folder / "pets" / label / "0.jpg").write_bytes(b"...")
    (folder / "v.yaml").write_text(f"images: pets\n{key}: x\n")


def _boxes(folder: Path) -> None:
    for name, content in {"images/1.jpg": b"...", "labels/0.txt": b"0 0.5 0.5 1 1\n", "classes.txt": b"cat\n"}.items():
        (folder / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "x" / name).write_bytes(content)


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 42)


def _in_study(name: str) -> Callable[[Path], Path]:
    return lambda folder: registry(folder) / name


def _at(name: str, *others: Callable[[Path], object]) -> Callable[[Path], Path]:
    def place(folder: Path) -> Path:
        all_of(*others)(folder)
        return folder / name

    return place


READERS: dict[str, tuple[Callable[[Path], Path], list[str], str]] = {
    "manifest": (_at("x.csv"), ["indicators", "x.csv"], "predictor"),
    "manifest in a pattern": (_at("x1.csv", manifest), ["indicators", "x*.csv"], "predictor"),
    "targets": (_at("x", manifest), ["indicators", "m.csv", "--targets", "x"], "predictor"),
    "test manifest": (_at("x", manifest), ["indicators", "m.csv", "--test", "x"], "predictor"),
    "fit": (_at("x", manifest), ["predict", "m.csv", "--fit", "x"], "predictor"),
    "fit of the folder": (
        lambda folder: (manifest(folder), (folder / "runs").mkdir(), folder / "runs" / "fit.json")[2],
        ["predict", "m.csv"], "predictor",
    ),
    "probe": (_at("x", manifest), ["indicators", "m.csv", "--probe", "x"], "predictor"),
    "own code": (_at("x.py", manifest), ["--load", "x.py", "indicators", "m.csv"], "predictor"),
    "pilots' registry": (_at("x", manifest), ["predict", "m.csv", "--pilot", "x"], "predictor"),
    "source of pilots": (_at("x", manifest), ["pilots", "m.csv", "--next", "1", "--source", "x"], "predictor"),
    "recipe of pilots": (
        _at("x", manifest), ["pilots", "m.csv", "--next", "1", "--source", "s", "--digest", "sha256:" + "0" * 64,
                             "--recipe", "x"], "predictor",
    ),
    "recipe": (_at("x.yaml", manifest), ["predict", "m.csv", "--recipe", "x.yaml"], "predictor"),
    "tested classes": (_at("x"), ["evaluate", "test_efficientnet", "--targets", "x", "--test-set", "."], "trainer"),
    "weights": (
        _at("x.pth"), ["evaluate", "test_efficientnet", "--weights", "x.pth", "--targets", "imagenet-100", "--test-set", "."],
        "trainer",
    ),
    "grid of rates": (_at("x"), ["rates", "x"], "predictor"),
    "grid of plan": (_at("x"), ["plan", "x"], "trainer"),
    "grid of status": (_at("x"), ["status", "x"], "trainer"),
    "grid of run": (_at("x"), ["run", "x"], "trainer"),
    "record": (_in_study("0123456789abcdef.json"), ["runs", "list", "runs"], "predictor"),
    "record of status": (
        lambda folder: (grid(folder), (folder / "runs/demo").mkdir(parents=True), folder / "runs/demo/0123456789abcdef.json")[2],
        ["status", "g.yaml"], "trainer",
    ),
    "part": (_in_study("runs-001.parquet"), ["runs", "list", "runs"], "predictor"),
    "part of check": (_in_study("runs-001.parquet"), ["runs", "check", "runs"], "predictor"),
    "part of agreement": (_in_study("runs-001.parquet"), ["agreement", "runs"], "predictor"),
    "grid of a study": (_in_study("grid.yaml"), ["runs", "check", "runs"], "predictor"),
    "grid of agreement": (_in_study("grid.yaml"), ["agreement", "runs", "--draws", "100"], "predictor"),
    "record of a URL": (_in_study("0123456789abcdef.json"), ["runs", "list", "file://{here}/runs"], "predictor"),
    "part of a URL": (_in_study("runs-001.parquet"), ["runs", "list", "file://{here}/runs"], "predictor"),
    "table of an import": (_at("x.csv"), ["import", "table", "x.csv", "runs"], "predictor"),
    "map of an import": (_at("x.yaml", manifest), ["import", "table", "m.csv", "runs", "--map", "x.yaml"], "predictor"),
    "database of an import": (_at("x/mlflow.db", lambda folder: (folder / "x").mkdir()), ["import", "mlflow", "x", "runs"], "predictor"),
    "log of a tracker": (
        _at("x/events.out.tfevents.1", lambda folder: (folder / "x").mkdir()), ["import", "tensorboard", "x", "runs"], "predictor",
    ),
    "boxes": (_at("x/labels/1.txt", _boxes), ["indicators", "x"], "predictor"),
    "attempt": (
        lambda folder: ((registry(folder) / "attempts").mkdir(), folder / "runs" / STUDY / "attempts/0123456789abcdef.1.json")[1],
        ["runs", "check", "runs"], "predictor",
    ),
    "lock of a pack": (_in_study(".pack.lock"), ["runs", "pack", "runs"], "predictor"),
    "source": (_at("x"), ["digest", "x"], "predictor"),
    "view": (_at("x.yaml"), ["digest", "x.yaml"], "predictor"),
    "map of a view": (_at("x", lambda folder: _view(folder, "map")), ["digest", "v.yaml"], "predictor"),
    "classes of a view": (_at("x", lambda folder: _view(folder, "classes")), ["digest", "v.yaml"], "predictor"),
    "image": (
        lambda folder: ((folder / "x/train/a").mkdir(parents=True), folder / "x/train/a/1.jpg")[1],
        ["digest", "x"], "predictor",
    ),
}  # fmt: skip
FINE = {  # what is no fault there: nothing is read, or a folder is what is asked for
    ("record of status", None), ("lock of a pack", None), ("attempt", None), ("image", None), ("grid of a study", None),
    ("grid of agreement", None), ("boxes", None),
    ("manifest in a pattern", None), ("fit of the folder", "a link to nothing"), ("fit of the folder", "a link to itself"),
}  # fmt: skip


def read() -> Iterator[Attack]:
    """Every file that is read, as everything that is no file."""
    for reader, (place, args, program) in READERS.items():
        for kind, make in SPECIAL.items():
            fine = (reader, None) in FINE or (reader, kind) in FINE or kind == "a folder"
            yield Attack(
                kind="files that are read", what=f"{reader}: {kind}", args=args, program=program,
                prepare=lambda folder, place=place, make=make: make(place(folder)), codes=(0, 2) if fine else (2,),
            )  # fmt: skip


DIGEST = ["--digest", "sha256:" + "0" * 64]
WRITERS: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "fit": (registry, ["fit", "runs", "--output", "x"], "predictor"),
    "report": (registry, ["report", "runs", "--output", "x"], "predictor"),
    "plot": (manifest, ["indicators", "m.csv", "--plot", "x.png"], "predictor"),
    "advice": (manifest, ["advise", "m.csv", "--budget", "9", "--output", "x"], "predictor"),
    "pilots": (manifest, ["pilots", "m.csv", "--next", "1", "--source", "s", *DIGEST, "--output", "x"], "predictor"),
    "design": (registry, ["design", "runs", "--next", "1", "--output", "x"], "predictor"),
    "rates": (grid, ["rates", "g.yaml", "--output", "x"], "predictor"),
    "fractals": (manifest, ["fractals", "x.parquet", "--classes", "1", "--per-class", "1"], "trainer"),
}
TAKEN: dict[str, Callable[[Path], object]] = {
    **{kind: make for kind, make in SPECIAL.items() if kind not in ("a link to nothing", "a huge file with holes")},
    "a link out to a device": lambda path: path.symlink_to("/dev/null"),
    "a folder that is missing": lambda path: None,
}


def written() -> Iterator[Attack]:
    """Every file that is written, where something else has its name."""
    for writer, (make, args, program) in WRITERS.items():
        name = next(part for part in args if part.startswith("x"))
        for kind, taken in TAKEN.items():
            own = [f"no/{part}" if part == name and "missing" in kind else part for part in args]
            creates = writer == "fractals" and "missing" in kind

            def prepare(folder: Path, make=make, taken=taken, name=name) -> None:
                make(folder)
                taken(folder / name)

            yield Attack(
                kind="files that are written", what=f"{writer}: {kind}", args=own, program=program, prepare=prepare,
                codes=(0,) if creates else (2,), also=lambda folder, name=name, kind=kind: _same(folder / name, kind),
            )  # fmt: skip


def _same(path: Path, kind: str) -> bool:
    """Whether what had the name still has it."""
    if "missing" in kind:
        return not path.exists()
    return path.is_symlink() if "link" in kind or "/dev" in kind else path.exists() and not path.is_file()


def outside() -> Iterator[Attack]:
    """Links out of a registry or of an image folder."""

    def linked_record(folder: Path) -> None:
        path = first(registry(folder))
        shutil.move(path, folder.parent / "outside" / path.name)
        path.symlink_to(folder.parent / "outside" / path.name)

    def linked_study(folder: Path) -> None:
        shutil.move(registry(folder), folder.parent / "outside" / STUDY)
        (folder / "runs" / STUDY).symlink_to(folder.parent / "outside" / STUDY)

    def linked_part(folder: Path) -> None:
        study = registry(folder)
        shutil.copy(Path(__file__).parents[2] / "runs/advice/runs-001.parquet", folder.parent / "outside/p.parquet")
        (study / "runs-001.parquet").symlink_to(folder.parent / "outside/p.parquet")

    def linked(name: str) -> Callable[[Path], None]:
        return lambda folder: (registry(folder).parent / name).symlink_to(folder.parent / "outside/secret.txt")

    for what, prepare in {"a record": linked_record, "a study": linked_study, "a part": linked_part}.items():
        for args in (["list"], ["show"], ["check"], ["pack"], ["unpack"]):
            yield Attack(kind="links that lead out", what=f"{what}: runs {args[0]}", args=["runs", *args, "runs"],
                         prepare=prepare, says="leads out of", codes=(2,))  # fmt: skip
        for args in (["agreement", "runs"], ["fit", "runs"], ["claims", "runs"], ["report", "runs"]):
            yield Attack(kind="links that lead out", what=f"{what}: {args[0]}", args=args, prepare=prepare,
                         says="leads out of", codes=(2,))  # fmt: skip
    for name in (f"{STUDY}/grid.yaml", f"{STUDY}/attempts", "README.md", f"{STUDY}/0123456789abcdef.json"):
        for args in (["runs", "check", "runs"], ["runs", "list", "runs"]):
            yield Attack(kind="links that lead out", what=f"{name}: {args[1]}", args=args, prepare=linked(name),
                         codes=(0, 2))  # fmt: skip
    yield Attack(
        kind="links that lead out", what="README.md: report", args=["report", "runs"], prepare=linked("README.md"),
        codes=(0,), also=lambda folder: SECRET not in (folder / "report.html").read_text(),
    )  # fmt: skip
    for file in ("../outside/secret.txt", "/etc/passwd", "a/../../outside/secret.txt", "link.parquet"):
        for args in (["plan", "g.yaml", "--data", "."], ["run", "g.yaml", "--data", "."]):
            digest = f'digits: {{file: "{file}", digest: "sha256:{"0" * 64}"}}'

            def prepare(folder: Path, digest: str = digest) -> None:
                grid(folder, 'digits: {digest: "builtin:digits"}', digest)
                (folder / "link.parquet").symlink_to(folder.parent / "outside/secret.txt")

            yield Attack(kind="links that lead out", what=f"source {file}: {args[0]}", args=args, program="trainer",
                         prepare=prepare)  # fmt: skip


LONG = [
    "x" * 256,
    "x" * 5_000,
    "a/" * 3_000 + "b",
    "\udcff\udcfe.csv",
    "new\nline.csv",
    "esc\x1b[2J.csv",
    "x" * 250 + ".csv",
]


def names() -> Iterator[Attack]:
    """Names that no file can have, or that a terminal would obey."""
    for name in LONG:
        shown = name[:20] + ("..." if len(name) > 20 else "")
        for args in (
            ["indicators", name], ["predict", name], ["predict", "m.csv", "--fit", name], ["runs", "list", name],
            ["indicators", "m.csv", "--targets", name], ["fit", name], ["indicators", name, "m.csv"],
        ):  # fmt: skip
            yield Attack(kind="names of files", what=f"{args[0]} {shown!a}", args=args, prepare=manifest)
    for name in LONG[3:6]:
        for form in ("table", "csv", "markdown", "json"):

            def prepare(folder: Path, name: str = name) -> None:
                manifest(folder).rename(folder / name)

            yield Attack(kind="names of files", what=f"a real file {name[:20]!a}, {form}", codes=(0, 2), prepare=prepare,
                         args=["predict", name, "--format", form])  # fmt: skip
    for name in LONG[:3]:
        yield Attack(kind="names of files", what=f"--output {name[:20]}", prepare=manifest,
                     args=["advise", "m.csv", "--budget", "9", "--output", name])  # fmt: skip


def permission() -> Iterator[Attack]:
    """An ordinary user before what only root may read or write."""

    def locked(folder: Path) -> None:
        registry(folder)
        manifest(folder).chmod(0)
        (folder / "runs").chmod(0)

    for args in (["indicators", "m.csv"], ["runs", "list", "runs"], ["runs", "check", "runs"], ["fit", "runs"],
                 ["agreement", "runs"], ["predict", "m.csv"], ["digest", "runs"]):  # fmt: skip
        yield Attack(kind="no permission", what=" ".join(args), args=args, prepare=locked, user=True)

    def locked_study(folder: Path) -> None:  # beside one that may be read: half an answer would be no error
        study = registry(folder)
        shutil.copytree(study, study.with_name("other"))
        study.chmod(0)

    def locked_class(folder: Path) -> None:
        for label in ("cat", "dog"):
            (folder / "pets" / label).mkdir(parents=True)
            (folder / "pets" / label / "0.jpg").write_bytes(b"...")
        (folder / "pets/cat").chmod(0)

    for args in (["runs", "list", "runs"], ["runs", "show", "runs"], ["runs", "check", "runs"], ["runs", "pack", "runs"],
                 ["fit", "runs"], ["agreement", "runs"], ["claims", "runs"], ["report", "runs"]):  # fmt: skip
        yield Attack(
            kind="no permission", what=f"{args[-2]}: one study of two", args=args, prepare=locked_study, user=True
        )
    for args in (["indicators", "pets"], ["predict", "pets"], ["digest", "pets"]):
        yield Attack(
            kind="no permission", what=f"{args[0]}: one class of two", args=args, prepare=locked_class, user=True
        )

    def read_only(folder: Path) -> None:
        registry(folder)
        manifest(folder)
        for path in (folder / "runs", folder / "runs" / STUDY):
            path.chmod(0o555)

    for args in (["runs", "pack", "runs"], ["fit", "runs"],
                 ["advise", "m.csv", "--budget", "9", "--output", "runs/x"]):  # fmt: skip
        yield Attack(
            kind="no permission", what=f"{args[0]} into a read-only folder", args=args, prepare=read_only, user=True
        )
