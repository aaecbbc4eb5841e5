"""Mistakes in the sections of text-to-image experiments, each named with its path and what is allowed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from test_config import CONFIG, remove, set_to

from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.worlds.base import WORLDS

WORLD, LISTS = "experiments/digits-text", "experiments/stable-diffusion"
WORDED = "experiments/digits-captions"
SHARED = "experiments/digits-shared"


def add(path: str, values: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for key in path.split("/"):
            config = config[key]
        config |= values

    return change


def mitigated(*changes: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """A well-formed section `mitigation`, with changes."""

    def change(config: dict[str, Any]) -> None:
        named: dict[str, Any] = {"none": {"method": "none"}, "sail": {"method": "sail"}}
        section = {"sets": {"memorized": 32}, "tune": 8, "generations": 2, "batch_size": 8, "shard_size": 32}
        add(WORLD, {"mitigation": {**section, "mitigations": named}})(config)
        for one in changes:
            one(config)

    return change


def elsewhere(config: dict[str, Any]) -> None:
    """The section `rewriting` in a world whose words nobody knows."""
    section = config["experiments"]["digits-captions"]["rewriting"]
    choices = {"random": {"method": "random"}, "key": {"method": "key-first"}}
    add(WORLD, {"rewriting": {**section, "choices": choices}})(config)


SAMPLER = {"n_samples": 8, "shard_size": 8, "batch_size": 8, "calibration": 0, "steps": 5}

CASES = {
    "no samples of a model that is no text-to-image model": (
        remove("experiments/digits-control/sampling"),
        "experiments.digits-control.sampling: missing; an experiment on the world 'digits-control' needs samples",
    ),
    "a model that does not fit the captioned digits": (
        set_to(f"{WORLD}/model", {"kind": "diffusers", "path": "there"}),
        "experiments.digits-text.model.kind: 'diffusers' does not fit the world digits-text; use 'text-to-image'",
    ),
    "the same where samples are asked for": (
        lambda config: (
            set_to(f"{WORLD}/model", {"kind": "diffusers", "path": "there"})(config),
            add(WORLD, {"sampling": SAMPLER})(config),
        ),
        "experiments.digits-text.model.kind: 'diffusers' does not fit the world digits-text; use 'text-to-image'",
    ),
    "training without a training set": (
        set_to(f"{LISTS}/model", CONFIG["experiments"]["digits-text"]["model"]),
        "experiments.stable-diffusion.model.kind: 'text-to-image' does not fit the world none; use 'diffusers'",
    ),
    "a folder and a repository": (
        add(f"{LISTS}/model", {"path": "there"}),
        "experiments.stable-diffusion.model: give either path, a local folder, or id and revision",
    ),
    "a repository without a revision": (
        remove(f"{LISTS}/model/revision"),
        "experiments.stable-diffusion.model.revision: a repository needs one (a commit pins it), a local folder "
        "has none",
    ),
    "a folder with a revision": (
        set_to(f"{LISTS}/model", {"kind": "diffusers", "path": "there", "revision": "main"}),
        "experiments.stable-diffusion.model.revision: a repository needs one (a commit pins it), a local folder "
        "has none",
    ),
    "an image set that the world does not have": (
        add(f"{WORLD}/image_sets", {"unseen": {"world": "digits-text"}}),
        "experiments.digits-text.image_sets.unseen: the world digits-text has no such set; it has memorized, "
        "control, generic",
    ),
    "an image set of a world that is not there": (
        add(f"{LISTS}/image_sets", {"memorized": {"world": "digits-text"}}),
        "experiments.stable-diffusion.image_sets.memorized: the world none has no such set; it has none",
    ),
    "an image set of another world": (
        set_to(f"{WORLD}/image_sets/control/world", "digits"),
        "experiments.digits-text.image_sets.control.world: 'digits' is not this experiment's world, 'digits-text'",
    ),
    "an image set of no kind": (
        add(f"{LISTS}/image_sets", {"memorized": {"n": 3}}),
        "experiments.stable-diffusion.image_sets.memorized.files: missing",
    ),
    "an image set by files with a misspelt key": (
        set_to(f"{LISTS}/image_sets/coco/placeholder", 3),
        "image_sets.coco.placeholder: unknown key (did you mean 'placeholders'?)",
    ),
    "an unknown aspect": (
        set_to(f"{LISTS}/image_sets/coco/aspect", "squish"),
        "image_sets.coco.aspect: 'squish' is not allowed (did you mean 'squash'?)",
    ),
    "a list that is not under sources": (
        set_to(f"{LISTS}/image_sets/coco/files", ["coco_2017_url.parquet"]),
        "experiments.stable-diffusion.image_sets.coco.files: a list names the file 'coco_2017_url.parquet', which is "
        "not under sources "
        "(did you mean 'coco_2017_url_text.parquet'?)",
    ),
    "prompts that are not under sources": (
        set_to(f"{LISTS}/prompt_lists/other/file", "sd1_none.txt"),
        "experiments.stable-diffusion.prompt_lists.other.file: there is no file 'sd1_none.txt' under sources",
    ),
    "image sets without latents": (
        remove(f"{WORLD}/latents"),
        "experiments.digits-text.latents: missing; image sets with captions are encoded as it says",
    ),
    "an estimator for other models": (
        add(f"{WORLD}/estimators", {"simple": {"method": "png", "items": ["memorized"]}}),
        "experiments.digits-text.estimators.simple.method: 'png' is not for text-to-image models; use ",
    ),
    "images without captions": (
        set_to(f"{WORLD}/estimators/cfg_norm/items", ["train"]),
        "experiments.digits-text.estimators.cfg_norm.items: 'train' has no captions; use one of control, generic, "
        "memorized",
    ),
    "FLIPD that does not say of which density": (
        remove(f"{WORLD}/estimators/flipd/condition"),
        "experiments.digits-text.estimators.flipd.condition: missing; caption for LID given the caption, empty for "
        "LID without",
    ),
    "a curve on images with captions": (
        set_to(f"{WORLD}/estimators/flipd/t", [0.05, 0.1]),
        "experiments.digits-text.estimators.flipd.t: a list is for curves on samples; give one noise level",
    ),
    "prompts that the world does not have": (
        set_to(f"{WORLD}/prompts/sets", {"memorized": 64, "unseen": 3}),
        "experiments.digits-text.prompts.sets.unseen: no such list of prompts; there are control, generic, memorized",
    ),
    "prompts of no list": (
        set_to(f"{LISTS}/prompts/sets", {"memorized": 500, "others": 500}),
        "experiments.stable-diffusion.prompts.sets.others: no such list of prompts; there are memorized, other",
    ),
    "more prompts than the world has": (
        set_to(f"{WORLD}/prompts/sets/control", 65),
        "experiments.digits-text.prompts.sets.control: 65 prompts where the world has 64; all are scored",
    ),
    "more generic prompts than the world has": (
        set_to(f"{WORLD}/prompts/sets/generic", 65),
        "experiments.digits-text.prompts.sets.generic: 65 prompts where the world has 64; all are scored",
    ),
    "training images of prompts in no image set": (
        set_to(f"{LISTS}/prompts/images", "laion"),
        "experiments.stable-diffusion.prompts.images: 'laion' holds no training images; use an image set",
    ),
    "a training set that is not at hand": (
        set_to(f"{LISTS}/prompts/images", "train"),
        "experiments.stable-diffusion.prompts.images: 'train' holds no training images; use an image set",
    ),
    "lists of prompts beside those of the world": (
        add(WORLD, {"prompt_lists": {"memorized": {"file": "sd1_mem.txt"}}}),
        "experiments.digits-text.prompt_lists: the world digits-text has prompts of its own; remove the lists",
    ),
    "neither addresses nor images": (
        remove(f"{LISTS}/image_sets/coco/columns/url"),
        "experiments.stable-diffusion.image_sets.coco.columns: name one of url (addresses) and image (the "
        "images)",
    ),
    "addresses and images": (
        add(f"{LISTS}/image_sets/coco/columns", {"image": "image"}),
        "experiments.stable-diffusion.image_sets.coco.columns: name one of url (addresses)",
    ),
    "an average over more generations than there are": (
        set_to(f"{WORLD}/detection/prompts/generations", [1, 4, 9]),
        "experiments.digits-text.detection.prompts.generations: 9, but prompts.generations is 7",
    ),
    "an average over more steps than there are": (
        set_to(f"{LISTS}/prompts/steps", 4),
        "experiments.stable-diffusion.detection.prompts.steps: 5, but prompts.steps is 4",
    ),
    "a metric that nobody knows": (
        set_to(f"{WORLD}/prompts/metrics", ["flipd", "cfg_nrom"]),
        "experiments.digits-text.prompts.metrics: there is no metric of prompts 'cfg_nrom'; there are ",
    ),
    "a metric that nobody knows, with options": (
        set_to(f"{WORLD}/prompts/metrics", {"cfg_nrom": {}}),
        "experiments.digits-text.prompts.metrics.cfg_nrom: unknown key (did you mean 'cfg_norm'?)",
    ),
    "an option of a metric out of its range": (
        set_to(f"{WORLD}/prompts/metrics", {"flipd": {"trace": 0}}),
        "experiments.digits-text.prompts.metrics.flipd.trace: 0 is not allowed: exact, auto",
    ),
    "a curve of a metric that is not taken": (
        set_to(f"{WORLD}/prompts/metrics", ["cfg_norm"]),
        "experiments.digits-text.figures.prompt_detection.curves: 'flipd.low.n4', but prompts.metrics has no 'flipd'",
    ),
    "an unknown descriptor of the generations": (
        set_to(f"{LISTS}/prompts/descriptor", "sscd"),
        "experiments.stable-diffusion.prompts.descriptor: there is no descriptor 'sscd'",
    ),
    "a contrast with an unknown image set": (
        set_to(f"{WORLD}/detection/images/pairs", [["memorized", "train"]]),
        "experiments.digits-text.detection.images.pairs: there is no set 'train'; there are control, generic, "
        "memorized",
    ),
    "a contrast of prompts that are not sampled": (
        set_to(f"{WORLD}/detection/prompts/pairs", [["memorized", "generic"]]),
        "experiments.digits-text.detection.prompts.pairs: there is no set 'generic'; there are control, memorized",
    ),
    "an audit of an unknown list": (
        set_to(f"{LISTS}/prompt_audit/pairs", [["memorized", "control"]]),
        "experiments.stable-diffusion.prompt_audit.pairs: there is no set 'control'; there are memorized, other",
    ),
    "a figure of an unknown image set": (
        set_to(f"{WORLD}/figures/complexity/sets", ["memorized", "other"]),
        "experiments.digits-text.figures.complexity.sets: there is no image set 'other'",
    ),
    "an audit without any list": (
        remove(f"{LISTS}/prompt_lists"),
        "experiments.stable-diffusion.prompt_audit.pairs: there is no set 'memorized'; there are none",
    ),
    "a contrast of images that are not scored": (
        set_to(f"{WORLD}/estimators/decoded_png/items", ["memorized", "control"]),
        "experiments.digits-text.detection.images: 'decoded_png' is not computed on 'generic'; add it to its items",
    ),
    "a figure of images that are not scored": (
        set_to(f"{WORLD}/estimators/guided_norm/items", ["memorized", "generic"]),
        "experiments.digits-text.figures.score_norms: 'guided_norm' is not computed on 'control'",
    ),
    "a walk among images that are not there": (
        set_to(f"{WORLD}/figures/manifold_walk/items", "train"),
        "experiments.digits-text.figures.manifold_walk.items: there is no image set 'train'",
    ),
    "a walk by prompts that are not sampled": (
        set_to(f"{WORLD}/figures/manifold_walk/prompt_set", "generic"),
        "experiments.digits-text.figures.manifold_walk.prompt_set: no prompts 'generic'; there are control, memorized",
    ),
    "curves of prompts that are not compared": (
        set_to(f"{WORLD}/figures/prompt_detection/pair", ["memorized", "generic"]),
        "experiments.digits-text.figures.prompt_detection.pair: ['memorized', 'generic'] is not among "
        "detection.prompts.pairs",
    ),
    "a curve over generations that are not averaged": (
        set_to(f"{WORLD}/figures/prompt_detection/curves", ["flipd.low.n2", "text_ngrams"]),
        "experiments.digits-text.figures.prompt_detection.curves: 'flipd.low.n2', but detection.prompts.generations "
        "has no 2",
    ),
    "a curve at a first step that is not looked at": (
        set_to(f"{LISTS}/detection/prompts/steps", [5]),
        "experiments.stable-diffusion.figures.prompt_detection.curves: 'cfg_norm.first.n1', but "
        "detection.prompts.steps has no 1",
    ),
    "an anchor over steps that are not averaged": (
        set_to(f"{LISTS}/detection/prompts/steps", [1]),
        "experiments.stable-diffusion.figures.prompt_detection.anchors: 'cfg_norm.first5.n4', but "
        "detection.prompts.steps has no 5",
    ),
    "claims about an unknown image set": (
        remove(f"{LISTS}/claims/positive_set"),
        "experiments.stable-diffusion.claims.positive_set: there is no image set 'memorized'; there are coco, "
        "laion-aesthetics, laion-memorized, tuxemon",
    ),
    "large values of what is not evaluated": (
        set_to(f"{WORLD}/detection/images/large", ["cfg_difference"]),
        "experiments.digits-text.detection.images.large: 'cfg_difference' is not among its estimators",
    ),
    "a figure of an unknown estimator": (
        set_to(f"{WORLD}/figures/score_norms/guided", "guided_nrom"),
        "experiments.digits-text.figures.score_norms.guided: there is no estimator 'guided_nrom' (did you mean "
        "'guided_norm'?)",
    ),
    "a detector that is no estimator": (
        set_to(f"{WORLD}/detection/images/large", ["cfg"]),
        "experiments.digits-text.detection.images.large: there is no estimator 'cfg'",
    ),
    "a claim that names no estimator": (
        set_to(f"{WORLD}/claims/complexity", "png"),
        "experiments.digits-text.claims.complexity: there is no estimator 'png'",
    ),
    "a figure of prompts where none are sampled": (
        remove(f"{WORLD}/prompts"),
        "experiments.digits-text.figures.prompt_detection: needs the section 'prompts'",
    ),
    "a mitigation that nobody knows": (
        mitigated(set_to(f"{WORLD}/mitigation/mitigations/sail/method", "sial")),
        "experiments.digits-text.mitigation.mitigations.sail.method: 'sial' is not allowed (did you mean 'sail'?)",
    ),
    "a search that tries no noise": (
        mitigated(add(f"{WORLD}/mitigation/mitigations/sail", {"budget": 0})),
        "experiments.digits-text.mitigation.mitigations.sail.budget: 0 is out of range, expected >= 1",
    ),
    "a mode of SAIL that is not there": (
        mitigated(add(f"{WORLD}/mitigation/mitigations/sail", {"mode": "exact"})),
        "experiments.digits-text.mitigation.mitigations.sail.mode: 'exact' is not allowed",
    ),
    "mitigations where there is no guidance": (
        mitigated(set_to(f"{WORLD}/prompts/guidance", 1)),
        "experiments.digits-text.mitigation: prompts.guidance is 1, so there is no guidance to change; mitigations "
        "need a scale above 1",
    ),
    "mitigations without what they are compared with": (
        mitigated(remove(f"{WORLD}/mitigation/mitigations/none")),
        "experiments.digits-text.mitigation.mitigations: needs one of method none to compare with, has 0",
    ),
    "mitigations on prompts that are not sampled": (
        mitigated(set_to(f"{WORLD}/mitigation/sets", {"generic": 8})),
        "experiments.digits-text.mitigation.sets.generic: prompts.sets has no such set; it has control, memorized",
    ),
    "mitigations on more prompts than are sampled": (
        mitigated(set_to(f"{WORLD}/mitigation/sets/memorized", 65)),
        "experiments.digits-text.mitigation.sets.memorized: 65 prompts where prompts.sets has 64",
    ),
    "no prompts left to evaluate": (
        mitigated(set_to(f"{WORLD}/mitigation/tune", 32)),
        "experiments.digits-text.mitigation.tune: 32 leaves none of the 32 prompts of 'memorized' to evaluate",
    ),
    "mitigations without prompts": (
        mitigated(remove(f"{WORLD}/prompts")),
        "experiments.digits-text.mitigation: needs the section 'prompts'",
    ),
    "a figure of mitigations by a CLIP that is not trained": (
        mitigated(
            remove(f"{WORLD}/clip"),
            add(
                f"{WORLD}/figures", {"sail": {"sets": ["memorized"], "kept": "clip", "mitigations": ["sial"]}}
            ),
        ),
        "experiments.digits-text.figures.sail.kept: clip needs the section 'clip', which this experiment lacks",
    ),
    "a figure of a mitigation that is not there": (
        mitigated(add(f"{WORLD}/figures", {"sail": {"sets": ["memorized"], "mitigations": ["sial"]}})),
        "experiments.digits-text.figures.sail.mitigations: there is no mitigation 'sial' (did you mean 'sail'?)",
    ),
    "a claim about a mitigation of another method": (
        mitigated(add(f"{WORLD}/claims", {"check": ["sail"], "sails": ["none"]})),
        "experiments.digits-text.claims.sails: 'none' is of method 'none', not sail",
    ),
    "a claim about a mitigation that is not there": (
        mitigated(add(f"{WORLD}/claims", {"check": ["sail-redraw"]})),
        "experiments.digits-text.claims.redraw: there is no mitigation 'redraw'",
    ),
    "a claim about mitigations without any": (
        add(f"{WORLD}/claims", {"check": ["sail"]}),
        "experiments.digits-text.claims.sail: needs the section 'mitigation'",
    ),
    "attacks on a mitigation that is not there": (
        set_to(f"{SHARED}/re_elicitation/mitigations", ["none", "gate"]),
        "experiments.digits-shared.re_elicitation.mitigations: there is no mitigation 'gate' (did you mean 'gated'?)",
    ),
    "attacks whose budgets do not begin at nothing": (
        set_to(f"{SHARED}/re_elicitation/budgets", [1, 10]),
        "experiments.digits-shared.re_elicitation.budgets: must begin with 0 and rise, are [1, 10]",
    ),
    "attacks on prompts that options were chosen on": (
        add(f"{SHARED}/mitigation", {"tune": 8}),
        "experiments.digits-shared.re_elicitation.sets.memorized: 48 prompts after the 8 of mitigation.tune, where "
        "prompts.sets has 48",
    ),
    "attacks without a level of chance": (
        set_to(f"{SHARED}/re_elicitation/control", "generic"),
        "experiments.digits-shared.re_elicitation.control: 'generic' is not in sets; the level of chance is its",
    ),
    "attacks without mitigations": (
        remove(f"{SHARED}/mitigation"),
        "experiments.digits-shared.re_elicitation: needs the section 'mitigation'",
    ),
    "a figure of attacks that are not made": (
        add(SHARED, {"figures": {"re_elicitation": {"mitigations": ["pushed"]}}}),
        "experiments.digits-shared.figures.re_elicitation.mitigations: 'pushed' is not under re_elicitation",
    ),
    "examples of rewritings that are not made": (
        add(WORDED, {"figures": {"mitigation_examples": {"prompts": [64], "choices": ["cgf"], "k": 5}}}),
        "experiments.digits-captions.figures.mitigation_examples.choices: there is no choice 'cgf' (did you mean",
    ),
    "a claim of parity with a choice that is not there": (
        set_to(f"{WORDED}/claims/on_par", {"flipt": "cfg"}),
        "experiments.digits-captions.claims.on_par: there is no choice 'flipt' (did you mean 'flipd'?)",
    ),
    "a claim about an attribution without a level": (
        set_to(f"{WORDED}/claims/agreeing", ["cfg", "rarest"]),
        "experiments.digits-captions.claims.agreeing: 'rarest' has no gradient, and so no level; name one that has",
    ),
    "a claim about the complexity of a mitigation that is not there": (
        add(f"{SHARED}", {"claims": {"check": ["15"], "optimised": ["week"]}}),
        "experiments.digits-shared.claims.optimised: there is no mitigation 'week' (did you mean 'weak'?)",
    ),
    "words by an attribution that nobody knows": (
        set_to(f"{WORDED}/rewriting/choices/cfg/attribution", "cgf"),
        "experiments.digits-captions.rewriting.choices.cfg.attribution: there is no attribution 'cgf' (did you mean "
        "'cfg'?)",
    ),
    "words by an attribution at a level that it is not taken at": (
        set_to(f"{WORDED}/attribution/levels", ["output"]),
        "experiments.digits-captions.rewriting.choices.cfg_input.level: attribution.levels has no 'input'; add it",
    ),
    "words of prompts that are not attributed": (
        set_to(f"{WORDED}/rewriting/sets/control", 33),
        "experiments.digits-captions.rewriting.choices.cfg: 33 prompts of 'control', of which attribution.sets has 32",
    ),
    "words by attribution without any": (
        remove(f"{WORDED}/attribution"),
        "experiments.digits-captions.rewriting.choices.cfg: needs the section 'attribution', which this experiment",
    ),
    "a choice that nobody knows": (
        set_to(f"{WORDED}/rewriting/choices/rta/method", "random-token"),
        "experiments.digits-captions.rewriting.choices.rta.method: 'random-token' is not allowed (did you mean "
        "'random-tokens'?)",
    ),
    "choices without what they are compared with": (
        remove(f"{WORDED}/rewriting/choices/random"),
        "experiments.digits-captions.rewriting.choices: needs one of method random to compare with, has 0",
    ),
    "a choice with the name of prompts as they are": (
        add(f"{WORDED}/rewriting/choices", {"none": {"method": "repeated-word"}}),
        "experiments.digits-captions.rewriting.choices.none: stands for prompts that are not rewritten; use another",
    ),
    "words that nothing replaces": (
        remove(f"{WORDED}/rewriting/rewriter"),
        "experiments.digits-captions.rewriting.rewriter: missing; choices that name words need one, such as lexicon",
    ),
    "a rewriter without its model": (
        set_to(f"{WORDED}/rewriting/rewriter", {"method": "openai", "base_url": "http://localhost:8000/v1"}),
        "experiments.digits-captions.rewriting.rewriter.model: missing; name of the model",
    ),
    "a rewriter whose table is not there": (
        set_to(f"{WORDED}/rewriting/rewriter", {"method": "table", "file": "mine.csv"}),
        "experiments.digits-captions.rewriting.rewriter.file: no file mine.csv; a CSV with text, replaced, rewrite",
    ),
    "no words to replace": (
        set_to(f"{WORDED}/rewriting/k", [0, 1]),
        "experiments.digits-captions.rewriting.k.0: 0 is out of range, expected >= 1",
    ),
    "a meaning that nothing reads": (
        lambda config: [set_to(f"{WORDED}/rewriting/meaning", 0.5)(config), remove(f"{WORDED}/clip")(config)],
        "experiments.digits-captions.rewriting.meaning: needs the section 'clip', which this experiment lacks",
    ),
    "a descent that is no mitigation": (
        set_to(f"{WORDED}/optimisation/mitigations", ["wenn"]),
        "experiments.digits-captions.optimisation.mitigations: there is no mitigation 'wenn' (did you mean 'wen'?)",
    ),
    "a mitigation that is no descent": (
        set_to(f"{WORDED}/optimisation/mitigations", ["gated"]),
        "experiments.digits-captions.optimisation.mitigations: 'gated' optimises no embedded prompt; name one that",
    ),
    "iterations that do not ascend": (
        set_to(f"{WORDED}/optimisation/at", [10, 0]),
        "experiments.digits-captions.optimisation.at: [10, 0] must begin with 0 and ascend",
    ),
    "a held step that is not taken": (
        set_to(f"{WORDED}/mitigation/mitigations/wen/step", 51),
        "experiments.digits-captions.mitigation.mitigations.wen.step: 51 is beyond the 50 steps of prompts.steps",
    ),
    "a figure of a descent of prompts that are not there": (
        add(WORDED, {"figures": {"embedding_optimisation": {"prompts": [3, 40]}}}),
        "experiments.digits-captions.figures.embedding_optimisation.prompts: 40 is not among the 32 prompts of",
    ),
    "rewriting on more prompts than are sampled": (
        set_to(f"{WORDED}/rewriting/sets", {"memorized": 65, "generic": 8}),
        "experiments.digits-captions.rewriting.sets.memorized: 65 prompts where prompts.sets has 64",
    ),
    "rewriting without training images to compare with": (
        lambda config: (
            [config["experiments"]["digits-captions"]["prompts"].pop(k) for k in ("images", "descriptor")]
            and config["experiments"]["digits-captions"]["prompts"].pop("preprocess")
        ),
        "experiments.digits-captions.prompts.images: missing; mitigation, rewriting and manifold_walk compare",
    ),
    "a lexicon of words of another world": (
        elsewhere,
        "experiments.digits-text.rewriting.rewriter.method: lexicon knows the words of digits-captions, not those of",
    ),
    "planted words of a world that does not say which": (
        elsewhere,
        "experiments.digits-text.rewriting.choices.key: the world digits-text does not say which words are planted",
    ),
    "a figure of choices that cannot be told apart": (
        add(WORDED, {"figures": {"mitigation_curve": {"choices": [], "sets": ["memorized", "control"]}}}),
        "experiments.digits-captions.figures.mitigation_curve.choices: 10 cannot be told apart; name at most 9",
    ),
    "a figure of a choice that is not there": (
        add(WORDED, {"figures": {"mitigation_curve": {"choices": ["rat"]}}}),
        "experiments.digits-captions.figures.mitigation_curve.choices: there is no choice 'rat' (did you mean 'rta'?)",
    ),
    "a claim about a choice that is not there": (
        add(WORDED, {"claims": {"check": ["12a"], "rewrites": ["cfg", "flopd"]}}),
        "experiments.digits-captions.claims.rewrites: there is no choice 'flopd' (did you mean 'flipd'?)",
    ),
    "a claim that takes another choice for the random one": (
        add(WORDED, {"claims": {"check": ["12b"], "at_random": "cwr"}}),
        "experiments.digits-captions.claims.at_random: 'cwr' is of method 'repeated-word', not random",
    ),
    "a claim without its evaluation": (
        remove(f"{WORLD}/detection"),
        "experiments.digits-text.claims.10: needs the section 'detection'",
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


def test_a_captioned_world_of_ones_own_has_image_sets_and_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    own = type("Own", (WORLDS["digits-text"],), {"name": "own-text"})
    monkeypatch.setattr(WORLDS, "_rows", {**WORLDS.rows(), "own-text": own})
    config = copy.deepcopy(CONFIG)
    entry = config["experiments"]["digits-text"]
    for block in (entry["data"], *entry["image_sets"].values()):
        block["world"] = "own-text"
    check_config(config)
    entry["image_sets"]["control"]["world"] = "digits-text"
    with pytest.raises(InputError, match="'digits-text' is not this experiment's world, 'own-text'"):
        check_config(config)


BATCHES = (
    "latents",
    "prompts",
    *(f"estimators/{name}" for name in ("flipd", "cfg_norm", "guided_norm", "decoded_png")),
)


@pytest.mark.parametrize("section", BATCHES)
def test_a_batch_may_be_what_fits(section: str) -> None:
    config = copy.deepcopy(CONFIG)
    set_to(f"{LISTS}/{section}/batch_size", "auto")(config)
    check_config(config)
    set_to(f"{LISTS}/{section}/batch_size", "automatic")(config)
    with pytest.raises(InputError, match=r"batch_size: .*integer >= 1.*auto"):
        check_config(config)
