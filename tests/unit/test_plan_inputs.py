"""Every input and parameter of every job of the shipped configuration, as the rules ask for them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.plan.inputs.labels import label_files
from mmh.plan.plan import Plan
from mmh.plan.planned_jobs import Pattern, read_rules

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = check_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
RULES: dict[str, Pattern] = read_rules(ROOT / "Snakefile")
BLOCKS = {
    block.split(":", 1)[0]: block
    for file in (ROOT / "workflow" / "rules").glob("*.smk")
    for block in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]
}
FETCHED = "resources/"  # made by a rule or put there by a person


class Wildcards(SimpleNamespace):
    """As Snakemake's: an attribute for each."""

    def items(self) -> Any:
        return vars(self).items()


def section(rule: str, name: str) -> str:
    found = re.search(rf"^    {name}:\n((?:        .*\n)+)", BLOCKS[rule], re.MULTILINE)
    return found[1] if found else ""


def evaluated(plan: Plan, wildcards: Wildcards, text: str) -> dict[str, Any]:
    """The named values of a section of a rule, functions called."""

    def called(value: Any) -> Any:
        if callable(value):
            return value(wildcards)
        return value.format(**vars(wildcards)) if isinstance(value, str) else value

    def lookup(path: str, within: Any, **default: Any) -> Any:
        for key in path.format(**vars(wildcards)).split("/"):
            if default and key not in within:
                return default["default"]
            within = within[key]
        return within

    def collect(*groups: Callable[[Any], dict[str, Any]], **named: Any) -> dict[str, Any]:
        values = {key: called(value) for key, value in named.items()}
        return values | {key: value for group in groups for key, value in group(wildcards).items()}

    names = {"plan": plan, "config": plan.config, "lookup": lookup, "unpack": lambda group: group}
    names |= {"collect": collect, "code_digest": str}
    values: dict[str, Any] = eval(f"collect({text})", names)
    return values


def makers(plan: Plan, file: str) -> Iterator[tuple[str, Wildcards]]:
    """Rules that make a file, with their wildcards."""
    for rule, pattern in RULES.items():
        allowed = plan.patterns.all() | evaluated(plan, Wildcards(), section(rule, "wildcard_constraints"))
        for output in pattern.outputs:
            expression, seen = "", set()
            for text, name in re.findall(r"([^{]*)(?:\{(\w+)\})?", output):
                named = f"(?P={name})" if name in seen else f"(?P<{name}>{allowed.get(name)})"
                expression += re.escape(text) + (named if name else "")
                seen.add(name)
            if match := re.fullmatch(expression, file):
                yield rule, Wildcards(**match.groupdict())


def jobs(plan: Plan, *targets: str) -> dict[str, tuple[str, Wildcards, dict[str, Any]]]:
    """Every job behind some files, by its log: rule, wildcards, inputs."""
    found: dict[str, tuple[str, Wildcards, dict[str, Any]]] = {}
    todo, seen = list(targets), set(targets)
    while todo:
        file = todo.pop()
        made = list(makers(plan, file))
        assert len(made) == 1 or (not made and file.startswith(FETCHED)), (file, made)
        for rule, wildcards in made:
            log = RULES[rule].log.format(**vars(wildcards))
            if log in found:
                continue
            inputs = evaluated(plan, wildcards, section(rule, "input"))
            found[log] = rule, wildcards, inputs
            for value in inputs.values():
                files = [value] if isinstance(value, str) else value
                new = [one for one in files if one not in seen]
                seen.update(new)
                todo += new
    return found


def planned(*run: str) -> tuple[Plan, dict[str, tuple[str, Wildcards, dict[str, Any]]]]:
    plan = Plan({**CONFIG, "run": list(run)})
    return plan, jobs(plan, *plan.run.targets())


@pytest.mark.parametrize("experiment", CONFIG["experiments"])
def test_every_input_is_made_by_one_rule_and_every_parameter_has_a_value(
    experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan, found = planned(experiment)
    assert len(found) > 5
    for rule, wildcards, _ in found.values():
        params = evaluated(plan, wildcards, section(rule, "params"))
        assert all(value is not None for value in params.values()), (rule, wildcards, params)
        first, second = (plan.memory(wildcards, rule, attempt) for attempt in (1, 2))
        assert 0 < first < second
        assert plan.runtime(wildcards, rule, 2) == 2 * plan.runtime(wildcards, rule, 1) > 0


def test_the_shipped_experiments_need_every_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan, found = planned(*CONFIG["experiments"])
    asked = jobs(plan, "results/digits/label_sheet.html", "results/digits-captions/clip_slots.csv")
    answers = {"answer_images", "answer_prompts"}  # of a person's own model: tests/unit/test_audit_command.py
    assert set(RULES) - answers == {rule for rule, _, _ in [*found.values(), *asked.values()]}
    # Rules name functions only that are there, and every function is named by a rule.
    named = set(re.findall(r"plan\.(\w+\.\w+)", "".join(BLOCKS.values()) + (ROOT / "Snakefile").read_text()))
    groups = {
        name: group for name, group in vars(plan).items() if type(group).__module__.startswith("mmh.plan.")
    }
    given = {
        f"{name}.{key}"
        for name, group in groups.items()
        for key, value in vars(type(group)).items()
        if callable(value) and not key.startswith("_")
    }
    assert named == given - {"patterns.all"}


def own(**sections: Any) -> dict[str, Any]:
    """The configuration with another ``digits``."""
    entry = {**CONFIG["experiments"]["digits"], **sections}
    return {**CONFIG, "run": ["digits"], "experiments": {**CONFIG["experiments"], "digits": entry}}


def test_labels_of_people_are_files_and_nobody_is_asked_twice_without_a_kept_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digits = Wildcards(experiment="digits")
    plan = Plan(own(labels={"source": "files"}, label_sheet={"only": "disagreements"}))
    assert plan.labels.files(digits) == []
    examples = Wildcards(experiment="digits", figure="examples")
    assert plan.figures.inputs(examples)["candidates"] == "results/digits/candidates.parquet"
    assert plan.labels.sheet(digits) == "results/digits/label_sheet.parquet"
    with pytest.raises(InputError, match=r"mkdir -p .*second_round && cp results/digits/disagreements\.csv"):
        plan.labels.disagreements(digits)
    folder = Path("resources", "labels", "digits")
    (folder / "second_round").mkdir(parents=True)
    kept = folder / "second_round" / "disagreements.csv"
    for file in (folder / "b.csv", folder / "a.csv", kept):
        file.touch()
    assert plan.labels.files(digits) == ["resources/labels/digits/a.csv", "resources/labels/digits/b.csv"]
    assert plan.labels.disagreements(digits) == str(kept)


def test_without_candidates_labels_have_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = own(labels={"source": "files"})
    del config["experiments"]["digits"]["candidates"]
    with pytest.raises(InputError, match=r"resources/labels/digits: holds no label file .* to planted$"):
        Plan(config).labels.files(Wildcards(experiment="digits"))


def test_a_folder_of_images_and_a_local_model_are_read_where_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = {"world": "images", "path": "photos", "n_train": 600, "size": 32, "channels": 3}
    plan = Plan(own(data=data, model={"kind": "diffusers", "path": "model"}))
    digits = Wildcards(experiment="digits")
    assert [rule for rule, _ in makers(plan, "results/digits/data/train.npz")] == ["import_dataset"]
    assert evaluated(plan, digits, section("import_dataset", "input")) == {"source": "photos"}
    assert plan.models.imported_files(digits) == {"files": ["model/model_index.json"]}
    Path("model", "unet").mkdir(parents=True)
    present = [Path("model", "model_index.json"), Path("model", "unet", "config.json")]
    for file in present:
        file.touch()
    assert plan.models.imported_files(digits) == {"files": [str(file) for file in present]}


def test_a_dropped_list_of_prompts_goes_before_a_fetched_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan, wildcards = Plan(CONFIG), Wildcards(experiment="stable-diffusion")
    assert all(file.startswith("resources/downloads/") for file in plan.prompts.lists(wildcards))
    Path("resources", "prompts").mkdir(parents=True)
    Path("resources", "prompts", "sd1_mem.txt").touch()
    assert "resources/prompts/sd1_mem.txt" in plan.prompts.lists(wildcards)


def test_a_job_of_claims_gets_the_options_of_its_claims_alone() -> None:
    written = {**CONFIG["experiments"]["digits"]["claims"], "check": ["4", "od"], "comparable": 3.0}
    options = Plan(own(claims=written)).evaluation.claim_options(Wildcards(experiment="digits"))
    assert sorted(options) == ["check", "considerable", "data_estimators", "margin"]
    assert options["considerable"] == 10


class Rule:
    """As Snakemake's, with a number of GPUs."""

    def __init__(self, gpu: int | None) -> None:
        self.resources = {} if gpu is None else {"gpu": self}
        self.value = gpu

    def is_evaluable(self) -> bool:
        return False


def test_a_job_is_planned_for_a_gpu_where_the_profile_gives_its_rule_one() -> None:
    wildcards = Wildcards(experiment="cifar10-iddpm", span="000000-000499")
    minutes = [
        Plan(CONFIG, lambda name, gpu=gpu: Rule(gpu)).runtime(wildcards, "sample_images", 1)
        for gpu in (None, 0, 1)
    ]
    assert minutes[0] == minutes[1] > minutes[2]


@pytest.mark.parametrize(("estimators", "axes"), [(["nb", "flipd"], {}), (["flipd", "png"], {"png": "bits"})])
def test_a_score_in_another_unit_gets_an_axis_of_its_own(estimators: list[str], axes: dict[str, str]) -> None:
    plan = Plan(own(figures={"lid_model": {"estimators": estimators}}))
    about = plan.figures.about(Wildcards(experiment="digits", figure="lid_model"))
    assert about["more"] == {"number": "5c", "axes": axes}


def test_label_files_are_found_whatever_stands_beside_them_and_others_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    assert label_files(folder) == []
    (folder / "second_round").mkdir(parents=True)
    for name in (
        "anna.csv",
        "bob.CSV",
        "._anna.csv",
        "~$anna.csv",
        ".DS_Store",
        "README",
        "notes.md",
        "Readman.csv",
    ):
        (folder / name).write_text("")
    assert [path.name for path in label_files(folder)] == ["Readman.csv", "anna.csv", "bob.CSV"]
    (folder / "carl.xlsx").write_text("")
    with pytest.raises(InputError, match=r"digits: holds carl.xlsx, and label files are CSV"):
        label_files(folder)


def test_somebodys_network_is_tried_on_training_images_where_there_are_any() -> None:
    plan = Plan(CONFIG, lambda name: None)
    asked = {name: plan.models.images_at_hand(Wildcards(experiment=name)) for name in CONFIG["experiments"]}
    assert asked["cifar10-iddpm"] == {"images": "results/cifar10-iddpm/data/train.npz"}
    assert asked["cifar10-stylegan2ada"] == {}  # it has no score
    assert asked["stable-diffusion"] == {}  # it works on latents
