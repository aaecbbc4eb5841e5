"""Each example under docs/plugins is a whole row: it is taken up from its file and computes what it says.

The kind of model, ``blur``, is tried in ``test_kinds.py``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import DDPMScheduler

import figure_tables
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.figures.base import FIGURES, About
from mmh.metrics.base import METRICS
from mmh.metrics.seen import Seen
from mmh.mitigations.base import MITIGATIONS
from mmh.models.base import KINDS
from mmh.rows import Table, load_plugin
from mmh.sampling.guides import Branches
from mmh.scores.base import SCORES
from mmh.scores.setting import Setting
from mmh.scores.steps import score_span
from mmh.worlds.base import WORLDS

FOLDER = Path(__file__).parents[2] / "docs" / "plugins"
TABLES: dict[str, Table] = {
    "contrast": SCORES,
    "noise_norm": SCORES,
    "empty_norm": METRICS,
    "capped_guidance": MITIGATIONS,
    "score_by_label": FIGURES,
    "blur": KINDS,
    "blobs": WORLDS,
}


@pytest.fixture
def row() -> Iterator[Callable[[str], type]]:
    """Give the row that the file of a name adds; it is no row any more afterwards."""
    taken: list[tuple[Table, str]] = []

    def take(stem: str) -> type:
        ((name,),) = load_plugin(FOLDER / f"{stem}.py", [*TABLES.values()]).values()
        assert name.replace("-", "_") == stem
        taken.append((TABLES[stem], name))
        return TABLES[stem][name]

    yield take
    for table, name in taken:
        del table.rows()[name]


def silent(*args: object, **kwargs: object) -> object:
    return lambda *args, **kwargs: None


def test_every_example_is_tried_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(TABLES)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_contrast_is_a_number_for_each_image(row: Callable[[str], type], power: float) -> None:
    found = row("contrast")
    x = np.stack([np.full((1, 4, 4), 0.25), np.resize([1.0, -1.0], (1, 4, 4)) / 2]).astype(np.float32)
    options = found.Options.model_validate({"power": power})
    setting = Setting(x=x, ids=np.array([7, 9]), options=options, seed=0)
    table, numerics = score_span(found, setting, "contrast", progress=silent)
    assert table["item"].tolist() == [7, 9]
    assert table["value"].tolist() == [0.0, 0.5**power]
    assert numerics["method"] == "contrast"


def test_noise_norm_depends_on_no_span(row: Callable[[str], type]) -> None:
    found = row("noise_norm")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 24, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(24, 1, 3, padding=1)
    )
    schedule = Schedule.from_scheduler(DDPMScheduler(num_train_timesteps=50))
    model = ScoreModel.from_function(lambda z, t: network(z), (1, 8, 8), schedule)
    x = np.random.default_rng(0).uniform(-1, 1, (37, 1, 8, 8)).astype(np.float32)
    options = found.Options.model_validate({"t": 0.2, "batch_size": 8})

    def values(ids: np.ndarray) -> np.ndarray:
        setting = Setting(x=x[ids], ids=ids, options=options, seed=0, score=model, model=model)
        table, _ = score_span(found, setting, "noise-norm", progress=silent)
        assert table["item"].tolist() == ids.tolist()
        return table["value"].to_numpy()

    whole = values(np.arange(37))
    z = schedule.psi(0.2) * torch.as_tensor(x)
    expected = network(z).detach().double().flatten(1).norm(dim=1).numpy()
    np.testing.assert_allclose(whole, expected, rtol=1e-5)
    np.testing.assert_array_equal(values(np.arange(21, 37)), whole[21:])
    np.testing.assert_array_equal(values(np.array([30])), whole[[30]])


def test_capped_guidance_adds_no_more_than_it_is_told(row: Callable[[str], type]) -> None:
    of = row("capped_guidance")
    guide = of(of.Options(most=2.0)).guide(SimpleNamespace(guidance=3.0))
    empty = torch.ones(2, 1, 2, 2)
    change = torch.tensor([0.1, 5.0]).reshape(2, 1, 1, 1) * torch.ones(2, 1, 2, 2)
    found = guide.combine(Branches(0, 0.9, 900, 0.99, empty, empty, empty + change)) - empty
    torch.testing.assert_close(found[0], 3.0 * change[0])  # the norm of 3 * .1 * (1, 1, 1, 1) is .6
    torch.testing.assert_close(found[1], torch.full((1, 2, 2), 1.0))  # of norm 2


def test_empty_norm_is_the_norm_without_a_caption(row: Callable[[str], type]) -> None:
    metric = row("empty_norm")()
    step = SimpleNamespace(empty=torch.tensor([[[3.0, 4.0]], [[0.0, 2.0]]]), squared=Seen.squared)
    assert metric.see(step).tolist() == [5.0, 2.0]
    assert not metric.large


def test_score_by_label_draws_the_samples_that_have_a_label(
    row: Callable[[str], type], tmp_path: Path
) -> None:
    figure = row("score_by_label")
    files = figure_tables.digits(tmp_path, n=200)
    inputs = figure.inputs(SimpleNamespace(folder="results/digits"))
    assert {name: Path(path).name for name, path in inputs.items()} == {
        "scores": "scores.parquet",
        "labels": "labels.parquet",
    }
    made = {kind: tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    options = figure.Options.model_validate({"estimator": "flipd"})
    about = About(experiment="digits", names={"flipd": "FLIPD"})
    figure.draw(scores=files["scores"], labels=files["labels"], **made, options=options, about=about)
    plotted = pd.read_csv(made["csv"])
    assert len(plotted) == 200
    medians = plotted.groupby("label")["value"].median()
    assert medians["exact"] < medians["reconstructive"] < medians["not_memorized"]
    assert made["pdf"].read_bytes().startswith(b"%PDF")
    assert made["png"].stat().st_size > 1000


def test_blobs_repeat_their_first_image(row: Callable[[str], type]) -> None:
    world = row("blobs")
    x, table = world.make(world.read({"world": "blobs", "n_train": 30, "copies": 4}))
    assert x.shape == (30, 1, 8, 8)
    assert (x[:4] == x[0]).all()
    assert len(np.unique(x.reshape(30, -1), axis=0)) == 27
    assert table["copies"].tolist() == [4] * 4 + [1] * 26
    assert table["group"].tolist() == [0] * 4 + list(range(4, 30))
    assert x.min() >= -1
    assert x.max() <= 1


def test_run_records_name_the_plug_ins_that_were_imported(tmp_path):
    from hashlib import sha256

    from mmh.models.base import KINDS
    from mmh.provenance import run_record
    from mmh.rows import load_plugins

    file = tmp_path / "mine.py"
    file.write_text(
        "from mmh.models.base import Kind\n__version__ = '1.2'\n\n\nclass Mine(Kind):\n    name = 'mine'\n"
    )
    load_plugins([file], KINDS)
    try:
        entries = {entry["file"]: entry for entry in run_record()["plugins"]}
        expected = {"file": str(file), "sha256": sha256(file.read_bytes()).hexdigest(), "version": "1.2"}
        assert entries[str(file)] == expected
    finally:
        KINDS.rows().pop("mine", None)
