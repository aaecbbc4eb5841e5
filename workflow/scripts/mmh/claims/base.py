"""What a claim of the papers says of itself, and what its test may read.

A claim is a row of `CLAIMS`: its number, its statement, what it needs, its options and its test. The test
reads plain tables and yields findings, each a statistic with its interval and a region: the claim `holds` if
the interval lies wholly inside the claimed region, `fails` if it lies wholly outside, and is `undecided`
otherwise. Where the answer hangs on a choice that the analyst has made, it is asked under each choice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import create_model

from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, PromptSetName
from mmh.rows import Row, Table

if TYPE_CHECKING:
    import pandas as pd

    from mmh.stats.resampling import Interval

Region = tuple[float, float]
"""Where a claim says that its statistic lies; infinite where one-sided. Its ends are on neither side."""
HALF = "0.5: the score says nothing of the groups"
SMALL_AUC = 0.56
"""AUC of two normal laws a fifth of a standard deviation apart (.556): Cohen's small effect."""


@dataclass(frozen=True)
class Finding:
    """One statistic of a claim.

    Attributes
    ----------
    statistic : str
        What is asked, in words, with the region.
    at : callable
        Its interval, by the keyword `level` in (0, 1).
    region : (float, float)
        Where the claim says that the statistic lies.
    null : str
        What it would be if the claim were wrong: where it comes from by chance alone.
    role : {"claim", "control"}
        A control is asked where nothing is memorized; it holds if nothing is found.
    under : str
        The choice under which it is asked, where the claim is asked under several.
    beside : str
        What else tells the groups apart, and how well.
    """

    statistic: str
    at: Callable[..., Interval]
    region: Region
    null: str
    role: Literal["claim", "control"] = "claim"
    under: str = ""
    beside: str = ""


class Relevance(options.Options):
    """What an order must come to, to count."""

    least_auc: float = Field(default=SMALL_AUC, ge=0.5, lt=1)
    """Claims 2, 3, 9, 11, 16: least AUC that tells; .56 is Cohen's small effect"""


class Gain(options.Options):
    """What one score must gain over another, to count."""

    least_gain: float = Field(default=0.02, ge=0, lt=1)
    """Claims 6, 7, 10: least gain of AUC that is an improvement"""


@dataclass(frozen=True)
class Context:
    """What a claim's test may read.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        Those that the claim names, and perhaps others.
    options : Options
        An object of the claim's own `Options`.
    resamples, seed : int
        Of the bootstrap.
    exclude : collection of int
        Samples that calibrated t0.
    """

    tables: Mapping[str, pd.DataFrame]
    options: Any
    resamples: int
    seed: int
    exclude: Collection[int] = ()

    def labelled(self, estimators: Sequence[str]) -> pd.DataFrame:
        """Scores of the labelled samples, as `evaluation.samples.labelled_scores` gives them."""
        from mmh.evaluation.samples import labelled_scores

        return labelled_scores(
            *(self.tables[name] for name in ("scores", "labels", "matches", "train")),
            estimators=estimators,
            exclude=self.exclude,
        )

    def images(self, names: Sequence[str], estimators: Sequence[str]) -> pd.DataFrame:
        """Scores of the images of some sets, as `evaluation.image_sets.side_by_side` gives them."""
        from mmh.evaluation.image_sets import side_by_side

        return side_by_side(self.tables["scores"], self.tables["image_sets"], names, estimators)

    def prompts(self, names: Sequence[str], asked: Sequence[Any]) -> pd.DataFrame:
        """Statistics of the prompts of some sets, as `detection.by_step.prompt_statistics` gives them."""
        from mmh.detection.by_step import prompt_statistics

        return prompt_statistics(self.tables["prompts"], self.tables["prompt_scores"], names, asked)


class PromptGroups(options.Options):
    """Prompts of memorized images, and others."""

    memorized_prompts: PromptSetName = "memorized"
    """Claims sail, 12a to 15: set of the memorized prompts."""
    control_prompts: PromptSetName = "control"
    """Claims sail, 12a, 13, 14: set of other prompts, where nothing is to be found."""


class FlipdName(options.Options):
    """The estimator that most claims are about."""

    flipd: EstimatorName = "flipd"
    """Claim 1: the estimator that is read at the three places; 7, 9, 10, 18: FLIPD given the caption."""


class Claim(Row):
    """One claim of the papers.

    Attributes
    ----------
    name : str
        Its number, as ``claims: check`` gives it.
    statement : str
        What it says, in one sentence.
    figure : str
        The figure that shows it.
    needs : tuple of str
        Sections of the experiment that it cannot do without, and parts of them after a dot.
    worlds : tuple of str
        The worlds that it is about; empty: any.
    tables : tuple of str
        Tables that its test reads: `scores` (with `items`), `evaluation`, `labels`, `matches`, `train`,
        `paired`, `image_sets`, `regions`, `mitigated`, `rewritten`, `words`, `prompts`, `prompt_scores`.
    perhaps : tuple of str
        Those that it reads where an experiment has them.
    """

    statement: ClassVar[str] = ""
    figure: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    worlds: ClassVar[tuple[str, ...]] = ()
    tables: ClassVar[tuple[str, ...]] = ()
    perhaps: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Yield each statistic with its interval and the region in which the claim says that it lies.

        Nothing where the tables hold no data on it.
        """
        raise NotImplementedError(cls.__name__)


CLAIMS = Table("claim", "mmh.claims", Claim)


def claim_numbers() -> list[str]:
    """Names of all claims, numbers first."""
    return sorted(CLAIMS.rows(), key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else name))


def claim_options() -> type[options.Options]:
    """One class with the options of all claims: they stand side by side in the section `claims`.

    An option that several claims have is one and the same.
    """
    found = list(dict.fromkeys(claim.Options for claim in CLAIMS.rows().values()))
    leaves = tuple(own for own in found if not any(own in other.__mro__[1:] for other in found))
    return create_model("ClaimOptions", __base__=leaves)
