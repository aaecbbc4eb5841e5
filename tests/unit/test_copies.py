"""Copies by probability mass: masses of balls, exact intervals, slopes, duplicates; the claims on them."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from mmh.claims import table as claims
from mmh.copying import balls, duplicates
from mmh.errors import InputError
from mmh.worlds.base import WORLDS
from mmh.worlds.sets import von_mises
from mmh.worlds.sets.von_mises_law import LID, VonMisesLaw, places

RADII = np.array([0.0, 0.01, 0.3, 0.99, 1.0, 1.4, 1.99, 2.0, 3.0])


@pytest.mark.parametrize("angle", [0.0, 0.7, math.pi, -2.5])
def test_mass_of_a_ball_about_a_point_of_a_uniform_circle(angle):
    centre = np.array([np.cos(angle), np.sin(angle)])
    mass = VonMisesLaw(concentration=0.0, centre_weight=0.25).mass(centre, RADII)
    # A chord of length r subtends 2 arcsin(r / 2) on either side.
    arc = 2 * np.arcsin(np.clip(RADII / 2, 0, 1)) / np.pi
    np.testing.assert_allclose(mass, 0.75 * arc + 0.25 * (RADII >= 1), atol=1e-12)


@pytest.mark.parametrize("centre", [(1.0, 0.0), (-0.8148, -0.5798), (0.3, -0.2), (0.0, 1.7)])
@pytest.mark.parametrize("radius", [0.02, 0.4, 1.1, 2.5])
def test_mass_of_a_ball_is_the_integral_of_the_density(centre, radius):
    law, centre = VonMisesLaw(concentration=2.0, centre_weight=0.3), np.array(centre)

    angle = (np.arange(2_000_000) + 0.5) / 1_000_000 * np.pi - np.pi
    near = np.hypot(np.cos(angle) - centre[0], np.sin(angle) - centre[1]) <= radius
    arc = 2 * np.pi * (near * von_mises.density(angle, concentration=2.0)).mean()
    expected = 0.7 * arc + 0.3 * (np.hypot(*centre) <= radius)
    assert law.mass(centre, np.array([radius]))[0] == pytest.approx(expected, abs=2e-6)


def test_mass_at_the_origin_and_of_draws():
    law = VonMisesLaw(concentration=2.0, centre_weight=0.3)
    np.testing.assert_array_equal(law.mass(np.zeros(2), np.array([0.0, 0.5, 1.0])), [0.3, 0.3, 1.0])
    angle, atom = law.draw(np.random.default_rng(3), (200_000,))
    assert np.isnan(angle[atom]).all()
    x = np.where(atom[:, None], 0.0, np.stack([np.cos(angle), np.sin(angle)], axis=1))
    for centre in ((1.0, 0.0), (-0.8, -0.6)):
        radii = np.array([0.05, 0.5, 1.05])
        share = (np.linalg.norm(x - np.array(centre), axis=1)[:, None] <= radii).mean(axis=0)
        np.testing.assert_allclose(law.mass(np.array(centre), radii), share, atol=4e-3)
    with pytest.raises(InputError, match="radii >= 0"):
        law.mass(np.zeros(2), np.array([-1.0]))


def test_places_are_x0_the_centre_and_the_mode_of_the_arc():
    x, table = von_mises.make(seed=307)
    chosen = places(x, table).set_index("place")
    assert chosen["lid_data"].to_dict() == LID
    assert chosen["train"]["isolated"] == von_mises.isolated_point(x)[0]
    assert (x[chosen["train"]["centre"]] == 0).all()
    arc = np.flatnonzero(table["population"] == "arc")
    assert chosen["train"]["arc"] == arc[x[arc, 0].argmax()]
    assert WORLDS["von-mises"].law_of({"concentration": 1.5, "centre_weight": 0.2}) == VonMisesLaw(1.5, 0.2)


@pytest.mark.parametrize("n", [1, 12, 60])
@pytest.mark.parametrize("level", [0.95, 0.998])
def test_exact_intervals_cover_and_are_the_inverse_of_the_test(n, level):
    found = [balls.exact_interval(k, n, level) for k in range(n + 1)]
    tail = (1 - level) / 2
    for k, one in enumerate(found):
        assert one.low <= one.estimate == k / n <= one.high
        if k:
            assert binom.sf(k - 1, n, one.low) == pytest.approx(tail)
        if k < n:
            assert binom.cdf(k, n, one.high) == pytest.approx(tail)
    for p in np.linspace(0.001, 0.999, 41):
        covered = sum(binom.pmf(k, n, p) for k, one in enumerate(found) if one.low <= p <= one.high)
        assert covered >= level - 1e-9
    with pytest.raises(InputError):
        balls.exact_interval(n + 1, n)


def made(samples, inside, mass, radii=(0.01, 0.05, 0.5), lid=1, place="isolated"):
    marks = ["", "inner", "outer"]
    return pd.DataFrame(
        {
            "place": place,
            "train": 0,
            "lid_data": lid,
            "radius": radii,
            "mark": marks,
            "samples": samples,
            "inside": inside,
            "mass": mass,
        }
    )


def test_smallest_ball_and_the_table_of_counts():
    x = np.array([[0.0, 0.0], [0.5, 0.0], [0.51, 0.0], [3.0, 0.0]])
    radii = np.array([0.1, 0.5, 1.0])
    bins = balls.smallest_ball(x, np.array([[0.0, 0.0], [3.0, 0.0]]), radii)
    assert bins.tolist() == [[0, 3], [1, 3], [2, 3], [3, 0]]  # closed balls
    place = pd.DataFrame({"place": ["a", "b"], "train": [4, 7], "lid_data": [1, 0]})
    table = balls.ball_table(place, bins, radii, np.ones((2, 3)), (0.1, 1.0))
    assert table["inside"].tolist() == [1, 2, 3, 1, 1, 1]
    assert table["mark"].tolist() == ["inner", "", "outer"] * 2
    assert table["train"].tolist() == [4] * 3 + [7] * 3


def test_radii_hold_the_two_of_the_slope_once():
    radii = balls.radii(0.01, 1.0, 10, 0.05, 0.5)
    assert (np.diff(radii) > 0).all()
    assert radii[0] == 0.01
    assert radii[-1] == pytest.approx(1.0)
    assert [np.isclose(radii, r).sum() for r in (0.05, 0.5)] == [1, 1]
    steps = np.diff(np.log10(radii))
    assert steps.min() > 0.04


def test_slope_of_masses_that_are_powers():
    # P_theta ~ r^0 and r^1 beside P_* ~ r^1: slopes -1 and 0.
    law = [0.001, 0.005, 0.05]
    copies = made(10_000, [400, 400, 400], law)
    found = balls.slope(copies)
    assert found.estimate == pytest.approx(-1.0)
    assert found.high == pytest.approx(-1 - math.log10(balls.exact_interval(400, 400).low))
    assert found.low == pytest.approx(-1.0)
    general = balls.slope(made(100_000, [100, 500, 5000], law))
    assert general.estimate == pytest.approx(0.0)
    assert general.low < 0 < general.high
    assert general.n == 5000
    assert math.isinf(balls.slope(made(100, [0, 0, 5], law)).high)
    assert math.isnan(balls.slope(made(100, [0, 0, 0], law)).estimate)
    with pytest.raises(InputError, match="marked inner"):
        balls.slope(copies.iloc[:2])


def test_the_slope_covers():
    """Exact given the outer count: samples of a law with dimension 1/2, 400 times."""
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        distance = generator.uniform(size=300) ** 2  # P(distance <= r) = r^(1/2)
        table = made(300, [(distance <= r).sum() for r in (0.01, 0.05, 0.5)], [0.01, 0.05, 0.5])
        found = balls.slope(table)
        hits += found.low <= -0.5 <= found.high
    assert 0.93 <= hits / 400 <= 0.995


def test_ratios_and_their_largest():
    table = made(1000, [50, 100, 200], [0.005, 0.02, 0.4])
    np.testing.assert_allclose(balls.ratios(table)["ratio"], [10, 5, 0.5])
    one = balls.exact_interval(100, 1000)
    assert balls.ratios(table)["ratio_low"].iloc[1] == pytest.approx(one.low / 0.02)
    found = balls.largest_ratio(table)
    third = balls.exact_interval(50, 1000, 1 - 0.05 / 3)
    assert (found.estimate, found.low) == pytest.approx((10.0, third.low / 0.005))
    assert balls.largest_ratio(table.iloc[1:], gamma=0.1).estimate == 5
    assert math.isnan(balls.largest_ratio(table, gamma=0.001).estimate)
    # No mass: no ratio.
    empty = balls.ratios(made(10, [1, 1, 1], [0.0, 0.1, 0.2]))
    assert math.isnan(empty["ratio"].iloc[0])


def test_samples_to_a_copy():
    table = made(10_000, [300, 400, 500], [0.001, 0.01, 0.4])
    found = balls.samples_to_a_copy(table, 2.0, 0.05, 0.99)
    assert found.estimate == pytest.approx(math.log(0.01) / math.log(0.96))
    assert found.low < found.estimate < found.high
    none = balls.samples_to_a_copy(table, 1000.0, 0.05, 0.99)
    assert math.isnan(none.estimate)
    assert math.isinf(none.high)


@pytest.mark.parametrize("weight", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("n", [2, 3, 8])
def test_probability_of_a_duplicate_by_enumeration(weight, n):
    by_hand = sum(binom.pmf(k, n, weight) for k in range(2, n + 1))
    assert duplicates.probability(weight, n) == pytest.approx(by_hand)
    # Proposition 3.1's own bound, which counts only repetitions of the first point.
    assert duplicates.probability(weight, n) <= 1 - (1 - weight) ** (n - 1) + 1e-12 or weight == 0


def test_duplicates_in_sets_by_hand():
    values = np.array([[1.0, 2.0, 2.0], [1.0, 9.0, 9.0], [1.0, 2.0, 3.0], [1.0, 9.0, 2.0]])
    atom = values == 9.0
    anywhere, elsewhere = duplicates.duplicated(values, atom)
    assert anywhere.tolist() == [True, True, False, False]
    assert elsewhere.tolist() == [True, False, False, False]


class Rounded(VonMisesLaw):
    """The law without an atom, stored with two digits: its points coincide though LID_* is 1 everywhere."""

    def draw(self, generator, shape):
        angle, atom = super().draw(generator, shape)
        return np.round(angle, 2), atom


def duplicate_rows(without=VonMisesLaw, weight=0.3):
    laws = {"with atom": (VonMisesLaw(2.0, weight), weight), "without atom": (without(2.0, 0.0), 0.0)}
    return duplicates.duplicate_table(laws, [2, 60], 1000, seed=1)


def test_drawn_sets_agree_with_the_probability():
    table = duplicate_rows()
    for row in table.itertuples():
        interval = balls.exact_interval(row.with_duplicates, row.sets, 0.999)
        assert interval.low <= row.exact <= interval.high
    assert table["elsewhere"].sum() == 0


def verdicts(name, tables, **options):
    return claims.check_claims([name], tables, options=options, resamples=200)["verdict"].tolist()


def test_proposition_3_1_holds_and_can_fail():
    assert verdicts("3.1", {"duplicates": duplicate_rows()}) == ["holds"] * 3
    assert verdicts("3.1", {"duplicates": duplicate_rows(without=Rounded)})[0] == "fails"
    assert verdicts("3.1", {"duplicates": duplicate_rows(weight=1e-4)})[1] == "fails"


def three_places(x0=(300, 1000, 1100), centre=(3000, 3000, 3000), arc=(70, 360, 3400), n=10_000):
    law = [0.0002, 0.001, 0.011]
    return pd.concat(
        [
            made(n, x0, law, lid=1, place="isolated"),
            made(n, centre, [0.3, 0.3, 0.3], lid=0, place="centre"),
            made(n, arc, [0.007, 0.036, 0.34], lid=1, place="arc"),
        ],
        ignore_index=True,
    )


def test_theorem_a_3_holds_for_a_copied_point_and_fails_for_the_law_itself():
    assert verdicts("A.3", {"balls": three_places()}) == ["holds"] * 6
    law_itself = three_places(x0=(200, 1000, 11_000), n=1_000_000)
    law_itself.loc[law_itself["place"] != "isolated", "inside"] *= 100
    found = verdicts("A.3", {"balls": law_itself})
    assert found == ["fails", "holds", "holds", "fails", "fails", "holds"]  # surely no ball is a copy
    copied_arc = three_places(arc=(7000, 7000, 7000))
    assert verdicts("A.3", {"balls": copied_arc})[2] == "fails"
    assert verdicts("A.3", {"balls": copied_arc})[5] == "fails"


def test_proposition_a_2_holds_at_the_centre_and_fails_where_it_is_copied_or_has_a_dimension():
    generator = np.random.default_rng(0)
    scores = pd.DataFrame(
        {
            "items": "samples",
            "item": np.arange(40),
            "estimator": "flipd",
            "t": 0.36,
            "value": 0.01 * generator.normal(size=40),
        }
    )
    tables = {
        "balls": three_places(),
        "scores": scores,
        "regions": pd.DataFrame({"sample": np.arange(40), "region": "centre"}),
    }
    assert verdicts("A.2", tables) == ["holds"] * 3
    copied = three_places(centre=(9000, 9000, 9000))
    assert verdicts("A.2", {**tables, "balls": copied}) == ["fails", "fails", "holds"]
    line = scores.assign(value=scores["value"] + 1)
    assert verdicts("A.2", {**tables, "scores": line}) == ["holds", "holds", "fails"]
