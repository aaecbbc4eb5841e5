"""How often `mmh audit` finds something where nothing is: audits of images that a model has not seen.

Small models are trained, each on some of the digits. Of those that a model has not seen, some are drawn as
"the images" of an audit, and others as its hold-out images: the two are exchangeable, whatever the model has
learned, so whatever the audit finds is a false alarm. Samples and LID are computed once for each model; an
audit is then asked as `mmh audit` asks it, by the same code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmh.audit.image_answer import Evidence, answer_images, known
from mmh.compute import rng

LEVEL = 0.05
NEIGHBOURS = 50
DRAWS = 199
"""Permutations of the test of a set: fewer than `mmh audit` draws, but .025 is a multiple of 1 / 200."""
TRAINED = [(n_train, seed) for n_train in (60, 600) for seed in range(4)]
"""Models, by the number of their training images and a seed."""
RECIPE: dict[str, Any] = {
    "steps": 600,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "ema_decay": 0.99,
    "block_out_channels": (16, 32),
}
SAMPLES, SAMPLER_STEPS, T, PROBES, BATCH = 600, 20, 0.05, 4, 200


@dataclass(frozen=True)
class Pool:
    """What is known of one model and of the images that it has not seen.

    Attributes
    ----------
    images : (n, 1, 8, 8) float32
        Digits that it was not trained on.
    lid : (n,) float64
        LID_theta there.
    samples : (s, 1, 8, 8) float32
    """

    images: np.ndarray
    lid: np.ndarray
    samples: np.ndarray


@dataclass(frozen=True)
class Design:
    """Sizes of an audit.

    Attributes
    ----------
    images, holdout : int
        No hold-out images: the images among themselves are the null.
    """

    images: int
    holdout: int

    @property
    def name(self) -> str:
        """As it stands in the table."""
        beside = f"{self.holdout} hold-out" if self.holdout else "no hold-out"
        return f"{self.images} images, {beside}"


DESIGNS = (Design(150, 199), Design(10, 399), Design(400, 400), Design(150, 0))
"""p-values are multiples of 2 / (n + 1). Where .05 is one (199), a single image is called in 5 % at most, and
not in less for that reason; where .05 / m is one (m = 10, n = 399), so is any image of m."""


def pool_of(n_train: int, seed: int) -> Pool:
    """Train a model, sample it, and take LID at all digits that it has not seen.

    Parameters
    ----------
    n_train : int
        Digits that it is trained on.
    seed : int
        Of their choice, of the training and of the samples.

    Returns
    -------
    Pool
    """
    from mmh.diffusion.score_model import ScoreModel
    from mmh.lid.flipd import flipd
    from mmh.models.ddpm.sampling import sample
    from mmh.models.ddpm.training import train
    from mmh.worlds.sets import digits

    x, table = digits.make_overfit(n_train=n_train, seed=seed)
    unet, scheduler, _ = train(x, seed=seed, **RECIPE)
    every = digits.images()
    unseen = every[np.setdiff1d(np.arange(len(every)), table["source"])]
    drawn = sample(unet, scheduler, range(SAMPLES), seed=seed, steps=SAMPLER_STEPS, batch_size=BATCH)
    score = ScoreModel.from_diffusers(unet, scheduler)
    lid = flipd(score, unseen, T, probes=PROBES, seed=seed, batch_size=BATCH)
    return Pool(unseen, np.asarray(lid, dtype=np.float64), drawn)


def audit_of_nothing(pool: Pool, design: Design, seed: int) -> dict[str, float]:
    """Ask about images that the model has not seen.

    Parameters
    ----------
    pool : Pool
    design : Design
    seed : int
        Of the choice of images.

    Returns
    -------
    dict of str to float
        By question, 0 or 1, or a share: what was called though it is not memorized.
    """
    stream = rng.generator(seed, f"null-audit, {design.name}")
    chosen = stream.permutation(len(pool.images))[: design.images + design.holdout]
    mine, held = chosen[: design.images], chosen[design.images :]
    given = Evidence(pool.images[mine], pool.samples, lid=pool.lid[mine])
    if design.holdout:
        given.holdout, given.lid_holdout = pool.images[held], pool.lid[held]
    answer = answer_images(given, neighbours=NEIGHBOURS, level=LEVEL, rng=stream, draws=DRAWS)
    said = {"an image, p": float((answer.table["p"] <= LEVEL).mean()), "any image, q": answer.found > 0}
    if answer.sets:
        said |= {f"the set, by {kind}": test.p <= LEVEL for kind, test in answer.sets.items()}
        said["the set"] = known(answer.sets) <= LEVEL
    return {question: float(value) for question, value in (said | {"the answer": answer.yes}).items()}


def ask(pool: Pool, seeds: Iterable[int]) -> pd.DataFrame:
    """Ask all designs with some seeds.

    Parameters
    ----------
    pool : Pool
    seeds : iterable of int

    Returns
    -------
    pandas.DataFrame
        `design`, `question`, `seed`, `value`.
    """
    records = [
        (design.name, question, seed, value)
        for seed in seeds
        for design in DESIGNS
        for question, value in audit_of_nothing(pool, design, seed).items()
    ]
    return pd.DataFrame(records, columns=["design", "question", "seed", "value"])


def shares(answers: pd.DataFrame) -> pd.DataFrame:
    """Count false alarms.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `ask`, of any seeds.

    Returns
    -------
    pandas.DataFrame
        By `design` and `question`: `audits`, the `share` of false alarms, its `mc_error`, and the `least` and
        `most` share of a single model.
    """
    answers = answers.assign(model=answers["seed"] % len(TRAINED))
    records = []
    for (design, question), rows in answers.groupby(["design", "question"], sort=False):
        by_model = rows.groupby("model")["value"].mean()
        error = rows["value"].std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
        records.append(
            {
                **{"design": design, "question": question, "audits": len(rows)},
                **{"share": rows["value"].mean(), "mc_error": error},
                **{"models": len(by_model), "least": by_model.min(), "most": by_model.max()},
            }
        )
    return pd.DataFrame(records)


def markdown(table: pd.DataFrame) -> str:
    """Write the table for docs/audit.md.

    Parameters
    ----------
    table : pandas.DataFrame
        From `shares`.

    Returns
    -------
    str
    """
    lines = ["| audit | what is called | false alarms | by model |", "| --- | --- | --- | --- |"]
    for row in table.itertuples():
        lines.append(
            f"| {row.design} | {row.question} | {100 * row.share:.1f} ± {100 * row.mc_error:.1f} % | "
            f"{100 * row.least:.1f} to {100 * row.most:.1f} % |"
        )
    return "\n".join(lines) + "\n"
