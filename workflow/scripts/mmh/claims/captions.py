"""The claims about text-to-image models: 7, 8, 9, 10, 11 and 18, on scores of real images with captions.

Every contrast sets the memorized images (`positive_set`) against one other image set, and every interval
draws families of images together. Scores are oriented as the papers expect: small LID and small PNG size,
but a large CFG-vector norm, speak for memorization.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.image_sets import side_by_side
from mmh.stats.correlation import spearman_interval
from mmh.stats.curves import Interval, median_interval, paired_auc_difference

if TYPE_CHECKING:
    from mmh.claims.samples import Context, Finding

# The options of these claims; names of image sets and of estimators, besides `flipd`, which claim 1 has too.
DEFAULTS: dict[str, Any] = {
    "positive_set": "memorized",
    "negative_sets": [],  # all other image sets if empty
    "flipd_uncond": "flipd_uncond",  # FLIPD with the empty caption
    "cfg_norm": "cfg_norm",  # CFG-vector norm
    "complexity": "png",  # PNG size of the decoded latents
    "guided_norm": "guided_norm",  # claim 8: norm of the guided score
    "cfg_difference": "cfg_difference",  # claim 8: norm of the CFG vector at the same t and place
    "least_correlation": 0.5,  # claim 8: what "agree" means, Spearman
}

TABLES = ("scores", "image_sets")
MIN_CLASS = 2


def _contrasts(context: Context) -> list[str]:
    """Names of the sets that the memorized images are compared with."""
    known = list(dict.fromkeys(context.tables["image_sets"]["items"]))
    positive = context.options["positive_set"]
    if positive not in known:
        raise InputError(
            f"claims.positive_set: there is no image set '{positive}'; there are {', '.join(known)}"
        )
    return list(context.options["negative_sets"]) or [name for name in known if name != positive]


def _pairs(context: Context, estimators: Sequence[str]) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """Images of each contrast that have all scores, where both classes have at least two."""
    positive = context.options["positive_set"]
    for number, negative in enumerate(_contrasts(context)):
        table = side_by_side(
            context.tables["scores"], context.tables["image_sets"], [positive, negative], estimators
        ).dropna(subset=list(estimators))
        count = int((table["items"] == positive).sum())
        if min(count, len(table) - count) >= MIN_CLASS:
            yield number, f"{positive} against {negative}", table


def _gain(
    context: Context, table: pd.DataFrame, score: np.ndarray, other: np.ndarray, ids: list[int]
) -> Interval:
    return paired_auc_difference(
        score,
        other,
        (table["items"] == context.options["positive_set"]).to_numpy(),
        table["family"].to_numpy(),
        ids=ids,
        resamples=context.resamples,
        seed=context.seed,
    )


def complexity_explains_less(context: Context) -> Iterator[Finding]:
    """Claim 7: a small FLIPD tells memorized images better than a small PNG size does, on each contrast."""
    png = context.options["complexity"]
    for which, name in enumerate(context.options[key] for key in ("flipd", "flipd_uncond")):
        for number, contrast, table in _pairs(context, [name, png]):
            interval = _gain(
                context, table, -table[name].to_numpy(), -table[png].to_numpy(), [7, which, number]
            )
            yield f"AUC of {name} minus {png}, {contrast} (above 0)", interval, (0.0, np.inf)


def norms_agree(context: Context) -> Iterator[Finding]:
    """Claim 8: the guided score's norm rises with the CFG vector's, over all images and within each set.

    The sets have a row each, because two groups of images that differ in both norms correlate together even
    if the norms have nothing to do with each other within either.
    """
    guided, difference = context.options["guided_norm"], context.options["cfg_difference"]
    names = [context.options["positive_set"], *_contrasts(context)]
    scored = side_by_side(
        context.tables["scores"], context.tables["image_sets"], names, [guided, difference]
    ).dropna()
    least = context.options["least_correlation"]
    groups = [("all images", scored), *((name, scored[scored["items"] == name]) for name in names)]
    for number, (name, table) in enumerate(groups):
        if len(table):
            interval = spearman_interval(
                table[difference].to_numpy(),
                table[guided].to_numpy(),
                table["family"].to_numpy(),
                ids=[8, number],
                resamples=context.resamples,
                seed=context.seed,
            )
            statistic = f"Spearman correlation of {guided} and {difference}, {name} (above {least:g})"
            yield statistic, interval, (least, np.inf)


def _detects(context: Context, names: Sequence[str]) -> Iterator[Finding]:
    """Rows of the evaluation, whose scores are oriented alike."""
    rows = context.tables["evaluation"].set_index(["contrast", "estimator"])
    positive = context.options["positive_set"]
    for name in names:
        for negative in _contrasts(context):
            key = (f"{positive}-{negative}", name)
            if key in rows.index:
                row = rows.loc[key]
                n = int(row.n_positive + row.n_negative)
                interval = Interval(row.auc, row.auc_low, row.auc_high, n)
                yield f"AUC of {name}, {positive} against {negative} (above .5)", interval, (0.5, np.inf)


def each_detects(context: Context) -> Iterator[Finding]:
    """Claim 9: FLIPD, with and without the caption, and the CFG-vector norm each detect memorized images."""
    return _detects(context, [context.options[key] for key in ("flipd", "flipd_uncond", "cfg_norm")])


def cfg_norm_best(context: Context) -> Iterator[Finding]:
    """Claim 10: the CFG-vector norm detects better than either FLIPD, on each contrast."""
    norm = context.options["cfg_norm"]
    for which, name in enumerate(context.options[key] for key in ("flipd", "flipd_uncond")):
        for number, contrast, table in _pairs(context, [norm, name]):
            interval = _gain(
                context, table, table[norm].to_numpy(), -table[name].to_numpy(), [10, which, number]
            )
            yield f"AUC of {norm} minus {name}, {contrast} (above 0)", interval, (0.0, np.inf)


def detects_without_caption(context: Context) -> Iterator[Finding]:
    """Claim 11: FLIPD detects memorized images without any caption."""
    return _detects(context, [context.options["flipd_uncond"]])


def caption_lowers_lid(context: Context) -> Iterator[Finding]:
    """Claim 18: LID(x | c) <= LID(x) (Proposition 3.2), image by image on the estimates."""
    conditional, unconditional = context.options["flipd"], context.options["flipd_uncond"]
    positive, others = context.options["positive_set"], _contrasts(context)
    for number, (what, names) in enumerate(((positive, [positive]), ("the other images", others))):
        table = side_by_side(
            context.tables["scores"], context.tables["image_sets"], names, [conditional, unconditional]
        ).dropna()
        interval = median_interval(
            (table[unconditional] - table[conditional]).to_numpy(),
            clusters=table["family"].to_numpy(),
            ids=[18, number],
            resamples=context.resamples,
            seed=context.seed,
        )
        yield f"median of {unconditional} minus {conditional}, {what} (above 0)", interval, (0.0, np.inf)


# Number: statement, figure, tables that it reads, function.
CLAIMS: dict[str, tuple[str, str, tuple[str, ...], Callable[[Context], Iterator[Finding]]]] = {
    "7": (
        "Image complexity does not explain that memorized images have a low LID",
        "complexity",
        TABLES,
        complexity_explains_less,
    ),
    "8": ("The guided score's norm and the CFG-vector norm agree", "score_norms", TABLES, norms_agree),
    "9": (
        "Conditional FLIPD, unconditional FLIPD and the CFG-vector norm each detect memorized images",
        "metric_histograms",
        ("evaluation", "image_sets"),
        each_detects,
    ),
    "10": (
        "The CFG-vector norm detects memorized images better than FLIPD does",
        "metric_histograms",
        TABLES,
        cfg_norm_best,
    ),
    "11": (
        "Unconditional FLIPD detects memorized images without their captions",
        "metric_histograms",
        ("evaluation", "image_sets"),
        detects_without_caption,
    ),
    "18": (
        "Given its caption, an image's LID is no larger: LID(x|c) <= LID(x)",
        "metric_histograms",
        TABLES,
        caption_lowers_lid,
    ),
}
