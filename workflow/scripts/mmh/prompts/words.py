"""How much of a contrast between prompts their words alone give away: controls beside every detector.

A control sees nothing but the text. Whatever it learns, it learns from prompts of other families than the
one it scores, so that near-duplicates of a prompt cannot lend it their label. Larger speaks for the positive
class.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NGRAMS = "text_ngrams"
FOLDS = 10


def _share(hits: int, total: int) -> float:
    return hits / total if total else 0.0


def _capitalized(text: str) -> float:
    words = text.split()
    return _share(sum(word[0].isupper() for word in words), len(words))


def _digits(text: str) -> float:
    return _share(sum(c.isdigit() for c in text), len(text))


def _punctuation(text: str) -> float:
    return _share(sum(unicodedata.category(c)[0] in "PS" for c in text), len(text))


def _word_length(text: str) -> float:
    words = text.split()
    return _share(sum(map(len, words)), len(words))


FEATURES: dict[str, Callable[[str], float]] = {
    "text_characters": lambda text: float(len(text)),
    "text_words": lambda text: float(len(text.split())),
    "text_word_length": _word_length,  # mean number of characters of a word
    "text_capitalized": _capitalized,  # share of words that begin with a capital letter
    "text_digits": _digits,  # share of characters
    "text_punctuation": _punctuation,  # share of characters: punctuation and symbols
}


def word_features(texts: Sequence[str]) -> pd.DataFrame:
    """Measure single features of each text.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    pandas.DataFrame
        (n, 6) float64, columns as in `FEATURES`.
    """
    return pd.DataFrame(
        {name: [measure(t) for t in texts] for name, measure in FEATURES.items()}, dtype=float
    )


def family_folds(
    families: np.ndarray, positive: np.ndarray, *, folds: int = FOLDS, seed: int = 0
) -> np.ndarray:
    """Cut prompts into folds, no family into two.

    The largest families are placed first, each into the fold that has the smallest share of its class so far,
    so that classes are spread over the folds as evenly as families allow. Equals are ordered by the seed.

    Parameters
    ----------
    families : (n,) int
        Family of each prompt; it may hold prompts of both classes.
    positive : (n,) bool
        Class of each prompt.
    folds : int
        At least 2; fewer are made where a class has fewer families.
    seed : int
        Root seed.

    Returns
    -------
    (n,) int64
        Fold of each prompt, from 0. Every class has prompts outside every fold.

    Raises
    ------
    InputError
        If `folds` is too small, or a class has fewer than two families.
    """
    positive = np.asarray(positive, dtype=bool)
    member = np.unique(families, return_inverse=True)[1]
    count = np.stack(
        [np.bincount(member[positive == c], minlength=member.max() + 1) for c in (False, True)], 1
    )
    spread = int((count > 0).sum(axis=0).min())
    if folds < 2 or spread < 2:
        raise InputError(
            f"cross-validation by family needs at least 2 folds and 2 families of each class, got {folds} "
            f"folds and a class with {spread}"
        )
    share = count / count.sum(axis=0)
    shuffled = rng.generator(seed, "text-folds").permutation(len(count))
    order = shuffled[np.argsort(-share.max(axis=1)[shuffled], kind="stable")]
    load = np.zeros((min(folds, spread), 2))
    fold = np.empty(len(count), dtype=np.int64)
    for family in order:
        own = share[family] > 0
        fold[family] = np.lexsort((load.sum(axis=1), load[:, own].max(axis=1)))[0]
        load[fold[family]] += share[family]
    return fold[member]


def ngram_scores(
    texts: Sequence[str],
    positive: np.ndarray,
    fold: np.ndarray,
    *,
    ngrams: tuple[int, int] = (2, 4),
    strength: float = 1.0,
) -> np.ndarray:
    """Score each text by a classifier of character n-grams that was fitted to the other folds.

    TF-IDF (case kept, vectors of unit length) and logistic regression with an l2 penalty, classes weighted
    equally. Vocabulary and weights come from the other folds too.

    Parameters
    ----------
    texts : sequence of str
        n texts.
    positive : (n,) bool
        Class of each.
    fold : (n,) int
        As `family_folds` gives it.
    ngrams : (int, int)
        Shortest and longest n-gram, characters.
    strength : float
        Inverse of the penalty.

    Returns
    -------
    (n,) float64
        Log-odds of the positive class, each from the one classifier that has not seen its fold.
    """
    from sklearn import config_context
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression

    counts = _ngram_counts(tuple(texts), tuple(ngrams))
    positive = np.asarray(positive, dtype=bool)
    score = np.empty(len(positive))
    for k in np.unique(fold):
        out = fold == k
        known = counts[~out]
        seen = np.unique(known.indices)
        # Checks of what is made here take a fifth of the time of an audit, which fits thousands.
        with config_context(assume_finite=True, skip_parameter_validation=True):
            weigh = TfidfTransformer().fit(known[:, seen])
            model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
            model.fit(weigh.transform(known[:, seen]), positive[~out])
            score[out] = model.decision_function(weigh.transform(counts[out][:, seen]))
    return score


@functools.lru_cache(maxsize=1)
def _ngram_counts(texts: tuple[str, ...], ngrams: tuple[int, int]) -> csr_matrix:
    """Count the character n-grams of texts (n, N); kept, since shuffled labels ask of the same texts."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(analyzer="char", ngram_range=ngrams, lowercase=False).fit_transform(texts)


def oriented(feature: np.ndarray, positive: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Turn a feature round where the other folds say clearly that small values speak for the positive class.

    Choosing the better side on the very prompts that are scored would lift an idle feature above .5; always
    following the other folds would push it below, since what they lack is in the fold. So it stays as it is
    unless the AUC outside the fold lies two standard errors (those of equal laws) below 1/2.

    Parameters
    ----------
    feature : (n,) float
        Finite.
    positive : (n,) bool
        Class of each prompt.
    fold : (n,) int
        As `family_folds` gives it.

    Returns
    -------
    (n,) float64
        The feature minus its median over all prompts, negated in the folds where it is turned round.
    """
    from mmh.stats.curves import auc

    positive = np.asarray(positive, dtype=bool)
    centred = np.asarray(feature, dtype=np.float64) - np.median(feature)
    sign = np.ones(len(centred))
    for k in np.unique(fold):
        out = fold == k
        m, n = int(positive[~out].sum()), int((~positive[~out]).sum())
        error = np.sqrt((m + n + 1) / (12 * m * n))
        if auc(centred[~out], positive[~out]) < 0.5 - 2 * error:
            sign[out] = -1.0
    return centred * sign


def word_controls(
    texts: Sequence[str], positive: np.ndarray, families: np.ndarray, *, folds: int = FOLDS, seed: int = 0
) -> pd.DataFrame:
    """Compute every text-only control of one contrast.

    Parameters
    ----------
    texts : sequence of str
        Prompts of both classes.
    positive : (n,) bool
        Class of each.
    families : (n,) int
        Family of each.
    folds, seed
        As for `family_folds`.

    Returns
    -------
    pandas.DataFrame
        (n, 7) float64: `NGRAMS`, then the features of `FEATURES`; larger speaks for the positive class.

    Raises
    ------
    InputError
        As `family_folds` does.
    """
    fold = family_folds(families, positive, folds=folds, seed=seed)
    controls = {NGRAMS: ngram_scores(texts, positive, fold)}
    controls |= {name: oriented(v.to_numpy(), positive, fold) for name, v in word_features(texts).items()}
    return pd.DataFrame(controls)


def shuffled_areas(
    texts: Sequence[str],
    positive: np.ndarray,
    families: np.ndarray,
    *,
    shuffles: int,
    folds: int = FOLDS,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute the AUC of every control when the classes are idle: what chance alone gives on these texts.

    A score out of fold depends on the labels of the other prompts, so the AUC of idle labels varies more than
    a bootstrap of the scores shows; this is its real spread. The families are put in random order, and the
    first prompts are called positive, as many as there are.

    Parameters
    ----------
    texts, positive, families, folds
        As for `word_controls`.
    shuffles : int
        Number of labellings, each with classifiers of its own.
    seed : int
        Root seed.

    Returns
    -------
    pandas.DataFrame
        (shuffles, 7) float64, columns as of `word_controls`.

    Raises
    ------
    InputError
        As `family_folds` does.
    """
    from mmh.stats.curves import auc

    member = np.unique(families, return_inverse=True)[1]
    count = int(np.sum(positive))
    areas = []
    for k in range(shuffles):
        place = rng.generator(seed, "text-shuffles", k).permutation(member.max() + 1)[member]
        idle = np.zeros(len(member), dtype=bool)
        idle[np.argsort(place, kind="stable")[:count]] = True
        controls = word_controls(texts, idle, families, folds=folds, seed=seed)
        areas.append({name: auc(controls[name].to_numpy(), idle) for name in controls})
    return pd.DataFrame(areas)
