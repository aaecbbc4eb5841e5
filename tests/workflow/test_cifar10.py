"""The CIFAR-10 experiments from download to figures: the published layouts at reduced width, random weights."""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iddpm_reference
import numpy as np
import pandas as pd
import pytest
import stylegan2_pickles
import torch
import yaml
from http_server import Reply, Server, running
from test_datasets import BATCHES, Python2, contents, members, pack

from mmh.models.stylegan.generator import Generator
from workflow_runs import ROOT, jobs_of, snakemake

pytestmark = pytest.mark.long

N_TRAIN, N_SAMPLES = 40, 64
SSCD, IDDPM, GAN, ARCHIVE = "sscd.pt", "iddpm.pt", "gan.pkl", "cifar.tar.gz"


class Descriptor(torch.nn.Module):
    """Coarse colours: stands in for SSCD's network, in its file format."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)


def published_files(folder: Path) -> dict[str, bytes]:
    state = iddpm_reference.random_state(**iddpm_reference.SMALL)
    checkpoint = io.BytesIO()
    torch.save(state, checkpoint)
    torch.manual_seed(0)
    generator = Generator(z_dim=16, w_dim=16, c_dim=10, channel_base=256, channel_max=16)
    record = stylegan2_pickles.network(
        generator.state_dict(), stylegan2_pickles.training_keywords(generator.config), "raise SystemExit(1)"
    )
    torch.jit.script(Descriptor()).save(str(folder / "descriptor.pt"))
    batches = {name: Python2().batch(*contents(name, N_TRAIN // 5)) for name in BATCHES}
    return {
        ARCHIVE: pack(folder / "archive.tar.gz", members(**batches)).read_bytes(),
        IDDPM: checkpoint.getvalue(),
        GAN: stylegan2_pickles.dumps(stylegan2_pickles.published(record, "raise SystemExit(1)")),
        SSCD: (folder / "descriptor.pt").read_bytes(),
    }


def configuration(server: Server, files: dict[str, bytes]) -> dict[str, Any]:
    """The shipped experiments, shrunk; every file comes from the server, in two halves."""
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())
    experiments = {name: shipped["experiments"][name] for name in ("cifar10-iddpm", "cifar10-stylegan2ada")}
    iddpm, gan = experiments.values()
    iddpm["sampling"] |= {"n_samples": N_SAMPLES, "shard_size": 32, "batch_size": 32, "respacing": "3"}
    gan["sampling"] |= {"n_samples": N_SAMPLES, "shard_size": 32, "batch_size": 32}
    iddpm["estimators"]["nb"] |= {"copies": 16, "groups": 2, "batch_size": 16, "shard_size": 10}
    iddpm["estimators"]["flipd"] |= {"trace": 1, "batch_size": 10, "shard_size": 20}
    gan["estimators"]["jacobian"] |= {"chunk": 16, "shard_size": 10}
    for entry in experiments.values():
        entry["data"] = {**entry["data"], "source": ARCHIVE, "n_train": N_TRAIN}
        entry["retrieval"] = {
            **entry["retrieval"],
            "preprocess": "native",
            "neighbours": 5,
            "batch_size": 40,
            "shard_size": 40,
        }
        entry["candidates"] = {"top": 5, "total": 20}
        for name in ("lpca", "lpca_all", "lpca_none"):
            entry["estimators"][name] = {**entry["estimators"][name], "k": 10}
        entry["evaluation"] |= {"resamples": 100}
        entry["figures"]["memorized_pairs"] = {"per_class": 5}
    iddpm["model"]["source"], gan["model"]["source"] = IDDPM, GAN
    sources = {}
    for name, body in files.items():
        cut = Reply(body, etag='"1"', cut=len(body) // 2)
        url = server.serve(f"/{name}", cut, Reply(body, etag='"1"'))
        digest = hashlib.sha256(body).hexdigest()
        sources[name] = {"urls": [f"{server.url}/dead/{name}", url], "sha256": digest, "bytes": len(body)}
        sources[name] |= {"licence": "none", "page": "nowhere"}
    return {
        "run": list(experiments),
        "seed": 0,
        "threads": 1,
        "offline": False,
        "sources": sources,
        "descriptors": {"sscd-disc-mixup": {"source": "download", "file": SSCD}},
        "experiments": experiments,
    }


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    folder = tmp_path_factory.mktemp("cifar")
    scratch = tmp_path_factory.mktemp("published")
    with running() as server:
        config = configuration(server, published_files(scratch))
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        snakemake(folder)
        yield folder, server


@pytest.fixture
def copy(cifar: tuple[Path, Server], tmp_path: Path) -> Path:
    shutil.copytree(cifar[0], tmp_path / "run", copy_function=shutil.copy2)
    return tmp_path / "run"


EXPERIMENTS = ("cifar10-iddpm", "cifar10-stylegan2ada")


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_figure_is_made_and_says_that_nobody_labelled(
    cifar: tuple[Path, Server], experiment: str
) -> None:
    folder = cifar[0] / "results" / experiment
    for figure in ("examples", "lid_model", "lid_data", "lid_complexity", "memorized_pairs"):
        assert (folder / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert "unlabelled" in (folder / f"figures/{figure}.csv").read_text(), figure
    assert pd.read_csv(folder / "evaluation.csv").empty
    assert pd.read_csv(folder / "claims.csv")["verdict"].eq("undecided").all()


def test_downloads_were_resumed_after_the_dead_address_and_the_cut(cifar: tuple[Path, Server]) -> None:
    folder, server = cifar
    for name in (ARCHIVE, IDDPM, GAN, SSCD):
        size = (folder / "resources/downloads" / name).stat().st_size
        assert server.ranges(f"/{name}") == [None, f"bytes={size // 2}-"]
        assert server.ranges(f"/dead/{name}")


def test_lid_is_that_of_the_candidates_and_a_draw_of_the_others(cifar: tuple[Path, Server]) -> None:
    for experiment, estimators in zip(EXPERIMENTS, (("flipd", "nb"), ("jacobian",)), strict=True):
        folder = cifar[0] / "results" / experiment
        scores = pd.read_parquet(folder / "scores.parquet")
        chosen = np.load(folder / "selected.npz")["id"].tolist()
        candidates = pd.read_parquet(folder / "candidates.parquet")
        assert len(chosen) == 20
        assert set(candidates["sample"]) <= set(chosen)
        for estimator in set(estimators) & {"nb", "jacobian"}:
            record = json.loads((folder / f"scores/selected/{estimator}.parquet.json").read_text())
            n_candidates = candidates["sample"].nunique()
            assert (record["pool_items"], record["pool_candidates_left_out"]) == (
                20 - n_candidates,
                n_candidates,
            )
        for estimator in estimators:
            rows = scores.query("items == 'samples' and estimator == @estimator")
            assert sorted(rows["item"]) == chosen, estimator


def test_the_gan_s_samples_keep_their_latents_and_are_equal_by_class(cifar: tuple[Path, Server]) -> None:
    shards = [np.load(file) for file in sorted(cifar[0].glob("results/cifar10-stylegan2ada/samples/*.npz"))]
    assert len(shards) == 2
    classes = np.concatenate([shard["class"] for shard in shards])
    assert np.bincount(classes).tolist() == [7] * 4 + [6] * 6
    assert all(shard["z"].shape == (32, 16) for shard in shards)


def test_another_cut_gives_the_same_samples(cifar: tuple[Path, Server], copy: Path) -> None:
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("shard_size: 32", "shard_size: 20"))
    targets = [f"results/{experiment}/samples/000020-000039.npz" for experiment in EXPERIMENTS]
    snakemake(copy, *targets)
    for experiment, target in zip(EXPERIMENTS, targets, strict=True):
        here = np.load(copy / target)["x"]
        before = [np.load(file)["x"] for file in sorted(cifar[0].glob(f"results/{experiment}/samples/*.npz"))]
        assert (here == np.concatenate(before)[20:40]).all()


def test_an_address_or_the_network_may_change_without_a_new_download(copy: Path) -> None:
    text = (copy / "config.yaml").read_text()
    digest = yaml.safe_load(text)["sources"][IDDPM]["sha256"]
    changes = (
        ("offline: false", "offline: true"),
        ("nowhere", "here"),
        (f"sha256: {digest}", "sha256: null"),
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (copy / "config.yaml").write_text(text)
    assert jobs_of(copy) == set()


def errors(folder: Path, target: str) -> str:
    done = snakemake(folder, target, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_offline_says_which_file_to_put_where(copy: Path) -> None:
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("offline: false", "offline: true"))
    kept = copy / "resources/downloads" / IDDPM
    dropped = kept.parents[1] / "drop" / IDDPM
    dropped.parent.mkdir()
    kept.rename(dropped)
    moved = dropped.with_name("elsewhere")
    dropped.rename(moved)
    output = errors(copy, f"resources/downloads/{IDDPM}")
    assert f"resources/drop/{IDDPM}" in output
    assert not kept.exists()
    moved.rename(dropped)
    snakemake(copy, f"resources/downloads/{IDDPM}")
    assert kept.read_bytes() == dropped.read_bytes()


@pytest.mark.parametrize(
    ("file", "damage", "target", "message"),
    [
        (IDDPM, lambda data: data[:5000], "results/cifar10-iddpm/model", IDDPM),
        (GAN, lambda data: b"<!doctype html>", "results/cifar10-stylegan2ada/model", GAN),
        (ARCHIVE, lambda data: data[:-3000], "results/cifar10-iddpm/data/train.npz", ARCHIVE),
    ],
)
def test_a_damaged_file_stops_its_step_in_one_line(
    copy: Path, file: str, damage: Any, target: str, message: str
) -> None:
    place = copy / "resources/downloads" / file
    place.write_bytes(damage(place.read_bytes()))
    output = errors(copy, target)
    line = next(line for line in output.splitlines() if line.strip().startswith("error:"))
    assert message in line
    assert "Traceback" not in output
    assert not [path for path in (copy / "results").rglob("*") if ".partial" in path.name]


def test_another_number_of_training_images_is_named(copy: Path) -> None:
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace(f"n_train: {N_TRAIN}", "n_train: 41"))
    output = errors(copy, "results/cifar10-iddpm/data/train.npz")
    assert "n_train" in output
    assert "41" in output
