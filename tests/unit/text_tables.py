"""Small tables of a made-up text-to-image experiment, in the formats that its figures and claims read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from figure_tables import score_rows
from mmh.detection.detection_table import evaluate_image_sets, evaluate_prompts
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import ALL_SCORES

SETS = {"memorized": 60, "control": 60, "generic": 80}
STEPS = np.arange(0.91, 0.0, -0.1)  # noise levels of a trajectory
GENERATIONS = 8


def captions(generator, n):
    """Texts that say nothing about their set, with characters that mathematical text would trip over."""
    keys = ["".join(generator.choice(list("bdfgklmnpr"), size=5)) for _ in range(n)]
    return [f"the {key} plate with $digit$ {generator.integers(10)}" for key in keys]


def prompt_scores(name, n, generator, generations=4):
    """Trajectories of n prompts: memorized ones have large CFG norms and, at the end, a small FLIPD."""
    prompt, generation, step = (v.ravel() for v in np.indices((n, generations, len(STEPS))))
    copied = name == "memorized"
    own = generator.standard_normal(n)[prompt]
    noise = generator.standard_normal((2, len(prompt)))
    values = {
        "cfg_norm": np.exp(1.2 * copied + 0.5 * own + 0.5 * noise[0]),
        "flipd": 15 - 12 * copied + 2 * own + 4 * noise[1],
    }
    frame = pd.DataFrame({"prompt_set": name, "prompt": prompt, "generation": generation, "step": step})
    frame["t"] = STEPS[step]
    parts = [frame.assign(metric=metric, value=value) for metric, value in values.items()]
    parts[1] = parts[1][parts[1]["t"] <= 0.2]
    return pd.concat(parts)


def experiment(folder: Path, seed: int = 0) -> dict:
    """Write every table; gives the path or paths of each."""
    rng = np.random.default_rng(seed)
    (folder / "image_sets").mkdir()
    paths: dict = {"image_sets": [], "scores": folder / "scores.parquet"}
    # The control set is one by URL, of which two images were lost.
    paths["counts"] = [folder / "image_sets" / "control.counts.json"]
    paths["counts"][0].write_text(json.dumps({"wanted": SETS["control"] + 2, "n": SETS["control"]}))
    parts, sets, texts = [], {}, {}
    for name, n in SETS.items():
        texts[name] = captions(rng, n)
        item, copied = np.arange(n), name == "memorized"
        # Families of two where there are more than 60 images.
        table = pd.DataFrame(
            {
                "item": item,
                "caption": texts[name],
                "family": item if n <= 60 else item // 2,
                "source": "digits-text",
            }
        )
        path = folder / "image_sets" / f"{name}.parquet"
        table.to_parquet(path)
        paths["image_sets"].append(path)
        wobble = rng.standard_normal(n)
        norm = np.exp((1.0 if copied else 0.0) + 0.4 * rng.standard_normal(n))
        values = {
            "flipd": (0.5 if copied else 14.0) + 3 * wobble,
            "flipd_uncond": (8.0 if copied else 17.0) + 4 * wobble + rng.standard_normal(n),
            "cfg_norm": norm,
            "cfg_difference": 7 * norm,
            "guided_norm": 50 * norm + 12 * rng.standard_normal(n) + 40,
            "png": rng.integers(900, 1400, size=n) + (150 if name == "generic" else 0),
        }
        for estimator, value in values.items():
            t = {"png": None, "cfg_norm": 0.01, "guided_norm": 0.02, "cfg_difference": 0.02}.get(
                estimator, 0.1
            )
            rows = score_rows(name, item, estimator, value, t)
            # Each has the columns of the table, a standard error where it is an estimate.
            parts.append(rows.assign(stderr=0.4) if estimator.startswith("flipd") else rows)
        sets[name] = table
    scores = pd.concat(parts)
    write_table(scores, paths["scores"], ALL_SCORES)

    prompts = pd.concat(
        [
            pd.DataFrame(
                {
                    "prompt_set": name,
                    "prompt": np.arange(n),
                    "text": texts[name],
                    "family": 1000 * place + (np.arange(n) if n <= 60 else np.arange(n) // 2),
                    "train": pd.array(1000 * place + np.arange(n), dtype="Int64"),
                }
            )
            for place, (name, n) in enumerate(SETS.items())
        ],
        ignore_index=True,
    )
    paths["prompts"] = folder / "prompts.parquet"
    prompts.to_parquet(paths["prompts"])

    images = np.repeat((load_digits().images * 255 / 16).astype(np.uint8)[:, None], 3, axis=1)
    paths["train"] = folder / "train.npz"
    train = np.concatenate([1000 * place + np.arange(n) for place, n in enumerate(SETS.values())])
    write_arrays(paths["train"], image=images[: len(train)], id=train)
    n = SETS["memorized"]
    prompt, generation = (v.ravel() for v in np.indices((n, GENERATIONS)))
    similarity = np.clip(0.9 - 0.01 * prompt + 0.005 * rng.standard_normal(len(prompt)), -1, 1)
    paths["matches"] = folder / "generation_matches.parquet"
    pd.DataFrame(
        {
            "prompt_set": "memorized",
            "prompt": prompt,
            "generation": generation,
            "train": prompt,
            "similarity": similarity,
        }
    ).to_parquet(paths["matches"])
    noise = rng.integers(-20, 21, size=(len(prompt), 1, 8, 8))
    made = np.clip(images[prompt].astype(int) + noise, 0, 255).astype(np.uint8)
    paths["generations"] = []
    for part in np.array_split(np.arange(len(prompt)), 3):
        path = folder / f"generations-{part[0]:06d}.npz"
        write_arrays(path, image=made[part], prompt=prompt[part], generation=generation[part])
        paths["generations"].append(path)

    paths["prompt_scores"] = []
    for name in ("memorized", "control"):
        path = folder / f"prompt_scores-{name}.parquet"
        prompt_scores(name, SETS[name], rng).to_parquet(path)
        paths["prompt_scores"].append(path)
    paths["evaluation"] = folder / "evaluation.csv"
    images_of = evaluate_image_sets(
        scores,
        sets,
        pairs=[("memorized", "control"), ("memorized", "generic")],
        estimators=["flipd", "flipd_uncond", "cfg_norm"],
        large=["cfg_norm"],
    )
    tables = pd.concat(map(pd.read_parquet, paths["prompt_scores"]))
    of_prompts = evaluate_prompts(prompts, tables, pairs=[("memorized", "control")], match=False)
    pd.concat([images_of, of_prompts]).to_csv(paths["evaluation"], index=False)
    return paths
