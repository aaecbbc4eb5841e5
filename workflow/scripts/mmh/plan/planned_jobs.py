"""Which jobs there are, by what ``snakemake --summary`` lists; their files lie where the rule files say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmh.errors import InputError


@dataclass(frozen=True)
class Pattern:
    """Where a rule's files lie, with wildcards in braces."""

    outputs: tuple[str, ...]
    log: str
    benchmark: str


SHARED = "shared"  # jobs of no experiment: downloads, descriptors, the tables that end a run


@dataclass
class Job:
    """One job of the plan.

    Attributes
    ----------
    rule : str
    wildcards : dict of str to str
    log, benchmark : str
        Their files.
    outputs : list of str
        In the order of the rule.
    pending : bool
        Whether Snakemake would run it now.
    state : str
        ``done``, ``running``, ``failed``, ``lost`` (its process is gone without a word), ``waiting``, or
        ``stale`` (waiting, with older results that Snakemake would make anew).
    spent : float
        Seconds it took, or has taken so far.
    expected : float
        Seconds by the cost model.
    gpu : bool
        Whether it ran, or is expected to run, on a GPU.
    message : str
        Of a failed or lost job: one line.
    """

    rule: str
    wildcards: dict[str, str]
    log: str
    benchmark: str
    outputs: list[str] = field(default_factory=list)
    pending: bool = False
    state: str = "waiting"
    spent: float = 0.0
    expected: float = 0.0
    gpu: bool = False
    message: str = ""

    @property
    def experiment(self) -> str:
        """Name of its experiment, or `SHARED`."""
        return self.wildcards.get("experiment", SHARED)

    @property
    def name(self) -> str:
        """Rule and wildcards, as in the name of its log."""
        return Path(self.log).with_suffix("").relative_to("logs").as_posix()


def read_rules(snakefile: Path) -> dict[str, Pattern]:
    """Files of every rule, in the order in which the Snakefile includes them.

    Parameters
    ----------
    snakefile : Path

    Returns
    -------
    dict of str to Pattern
    """
    found = {}
    for file in re.findall(r'^include: "([^"]+)"', snakefile.read_text(encoding="utf-8"), re.MULTILINE):
        text = (snakefile.parent / file).read_text(encoding="utf-8")
        for name, block in re.findall(r"^rule (\w+):\n((?:(?: .*)?\n|$)+)", text, re.MULTILINE):
            parts = dict(re.findall(r"^    (\w+):(?: .*)?\n((?:     .*\n?)+)", block, re.MULTILINE))
            paths = {
                key: re.findall(r'"((?:results|resources|logs|benchmarks)/[^"]+)"', parts.get(key, ""))
                for key in ("output", "log", "benchmark")
            }
            if all(paths.values()):
                found[name] = Pattern(tuple(paths["output"]), paths["log"][0], paths["benchmark"][0])
    return found


def planned_jobs(
    summary: str, rules: Mapping[str, Pattern], wildcard_patterns: Mapping[str, str]
) -> list[Job]:
    """Jobs behind the files that ``snakemake --summary`` lists.

    Parameters
    ----------
    summary : str
        What it printed: `output_file`, `date`, `rule`, `log-file(s)`, `status`, `plan`, tabs between.
    rules : mapping of str to Pattern
    wildcard_patterns : mapping of str to str
        From `mmh.plan.patterns.Patterns.all`.

    Returns
    -------
    list of Job
        In the order of the rules.

    Raises
    ------
    InputError
        If a listed file is none of its rule's.
    """
    jobs: dict[str, Job] = {}
    for line in summary.splitlines():
        cells = line.split("\t")
        if len(cells) != 6 or cells[0] == "output_file":
            continue
        path, rule, plan = cells[0], cells[2], cells[5]
        if rule not in rules:
            raise InputError(f"rule {rule} is in no file that the Snakefile includes; update the checkout")
        wildcards = _wildcards(path, rules[rule].outputs, wildcard_patterns)
        if wildcards is None:
            raise InputError(f"{path}: no output of rule {rule} by {list(rules[rule].outputs)}")
        log = rules[rule].log.format(**wildcards)
        job = jobs.setdefault(log, Job(rule, wildcards, log, rules[rule].benchmark.format(**wildcards)))
        job.outputs.append(path)
        job.pending |= plan != "no update"
    order = {name: place for place, name in enumerate(rules)}
    return sorted(jobs.values(), key=lambda job: order[job.rule])


def _wildcards(path: str, outputs: Iterable[str], patterns: Mapping[str, str]) -> dict[str, str] | None:
    """Wildcards of an output; None if it fits none of the rule's."""
    for output in outputs:
        expression, seen = "", set()
        for text, name in re.findall(r"([^{]*)(?:\{(\w+)\})?", output):
            expression += re.escape(text)
            if name:
                expression += f"(?P={name})" if name in seen else f"(?P<{name}>{patterns.get(name, '.+')})"
                seen.add(name)
        if match := re.fullmatch(expression, path):
            return match.groupdict()
    return None
