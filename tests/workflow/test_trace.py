"""What a job executes is in its digest: a trace of every function of the project, of every job of the tiny run."""

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from test_plan_inputs import Wildcards
from test_reruns import Call, call_of, states

from mmh.config.check import check_config
from mmh.digest.code import SCRIPTS, reached_lines
from mmh.digest.frame import FRAME
from mmh.digest.scopes import with_parents
from mmh.plan.plan import Plan

# Functions that are in no digest although jobs execute them, and why their edit changes no output.
ALLOWED: dict[str, str] = {}

Places = set[tuple[str, int]]


@cache
def spans(path: str) -> list[tuple[int, int, str]]:
    """First and last line of each definition at the top of a module, with its name."""
    tree = ast.parse(Path(path).read_text())
    names = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [(node.lineno, node.end_lineno or 0, node.name) for node in tree.body if isinstance(node, names)]


def name_of(path: str, line: int) -> str:
    """Dotted name of the definition that a line belongs to."""
    module = ".".join(Path(path).relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")
    return ".".join([module, *(name for first, last, name in spans(path) if first <= line <= last)])


def traced(folder: Path) -> Iterator[tuple[str, Wildcards, Places]]:
    """Rule, wildcards and executed functions of each job."""
    for file in folder.glob("*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        jobs = [line for line in lines if "rule" in line]
        if jobs:
            places = {(line["path"], line["line"]) for line in lines}
            yield jobs[0]["rule"], Wildcards(**jobs[0]["wildcards"]), places


def missing(call: Call, places: Places) -> set[str]:
    """Executed functions that a digest does not cover, without the frame's."""
    script, roots = call
    covered = {str(path): found for path, found in reached_lines(script, *roots).items()}
    left = {
        name_of(path, line)
        for path, line in places
        if not any(first <= line <= last for first, last in covered.get(path, ()))
    }
    return {name for name in left if not any(one in FRAME for one in with_parents(name))}


def test_every_function_that_a_job_executes_is_in_its_digest(each_run: Path) -> None:
    config = check_config(yaml.safe_load((each_run / "config.yaml").read_text()))
    plan, found, ran = Plan(config), defaultdict(set), defaultdict(int)
    for rule, wildcards, places in traced(each_run / "trace"):
        call = call_of(plan, rule, wildcards)
        assert call is not None
        ran[rule] += 1
        for name in missing(call, places):
            found[name].add(rule)
    planned = [rule for rule, *_ in states(config).values()]
    assert dict(ran) == {rule: planned.count(rule) for rule in set(planned)}
    assert {name: rules for name, rules in found.items() if name not in ALLOWED} == {}
    assert set(ALLOWED) <= set(found), "a reason for what no job executes any more"


def test_the_trace_would_show_a_digest_that_is_too_narrow(tiny: Path) -> None:
    """Without its root, the digest of an estimator's job lacks the estimator."""
    plan = Plan(check_config(yaml.safe_load((tiny / "config.yaml").read_text())))
    jobs = [(wildcards, places) for rule, wildcards, places in traced(tiny / "trace") if rule == "score_span"]
    for wildcards, places in jobs:
        call = call_of(plan, "score_span", wildcards)
        assert call is not None
        assert missing((call[0], ()), places) - missing(call, places)
