"""A SLURM of one node on this machine: its own keys, ports and folders; needs root and Debian's slurm-wlm and munge."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol")
CONFIG = """
ClusterName=made
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
JobRequeue=1
MaxArraySize=3
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=1000 State=UNKNOWN
PartitionName=small Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def possible() -> bool:
    """Whether this machine can start one."""
    return os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))


def slurm(*command: str) -> str:
    """What a command of SLURM prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start it and give the name of its node; SLURM_CONF says where it is to all that this process starts."""
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    names = {"host": host, "folder": folder, "ports": _free_ports(2), "cores": os.cpu_count()}
    (folder / "slurm.conf").write_text(CONFIG.format(**names))
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    started = []
    try:
        munge = [f"--{name}={folder}/munge.{name[:4]}" for name in ("pid-file", "log-file", "seed-file")]
        for program in (
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.sock", *munge],
            ["slurmctld", "-D"],
            ["slurmd", "-D"],
        ):
            log = (folder / f"{program[0]}.out").open("w")
            started.append(subprocess.Popen(program, stdout=log, stderr=log))
            time.sleep(1)
        for _ in range(60):
            if "idle" in subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout:
                break
            time.sleep(1)
        yield host
    finally:
        subprocess.run(["scancel", "--full", "--signal=KILL", "-u", "root"], capture_output=True)
        for process in reversed(started):
            process.terminate()
            process.wait(30)
        del os.environ["SLURM_CONF"]


def _free_ports(n: int) -> list[int]:
    held = [socket.socket() for _ in range(n)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
