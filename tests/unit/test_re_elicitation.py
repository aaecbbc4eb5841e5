"""Attacks on mitigations: Adam written out, budgets that nest, spans, what is counted, the table, the figure."""

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import PNDMScheduler
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.elicited.attack import attack
from mmh.elicited.options import first_prompts
from mmh.elicited.sampling import elicit_span, training_image_of
from mmh.elicited.table import chance_threshold, elicitation_table, excess, measured
from mmh.errors import InputError
from mmh.figures.base import FIGURES, About
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_csv, write_table
from mmh.io.tables import ELICITED, MITIGATED
from mmh.mitigated.measures import Truth
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import Mitigation, made
from mmh.models.latent import folder as text_to_image
from mmh.sampling.guided import ddim_grid
from mmh.stats.clusters import mover, share_interval

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE, GRID = Schedule.from_scheduler(SETTINGS), ddim_grid(SETTINGS, 6)
DIM, LAMBDA, PROMPTS, GENERATIONS, RATE, DRAWS = 4, 3.0, 3, 2, 0.1, 2
NULL = torch.tensor([[[0.1] * DIM, [0.2] * DIM]], dtype=torch.float64)
CAPTIONS = torch.from_numpy(np.random.default_rng(0).normal(size=(PROMPTS, 2, DIM)))
IMAGES = torch.from_numpy(np.random.default_rng(1).normal(size=(PROMPTS, DIM)))


def model():
    """eps(z, t, c) = c_0 + c_1 z."""
    return ScoreModel.from_function(
        lambda z, t, c: c[:, 0] + c[:, 1] * z, (DIM,), SCHEDULE, dtype=torch.float64
    )


def attacked(mitigation, prompts=range(PROMPTS), budgets=(0, 1, 3), *, seed=5, score=None, batch_size=4):
    rows = list(prompts)
    return attack(
        score or model(),
        CAPTIONS[rows],
        NULL,
        mitigation,
        IMAGES[rows],
        budgets=list(budgets),
        learning_rate=RATE,
        draws=DRAWS,
        grid=GRID,
        prompt_set="test",
        prompts=rows,
        generations=GENERATIONS,
        guidance=LAMBDA,
        seed=seed,
        batch_size=batch_size,
    )


def by_hand(prompt, steps, *, guidance=LAMBDA, moved=lambda c, generation: c):
    """Adam written out in NumPy along the gradient of ||eps_0 + lambda (eps_c - eps_0) - n||^2 / d."""
    c, x, null = CAPTIONS[prompt].numpy().copy(), IMAGES[prompt].numpy(), NULL[0].numpy()
    m, v = np.zeros_like(c), np.zeros_like(c)
    for step in range(steps):
        gradient = np.zeros_like(c)
        for draw in range(DRAWS):
            u = rng.generator(5, "re-elicitation-level", step, draw).random()
            abar = GRID.abar[int(len(GRID) * (draw + u) / DRAWS)]
            n = rng.normal(5, "re-elicitation:test", [prompt], (DIM,), step, draw)[0].double().numpy()
            z = np.sqrt(abar) * x + np.sqrt(1 - abar) * n
            seen = moved(c, GENERATIONS + step * DRAWS + draw)
            empty, caption = null[0] + null[1] * z, seen[0] + seen[1] * z
            rest = empty + guidance * (caption - empty) - n
            gradient += 2 * guidance * np.stack([rest, rest * z]) / DIM / DRAWS
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        c = c - RATE * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
    return c


def test_an_attack_is_adam_on_the_denoising_loss_of_the_guided_noise():
    found = attacked(made("none", {}))
    for prompt in range(PROMPTS):
        for place, steps in enumerate((0, 1, 3)):
            np.testing.assert_allclose(
                found["c"][prompt, place], by_hand(prompt, steps), rtol=1e-9, atol=1e-9
            )
    # Two rows forward and two back for each draw.
    np.testing.assert_array_equal(found["attack_rows"], [[0, 4 * DRAWS, 12 * DRAWS]] * PROMPTS)


def test_it_is_the_mitigated_sampler_that_is_attacked():
    weak = attacked(made("guidance-scale", {"scale": 1.5}))["c"]
    np.testing.assert_allclose(weak[1, 2], by_hand(1, 3, guidance=1.5), rtol=1e-9, atol=1e-9)
    noisy = attacked(made("embedding-noise", {"scale": 0.7}))["c"]

    def moved(c, generation):
        drawn = rng.normal(5, "condition-noise:test", [1], (2, DIM), generation)[0].double().numpy()
        return c + 0.7 * drawn

    np.testing.assert_allclose(noisy[1, 2], by_hand(1, 3, moved=moved), rtol=1e-9, atol=1e-9)
    gate = made("lid-gated", {})
    own = 4 + gate.most_rows(gate.options) / 50  # the gate's own products are counted
    rows = attacked(gate)["attack_rows"]
    np.testing.assert_array_equal(rows[0], [0, own * DRAWS, 3 * own * DRAWS])


class Halving(Mitigation):
    """A search: what it gives has no history."""

    name = "halving"

    def condition(self, start):
        start.count(5)
        return start.c.detach() / 2


def test_the_gradient_passes_through_a_search_and_what_it_costs_is_counted():
    found = attacked(Halving())
    wanted = by_hand(2, 3, moved=lambda c, _: c / 2)  # with the gradient of a shift
    np.testing.assert_allclose(found["c"][2, 2], wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found["attack_rows"][0], [0, 9 * DRAWS, 27 * DRAWS])


def test_a_larger_budget_goes_on_from_a_smaller_one_and_spans_do_not_matter():
    whole = attacked(made("embedding-noise", {"scale": 0.3}))
    np.testing.assert_array_equal(
        attacked(made("embedding-noise", {"scale": 0.3}), budgets=(0, 3))["c"], whole["c"][:, [0, 2]]
    )
    for rows in ([2], [1, 2], [2, 0]):
        part = attacked(made("embedding-noise", {"scale": 0.3}), rows)
        np.testing.assert_array_equal(part["c"], whole["c"][rows])
    assert (attacked(made("none", {}), seed=6)["c"][:, 1] != attacked(made("none", {}))["c"][:, 1]).any()


def test_an_attack_finds_the_image_of_a_model_that_can_make_it():
    """c_1 = 1, c_0 = -psi x / sigma... at one level; over the grid the loss falls, and samples come closer."""
    found = attacked(made("guidance-scale", {"scale": 1.0}), budgets=(0, 30))["c"]
    far = []
    for place in range(2):
        c = torch.from_numpy(found[:, place])
        how = {"grid": GRID, "prompt_set": "test", "prompts": range(PROMPTS), "generations": GENERATIONS}
        made_by = made("guidance-scale", {"scale": 1.0})
        drawn = mitigated_latents(model(), c, NULL, made_by, **how, guidance=LAMBDA, seed=5, batch_size=4)
        x = IMAGES.numpy().repeat(GENERATIONS, axis=0)
        far.append(np.linalg.norm(drawn["latents"] - x, axis=1).mean())
    assert far[1] < 0.8 * far[0]


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="budgets must rise"):
        attacked(made("none", {}), budgets=(0, 3, 1))
    bad = ScoreModel.from_function(
        lambda z, t, c: c[:, 0] * torch.where(c[:, 0] == CAPTIONS[1, 0], torch.nan, 1.0) + c[:, 1] * z,
        (DIM,),
        SCHEDULE,
        dtype=torch.float64,
    )
    with pytest.raises(InputError, match="not finite: id 1"):
        attacked(made("none", {}), score=bad)
    assert first_prompts(16, 10, 4) == [range(16, 20), range(20, 24), range(24, 26)]


OPTIONS = {
    "budgets": [0, 1],
    "learning_rate": 0.1,
    "draws": 1,
    "generations": 2,
    "steps": 3,
    "guidance": 7.5,
    "batch_size": 4,
    "decode_batch_size": 4,
}


def quiet(*_, **__):
    return lambda *_: None


def test_budget_nothing_is_the_mitigated_sampler_and_spans_agree(tmp_path):
    loaded = text_to_image.load_folder(write_pipeline(tmp_path / "model"))
    texts = pd.Series(["three plate", "seven with the red digit", "red digit"], index=[4, 5, 6])
    image = np.random.default_rng(0).integers(0, 256, (3, *loaded.image_shape), dtype=np.uint8)
    how = {"prompt_set": "test", "options": OPTIONS, "seed": 0, "progress": quiet}
    whole, numerics = elicit_span(loaded, texts, made("none", {}), image, **how)
    assert numerics["batch_size"] == 4
    assert whole["prompt"].tolist() == [4] * 4 + [5] * 4 + [6] * 4
    assert whole["budget"].tolist() == [0, 0, 1, 1] * 3
    assert whole["generation"].tolist() == [0, 1] * 6
    assert len(set(whole["id"].tolist())) == 12
    np.testing.assert_array_equal(whole["rows"], 6)
    np.testing.assert_array_equal(whole["attack_rows"], [0, 0, 4, 4] * 3)
    plain = mitigated_latents(
        loaded.score_model(),
        loaded.embed(texts.tolist(), ids=texts.index),
        loaded.null(),
        made("none", {}),
        grid=ddim_grid(loaded.scheduler, 3),
        prompt_set="test",
        prompts=texts.index.to_numpy(),
        generations=2,
        guidance=7.5,
        seed=0,
        batch_size=4,
    )["latents"]
    first = whole["budget"] == 0
    expected = loaded.decode(plain, batch_size=4, ids=whole["id"][first])
    assert np.abs(whole["image"][first].astype(int) - expected.astype(int)).max() <= 1
    assert (whole["image"][~first] != whole["image"][first]).any()
    part, _ = elicit_span(loaded, texts[[6]], made("none", {}), image[2:], **how)
    np.testing.assert_array_equal(part["image"], whole["image"][8:])


def test_a_prompt_without_an_image_is_named():
    keys = pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0)], names=["prompt_set", "prompt"])
    images = np.arange(12, dtype=np.uint8).reshape(2, 3, 2, 1)
    truth = Truth(
        pd.Series([1, 0, np.nan], index=keys), pd.Series([0, 1, 2], index=keys), images, np.arange(2)
    )
    np.testing.assert_array_equal(training_image_of(truth, "a", np.array([0, 1])), images[[1, 0]])
    with pytest.raises(InputError, match="prompt 0 of set b has no training image"):
        training_image_of(truth, "b", np.array([0]))


def elicited(shares, prompts=60, generations=2):
    """A table whose first prompts of each set are brought back: the share by (set, budget)."""
    rows = []
    for (name, budget), share in shares.items():
        for prompt in range(prompts):
            for generation in range(generations):
                back = int(prompt < share * prompts and generation == 0)
                rows.append(
                    ("weak", name, prompt, budget, generation, prompt, 0.3 + 0.6 * back, back, 6.0, 8.0)
                )
    return pd.DataFrame(rows, columns=list(ELICITED.columns))


def verdicts(shares, **how):
    told = {"control": "control", "threshold": 0.5, "least_excess": 0.15, "most_chance": 0.5} | how
    table = elicitation_table(elicited(shares), **told)
    return table[(table["metric"] == "reached") & (table["prompt_set"] == "memorized")]["verdict"].tolist()


def test_removed_is_what_stays_at_chance_at_each_budget():
    def shares(*pairs):
        found = {}
        for budget, (own, chance) in enumerate(pairs):
            found |= {("memorized", budget): own, ("control", budget): chance}
        return found

    assert verdicts(shares((0, 0), (0, 0))) == ["removed"] * 2
    assert verdicts(shares((0, 0), (0.5, 0), (0, 0))) == ["removed", "returns", "returns"]
    assert verdicts(shares((0.15, 0), (0, 0))) == ["undecided"] * 2
    # Where the attack brings back anything, a budget says nothing.
    assert verdicts(shares((0, 0), (1, 0.6))) == ["removed", "no room"]
    assert verdicts(shares((0, 0)), least_excess=0.01) == ["undecided"]


def test_what_came_back_once_counts_at_each_larger_budget():
    shares = {("memorized", b): s for b, s in ((0, 0.1), (5, 0.4), (9, 0.2))} | {("control", 0): 0.0}
    shares |= {("control", 5): 0.0, ("control", 9): 0.0}
    told = {"control": "control", "threshold": 0.5, "least_excess": 0.1, "most_chance": 0.5}
    table = elicitation_table(elicited(shares), **told).query("prompt_set == 'memorized'")
    assert table.query("metric == 'reached'")["estimate"].tolist() == pytest.approx([0.1, 0.4, 0.4])
    assert table.query("metric == 'success'")["estimate"].tolist() == pytest.approx([0.05, 0.2, 0.1])


def test_the_excess_is_that_of_two_shares_at_the_level_of_all_budgets():
    shares = {("memorized", 0): 0.5, ("control", 0): 0.1, ("memorized", 9): 0.8, ("control", 9): 0.2}
    table = elicitation_table(
        elicited(shares), control="control", threshold=0.5, least_excess=0.1, most_chance=0.5
    )
    row = table[
        (table["metric"] == "reached") & (table["budget"] == 0) & (table["prompt_set"] == "memorized")
    ]
    own, chance = (share_interval(np.arange(60) < n, np.arange(60), "family", level=0.975) for n in (30, 6))
    assert row["excess"].item() == pytest.approx(0.4)
    low = 0.4 - mover(0.5 - own.low, chance.high - 0.1, 0)
    assert row["excess_low"].item() == pytest.approx(low)
    plain = share_interval(np.arange(60) < 30, np.arange(60), "family")
    assert (row["low"].item(), row["high"].item()) == pytest.approx((plain.low, plain.high))
    assert table[table["metric"] == "success"]["estimate"].tolist() == pytest.approx([0.25, 0.4, 0.05, 0.1])
    assert table[table["prompt_set"] == "control"]["excess"].isna().all()


def test_bounds_of_the_excess_cover():
    """Of the smallest differences that matter; the margin is three standard errors of the count."""
    random, inside = np.random.default_rng(2), 0
    for _ in range(200):
        parts = [
            pd.DataFrame({"success": random.random(48) < p, "family": np.arange(48)}) for p in (0.15, 0.05)
        ]
        found = excess(*parts)
        inside += found.low <= 0.1 <= found.high
    assert inside / 200 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_chance_is_a_percentile_of_plain_control_generations():
    n = 200
    base = {"prompt": np.arange(n), "generation": 0, "part": "evaluated", "prompt_set": "control"}
    rows = pd.DataFrame({"mitigation": "none", **base, "similarity": np.arange(n) / n})
    other = rows.assign(mitigation="weak", similarity=1.0)
    tuned = rows.assign(part="tuning", similarity=1.0)
    table = pd.concat([rows, other, tuned])
    assert chance_threshold(table, "none", "control", 99) == pytest.approx(0.99 * 199 / 200)
    with pytest.raises(InputError, match="no evaluated generations of set 'generic'"):
        chance_threshold(table, "none", "generic", 99)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Results of four prompts of each set, attacked past two mitigations; embeddings are the images."""
    folder = tmp_path_factory.mktemp("elicited")
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (8, 3, 2, 2), dtype=np.uint8)
    keys = pd.MultiIndex.from_product([["memorized", "control"], range(4)], names=["prompt_set", "prompt"])
    truth = Truth(
        pd.Series(np.arange(8), index=keys), pd.Series(np.arange(8), index=keys), train, np.arange(8)
    )
    paths = []
    for name in ("none", "weak"):
        for place, prompts in enumerate(("memorized", "control")):
            prompt, budget = np.repeat(np.arange(4), 4), np.tile([0, 0, 10, 10], 4)
            image = random.integers(0, 256, (16, 3, 2, 2), dtype=np.uint8)
            back = (budget == 10) & (prompt < 3 - 3 * place)
            image[back] = train[prompt[back] + 4 * place]
            arrays = {"image": image, "id": np.arange(16), "prompt": prompt, "budget": budget}
            arrays |= {"generation": np.tile([0, 1], 8), "rows": np.full(16, 6.0)}
            arrays["attack_rows"] = budget * 8.0
            path = folder / "elicited" / name / prompts / "000000-000003.npz"
            path.parent.mkdir(parents=True)
            write_arrays(path, **arrays)
            paths.append(path)

    def embedded(x, _):
        flat = x.reshape(len(x), -1).astype(np.float32) - 127.5
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    found = measured(paths, truth, embedded, 0.99, quiet())
    write_table(found, folder / "elicited.parquet", ELICITED)
    table = elicitation_table(found, control="control", threshold=0.99, least_excess=0.1, most_chance=0.5)
    write_csv(table, folder / "re_elicitation.csv", digits=6)
    return folder, found, table


def test_images_are_compared_with_those_of_their_prompts(files):
    _, found, table = files
    back = found[(found["prompt_set"] == "memorized") & (found["budget"] == 10) & (found["prompt"] < 3)]
    np.testing.assert_allclose(back["similarity"], 1, rtol=1e-6)
    assert found["success"].sum() == len(back) == 12
    rows = table.query("metric == 'reached' and prompt_set == 'memorized' and mitigation == 'weak'")
    assert rows["estimate"].tolist() == [0, 0.75]
    assert rows["attack_rows"].tolist() == [0, 80]
    assert rows["rows"].tolist() == [6, 6]


def test_the_figure_is_drawn_from_the_table(files):
    folder, _, _ = files
    row = FIGURES["re_elicitation"]
    about = About("w", more={"sets": ["memorized", "control"], "printed": {"weak": "less guidance"}})
    out = {kind: folder / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    row.draw(table=folder / "re_elicitation.csv", options=row.Options(), about=about, **out)
    assert all(path.stat().st_size > 500 for path in out.values())
    assert set(pd.read_csv(out["csv"])["mitigation"]) == {"none", "weak"}
    with pytest.raises(InputError, match="no attacks of the mitigation 'sail'"):
        row.draw(
            table=folder / "re_elicitation.csv",
            options=row.Options(mitigations=["sail"]),
            about=about,
            **out,
        )


def test_the_contract_of_the_plain_generations_has_what_chance_reads():
    assert {"mitigation", "prompt_set", "part", "similarity"} <= set(MITIGATED.columns)
