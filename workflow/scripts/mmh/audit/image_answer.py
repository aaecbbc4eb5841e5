"""The answer about someone's images: what is computed, and what is said of it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mmh.audit.conformal import SetTest, set_test
from mmh.audit.images import TrainingSet, against_holdout, against_one_another, ranked
from mmh.errors import InputError

CLOSE, LOW, ALIKE = "close", "lid", "sscd"
"""Kinds of evidence: a sample comes close to the image; LID_theta is low there; a descriptor finds one."""


@dataclass
class Evidence:
    """What there is about the images.

    Attributes
    ----------
    train, samples : (n, ...) and (s, ...) float32
    holdout : (m, ...) float32 or None
    lid : (n,) float64 or None
        LID_theta of the training images.
    lid_holdout : (m,) float64 or None
    lid_data : (n,) float64 or None
        LID_*.
    se_data : (n,) float64 or None
        Its standard error.
    alike : (n,) float64 or None
        Largest cosine of the image's embedding to that of a sample, by a copy descriptor.
    alike_holdout : (m,) float64 or None
    """

    train: np.ndarray
    samples: np.ndarray
    holdout: np.ndarray | None = None
    lid: np.ndarray | None = None
    lid_holdout: np.ndarray | None = None
    lid_data: np.ndarray | None = None
    se_data: np.ndarray | None = None
    alike: np.ndarray | None = None
    alike_holdout: np.ndarray | None = None


@dataclass
class Answer:
    """What an audit of images found.

    Attributes
    ----------
    table : pandas.DataFrame
        A row per image, the most suspect first.
    sentence : str
    found : int
        Distinct images called memorized.
    sets : dict of str to SetTest
        Tests of the set as a whole, by kind of evidence.
    tested : pandas.DataFrame or None
        Tests of the samples, where there is no hold-out.
    notes : list of str
        What was assumed, and what was not looked at.
    """

    table: pd.DataFrame
    sentence: str
    found: int
    sets: dict[str, SetTest] = field(default_factory=dict)
    tested: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def yes(self) -> bool:
        """Whether anything was found."""
        return self.found > 0 or known(self.sets) <= 0.05


def known(sets: dict[str, SetTest]) -> float:
    """p-value of all tests of the set together, by Bonferroni; 1 without any."""
    return min([1.0, *(len(sets) * test.p for test in sets.values())])


def answer_images(
    given: Evidence, *, neighbours: int, level: float, rng: np.random.Generator, draws: int = 9999
) -> Answer:
    """Rank the images and test each of them, and the set as a whole.

    Parameters
    ----------
    given : Evidence
    neighbours : int
        As for `TrainingSet`.
    level : float
        False discovery rate.
    rng : numpy.random.Generator
        Of the permutations.
    draws : int
        Permutations of the test of the set.

    Returns
    -------
    Answer
    """
    drawn, mine = given.samples.shape[1:], given.train.shape[1:]
    if drawn != mine:
        raise InputError(
            f"the model draws images of (channels, height, width) {drawn}, yours are {mine}; resize them"
        )
    notes: list[str] = []
    holdout, keep = _fresh(given, notes)
    train = TrainingSet(given.train, neighbours, holdout)
    near = train.nearest_samples(given.train, given.samples, own=True)
    evidence = {CLOSE: -near.ratio}
    if given.lid is not None:
        evidence[LOW] = -given.lid
    if given.alike is not None:
        evidence[ALIKE] = given.alike
    table = pd.DataFrame(
        {
            "train": np.arange(len(given.train)),
            "group": train.groups,
            "copies": train.copies,
            "sample": near.sample,
            "distance": near.distance,
            "ratio": near.ratio,
        }
    )
    if given.alike is not None:
        table["sscd"] = given.alike
    if given.lid is not None:
        table["lid_model"] = given.lid
    if given.lid_data is not None:
        table["lid_data"] = given.lid_data
        table["verdict"] = _verdicts(given, train.rows, notes)
    sets, tested = {}, None
    if holdout is not None:
        far = train.nearest_samples(holdout, given.samples, own=True)
        null = {CLOSE: -far.ratio}
        null |= {} if given.lid_holdout is None else {LOW: -given.lid_holdout[keep]}
        null |= {} if given.alike_holdout is None else {ALIKE: given.alike_holdout[keep]}
        evidence_tested = {kind: values for kind, values in evidence.items() if kind in null}
        tests = against_holdout(evidence_tested, null, train.groups)
        sets = {
            kind: set_test(values, null[kind], rng, clusters=train.groups, draws=draws)
            for kind, values in evidence_tested.items()
        }
        notes += _of_holdout(len(holdout), len(train.rows), len(null), level)
    else:
        tests, tested = against_one_another(given.samples, train)
        notes += _without_holdout(len(given.samples), len(train.rows), level)
    leading = evidence.get(LOW, evidence[CLOSE])
    table = ranked(pd.concat([table, tests], axis=1), leading, level=level)
    flagged = table["q"] <= level
    found = int(table.loc[flagged, "group"].nunique())
    sentence = _sentence(found, len(train.rows), level, sets, len(given.samples))
    return Answer(table, sentence, found, sets, tested, notes)


def _fresh(given: Evidence, notes: list[str]) -> tuple[np.ndarray | None, np.ndarray]:
    """Hold-out images that are not among the training images, and which they are."""
    if given.holdout is None:
        return None, np.zeros(0, dtype=bool)
    seen = {image.tobytes() for image in given.train}
    keep = np.array([image.tobytes() not in seen for image in given.holdout])
    if not keep.all():
        lost = int((~keep).sum())
        notes.append(f"{lost} hold-out images are among your images, pixel by pixel, and were left out.")
    return given.holdout[keep] if keep.any() else None, keep


def _verdicts(given: Evidence, distinct: np.ndarray, notes: list[str]) -> np.ndarray:
    """OD-Mem, DD-Mem or not, by limits that follow from the images themselves."""
    from mmh.lid.verdict import verdicts

    assert given.lid is not None
    assert given.lid_data is not None
    usual = float(np.nanmedian(given.lid_data[distinct]))
    low, gap = usual / 2, usual / 2
    error = 0.0 if given.se_data is None else given.se_data
    notes.append(
        f"OD-Mem and DD-Mem: a dimension counts as small below {low:.3g}, and LID_θ as below LID_* if "
        f"{gap:.3g} dimensions smaller: half of the median LID_* of your images ({usual:.3g}), chosen by us."
    )
    return verdicts(np.maximum(given.lid, 0.0), 0.0, given.lid_data, error, low=low, gap=gap)


def _of_holdout(n: int, images: int, kinds: int, level: float) -> list[str]:
    """What the tests against hold-out images assume, and what they cannot see."""
    least = kinds / (n + 1)
    lines = [
        f"The null are your {n} hold-out images. A p-value is (1 + number of hold-out images with at least "
        f"this score) / ({n} + 1), times {kinds} for {kinds} kinds of evidence; q-values are Benjamini and "
        "Hochberg's. Assumed: an image that is not memorized and a hold-out image are exchangeable, as "
        "independent draws from one source are. Another camera, another year or a repeated crop in one of "
        "the two breaks that.",
    ]
    if least > level:
        lines.append(
            f"With {n} hold-out images the smallest p-value is {least:.2g}: single images can reach q <= "
            f"{level:g} only if at least {int(np.ceil(images * least / level))} of them do so together. "
            "Give more hold-out images."
        )
    return lines


def _without_holdout(samples: int, images: int, level: float) -> list[str]:
    """What the tests among the training images assume."""
    return [
        f"No hold-out images were given. The null are your {images} distinct images among themselves: a "
        "sample that copies nothing is as near to its nearest image, beside those around that one, as one "
        "of your images is to the others. Assumed: such a sample and an image are exchangeable; "
        "near-duplicates among your images make the test miss copies, and blurred samples make it see some "
        "that are none. LID takes part in the order, but in no p-value. With --holdout both are tested.",
        "Without hold-out images there is no test of the set as a whole.",
    ]


def _sentence(found: int, images: int, level: float, sets: dict[str, SetTest], samples: int) -> str:
    """The answer, with its uncertainty."""
    whole = known(sets)
    if sets:
        best = min(sets.values(), key=lambda test: (test.p, -test.area))
        knows = (
            "knows your images better than the hold-out images"
            if whole <= 0.05
            else ("does not know your images measurably better than the hold-out images")
        )
        as_set = (
            f" As a set, it {knows} (p = {whole:.2g}; one of yours scores higher than a hold-out image in "
            f"{100 * best.area:.0f} % of pairs, 50 % being chance)."
        )
    else:
        as_set = ""
    if found:
        false = found * level
        return (
            f"Yes: the model memorizes {found} of your {images} distinct images, of which about "
            f"{max(1, round(false))} may be false alarms (false discovery rate {100 * level:g} %).{as_set}"
        )
    rare = f"an image that less than 1 in {max(1, round(samples / 3))} samples copies can be missed"
    if whole <= 0.05:
        return f"In part: no single image of yours stands out among {images}; {rare}.{as_set}"
    return (
        f"No sign of it: none of your {images} distinct images stands out (false discovery rate "
        f"{100 * level:g} %). {samples} samples were looked at; {rare} (95 %).{as_set}"
    )
