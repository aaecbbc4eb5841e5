"""How the authors' program for SAIL tries again, for comparison: it may return one noise several times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from mmh.sampling.noise_descent import Descended
    from mmh.sampling.start import Start

    Descent = Callable[[torch.Tensor, torch.Tensor, float | None], Descended]


FAILED_ROUNDS = 3
"""Rounds after which the authors' program raises its threshold."""
RAISED_BY = 0.1


def published_noise(start: Start, options: Any, descent: Descent) -> torch.Tensor:
    """Give each generation its noise as the published program hands them out.

    A round descends from `budget` noises of the prompt and appends those that it accepts to a list, until
    there is one for each generation. Three rounds in turn have the same seed, and so the same noises, and the
    list is not emptied: what one round accepted is appended again. Then the threshold is raised by .1 and the
    seed changes. Generation g gets entry g of the list.

    Parameters
    ----------
    start : Start
    options : Options
        Of SAIL, with a threshold.
    descent : callable
        From noises, active rows and threshold.

    Returns
    -------
    torch.Tensor
        (n, *shape). Where `rounds` end first, the noise of the smallest loss; `start.accepted` says so.

    Notes
    -----
    Rounds of one seed are computed once, and each is counted, shared among the generations of the prompt.
    """
    import torch

    from mmh.sampling.sharpness import spread

    place = np.array([generation for _, generation in start.keys])
    listed = np.zeros(len(start), dtype=np.int64)  # entries of the prompt's list so far
    best = start.noise(of_prompt=True)
    least = torch.full((len(start),), float("inf"), dtype=best.dtype, device=best.device)
    served, spent = np.zeros(len(start), dtype=np.bool_), np.zeros(len(start))
    for block in range(-(-options.rounds // FAILED_ROUNDS)):
        hunting = listed < start.generations
        if not hunting.any():
            break
        active = torch.from_numpy(hunting).to(best.device)
        before = start.rows.copy()
        threshold = options.ell_thres + RAISED_BY * block
        found = [
            descent(start.noise(block * options.budget + number, of_prompt=True), active, threshold)
            for number in range(options.budget)
        ]
        cost, start.rows = start.rows - before, before
        good = torch.stack([one.accepted for one in found]).cpu().numpy()  # (budget, n)
        turns = min(FAILED_ROUNDS, options.rounds - FAILED_ROUNDS * block)
        for _ in range(turns):
            now = listed < start.generations
            spent += np.where(now, cost / start.generations, 0.0)
            for number, one in enumerate(found):
                mine = now & good[number] & (listed == place) & ~served
                worse = ~served & (one.loss < least).cpu().numpy()
                taken = torch.from_numpy(mine | worse).to(best.device)
                best = torch.where(spread(taken, best), one.z, best)
                least = torch.where(taken, one.loss, least)
                served |= mine
                listed += now & good[number]
    start.rows += spent
    start.accepted = served
    return best
