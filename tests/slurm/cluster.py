"""A real SLURM of one node on this machine: munged, slurmctld, slurmd and two fake GPUs, all inside one folder.

Usage: python tests/slurm/cluster.py up FOLDER      starts it and prints what a shell needs: eval "$(... up FOLDER)"
       python tests/slurm/cluster.py down FOLDER    ends it and every job of it
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
PATIENCE = 20.0  # seconds until a daemon that does not answer counts as broken
NODE_CPUS, NODE_MEMORY = 8, 16000  # fiction: a job may ask for them, the machine need not have them

# cons_tres makes memory something that jobs share; linuxproc and jobacct_gather enforce its limits without cgroups.
# MinJobAge keeps ended jobs visible to squeue, as there is no accounting.
SLURM_CONF = """\
ClusterName=mini
SlurmctldHost=localhost({address})
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/run/slurmctld.own
SlurmdPidFile={folder}/run/slurmd.own
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2
ReturnToService=2
JobRequeue=0
MinJobAge=3600
KillWait=10
SlurmctldTimeout=30
SlurmdTimeout=20
MessageTimeout=10
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=localhost NodeAddr={address} CPUs={cpus} RealMemory={memory} Gres=gpu:fake:2 State=UNKNOWN
PartitionName=cpu Nodes=localhost Default=YES MaxTime=1440 DefMemPerCPU=500 State=UP
PartitionName=gpu Nodes=localhost MaxTime=1440 DefMemPerCPU=500 State=UP
"""
# Any character device passes for a GPU.
GRES_CONF = "AutoDetect=off\nName=gpu Type=fake File=/dev/null\nName=gpu Type=fake File=/dev/zero\n"
# The step inside a job loses SLURM_CONF on its way to srun; this one brings it back.
SRUN = '#!/bin/sh\nSLURM_CONF={folder}/etc/slurm.conf exec {srun} "$@"\n'


def missing_programs() -> list[str]:
    """Programs of SLURM that this machine does not have."""
    return [name for name in PROGRAMS if _program(name) is None]


class Cluster:
    """One cluster in one folder; ``up`` and ``down`` may be called from different processes.

    Parameters
    ----------
    folder : Path
        Made by ``up``; its path must be short, as a socket's name has at most 108 characters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._children: list[subprocess.Popen[bytes]] = []  # so that ended daemons are reaped

    @property
    def environment(self) -> dict[str, str]:
        """Variables that snakemake and the SLURM commands need."""
        return {
            "SLURM_CONF": f"{self.folder}/etc/slurm.conf",
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        }

    def up(self) -> None:
        """Write the configuration and start the three daemons; returns when the node is idle."""
        for name in ("etc", "bin", "munge", "ctld", "slurmd", "log", "run"):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        private = self.folder / "private"
        private.mkdir(mode=0o700)
        key = private / "munge.key"
        key.touch(mode=0o400)
        key.chmod(0o600)
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._write_configuration()
        try:
            self.start("munged")
            self.start("slurmctld")
            self.start("slurmd")
        except BaseException:
            self.down()
            raise

    def _write_configuration(self) -> None:
        values = {
            "address": socket.gethostbyname(socket.gethostname()),
            "folder": self.folder,
            "user": getpass.getuser(),
            "ports": _free_ports(2),
            "cpus": NODE_CPUS,
            "memory": NODE_MEMORY,
            "srun": shutil.which("srun"),
        }
        (self.folder / "etc/slurm.conf").write_text(SLURM_CONF.format(**values))
        (self.folder / "etc/gres.conf").write_text(GRES_CONF)
        wrapper = self.folder / "bin/srun"
        wrapper.write_text(SRUN.format(**values))
        wrapper.chmod(0o755)

    def start(self, name: str) -> None:
        """Start one daemon and wait until it answers."""
        slurm_conf, private = self.folder / "etc/slurm.conf", self.folder / "private"
        munge = [f"--key-file={private}/munge.key", f"--log-file={private}/munged.log", "-F"]
        munge += [f"--socket={self.folder}/munge/munge.socket", f"--seed-file={private}/munged.seed"]
        munge += [f"--pid-file={self.folder}/run/munged.own"]
        arguments = munge if name == "munged" else ["-D", "-f", str(slurm_conf)]
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            child = subprocess.Popen(
                [str(_program(name)), *arguments],
                env=os.environ | self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._children.append(child)
        (self.folder / "run" / f"{name}.pid").write_text(str(child.pid))
        answers: dict[str, Callable[[], bool]] = {
            "munged": lambda: (self.folder / "munge/munge.socket").exists(),
            "slurmctld": lambda: "is UP" in self.run("scontrol", "ping", check=False),
            "slurmd": lambda: self.node_state() in {"idle", "mixed", "allocated"},
        }
        if not wait_for(answers[name], PATIENCE):
            log = self.folder / "log" / f"{name}.log"
            tail = log.read_text(errors="replace")[-2000:] if log.is_file() else ""
            raise RuntimeError(f"{name} does not answer after {PATIENCE:.0f} s\n{tail}")

    def pid(self, name: str) -> int:
        """Process id of a daemon."""
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def kill(self, name: str, signum: int = signal.SIGKILL) -> None:
        """Send a signal to one daemon, SIGKILL by default, and wait until it has ended."""
        pid = self.pid(name)
        if _alive(pid):
            os.kill(pid, signum)
        if not wait_for(lambda: not _alive(pid), 10):
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not _alive(pid), 10)

    def down(self) -> None:
        """Cancel every job, end the daemons, and end what jobs left."""
        started = [
            name
            for name in ("slurmd", "slurmctld", "munged")
            if (self.folder / "run" / f"{name}.pid").is_file()
        ]
        if "slurmctld" in started and _alive(self.pid("slurmctld")):
            self.run("scancel", "--user", getpass.getuser(), check=False)
            wait_for(lambda: not self.run("squeue", "--noheader", check=False).strip(), 10)
        for name in started:
            self.kill(name, signal.SIGTERM)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.processes(), 5)

    def processes(self) -> list[int]:
        """Live processes of this cluster: daemons, steps and jobs, known by SLURM_CONF in their environment."""
        mark = f"SLURM_CONF={self.folder}/etc/slurm.conf".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                marked = mark in (process / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended, or belongs to somebody else
                continue
            if marked and int(process.name) != os.getpid() and _alive(int(process.name)):
                found.append(int(process.name))
        return found

    def run(self, *command: str, check: bool = True) -> str:
        """Standard output of a SLURM command."""
        done = subprocess.run(
            command,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def node_state(self) -> str:
        """``idle``, ``mixed``, ``down*``, ... as sinfo has it."""
        return self.run("sinfo", "--noheader", "--partition", "cpu", "--format", "%T", check=False).strip()

    def jobs(self, states: str = "all") -> list[dict[str, str]]:
        """Jobs that slurmctld remembers: id, state, rule (from the comment), name, requested memory and time."""
        keys = ("id", "state", "comment", "name", "memory", "limit", "partition", "folder")
        text = self.run("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%k|%j|%m|%l|%P|%Z")
        return [dict(zip(keys, line.split("|"), strict=True)) for line in text.splitlines()]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until ``condition()`` holds; tells whether it did in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _program(name: str) -> str | None:
    """Daemons live in sbin, which an ordinary user's PATH may lack."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin:/usr/local/sbin")


def _alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main() -> int:
    """Bring a cluster up or down from a shell."""
    usage = "usage: python tests/slurm/cluster.py {up,down} FOLDER"
    if len(sys.argv) != 3 or sys.argv[1] not in {"up", "down"}:
        print(usage, file=sys.stderr)
        return 2
    cluster = Cluster(Path(sys.argv[2]))
    if sys.argv[1] == "down":
        cluster.down()
        shutil.rmtree(cluster.folder, ignore_errors=True)
        return 0
    if missing := missing_programs():
        print(
            f"error: {', '.join(missing)} not installed; on Debian: apt-get install -y --no-install-recommends "
            "slurmctld slurmd munge slurm-client",
            file=sys.stderr,
        )
        return 1
    if cluster.folder.exists():
        print(f"error: {cluster.folder} exists; bring it down first, or name another folder", file=sys.stderr)
        return 1
    cluster.up()
    print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']} PATH={cluster.folder}/bin:$PATH")
    return 0


if __name__ == "__main__":
    sys.exit(main())
