"""Controls that see nothing but the text."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mmh.errors import InputError
from mmh.prompts import matching, words
from mmh.stats.curves import auc

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def random_words(n, rng, length=7):
    return ["".join(rng.choice(LETTERS, size=length)) for _ in range(n)]


def random_texts(n, seed, words=4):
    rng = np.random.default_rng(seed)
    return [" ".join(random_words(words, rng)) for _ in range(n)]


def test_features_of_a_known_text():
    features = words.word_features(["Ab c-3, Éd 12", "..."])
    assert features.columns.tolist() == list(words.FEATURES)
    #                        characters, words, word length, capitalized, digits, punctuation ("-" and ",")
    assert features.iloc[0].tolist() == [13, 4, 10 / 4, 2 / 4, 3 / 13, 2 / 13]
    assert features.iloc[1].tolist() == [3, 1, 3, 0, 0, 1]


def test_folds_keep_families_whole_and_spread_classes():
    rng = np.random.default_rng(0)
    families = np.concatenate([rng.integers(0, 40, 150), rng.integers(30, 90, 150)])  # some hold both classes
    positive = np.arange(300) < 150
    fold = words.family_folds(families, positive, folds=10, seed=3)
    assert all(len(np.unique(fold[families == f])) == 1 for f in np.unique(families))
    for label in (True, False):
        counts = np.bincount(fold[positive == label], minlength=10)
        assert counts.min() >= 10
        assert counts.max() <= 20
    assert (fold == words.family_folds(families, positive, folds=10, seed=3)).all()
    assert (fold != words.family_folds(families, positive, folds=10, seed=4)).any()


def test_a_large_family_fills_one_fold_and_every_class_stays_outside_each():
    families = np.array([0] * 50 + list(range(1, 21)) + [100] * 9 + [101])
    positive = np.arange(80) < 70
    fold = words.family_folds(families, positive, folds=10)
    assert fold.max() == 1  # the negatives have two families
    for k in (0, 1):
        assert len(np.unique(positive[fold != k])) == 2
    fold = words.family_folds(np.arange(80) * (np.arange(80) >= 50), positive, folds=5)
    assert set(np.unique(fold[50:70])) == set(range(5)) - {fold[0]}


@pytest.mark.parametrize(("families", "folds"), [([0, 1, 2, 2], 10), ([0, 1, 2, 3], 1)])
def test_folds_that_cannot_be_are_refused(families, folds):
    with pytest.raises(InputError, match="2 families of each class"):
        words.family_folds(np.array(families), np.array([True, True, False, False]), folds=folds)


def test_ngram_scores_are_those_of_a_pipeline_fitted_without_the_fold():
    texts = [t + (" extra Word" if k % 3 else "") for k, t in enumerate(random_texts(60, seed=1))]
    positive = np.arange(60) % 4 > 1
    fold = words.family_folds(np.arange(60), positive, folds=4)
    scores = words.ngram_scores(texts, positive, fold)
    for k in range(4):
        pipeline = make_pipeline(
            TfidfVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False),
            LogisticRegression(class_weight="balanced", max_iter=2000),
        )
        pipeline.fit([t for t, f in zip(texts, fold, strict=True) if f != k], positive[fold != k])
        out = [t for t, f in zip(texts, fold, strict=True) if f == k]
        # The order of columns differs, so the iterations end at slightly different points.
        assert scores[fold == k] == pytest.approx(pipeline.decision_function(out), abs=1e-3)


def test_near_duplicates_lend_their_label_unless_families_are_kept_whole():
    rng = np.random.default_rng(5)
    families = np.repeat(np.arange(40), 5)
    texts = [
        f"{stem} {word}"
        for stem, word in zip(np.repeat(random_texts(40, seed=6), 5), random_words(200, rng, 3), strict=True)
    ]
    positive = np.repeat(rng.permutation(40) < 20, 5)  # idle labels, one per family
    leaky = words.family_folds(np.arange(200), positive)
    honest = words.family_folds(families, positive)
    assert auc(words.ngram_scores(texts, positive, leaky), positive) > 0.95
    assert auc(words.ngram_scores(texts, positive, honest), positive) < 0.7


def test_confounds_of_the_text_are_found_on_either_side():
    rng = np.random.default_rng(7)
    positive = np.arange(120) < 60
    texts = [t.title() if p else t for t, p in zip(random_texts(120, seed=8), positive, strict=True)]
    texts = [
        t if p else t + " " + " ".join(random_words(3, rng)) for t, p in zip(texts, positive, strict=True)
    ]
    controls = words.word_controls(texts, positive, np.arange(120))
    areas = {name: auc(controls[name].to_numpy(), positive) for name in controls}
    assert list(areas) == [words.NGRAMS, *words.FEATURES]
    assert areas["text_ngrams"] > 0.99
    assert areas["text_capitalized"] == 1.0
    assert areas["text_characters"] == 1.0  # memorized ones are shorter: turned round
    assert areas["text_digits"] == 0.5


def test_idle_texts_leave_every_control_at_chance_on_average():
    areas = []
    for seed in range(12):
        texts = [
            f"the {w} plate with digit {d}"
            for w, d in zip(random_words(80, np.random.default_rng(seed)), np.arange(80) % 7, strict=True)
        ]
        positive = np.random.default_rng(100 + seed).permutation(80) < 40
        controls = words.word_controls(texts, positive, np.arange(80), seed=seed)
        areas.append([auc(controls[name].to_numpy(), positive) for name in controls])
    # One AUC of 40 + 40 idle prompts has a standard deviation of about .08.
    assert np.abs(np.mean(areas, axis=0) - 0.5).max() < 4 * 0.08 / np.sqrt(12)


def test_matched_prompts_are_the_most_pairs_within_the_caliper_and_then_the_nearest():
    texts = ["a" * n for n in (10, 14, 15, 30, 11, 15, 19, 80)]
    positive = np.arange(8) < 4
    caliper = 0.2
    length = np.array([len(t) for t in texts], dtype=float)
    length /= length.std()
    best = (0, 0.0, ())
    for order in permutations(range(4, 8)):
        pairs = [
            (i, j) for i, j in zip(range(4), order, strict=True) if abs(length[i] - length[j]) <= caliper
        ]
        cost = sum(abs(length[i] - length[j]) for i, j in pairs)
        best = max(best, (len(pairs), -cost, tuple(sorted(sum(pairs, ())))))
    assert 0 < best[0] < 4
    found = matching.matched(texts, positive, caliper=caliper)
    assert tuple(found) == best[2]


def test_matching_takes_the_power_of_what_is_matched():
    rng = np.random.default_rng(9)
    positive = np.arange(400) < 200
    count = np.where(positive, rng.integers(4, 10, 400), rng.integers(2, 8, 400))
    texts = [" ".join(random_words(k, rng)) for k in count]
    chosen = matching.matched(texts, positive)
    assert (positive[chosen].sum(), (~positive[chosen]).sum()) == (len(chosen) // 2,) * 2
    assert len(chosen) > 200
    assert auc(count.astype(float), positive) > 0.75
    assert abs(auc(count[chosen].astype(float), positive[chosen]) - 0.5) < 0.02
    with pytest.raises(InputError, match="caliper"):
        matching.matched(texts, positive, caliper=0)


def test_a_feature_is_turned_by_the_other_folds_alone():
    """Fold 0 points one way, fold 1 no way at all: seen together both would be turned, and fold 0 by itself."""
    fold = np.repeat([0, 1], 80)
    positive = np.tile(np.repeat([True, False], 40), 2)
    idle = np.concatenate([np.arange(40.0), np.arange(40.0)])  # the same values in both classes: AUC 1/2
    clear = np.concatenate([np.arange(40.0), 40 + np.arange(40.0)])  # small values are positive: AUC 0
    feature = np.concatenate([clear, idle])
    assert auc(feature, positive) < 0.3
    turned = words.oriented(feature, positive, fold)
    centred = feature - np.median(feature)
    np.testing.assert_array_equal(turned[fold == 0], centred[fold == 0])
    np.testing.assert_array_equal(turned[fold == 1], -centred[fold == 1])


@pytest.mark.parametrize(("won", "sign"), [(209, -1), (210, 1)])
def test_a_feature_is_turned_two_standard_errors_below_one_half(won, sign):
    """Of 25 + 25 values of equal laws the AUC has variance 51 / (12 * 25 * 25): 209 of 625 pairs is below."""
    fold = np.repeat([0, 1], 50)
    positive = np.tile(np.arange(50) < 25, 2)
    passed = np.full(25, won // 25) + (np.arange(25) < won % 25)  # negatives that each positive exceeds
    outside = np.concatenate([passed - 0.5, np.arange(25.0)])
    assert auc(outside, positive[:50]) == won / 625
    assert (won / 625 < 0.5 - 2 * np.sqrt(51 / 7500)) == (sign < 0)
    feature = np.concatenate([np.arange(50.0), outside])
    turned = words.oriented(feature, positive, fold)
    np.testing.assert_array_equal(turned[fold == 0], sign * (feature - np.median(feature))[fold == 0])


def test_idle_labels_keep_families_whole_and_spread_as_that_many_families(monkeypatch):
    """40 families of 5 equal prompts: an idle AUC has the variance of 20 + 20 values, 41 / (12 * 20 * 20)."""
    families = np.repeat(np.arange(40), 5)
    positive = np.arange(200) < 100
    seen = []

    def controls(texts, idle, members, **how):
        seen.append(idle)
        return pd.DataFrame({"one": members.astype(float)})

    monkeypatch.setattr(words, "word_controls", controls)
    areas = words.shuffled_areas([""] * 200, positive, families, shuffles=600, seed=2)["one"]
    whole = [np.isin(idle.reshape(40, 5).sum(axis=1), [0, 5]).all() for idle in seen]
    assert all(whole)
    assert all(idle.sum() == 100 for idle in seen)
    assert areas.mean() == pytest.approx(0.5, abs=4 * 0.0924 / np.sqrt(600))
    assert areas.std() == pytest.approx(np.sqrt(41 / (12 * 20 * 20)), rel=0.12)  # by prompt it would be .041
