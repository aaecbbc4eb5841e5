"""The experiment on Stable Diffusion from lists and addresses to figures, on a tiny pipeline in the public layout."""

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import import_prompts
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from http_server import Reply, Server, running
from PIL import Image
from test_cifar10 import Descriptor
from tiny_pipeline import write_pipeline

from mmh.errors import InputError
from mmh.io.tables import GENERATION_MATCHES
from mmh.plan.inputs.run import Run
from workflow_runs import ROOT, jobs_of, snakemake

pytestmark = pytest.mark.long

NAME = "stable-diffusion"
VERBATIM, CARTOONS, SSCD = "verbatim.jsonl", "cartoons.parquet", "sscd.pt"
MEMORIZED, OTHER = "memorized.txt", "other.txt"
GOOD, N_CARTOONS, SIDE = 6, 5, 8


def png(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, "PNG")
    return out.getvalue()


# What the last addresses of the list answer, and what the ledger says of them.
LOST = {
    "gone.jpg": (Reply(status=404), "dead"),
    "black.png": (Reply(png(np.zeros((9, 9, 3), np.uint8)), content_type="image/png"), "placeholder"),
    "page.png": (Reply(b"<!doctype html><title>moved</title>", content_type="image/png"), "not_an_image"),
}
SETS, PROMPTS = {"verbatim": GOOD, "cartoons": N_CARTOONS}, {"memorized": 6, "other": 6}
PROMPT_SCORES = f"results/{NAME}/prompt_scores"


def texts(n: int, *, seed: int) -> list[str]:
    """Captions that share one word; the tiny tokenizer cuts none of them."""
    letters = np.random.default_rng(seed).choice(list("abcdefghijklmnopqrstuvwxyz"), (n, 8))
    return ["".join(row[:4]) + " plate " + "".join(row[4:]) for row in letters]


CAPTIONS = texts(GOOD + len(LOST), seed=0)


def pictures(n: int, seed: int) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (n, 12, 20, 3), dtype=np.uint8))


def listed_files(server: Server, folder: Path) -> dict[str, bytes]:
    """Serve the images; give the lists: addresses with captions, images within a Parquet file, a descriptor."""
    modes = ["RGB", "L", "P", "RGBA", "RGB", "1"]
    rows = []
    for place, image in enumerate(pictures(GOOD, seed=1)):
        reply = Reply(png(image, modes[place]), content_type="image/png")
        # A space at the end, as addresses of public lists have it: no part of the address.
        rows.append({"caption": CAPTIONS[place], "url": server.serve(f"/{place}.png", reply) + " "})
    for place, (name, (reply, _)) in enumerate(LOST.items(), GOOD):
        rows.append({"caption": CAPTIONS[place], "url": server.serve(f"/{name}", reply)})
    images = [{"bytes": png(image), "path": None} for image in pictures(N_CARTOONS, seed=2)]
    table = {"image": images, "text": texts(N_CARTOONS, seed=3)}
    pq.write_table(pa.table(table), folder / CARTOONS)
    torch.jit.script(Descriptor()).save(str(folder / SSCD))
    return {
        VERBATIM: "".join(json.dumps({"likes": 3, **row}) + "\n" for row in rows).encode(),
        CARTOONS: (folder / CARTOONS).read_bytes(),
        SSCD: (folder / SSCD).read_bytes(),
    }


def configuration(server: Server, files: dict[str, bytes], pipeline: Path) -> dict[str, Any]:
    """The shipped experiment, shrunk; the prompt lists are dropped into their folder, their address is dead."""
    entry = yaml.safe_load((ROOT / "config.yaml").read_text())["experiments"][NAME]
    common = {"n": 20, "size": SIDE, "placeholder_count": 3}
    entry["model"] = {"kind": "diffusers", "path": str(pipeline)}
    entry["latents"] |= {"batch_size": 4, "shard_size": 20}
    entry["image_sets"] = {
        "verbatim": {
            "files": [VERBATIM],
            "columns": {"caption": "caption", "url": "url"},
            "aspect": "squash",
        },
        "cartoons": {"files": [CARTOONS], "columns": {"caption": "text", "image": "image"}, "aspect": "crop"},
    }
    entry["image_sets"] = {name: {**options, **common} for name, options in entry["image_sets"].items()}
    entry["prompt_lists"] = {"memorized": {"file": MEMORIZED}, "other": {"file": OTHER}}
    entry["prompts"] |= {"sets": PROMPTS, "generations": 2, "steps": 5, "batch_size": 4, "shard_size": 6}
    entry["prompts"] |= {"images": "verbatim", "preprocess": "native"}
    for options in entry["prompts"]["metrics"].values():
        options |= {"steps": [min(step, 5) for step in options["steps"]]} if "steps" in options else {}
    for asked in entry["claims"]["low_end"]:
        asked["step"] = min(asked["step"], 5)
    entry["claims"]["sharpness_generations"] = [1, 2]
    for options in entry["estimators"].values():
        options |= {"items": list(SETS), "batch_size": 4, "shard_size": 20}
    entry["detection"]["images"]["pairs"] = [["verbatim", "cartoons"]]
    entry["detection"]["prompts"] |= {"generations": [1, 2], "match": False}
    entry["detection"]["resamples"] = 100
    entry["prompt_audit"] |= {"shuffles": 2}
    figures = entry["figures"]
    for options in figures.values():
        options |= {"sets": list(SETS)} if "sets" in options else {}
    figures["manifold_walk"] |= {"items": "verbatim", "generations": 2}
    figures["prompt_detection"]["anchors"] = [
        anchor for anchor in figures["prompt_detection"]["anchors"] if anchor["estimator"].endswith(".n1")
    ]
    by_step = figures["sharpness_detection"]
    by_step |= {"generations": [1, 2], "anchors": [a for a in by_step["anchors"] if a["generations"] == 1]}
    figures["prompt_detection"]["curves"] = ["flipd.low.n2", "cfg_norm.first.n1", "text_ngrams"]
    entry["claims"]["positive_set"] = "verbatim"
    sources = {name: server.serve(f"/{name}", Reply(body)) for name, body in files.items()}
    sources |= {name: f"{server.url}/nowhere/{name}" for name in (MEMORIZED, OTHER)}
    rest = {"sha256": None, "bytes": None, "licence": "none", "page": "nowhere"}
    return {
        "run": [NAME],
        "seed": 0,
        "threads": 1,
        "offline": False,
        "sources": {name: {"urls": [url], **rest} for name, url in sources.items()},
        "fetching": {"workers": 4, "connect": 10, "read": 10, "total": 20, "retries": 1, "pause": 0.01},
        "descriptors": {"sscd-disc-mixup": {"source": "download", "file": SSCD}},
        "experiments": {NAME: entry},
    }


def drop_prompts(folder: Path) -> None:
    """Four of the memorized prompts are captions of images that are there, one is of an image that is lost."""
    lists = folder / "resources/prompts"
    lists.mkdir(parents=True)
    memorized = [*CAPTIONS[:4], CAPTIONS[GOOD], *texts(1, seed=4)]
    (lists / MEMORIZED).write_text("\n".join(memorized) + "\n")
    (lists / OTHER).write_text("\n".join(texts(PROMPTS["other"], seed=5)) + "\n")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    folder, scratch = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("public")
    with running() as server:
        config = configuration(server, listed_files(server, scratch), write_pipeline(scratch / "pipeline"))
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        drop_prompts(folder)
        snakemake(folder)
        yield folder, server


@pytest.fixture
def edited(finished: tuple[Path, Server], tmp_path: Path) -> Callable[..., Path]:
    """A copy of the finished run with another configuration."""

    def edit(change: Callable[[dict[str, Any]], None]) -> Path:
        copy = tmp_path / "run"
        shutil.copytree(finished[0], copy, copy_function=shutil.copy2)
        config = yaml.safe_load((copy / "config.yaml").read_text())
        change(config)
        (copy / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        return copy

    return edit


def results(finished: tuple[Path, Server]) -> Path:
    return finished[0] / "results" / NAME


@pytest.mark.slow
def test_every_target_is_made(finished: tuple[Path, Server]) -> None:
    folder = finished[0]
    targets = Run(yaml.safe_load((folder / "config.yaml").read_text())).targets()
    figures = [target for target in targets if target.endswith(".pdf")]
    assert len(figures) == 6
    for target in targets:
        assert (folder / target).stat().st_size > 0, target
    for target in figures:
        assert (folder / target).with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert len(pd.read_csv((folder / target).with_suffix(".csv"))) > 0, target
    assert not [path for path in (folder / "results").rglob("*") if ".partial" in path.name]


def test_the_ledger_and_the_counts_say_what_was_lost(finished: tuple[Path, Server]) -> None:
    folder, server = results(finished), finished[1]
    ledger = pd.read_parquet(folder / "ledgers/verbatim.parquet")
    expected = ["ok"] * GOOD + [status for _, status in LOST.values()]
    assert ledger["status"].tolist() == expected
    counts = json.loads((folder / "image_sets/verbatim.counts.json").read_text())
    assert (counts["asked"], counts["ok"], counts["n"]) == (GOOD + len(LOST), GOOD, GOOD)
    assert counts["wanted"] == GOOD + len(LOST)
    assert counts["statuses"] == dict(Counter(expected))
    within = json.loads((folder / "image_sets/cartoons.counts.json").read_text())
    assert (within["asked"], within["ok"], within["n"], within["wanted"]) == (N_CARTOONS,) * 4
    # Each address once: what is gone for good is not asked for again.
    asked = Counter(request.path for request in server.requests)
    assert {asked[f"/{name}"] for name in [*LOST, *(f"{place}.png" for place in range(GOOD))]} == {1}


def test_image_sets_hold_what_is_left_with_its_captions(finished: tuple[Path, Server]) -> None:
    folder = results(finished) / "image_sets"
    for name, n in SETS.items():
        arrays = np.load(folder / f"{name}.npz")
        assert arrays["image"].shape == (n, 3, SIDE, SIDE)
        assert arrays["id"].tolist() == list(range(n))
    table = pd.read_parquet(folder / "verbatim.parquet")
    assert table["caption"].tolist() == CAPTIONS[:GOOD]
    assert table["source"].tolist() == [f"{finished[1].url}/{place}.png" for place in range(GOOD)]
    grey = np.load(folder / "verbatim.npz")["image"][1]
    assert (grey == grey[:1]).all()
    assert pd.read_parquet(folder / "cartoons.parquet")["source"].tolist() == [
        f"{CARTOONS}#{row}" for row in range(N_CARTOONS)
    ]


def test_every_image_that_is_left_has_every_score(finished: tuple[Path, Server]) -> None:
    scores = pd.read_parquet(results(finished) / "scores.parquet")
    config = yaml.safe_load((finished[0] / "config.yaml").read_text())
    for name, n in SETS.items():
        for estimator in config["experiments"][NAME]["estimators"]:
            rows = scores.query("items == @name and estimator == @estimator")
            assert sorted(rows["item"]) == list(range(n)), (name, estimator)
            assert np.isfinite(rows["value"]).all()
            assert (rows["value"].nunique() > 1) == (estimator != "decoded_png"), estimator
    caption = scores.query("items == 'verbatim' and estimator == 'flipd'")["value"].to_numpy()
    empty = scores.query("items == 'verbatim' and estimator == 'flipd_uncond'")["value"].to_numpy()
    assert (caption != empty).all()


def test_figures_and_tables_state_the_number_that_survived(finished: tuple[Path, Server]) -> None:
    folder = results(finished)
    for figure in ("metric_histograms", "complexity"):
        table = pd.read_csv(folder / f"figures/{figure}.csv")
        for name, n in SETS.items():
            rows = table[table["set"] == name]
            assert set(rows.loc[rows["kind"] == "median", "n"]) == {n}, figure
            assert rows.loc[rows["kind"] == "image"].groupby("estimator").size().eq(n).all(), figure
    evaluation = pd.read_csv(folder / "evaluation.csv")
    images = evaluation[evaluation["contrast"] == "verbatim-cartoons"]
    assert set(images["n_positive"]) == {GOOD}
    assert set(images["n_negative"]) == {N_CARTOONS}
    prompts = evaluation[evaluation["contrast"] == "prompts:memorized-other"]
    assert set(prompts["n_positive"]) == {PROMPTS["memorized"]}
    assert {"flipd.low.n1", "cfg_norm.first.n2", "cfg_norm.mean.n1", "text_ngrams"} <= set(
        prompts["estimator"]
    )
    claims = pd.read_csv(folder / "claims.csv")
    assert {str(claim) for claim in claims["claim"]} == {"7", "8", "9", "10", "11", "16", "17", "18"}


def test_sharpness_is_taken_and_asked_as_shipped(finished: tuple[Path, Server]) -> None:
    """Each metric at the steps of its block and nowhere else; the pass agrees with itself; rows of both claims."""
    folder, config = results(finished), yaml.safe_load((finished[0] / "config.yaml").read_text())
    asked = config["experiments"][NAME]["prompts"]["metrics"]
    table = pd.concat(map(pd.read_parquet, (folder / "prompt_scores").rglob("*.parquet")))
    wide = table.pivot_table(
        index=["prompt_set", "prompt", "generation", "step", "sigma"], columns="metric", values="value"
    ).reset_index()
    shipped = {"lhsd", "lid_trace", "lambda_min", "lambda_max", "lambda_min_difference", "score_difference"}
    assert shipped | {"curvature"} <= set(asked)
    for name in (*shipped, "curvature"):
        seen = wide.loc[wide[name].notna(), "step"] + 1
        assert seen.value_counts().to_dict() == dict.fromkeys(asked[name]["steps"], 2 * sum(PROMPTS.values()))
    first = wide[wide["step"] == 0]
    np.testing.assert_allclose(first["score_difference"], first["cfg_norm"] / first["sigma"], rtol=1e-6)
    both = wide[wide["lhsd"].notna()]
    dim = 4 * np.prod(np.load(folder / "generations/memorized/000000-000005.npz")["latent"].shape[2:])
    mean = (
        -(dim - both["lid_trace"]) / dim / both["sigma"] ** 2
    )  # of the spectrum, by a probe of random signs
    assert (both["lambda_min"] < mean).all()
    assert (mean < both["lambda_max"]).all()
    assert both["lhsd"].between(0, dim).all()
    evaluation = pd.read_csv(folder / "evaluation.csv")
    assert {"lhsd.step5.n1", "curvature.first.n2", "lambda_min_difference.first.n1"} <= set(
        evaluation["estimator"]
    )
    claims = pd.read_csv(folder / "claims.csv")
    counts = claims["claim"].astype(str).value_counts()
    assert (counts["16"], counts["17"]) == (5, 4)
    drawn = pd.read_csv(folder / "figures/sharpness_detection.csv")
    assert set(drawn.loc[drawn["kind"] == "auc", "metric"]) >= {*shipped, "curvature"}
    marks = drawn[drawn["kind"] == "anchor"]
    assert marks[["metric", "auc", "rerun"]].to_numpy().tolist() == [
        ["cfg_norm", 0.976, False],
        ["cfg_norm", 0.941, True],
        ["curvature", 0.987, False],
        ["curvature", 0.964, True],
    ]


def test_generations_are_matched_where_the_training_image_is_at_hand(finished: tuple[Path, Server]) -> None:
    matches = pd.read_parquet(results(finished) / "generation_matches.parquet")
    assert list(matches.columns) == list(GENERATION_MATCHES.columns)
    found = matches[["prompt_set", "prompt", "generation", "train"]].to_records(index=False).tolist()
    assert found == [("memorized", prompt, g, prompt) for prompt in range(4) for g in range(2)]
    assert matches["similarity"].between(-1, 1).all()


def test_prompts_are_those_of_the_lists(finished: tuple[Path, Server]) -> None:
    table = pd.read_parquet(results(finished) / "prompts.parquet")
    assert table.groupby("prompt_set", sort=False).size().to_dict() == PROMPTS
    assert table["text"].tolist()[:4] == CAPTIONS[:4]
    assert table["train"].isna().all()
    assert not finished[1].ranges(f"/nowhere/{MEMORIZED}")


def test_how_images_are_fetched_is_no_part_of_a_finished_set(edited: Callable[..., Path]) -> None:
    def change(config: dict[str, Any]) -> None:
        config["offline"] = True
        config["fetching"] |= {"workers": 1, "again": ["dead"]}
        config["sources"][VERBATIM]["page"] = "elsewhere"

    assert jobs_of(edited(change)) == set()


@pytest.mark.slow
def test_scores_do_not_depend_on_how_spans_are_cut(
    finished: tuple[Path, Server], edited: Callable[..., Path]
) -> None:
    """Another cut of images and of prompts, in the middle of a batch, in the middle of what is left."""

    def change(config: dict[str, Any]) -> None:
        entry = config["experiments"][NAME]
        entry["latents"]["shard_size"] = entry["estimators"]["flipd"]["shard_size"] = 3
        entry["prompts"]["shard_size"] = 4

    span, prompts = "scores/verbatim/flipd/000003-000005.parquet", "memorized/000004-000005.parquet"
    copy = edited(change)
    snakemake(copy, f"results/{NAME}/{span}", f"{PROMPT_SCORES}/{prompts}")
    here = pd.read_parquet(copy / "results" / NAME / span)
    before = pd.read_parquet(results(finished) / "scores/verbatim/flipd/000000-000019.parquet")
    assert here["item"].tolist() == [3, 4, 5]
    assert here["value"].tolist() == before["value"].tolist()[3:]
    drawn = np.load(copy / "results" / NAME / "generations" / Path(prompts).with_suffix(".npz"))
    whole = np.load(results(finished) / "generations/memorized/000000-000005.npz")
    assert drawn["prompt"].tolist() == [4, 4, 5, 5]
    for name in ("latent", "image", "seed"):
        assert drawn[name].tobytes() == whole[name][8:].tobytes(), name
    part = pd.read_parquet(copy / PROMPT_SCORES / prompts)
    all_scores = pd.read_parquet(finished[0] / PROMPT_SCORES / "memorized/000000-000005.parquet")
    pd.testing.assert_frame_equal(part, all_scores[all_scores["prompt"] >= 4].reset_index(drop=True))


def test_the_audit_of_prompts_needs_no_model_and_no_network(
    finished: tuple[Path, Server], tmp_path: Path
) -> None:
    config = yaml.safe_load((finished[0] / "config.yaml").read_text())
    config["experiments"][NAME]["model"]["path"] = "nowhere"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    target = f"results/{NAME}/prompt_audit.csv"
    assert jobs_of(tmp_path, target) == {"fetch_source", "audit_prompts"}
    drop_prompts(tmp_path)
    snakemake(tmp_path, target)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["audit_prompts"]
    # To the byte what it is beside all the rest.
    assert (tmp_path / target).read_bytes() == (finished[0] / target).read_bytes()
    report = json.loads((tmp_path / target).with_suffix(".json").read_text())
    assert {name: found["prompts"] for name, found in report["lists"].items()} == PROMPTS


def test_another_number_of_prompts_is_named(tmp_path: Path) -> None:
    drop_prompts(tmp_path)
    lists = [tmp_path / "resources/prompts" / name for name in (MEMORIZED, OTHER)]
    out = tmp_path / "prompts.parquet"
    how: dict[str, Any] = {"columns": dict.fromkeys(PROMPTS, "caption"), "families": {}}
    with pytest.raises(
        InputError, match=r"other\.txt: holds 6 prompts where prompts\.sets\.other .* says 5; "
    ):
        import_prompts.main(lists, out, wanted={"memorized": 6, "other": 5}, **how)
    assert not out.exists()
    import_prompts.main(lists, out, wanted={"memorized": 6}, **how)  # a list that is audited, not sampled
    assert len(pd.read_parquet(out)) == 12


def test_images_that_cannot_be_had_at_all_stop_their_set_in_one_line(edited: Callable[..., Path]) -> None:
    """Offline, from nothing: the ledger is made and says so, the set is not."""
    copy = edited(lambda config: config.update(offline=True))
    shutil.rmtree(copy / "resources/images")
    for folder in ("ledgers", "image_sets"):
        shutil.rmtree(copy / "results" / NAME / folder)
    done = snakemake(copy, f"results/{NAME}/image_sets/verbatim.npz", check=False)
    assert done.returncode != 0
    line = next(
        line for line in (done.stdout + done.stderr).splitlines() if line.strip().startswith("error:")
    )
    assert f"none of {GOOD + len(LOST)} images could be had" in line
    ledger = pd.read_parquet(copy / "results" / NAME / "ledgers/verbatim.parquet")
    assert set(ledger["status"]) == {"missing"}
    assert not list((copy / "results" / NAME / "image_sets").glob("verbatim*"))
