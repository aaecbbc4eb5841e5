"""diffusers' DDIM scheduler of any variance-preserving process that diffusers can train."""

from collections.abc import Mapping
from typing import Any

from mmh.light_diffusers import diffusers

# What makes a process, and is the same in every class of schedulers.
_PROCESS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
)


def changed(settings: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Change settings of a scheduler, and keep those of its process.

    diffusers notes as defaults what was not named when a scheduler was made, also what was given by its
    place, and resets that when another one is made of it.
    """
    noted = settings.get("_use_default_values", ())
    kept = [key for key in noted if key not in changes and key not in _PROCESS]
    return {**settings, **changes, "_use_default_values": kept}


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
    given = changed(settings)
    if given.get("beta_schedule") == "sigmoid" and given.get("trained_betas") is None:
        betas = diffusers().DDPMScheduler.from_config(given).betas
        given = changed(given, beta_schedule="linear", trained_betas=betas.tolist())
    return diffusers().DDIMScheduler.from_config(given, **changes)
