"""diffusers' DDIM scheduler of any variance-preserving process that diffusers can train."""

from collections.abc import Mapping
from typing import Any

from mmh.light_diffusers import diffusers


def without_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Copy settings, all as if they had been stated: diffusers resets those that it notes as its defaults."""
    return {key: value for key, value in settings.items() if key != "_use_default_values"}


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
    given = without_defaults(settings)
    if given.get("beta_schedule") == "sigmoid" and given.get("trained_betas") is None:
        betas = diffusers().DDPMScheduler.from_config(given).betas
        given |= {"beta_schedule": "linear", "trained_betas": betas.tolist()}
    return diffusers().DDIMScheduler.from_config(given, **changes)
