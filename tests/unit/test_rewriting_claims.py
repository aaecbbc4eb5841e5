"""Claim 12 and Fig. 7a, on generations of rewritten prompts made by hand."""

import numpy as np
import pandas as pd
import pytest
from test_rewritten import curves, problems

from mmh.calibration import nulls
from mmh.claims.base import CLAIMS, Context
from mmh.claims.table import check_claims
from mmh.errors import InputError
from mmh.figures.base import FIGURES, About
from mmh.io.table_files import write_csv
from mmh.mitigated.frontier import Frontier
from mmh.mitigated.rewriting import rewriting_table

OWN = {"rewrites": ["cfg"]}


@pytest.fixture(scope="module")
def rewritten():
    """Memorized prompts whose words `cfg` finds, and control prompts in which it finds nothing."""
    control = curves(seed=1, lead=0.0).assign(prompt_set="control")
    control.loc[control["choice"] == "cfg", ["similarity", "clip"]] = control.loc[
        control["choice"] == "random", ["similarity", "clip"]
    ].to_numpy()
    both = pd.concat([curves(), control.assign(family=control["family"] + 60)], ignore_index=True)
    return both.assign(copy=(both["similarity"] >= 0.75).astype(float), alike=np.nan, correct=np.nan)


def test_claim_12_asks_for_less_similarity_and_for_more_of_the_prompt(rewritten):
    found = check_claims(["12a", "12b"], {"rewritten": rewritten}, options=OWN)
    first = found[(found["claim"] == "12a") & (found["role"] == "claim")].iloc[0]
    own = rewritten[rewritten["prompt_set"] == "memorized"].set_index(["k", "prompt"])
    by = {name: own.loc[own["choice"] == name, "similarity"] for name in ("cfg", "random")}
    assert first["estimate"] == pytest.approx((by["cfg"] - by["random"]).mean())
    assert (first["verdict"], first["n"], first["n_clusters"]) == ("holds", 180, 60)
    assert first["beside"] == "cfg: 180 images, random: 180 images"
    control = found[found["role"] == "control"].iloc[0]
    assert control["estimate"] == 0
    assert control["statistic"].endswith("control prompts (none memorized: within 0.05 of 0)")
    second = found[found["claim"] == "12b"].reset_index(drop=True)
    wanted = [
        Frontier(own.reset_index(), 0).interval("cfg", at, than="random").estimate for at in (0.75, 0.7)
    ]
    assert second["estimate"].tolist() == wanted
    assert abs(second["estimate"][1] - 0.05) < 0.01
    assert set(second["verdict"]) == {"holds"}
    assert (second["p"] < 0.001).all()
    assert set(found["under"]) == {"cfg"}


def test_claim_12_is_undecided_without_an_effect_or_without_data(rewritten):
    flat = rewritten[rewritten["choice"] != "cfg"]
    again = flat[flat["choice"] == "random"].assign(choice="cfg")
    again["similarity"] += np.random.default_rng(0).normal(0, 0.005, len(again))
    found = check_claims(
        ["12a", "12b"], {"rewritten": pd.concat([flat, again], ignore_index=True)}, options=OWN
    )
    assert set(found.query("role == 'claim'")["verdict"]) == {"fails"}
    far = check_claims(["12b"], {"rewritten": rewritten}, options=OWN | {"at_similarities": [0.2]})
    assert far["verdict"].tolist() == ["undecided"]
    assert "0.2 is out of range" in far["reason"][0]
    nothing = check_claims(["12a", "12b"], {"rewritten": rewritten.iloc[:0]}, options=OWN)
    assert set(nothing["verdict"]) == {"undecided"}
    assert set(nothing["n"]) == {0}


@pytest.mark.parametrize(("claim", "end"), [("12a", -0.05), ("12b", 0.01)])
def test_worlds_without_an_effect_have_none_and_at_the_edge_just_what_does_not_count(rewritten, claim, end):
    own = CLAIMS[claim].Options.model_validate(OWN)
    table = rewritten[(rewritten["prompt_set"] == "memorized") & (rewritten["family"] < 30)]
    for world in nulls.worlds_of(claim, Context({"rewritten": table}, own, 0, 0)):
        values = {}
        for trial in range(16):
            for finding in world.findings(np.random.default_rng(trial), trial):
                estimate = finding.at(level=0.95).estimate
                values.setdefault(finding.statistic, []).append(estimate)
        assert values
        for statistic, each in values.items():
            truth = 0.0 if world.null == "no effect" else end
            error = np.std(each) / 4
            assert abs(np.mean(each) - truth) < 4 * error + 0.002, (world.null, statistic)


def test_the_figure_is_drawn_from_the_table(rewritten, tmp_path):
    families = rewritten.drop_duplicates(["prompt_set", "prompt"]).set_index(["prompt_set", "prompt"])[
        "family"
    ]
    how = {"reference": "random", "tuned": 0, "similarities": [0.7], "seed": 0}
    table = rewriting_table(rewritten, problems(rewritten, 3), families.to_dict(), **how)
    write_csv(table, tmp_path / "rewriting.csv", digits=6)
    row = FIGURES["mitigation_curve"]
    files = {name: tmp_path / f"curve.{name}" for name in ("pdf", "png", "csv")}
    about = About("world", more={"printed": {"cfg": r"$\mathcal{A}^{CFG}$, output"}})
    how = {"table": tmp_path / "rewriting.csv", "about": about, **files}
    row.draw(options=row.Options(sets=["memorized", "control"]), **how)
    drawn = pd.read_csv(files["csv"])
    assert set(drawn["choice"]) == {"none", "random", "cfg"}
    assert set(drawn["k"]) == {0, 1, 2, 4}
    one = drawn.query("prompt_set == 'memorized' and choice == 'cfg' and k == 2 and metric == 'similarity'")
    own = rewritten.query("prompt_set == 'memorized' and choice == 'cfg' and k == 2")["similarity"]
    assert one["estimate"].iloc[0] == pytest.approx(own.mean(), abs=1e-6)
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    row.draw(options=row.Options(choices=["cfg"]), **how)
    assert set(pd.read_csv(files["csv"])["choice"]) == {"none", "cfg"}
    with pytest.raises(InputError, match="no evaluated prompts of generic have the metric 'similarity'"):
        row.draw(options=row.Options(sets=["generic"]), **how)
    with pytest.raises(InputError, match="has no generations of the choice 'flipd'"):
        row.draw(options=row.Options(choices=["flipd"]), **how)
