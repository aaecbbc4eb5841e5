"""Which edits of code and configuration rerun which jobs of the shipped experiments, by digests and parameters.

A job runs again if its code's digest, another parameter or the list of its inputs differs, and so do the jobs
that read what it makes. No Snakemake is started: dry runs of some of this are in tests/workflow.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import create_model
from test_plan_inputs import CONFIG, ROOT, RULES, evaluated, jobs, section

from mmh.config.check import check_config
from mmh.config.tables import TABLES
from mmh.digest.code import SCRIPTS, code_digest, edited_digest
from mmh.digest.reach import Root
from mmh.plan import plan as plan_module
from mmh.plan.plan import Plan
from mmh.rows import Row, Table

TINY_FILE = ROOT / "tests" / "workflow" / "tiny" / "config.yaml"
TINY = check_config(yaml.safe_load(TINY_FILE.read_text()))
Call = tuple[str, tuple[Root, ...]]
Edit = Callable[[str], str]


def call_of(plan: Plan, rule: str, wildcards: Any) -> Call | None:
    """What the digest of a job is taken of: script and roots; nothing if its rule has no digest."""
    stated = re.search(r"code=(.*),\n", section(rule, "params"))
    if stated is None:
        return None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "code_digest", lambda script, *roots: (script, roots))
        code = evaluated(plan, wildcards, stated[0])["code"]
    return (code, ()) if isinstance(code, str) else code


@cache
def codes() -> dict[tuple[str, str], Call]:
    """What the digests of the shipped jobs are taken of, by rule and the names of the roots."""
    found: dict[tuple[str, str], Call] = {}
    plan = Plan({**CONFIG, "run": list(CONFIG["experiments"])})
    for rule, wildcards, _ in jobs(plan, *plan.run.targets()).values():
        call = call_of(plan, rule, wildcards)
        if call is not None:
            found[rule, ", ".join(str(name) for _, name in call[1])] = call
    return found


def changed(edits: dict[str, Edit | None], *, new: dict[str, str] | None = None) -> dict[str, set[str]]:
    """Rules whose digest an edit of files changes, each with the roots of its jobs that it does so for."""
    texts: dict[Path, str | None] = {SCRIPTS / name: text for name, text in (new or {}).items()}
    for name, edit in edits.items():
        before = (SCRIPTS / name).read_text()
        texts[SCRIPTS / name] = None if edit is None else edit(before)
        assert texts[SCRIPTS / name] != before, f"{name}: the edit must change the file"
    digest, found = edited_digest(texts), dict[str, set[str]]()
    for (rule, roots), (script, given) in codes().items():
        if digest(script, *given) != code_digest(script, *given):
            found.setdefault(rule, set()).add(roots)
    return found


def put(old: str, text: str) -> Edit:
    """Replace the first occurrence of what must be there."""

    def edit(before: str) -> str:
        assert old in before, old
        return before.replace(old, text, 1)

    return edit


def within(function: str, old: str, text: str) -> Edit:
    """Replace what stands first after the head of a function or class."""

    def edit(before: str) -> str:
        head, mark, rest = before.partition(f"{function}(")
        assert old in rest, (function, old)
        return head + mark + rest.replace(old, text, 1)

    return edit


def users(name: str) -> set[str]:
    """Rules whose script, or a module that only such scripts use, names a table's contract."""
    return {rule for rule, _ in codes() if re.search(rf"\b{name}\b", (SCRIPTS / f"{rule}.py").read_text())}


def test_a_contract_reruns_those_that_read_or_write_the_table() -> None:
    new = put("SCORES = ", 'NEW = Contract("new", {"item": "int64"})\nSCORES = ')
    assert changed({"mmh/io/tables.py": new}) == {}
    for name, modules in (
        ("SHEET", {"summarize"}),
        ("VERDICTS", set()),
        ("GENERATION_MATCHES", {"summarize"}),
        ("LEDGER", {"import_image_set"}),
    ):
        edit = put(f"{name} = Contract(\n    ", f"{name} = Contract(\n    'x' + ")
        assert set(changed({"mmh/io/tables.py": edit})) - {"fetch_source"} == users(name) | modules, name


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mmh/io/table_files.py", "columns {list(columns)}, got", "the columns {list(columns)}, found"),
        ("mmh/io/files.py", "it is probably truncated", "it is perhaps truncated"),
        ("mmh/io/image_shards.py", "an id occurs twice", "one id occurs twice"),
        ("mmh/io/spans.py", "is not a span of ids", "is no span of ids"),
        ("mmh/compute/blocks.py", 'f"', 'f"note: '),
        ("mmh/retrieval/calibrated_distance.py", "anchor must be", "anchor has to be"),
        ("mmh/lid/flipd.py", '"""', '"""Indeed: '),
        ("mmh/lid/flipd.py", "\n\n\n", "\n\n\n# a remark\n"),
    ],
)
def test_words_rerun_nothing(file: str, old: str, new: str) -> None:
    assert changed({file: put(old, new)}) == {}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mmh/io/table_files.py", "from_pandas=True", "from_pandas=False"),
        ("mmh/io/table_files.py", "to_pandas()", "to_pandas() * 2"),
        ("mmh/io/spans.py", "int(match[2]) + 1", "int(match[2])"),
        ("mmh/io/image_shards.py", "np.float32(127.5)", "np.float32(127)"),
        ("mmh/job/chunks.py", "result[name][rows] = part", "result[name][rows] = part[::-1]"),
        ("mmh/job/chunks.py", "arrays = compute(blocks[number])", "arrays = compute(blocks[0])"),
        ("mmh/compute/blocks.py", "fixed_batches(", "fixed_batches(0 + "),
    ],
)
def test_what_moves_numbers_reruns_jobs_though_it_stands_beside_the_frame(
    file: str, old: str, new: str
) -> None:
    assert len(changed({file: put(old, new)})) > 1


def roots_with(found: dict[str, set[str]], *names: str) -> bool:
    """Whether all jobs have one of some roots."""
    return all(set(roots.split(", ")) & set(names) for jobs_of in found.values() for roots in jobs_of)


def test_an_estimator_reruns_its_own_jobs() -> None:
    found = changed({"mmh/scores/flipd.py": within("def values", "return", "rows = rows\n        return")})
    assert set(found) == {"score_span"}
    assert roots_with(found, "Flipd")
    shared = changed(
        {"mmh/lid/normal_bundle.py": put("    return gram\n", "    gram = gram\n    return gram\n")}
    )
    assert {"score_spectra", "measure_accuracy"} == set(shared)
    assert roots_with({"score_spectra": shared["score_spectra"]}, "NormalBundle")


@pytest.mark.parametrize(
    ("package", "base", "method"),
    [
        ("scores", "SpanScore", "values"),
        ("models", "Kind", "load"),
        ("worlds", "World", "make"),
        ("metrics", "Metric", "see"),
        ("figures", "Figure", "draw"),
        ("claims", "Claim", "test"),
    ],
)
def test_a_new_row_reruns_nothing(package: str, base: str, method: str) -> None:
    row = f"from mmh.{package}.base import {base}\n\n\nclass Mine({base}):\n    name = 'mine'\n"
    row += f"\n    def {method}(self, *given):\n        return given\n"
    assert changed({}, new={f"mmh/{package}/mine.py": row}) == {}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.package)
def test_a_new_row_with_options_of_its_own_changes_no_parameter(
    table: Table[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = create_model("Own", __base__=Row.Options, width=(float, 3.0))
    monkeypatch.chdir(tmp_path)
    before = states(TINY)
    row = type("Mine", (table.base,), {"name": "mine", "Options": own, "__module__": table.package})
    monkeypatch.setitem(table.rows(), "mine", row)
    assert states(check_config(yaml.safe_load(TINY_FILE.read_text()))) == before


def test_the_sign_of_a_metric_and_a_claim_rerun_those_that_ask_for_them() -> None:
    sign = within("class Png", '"PNG size", False', '"PNG size", True')
    found = changed({"mmh/metrics/png.py": sign})
    tables = {"combine_detectors", "tabulate_field"}
    assert set(found) - tables == {"check_claims", "evaluate_detection", "draw_figure"}  # claims read signs
    assert "combine_detectors" in found
    assert roots_with(found, "Png")
    edit = within("def test", "        rows =", "        rows = rows =")
    asked = "ThreePlaces, DuplicatesAreAtoms, DataDrivenIsNoCopy, OverfittingCopies"  # of von-mises
    assert changed({"mmh/claims/three_places.py": edit}) == {"check_claims": {asked}}


def test_what_the_plan_alone_asks_of_an_estimator_reruns_nothing() -> None:
    cost = put("        return 2.0\n", "        return 3.0\n")
    assert changed({"mmh/scores/base.py": cost}) == {}
    assert changed({"mmh/models/gan.py": put("2.2 * rows", "2.3 * rows")}) == {}


def test_a_colour_reruns_figures() -> None:
    found = changed({"mmh/plotting/style.py": put('"#', '"#0')})
    assert set(found) == {"draw_figure"}
    assert len(found["draw_figure"]) > 10


def test_one_figure_reruns_alone() -> None:
    edit = within("def draw", "        name =", "        name = name =")
    assert changed({"mmh/figures/lid_data.py": edit}) == {"draw_figure": {"LidData"}}


def test_the_training_loop_of_the_unet_reruns_its_training() -> None:
    edit = within("def train", "    scheduler =", "    scheduler = scheduler =")
    assert changed({"mmh/models/ddpm/training.py": edit}) == {"train_model": {"Unet"}}
    shared = within("def fit", "    images =", "    images = images =")
    assert changed({"mmh/models/ddpm/training.py": shared}) == {"train_model": {"Unet", "UnetFlow"}}


def test_the_generator_of_stylegan2_reruns_jobs_of_gan_experiments() -> None:
    found = changed(
        {"mmh/models/stylegan/generator.py": put("        return ", "        0 + 0\n        return ")}
    )
    assert {"train_model", "convert_model", "sample_images", "score_spectra"} <= set(found)
    assert roots_with(found, "Gan", "Stylegan2")


def test_a_score_model_reruns_no_training_and_no_figure() -> None:
    edit = put("class ScoreModel:", "class ScoreModel(object):")
    found = changed({"mmh/diffusion/score_model.py": edit})
    assert {"score_span", "score_spectra", "score_prompts"} <= set(found)
    assert not set(found) & {"train_model", "draw_figure", "make_dataset", "search_copies"}


@pytest.mark.parametrize(
    "file",
    [
        "job/frame",
        "job/chunks",
        "io/partial",
        "provenance",
        "plan/cost",
        "plan/status",
        "config/check",
        "lazy",
    ],
)
def test_the_frame_and_the_plan_rerun_nothing(file: str) -> None:
    edit = re.compile(r"\n    return ")
    assert edit.search((SCRIPTS / f"mmh/{file}.py").read_text())
    assert changed({f"mmh/{file}.py": lambda text: edit.sub("\n    1\n    return ", text)}) == {}


def moved(old: str, new: str) -> tuple[dict[str, Edit | None], dict[str, str]]:
    """Edits that move a module and follow it everywhere."""
    before, after = (f"mmh.{name.replace('/', '.')}" for name in (old, new))

    def follow(text: str) -> str:
        return re.sub(rf"\b{re.escape(before)}\b", after, text)

    files = {path.relative_to(SCRIPTS).as_posix(): path.read_text() for path in SCRIPTS.rglob("*.py")}
    edits: dict[str, Edit | None] = {n: follow for n, text in files.items() if follow(text) != text}
    source = files[f"mmh/{old}.py"]
    return {**edits, f"mmh/{old}.py": None}, {f"mmh/{new}.py": follow(source)}


@pytest.mark.parametrize(
    ("old", "new"),
    [("io/tables", "store/contracts"), ("lid/spectra", "lid/counts"), ("compute/rows", "compute/places")],
)
def test_a_file_moved_or_renamed_reruns_nothing(old: str, new: str) -> None:
    edits, files = moved(old, new)
    assert len(edits) > 3
    assert changed(edits, new=files) == {}


def states(config: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any], set[str], set[str]]]:
    """Jobs of a configuration by their logs: rule, parameters, inputs, outputs."""
    plan, found = Plan(config), {}
    for log, (rule, wildcards, given) in jobs(plan, *plan.run.targets()).items():
        params = evaluated(plan, wildcards, section(rule, "params"))
        inputs = {one for value in given.values() for one in ([value] if isinstance(value, str) else value)}
        known = vars(wildcards).keys()  # of a table over a run, either of two places has wildcards
        places = [one for one in RULES[rule].outputs if set(re.findall(r"\{(\w+)\}", one)) <= known]
        outputs = {one.format(**vars(wildcards)) for one in places}
        found[log] = rule, params, inputs, outputs
    return found


def rerun(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Rules of the jobs that a change of the configuration runs again, or for the first time."""
    old, new = states(before), states(after)
    again = {
        log
        for log, (_, params, given, _) in new.items()
        if log not in old or old[log][1:3] != (params, given)
    }
    size = -1
    while size < len(again):
        size, made = len(again), {file for log in again for file in new[log][3]}
        again |= {log for log, (_, _, given, _) in new.items() if given & made}
    return [new[log][0] for log in sorted(again)]


def with_key(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a configuration with another value under a path that has one."""
    key, _, rest = path.partition("/")
    assert key in config
    return {**config, key: with_key(config[key], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("key", "value", "reruns", "leaves"),
    [
        ("experiments/digits/estimators/nb/percentile", 20, "score_set", "score_spectra"),
        (
            "experiments/digits/figures/memorized_pairs/per_class",
            5,
            "draw_figure",
            "gather_scores",
        ),
        ("experiments/digits/labels/exact_distance", 13.9, "plant_labels", "search_copies"),
        ("experiments/digits/figures/auc_by_cut/cuts", [13.0, 14.1], "vary_cuts", "evaluate"),
        ("experiments/digits/labels/not_distance", 14.4, "vary_cuts", "search_copies"),
        ("experiments/digits/retrieval/neighbours", 6, "search_copies", "embed_images"),
        ("experiments/digits/sampling/calibration", 5, "evaluate", "sample_images"),
        ("threads", 2, "train_model", "make_dataset"),
    ],
)
def test_a_config_key_reruns_its_users(
    key: str, value: Any, reruns: str, leaves: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = rerun(TINY, with_key(TINY, key, value))
    assert reruns in rules
    assert leaves not in rules


def test_more_samples_compute_new_spans_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    more = with_key(TINY, "experiments/digits/sampling/n_samples", 36)
    assert rerun(TINY, TINY) == []
    assert rerun(TINY, more).count("sample_images") == 1
