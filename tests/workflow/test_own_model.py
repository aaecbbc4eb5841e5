"""A model and a folder of images that the pipeline has never seen, added by one block of the configuration."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image

from mmh.models.ddpm.model import save
from workflow_runs import ROOT, snakemake

SIDE, N_TRAIN, CLASSES = 16, 40, 2
# The block of docs/adding-a-model.md, with small numbers.
BLOCK = """
  own:
    data: {world: images, path: pictures, n_train: 40, size: 16, channels: 3}
    model: {kind: diffusers, path: their-model}
    sampling: {n_samples: 24, shard_size: 12, batch_size: 12, steps: 2, calibration: 0}
    retrieval: {descriptor: theirs, preprocess: native, batch_size: 20, shard_size: 30, top: 2, neighbours: 5,
                alpha: 0.5, anchor: generated, duplicates: once, index: "IVF4,Flat", nprobe: 4}
    candidates: {top: 5, total: 14}
    labels: {source: files}
    estimators:
      flipd: {method: flipd, items: [selected], t: 0.05, trace: 2, batch_size: 8, shard_size: 7}
      lpca: {method: local-pca, items: [train], k: 10, percentile: 10, radius: knn}
    figures: {lid_model: {estimators: [flipd]}, lid_data: {estimator: lpca}, memorized_pairs: {per_class: 10}}
"""


class Descriptor(torch.nn.Module):
    """Mean colours of the four quarters: a descriptor that tells these pictures apart."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    for number in range(N_TRAIN):
        place = folder / "pictures" / ("ab"[number % CLASSES]) / f"{number:03d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse.repeat(4, axis=0).repeat(4, axis=1)).save(place)
    network = UNet2DModel(
        sample_size=SIDE,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        num_class_embeds=CLASSES,
    )
    save(folder / "their-model", network, DDIMScheduler(num_train_timesteps=100))
    file = folder / "descriptor.pt"
    torch.jit.script(Descriptor()).save(str(file))
    config = {
        "run": ["own"],
        "seed": 0,
        "threads": 1,
        "sources": {
            "descriptor.pt": {
                "urls": [file.as_uri()],
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
                "licence": "none",
                "page": "here",
            }
        },
        "descriptors": {"theirs": {"source": "download", "file": "descriptor.pt"}},
        "experiments": yaml.safe_load(BLOCK),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    snakemake(folder)
    return folder


def test_the_block_is_that_of_the_documentation() -> None:
    """Same keys on the same lines, so that what is documented is what is tested."""
    text = (ROOT / "docs" / "adding-a-model.md").read_text()
    documented = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    (block,) = documented["experiments"].values()
    tested = yaml.safe_load(BLOCK)["own"]
    assert block.keys() == tested.keys()
    for section in ("data", "sampling", "candidates", "labels", "figures"):
        assert block[section].keys() == tested[section].keys(), section
    assert len(BLOCK.strip().splitlines()) <= 14


def test_every_figure_is_made_and_says_that_nobody_labelled(own: Path) -> None:
    for figure in ("lid_model", "lid_data", "memorized_pairs"):
        assert (own / f"results/own/figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
        text = (own / f"results/own/figures/{figure}.csv").read_text()
        assert "unlabelled" in text, figure
    count = pd.read_parquet(own / "results/own/label_sheet.parquet")["sample"].nunique()
    line = f"own               not labelled yet: {count} candidates, open results/own/label_sheet.html"
    assert line in (own / "results/own/summary.txt").read_text()


def test_lid_is_estimated_on_the_chosen_samples_and_their_classes(own: Path) -> None:
    scores = pd.read_parquet(own / "results/own/scores.parquet")
    flipd = scores[scores["estimator"] == "flipd"]
    chosen = np.load(own / "results/own/selected.npz")
    assert flipd["items"].eq("samples").all()
    assert sorted(flipd["item"]) == chosen["id"].tolist()
    assert (chosen["class"] == chosen["id"] % CLASSES).all()
    candidates = pd.read_parquet(own / "results/own/candidates.parquet")
    assert set(candidates["sample"]) <= set(flipd["item"])
    assert candidates.groupby("metric").size().eq(5).all()


def test_two_raters_of_the_sheet_disagree_and_settle_it_in_a_second_round(own: Path) -> None:
    """From the sheet's spreadsheet form to merged labels, by the steps of docs/labelling.md."""
    folder = own / "resources/labels/own"
    config = (own / "config.yaml").read_text()
    labels, results = "results/own/labels.parquet", own / "results/own"
    snakemake(own, "results/own/label_sheet.html")
    template = pd.read_csv(results / "label_sheet.csv", dtype=str, keep_default_na=False)
    assert len(template) == len(pd.read_parquet(results / "label_sheet.parquet"))

    def hand_in(table: pd.DataFrame, rater: str, label: list[str], name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        table.assign(rater=rater, label=label).to_csv(folder / name, index=False)

    try:
        hand_in(template, "ann", ["exact"] + ["not_memorized"] * (len(template) - 1), "ann.csv")
        hand_in(template, "bob", ["not_memorized"] * len(template), "bob.csv")
        snakemake(own, labels)
        merged = pd.read_parquet(own / labels).set_index(["sample", "train"])["label"]
        first = (int(template["sample"][0]), int(template["train"][0]))
        assert merged[first] == "unsure"
        assert merged.drop(first).eq("not_memorized").all()
        assert len(pd.read_parquet(results / "label_votes.parquet")) == 2 * len(template)
        assert "cohen_kappa" in (results / "label_agreement.csv").read_text()
        apart = pd.read_csv(results / "disagreements.csv")
        assert apart["pair"].tolist() == [template["pair"][0]]

        (folder / "second_round").mkdir()
        shutil.copy(results / "disagreements.csv", folder / "second_round")
        second = config.replace("labels:\n", "label_sheet: {only: disagreements}\n    labels:\n", 1)
        assert second != config
        (own / "config.yaml").write_text(second)
        snakemake(own, "results/own/label_sheet.html")
        asked = pd.read_csv(results / "label_sheet.csv", dtype=str, keep_default_na=False)
        assert asked["pair"].tolist() == [template["pair"][0]]
        hand_in(asked, "ann", ["exact"], "ann-2.csv")
        hand_in(asked, "bob", ["exact"], "bob-2.csv")
        snakemake(own, labels)
        settled = pd.read_parquet(own / labels).set_index(["sample", "train"])["label"]
        assert settled[first] == "exact"
        assert len(settled) == len(template)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (own / "config.yaml").write_text(config)


def test_a_person_s_labels_are_used_once_they_are_there(own: Path) -> None:
    matches = pd.read_parquet(own / "results/own/matches.parquet").query("rank == 1")
    rows = matches.drop_duplicates("sample").head(12).assign(rater="ann", time="")
    rows["label"] = ["exact", "not_memorized"] * 6
    file = own / "resources/labels/own/ann.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows[["sample", "train", "label", "rater", "time"]].to_csv(file, index=False)
    snakemake(own, "results/own/figures/memorized_pairs.pdf")
    assert "unlabelled" not in (own / "results/own/figures/memorized_pairs.csv").read_text()
    file.unlink()
