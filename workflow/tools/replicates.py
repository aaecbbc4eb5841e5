"""Train experiments several times, with other root seeds on the same data, and compare their numbers.

Usage: python workflow/tools/replicates.py [--cores N] [--profile P] [--at-once N] [--configfile FILE ...]
       [--experiments A,B] [--first N] [--reuse] [--collect]

Every experiment with the key `replicates` is trained, sampled and scored with each seed under it, by the
same rules. A seed lies in runs/replicates/seed-<seed>/, with its own results, logs and overlay.yaml, which
is laid over the configuration. What is finished there is not computed again, so after a break run it again.
After each seed, results/<experiment>/trainings.csv is written anew from all that are finished; of the
shipped configuration also a dated table of all experiments under docs/studies/, which keeps the rows that the
newest table has of experiments that are not trained here.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import study
from mmh.config.check import check_config
from mmh.config.files import ConfigFiles
from mmh.errors import InputError
from mmh.io.files import write_json
from mmh.io.table_files import write_csv
from mmh.plan.replicates import experiments_by_seed, tables, training
from mmh.plan.study import Variant

if TYPE_CHECKING:
    import pandas as pd

FOLDER = study.RUNS / "replicates"
KEPT = ("results", ".snakemake/metadata")
"""What --reuse copies: results with what Snakemake noted of them, which sees itself what to make anew."""


def reuse(folder: Path) -> None:
    """Begin a seed with what the run of this seed in the working folder has finished.

    Parameters
    ----------
    folder : Path
        Of the seed; one that exists is left alone.
    """
    if folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in KEPT:
        if Path(name).is_dir():  # with times of files, by which Snakemake judges what is older than what
            shutil.copytree(name, partial / name, copy_function=shutil.copy2)
    if not partial.exists():
        return
    partial.rename(folder)
    print(f"{folder}: begun with what is finished under results/", flush=True)


def finished(config: dict[str, Any], found: dict[int, list[str]], name: str) -> dict[int, Path]:
    """Results of an experiment by the seeds whose folders have all of its tables."""
    there = {}
    for seed in (seed for seed, names in found.items() if name in names):
        folder = FOLDER / Variant(f"seed={seed}", {}).folder
        if all((folder / file).is_file() for file in tables(config, name)):
            there[seed] = folder / "results" / name
    return there


def collect(config: dict[str, Any], found: dict[int, list[str]], dated: Path | None) -> None:
    """Write the tables of what is finished, of experiments with two trainings or more.

    Parameters
    ----------
    config : mapping
    found : dict of int to list of str
        Experiments by seed.
    dated : Path, optional
        The table of all experiments, if there is to be one.
    """
    import pandas as pd

    from mmh.evaluation.runs.trainings import FILE, trainings_table

    parts, trained = {}, {}
    for name in dict.fromkeys(name for names in found.values() for name in names):
        there = finished(config, found, name)
        asked = sum(name in names for names in found.values())
        print(f"{name}: {len(there)} of {asked} trainings are finished", flush=True)
        if len(there) >= 2:
            parts[name], trained[name] = trainings_table(there), list(there)
            path = Path("results", name, FILE)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_csv(parts[name], path, digits=6)
    if dated and parts:
        dated.parent.mkdir(parents=True, exist_ok=True)
        before, seeds, kept = kept_of(dated.parent, parts)
        rows = pd.concat([part.assign(experiment=name) for name, part in parts.items()])
        written = rows[["experiment", *rows.columns[:-1]]].to_csv(index=False, float_format="%.6g")
        table = pd.concat([pd.read_csv(StringIO(written), dtype=str, keep_default_na=False), before])
        order = {name: place for place, name in enumerate(config["experiments"])}
        table = table.sort_values("experiment", key=lambda names: names.map(order), kind="stable")
        write_csv(table, dated)
        about = "How much numbers vary within and between trainings, on the same data."
        said = {"about": about, "seeds": trained | seeds, "kept": kept}
        write_json(dated.with_suffix(".json"), {**said, **study.machine()})
        print(f"table: {dated}", flush=True)


def kept_of(
    folder: Path, new: Iterable[str]
) -> tuple["pd.DataFrame | None", dict[str, list[int]], dict[str, str]]:
    """Read what the newest table says of experiments that are not trained here.

    Parameters
    ----------
    folder : Path
        Of the dated tables.
    new : iterable of str
        Experiments whose rows are written anew.

    Returns
    -------
    rows : DataFrame or None
        Of the other experiments; None where there is no table.
    seeds : dict of str to list of int
        By experiment.
    kept : dict of str to str
        The table in which each was first written.
    """
    import pandas as pd

    tables = sorted(folder.glob("replicates-[0-9]*.csv"))
    if not tables:
        return None, {}, {}
    rows = pd.read_csv(tables[-1], dtype=str, keep_default_na=False)
    rows = rows[~rows["experiment"].isin(list(new))]
    said = json.loads(tables[-1].with_suffix(".json").read_text(encoding="utf-8"))
    names = list(dict.fromkeys(rows["experiment"]))
    first = said.get("kept", {})
    return (
        rows,
        {name: said["seeds"][name] for name in names},
        {name: first.get(name, tables[-1].name) for name in names},
    )


def run(
    config: dict[str, Any],
    found: dict[int, list[str]],
    *,
    cores: str,
    at_once: int = 1,
    configs: Sequence[str] = study.CONFIGS,
    options: Iterable[str] = (),
    dated: Path | None = None,
    reused: bool = False,
) -> bool:
    """Train with every seed, and write the tables after each.

    Parameters
    ----------
    config : mapping
        The checked configuration.
    found : dict of int to list of str
        Experiments by seed.
    cores : str
        Of Snakemake; of each seed, if several run at once.
    at_once : int
        Seeds that run side by side, for clusters.
    configs, options
        As for `study.command`.
    dated : Path, optional
        As for `collect`.
    reused : bool
        Whether the seed of the configuration itself begins with what is finished under results/.

    Returns
    -------
    bool
        Whether all are finished.
    """

    def train(seed: int) -> tuple[int, bool]:
        variant = training(config, seed, found[seed], study.ROOT)
        folder, files = (
            FOLDER / variant.folder,
            [file for name in found[seed] for file in tables(config, name)],
        )
        if reused and seed == config["seed"]:
            reuse(folder)
        return seed, study.run_variant(folder, variant, files, cores, configs, options)

    unfinished = []
    with ThreadPoolExecutor(max(at_once, 1)) as pool:
        for seed, done in pool.map(train, found):
            unfinished += [] if done else [seed]
            print(f"seed {seed}: {'finished' if done else 'not finished'}", flush=True)
            collect(config, found, dated)
    if unfinished:
        seeds = ", ".join(map(str, unfinished))
        print(f"error: not finished: seeds {seeds}; run it again", file=sys.stderr)
    return not unfinished


def main() -> int:
    """Train what the command names; exit status 1 if some of it is not finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--cores", default="all", help="of Snakemake; default: all, or what a profile says")
    parser.add_argument("--profile", default="", help="of Snakemake, such as profiles/slurm")
    parser.add_argument("--at-once", type=int, default=1, help="seeds side by side, for clusters; default: 1")
    parser.add_argument("--configfile", nargs="+", default=[], help="as snakemake's: config.yaml mine.yaml")
    parser.add_argument("--experiments", default="", help="only these, separated by commas")
    parser.add_argument("--first", type=int, help="only the first so many seeds")
    parser.add_argument("--reuse", action="store_true", help="take over finished results of the same seed")
    parser.add_argument("--collect", action="store_true", help="run nothing: tables of what is finished")
    given = parser.parse_args()
    only = [name for name in given.experiments.split(",") if name]
    # Only the shipped configuration has its numbers under docs/; those of others stay under results/.
    dated = study.TABLES / f"replicates-{time.strftime('%Y-%m-%d')}.csv"
    try:
        words = ["--configfile", *given.configfile] if given.configfile else []
        files = ConfigFiles.of_options(Path("config.yaml"), words)
        config = check_config(files.merged(), files)
        found = experiments_by_seed(config, only)
        found = {seed: found[seed] for seed in list(found)[: given.first]}
        published = None if given.configfile or only else dated
        if given.collect:
            collect(config, found, published)
            return 0
        options = ["--profile", given.profile] if given.profile else []
        cores = "" if given.profile and given.cores == "all" else given.cores  # all: those of this machine
        done = run(
            config,
            found,
            cores=cores,
            at_once=given.at_once,
            configs=given.configfile or study.CONFIGS,
            options=options,
            dated=published,
            reused=given.reuse,
        )
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
