"""diffusers' DDIM scheduler of any variance-preserving process that diffusers can train."""

from collections.abc import Mapping
from typing import Any

from mmh.light_diffusers import diffusers


def changed(settings: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Change settings of a scheduler; diffusers would reset those that it noted as defaults."""
    noted = [key for key in settings.get("_use_default_values", ()) if key not in changes]
    return {**settings, **changes, "_use_default_values": noted}


def ddim_scheduler(settings: Mapping[str, Any], **changes: Any) -> Any:
    """Build a DDIM scheduler from the settings of another one.

    DDIM's own class lacks the sigmoid table that DDPM's has; it is given the numbers.

    Parameters
    ----------
    settings : mapping
        ``scheduler.config``, or the content of scheduler_config.json.
    **changes
        Settings to use instead.

    Returns
    -------
    diffusers.DDIMScheduler
    """
    given = dict(settings)
    if given.get("beta_schedule") == "sigmoid" and given.get("trained_betas") is None:
        betas = diffusers().DDPMScheduler.from_config(given).betas
        given = changed(given, beta_schedule="linear", trained_betas=betas.tolist())
    return diffusers().DDIMScheduler.from_config(given, **changes)
