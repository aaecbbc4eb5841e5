"""Small tables of a made-up digits experiment, in the formats that the figures read."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from mmh.figures.base import FIGURES, About
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import ALL_SCORES, CANDIDATES, LABELS, MATCHES, TRAIN

T_CURVE = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
LID = {"exact": -2.0, "reconstructive": 9.0, "not_memorized": 28.0}


def score_rows(
    items: str, item: np.ndarray, estimator: str, value: np.ndarray, t: float | None
) -> pd.DataFrame:
    n = len(item)
    return pd.DataFrame(
        {
            "items": items,
            "item": np.asarray(item, dtype=np.int64),
            "estimator": estimator,
            "t": np.full(n, np.nan if t is None else t),
            "index": pd.array([None if t is None else round(1000 * t)] * n, dtype="Int64"),
            "sigma": np.full(n, np.nan if t is None else 2 * t),
            "value": np.asarray(value, dtype=float),
            "stderr": np.full(n, np.nan),
            "probes": pd.array([None] * n, dtype="Int64"),
            "seed": pd.array([None] * n, dtype="Int64"),
            "dtype": "float64",
        }
    )


def digits(folder: Path, n: int = 2000, calibration: int = 200, seed: int = 0) -> dict[str, Path]:
    """Write every table of an experiment on digits; gives the path of each."""
    rng = np.random.default_rng(seed)
    pool = (load_digits().data / 8.0 - 1.0).astype(np.float32).reshape(-1, 1, 8, 8)
    n_ordinary, n_duplicated, n_family = 400, 20, 150
    family = np.repeat(pool[500][None], n_family, axis=0)
    family[:, :, :3, :3] = rng.uniform(-1, 1, size=(n_family, 1, 3, 3))
    train = np.concatenate([pool[: n_ordinary + n_duplicated], family])
    label = rng.choice(list(LID), size=n, p=[0.4, 0.2, 0.4])
    first, size = (
        np.array([n_ordinary, n_ordinary + n_duplicated, 0]),
        np.array([n_duplicated, n_family, n_ordinary]),
    )
    kind = np.array([list(LID).index(name) for name in label])
    match = first[kind] + (rng.uniform(size=n) * size[kind]).astype(int)
    spread = np.where(label == "not_memorized", 0.35, 0.04)[:, None, None, None]
    x = train[match] + (spread * rng.standard_normal((n, 1, 8, 8))).astype(np.float32)
    sample = np.arange(n)
    score = np.where(label == "not_memorized", 1.0, 0.3) + 0.05 * rng.standard_normal(n)

    paths = {name: folder / f"{name}.parquet" for name in ("scores", "labels", "matches")}
    write_table(
        pd.concat(
            [
                pd.DataFrame(
                    {
                        "sample": sample,
                        "metric": m,
                        "rank": np.int32(1),
                        "train": match,
                        "distance": score,
                        "score": score if m == "calibrated_l2" else score / 2,
                    }
                )
                for m in ("calibrated_l2", "sscd")
            ]
        ),
        paths["matches"],
        MATCHES,
    )
    stored = np.where(rng.uniform(size=n) < 0.02, "unsure", label)
    write_table(
        pd.DataFrame({"sample": sample, "train": match, "label": stored, "raters": 1, "source": "planted"}),
        paths["labels"],
        LABELS,
    )
    centre = np.array([LID[name] for name in label])
    flipd = centre + np.where(label == "not_memorized", 4.0, 1.0) * rng.standard_normal(n)
    nb = np.clip(np.rint(centre / 2 + 2 * rng.standard_normal(n)), 0, 64)
    bits = rng.integers(900, 1400, size=n)
    lpca = np.concatenate(
        [np.rint(45 + 6 * rng.standard_normal(n_ordinary)), np.zeros(n_duplicated), np.full(n_family, 9.0)]
    )
    parts = [
        score_rows("samples", sample, "flipd", flipd, 0.1),
        score_rows("samples", sample, "nb", nb, 0.02),
        score_rows("samples", sample, "png", bits, None),
        score_rows("samples", sample, "flipd_residual", flipd - 0.002 * bits, 0.1),
        score_rows("samples", sample, "nb_png", nb / bits, 0.02),
        score_rows("train", np.arange(len(train)), "lpca", lpca, None),
    ]
    for t in T_CURVE:
        drift = 12 * np.log10(0.1 / t) + 30 * max(0.0, 0.02 - t) / 0.02 * rng.standard_normal(calibration)
        parts.append(
            score_rows("samples", sample[:calibration], "flipd_curve", flipd[:calibration] + drift, t)
        )
    write_table(pd.concat(parts), paths["scores"], ALL_SCORES)

    paths["train"], paths["first"], paths["second"] = (
        folder / f"{k}.npz" for k in ("train", "first", "second")
    )
    write_arrays(paths["train"], x=train, id=np.arange(len(train)))
    numbers = np.arange(len(train))
    # The images of the family are one group.
    paths["groups"] = grouped(folder, np.minimum(numbers, n_ordinary + n_duplicated))
    for name, part in (("first", sample[: n // 2]), ("second", sample[n // 2 :])):
        write_arrays(paths[name], x=x[part], id=part, seed=part.astype(np.uint64))
    return paths


def pair_of_models(folder: Path, n: int = 60, seed: int = 1) -> dict[str, Path]:
    """Write the values of an overfit model and of its control at the same n images."""
    rng = np.random.default_rng(seed)
    lpca = np.clip(np.rint(25 + 8 * rng.standard_normal(n)), 4, None)
    table = pd.DataFrame(
        {
            "item": np.arange(n),
            "lid_data": lpca,
            "lid_model": 2 + 1.5 * rng.standard_normal(n),
            "lid_control": lpca + 2 + 4 * rng.standard_normal(n),
        }
    )
    table.to_csv(folder / "paired.csv", index=False)
    return {"paired": folder / "paired.csv"}


def plane(folder: Path, n: int = 2000, seed: int = 2) -> dict[str, Path]:
    """Write training points and samples of the plane mixture, with one isolated training point."""
    rng = np.random.default_rng(seed)
    angle = rng.vonmises(0.0, 2.0, size=140)
    angle = np.append(angle[np.abs(angle) < 1.9][:69], -2.9)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    train = np.concatenate([np.zeros((30, 2)), circle]).astype(np.float32)
    kind = rng.choice(4, size=n, p=[0.3, 0.02, 0.67, 0.01])
    arc = angle[rng.integers(0, 69, size=n)] + 0.1 * rng.standard_normal(n)
    x = np.stack([np.cos(arc), np.sin(arc)], axis=1)
    x[kind == 0], x[kind == 1] = 0.0, circle[-1]
    x = x + np.where(kind == 3, 0.3, 0.01)[:, None] * rng.standard_normal((n, 2))
    flipd = np.array([0.0, 0.25, 1.0, 1.4])[kind] + 0.15 * rng.standard_normal(n)
    paths = {
        "train": folder / "train.npz",
        "samples": folder / "samples.npz",
        "scores": folder / "scores.parquet",
    }
    write_arrays(paths["train"], x=train, id=np.arange(100))
    write_arrays(
        paths["samples"], x=x.astype(np.float32), id=np.arange(n), seed=np.arange(n, dtype=np.uint64)
    )
    write_table(score_rows("samples", np.arange(n), "flipd", flipd, 0.36), paths["scores"], ALL_SCORES)
    return paths


def colour(folder: Path, n: int = 240, top: int = 40, seed: int = 3) -> dict[str, Path]:
    """Write an experiment of 32 x 32 colour images that nobody has labelled: a GAN with scores of 120 samples.

    The `top` candidates of calibrated l2 are the first ids, those of SSCD start at half of them, so the lists
    overlap by half. Sample and match k are of one colour, the sample's reaching beyond [-1, 1].
    """
    rng = np.random.default_rng(seed)
    sample, half = np.arange(n), top // 2
    train = np.repeat(rng.choice([-1.0, 1.0], size=(n, 3)), 32 * 32, axis=1).astype(np.float32)
    train = train.reshape(n, 3, 32, 32)
    order = {"calibrated_l2": sample, "sscd": np.roll(sample, -half)}
    parts = []
    for metric, place in order.items():
        score = np.empty(n)
        score[place] = np.linspace(0.1, 1.0, n)
        # SSCD takes another training image for every third sample.
        match = np.where((metric == "sscd") & (sample % 3 == 0), n - 1 - sample, sample)
        rows = {"sample": sample, "metric": metric, "rank": np.int32(1), "train": match, "distance": score}
        parts.append(pd.DataFrame({**rows, "score": score}))
    matches = pd.concat(parts).sort_values(["sample", "metric"])
    best = matches.sort_values(["metric", "score"])
    place = best.groupby("metric").cumcount() + 1
    listed = best.assign(place=place.astype(np.int32))[place <= top]
    names = ("scores", "labels", "matches", "candidates")
    paths = {name: folder / f"{name}.parquet" for name in names}
    write_table(matches, paths["matches"], MATCHES)
    write_table(listed[["sample", "metric", "place", "train", "score"]], paths["candidates"], CANDIDATES)
    empty = {"sample": [], "train": [], "label": [], "raters": [], "source": []}
    write_table(pd.DataFrame(empty), paths["labels"], LABELS)

    selected = np.sort(
        np.append(sample[: top + half], rng.choice(sample[top + half :], 120 - top - half, False))
    )
    rank = np.rint(np.where(selected < top, 20, 28) + 2 * rng.standard_normal(120))
    bits = rng.integers(4000, 20000, size=120)
    parts = [
        score_rows("samples", selected, "jacobian", rank, None),
        score_rows("samples", selected, "jacobian_png", rank / bits, None),
        score_rows("train", sample, "lpca", rng.integers(0, 60, size=n), None),
    ]
    write_table(pd.concat(parts), paths["scores"], ALL_SCORES)
    paths["train"], paths["shard"] = folder / "train.npz", folder / "samples.npz"
    grey = ((train + 1) * 127.5).astype(np.uint8)
    write_arrays(paths["train"], image=grey, id=sample)
    paths["groups"] = grouped(folder, sample)
    write_arrays(paths["shard"], x=1.5 * train, id=sample, seed=sample.astype(np.uint64))
    return paths


def grouped(folder: Path, group: np.ndarray) -> Path:
    """Write the table of the training images with their groups."""
    rows = {"train": np.arange(len(group)), "source": np.arange(len(group)), "population": "p"}
    path = folder / "train.parquet"
    write_table(pd.DataFrame({**rows, "group": group, "copies": 1}), path, TRAIN)
    return path


def draw_figure(
    name: str, inputs: list[Any], outputs: list[Path], options: dict[str, Any], about: dict[str, Any]
) -> None:
    """Draw a figure from its inputs, in the order in which its `draw` names them."""
    row = FIGURES[name]
    own = [key for key in inspect.signature(row.draw).parameters if key not in _OTHERS]
    files = dict(zip([*own, "pdf", "png", "csv"], [*inputs, *outputs], strict=True))
    row.draw(**files, options=row.Options.model_validate(options), about=About(**about))


_OTHERS = ("pdf", "png", "csv", "options", "about")
