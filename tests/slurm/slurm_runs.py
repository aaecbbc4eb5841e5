"""Run the real Snakefile over the test cluster, with the shipped profile and a small overlay."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from cluster import Cluster

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Times differ from run to run; a TorchScript file lists attributes in the order of a hash.
NOT_COMPARED = ("runtime.csv", "run_records.csv", "digits-sscd.pt")


def profile(folder: Path, **changes: Any) -> Path:
    """Write ``profiles/slurm`` with the overlay and ``changes`` on top; returns its folder."""
    settings = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
    for layer in (yaml.safe_load((HERE / "overlay.yaml").read_text()), changes):
        _merge(settings, layer)
    folder.mkdir(parents=True)
    (folder / "profile.yaml").write_text(yaml.safe_dump(settings))
    return folder


def _merge(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict):
            settings[key] = dict(settings.get(key, {}))
            _merge(settings[key], value)
        else:
            settings[key] = value


class Driver:
    """One ``snakemake`` that sends jobs to the cluster; its output goes to ``<folder>/driver-<n>.log``.

    ``path`` comes first on its PATH.
    """

    def __init__(
        self, cluster: Cluster, folder: Path, profile: Path, *arguments: str, path: Path | None = None
    ) -> None:
        self.log = folder / f"driver-{len(list(folder.glob('driver-*.log')))}.log"
        # A shell that runs the tests in the background has told its children to ignore Ctrl-C.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "snakemake"]
        command += ["--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(folder), "--profile", str(profile), *arguments]
        environment = os.environ | cluster.environment | {"PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PYTHONPATH", None)
        if path is not None:
            environment["PATH"] = f"{path}:{environment['PATH']}"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def wait(self, seconds: float, status: int = 0) -> str:
        """Wait for the end and compare the exit status; a driver that hangs is stopped and fails the test."""
        try:
            returned: int | str = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            returned = f"nothing within {seconds:.0f} s"
        text = self.text()
        assert returned == status, f"snakemake returned {returned}, not {status}:\n{text[-6000:]}"
        return text

    def stop(self) -> None:
        """End it by all means."""
        for signum in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(signum)
                try:
                    self.process.wait(60)
                except subprocess.TimeoutExpired:
                    continue

    def text(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")


def results(folder: Path) -> dict[str, bytes]:
    """Every result whose bytes must repeat, by its name below ``folder``."""
    files = [path for path in sorted((folder / "results").rglob("*")) if path.is_file()]
    kept = [path for path in files if path.name not in NOT_COMPARED and not _is_run_record(path)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def _is_run_record(path: Path) -> bool:
    """The JSON that a job writes beside its first output."""
    return path.suffix == ".json" and path.with_suffix("").exists()


def differing(first: Path, second: Path) -> set[str]:
    """Names of results that only one of two runs has, or whose bytes differ."""
    left, right = results(first), results(second)
    return {name for name in left | right if left.get(name) != right.get(name)}


def left_behind(folder: Path) -> list[str]:
    """Hidden files and folders in the results: temporary names and owners of jobs that did not end well."""
    found = [path for path in (folder / "results").rglob(".*")]
    return sorted(
        path.relative_to(folder).as_posix() for path in found if path.name != ".snakemake_timestamp"
    )
