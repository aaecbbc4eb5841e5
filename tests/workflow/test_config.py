"""Mistakes in config.yaml: all of them at once, each with its path, what is allowed, and a hint."""

import copy
import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmh.config.check import check_config
from mmh.config.schema import schema
from mmh.errors import InputError

ROOT = Path(__file__).parents[2]
# Through JSON, so that blocks shared by YAML anchors become separate ones.
CONFIG = json.loads(json.dumps(yaml.safe_load((ROOT / "config.yaml").read_text())))


def set_to(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for key in parents:
            config = config[key]
        config[last] = value

    return change


def remove(path: str) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for key in parents:
            config = config[key]
        del config[last]

    return change


def test_the_shipped_configuration_is_sound() -> None:
    check_config(CONFIG)


def test_the_tiny_configuration_is_sound() -> None:
    check_config(yaml.safe_load((ROOT / "tests/workflow/tiny/config.yaml").read_text()))


CASES = {
    "misspelt top-level key": (set_to("sead", 1), "sead: unknown key (did you mean 'seed'?)"),
    "misspelt nested key": (
        set_to("experiments/digits/model/learning_rat", 1),
        "experiments.digits.model.learning_rat: unknown key (did you mean 'learning_rate'?)",
    ),
    "wrong type": (set_to("seed", "zero"), "seed: 'zero' is a string, expected integer"),
    "a number that YAML takes for text": (
        set_to("experiments/digits/model/learning_rate", "1e-3"),
        "expected number: peak learning rate; YAML takes 1e-3 for text, write 1.0e-3",
    ),
    "a whole number that YAML takes for text": (
        set_to("experiments/digits/model/steps", "3e3"),
        "YAML takes 3e3 for text, write 3000",
    ),
    "a number in quotes": (
        set_to("experiments/digits/sampling/steps", "4"),
        "; write it without quotes (of --config, nested values arrive as text: use --configfile)",
    ),
    "boolean for a number": (set_to("threads", True), "threads: True is a boolean, expected integer"),
    "no whole number": (
        set_to("experiments/digits/sampling/n_samples", 2000.5),
        "experiments.digits.sampling.n_samples: 2000.5 is a number, expected integer: samples with ids",
    ),
    "a whole number out of range": (
        set_to("experiments/digits/sampling/n_samples", 0.0),
        "experiments.digits.sampling.n_samples: 0 ",
    ),
    "a name that is a number": (
        set_to("sources", {2024: CONFIG["sources"]["cifar10.pkl"]}),
        "sources.2024: the name 2024 is an integer, expected string; put it in quotes",
    ),
    "a name that is a number, of an experiment": (
        set_to("experiments", {7: CONFIG["experiments"]["digits-control"]}),
        "experiments.7: the name 7 is an integer, expected string; put it in quotes",
    ),
    "a name that is a number with a point": (
        set_to("experiments/digits/estimators", {1.5: {"method": "png"}}),
        "experiments.digits.estimators.1.5: the name 1.5 is a number, expected string; put it in quotes",
    ),
    "a name that is a date": (
        set_to("sources", {datetime.date(2024, 1, 2): {}}),
        "sources.2024-01-02: the name 2024-01-02 is a date, expected string; put it in quotes",
    ),
    "a name that is null": (
        set_to("experiments", {None: {}}),
        "experiments.None: the name None is null, expected string; put it in quotes",
    ),
    "a name with a dot": (
        set_to("experiments/digits/estimators/a.b", CONFIG["experiments"]["digits"]["estimators"]["png"]),
        "experiments.digits.estimators.a.b: a name is part of file paths",
    ),
    "an empty name": (
        set_to("experiments/digits/estimators/", CONFIG["experiments"]["digits"]["estimators"]["png"]),
        "experiments.digits.estimators.: a name is part of file paths",
    ),
    "an empty key": (set_to("", 1), ": unknown key; known here: run, seed"),
    "an experiment with a dot": (
        set_to("experiments/a.b", CONFIG["experiments"]["digits-control"]),
        "experiments.a.b: a name is part of file paths",
    ),
    "a key that is no text": (
        lambda config: config["experiments"]["digits"]["sampling"].update({True: 1}),
        "experiments.digits.sampling.True: unknown key",
    ),
    "a section that is a list": (
        set_to("experiments", ["digits"]),
        "experiments: ['digits'] is an array, expected object: experiments, by name",
    ),
    "a section that is a text": (
        set_to("experiments/digits/estimators", "flipd"),
        "experiments.digits.estimators: 'flipd' is a string, expected object: scores of samples and images",
    ),
    "missing key": (
        remove("experiments/digits/sampling/steps"),
        "experiments.digits.sampling.steps: missing",
    ),
    "unknown experiment": (
        set_to("run", ["digit"]),
        "run.0: there is no experiment 'digit' (did you mean 'digits'?)",
    ),
    "unknown world": (
        set_to("experiments/digits/data/world", "digts"),
        "experiments.digits.data.world: 'digts' is not allowed (did you mean 'digits'?)",
    ),
    "t0 of zero": (
        set_to("experiments/digits/estimators/flipd/t", 0),
        "experiments.digits.estimators.flipd.t: 0 is out of range, expected > 0 and <= 1",
    ),
    "t0 above one": (
        set_to("experiments/digits/estimators/nb/t", 50),
        "experiments.digits.estimators.nb.t: 50 is out of range, expected > 0 and <= 1",
    ),
    "t0 above one in a list": (
        set_to("experiments/digits/estimators/flipd_curve/t", [0.1, 1.5]),
        "experiments.digits.estimators.flipd_curve.t.1: 1.5 is out of range, expected > 0 and <= 1",
    ),
    "percentile of 100": (
        set_to("experiments/digits/estimators/nb/percentile", 100),
        "experiments.digits.estimators.nb.percentile: 100 is out of range, expected > 0 and < 100",
    ),
    "unknown descriptor": (
        set_to("experiments/digits/retrieval/descriptor", "digits-scd"),
        "retrieval.descriptor: there is no descriptor 'digits-scd' (did you mean 'digits-sscd'?)",
    ),
    "unknown estimator in a figure": (
        set_to("experiments/digits/figures/lid_model/estimators", ["flipdd"]),
        "experiments.digits.figures.lid_model.estimators: there is no estimator 'flipdd' (did you mean 'flipd'?)",
    ),
    "unknown item set": (
        set_to("experiments/digits-control/estimators/flipd/items", ["overfitt"]),
        "experiments.digits-control.estimators.flipd.items: 'overfitt' is neither samples, selected, train nor one of image_sets "
        "(did you mean 'overfit'?)",
    ),
    "more neighbours than images": (
        set_to("experiments/digits-overfit/data/n_train", 40),
        "experiments.digits-overfit.retrieval.neighbours: 50 neighbours need more training images than 40",
    ),
    "too many neighbours for local PCA": (
        set_to("experiments/digits-control/estimators/lpca/k", 1797),
        "experiments.digits-control.estimators.lpca.k: 1797 neighbours need more than 1797 training images",
    ),
    "t0 that is not a number": (
        set_to("experiments/digits/estimators/flipd/t", float("nan")),
        "experiments.digits.estimators.flipd.t: nan is not a finite number",
    ),
    "label thresholds out of order": (
        set_to("experiments/digits/labels/exact_distance", 2.0),
        "experiments.digits.labels.exact_distance: must not exceed not_distance, 1.2",
    ),
    "a subset of nothing": (
        set_to("experiments/digits/sampling/calibration", 0),
        "experiments.digits.estimators.flipd_curve.subset: sampling.calibration is 0",
    ),
    "a figure without its labels": (
        remove("experiments/digits-overfit/labels"),
        "experiments.digits-overfit.figures.memorized_pairs: needs the section 'labels'",
    ),
    "a claim without its pair": (
        set_to("experiments/digits/claims/check", ["od"]),
        "experiments.digits.claims.od: needs the section 'paired'",
    ),
    "a claim about another world": (
        set_to("experiments/digits/claims/check", ["1"]),
        "experiments.digits.claims.1: is about the world von-mises only",
    ),
    "a ratio of what is not computed": (
        set_to("experiments/digits/estimators/nb_png/items", ["train"]),
        "experiments.digits.estimators.nb_png.items: 'nb' is not computed on 'train'",
    ),
    "a ratio of itself": (
        set_to("experiments/digits/estimators/nb_png/numerator", "nb_png"),
        "experiments.digits.estimators.nb_png: follows from itself (nb_png -> nb_png)",
    ),
    "ratios in a circle": (
        lambda config: (
            set_to("experiments/digits/estimators/nb_png/numerator", "flipd_residual")(config),
            set_to("experiments/digits/estimators/flipd_residual/given", "nb_png")(config),
        ),
        "experiments.digits.estimators.flipd_residual: follows from itself "
        "(flipd_residual -> nb_png -> flipd_residual)",
    ),
    "a residual of curves": (
        set_to("experiments/digits/estimators/flipd_residual/of", "flipd_curve"),
        "experiments.digits.estimators.flipd_residual.of: 'flipd_curve' has a list of t; a residual needs one",
    ),
    "a residual on itself": (
        set_to("experiments/digits/estimators/flipd_residual/given", "flipd"),
        "experiments.digits.estimators.flipd_residual.given: 'flipd' leaves nothing of itself",
    ),
    "a line fitted to calibration samples that there are not": (
        set_to("experiments/digits/sampling/calibration", 0),
        "experiments.digits.estimators.flipd_residual.fit: sampling.calibration is 0, and a line needs 3 items; "
        "use all",
    ),
    "a line fitted to calibration samples among training images": (
        set_to(
            "experiments/digits/estimators/lpca_residual",
            {"method": "residual", "items": ["train"], "of": "lpca", "given": "nb", "fit": "calibration"},
        ),
        "experiments.digits.estimators.lpca_residual.fit: 'train' has no calibration samples; use all",
    ),
    "an evaluation of a curve": (
        set_to("experiments/digits/evaluation/estimators", ["flipd_curve"]),
        "experiments.digits.evaluation.estimators: 'flipd_curve' has a list of t",
    ),
    "a model that does not fit its world": (
        set_to("experiments/von-mises/data", {"world": "digits-control", "n_train": 1797}),
        "experiments.von-mises.model.kind: 'edm-mlp' does not fit the world digits-control",
    ),
    "noise levels out of order": (
        set_to("experiments/manifolds/accuracy/learned/lollipop/sigma_min", 5.0),
        "experiments.manifolds.accuracy.learned.lollipop.sigma_min: must be below sigma_max, 3.0",
    ),
    "noise levels of a model out of order": (
        set_to("experiments/von-mises/model/sigma_min", 4.0),
        "experiments.von-mises.model.sigma_min: must be below sigma_max, 3.0",
    ),
    "unknown control": (
        set_to("experiments/digits-overfit/paired/control", "digits-contrl"),
        "experiments.digits-overfit.paired.control: there is no experiment 'digits-contrl' (did you mean 'digits-control'?)",
    ),
    "unknown estimator of a claim": (
        set_to("experiments/digits/claims/ratios", {"nb_pngg": "nb"}),
        "experiments.digits.claims.ratios: there is no estimator 'nb_pngg' (did you mean 'nb_png'?)",
    ),
    "a figure of samples on training images": (
        set_to("experiments/digits/figures/lid_model/estimators", ["lpca"]),
        "experiments.digits.figures.lid_model.estimators: 'lpca' is not computed on samples, but on train",
    ),
    "a figure of training images on samples": (
        set_to("experiments/digits/figures/lid_data/estimator", "flipd"),
        "experiments.digits.figures.lid_data.estimator: 'flipd' is not computed on train, but on samples",
    ),
    "a verdict on the wrong LID": (
        set_to("experiments/digits/verdicts/model_estimator", "lpca"),
        "experiments.digits.verdicts.model_estimator: 'lpca' is not computed on samples, but on train",
    ),
    "a verdict without an error of LID_theta": (
        remove("experiments/digits/verdicts/levels"),
        "experiments.digits.verdicts.errors: 'flipd' gives no standard error; set errors: optional, and tables say "
        "that verdicts are without; of LID_theta, name levels",
    ),
    "a verdict without an error of LID_*": (
        set_to("experiments/digits/estimators/lpca/bootstrap", 0),
        "experiments.digits.verdicts.errors: 'lpca' gives no standard error; set errors: optional",
    ),
    "paired verdicts without errors": (
        remove("experiments/digits-overfit/verdicts/errors"),
        "experiments.digits-overfit.verdicts.errors: 'flipd' gives no standard error",
    ),
    "verdicts over one noise level": (
        set_to("experiments/digits/verdicts/levels", "nb"),
        "experiments.digits.verdicts.levels: 'nb' has no list of t; name an estimator with several",
    ),
    "verdicts over noise levels far from t0": (
        set_to("experiments/digits/estimators/flipd_curve/t", [0.01, 0.05, 0.1]),
        "experiments.digits.verdicts.levels: 'flipd_curve' needs t0 = 0.05 and 2 more noise levels between 0.025 and "
        "0.1, has 0.01, 0.05, 0.1; add some",
    ),
    "verdicts on paired images by an estimator of samples": (
        set_to("experiments/digits-overfit/verdicts/model_estimator", "flipd"),
        "experiments.digits-overfit.verdicts.model_estimator: not for paired images",
    ),
    "verdicts on samples by no estimator": (
        remove("experiments/digits/verdicts/model_estimator"),
        "experiments.digits.verdicts.model_estimator: missing; name an estimator",
    ),
    "LID_theta of training images": (
        set_to("experiments/digits/claims/model_estimators", ["flipd", "lpca"]),
        "experiments.digits.claims.model_estimators: 'lpca' is not computed on samples, but on train",
    ),
    "LID_* of samples": (
        set_to("experiments/digits/claims/data_estimators", ["flipd"]),
        "experiments.digits.claims.data_estimators: 'flipd' is not computed on train, but on samples",
    ),
    "a claim on a ratio with another numerator": (
        set_to("experiments/digits/claims/ratios", {"nb_png": "flipd"}),
        "experiments.digits.claims.ratios.nb_png: 'nb_png' is of 'nb', not of 'flipd'; name its own",
    ),
    "a claim on a residual of another score": (
        set_to("experiments/digits/claims/ratios", {"flipd_residual": "nb"}),
        "experiments.digits.claims.ratios.flipd_residual: 'flipd_residual' is of 'flipd', not of 'nb'; name its",
    ),
    "a claim on a ratio that is none": (
        set_to("experiments/digits/claims/ratios", {"flipd": "nb"}),
        "experiments.digits.claims.ratios.flipd: 'flipd' is neither a ratio nor a residual; name one",
    ),
    "a claim on FLIPD that is another score": (
        set_to("experiments/digits-text/claims/flipd", "decoded_png"),
        "experiments.digits-text.claims.flipd: 'decoded_png' is of the method 'decoded-png'; name one of",
    ),
    "a claim on the CFG-vector norm that is another score": (
        set_to("experiments/digits-text/claims/cfg_norm", "flipd"),
        "experiments.digits-text.claims.cfg_norm: 'flipd' is of the method 'flipd'; name one of the method",
    ),
    "an estimator without its method": (
        remove("experiments/digits/estimators/flipd/method"),
        "experiments.digits.estimators.flipd.method: missing",
    ),
    "more calibration samples than samples": (
        set_to("experiments/digits/sampling/calibration", 3000),
        "experiments.digits.sampling.calibration: 3000 exceeds n_samples, 2000",
    ),
    "a file that is not declared": (
        set_to("experiments/cifar10-iddpm/model/source", "cifar10_uncond.pt"),
        "experiments.cifar10-iddpm.model.source: there is no file 'cifar10_uncond.pt' under sources",
    ),
    "a digest that is none": (
        set_to("sources/cifar10.pkl/sha256", "f8952c"),
        "sources.cifar10.pkl.sha256:",
    ),
    "an address of another kind": (
        set_to("sources/cifar10.pkl/urls", ["ftp://example.org/cifar10.pkl"]),
        "sources.cifar10.pkl.urls.0:",
    ),
    "a descriptor's file that is not declared": (
        set_to("descriptors/sscd-disc-mixup/file", "sscd.pt"),
        "descriptors.sscd-disc-mixup.file: there is no file 'sscd.pt' under sources",
    ),
    "a sampler's option that is missing": (
        remove("experiments/cifar10-iddpm/sampling/respacing"),
        "experiments.cifar10-iddpm.sampling.respacing: missing; a model of kind 'iddpm' needs sampler, respacing",
    ),
    "an option of another sampler": (
        set_to("experiments/cifar10-stylegan2ada/sampling/steps", 50),
        "experiments.cifar10-stylegan2ada.sampling.steps: a model of kind 'stylegan2' takes truncation, noise only",
    ),
    "fewer chosen samples than candidates": (
        set_to("experiments/cifar10-iddpm/candidates/total", 500),
        "experiments.cifar10-iddpm.candidates.total: 500 must lie in 601..50000",
    ),
    "selected samples without a selection": (
        remove("experiments/cifar10-stylegan2ada/candidates"),
        "experiments.cifar10-stylegan2ada.estimators.jacobian.items: 'selected' needs the section 'candidates'",
    ),
    "a score of a GAN": (
        set_to(
            "experiments/cifar10-stylegan2ada/estimators/flipd",
            {
                "method": "flipd",
                "items": ["selected"],
                "t": 0.1,
                "trace": 1,
                "batch_size": 8,
                "shard_size": 8,
            },
        ),
        "experiments.cifar10-stylegan2ada.estimators.flipd.method: 'flipd' needs a score, a GAN has none",
    ),
    "a Jacobian of a diffusion model": (
        set_to(
            "experiments/cifar10-iddpm/estimators/jacobian",
            {"method": "jacobian", "items": ["selected"], "percentile": 10, "chunk": 8, "shard_size": 8},
        ),
        "experiments.cifar10-iddpm.estimators.jacobian.method: 'jacobian' needs a GAN's generator",
    ),
    "nothing planted": (
        set_to(
            "experiments/cifar10-iddpm/labels",
            {"source": "planted", "exact_distance": 1.0, "not_distance": 2.0},
        ),
        "experiments.cifar10-iddpm.labels.source: nothing is planted in the world cifar10",
    ),
    "cuts of people's labels": (
        set_to("experiments/digits/labels", {"source": "files"}),
        "experiments.digits.figures.auc_by_cut: labels of experiments.digits are given by people and follow "
        "from no distance; remove the figure, or set labels.source to planted",
    ),
    "cuts without an evaluation": (
        remove("experiments/digits-gan/evaluation"),
        "experiments.digits-gan.figures.auc_by_cut: needs the section 'evaluation', which this experiment lacks",
    ),
    "a gap the wrong way round": (
        set_to("experiments/digits/figures/auc_by_cut/gaps", [[2.0, 0.5]]),
        "experiments.digits.figures.auc_by_cut.gaps: [2, 0.5] must ascend",
    ),
    "a gap of one cut": (
        set_to("experiments/digits/figures/auc_by_cut/gaps", [[0.5]]),
        "experiments.digits.figures.auc_by_cut.gaps.0: ",
    ),
    "the distance as a score": (
        set_to("experiments/digits/evaluation/baselines", ["png", "distance"]),
        "experiments.digits.evaluation.baselines: there is no estimator 'distance'",
    ),
    "a score called like the distance": (
        set_to("experiments/digits/estimators/distance", {"method": "png", "items": ["samples"]}),
        "experiments.digits.estimators.distance: is the distance that planted labels follow from; "
        "use another name",
    ),
    "LID of training images by image": (
        set_to("experiments/digits/figures/auc_by_image/estimators", ["lpca"]),
        "experiments.digits.figures.auc_by_image.estimators: 'lpca' is not computed on samples, but on train",
    ),
    "samples twice": (
        set_to("experiments/cifar10-iddpm/estimators/png/items", ["samples", "selected"]),
        "experiments.cifar10-iddpm.estimators.png.items: selected samples are samples; use one of the two",
    ),
    "a repository without a revision": (
        set_to("experiments/cifar10-iddpm/model", {"kind": "diffusers", "id": "someone/model"}),
        "experiments.cifar10-iddpm.model.revision: a repository needs one",
    ),
    "probes of an exact trace": (
        set_to("experiments/digits/estimators/flipd/probe", "rademacher"),
        "experiments.digits.estimators.flipd.probe: the exact trace has no random probes",
    ),
    "groups that do not divide the batch": (
        set_to("experiments/digits-gan/model/group", 5),
        "experiments.digits-gan.model.group: 5 must divide batch_size, 32",
    ),
    "noise of a sampler that has its own": (
        set_to("experiments/cifar10-iddpm/sampling/eta", 0.5),
        "experiments.cifar10-iddpm.sampling.eta: belongs to the sampler 'ddim'",
    ),
    "more steps than there are": (
        set_to("experiments/cifar10-iddpm/sampling/respacing", "5000"),
        "experiments.cifar10-iddpm.sampling.respacing: '5000' must keep 2 to 4000 steps",
    ),
    "a number of steps that no stride gives": (
        set_to("experiments/cifar10-iddpm/sampling/respacing", "ddim300"),
        "experiments.cifar10-iddpm.sampling.respacing: no stride keeps 300 of 4000 steps",
    ),
    "an option of an approximate index": (
        set_to("experiments/cifar10-iddpm/retrieval/nprobe", 8),
        "experiments.cifar10-iddpm.retrieval.nprobe: the index 'Flat' is exact",
    ),
    "an image set called like one's own": (
        set_to("experiments/digits-control/image_sets/selected", {"experiment": "digits", "items": "train"}),
        "experiments.digits-control.image_sets.selected: the name stands for this experiment's own images",
    ),
    "an estimator called like a distance": (
        set_to(
            "experiments/digits/estimators/calibrated_l2",
            CONFIG["experiments"]["digits"]["estimators"]["png"],
        ),
        "experiments.digits.estimators.calibrated_l2: is a distance that retrieval gives",
    ),
    "a source that leads elsewhere": (
        set_to(
            "sources/..%2Fevil".replace("%2F", "\\"),
            {"urls": ["file:///x"], "sha256": None, "bytes": None, "licence": "", "page": ""},
        ),
        "a source is named by its file",
    ),
    "a source called like another's record": (
        set_to(
            "sources/cifar10.pkl.json",
            {"urls": ["file:///x"], "sha256": None, "bytes": None, "licence": "", "page": ""},
        ),
        "sources.cifar10.pkl.json: is the name of a file that another source's download makes",
    ),
    "a calibration of chosen samples": (
        set_to("experiments/cifar10-iddpm/estimators/flipd/subset", "calibration"),
        "experiments.cifar10-iddpm.estimators.flipd.subset: is of samples; items must be [samples]",
    ),
    "a folder and a repository": (
        set_to(
            "experiments/cifar10-iddpm/model",
            {"kind": "diffusers", "id": "a/b", "revision": "main", "path": "here"},
        ),
        "experiments.cifar10-iddpm.model: give either path, a local folder, or id and revision",
    ),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_with_path_and_remedy(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    config = copy.deepcopy(CONFIG)
    change(config)
    with pytest.raises(InputError) as caught:
        check_config(config)
    assert message in str(caught.value)
    assert "mistake" in str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    "path", ["seed", "threads", "experiments/digits/sampling/steps", "experiments/digits/sampling/n_samples"]
)
def test_a_whole_number_with_a_point_is_an_integer(path: str) -> None:
    config = copy.deepcopy(CONFIG)
    part = config
    for key in path.split("/")[:-1]:
        part = part[key]
    last = path.split("/")[-1]
    part[last] = float(part[last])
    found = check_config(config)
    assert found == check_config(CONFIG)
    for key in path.split("/"):
        found = found[key]
    assert type(found) is int


def test_one_name_may_stand_for_two_methods_in_two_experiments() -> None:
    config = copy.deepcopy(CONFIG)
    config["experiments"]["digits-control"]["estimators"]["png"] = {
        **config["experiments"]["digits"]["estimators"]["flipd"],
        "items": ["overfit"],
    }
    check_config(config)


def test_all_mistakes_are_listed_at_once() -> None:
    config = copy.deepcopy(CONFIG)
    config["sead"] = 1
    config["threads"] = 0
    config["experiments"]["digits"]["estimators"]["flipd"]["t"] = -1
    config["run"] = ["digit"]
    with pytest.raises(InputError) as caught:
        check_config(config)
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 mistakes in the configuration:"
    assert len(lines) == 5


def schema_objects(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            found.append((path, schema))
        for key, inner in schema.items():
            found += schema_objects(inner, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            found += schema_objects(inner, f"{path}/{index}")
    return found


def test_every_schema_object_refuses_unknown_keys_and_describes_its_own() -> None:
    objects = schema_objects(schema())
    assert len(objects) > 20
    for path, one in objects:
        # A closed branch for each kind, or for each of the forms that a block may have.
        closed = one.get("additionalProperties", True) is not True or "allOf" in one or "anyOf" in one
        assert closed, path
        for key, value in one.get("properties", {}).items():
            assert value.get("description"), f"{path}/{key} has no description"


def test_every_key_of_the_configuration_is_explained() -> None:
    """A key is explained where it first occurs: by a comment on its line, or on the line above."""
    explained, named = set(), {*CONFIG["experiments"], *CONFIG["descriptors"], *CONFIG["sources"], "<<"}
    for entry in CONFIG["experiments"].values():
        named |= set(entry)
        for section in ("estimators", "figures", "image_sets", "prompt_lists"):
            named |= set(entry.get(section, {}))
        named |= set(entry.get("claims", {}).get("ratios", {}))
        named |= set(entry.get("attribution", {}).get("attributions", {}))
        named |= set(entry.get("rewriting", {}).get("choices", {}))
        named |= set(entry.get("combination", {}).get("fits", {}))
        named |= set(entry.get("accuracy", {}).get("estimators", {}))
    above, keys = "", set()
    for line in (ROOT / "config.yaml").read_text().splitlines():
        code, _, comment = line.partition("#")
        found = re.findall(r"(?<![\w.-])([A-Za-z_][\w.-]*):", code)
        keys |= set(found)
        if comment:
            explained |= set(found)
        explained |= set(found) & set(re.findall(r"\w+", above)) | (set(found[:1]) if above else set())
        above = comment if not code.strip() else ""
    assert keys - explained - named == set()
