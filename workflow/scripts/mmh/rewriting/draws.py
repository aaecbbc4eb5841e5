"""Which words are to go: drawn by their attributions."""

import numpy as np
from numpy.typing import NDArray

from mmh.choices.base import Law
from mmh.compute import rng
from mmh.errors import InputError

TEMPERATURE, FLOOR = 0.1, 1e-3


def probabilities(values: NDArray[np.float64], law: Law) -> NDArray[np.float64]:
    """Give the probability of each word in the first draw.

    Parameters
    ----------
    values : (n,) float64
        Attributions, not negative.
    law : {"normalised", "softmax", "uniform"}
        normalised: a / sum a (paper, Appendix D.4); softmax: softmax(a / 0.1) + 0.001, normalised, which is
        what the authors' program does; uniform: none of the attributions counts.

    Returns
    -------
    (n,) float64
        Sums to 1; uniform where all values are 0.
    """
    values = np.asarray(values, dtype=np.float64)
    if law == "softmax":
        weight = np.exp((values - values.max()) / TEMPERATURE)
        share = weight / weight.sum() + FLOOR
    else:
        share = np.ones(len(values)) if law == "uniform" or values.sum() == 0 else values
    return np.asarray(share / share.sum())


def drawn_words(
    values: NDArray[np.float64], k: int, law: Law, *, seed: int, prompt_set: str, prompt: int, repeat: int = 0
) -> tuple[int, ...]:
    """Draw k words without replacement.

    Parameters
    ----------
    values : (n,) float64
        Attributions of the words.
    k : int
        How many.
    law
        As for `probabilities`; a word without any probability is taken where no other is left.
    seed, prompt_set, prompt, repeat
        What the draw depends on. The first draws are the same for any k.

    Returns
    -------
    tuple of int
        Places, in the order of the draw.

    Raises
    ------
    InputError
        If the prompt has fewer words.
    """
    if k > len(values):
        raise InputError(
            f"prompt {prompt} of set {prompt_set} has {len(values)} words, {k} are to be replaced; lower k"
        )
    random = rng.generator(seed, f"drawn-words:{prompt_set}", prompt, repeat)
    share, left, found = probabilities(values, law), np.arange(len(values)), []
    for _ in range(k):
        weight = share[left]
        weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(left), 1 / len(left))
        place = min(int(np.searchsorted(np.cumsum(weight), random.random(), side="right")), len(left) - 1)
        found.append(int(left[place]))
        left = np.delete(left, place)
    return tuple(found)
