"""What the study of coverage simulates of mitigations: paired differences of shares and of mean cosines.

Generations of a prompt are one family. A generation's value without the mitigation and with it are normal
with a correlation of .8, since both begin with one noise; a family's share of the variance is the
correlation within it. A copy is a value below a quantile, a cosine is Phi(s z + m): both have closed means.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mmh.coverage.drawing import labels, normal
from mmh.coverage.study import Drawn, Setting
from mmh.mitigated.table import difference_interval, interval_of

SPREAD = 0.8
"""s, of mean cosines."""


def _pairs(stream: np.random.Generator, prompts: int, each: int, within: float) -> tuple[np.ndarray, ...]:
    """Values (n, 2) without and with the mitigation, and their family."""
    sizes = [each] * prompts
    return normal(stream, sizes, within, 2, 0.8), labels(sizes)


def _shares(before: float, after: float, prompts: int, each: int, within: float) -> Any:
    from scipy.stats import norm

    cuts = norm.ppf([before, after])

    def draw(stream: np.random.Generator) -> Drawn:
        values, family = _pairs(stream, prompts, each, within)
        copies = (values < cuts).astype(np.float64)
        rows = pd.DataFrame({"difference": copies[:, 1] - copies[:, 0], "family": family})
        return difference_interval(rows, "copies"), after - before

    return draw


def _cosines(before: float, after: float, prompts: int, each: int, within: float) -> Any:
    from scipy.stats import norm

    middles = np.sqrt(1 + SPREAD**2) * norm.ppf([before, after])

    def draw(stream: np.random.Generator) -> Drawn:
        values, family = _pairs(stream, prompts, each, within)
        cosines = norm.cdf(SPREAD * values + middles)
        rows = pd.DataFrame({"difference": cosines[:, 1] - cosines[:, 0], "family": family})
        return difference_interval(rows, "similarity"), after - before

    return draw


def _cosine(mean: float, prompts: int, each: int, within: float) -> Any:
    from scipy.stats import norm

    middle = float(np.sqrt(1 + SPREAD**2) * norm.ppf(mean))

    def draw(stream: np.random.Generator) -> Drawn:
        values, family = _pairs(stream, prompts, each, within)
        return interval_of(norm.cdf(SPREAD * values[:, 0] + middle), family, "similarity"), mean

    return draw


def mitigation_settings() -> Iterator[Setting]:
    """Settings at the number of prompts that a mitigation is judged on, 48, and at a few."""
    for before, after, prompts, each, within in (
        (0.45, 0.45, 48, 2, 0.5),
        (0.45, 0.35, 48, 2, 0.5),
        (0.45, 0.05, 48, 2, 0.5),
        (0.45, 0.35, 12, 4, 0.5),
        (0.05, 0.05, 48, 2, 0.5),
        (0.02, 0.01, 48, 2, 0.5),
        (0.95, 0.92, 48, 4, 0.8),
    ):
        name = f"{prompts} prompts of {each}, correlation {within:g}: {before:g} to {after:g}"
        yield Setting("difference of shares", name, _shares(before, after, prompts, each, within), 2)
    for before, after, prompts, each, within in (
        (0.8, 0.8, 48, 2, 0.5),
        (0.9, 0.6, 48, 4, 0.8),
        (0.8, 0.75, 12, 4, 0.5),
    ):
        name = f"{prompts} prompts of {each}, correlation {within:g}: {before:g} to {after:g}"
        yield Setting("difference of mean cosines", name, _cosines(before, after, prompts, each, within), 2)
    for mean, prompts, each, within in ((0.8, 48, 2, 0.5), (0.95, 48, 4, 0.8), (0.6, 12, 4, 0.5)):
        name = f"{prompts} prompts of {each}, correlation {within:g}: {mean:g}"
        yield Setting("mean cosine", name, _cosine(mean, prompts, each, within), 2)
