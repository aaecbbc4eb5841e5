"""The answer about someone's prompts: what is computed, and what is said of it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mmh.audit.conformal import SetTest, benjamini_hochberg, conformal_p, set_test
from mmh.detection.prompt_detectors import prompt_detectors

EDITED = (
    "The control prompts were made from yours by `mmh audit`: in each, the order of the words was shuffled. "
    "A model that has memorized single words, and not the sentence, reacts to both alike: then real control "
    "prompts, of the same kind as yours and surely not trained on, tell more (--control)."
)


@dataclass
class PromptFindings:
    """What an audit of prompts found.

    Attributes
    ----------
    table : pandas.DataFrame
        A row per prompt, the most suspect first.
    sentence : str
    found : int
        Prompts called memorized.
    whole : SetTest or None
        Test of the set as a whole, where there are control prompts.
    notes : list of str
        What was assumed.
    """

    table: pd.DataFrame
    sentence: str
    found: int
    whole: SetTest | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def yes(self) -> bool:
        """Whether anything was found."""
        return self.found > 0 or (self.whole is not None and self.whole.p <= 0.05)


def answer_prompts(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    asked: str,
    control: str | None,
    edited: bool,
    metric: str,
    level: float,
    rng: np.random.Generator,
) -> PromptFindings:
    """Rank prompts by a metric of their sampling, and test them against control prompts.

    Parameters
    ----------
    prompts, scores : pandas.DataFrame
        ``prompts.parquet`` and ``prompt_scores``, of both sets.
    asked, control : str
        Prompt sets; no control: no test.
    edited : bool
        Whether the control prompts were made of those asked about.
    metric : str
    level : float
        False discovery rate.
    rng : numpy.random.Generator

    Returns
    -------
    PromptFindings
    """
    kept = scores[scores["metric"] == metric]
    each = int(kept["generation"].nunique())
    values = prompt_detectors(kept, steps=(1,), generations=(each,))[f"{metric}.mean.n{each}"]
    mine = prompts[prompts["prompt_set"] == asked].sort_values("prompt", ignore_index=True)
    table = mine[["prompt", "text", "family"]].assign(score=values.loc[asked].to_numpy())
    whole, notes = None, [_meaning(metric, each)]
    if control is None:
        table = table.assign(percentile=np.nan, p=np.nan, q=np.nan)
        notes.append("No control prompts were given: prompts are ranked, and none is tested.")
    else:
        null = values.loc[control].to_numpy()
        p = conformal_p(table["score"].to_numpy(), null)
        below = np.searchsorted(np.sort(null), table["score"].to_numpy()) / len(null)
        table = table.assign(percentile=100 * below, p=p, q=benjamini_hochberg(p))
        whole = set_test(table["score"].to_numpy(), null, rng, clusters=pd.factorize(table["text"])[0])
        notes += _of_control(len(null), table, level, edited)
    table = table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    found = int((table["q"] <= level).sum())
    return PromptFindings(table, _sentence(table, found, level, whole), found, whole, notes)


def _meaning(metric: str, each: int) -> str:
    return (
        f"Score: {metric}, averaged over all steps of {each} generations of each prompt. cfg_norm is the "
        "norm of the difference that the prompt makes to the predicted noise (Wen et al. 2024): large where "
        "the prompt forces one image."
    )


def _of_control(n: int, table: pd.DataFrame, level: float, edited: bool) -> list[str]:
    asked, families = len(table), int(table["family"].nunique())
    lines = [
        f"The null are {n} control prompts. A p-value is (1 + number of control prompts with at least this "
        f"score) / ({n} + 1); q-values are Benjamini and Hochberg's. Assumed: a prompt that is not "
        "memorized and a control prompt are exchangeable: of one kind, length and style.",
    ]
    if families < asked:
        alike = f"{families} families" if families > 1 else "one family"
        lines.append(
            f"Your {asked} prompts are {alike} of like wording. Prompts of one family are not independent: "
            "the test of the set as a whole then says more than they know."
        )
    if edited:
        lines.append(EDITED)
    least = 1 / (n + 1)
    if least > level:
        together = int(np.ceil(asked * least / level))
        can = f"only if at least {together} do so together" if together <= asked else "not at all"
        lines.append(
            f"With {n} control prompts the smallest p-value is {least:.2g}: single prompts can reach q <= "
            f"{level:g} {can}. Give more control prompts."
        )
    return lines


def _sentence(table: pd.DataFrame, found: int, level: float, whole: SetTest | None) -> str:
    """The answer, with its uncertainty."""
    n = len(table)
    if whole is None:
        return (
            f"Ranked, not tested: of your {n} prompts the first in the list are the most suspect. Without "
            "control prompts nobody can say how suspect."
        )
    as_set = (
        f" As a set, your prompts score {'higher' if whole.p <= 0.05 else 'no higher'} than the control "
        f"prompts (p = {whole.p:.2g}; one of yours above a control prompt in {100 * whole.area:.0f} % of "
        "pairs, 50 % being chance)."
    )
    if found:
        return (
            f"Yes: the model memorizes {found} of your {n} prompts, of which about "
            f"{max(1, round(found * level))} may be false alarms (false discovery rate {100 * level:g} "
            f"%).{as_set}"
        )
    if whole.p <= 0.05:
        return f"In part: no single prompt of your {n} stands out.{as_set}"
    rate = f"false discovery rate {100 * level:g} %"
    return f"No sign of it: none of your {n} prompts stands out ({rate}).{as_set}"
