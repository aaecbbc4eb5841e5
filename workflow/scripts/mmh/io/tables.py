"""The contract of every Parquet table."""

# Columns of every table, in order. A trailing "?" allows missing values.
TABLES: dict[str, dict[str, str]] = {
    "train": {
        "train": "int64",
        "source": "int64",
        "population": "string",
        "group": "int64",
        "copies": "int64",
    },
    "matches": {
        "sample": "int64",
        "metric": "string",
        "rank": "int32",
        "train": "int64",
        "distance": "float64",
        "score": "float64",
    },
    "labels": {"sample": "int64", "train": "int64", "label": "string", "raters": "int64", "source": "string"},
    "scores": {
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
}
TABLES["candidates"] = {
    "sample": "int64",
    "metric": "string",
    "place": "int32",
    "train": "int64",
    "score": "float64",
}
TABLES["sheet"] = {
    "pair": "string",
    "sample": "int64",
    "train": "int64",
    "sscd": "float64?",
    "calibrated_l2": "float64?",
    "by": "string",
    "place": "int64?",
}
TABLES["votes"] = {
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
}
TABLES["verdicts"] = {
    "item": "int64",
    "group": "string",
    "lid_model": "float64",
    "se_model": "float64",
    "lid_data": "float64",
    "se_data": "float64",
    "verdict": "string",
}
TABLES["all_scores"] = {"items": "string", **TABLES["scores"]}
# ---- text-to-image ----
TABLES["captions"] = {"train": "int64", "text": "string"}
TABLES["image_set"] = {"item": "int64", "caption": "string?", "family": "int64", "source": "string"}
TABLES["prompts"] = {
    "prompt_set": "string",
    "prompt": "int64",
    "text": "string",
    "family": "int64",
    "train": "int64?",
}
TABLES["prompt_scores"] = {
    "prompt_set": "string",
    "prompt": "int64",
    "generation": "int64",
    "step": "int64",
    "t": "float64",
    "index": "int64",
    "sigma": "float64",
    "metric": "string",
    "value": "float64",
}
TABLES["generation_matches"] = {
    "prompt_set": "string",
    "prompt": "int64",
    "generation": "int64",
    "train": "int64",
    "similarity": "float64",
}
TABLES["image_list"] = {"item": "int64", "url": "string", "caption": "string"}
TABLES["ledger"] = {
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
}
