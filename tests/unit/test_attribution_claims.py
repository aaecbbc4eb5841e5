"""Claims 13, 14 and 15 on tables made by hand, and the worlds in which they do not hold."""

import numpy as np
import pandas as pd
import pytest
from test_rewritten import curves

from mmh.calibration import nulls
from mmh.claims.base import CLAIMS, Context
from mmh.claims.driving_token import agreement
from mmh.claims.table import check_claims
from mmh.io.tables import WORD_VALUES

WORDS = ["a", "red", "three", "tovafu", "plate"]
NAMES = ("cfg", "scfg", "flipd")


@pytest.fixture(scope="module")
def rewritten():
    """FLIPD's words do as CFG's do, but for noise; both better than random words."""
    base = curves()
    again = base[base["choice"] == "cfg"].assign(choice="flipd")
    again["similarity"] += np.random.default_rng(4).normal(0, 0.01, len(again))
    return pd.concat([base, again], ignore_index=True)


def test_claim_13_asks_for_differences_that_do_not_count(rewritten):
    found = check_claims(["13"], {"rewritten": rewritten})
    assert len(found) == 3
    assert set(found["verdict"]) == {"holds"}
    own = rewritten.set_index(["k", "prompt"])
    by = {name: own.loc[own["choice"] == name, "similarity"] for name in ("cfg", "flipd", "random")}
    assert found["estimate"][0] == pytest.approx((by["flipd"] - by["cfg"]).mean())
    lost = (by["random"] - by["cfg"]).mean()
    assert set(found["beside"]) == {f"random minus cfg: {lost:.3f}"}
    # Random words are not on par with CFG's.
    other = check_claims(["13"], {"rewritten": rewritten}, options={"on_par": {"random": "cfg"}})
    assert set(other["verdict"]) == {"fails"}


def attributed(hits, n=60, *, roles=True, level="output", sets=("memorized", "control")):
    """Prompts whose attributions name KEY in the first `hits[set]` of them, else each another word."""
    rows = []
    for place, prompts in enumerate(sets):
        for prompt in range(n):
            for number, name in enumerate(NAMES):
                top = 3 if prompt < hits[prompts] else number
                for word, text in enumerate(WORDS):
                    role = "key" if text == "tovafu" else "det"
                    keys = (prompts, prompt, prompt + n * place, "evaluated", name, level, word, text)
                    rows.append((*keys, 1.0 + (word == top), role if roles else None, 0.0))
    table = pd.DataFrame(rows, columns=list(WORD_VALUES.columns))
    return table.astype({"role": "string"})


def test_claim_14_counts_prompts_in_which_all_name_one_word():
    found = check_claims(["14"], {"words": attributed({"memorized": 45, "control": 6})})
    assert found["role"].tolist() == ["claim", "claim", "control"]
    assert found["estimate"].tolist() == pytest.approx([0.75, 0.75, 0.1])
    assert found["verdict"].tolist() == ["holds"] * 3
    assert found["null"][0].startswith(f"{1 / 25:.3f}:")
    assert found["null"][1].startswith(f"{1 / 125:.3f}:")
    assert found["beside"][0] == "cfg on KEY: 0.75, scfg on KEY: 0.75, flipd on KEY: 0.75"
    assert (
        check_claims(["14"], {"words": attributed({"memorized": 9, "control": 0})})["verdict"][0] == "fails"
    )
    # Where nobody knows the parts of the words, one word is all that can be asked.
    unknown = check_claims(["14"], {"words": attributed({"memorized": 45, "control": 6}, roles=False)})
    assert unknown["role"].tolist() == ["claim", "control"]
    assert unknown["beside"].tolist() == ["", ""]


def test_agreement_is_on_a_word_and_not_on_a_part_and_needs_all():
    table = attributed({"memorized": 60, "control": 0}, sets=("memorized",))
    moved = table.copy()
    flipd = (moved["attribution"] == "flipd") & (moved["prompt"] == 0)
    moved.loc[flipd, "value"] = [1.0, 9.0, 1.0, 1.0, 1.0]
    found = agreement(moved, NAMES, "output", "memorized").set_index("family")
    assert not found.loc[0, "agree"]
    assert found.loc[0, ["on_key:cfg", "on_key:flipd"]].tolist() == [True, False]
    assert found["agree_on_key"].sum() == 59
    lacking = table[(table["attribution"] != "flipd") | (table["prompt"] != 0)]
    assert len(agreement(lacking, NAMES, "output", "memorized")) == 59
    tuned = table.assign(part=np.where(table["prompt"] < 10, "tuning", "evaluated"))
    assert len(agreement(tuned, NAMES, "output", "memorized")) == 50
    assert not len(agreement(table, NAMES, "input", "memorized"))
    assert check_claims(["14"], {"words": table}, options={"agreeing_levels": ["input"]})["n"].tolist() == [0]


def complexities(rise, shaken=0.0, n=60):
    """PNG sizes of two generations of each memorized prompt: those of `none`, times what each mitigation does."""
    random = np.random.default_rng(1)
    base = pd.DataFrame([(p, g) for p in range(n) for g in range(2)], columns=["prompt", "generation"])
    base = base.assign(
        prompt_set="memorized", family=base["prompt"], part="evaluated", similarity=0.5, clip=np.nan
    )
    size = np.exp(random.normal(7.2, 0.1, len(base)))
    parts = [base.assign(mitigation="none", png=size)]
    for name, factor in (("flipd_up", rise), ("noise", shaken)):
        parts.append(
            base.assign(mitigation=name, png=size * np.exp(factor + random.normal(0, 0.02, len(base))))
        )
    return pd.concat(parts, ignore_index=True)


def test_claim_15_asks_for_a_rise_that_shaking_does_not_make():
    table, own = complexities(0.08), {"shaken": "noise"}
    found = check_claims(["15"], {"mitigated": table}, options=own)
    assert found["role"].tolist() == ["claim", "claim", "control"]
    assert found["verdict"].tolist() == ["holds"] * 3
    by = table.set_index(["mitigation", "prompt", "generation"])["png"]
    assert found["estimate"][0] == pytest.approx(np.log(by["flipd_up"] / by["none"]).mean())
    assert found["beside"][0] == "flipd_up, similarity: 0.50"
    both = check_claims(["15"], {"mitigated": complexities(0.08, 0.08)}, options=own)
    assert both["verdict"].tolist() == ["holds", "fails", "fails"]
    assert check_claims(["15"], {"mitigated": complexities(0.0)})["verdict"].tolist() == ["fails"]


CASES = {
    "13": ("rewritten", {}),
    "14": ("words", {}),
    "15": ("mitigated", {}),
}


@pytest.mark.parametrize("claim", CASES)
def test_worlds_lie_where_they_are_said_to(claim, rewritten):
    name, own = CASES[claim]
    table = {
        "rewritten": rewritten[rewritten["family"] < 16],
        "words": attributed({"memorized": 12}, n=20, sets=("memorized",)),
        "mitigated": complexities(0.08, n=30),
    }[name]
    options = CLAIMS[claim].Options.model_validate(own)
    ends = {"13": (0.05, 0.01), "14": (0.5,), "15": (np.log(1.02),)}[claim]
    worlds = nulls.worlds_of(claim, Context({name: table}, options, 0, 0))
    assert {world.null for world in worlds} == ({"edge"} if claim == "13" else {"no effect", "edge"})
    for world in worlds:
        values: dict[str, list[float]] = {}
        for trial in range(12):
            for finding in world.findings(np.random.default_rng(trial), trial):
                sign = (1 if trial % 2 else -1) if claim == "13" else 1
                values.setdefault(finding.statistic, []).append(sign * finding.at(level=0.95).estimate)
        assert values
        for statistic, each in values.items():
            error = np.std(each) / np.sqrt(12)
            if world.null == "no effect":
                truth = {"14": 1 / 25 if "one word" in statistic else 1 / 125, "15": 0.0}[claim]
            else:
                truth = ends[-1] if "CLIP" in statistic else ends[0]
            assert abs(np.mean(each) - truth) < 4 * error + 0.01 * (claim == "14") + 0.004, (
                world.null,
                statistic,
                np.mean(each),
            )
