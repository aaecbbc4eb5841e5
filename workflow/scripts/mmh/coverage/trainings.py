"""What the study of coverage simulates of several trainings: AUC with an effect of each training.

All trainings learn from the same data: each cluster's part of a score is the same in all of them, samples
are drawn anew, and the logit of the AUC has a normal effect of the training.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmh.coverage.study import Drawn, Setting
from mmh.evaluation.runs.trainings import half_a_pair
from mmh.stats.curves import auc_interval
from mmh.stats.resampling import Interval
from mmh.stats.trainings import SCALES, on_scale, over_trainings


def _trained(
    count: int,
    spread: float,
    up: Sequence[int],
    down: Sequence[int],
    within: tuple[float, float],
    *,
    further: bool = True,
) -> Any:
    """An interval over trainings, as its distance on the logit scale from what it is to hold: zero.

    Parameters
    ----------
    count : int
        Trainings.
    spread : float
        Standard deviation of the logit between trainings.
    up, down : sequence of int
        Sizes of the clusters of both classes.
    within : (float, float)
        Correlation within them, of each class.
    further : bool
        Of one further training; else of the mean over trainings.
    """
    from scipy.stats import norm

    sizes = np.array([*up, *down])
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    positive = cluster < len(up)
    share = np.where(positive, *within)
    logit, middle = SCALES["logit"], 0.84

    def draw(stream: np.random.Generator) -> Drawn:
        shared = np.sqrt(share) * stream.normal(size=len(sizes))[cluster]
        logits = logit.there(middle) + spread * stream.normal(size=count + 1)
        found = []
        for area in map(logit.back, logits[:count]):
            own = np.sqrt(1 - share) * stream.normal(size=len(cluster))
            score = shared + own + np.sqrt(2) * norm.ppf(area) * positive
            found.append(auc_interval(score, positive, cluster))
        df, edge = found[0].n_clusters - 1, half_a_pair(int(positive.sum()), int((~positive).sum()))
        pairs = [on_scale("logit", one.estimate, one.low, one.high, df, edge) for one in found]
        over = over_trainings([value for value, _ in pairs], [error for _, error in pairs], df)
        truth = logits[-1] if further else logit.there(middle)
        low, high = (end - truth for end in (over.one if further else over.mean))
        return Interval(over.centre - truth, low, high, found[0].n, n_clusters=found[0].n_clusters), 0.0

    return draw


def training_settings(
    up: Sequence[int], down: Sequence[int], within: tuple[float, float]
) -> Iterator[Setting]:
    """Settings at sizes and correlations of clusters that give the logit a variance W of about .37^2."""
    one, ones = "AUC of one further training, logit", [1] * 64
    for name, count, spread in (
        ("2 trainings, variance of trainings W", 2, 0.37),
        ("3 trainings, variance of trainings W", 3, 0.37),
        ("5 trainings, variance of trainings W / 10", 5, 0.12),
        ("5 trainings, variance of trainings W", 5, 0.37),
        ("5 trainings, variance of trainings 10 W", 5, 1.2),
    ):
        yield Setting(one, name, _trained(count, spread, up, down, within), 4.0 * count)
    name = "5 trainings, variance of trainings W, error of samples alone"
    yield Setting(one, name, _trained(5, 0.26, ones, ones, (0.0, 0.0)), 20.0)
    mean = _trained(5, 0.37, up, down, within, further=False)
    yield Setting("mean AUC over trainings, logit", "5 trainings, variance of trainings W", mean, 20.0)
