"""The state of a run as a table for the terminal and as one self-contained HTML page."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from mmh.plan.planned_jobs import Job
from mmh.plan.status import Stage

STATES = ("done", "running", "failed", "waiting")
_COUNTED_AS = {"lost": "failed", "stale": "waiting"}
# Told apart with any colour vision; failed is hatched as well, and every bar has its numbers beside it.
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; color: #1b1b1b; background: #fff }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem } p { margin: .3rem 0 }
table { border-collapse: collapse; width: 100% }
td, th { padding: .2rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e4e4e4 }
th { font-weight: 600; border-color: #888 }
tr.sum td { border-bottom: 0; font-weight: 600 }
td:first-child, th:first-child { text-align: left; width: 13rem }
td.bar { width: 30%; min-width: 8rem }
.bar div { display: flex; height: .9rem; background: #e4e4e4; border-radius: 2px; overflow: hidden }
.bar span { display: block; min-width: 2px }
.done { background: #0072b2 } .running { background: #e69f00 } .waiting { background: #e4e4e4 }
.failed { background: repeating-linear-gradient(45deg, #d55e00 0 4px, #7a3600 4px 8px) }
.key span { display: inline-block; width: 1.4rem; height: .8rem; border: 1px solid #888 }
.key span { margin: 0 .4rem 0 1.2rem; vertical-align: -1px } .key span:first-child { margin-left: 0 }
.zero { color: #767676 } .quiet { color: #555 }
dl.errors { border-left: 4px solid #d55e00; margin: .8rem 0; padding: .3rem .9rem }
dt { font-weight: 600; overflow-wrap: anywhere } dd { margin: 0 0 .5rem; overflow-wrap: anywhere }
"""


def counts(stages: Sequence[Stage]) -> dict[str, int]:
    """Jobs of several stages by state.

    Parameters
    ----------
    stages : sequence of Stage

    Returns
    -------
    dict of str to int
        By `STATES`; lost jobs count as failed, stale ones as waiting.
    """
    total = dict.fromkeys(STATES, 0)
    for stage in stages:
        for state, n in stage.counts.items():
            total[_COUNTED_AS.get(state, state)] += n
    return total


def notes(stages: Sequence[Stage]) -> list[str]:
    """What to know besides the counts: times, and results that are out of date.

    Parameters
    ----------
    stages : sequence of Stage

    Returns
    -------
    list of str
        Sentences.
    """
    stale = sum(stage.counts.get("stale", 0) for stage in stages)
    lines = hours(stages)
    if stale:
        lines.append(
            f"{stale} of the waiting jobs have results that are out of date; `snakemake -n` says why"
        )
    return lines


def duration(seconds: float) -> str:
    """Time in the unit that reads best: ``38 s``, ``14 min``, ``2.9 h``.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 99.5 * 3600 else f"{seconds / 3600:.0f} h"


def hours(stages: Sequence[Stage]) -> list[str]:
    """Time spent, expected in all and left, on GPUs and on CPUs.

    Parameters
    ----------
    stages : sequence of Stage

    Returns
    -------
    list of str
        A sentence for each device that is used; expected times are job times added up.
    """
    lines = []
    for gpu, device in ((True, "GPU"), (False, "CPU")):
        spent, expected, left = (
            sum(getattr(stage, name)[gpu] for stage in stages) for name in ("spent", "expected", "left")
        )
        if spent or expected:
            lines.append(
                f"{device}: {spent / 3600:.2f} h spent; {expected / 3600:.2f} h expected in all, "
                f"{left / 3600:.2f} h of them left"
            )
    return lines


def text(stages: Sequence[Stage], jobs: Sequence[Job], *, every: bool = False) -> str:
    """Table for the terminal.

    Parameters
    ----------
    stages : sequence of Stage
    jobs : sequence of Job
    every : bool
        Finished stages too; they are counted in one line otherwise.

    Returns
    -------
    str
        Ends in a newline.
    """
    width = max([len(stage.rule) for stage in stages] + [26]) + 2
    head = f"{'':{width}}" + "".join(f"{name:>9}" for name in (*STATES, "spent", "expected"))
    lines = []
    for experiment, group in groupby(stages, key=lambda stage: stage.experiment):
        members = list(group)
        finished = [stage for stage in members if counts([stage])["done"] == stage.total]
        lines += ["", head.replace(" " * len(experiment), experiment, 1)]
        lines += [
            _row(f"  {stage.rule}", [stage], width) for stage in members if every or stage not in finished
        ]
        if finished and not every:
            noun = "stage" if len(finished) == 1 else "stages"
            lines.append(_row(f"  {len(finished)} finished {noun}", finished, width))
    lines += ["", _row("all jobs", stages, width), *notes(stages)]
    lines += [f"{job.state}: {job.name}: {job.message}" for job in jobs if job.message]
    return "\n".join(lines).lstrip("\n") + "\n"


def page(stages: Sequence[Stage], jobs: Sequence[Job], *, when: str, where: str) -> str:
    """One HTML page without scripts or other files.

    Parameters
    ----------
    stages : sequence of Stage
    jobs : sequence of Job
    when, where : str
        Shown under the title: the time, and host and folder.

    Returns
    -------
    str
    """
    total, n_jobs = counts(stages), sum(stage.total for stage in stages)
    key = "".join(f'<span class="{state}"></span>{state}' for state in STATES)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Status of the run</title>',
        f"<style>{_STYLE}</style></head><body><h1>{total['done']} of {n_jobs} jobs done</h1>",
        f'<p class="quiet">{escape(when)}, {escape(where)}; <code>make status</code> writes it anew.</p>',
        *(f"<p>{line}</p>" for line in notes(stages)),
        f'<p class="key">{key}</p>',
        _errors(jobs),
    ]
    for experiment, group in groupby(stages, key=lambda stage: stage.experiment):
        members = list(group)
        parts += [f"<h2>{escape(experiment)}</h2>", "<table>", _head()]
        parts += [_cells(stage.rule, [stage]) for stage in members]
        parts += [_cells("all", members, "sum"), "</table>"]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _times(stages: Sequence[Stage]) -> tuple[str, str]:
    spent, expected = (
        sum(sum(getattr(stage, name).values()) for stage in stages) for name in ("spent", "expected")
    )
    return duration(spent) if spent else "-", duration(expected)


def _row(label: str, stages: Sequence[Stage], width: int) -> str:
    numbers = [str(n) if n else "-" for n in counts(stages).values()]
    return f"{label:{width}}" + "".join(f"{cell:>9}" for cell in (*numbers, *_times(stages)))


def _head() -> str:
    names = ("step", "", *STATES, "spent", "expected", "on")
    return "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"


def _cells(label: str, stages: Sequence[Stage], kind: str = "step") -> str:
    number, total = counts(stages), sum(stage.total for stage in stages)
    bar = "".join(
        f'<span class="{state}" style="width:{100 * n / total:.2f}%"></span>'
        for state, n in number.items()
        if n
    )
    devices = [
        name
        for gpu, name in ((True, "GPU"), (False, "CPU"))
        if any(stage.expected[gpu] or stage.spent[gpu] for stage in stages)
    ]
    cells = [f'<td class="bar"><div>{bar}</div></td>']
    cells += [f"<td>{n}</td>" if n else '<td class="zero">0</td>' for n in number.values()]
    cells += [f"<td>{time}</td>" for time in (*_times(stages), ", ".join(devices))]
    return f'<tr class="{kind}"><td>{escape(label)}</td>' + "".join(cells) + "</tr>"


def _errors(jobs: Sequence[Job]) -> str:
    rows = [
        f"<dt>{escape(job.name)} ({job.state})</dt><dd>{escape(job.message)}<br>"
        f'<span class="quiet">{escape(job.log)}</span></dd>'
        for job in jobs
        if job.message
    ]
    return f'<dl class="errors">{"".join(rows)}</dl>' if rows else ""
