"""Studies: what is run, that a break is gone on from, and the table of the spread."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import study
from mmh.errors import InputError
from mmh.evaluation.runs.spread import collect, spread
from mmh.plan.study import read_study, variants

ROOT = Path(__file__).parents[2]
STUDY = """
about: Whether the seed matters.
run: [rings, discs]
vary: {seed: [0, 1], experiments.rings.data.seed: [5]}
collect:
  - {table: claims.csv, rows: [claim, statistic], numbers: [estimate, verdict]}
  - {table: evaluation.csv, of: [rings], rows: [estimator], numbers: [auc]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "seeds.yaml"
    path.write_text(STUDY)
    return path


def test_every_combination_is_an_overlay_of_the_configuration() -> None:
    found = variants({"seed": [0, 1], "experiments.rings.data.seed": [5, 6]}, ["rings"])
    assert [variant.label for variant in found] == [
        "seed=0, experiments.rings.data.seed=5",
        "seed=0, experiments.rings.data.seed=6",
        "seed=1, experiments.rings.data.seed=5",
        "seed=1, experiments.rings.data.seed=6",
    ]
    assert found[1].overlay == {
        "run": ["rings"],
        "seed": 0,
        "experiments": {"rings": {"data": {"seed": 6}}},
    }
    assert found[1].folder == "seed-0_experiments.rings.data.seed-6"
    (alone,) = variants({"experiments.rings.data.seed": [5]}, ["rings"])
    assert alone.label == "seed=5"


def test_a_value_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="the study has seed-1 twice"):
        variants({"seed": [1, 1]}, ["rings"])


def test_a_study_collects_from_those_that_make_the_table(file: Path) -> None:
    found = read_study(file)
    assert found.files == [
        "results/rings/claims.csv",
        "results/discs/claims.csv",
        "results/rings/evaluation.csv",
    ]
    assert found.only(["discs"]).files == ["results/discs/claims.csv"]
    with pytest.raises(InputError, match="the study has no cubes; it has rings, discs"):
        found.only(["cubes"])


def test_all_mistakes_of_a_study_are_named(file: Path) -> None:
    file.write_text("about: 3\nrun: []\nvary: {seed: [0]}\ncolect: []\n")
    with pytest.raises(InputError) as caught:
        read_study(file)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{file} is no study:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["about", "run", "collect", "colect"]
    with pytest.raises(InputError, match=r"elsewhere\.yaml: cannot be read"):
        read_study(file.with_name("elsewhere.yaml"))


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_studies_are_well_formed(path: Path) -> None:
    found = read_study(path)
    assert len(variants(found.vary, found.run)) >= 2


def write(folder: Path, rows: list[tuple[str, ...]], *columns: str) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=list(columns)).to_csv(folder, index=False)
    return folder


def test_numbers_are_collected_as_they_are_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [("1", "x", "0.50"), ("2", "y", "")], "claim", "what", "auc")
    assert collect(path, ["claim", "what"], ["auc"]) == {("1; x", "auc"): "0.50", ("2; y", "auc"): ""}
    with pytest.raises(InputError, match=r"a\.csv has no column tpr; it has claim, what, auc"):
        collect(path, ["claim"], ["tpr"])
    write(path, [("1", "x", "0.5"), ("1", "y", "1")], "claim", "what", "auc")
    with pytest.raises(InputError, match="claim name two rows '1'"):
        collect(path, ["claim"], ["auc"])


def test_the_spread_counts_what_is_there_and_leaves_words_alone() -> None:
    one, two, word = ("e", "t.csv", "r", "auc"), ("e", "t.csv", "s", "auc"), ("e", "t.csv", "r", "verdict")
    runs = {
        "seed=0": {one: "1", two: "", word: "holds"},
        "seed=1": {one: "2", two: "7", word: "fails"},
        "seed=2": {one: "6", word: "holds"},
    }
    table = spread(runs)
    assert table.to_numpy().tolist() == [
        ["e", "t.csv", "r", "auc", "1", "2", "6", "3", "2.64575", "1", "6"],
        ["e", "t.csv", "s", "auc", "", "7", "", "7", "", "7", "7"],
        ["e", "t.csv", "r", "verdict", "holds", "fails", "holds", "", "", "", ""],
    ]
    assert list(table.columns[4:]) == ["seed=0", "seed=1", "seed=2", "mean", "sd", "min", "max"]


def test_a_study_goes_on_where_it_broke_off_and_then_writes_its_table(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Snakemake is left out: what it is told is kept, and its files are written."""
    monkeypatch.chdir(tmp_path)
    ran, broken = [], {"seed-1_experiments.rings.data.seed-5"}

    def make(folder: Path, variant: study.Variant, files: list[str], cores: str) -> bool:
        ran.append(folder.name)
        seed = variant.overlay["seed"]
        for name in files:
            if name.endswith("claims.csv"):
                row = ("2", "AUC", f"{0.5 + seed}", "holds")
                write(folder / name, [row], "claim", "statistic", "estimate", "verdict")
            else:
                write(folder / name, [("flipd", f"{seed}")], "estimator", "auc")
        return folder.name not in broken

    monkeypatch.setattr(study, "run_variant", make)
    assert not study.run_study(file, [], None, "1")
    assert "not finished: seed=1, experiments.rings.data.seed=5; run it again" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*-20*.csv"))
    broken.clear()
    assert study.run_study(file, [], None, "1")
    assert ran == 2 * ["seed-0_experiments.rings.data.seed-5", "seed-1_experiments.rings.data.seed-5"]
    (path,) = (tmp_path / "docs" / "studies").glob("seeds-20??-??-??.csv")
    table = pd.read_csv(path)
    assert list(table["experiment"]) == ["rings", "rings", "discs", "discs", "rings"]
    assert list(table["mean"].dropna()) == [1.0, 1.0, 0.5]
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["about"] == "Whether the seed matters."
    assert record["variants"] == [f"seed={n}, experiments.rings.data.seed=5" for n in (0, 1)]
    assert record["processor"]
    assert "torch" in record["versions"]
    shutil.rmtree(tmp_path / "docs")
    assert study.run_study(file, ["discs"], 1, "1")
    (path,) = (tmp_path / "docs" / "studies").glob("seeds-discs-20??-??-??.csv")
    assert "seed=1, experiments.rings.data.seed=5" not in pd.read_csv(path).columns


def test_an_overlay_is_laid_over_the_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The real Snakemake: what a study misspells is refused by name, and nothing is run."""
    (variant,) = variants({"experiments.von-mises.data.seeed": [912]}, ["von-mises"])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "resources").symlink_to(tmp_path / "a checkout that is gone")
    assert not study.run_variant(tmp_path / "run", variant, ["results/von-mises/claims.csv"], "1")
    made = sorted(path.name for path in (tmp_path / "run").iterdir() if path.name != ".snakemake")
    assert made == ["overlay.yaml", "resources"]
    assert (tmp_path / "run" / "resources").resolve() == (ROOT / "resources").resolve()
    said = "".join(capfd.readouterr())
    assert "experiments.von-mises.data.seeed: unknown key (did you mean 'seed'?)" in said
