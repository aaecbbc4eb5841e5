"""The contract of every Parquet table: its columns, in order, with their types."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contract:
    """What a Parquet table holds.

    Attributes
    ----------
    name : str
        What messages call the table.
    columns : dict of str to str
        Name to type, in order. A trailing "?" allows missing values.
    """

    name: str
    columns: dict[str, str]


TRAIN = Contract(
    "train",
    {"train": "int64", "source": "int64", "population": "string", "group": "int64", "copies": "int64"},
)
MATCHES = Contract(
    "matches",
    {
        "sample": "int64",
        "metric": "string",
        "rank": "int32",
        "train": "int64",
        "distance": "float64",
        "score": "float64",
    },
)
LABELS = Contract(
    "labels", {"sample": "int64", "train": "int64", "label": "string", "raters": "int64", "source": "string"}
)
PLANTED = Contract(
    "planted",
    {"sample": "int64", "train": "int64", "close": "string", "distance": "float64", "gap": "float64?"},
)
SCORES = Contract(
    "scores",
    {
        "item": "int64",
        "estimator": "string",
        "t": "float64?",
        "index": "int64?",
        "sigma": "float64?",
        "value": "float64",
        "stderr": "float64?",
        "probes": "int64?",
        "seed": "int64?",
        "dtype": "string",
    },
)
CANDIDATES = Contract(
    "candidates",
    {"sample": "int64", "metric": "string", "place": "int32", "train": "int64", "score": "float64"},
)
SHEET = Contract(
    "sheet",
    {
        "pair": "string",
        "sample": "int64",
        "train": "int64",
        "sscd": "float64?",
        "calibrated_l2": "float64?",
        "by": "string",
        "place": "int64?",
    },
)
VOTES = Contract(
    "votes",
    {
        "pair": "string",
        "sample": "int64",
        "train": "int64",
        "label": "string",
        "rater": "string",
        "time": "string",
        "blind": "string",
        "round": "int64",
        "file": "string",
        "line": "int64",
    },
)
VERDICTS = Contract(
    "verdicts",
    {
        "item": "int64",
        "group": "string",
        "cluster": "int64",
        "lid_model": "float64",
        "se_model": "float64?",
        "lid_data": "float64",
        "se_data": "float64?",
        "errors": "string",
        "verdict": "string",
    },
)
ALL_SCORES = Contract("all_scores", {"items": "string", **SCORES.columns})
# ---- text-to-image ----
CAPTIONS = Contract("captions", {"train": "int64", "text": "string"})
IMAGE_SET = Contract(
    "image_set", {"item": "int64", "caption": "string?", "family": "int64", "source": "string"}
)
PROMPTS = Contract(
    "prompts",
    {"prompt_set": "string", "prompt": "int64", "text": "string", "family": "int64", "train": "int64?"},
)
PROMPT_SCORES = Contract(
    "prompt_scores",
    {
        "prompt_set": "string",
        "prompt": "int64",
        "generation": "int64",
        "step": "int64",
        "t": "float64",
        "index": "int64",
        "sigma": "float64",
        "metric": "string",
        "value": "float64",
    },
)
GENERATION_MATCHES = Contract(
    "generation_matches",
    {
        "prompt_set": "string",
        "prompt": "int64",
        "generation": "int64",
        "train": "int64",
        "similarity": "float64",
    },
)
MITIGATED = Contract(
    "mitigated",
    {
        "mitigation": "string",
        "prompt_set": "string",
        "prompt": "int64",
        "generation": "int64",
        "family": "int64",
        "part": "string",
        "similarity": "float64?",
        "copy": "float64?",
        "alike": "float64?",
        "correct": "float64?",
        "clip": "float64?",
        "rows": "float64",
        "log_norm": "float64",
        "noise_p": "float64",
        "accepted": "int64",
        "png": "float64",
    },
)
ELICITED = Contract(
    "elicited",
    {
        "mitigation": "string",
        "prompt_set": "string",
        "prompt": "int64",
        "budget": "int64",
        "generation": "int64",
        "family": "int64",
        "similarity": "float64",
        "success": "int64",
        "rows": "float64",
        "attack_rows": "float64",
    },
)
ITERATED = Contract(
    "iterated",
    {
        "mitigation": "string",
        "prompt_set": "string",
        "prompt": "int64",
        "generation": "int64",
        "iteration": "int64",
        "family": "int64",
        "flipd": "float64",
        "watched": "float64",
        "similarity": "float64?",
        "copy": "float64?",
        "clip": "float64?",
        "correct": "float64?",
        "png": "float64",
    },
)
ATTRIBUTED = Contract(
    "attributed",
    {
        "prompt_set": "string",
        "prompt": "int64",
        "attribution": "string",
        "level": "string",
        "token": "int64",
        "piece": "string",
        "place": "int64",
        "word": "string",
        "value": "float64",
    },
)
OCCLUSION = Contract(
    "occlusion",
    {
        "prompt_set": "string",
        "prompt": "int64",
        "place": "int64",
        "word": "string",
        "replacement": "string",
        "whole": "float64",
        "occluded": "float64",
        "drop": "float64",
    },
)
WORD_VALUES = Contract(
    "word_values",
    {
        "prompt_set": "string",
        "prompt": "int64",
        "family": "int64",
        "part": "string",
        "attribution": "string",
        "level": "string",
        "place": "int64",
        "word": "string",
        "value": "float64",
        "role": "string?",
        "drop": "float64?",
    },
)
REWRITES = Contract(
    "rewrites",
    {
        "choice": "string",
        "prompt_set": "string",
        "prompt": "int64",
        "k": "int64",
        "repeat": "int64",
        "seed": "int64",
        "text": "string",
        "replaced": "string",
        "rewrite": "string",
        "problem": "string",
        "attempts": "int64",
        "rewriter": "string",
        "model": "string",
        "date": "string",
    },
)
REWRITTEN = Contract(
    "rewritten",
    {
        "choice": "string",
        "prompt_set": "string",
        "prompt": "int64",
        "k": "int64",
        "generation": "int64",
        "family": "int64",
        "part": "string",
        "similarity": "float64?",
        "copy": "float64?",
        "alike": "float64?",
        "correct": "float64?",
        "clip": "float64?",
    },
)
IMAGE_LIST = Contract("image_list", {"item": "int64", "url": "string", "caption": "string"})
LEDGER = Contract(
    "ledger",
    {
        "item": "int64",
        "url": "string",
        "status": "string",
        "http_status": "int64?",
        "sha256": "string?",
        "phash": "string?",
        "width": "int64?",
        "height": "int64?",
        "bytes": "int64?",
        "file": "string?",
        "date": "string?",
        "reason": "string?",
    },
)
