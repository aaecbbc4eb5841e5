"""Import of a diffusers folder, which any kind of model with such folders then loads."""

from pathlib import Path
from typing import Any

from mmh.fetch.hub import copy_pipeline, fetch_pipeline
from mmh.models.loading import load_model


def make(folder: Path, options: Any, *, offline: bool) -> dict[str, Any]:
    """Copy a local folder, or fetch one from the hub, and see that it can be loaded; see `Kind.maker`."""
    found = {}
    if options.path is not None:
        copy_pipeline(Path(options.path), folder)
    else:
        found["fetched"] = fetch_pipeline(
            options.id, options.revision, folder, offline=offline, mirrors=options.mirrors or ()
        )
    model = load_model(folder)
    score = model.score_model()
    return {**found, "shape": score.shape, "schedule": score.schedule.kind, "classes": model.classes}
