"""How the command lines begin and end: streams that are closed or full, Ctrl-C at any moment, hostile text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell; `$P` is predictor."""
    environment = {**os.environ, "P": f"{sys.executable} -m predictor", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(["bash", "-c", text], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)


@needs_full
def test_a_full_stdout_is_an_error(tmp_path: Path):
    found = shell("$P indicators --list > /dev/full", tmp_path)
    assert found.returncode == 2
    assert found.stderr.strip() == (
        "error: standard output: cannot be written (No space left on device). free space, or send it elsewhere: > FILE"
    )


def test_a_closed_stdout_is_an_error(tmp_path: Path):
    found = shell("$P indicators --list >&-", tmp_path)
    assert found.returncode == 2
    assert found.stderr.strip() == ("error: standard output: is closed. leave it open, or send it into a file: > FILE")


def test_a_closed_stdin_is_an_empty_one(tmp_path: Path):
    found = shell("$P indicators - <&-", tmp_path)
    assert found.returncode == 2 and "standard input" in found.stderr and "empty" in found.stderr


def test_a_closed_stderr_harms_nothing(tmp_path: Path):
    assert shell("$P indicators --list 2>&-", tmp_path).returncode == 0
    assert shell("$P indicators no.csv 2>&-", tmp_path).returncode == 2


def test_a_reader_that_goes_is_no_error(tmp_path: Path):
    found = shell("$P indicators --list | head -1; exit ${PIPESTATUS[0]}", tmp_path)
    assert found.returncode == 0 and not found.stderr


@pytest.mark.parametrize("command", ["predictor", "trainer"])
def test_a_reader_that_is_gone_before_the_first_line_is_no_error(tmp_path: Path, command: str):
    """Where click itself finds the broken pipe and ends with 1."""
    read, write = os.pipe()
    os.close(read)
    words = ["indicators", "--list"] if command == "predictor" else ["--help"]
    done = subprocess.run([sys.executable, "-m", command, *words], stdout=write, stderr=subprocess.PIPE, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    os.close(write)
    assert done.returncode == 0 and not done.stderr


def test_a_terminal_that_knows_ascii_alone(tmp_path: Path):
    (tmp_path / "a.csv").write_text("label,count\n猫,3\ndog,2\n", encoding="utf-8")
    found = shell("PYTHONIOENCODING=ascii $P predict a.csv", tmp_path)
    assert found.returncode == 0 and "\\u732b" in found.stdout


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_labels_forge_nothing(tmp_path: Path, form: str):
    nasty = "x\x1b[2J\r\nfake   99 %\u202e\x9b"
    (tmp_path / "a.csv").write_text(f'label,count\nbear,180\n"{nasty}",2\n', encoding="utf-8", newline="")
    found = shell(f"$P predict a.csv --classes --format {form}", tmp_path)
    assert found.returncode == 0, found.stderr
    assert not any(character in found.stdout for character in "\x1b\r\u202e\x9b")
    assert not any(line.startswith("fake") for line in found.stdout.splitlines())
    if form == "json":
        classes = json.loads(found.stdout)["predictions"][0]["classes"]
        assert nasty in [one["class"] if "class" in one else one["name"] for own in classes for one in own["worst"]]
    else:
        assert "\\x1b[2J" in found.stdout


def test_refusals_of_the_system_are_faults_of_the_input(tmp_path: Path):
    found = shell("$P fit " + "x" * 300, tmp_path)
    assert found.returncode == 2 and "File name too long" in found.stderr and "Traceback" not in found.stderr


INTERRUPTED = """
import os, signal, sys
left, sys.argv = int(sys.argv[1]), ["predictor", *sys.argv[2:]]
def hook(event, arguments):
    global left
    if event == "import" and (left := left - 1) == 0:
        os.kill(os.getpid(), signal.SIGINT)
from predictor.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(hook)
main()
"""


@pytest.mark.parametrize("at", [1, 2, 5, 20, 50, 100, 150, 200, 250, 300, 400, 500])
def test_ctrl_c_is_quiet_at_every_import(at: int, tmp_path: Path):
    (tmp_path / "a.csv").write_text("label,count\ncat,3\ndog,2\n")
    found = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(at), "predict", "a.csv"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert found.returncode == 130 or (at > 250 and found.returncode == 0), (at, found)
    assert "Traceback" not in found.stderr and not (found.returncode and found.stdout)


@pytest.mark.parametrize("swallow", ["except BaseException: pass", "finally: return"])
def test_ctrl_c_that_is_swallowed_still_ends_with_130(swallow: str, tmp_path: Path):
    code = f"""
import click, os, signal
from predictor.entry import run
def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10): pass
    {swallow}
@click.command()
def command():
    work()
run(command, "x")
"""
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert found.returncode == 130, found
