"""Everything that must not lose a run, at full size: grids that are killed, starved, doubled and cheated.

    python benchmarks/faults.py [KILLS] [WRITERS] [RECORDS] [--only PART]...

Trains a small grid of digits once undisturbed, then again and again while workers and the scheduler are killed with
SIGKILL at random moments (KILLS, default 200), two schedulers run at once, the disk becomes full or read-only, records
are torn, workers hang or eat more memory than they may, a scheduler sleeps, /dev/shm takes nothing, clocks jump;
WRITERS (8) processes write RECORDS (1,000) each at once. Prints what was found; exit 1 where anything was lost. Linux
only; mounts need root.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

from dry import train_nothing

from predictor.errors import PredictorError
from predictor.grids import Grid, load_grid
from predictor.records import check, finished_ids, read_registry, write_record
from trainer.launch.job import Job

GRID = """
study: faults
protocol: 2
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  digits/a: {domain: digits, source: digits, classes: ["0", "1", "2"], flip: false}
model: {name: predictor_small, image_size: 8, head: 8}
recipe: {batch_size: 32, image_steps: 2000, learning_rate: 0.03, augmentation: none}
seeds: SEEDS
grid:
  - target_set: digits/a
    samples_per_class: [4, 8, 16, 32]
"""
WRITERS = "writers"
HUNG = 4  # workers that are stopped
PAGE = os.sysconf("SC_PAGE_SIZE")  # what a file system in memory gives out
PAUSE = 2.5  # seconds, at most, between two kills
LIMIT = float(os.environ.get("LIMIT", "3600"))  # seconds of killing, whatever number was asked for


def words(grid: Path, runs: Path, *options: str) -> list[object]:
    """The command that trains the grid with two workers."""
    command = [sys.executable, "-m", "trainer", "run", grid, "--runs", runs, "--workers", "2", "--threads", "1"]
    return [*command, *options]


def start(grid: Path, runs: Path, *options: str) -> subprocess.Popen[bytes]:
    """`trainer run` in a process group of its own."""
    return subprocess.Popen(words(grid, runs, *options), stderr=subprocess.PIPE, start_new_session=True)


def results(runs: Path) -> dict[str, object]:
    """What must not depend on what happened meanwhile."""
    return {r.run_id: (r.spec, r.data, r.outcomes, r.status) for r in read_registry(runs)}


def descendants(pid: int) -> list[int]:
    """Processes below one: the server that workers are forked from, and the workers."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


def killed(grid: Path, runs: Path, planned: Grid, kills: int) -> str:
    """SIGKILL a worker, the server of workers or the scheduler at random moments until the grid is done."""
    dice = random.Random(0)
    wanted = set(results_ids(planned))
    tally = {"workers": 0, "schedulers": 0, "restarts": 0}
    began, process = time.monotonic(), start(grid, runs, "--retry", "5")
    while tally["workers"] + tally["schedulers"] < kills and time.monotonic() - began < LIMIT:
        time.sleep(dice.uniform(0, PAUSE))
        if process.poll() is not None:
            process.communicate()
            if wanted <= finished_ids(runs / planned.study):
                for path in dice.sample(sorted((runs / planned.study).glob("*.json")), 4):
                    path.unlink()  # more to train, as if the grid were larger
            process, tally["restarts"] = start(grid, runs, "--retry", "5"), tally["restarts"] + 1
            continue
        if not list((runs / planned.study).glob("checkpoints/*.lease")):
            continue  # still starting
        if dice.random() < 0.7:
            try:
                os.kill(dice.choice(descendants(process.pid)), signal.SIGKILL)
                tally["workers"] += 1
            except (OSError, IndexError):
                continue
        else:
            process.kill()
            process.communicate()
            process, tally["restarts"] = start(grid, runs, "--retry", "5"), tally["restarts"] + 1
            tally["schedulers"] += 1
    process.communicate(timeout=600)
    while not wanted <= finished_ids(runs / planned.study):
        start(grid, runs, "--retry", "5").communicate(timeout=600)
    return f"{tally['workers']} workers (or their server) and {tally['schedulers']} schedulers killed"


def doubled(grid: Path, runs: Path, planned: Grid) -> str:
    """Two schedulers at once: every run is trained by one of them."""
    both = [start(grid, runs), start(grid, runs)]
    printed = [process.communicate(timeout=600)[1].decode() for process in both]
    trained = sum(text.count(" completed ") for text in printed)
    assert trained == len(planned.runs), f"{trained} trained, {len(planned.runs)} planned"
    return f"{trained} runs trained by two schedulers, none twice"


class Skipped(Exception):
    """A part that this machine does not allow."""


@contextmanager
def disk(runs: Path, options: str) -> Iterator[None]:
    """A file system in memory where the registry is; what it holds stays there afterwards, in a plain folder."""
    shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", runs], capture_output=True).returncode:
        raise Skipped("no file system can be mounted here")
    kept = runs.with_name(f"{runs.name}-kept")
    try:
        yield
        shutil.copytree(runs, kept)
    finally:
        subprocess.run(["umount", "-l", runs], check=True)
    runs.rmdir()
    kept.rename(runs)


def remount(runs: Path, options: str) -> None:
    """Change a mounted file system; none becomes read-only in the moment in which somebody writes."""
    for _ in range(1000):
        if not subprocess.run(["mount", "-o", f"remount,{options}", runs], capture_output=True).returncode:
            return
        time.sleep(0.005)
    raise AssertionError(f"{runs} cannot be mounted with {options}")


def refused(process: subprocess.Popen[bytes], reason: str) -> str:
    """The last line of a scheduler that must end by itself, with exit 2 and the reason."""
    printed = process.communicate(timeout=600)[1].decode()
    assert process.returncode == 2 and reason in printed and "Traceback" not in printed, printed[-500:]
    return printed.strip().splitlines()[-1]


def free_pages(runs: Path) -> int:
    """What is left of a disk for those who write."""
    return os.statvfs(runs).f_bavail


def full_disk(grid: Path, runs: Path, planned: Grid) -> str:
    """Disks of few pages fill up, sooner or later; with more room the same command ends the grid."""
    told = []
    for pages in (1, 2, 4, 8, 12):
        with disk(runs, f"size={pages * PAGE}"):
            refused(start(grid, runs), "No space left")
            before, free = len(finished_ids(runs / planned.study)), free_pages(runs)
            assert free <= 2 and not list(runs.rglob("*.tmp")), f"{free} of {pages} pages are free"
            told.append(f"{pages} pages full after {before} records ({free} free)")
            remount(runs, "size=50m")
            start(grid, runs).communicate(timeout=600)
            assert set(results_ids(planned)) <= finished_ids(runs / planned.study)
    return "; ".join(told)


def stopped_on_a_full_disk(grid: Path, runs: Path, planned: Grid) -> str:
    """Ctrl-C where no checkpoint finds room: the runs begin anew."""
    with disk(runs, "size=50m"):
        process = start(grid, runs)
        while not list(runs.rglob("*.json")) and process.poll() is None:
            time.sleep(0.01)
        with suppress(OSError), open(runs / "filling", "wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))
        free = free_pages(runs)
        os.kill(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=600)[1].decode()
        assert process.returncode in (2, 130) and "Traceback" not in printed, printed[-500:]
        before, kept = len(finished_ids(runs / planned.study)), len(list(runs.rglob("*.pt")))
        assert before < len(planned.runs), "it was done before it was stopped"
        (runs / "filling").unlink()
        start(grid, runs).communicate(timeout=600)
    return f"{free} pages free, exit {process.returncode}, {before} records, {kept} checkpoints"


def read_only(grid: Path, runs: Path, planned: Grid) -> str:
    """A registry that takes nothing, from the beginning or after a few records, is one message."""
    with disk(runs, "ro"):
        first = refused(start(grid, runs), "cannot be written (Read-only file system)")
        remount(runs, "rw,size=50m")
        process = start(grid, runs)
        while len(list(runs.rglob("*.json"))) < 3 and process.poll() is None:
            time.sleep(0.01)
        remount(runs, "ro")
        then = refused(process, "Read-only file system")
        before = len(finished_ids(runs / planned.study))
        assert 3 <= before < len(planned.runs), f"{before} records before it took nothing more"
        remount(runs, "rw")
        start(grid, runs).communicate(timeout=600)
    return f"at once: {first[:70]}; after {before} records: {then[:70]}"


def torn(grid: Path, runs: Path, planned: Grid) -> str:
    """Each record cut at a random byte is named by `runs check`; deleted, it is trained again."""
    start(grid, runs).communicate(timeout=600)
    dice = random.Random(1)
    victims = dice.sample(sorted((runs / planned.study).glob("*.json")), 4)
    for path in victims:
        content = path.read_bytes()
        path.write_bytes(content[: dice.randrange(len(content) - 1)])
    faults = check(runs)
    assert all(sum(str(path) in fault for fault in faults) == 1 for path in victims), faults
    for path in victims:
        path.unlink()
    start(grid, runs).communicate(timeout=600)
    return f"{len(victims)} torn records named"


def hung(grid: Path, runs: Path, planned: Grid) -> str:
    """Workers that stop in the middle of a run (SIGSTOP) are ended after --timeout; each leaves an attempt."""
    dice, stopped = random.Random(2), 0
    process = start(grid, runs, "--timeout", "3", "--retry", "5")
    while process.poll() is None and stopped < HUNG:
        time.sleep(dice.uniform(0.5, 1.5))
        if list((runs / planned.study).glob("checkpoints/*.lease")):
            try:
                os.kill(descendants(process.pid)[-1], signal.SIGSTOP)
                stopped += 1
            except (OSError, IndexError):
                continue
    process.communicate(timeout=600)
    while not set(results_ids(planned)) <= finished_ids(runs / planned.study):
        start(grid, runs, "--retry", "5").communicate(timeout=600)
    told = [path for path in (runs / planned.study / "attempts").glob("*.json") if "timeout" in path.read_text()]
    return f"{stopped} workers stopped in the middle, {len(told)} attempts tell of a time limit"


def asleep(grid: Path, runs: Path, planned: Grid) -> str:
    """A scheduler and its workers that sleep (SIGSTOP) while another one takes their runs over; then they wake up."""
    first = start(grid, runs)
    while first.poll() is None and not list(runs.rglob("*.lease")):
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGSTOP)
    before = len(finished_ids(runs / planned.study))
    second = start(grid, runs)
    printed = second.communicate(timeout=1800)[1].decode()
    assert second.returncode == 0 and set(results_ids(planned)) <= finished_ids(runs / planned.study), printed
    os.killpg(first.pid, signal.SIGCONT)
    printed = first.communicate(timeout=1800)[1].decode()
    assert first.returncode == 0 and "Traceback" not in printed, printed
    return f"{before} records when it fell asleep, {len(planned.runs)} by the other one; it woke up and ended"


def no_shared_memory(grid: Path, runs: Path, planned: Grid) -> str:
    """A machine whose /dev/shm takes nothing."""
    inside = 'mount -t tmpfs -o ro tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", inside, "sh", *words(grid, runs)]
    done = subprocess.run(command, capture_output=True, timeout=1800)
    if b"mount" in done.stderr or b"unshare" in done.stderr:
        raise Skipped("no file system can be mounted here")
    assert done.returncode == 0, done.stderr.decode()
    return "trained as with it"


def starved(grid: Path, runs: Path, planned: Grid) -> str:
    """Workers that take more memory than --memory-limit allows are ended; with room the same grid is trained."""
    process = start(grid, runs, "--memory-limit", "0.1", "--retry", "0")
    process.communicate(timeout=600)
    told = [path for path in (runs / planned.study / "attempts").glob("*.json") if "memory" in path.read_text()]
    assert told and not finished_ids(runs / planned.study), "no run fits 0.1 GB, and yet none was ended"
    start(grid, runs, "--retry", "5").communicate(timeout=600)
    return f"{len(told)} runs ended at 0.1 GB, all trained with more"


def jumping(grid: Path, runs: Path, planned: Grid) -> str:
    """Two schedulers while the time of every lease jumps by up to 30 years, as of machines whose clocks go wrong."""
    dice, jumps = random.Random(3), 0
    both = [start(grid, runs), start(grid, runs)]
    while any(process.poll() is None for process in both):
        for path in (runs / planned.study).glob("checkpoints/*.lease"):
            try:
                moment = time.time() + dice.uniform(-1e9, 1e9)
                os.utime(path, (moment, moment))
                jumps += 1
            except OSError:
                continue
        time.sleep(0.05)
    trained = sum(process.communicate()[1].decode().count(" completed ") for process in both)
    assert trained == len(planned.runs), f"{trained} trained, {len(planned.runs)} planned"
    return f"{jumps} jumps, {trained} runs trained by two schedulers, none twice"


def results_ids(planned: Grid) -> list[str]:
    """Ids of the planned runs."""
    return [run.spec.run_id for run in planned.runs]


def _write(folder: Path, number: int, count: int) -> None:
    grid = load_grid(folder / f"many-{number}.yaml")
    job = Job.of(grid, data_dir=folder, runs_dir=folder / "many", device="cpu", threads=1, commit="")
    for run in grid.runs[:count]:
        write_record(job.runs_dir, train_nothing(run, job, lambda *_: None))


def many_writers(folder: Path, writers: int, records: int) -> str:
    """Writers at once, each pair of neighbours half of the same runs: every record whole, none lost."""
    half = records // 8
    for number in range(writers):
        seeds = str(list(range(number * half, number * half + 2 * half)))
        (folder / f"many-{number}.yaml").write_text(GRID.replace("SEEDS", seeds).replace("faults", "many"))
    context = get_context("spawn")
    began = time.monotonic()
    processes = [context.Process(target=_write, args=(folder, number, records)) for number in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.monotonic() - began
    assert all(process.exitcode == 0 for process in processes)
    distinct = 4 * half * (writers + 1)
    found = len(finished_ids(folder / "many" / "many"))
    assert found == distinct and check(folder / "many") == [], found
    assert not list((folder / "many" / "many").glob(".*")), "temporary files stay"
    return f"{writers} x {8 * half} writes of {distinct} distinct records in {seconds:.0f} s, all whole"


def main() -> None:
    """Run everything; each part against the undisturbed registry."""
    parser = argparse.ArgumentParser()
    for name, default in (("kills", 200), ("writers", 8), ("records", 1000)):
        parser.add_argument(name, type=int, nargs="?", default=default)
    parser.add_argument("--only", action="append", metavar="PART", help="such as 'full disk'; again for another one")
    asked = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        grid = folder / "grid.yaml"
        grid.write_text(GRID.replace("SEEDS", "[0, 1, 2]"))
        planned = load_grid(grid)
        start(grid, folder / "calm").communicate(timeout=600)
        wanted = results(folder / "calm")
        assert len(wanted) == len(planned.runs)
        parts: dict[str, Callable[[Path], str]] = {
            "kill -9": lambda runs: killed(grid, runs, planned, asked.kills),
            "two schedulers": lambda runs: doubled(grid, runs, planned),
            "full disk": lambda runs: full_disk(grid, runs, planned),
            "Ctrl-C, full disk": lambda runs: stopped_on_a_full_disk(grid, runs, planned),
            "read-only": lambda runs: read_only(grid, runs, planned),
            "torn records": lambda runs: torn(grid, runs, planned),
            "hanging workers": lambda runs: hung(grid, runs, planned),
            "sleeping scheduler": lambda runs: asleep(grid, runs, planned),
            "no /dev/shm": lambda runs: no_shared_memory(grid, runs, planned),
            "memory eaters": lambda runs: starved(grid, runs, planned),
            "jumping clocks": lambda runs: jumping(grid, runs, planned),
        }
        if unknown := set(asked.only or ()) - parts.keys() - {WRITERS}:
            parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join([*parts, WRITERS])}")
        for name, work in parts.items():
            if asked.only and name not in asked.only:
                continue
            runs, began = folder / name.replace(" ", "-").replace("/", ""), time.monotonic()
            try:
                told = work(runs)
                assert results(runs) == wanted, "the registry differs from the undisturbed one"
                assert check(runs) == [] and not list(runs.rglob("*.lease")), "the registry is not clean"
            except Skipped as error:
                told = f"skipped: {error}"
            except (AssertionError, PredictorError) as error:
                told, failed = f"FAILED: {error}", True
            print(f"{name:20}{told}   ({time.monotonic() - began:.0f} s)", flush=True)
        if not asked.only or WRITERS in asked.only:
            print(f"{WRITERS:20}{many_writers(folder, asked.writers, asked.records)}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
