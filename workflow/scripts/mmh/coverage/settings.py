"""What the study of coverage simulates: every kind of interval, at sizes and correlations of the demo.

Scores are normal with unit variance within a class: a cluster's share of the variance is the correlation
within clusters. So the AUC of a shift m is Phi(m / sqrt 2) and the TPR at a false-positive rate a is
Phi(m + Phi^-1(a)), and medians and rank correlations have closed forms, too.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmh.coverage.drawing import labels, normal
from mmh.coverage.mitigations import mitigation_settings
from mmh.coverage.study import Drawn, Setting
from mmh.coverage.trainings import training_settings
from mmh.stats.clusters import share_interval, t_quantile
from mmh.stats.correlation import spearman_difference, spearman_interval
from mmh.stats.curves import auc_interval, paired_auc_difference, tpr_interval
from mmh.stats.medians import median_interval
from mmh.stats.resampling import Interval

GAN = (70, 65, 34, 33, 33, 27, 26, 19, 14, 14, 7, 3, 1)
"""Exact copies of `digits-gan` by repeated image."""
GAN_OTHERS = (33, 24, 22, 19, 19, 18, 17, *[14] * 20, *[11] * 20, *[8] * 30, *[5] * 40, *[2] * 45, *[1] * 32)
"""Its samples that are not memorized, by the training image that they match."""
DIGITS = (53, 48, 47, 45, 45, 41, 40, 39, 39, 38, 38, 37, 37, 36, 32, 28, 28, 27, 24, 23)
"""Exact copies of `digits`."""
DIGITS_OTHERS = (14, 9, *[7] * 9, *[5] * 26, *[4] * 31, *[3] * 52, *[2] * 86, *[1] * 117)
ONES = tuple([1] * 64)


def _phi(x: float) -> float:
    from scipy.stats import norm

    return float(norm.cdf(x))


def _shift(area: float) -> float:
    from scipy.stats import norm

    return float(np.sqrt(2) * norm.ppf(area))


def _two_classes(
    stream: np.random.Generator,
    up: Sequence[int],
    down: Sequence[int],
    within: tuple[float, float],
    *how: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of both classes before any shift, their class, and their cluster."""
    values = np.concatenate([normal(stream, up, within[0], *how), normal(stream, down, within[1], *how)])
    cluster = np.concatenate([labels(up), labels(down, len(up))])
    return values, np.arange(len(values)) < sum(up), cluster


def _area(area: float, up: Sequence[int], down: Sequence[int], within: tuple[float, float]) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values, positive, cluster = _two_classes(stream, up, down, within)
        return auc_interval(values[:, 0] + _shift(area) * positive, positive, cluster), area

    return draw


def _gain(
    areas: tuple[float, float], up: Sequence[int], down: Sequence[int], within: tuple[float, float]
) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values, positive, cluster = _two_classes(stream, up, down, within, 2, 0.8)
        moved = values + positive[:, None] * np.array([_shift(area) for area in areas])
        found = paired_auc_difference(moved[:, 0], moved[:, 1], positive, cluster)
        return found, areas[0] - areas[1]

    return draw


def _rate(area: float, up: Sequence[int], down: Sequence[int], within: tuple[float, float]) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values, positive, cluster = _two_classes(stream, up, down, within)
        found = tpr_interval(values[:, 0] + _shift(area) * positive, positive, cluster)
        return found, _phi(_shift(area) + -2.3263478740408408)

    return draw


def _median(sizes: Sequence[int], within: float, step: float = 0.0) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values = normal(stream, sizes, within)[:, 0]
        values = np.round(values / step) * step if step else values
        return median_interval(values, clusters=labels(sizes)), 0.0

    return draw


def _median_change(
    up: Sequence[int], down: Sequence[int], within: tuple[float, float], step: float = 0.0
) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values, positive, cluster = _two_classes(stream, up, down, within)
        values = values[:, 0] + positive
        values = np.round(values / step) * step if step else values
        parts = (values[positive], values[~positive])
        groups = {"clusters": cluster[positive], "other_clusters": cluster[~positive]}
        return median_interval(*parts, **groups), 1.0

    return draw


def _median_paired(n: int) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values = normal(stream, [1] * n, 0.0, 2, 0.6)
        found = median_interval(values[:, 0] + 1, values[:, 1], paired=True)
        return found, 1.0

    return draw


def _rank(correlation: float, sizes: Sequence[int], within: float) -> Any:
    def draw(stream: np.random.Generator) -> Drawn:
        values = normal(stream, sizes, within, 2, correlation)
        found = spearman_interval(values[:, 0], values[:, 1], labels(sizes))
        return found, float(6 / np.pi * np.arcsin(correlation / 2))

    return draw


def _rank_gain(correlation: float, kept: float, sizes: Sequence[int], within: float) -> Any:
    """Cohen's q; of the other score's variance only a part, `kept`, has to do with the first."""

    def draw(stream: np.random.Generator) -> Drawn:
        values = normal(stream, sizes, within, 3, correlation)
        noise = normal(stream, sizes, within)[:, 0]
        other = np.sqrt(kept) * values[:, 2] + np.sqrt(1 - kept) * noise
        found = spearman_difference(values[:, 0], values[:, 1], other, labels(sizes))
        ranks = [6 / np.pi * np.arcsin(r / 2) for r in (correlation, np.sqrt(kept) * correlation)]
        return found, float(np.arctanh(ranks[0]) - np.arctanh(ranks[1]))

    return draw


def _share(p: float, sizes: Sequence[int], within: float) -> Any:
    from scipy.stats import norm

    cut = float(norm.ppf(p))

    def draw(stream: np.random.Generator) -> Drawn:
        return share_interval(normal(stream, sizes, within)[:, 0] < cut, labels(sizes)), p

    return draw


def _count(spread: float) -> Any:
    """Singular values of 32 directions around a threshold, from 128 copies in 4 groups."""

    def draw(stream: np.random.Generator) -> Drawn:
        from mmh.lid.normal_bundle import count_stderr

        dim, copies, groups = 32, 128, 4
        scale = np.exp(np.linspace(-spread, spread, dim))
        cloud = stream.normal(size=(copies, dim)) * scale
        parts = np.split(cloud, groups)
        whole = np.linalg.svd(cloud, compute_uv=False) / np.sqrt(copies)
        rest = [np.concatenate([p for h, p in enumerate(parts) if h != g]) for g in range(groups)]
        left_out = np.stack([np.linalg.svd(r, compute_uv=False) / np.sqrt(len(r)) for r in rest])
        # As count_stderr counts: between neighbouring values, since a whole count is rounded.
        estimate = float(np.interp(1.0, whole[::-1], np.arange(dim) + 0.5, left=0.0, right=dim))
        half = t_quantile(groups - 1) * float(count_stderr(left_out[None], 1.0)[0])
        return Interval(estimate, estimate - half, estimate + half, copies, n_clusters=groups), np.nan

    return draw


def _text(n: int) -> Any:
    """The n-gram control on idle labels: captions of one template, each a family."""

    def draw(stream: np.random.Generator) -> Drawn:
        from mmh.prompts.words import NGRAMS, word_controls

        kinds = ("bold", "thin", "tall", "wide", "slanted", "round", "small", "large")
        places = ("paper", "slate", "glass", "stone", "cloth", "wood", "tin", "sand")
        texts = [
            f"a {kinds[a]} {kinds[b]} digit {c} on {places[d]}"
            for a, b, c, d in stream.integers(0, 8, size=(2 * n, 4))
        ]
        positive = np.arange(2 * n) < n
        score = word_controls(texts, positive, np.arange(2 * n), seed=int(stream.integers(2**31)))[NGRAMS]
        return auc_interval(score.to_numpy(), positive), 0.5

    return draw


def _settings() -> Iterator[Setting]:
    gan, digits = (GAN, GAN_OTHERS), (DIGITS, DIGITS_OTHERS)
    strong, weak = (0.39, 0.1), (0.01, 0.01)
    for name, area, up, down, within in (
        ("digits-gan, correlation .39", 0.84, *gan, strong),
        ("digits-gan, correlation 0", 0.84, *gan, (0.0, 0.0)),
        ("digits-gan, correlation .5", 0.988, *gan, (0.5, 0.1)),
        ("digits-gan, correlation .39", 0.998, *gan, strong),
        ("digits, correlation .01", 0.988, *digits, weak),
        ("digits, correlation .5", 0.988, *digits, (0.5, 0.1)),
        ("digits with the family of 259, correlation .1", 0.97, (259, *DIGITS), DIGITS_OTHERS, (0.1, 0.1)),
        ("2 clusters, correlation .39", 0.84, (100, 60), GAN_OTHERS, strong),
        ("3 clusters, correlation .39", 0.84, (100, 60, 40), GAN_OTHERS, strong),
        ("5 clusters, correlation .39", 0.84, (60, 50, 40, 30, 20), GAN_OTHERS, strong),
        ("39 clusters of 5, correlation .39", 0.95, [5] * 39, GAN_OTHERS, strong),
        ("60 clusters of 5, correlation .39", 0.95, [5] * 60, GAN_OTHERS, strong),
        ("20 against 20, independent", 0.9, [1] * 20, [1] * 20, (0, 0)),
        *(("64 against 64, independent", a, ONES, ONES, (0, 0)) for a in (0.5, 0.85, 0.98, 0.995, 0.998)),
        ("64 against 200, independent", 0.9, ONES, [1] * 200, (0, 0)),
    ):
        yield Setting("AUC", f"{name}: {area:g}", _area(area, up, down, within), sum(up) / 100)
    for name, areas, up, down, within in (
        ("digits-gan, correlation .39", (0.82, 0.84), *gan, strong),
        ("digits, correlation .01", (0.988, 0.988), *digits, weak),
        ("digits, correlation .01, small gain", (0.985, 0.988), *digits, weak),
        ("64 against 64, independent", (0.85, 0.8), ONES, ONES, (0, 0)),
        ("64 against 64, independent, near 1", (0.98, 0.995), ONES, ONES, (0, 0)),
        ("64 against 200, independent", (0.9, 0.6), ONES, [1] * 200, (0, 0)),
    ):
        yield Setting("difference of AUC", name, _gain(areas, up, down, within), 20)
    for name, area, up, down, within in (
        ("digits-gan, correlation .39", 0.84, *gan, strong),
        ("digits, correlation .01", 0.988, *digits, weak),
        ("64 against 800, independent", 0.95, ONES, [1] * 800, (0, 0)),
        ("64 against 64, independent", 0.95, ONES, ONES, (0, 0)),
    ):
        yield Setting("TPR at 1 % FPR", name, _rate(area, up, down, within))
    for name, sizes, spread, step in (
        ("26 independent", [1] * 26, 0.0, 0.0),
        ("64 independent", ONES, 0.0, 0.0),
        ("400 independent", [1] * 400, 0.0, 0.0),
        ("400 independent counts", [1] * 400, 0.0, 0.25),
        ("digits-gan, correlation .39", GAN, 0.39, 0.0),
        ("digits, correlation .1", DIGITS, 0.1, 0.0),
        ("5 clusters of 40, correlation .39", [40] * 5, 0.39, 0.0),
        ("194 clusters of others, correlation .1", GAN_OTHERS, 0.1, 0.0),
    ):
        yield Setting("median", name, _median(sizes, spread, step), 3)
    for name, up, down, within, step in (
        ("digits-gan, correlation .39", *gan, strong, 0.0),
        ("digits-gan, correlation .39, counts", *gan, strong, 0.25),
        ("digits, correlation .01", *digits, weak, 0.0),
        ("64 against 64, independent", ONES, ONES, (0.0, 0.0), 0.0),
    ):
        yield Setting("difference of medians", name, _median_change(up, down, within, step), 5)
    yield Setting("difference of medians", "60 pairs", _median_paired(60), 5)
    for name, correlation, sizes, spread in (
        ("64 independent, .6", 0.6, ONES, 0.0),
        ("64 independent, .98", 0.98, ONES, 0.0),
        ("200 independent", 0.95, [1] * 200, 0.0),
        ("13 clusters, correlation .39", 0.6, GAN, 0.39),
        ("20 clusters, correlation .1", 0.6, DIGITS, 0.1),
    ):
        yield Setting("Spearman", name, _rank(correlation, sizes, spread), 20)
    for name, correlation, kept, sizes, spread in (
        ("64 independent, alike at .6", 0.6, 1.0, ONES, 0.0),
        ("64 independent, alike at .98", 0.98, 1.0, ONES, 0.0),
        ("64 independent, .98 against .95", 0.98, 0.94, ONES, 0.0),
        ("20 clusters, correlation .1, .6 against .5", 0.6, 0.7, DIGITS, 0.1),
    ):
        yield Setting("difference of Spearman", name, _rank_gain(correlation, kept, sizes, spread), 20)
    for name, p, sizes, spread in (
        ("digits, correlation .39", 0.94, DIGITS, 0.39),
        ("60 independent", 0.9, [1] * 60, 0.0),
    ):
        yield Setting("share", name, _share(p, sizes, spread))
    yield Setting("text control", "64 + 64 captions, idle labels", _text(64), 1000, 0.75)
    for name, width in (("a dense spectrum", 0.5), ("a clear gap", 3.0)):
        yield Setting("jackknife of counts", name, _count(width), 5)


SETTINGS = [*_settings(), *mitigation_settings(), *training_settings(GAN, GAN_OTHERS, (0.39, 0.1))]
