"""Spans and files follow from the configuration alone."""

from typing import Any

import pytest

from mmh.errors import InputError
from mmh.io import spans
from mmh.plan.experiment import Experiment
from mmh.plan.inputs.run import Run
from mmh.plan.inputs.sources import Sources
from mmh.plan.patterns import Patterns

CONFIG: dict[str, Any] = {
    "run": ["a"],
    "experiments": {
        "a": {
            "data": {"world": "digits-overfit", "n_train": 10},
            "sampling": {"n_samples": 25, "shard_size": 10, "calibration": 4},
            "image_sets": {"other": {"experiment": "b", "items": "train"}},
            "estimators": {
                "flipd": {"method": "flipd", "items": ["samples", "other"], "shard_size": 20},
                "curve": {"method": "flipd", "items": ["samples"], "subset": "calibration", "shard_size": 20},
                "nb": {"method": "normal-bundle", "items": ["samples"], "shard_size": 20},
                "flipd_png": {"method": "ratio", "items": ["samples"]},
            },
            "figures": {"lid_model": {}},
            "evaluation": {"estimators": ["flipd"]},
        },
        "b": {
            "data": {"world": "digits-overfit", "n_train": 7},
            "sampling": {"n_samples": 1, "shard_size": 1, "calibration": 0},
        },
    },
}


def test_spans_cover_every_id_once() -> None:
    names = spans.spans(25, 10)
    assert names == ["000000-000009", "000010-000019", "000020-000024"]
    assert [i for name in names for i in spans.span_range(name)] == list(range(25))


def test_growing_n_adds_spans_and_renames_only_the_last() -> None:
    before, after = set(spans.spans(25, 10)), set(spans.spans(40, 10))
    assert before - after == {"000020-000024"}


@pytest.mark.parametrize("bad", ["0-9", "000009-000000", "abc", "000000_000009"])
def test_a_malformed_span_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match="not a span"):
        spans.span_range(bad)


def test_a_score_span_needs_only_the_shards_that_it_overlaps() -> None:
    files = Experiment(CONFIG, "a").image_files("samples", range(8, 12))
    assert files == ["results/a/samples/000000-000009.npz", "results/a/samples/000010-000019.npz"]


def test_image_sets_are_the_training_images_of_another_experiment() -> None:
    assert Experiment(CONFIG, "a").image_files("other") == ["results/b/data/train.npz"]
    assert Experiment(CONFIG, "a").n_items("other") == 7


def test_selected_samples_have_spans_of_places_and_one_file() -> None:
    chosen = {**CONFIG["experiments"]["a"], "candidates": {"top": 3, "total": 9}}
    chosen["estimators"] = {"j": {"method": "jacobian", "items": ["selected"], "shard_size": 5}}
    config = {"run": ["a"], "experiments": {"a": chosen}}
    assert Experiment(config, "a").score_spans("selected", "j") == ["000000-000004", "000005-000008"]
    assert Experiment(config, "a").image_files("selected") == ["results/a/selected.npz"]
    assert Experiment(config, "a").score_files == ["results/a/scores/selected/j.parquet"]
    assert Experiment(config, "a").numerics_files == [
        f"results/a/spectra/selected/j/{span}.npz" for span in ("000000-000004", "000005-000008")
    ]


def test_every_source_names_the_experiments_that_need_it() -> None:
    config = {
        "sources": {"data.tar.gz": {}, "model.pt": {}, "sscd.pt": {}, "other.pt": {}},
        "descriptors": {"sscd": {"source": "download", "file": "sscd.pt"}, "own": {"source": "train"}},
        "experiments": {
            "a": {
                "data": {"source": "data.tar.gz"},
                "model": {"source": "model.pt"},
                "retrieval": {"descriptor": "sscd"},
            },
            "b": {"data": {"source": "data.tar.gz"}, "model": {}, "retrieval": {"descriptor": "own"}},
        },
    }
    users = {"data.tar.gz": ["a", "b"], "model.pt": ["a"], "sscd.pt": ["a"], "other.pt": []}
    assert Sources(config).users == users


def test_score_files_name_valid_pairs_only() -> None:
    assert Experiment(CONFIG, "a").score_files == [
        "results/a/scores/samples/flipd/000000-000019.parquet",
        "results/a/scores/samples/flipd/000020-000024.parquet",
        "results/a/scores/other/flipd/000000-000006.parquet",
        "results/a/scores/samples/curve/000000-000003.parquet",
        "results/a/scores/samples/nb.parquet",
    ]


def test_targets_are_figures_and_tables_of_the_experiments_that_run() -> None:
    assert set(Run(CONFIG).targets()) == {
        "results/a/figures/lid_model.pdf",
        "results/a/evaluation.csv",
        "results/a/evaluation_raters.csv",
        "results/a/summary.txt",
        "results/a/run_records.csv",
        "results/a/runtime.csv",
    }


def test_a_run_of_one_experiment_leaves_the_summary_of_the_others_as_it_is() -> None:
    def shared(*names: str) -> set[str]:
        run = Run({"run": list(names), "experiments": {name: {"claims": {}} for name in names}})
        return {run.summary, run.run_records, run.runtime, run.all_claims}

    assert len(shared("a") | shared("b") | shared("a", "b")) == 12
    assert shared("a", "b") == {
        f"results/{name}" for name in ("summary.txt", "run_records.csv", "runtime.csv", "claims.csv")
    }


def test_an_experiment_on_accuracy_asks_for_its_table_and_one_file_per_law() -> None:
    laws = {"accuracy": {"laws": {"sphere": {}, "points": {}}}, "figures": {"estimator_accuracy": {}}}
    config = {"run": ["laws"], "experiments": {"laws": laws}}
    own = {file for file in Run(config).targets() if file.startswith("results/laws/")}
    assert own >= {"results/laws/figures/estimator_accuracy.pdf", "results/laws/accuracy.csv"}
    assert Experiment(config, "laws").law_files == [
        "results/laws/accuracy/sphere.csv",
        "results/laws/accuracy/points.csv",
    ]
    assert Patterns(config).all()["law"] == "points|sphere"
    assert Patterns(CONFIG).all()["law"] == "(?!)"


def captioned(**sections: Any) -> dict[str, Any]:
    """An experiment on captioned images: sets of 5 and 3, one of another experiment, prompts of two lists."""
    entry = {
        "data": {"world": "none"},
        "latents": {"shard_size": 4},
        "image_sets": {
            "verbatim": {"files": ["mv.parquet"], "captions": ["mv.json"], "n": 5},
            "others": {"files": ["a.tsv", "b.tsv"], "n": 3},
            "borrowed": {"experiment": "b", "items": "train"},
        },
        "prompt_lists": {"memorized": {"file": "mem.txt"}, "other": {"file": "nmem.txt"}},
        "prompts": {"sets": {"other": 3, "memorized": 5}, "shard_size": 2},
        "estimators": {
            "flipd": {"method": "flipd", "items": ["verbatim", "others"], "shard_size": 3},
            "norm": {"method": "cfg-norm", "items": ["others"], "shard_size": 3},
            "png": {"method": "decoded-png", "items": ["others"], "shard_size": 3},
        },
    }
    return {"run": ["t"], "experiments": {"t": {**entry, **sections}, "b": CONFIG["experiments"]["b"]}}


def test_captioned_images_are_read_as_latents_in_spans_of_their_own() -> None:
    config = captioned()
    assert Experiment(config, "t").captioned_sets == ["verbatim", "others"]
    assert Experiment(config, "t").caption_tables == [
        f"results/t/image_sets/{name}.parquet" for name in ("verbatim", "others")
    ]
    latents = [f"results/t/latents/verbatim/{span}.npz" for span in ("000000-000003", "000004-000004")]
    assert Experiment(config, "t").image_files("verbatim") == latents
    assert Experiment(config, "t").image_files("verbatim", range(3, 5)) == latents
    assert Experiment(config, "t").image_files("verbatim", range(3)) == latents[:1]
    assert Experiment(config, "t").image_files("borrowed") == ["results/b/data/train.npz"]
    assert Experiment(config, "t").score_files == [
        "results/t/scores/verbatim/flipd/000000-000002.parquet",
        "results/t/scores/verbatim/flipd/000003-000004.parquet",
        "results/t/scores/others/flipd/000000-000002.parquet",
        "results/t/scores/others/norm/000000-000002.parquet",
        "results/t/scores/others/png/000000-000002.parquet",
    ]
    # A size in bits has no numerics to report.
    assert Experiment(config, "t").numerics_files == Experiment(config, "t").score_files[:-1]


def test_sets_of_the_captioned_world_are_as_large_as_their_group() -> None:
    data = {
        "world": "digits-text",
        "n_memorized": 6,
        "copies": 10,
        "n_control": 4,
        "n_generic": 9,
        "items": 7,
    }
    sets = {name: {"world": "digits-text"} for name in ("memorized", "control", "generic")}
    config = captioned(data=data, image_sets=sets)
    assert Experiment(config, "t").n_train == 6 * 10 + 4 + 9
    assert [Experiment(config, "t").n_items(name) for name in sets] == [6, 4, 7]
    data["items"] = 12
    assert Experiment(config, "t").n_items("generic") == 9
    assert Experiment(captioned(), "t").n_train == 0


def test_prompts_are_sampled_span_by_span_in_the_order_of_their_sets() -> None:
    spans_of = {"other": ["000000-000001", "000002-000002"], "memorized": ["000000-000001", "000002-000003"]}
    spans_of["memorized"].append("000004-000004")
    assert Experiment(captioned(), "t").generation_files == [
        f"results/t/generations/{name}/{span}.npz" for name, names in spans_of.items() for span in names
    ]
    assert Experiment(CONFIG, "a").generation_files == []


def test_lists_of_images_and_of_prompts_are_sources_of_their_experiment() -> None:
    config = captioned()
    listed = ["mv.parquet", "mv.json", "a.tsv", "b.tsv", "mem.txt", "nmem.txt"]
    assert Experiment(config, "t").listed_sources == listed
    config["sources"] = {name: {} for name in [*reversed(listed), "unused.txt"]}
    assert Sources(config).users == {**{name: ["t"] for name in reversed(listed)}, "unused.txt": []}


def test_tables_of_detectors_and_of_the_audit_are_targets() -> None:
    config = captioned(detection={"resamples": 1}, prompt_audit={"pairs": []}, claims={"check": ["7"]})
    config["experiments"]["t"]["figures"] = {"score_norms": {}}
    own = {file for file in Run(config).targets() if file.startswith("results/t/")}
    names = {"evaluation.csv", "claims.csv", "prompt_audit.csv", "figures/score_norms.pdf"}
    assert own >= {f"results/t/{name}" for name in names}


def test_prompt_sets_are_a_wildcard_of_their_own() -> None:
    patterns = Patterns(captioned()).all()
    assert patterns["prompt_set"] == "memorized|other"
    assert "verbatim" in patterns["item_set"].split("|")
    assert Patterns(CONFIG).all()["prompt_set"] == "(?!)"


def test_wildcards_match_configured_names_only() -> None:
    import re

    patterns = Patterns(CONFIG).all()
    assert re.fullmatch(patterns["experiment"], "a")
    assert not re.fullmatch(patterns["experiment"], "c")
    assert re.fullmatch(patterns["item_set"], "other")
    assert not re.fullmatch(patterns["descriptor"], "anything")
