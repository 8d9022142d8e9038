"""On a real terminal and in real pipes: colours, completion, signs of life, Ctrl-C and a reader that goes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from example_made import CLASSES

from predictor.cli import predictor
from predictor.waiting import Waiting
from trainer.cli import trainer

ROOT = Path(__file__).parents[1]
COUNTS = "label,count\n" + "".join(f"{name},{n}\n" for name, n in zip("abcdefghij", range(10, 110, 10), strict=True))
ENVIRONMENT = {**os.environ, "PREDICTOR_QUIET": "", "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(COUNTS)
    return tmp_path / "a.csv"


def shell(text: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A line of bash; `$P` is predictor."""
    environment = {**ENVIRONMENT, "P": f"{sys.executable} -m predictor", **more}
    return subprocess.run(["bash", "-c", text], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def on_terminal(words: list[str], cwd: Path, **more: str) -> str:
    """What a command writes to a terminal of its own."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "predictor", *words], cwd=cwd, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL,
        env={**ENVIRONMENT, "TERM": "xterm", **more},
    )  # fmt: skip
    os.close(slave)
    found = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        found += part
    os.close(master)
    assert process.wait(60) == 0
    return found.decode()


def test_colours_stand_on_a_terminal_alone(manifest: Path) -> None:
    words = ["predict", "a.csv", "--no-probe"]
    told = on_terminal(words, manifest.parent)
    assert "\x1b[1ma.csv" in told
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal(words, manifest.parent, **more)
    piped = shell("$P predict a.csv --no-probe", manifest.parent)
    assert "\x1b" not in piped.stdout
    assert re.sub(r"\x1b\[\d*m", "", told).split() == piped.stdout.split()


def test_a_terminal_says_how_wide_it_is(manifest: Path) -> None:
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "COLUMNS"}
    code = "from predictor.render.layout import width; print(width())"
    subprocess.run([sys.executable, "-c", code], stdout=slave, check=True, env=environment)
    os.close(slave)
    assert os.read(master, 100).decode().strip() == "60"
    os.close(master)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert found.stdout.strip() == "120", "a pipe has no width"


@pytest.mark.parametrize("words", ["runs show runs/", "predict a.csv --no-probe --format json"])
def test_a_reader_that_goes_ends_it_quietly(words: str, manifest: Path) -> None:
    (manifest.parent / "runs").symlink_to(ROOT / "runs")
    found = shell(f"$P {words} 2>err | head -1; exit ${{PIPESTATUS[0]}}", manifest.parent)
    said = (manifest.parent / "err").read_text()
    assert found.returncode == 0 and found.stdout.count("\n") == 1
    assert all("at work" in line for line in said.splitlines()), said


@pytest.mark.parametrize("words", [["claims"], ["agreement"]])
def test_ctrl_c_in_the_middle_is_quiet(words: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "predictor", *words, str(ROOT / "runs")], env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == f"predictor {words[0]}: at work, 2 s\n"
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130 and not out
    assert all(not line or line == "aborted" or "at work" in line for line in said.splitlines()), said


def test_what_takes_long_says_so(monkeypatch) -> None:
    monkeypatch.setattr("predictor.waiting.AFTER", 0.05)
    monkeypatch.setattr("predictor.waiting.LINES", (0.05, 0.3))
    monkeypatch.setattr("predictor.waiting.TICK", 0.01)
    stream = io.StringIO()
    waiting = Waiting("predictor work", stream)
    waiting.start()
    with waiting.quiet():
        time.sleep(0.2)
    assert not stream.getvalue(), "something else shows how far the work is"
    until = time.monotonic() + 300  # ends as soon as it is there
    while stream.getvalue().count("\n") < 2 and time.monotonic() < until:
        time.sleep(0.01)
    waiting.stop()
    said = stream.getvalue()
    assert re.fullmatch(r"(predictor work: at work, \d s\n){2}", said), said
    time.sleep(0.1)
    assert stream.getvalue() == said, "it has stopped"


def test_a_line_on_a_terminal_goes_away(monkeypatch) -> None:
    monkeypatch.setattr("predictor.waiting.AFTER", 0.02)
    monkeypatch.setattr("predictor.waiting.TICK", 0.01)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    waiting = Waiting("predictor work", stream)
    waiting.start()
    until = time.monotonic() + 300  # ends as soon as it is there
    while "at work" not in stream.getvalue() and time.monotonic() < until:
        time.sleep(0.01)
    waiting.heard()
    assert "predictor work: at work" in stream.getvalue() and stream.getvalue().rstrip("\r").endswith("\x1b[K")
    waiting.stop()


def commands(group: click.Command, name: str) -> list[list[str]]:
    """The words of a command and of all below it."""
    found = [[name]]
    if isinstance(group, click.Group):
        context = click.Context(group)
        for own in group.list_commands(context):
            below = group.get_command(context, own)
            assert below is not None
            found += [[name, *words] for words in commands(below, own)]
    return found


@pytest.mark.parametrize("group", [predictor, trainer], ids=["predictor", "trainer"])
def test_help_texts_are_whole(group: click.Group) -> None:
    for words in commands(group, "x"):
        found = CliRunner().invoke(group, [*words[1:], "--help"], terminal_width=80)
        assert found.exit_code == 0, found.output
        cut = [line for line in found.output.splitlines() if line.endswith("...")]
        assert not [line for line in cut if not line.startswith("Usage") and "[" not in line], (words, cut)
        assert max(map(len, found.output.splitlines())) <= 80, words


def test_the_documented_completion_works(tmp_path: Path) -> None:
    text = (ROOT / "docs/output.md").read_text(encoding="utf-8")
    lines = re.findall(r"_PREDICTOR_COMPLETE=(\w+)_source predictor", text)
    assert set(lines) == {"bash", "zsh", "fish"}
    for name in lines:
        code = "from predictor.__main__ import main; import sys; sys.argv = ['predictor']; main()"
        found = subprocess.run(
            [sys.executable, "-c", code], env={**ENVIRONMENT, "_PREDICTOR_COMPLETE": f"{name}_source"},
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip
        assert found.returncode == 0 and "predictor" in found.stdout, found.stderr
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env={**ENVIRONMENT, "_PREDICTOR_COMPLETE": "bash_complete", "COMP_WORDS": "predictor pre", "COMP_CWORD": "1"},
    )  # fmt: skip
    assert found.stdout.splitlines() == ["plain,predict"]


def test_the_page_about_output_names_every_command() -> None:
    text = (ROOT / "docs/output.md").read_text(encoding="utf-8")
    table = text.split("## JSON")[1].split("## Exit codes")[0]
    for name in predictor.list_commands(click.Context(predictor)):
        command = predictor.get_command(click.Context(predictor), name)
        prints = isinstance(command, click.Group) or any(one.name == "form" for one in command.params)
        assert not prints or f"`{name}" in table, name


def test_json_has_the_names_of_the_page(manifest: Path) -> None:
    text = (ROOT / "docs/output.md").read_text(encoding="utf-8")
    for name, words in {
        "predict": ["a.csv", "--no-probe"],
        "curve": ["a.csv"],
        "advise": ["a.csv", "--budget", "5"],
    }.items():
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", text, re.MULTILINE)
        found = CliRunner().invoke(predictor, [name, str(manifest), *words[1:], "--format", "json"])
        assert found.exit_code == 0, found.output
        content = json.loads(found.stdout)
        names = re.sub(r"\([^)]*\)", "", row)
        assert {one for one in re.findall(r"`(\w+)`", names)} <= set(content), name


def test_exit_codes_are_those_of_the_page(manifest: Path) -> None:
    text = (ROOT / "docs/output.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == ["0", "1", "2", "3", "130"]
    folder = manifest.parent
    for name, n in (("labels", 2), ("main", 50)):
        (folder / f"{name}.csv").write_text("label,count\n" + "".join(f"{one},{n}\n" for one in CLASSES))
    block = text.split("continuous integration:")[1].split("```")[1].splitlines()[1:4]
    codes = []
    for line in block:
        command = line.partition("#")[0].strip().replace("predictor", "$P", 1)
        found = shell(command, folder, GITHUB_STEP_SUMMARY=str(folder / "summary.md"))
        codes.append(found.returncode)
        assert found.returncode == 0 or "fails: labels.csv" in found.stderr
    assert codes == [3, 3, 0]
    assert "### labels.csv" in (folder / "summary.md").read_text()
    assert shell(block[0].replace("predictor", "$P", 1).replace("0.5", "0.01"), folder).returncode == 0
    words = "$P predict main.csv --target-set cifar100/a --fail-if-worse labels.csv"
    told = shell(words, folder, PREDICTOR_QUIET="1")  # else a slow machine says that it is at work
    assert told.returncode == 0 and not told.stderr
    (folder / "large.csv").write_text("label,count\n" + "".join(f"{one},100000\n" for one in CLASSES))
    new = shell("$P predict large.csv --no-probe --fail-below 0.1", folder)
    assert new.returncode == 3 and "no level can be told" in new.stderr
    assert json.loads(shell("$P predict main.csv --no-probe --format json", folder).stdout)["schema_version"] == 1
