"""Profiles agree about GPU rules, and the SLURM groups can be scheduled whatever an experiment asks for."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmh.scores.base import SCORES
from workflow_runs import TINY, snakemake

PROFILES = Path(__file__).parents[2] / "profiles"


def gpu_rules(name: str) -> dict[str, int]:
    """Rules whose number of GPUs a profile sets; the two notations of Snakemake."""
    settings: Any = load(name)["set-resources"]
    if isinstance(settings, list):
        rows = [re.fullmatch(r"(\w+):gpu=(\d+)", row) for row in settings]
        return {row[1]: int(row[2]) for row in rows if row}
    return {rule: resources["gpu"] for rule, resources in settings.items() if "gpu" in resources}


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text())


def test_every_profile_names_the_same_gpu_rules() -> None:
    assert set(gpu_rules("cpu")) == set(gpu_rules("gpu")) == set(gpu_rules("slurm"))
    assert set(gpu_rules("slurm").values()) == {1}


def test_the_steps_of_estimators_that_call_a_network_have_gpus() -> None:
    steps = {"span": "score_span", "spectra": "score_spectra", "set": "score_set"}
    wanted = {steps[row.shape] for row in SCORES.rows().values() if row.wants_gpu()}
    assert wanted == set(steps.values()) & set(gpu_rules("gpu"))
    assert wanted == {"score_span", "score_spectra"}


def test_gpu_rules_have_the_gpu_partition_and_no_group() -> None:
    profile = load("slurm")
    cpu = profile["default-resources"]["slurm_partition"]
    assert all(entry["slurm_partition"] != cpu for entry in profile["set-resources"].values())
    assert not set(profile["groups"]) & set(gpu_rules("slurm"))


def test_retries_are_in_the_profile_alone() -> None:
    """Those of a rule would repeat it inside the allocation that was too small (local downloads apart)."""
    assert load("slurm")["retries"] >= 1
    for file in sorted((PROFILES.parent / "workflow" / "rules").glob("*.smk")):
        for rule in re.split(r"(?m)^rule ", file.read_text())[1:]:
            assert "retries:" not in rule or "localrule: True" in rule, f"{file.name}: {rule.split(':')[0]}"


@pytest.fixture(scope="module")
def rule_graph(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Which rules follow which, for all experiments of the tiny configuration."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copy(TINY / "config.yaml", folder / "config.yaml")
    dot = snakemake(folder, "--rulegraph", "dot").stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', dot))
    graph: dict[str, set[str]] = {name: set() for name in names.values()}
    for before, after in re.findall(r"(\d+) -> (\d+)", dot):
        graph[names[before]].add(names[after])
    return graph


def test_no_job_outside_of_a_group_stands_between_two_of_it(rule_graph: dict[str, set[str]]) -> None:
    """Such a group would wait for a job that waits for the group."""
    groups = load("slurm")["groups"]
    members = {name: {rule for rule in groups if groups[rule] == name} for name in groups.values()}
    for name, rules in members.items():
        assert len(rules & set(rule_graph)) > 5, f"{name}: few of its rules are in the tiny configuration"
        outside = set().union(*(rule_graph[rule] for rule in rules if rule in rule_graph)) - rules
        while outside:
            back = {rule for one in outside for rule in rule_graph[one]}
            assert not back & rules, (
                f"{name}: {back & rules} follow {outside}, which follow others of the group"
            )
            outside = back
