"""Run studies: each variant in a working folder of its own, then one dated table of all of them.

Usage: python workflow/tools/study.py [--cores N] [--experiments A,B] [--first N] STUDY.yaml [...]

A variant lies in runs/<study>/<variant>/, with its own results, logs and overlay.yaml, what is laid over
config.yaml. What is finished there is not computed again, so after a break run it again. The table is written
to docs/studies/ when all variants are finished.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import yaml

from mmh.errors import InputError
from mmh.io.files import atomic, write_json
from mmh.io.table_files import write_csv
from mmh.plan.study import Study, Variant, read_study, variants
from mmh.provenance import processor, versions

ROOT = Path(__file__).parents[2]
RUNS = Path("runs")
TABLES = Path("docs/studies")
CONFIGS = (str(ROOT / "config.yaml"),)


def command(
    folder: Path,
    files: Iterable[str],
    cores: str,
    configs: Iterable[str] = CONFIGS,
    options: Iterable[str] = (),
) -> list[str]:
    """Compose the command that makes files of a variant in its folder.

    Parameters
    ----------
    folder : Path
    files : iterable of str
    cores : str
        Empty: what a profile says.
    configs : iterable of str
        Files of the configuration that the variant's overlay is laid over.
    options : iterable of str
        More options of Snakemake.

    Returns
    -------
    list of str
    """
    given = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    given += [*(["--cores", cores] if cores else []), *options]
    laid = [*(str(Path(file).resolve()) for file in configs), str((folder / "overlay.yaml").resolve())]
    return [sys.executable, "-m", "snakemake", *files, *given, "--configfile", *laid]


def run_variant(
    folder: Path,
    variant: Variant,
    files: list[str],
    cores: str,
    configs: Iterable[str] = CONFIGS,
    options: Iterable[str] = (),
) -> bool:
    """Run a variant, or what of it is not finished.

    Parameters
    ----------
    folder : Path
    variant : Variant
    files : list of str
    cores : str
    configs, options
        As for `command`.

    Returns
    -------
    bool
        Whether all files are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(variant.overlay, sort_keys=False)
    overlay = folder / "overlay.yaml"
    if not overlay.is_file() or overlay.read_text(encoding="utf-8") != text:
        with atomic(overlay) as partial:
            partial.write_text(text, encoding="utf-8")
    resources = folder / "resources"
    if not resources.is_dir():  # what is fetched, or put there by a person, is the same for all
        resources.unlink(missing_ok=True)  # of a checkout that is gone
        resources.symlink_to(ROOT / "resources", target_is_directory=True)
    done = subprocess.run(command(folder, files, cores, configs, options), cwd=ROOT, check=False)
    return done.returncode == 0


def machine() -> dict[str, Any]:
    """What numbers depend on besides the code: the processor, and versions of packages."""
    told = dict(line.split(":", 1) for line in processor())
    names = [value.strip() for key, value in told.items() if key.strip() in ("model name", "CPU part")]
    return {"processor": names, "processors": os.cpu_count(), "versions": versions()}


def write_result(name: str, study: Study, folders: dict[str, Path]) -> Path:
    """Write the dated table of a study, and beside it what it asks and what it was made with.

    Parameters
    ----------
    name : str
        Of the study.
    study : Study
    folders : dict of str to Path
        Folders of its variants by their labels.

    Returns
    -------
    Path
        Of the table.
    """
    from mmh.evaluation.runs.spread import collect, spread

    runs: dict[str, dict[tuple[str, ...], str]] = {}
    for label, folder in folders.items():
        runs[label] = {}
        for part in study.collect:
            for experiment in part.of or study.run:
                found = collect(folder / "results" / experiment / part.table, part.rows, part.numbers)
                runs[label] |= {(experiment, part.table, *key): value for key, value in found.items()}
    TABLES.mkdir(parents=True, exist_ok=True)
    path = TABLES / f"{name}-{time.strftime('%Y-%m-%d')}.csv"
    write_csv(spread(runs), path)
    asked = {**study.model_dump(mode="json"), "variants": list(folders)}
    write_json(path.with_suffix(".json"), {**asked, **machine()})
    return path


def run_study(path: Path, experiments: list[str], first: int | None, cores: str) -> bool:
    """Run all variants of a study, one after the other; True if its table was written."""
    study, name = read_study(path), path.stem
    if experiments:
        study, name = study.only(experiments), "-".join([name, *experiments])
    chosen = variants(study.vary, study.run)[:first]
    folders = {variant.label: RUNS / name / variant.folder for variant in chosen}
    unfinished = []
    for place, variant in enumerate(chosen, 1):
        print(f"{name}: {variant.label} ({place} of {len(chosen)})", flush=True)
        if not run_variant(folders[variant.label], variant, study.files, cores):
            unfinished.append(variant.label)
    if unfinished:
        print(f"error: {name}: not finished: {'; '.join(unfinished)}; run it again", file=sys.stderr)
        return False
    print(f"{name}: {write_result(name, study, folders)}")
    return True


def main() -> int:
    """Run the studies that the command names; exit status 1 if one of them is not finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--cores", default="all", help="of Snakemake; default: all")
    parser.add_argument("--experiments", default="", help="only these of a study, separated by commas")
    parser.add_argument("--first", type=int, help="only the first so many variants")
    parser.add_argument("studies", nargs="+", type=Path, help="files under studies/")
    given = parser.parse_args()
    experiments = [name for name in given.experiments.split(",") if name]
    try:
        finished = [run_study(path, experiments, given.first, given.cores) for path in given.studies]
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if all(finished) else 1


if __name__ == "__main__":
    sys.exit(main())
