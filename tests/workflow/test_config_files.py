"""The YAML files of a configuration: syntax, keys written twice, several files, and which one a mistake is in."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmh.config.check import check_config
from mmh.config.files import ConfigFiles, read_yaml
from mmh.errors import InputError
from workflow_runs import ROOT, TINY, snakemake

SYNTAX = {
    "a colon too many": ("seed: 0\nthreads: 1: 2\n", 2, 11, "mapping values are not allowed"),
    "a tab": ("seed: 0\nexperiments:\n\tdigits: {}\n", 3, 1, "tab"),
    "a list that is not closed": ("seed: 0\nrun: [a, b\nthreads: 1\n", 3, 8, "begins on line 2, column 6"),
    "a quote that is not closed": ('run: ["a]\nseed: 0\n', 2, 8, "begins on line 1, column 7"),
    "an anchor that is not there": ("seed: 0\nthreads: *one\n", 2, 10, "undefined alias"),
}


@pytest.mark.parametrize(("text", "line", "column", "reason"), SYNTAX.values(), ids=SYNTAX.keys())
def test_what_is_no_yaml_is_shown_with_line_and_column(
    tmp_path: Path, text: str, line: int, column: int, reason: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_yaml(file, "mine.yaml")
    said, shown, mark = str(caught.value).splitlines()
    assert said.startswith(f"mine.yaml, line {line}, column {column}: is no valid YAML: ")
    assert reason in said
    assert shown == "    " + text.splitlines()[line - 1].replace("\t", " ")
    assert mark == "    " + " " * (column - 1) + "^"


def test_snakemake_says_so_in_place_of_its_own_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((TINY / "config.yaml").read_text() + "  oops: [1\n")
    done = snakemake(tmp_path, "--dry-run", check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "config.yaml, line " in said
    assert "  oops: [1" in said
    assert "not valid JSON or YAML" not in said


REPEATED = """\
seed: 0
experiments:
  digits: {model: {kind: unet, steps: 3}}
  other:
    model:
      kind: unet
      steps: 4
      kind: gan
  digits: {model: {kind: gan}}
seed: 1
"""


def test_a_key_written_twice_is_named_with_all_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(REPEATED)
    remedy = "YAML keeps only the last of them: rename or remove the others"
    assert sorted(map(str, read_yaml(file).repeats)) == [
        f"experiments.digits: written twice, on lines 3 and 9; {remedy}",
        f"experiments.other.model.kind: written twice, on lines 6 and 8; {remedy}",
        f"seed: written twice, on lines 1 and 10; {remedy}",
    ]


def test_merged_and_shared_mappings_are_not_repeats(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("outer: {b: {<<: &a {x: 1, y: 2}, x: 3}}\na: {<<: *a, y: 4}\nc: *a\nd: *a\n")
    read = read_yaml(file)
    assert not read.repeats
    assert read.value == yaml.safe_load(file.read_text())
    assert not ConfigFiles([ROOT / "config.yaml", TINY / "config.yaml"]).repeats


def test_json_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{\n\t"seed": 3\n}')
    assert read_yaml(file).value == {"seed": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "mine.yaml: cannot be read"),
        ("- a\n", "is not a mapping"),
        ("", "mine.yaml: holds no keys, so it is not a mapping; write some, or leave the file out"),
        ("# seed: 1\n", "mine.yaml: holds no keys"),
        ("threads: 1\nseed: 2020-99-99\n", "mine.yaml, line 2: month must be in 1..12; mend the value"),
        (f"seed: 1{'0' * 5000}\n", "mine.yaml, line 1: Exceeds the limit"),
        ("experiments: &a {digits: *a}\n", "mine.yaml: is nested .* or an anchor holds itself"),
        (f"run: {'[' * 60}{']' * 60}\n", "mine.yaml: is nested more than 50 levels deep"),
        (f"run: {'[' * 3000}{']' * 3000}\n", "mine.yaml: is nested more than 50 levels deep"),
    ],
    ids=["missing", "a list", "empty", "comments", "a date", "digits", "itself", "deep", "deeper"],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        read_yaml(tmp_path / "mine.yaml")


MINE = """\
run: [mine]
experiments:
  mine:
    data: {world: digits-control, n_train: 1797}
    model: {kind: unet, steps: 0}
    sampling: {n_samples: 8, shard_size: 8, batch_size: 8, calibration: 0, steps: 5}
  digits:
    model: {step: 3}
"""


def test_a_mistake_is_said_of_the_file_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "config.yaml", "config.yaml")
    Path("mine.yaml").write_text(MINE)
    files = ConfigFiles([Path("config.yaml"), tmp_path / "mine.yaml"], {"threads": 0})
    config = files.merged()
    config["experiments"]["digits"]["sampling"].pop(
        "shard_size"
    )  # lacking in config.yaml, which has its parent
    files.files[0].value["experiments"]["digits"]["sampling"].pop("shard_size", None)
    with pytest.raises(InputError) as caught:
        check_config(config, files)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    starts = [
        "mine.yaml: experiments.digits.model.step: unknown key (did you mean 'steps'?)",
        "config.yaml: experiments.digits.sampling.shard_size: missing",
        "mine.yaml: experiments.mine.model.block_out_channels: missing",
        "mine.yaml: experiments.mine.model.steps: 0 is out of range",
        "--config: threads: 0 is out of range",
    ]
    for start in starts:
        assert any(line.startswith(start) for line in lines), (start, lines)


def test_files_are_joined_as_snakemake_joins_them(tmp_path: Path) -> None:
    from snakemake.utils import update_config

    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("a: {b: {c: 1, d: [1, 2]}, e: 5}\nf: {g: 1}\n")
    second.write_text("a: {b: {d: [3]}, e: {h: 1}}\nf: null\ni: {j: {}}\n")
    config: dict[str, object] = {}
    for file in (first, second):
        update_config(config, yaml.safe_load(file.read_text()))
    assert ConfigFiles([first, second]).merged() == config


def test_options_are_read_as_they_were_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("config", "mine", "other"):
        Path(f"{name}.yaml").write_text(f"{name}: 1\n")
    typed = ["--configfile", "mine.yaml", "other.yaml", "--config", "run=[a, b]", "--profile", "x"]
    files = ConfigFiles.of_options(Path("config.yaml"), typed)
    assert files.merged() == {"config": 1, "mine": 1, "other": 1, "run": ["a", "b"]}
    typed = ["--replace-workflow-config", "--configfile=mine.yaml", "-n"]
    assert ConfigFiles.of_options(Path("config.yaml"), typed).merged() == {"mine": 1}


@pytest.mark.parametrize("value", ["[digits", "2020-99-99", "&a [*a]"])
def test_a_value_of_the_command_line_that_is_no_yaml_is_named(value: str) -> None:
    with pytest.raises(InputError, match="--config run"):
        ConfigFiles.of_options(ROOT / "config.yaml", ["--config", f"run={value}"])


def documented(page: str, tmp_path: Path, place: int = 1) -> ConfigFiles:
    text = (ROOT / "docs" / page).read_text()
    (tmp_path / "mine.yaml").write_text(text.split("```yaml")[place].split("```")[0])
    return ConfigFiles([ROOT / "config.yaml", tmp_path / "mine.yaml"])


def test_the_documented_second_file_is_sound(tmp_path: Path) -> None:
    files = documented("configuration.md", tmp_path)
    assert check_config(files.merged(), files)["run"] == ["mine"]


@pytest.mark.parametrize(("page", "place"), [("plugins.md", 1), ("adding-a-model.md", 2)])
def test_documented_files_with_plug_ins_are_sound(tmp_path: Path, page: str, place: int) -> None:
    """In a process of its own, as plug-ins stay for all that comes after."""
    documented(page, tmp_path, place)
    options = ["--configfile", "config.yaml", str(tmp_path / "mine.yaml")]
    tool = [sys.executable, "workflow/tools/check_config.py", *options]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 of them under run" in done.stdout


OWN = """\
run: [own]
experiments:
  own:
    data: {world: von-mises, n_train: 10, concentration: 2.0, centre_weight: 0.3, seed: 0}
    model: &model
      kind: edm-mlp
      width: 8
      depth: 1
      features: 4
      sigma_data: 0.6
      sigma_min: 0.005
      sigma_max: 3.0
      steps: 2
      draws: 1
      learning_rate: 0.002
      ema_decay: 0.9
    sampling: {n_samples: 4, shard_size: 4, batch_size: 4, steps: 2, calibration: 0}
    figures: {mmh_cartoon: {}}
"""


def test_an_experiment_of_ones_own_lies_in_a_second_file(tmp_path: Path) -> None:
    shutil.copy(TINY / "config.yaml", tmp_path / "config.yaml")
    (tmp_path / "mine.yaml").write_text(OWN)
    files = ("--configfile", "config.yaml", "mine.yaml")
    done = snakemake(tmp_path, "--dry-run", *files)
    assert "results/own/" in done.stdout
    (tmp_path / "mine.yaml").write_text(OWN.replace("width: 8", "width: 0") + "run: [own]\n")
    done = snakemake(tmp_path, "--dry-run", *files, check=False)
    said = done.stdout + done.stderr
    assert "2 mistakes in the configuration" in said
    assert "mine.yaml: experiments.own.model.width: 0 is out of range" in said
    assert "mine.yaml: run: written twice, on lines 1 and 19" in said


def test_the_tool_names_the_line_in_a_file_that_snakemake_reads_first(tmp_path: Path) -> None:
    shutil.copy(TINY / "config.yaml", tmp_path / "config.yaml")
    tool = [sys.executable, str(ROOT / "workflow" / "tools" / "check_config.py")]

    def check(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "mine.yaml").write_text(text)
        command = [*tool, "--configfile", "config.yaml", "mine.yaml"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert check(OWN).stdout == "the configuration is sound: 11 experiments, 1 of them under run\n"
    done = check(OWN.replace("seed: 0}", "seed: 0"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: mine.yaml, line 5, column ")
