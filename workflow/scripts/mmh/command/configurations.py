"""The configuration of an audit, as a YAML file that a person can read and edit."""

import json
from pathlib import Path

from mmh.command.budgets import Images, Prompts
from mmh.command.folders import Folder
from mmh.command.models_of_others import Found

EXPERIMENT = "audit"
_HEAD = """\
# Written by `mmh audit`. Edit what you like, and give the same command again: it goes on with this file.
# Every key is explained in the project's config.yaml and docs/configuration.md.
run: [audit]
seed: 0                    # of all random numbers
threads: 1                 # of each job; part of the results' bytes
offline: true              # nothing is fetched
"""

SSCD = "sscd.torchscript.pt"
_RETRIEVAL = """\
    retrieval:               # only the embeddings are computed
      descriptor: sscd
      preprocess: imagenet-288
      batch_size: 32
      shard_size: 1000
      top: 1
      neighbours: 1
      alpha: 0.5
      anchor: generated
      duplicates: once
"""


def images_config(
    model: Found, images: Folder, holdout: Folder | None, cut: Images, *, file: str, sscd: Path | None = None
) -> str:
    """Write the configuration of an audit of images.

    Parameters
    ----------
    model : Found
    images : Folder
    holdout : Folder or None
    cut : Images
    file : str
        Name of a model's single file, under `sources`.
    sscd : Path, optional
        A copy descriptor.

    Returns
    -------
    str
    """
    lines = [_HEAD]
    sources = {file: model.path} if model.kind == "stylegan2" else {}
    sources |= {SSCD: sscd} if sscd else {}
    lines += ["sources:\n", *(_entry(name, path) for name, path in sources.items())] if sources else []
    lines += [f"descriptors:\n  sscd: {{source: download, file: {SSCD}}}\n"] if sscd else []
    if model.kind == "stylegan2":
        described = f"{{kind: stylegan2, source: {_text(file)}}}"
        sampler = "truncation: 1.0, noise: const"
    else:
        described = f"{{kind: diffusers, path: {_text(model.path)}}}   # predicts {model.prediction}"
        sampler = f"steps: {cut.steps}"
    sampling = f"""\
    sampling:
      n_samples: {cut.samples}       # more samples see rarer copies
      shard_size: {cut.sample_shard}
      batch_size: {cut.batch}
      calibration: 0
"""
    sampling += "".join(f"      {line}\n" for line in sampler.split(", "))
    items = "[train, holdout]" if holdout else "[train]"
    scored = model.kind == "diffusers"
    lines.append(
        f"experiments:\n  {EXPERIMENT}:\n    data: {_folder(images)}\n    model: {described}\n{sampling}"
    )
    if holdout:
        lines.append("    image_sets:\n      holdout: {experiment: holdout, items: train}\n")
    if sscd:
        lines.append(_RETRIEVAL)
    k = max(2, min(100, images.n // 2))
    lines.append("    estimators:\n")
    if scored:
        lines.append(f"""\
      flipd:                 # LID_theta: low where the model has learned an image by heart
        method: flipd
        items: {items}
        t: 0.05              # noise level
        trace: {cut.probes}             # random probes of each image
        batch_size: {cut.batch}
        shard_size: {cut.image_shard}
""")
    lines.append(f"""\
      lpca:                  # LID_*: low where the images themselves vary little
        method: local-pca
        items: [train]
        k: {k}
        percentile: 10
        radius: knn
        bootstrap: 10
""")
    lines.append("    image_answer:\n")
    lines += ["      holdout: holdout\n"] if holdout else []
    lines += ["      model_estimator: flipd\n      data_estimator: lpca\n"] if scored else []
    lines.append("      neighbours: 50         # distinct images around an image\n")
    lines.append("      level: 0.05            # false discovery rate\n")
    if holdout:
        lines.append(
            "  holdout:                   # images that the model has not seen; only its data are read\n"
            f"    data: {_folder(holdout)}\n    model: {described}\n{sampling}"
        )
    return "".join(lines)


def prompts_config(
    model: Found,
    counts: dict[str, int],
    files: dict[str, Path],
    cut: Prompts,
    *,
    edited: bool,
    lora: Path | None = None,
) -> str:
    """Write the configuration of an audit of prompts.

    Parameters
    ----------
    model : Found
    counts : dict of str to int
        Prompts of each set, `asked` and perhaps `control`.
    files : dict of str to path
        The list of each set.
    cut : Prompts
    edited : bool
        Whether the control prompts were made from those asked about.
    lora : path, optional
        Merged into the model's weights.

    Returns
    -------
    str
    """
    lists = "".join(f"      {name}: {{file: {path.name}}}\n" for name, path in files.items())
    sets = ", ".join(f"{name}: {n}" for name, n in counts.items())
    described = f" {{kind: diffusers, path: {_text(model.path)}}}   # predicts {model.prediction}\n"
    if lora:
        described = (
            f"\n      kind: diffusers\n      path: {_text(model.path)}   # predicts {model.prediction}\n"
            f"      lora: {_text(lora)}   # merged into the weights\n"
            "      lora_scale: 1.0        # its strength\n"
        )
    control = f"      control: control\n      edited: {str(edited).lower()}\n" if "control" in counts else ""
    return (
        _HEAD
        + "sources:\n"
        + "".join(_entry(path.name, path) for path in files.values())
        + f"""\
experiments:
  {EXPERIMENT}:
    data: {{world: none}}
    model:{described.rstrip()}
    latents:
      dtype: float32
      attention_slicing: false
      vae_tiling: false
      batch_size: {min(8, cut.batch)}
      shard_size: 500
    prompt_lists:
{lists}\
    prompts:
      sets: {{{sets}}}
      generations: {cut.generations}         # images of each prompt
      steps: {cut.steps}
      guidance: 7.5
      metrics: [cfg_norm]
      batch_size: {cut.batch}
      shard_size: {cut.shard}
    prompt_answer:
      asked: asked
{control}\
      metric: cfg_norm
      level: 0.05            # false discovery rate
"""
    )


def _folder(folder: Folder) -> str:
    return (
        f"{{world: images, path: {_text(folder.path)}, n_train: {folder.n}, size: {folder.size}, "
        f"channels: {folder.channels}}}"
    )


def _entry(name: str, path: Path) -> str:
    return (
        f"  {name}: "
        f"{{urls: [{_text(path.as_uri())}], sha256: null, bytes: null, licence: your own, page: here}}\n"
    )


def _text(value: Path | str) -> str:
    """A path as YAML: JSON's strings are YAML's."""
    return json.dumps(str(value), ensure_ascii=False)
