"""Import of a diffusers folder, which any kind of model with such folders then loads."""

from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.fetch.hub import copy_pipeline, fetch_pipeline
from mmh.io.model_folder import read_json
from mmh.models.latent.lora import merge_lora
from mmh.models.loading import load_model
from mmh.models.trial import account_for, of_user


def make(folder: Path, options: Any, *, offline: bool) -> dict[str, Any]:
    """Copy a local folder, or fetch one, merge a LoRA, and see that it can be loaded; see `Kind.maker`."""
    found: dict[str, Any] = {}
    given = options.path if options.path is not None else f"{options.id}@{options.revision}"
    if options.path is not None:
        copy_pipeline(Path(options.path), folder)
    else:
        found["fetched"] = fetch_pipeline(
            options.id, options.revision, folder, offline=offline, mirrors=options.mirrors or ()
        )
    if options.lora is not None:
        found["lora"] = merge_lora(Path(options.lora), folder, scale=options.lora_scale or 1.0)
    try:
        if not (folder / "process.json").is_file():
            account_for(read_json(folder / "model_index.json"), given)
        model = load_model(folder)
        score = model.score_model()
    except InputError as error:
        raise InputError(of_user(str(error), folder, given)) from error
    return {**found, "shape": score.shape, "schedule": score.schedule.kind, "classes": model.classes}
