"""`mmh audit`: look at what was given, write the configuration, run it, and say the answer."""

import json
import shutil
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from mmh.command import running
from mmh.command.budgets import images_within, prompts_within
from mmh.command.configurations import EXPERIMENT, images_config, prompts_config
from mmh.command.folders import Folder, check_together, look_at_images
from mmh.command.lists import read_captions, read_prompt_file, shuffled
from mmh.command.models_of_others import Found, look_at_model
from mmh.errors import InputError
from mmh.models.latent.lora import check_lora
from mmh.plan.status import last_error

FEWEST_HELD = 5
"""Hold-out images, or control prompts, that make a null."""


def audit(asked: Namespace) -> int:
    """Audit a model.

    Parameters
    ----------
    asked : Namespace
        Of the parser.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If what was given cannot be audited: one line, before anything is sampled.
    """
    out = Path(asked.out).resolve()
    request = {key: _absolute(getattr(asked, key)) for key in ("model", "images", "prompts", "captioned")}
    request |= {key: _absolute(getattr(asked, key)) for key in ("holdout", "control", "sscd", "lora")}
    request["budget"] = asked.budget
    known = out / "audit.json"
    if known.is_file() and (out / "config.yaml").is_file():
        _same_request(json.loads(known.read_text(encoding="utf-8")), request, asked.out)
        print(f"going on with {out / 'config.yaml'}")
    else:
        config = _prepared(asked, request, out)
        out.mkdir(parents=True, exist_ok=True)
        (out / "config.yaml").write_text(config, encoding="utf-8")
        known.write_text(json.dumps(request, indent=1) + "\n", encoding="utf-8")
        print(f"the whole configuration, to read and to edit: {out / 'config.yaml'}")
    if asked.dry_run:
        return 0
    return _run(asked, out)


def _run(asked: Namespace, out: Path) -> int:
    target = f"results/{EXPERIMENT}/audit.html"
    began = time.time()
    failed = running.unlocked(out) or running.snakemake(
        [target], cores=asked.cores, profile=asked.profile, folder=out, quiet=True
    )
    if failed:
        for log in sorted((out / "logs").rglob("*.log")):
            if log.stat().st_mtime >= began and (said := last_error(log)):
                print(f"error: {said}", file=sys.stderr)
        print(f"the audit did not end; logs are in {out / 'logs'}. Give the same command again to go on.")
        return failed
    page, answer = out / "audit.html", json.loads((out / f"{target}.json").read_text(encoding="utf-8"))
    for name in ("audit.html", "audit.csv"):
        shutil.copyfile((out / target).with_name(name), out / name)
    print(f"\n{answer['answer']}\n\npage   {page}\ntable  {out / 'audit.csv'}")
    return 0


def _prepared(asked: Namespace, request: dict[str, Any], out: Path) -> str:
    """Check everything that was given, say what is assumed, and give the configuration."""
    given = [key for key in ("images", "prompts", "captioned") if request[key]]
    if len(given) != 1:
        raise InputError(
            "give one of --images DIR, --prompts FILE and --captioned DIR: what the audit is about"
        )
    model = look_at_model(Path(request["model"]))
    if request["lora"]:
        if not model.prompts:
            raise InputError(
                f"--lora {request['lora']}: changes text-to-image models; {model.path} takes no prompts"
            )
        layers = check_lora(Path(request["lora"]), model.path, "--lora ")
        print(f"LoRA {request['lora']}: {len(layers)} layers of the model are changed")
    if given[0] == "images":
        return _images(asked, request, out, model)
    return _prompts(asked, request, out, model, captioned=given[0] == "captioned")


def _images(asked: Namespace, request: dict[str, Any], out: Path, model: Found) -> str:
    if request["control"]:
        raise InputError("--control: is for prompts; hold-out images are given by --holdout DIR")
    images = check_together(model, look_at_images(Path(request["images"]), "--images"))
    holdout: Folder | None = None
    if request["holdout"]:
        held = look_at_images(Path(request["holdout"]), "--holdout", FEWEST_HELD)
        holdout = check_together(model, held, "--holdout")
        if holdout.size != images.size:
            raise InputError(
                f"--holdout {holdout.path}: pictures of {holdout.size} pixels, --images of {images.size}"
            )
    cut = images_within(
        asked.budget, model, images, holdout.n if holdout else 0, _cores(asked.cores), gpu=bool(asked.profile)
    )
    sscd = _descriptor(request["sscd"])
    dim = images.channels * images.size**2
    _check_space(out, (2 * cut.samples * 4 + 8 * images.n) * dim / 1e6 + model.mb)
    print(
        f"budget {asked.budget}: about {cut.minutes:.0f} minutes: {cut.samples} samples of {images.size} x "
        f"{images.size}, {images.n} images"
        + (
            f", {holdout.n} hold-out images"
            if holdout
            else ", no hold-out images (--holdout DIR: better tests)"
        )
    )
    found = f"copies are looked for by {sscd}, too" if sscd else "no copy descriptor is used (--sscd FILE)"
    print(f"assumed: {_assumed(model)}; samples are compared by calibrated l2, {found}")
    if sscd:
        print("embeddings take about half a second of a processor more, for each picture and sample")
    return images_config(model, images, holdout, cut, file="model.pkl", sscd=sscd)


def _descriptor(given: str | None) -> Path | None:
    """The SSCD file that was given, or that lies in the checkout."""
    folders = [running.ROOT / "resources" / name for name in ("drop", "downloads")]
    files = [Path(given)] if given else [folder / "sscd_disc_mixup.torchscript.pt" for folder in folders]
    there = [file for file in files if file.is_file()]
    if given and not there:
        raise InputError(f"--sscd {given}: no such file; fetch sscd_disc_mixup.torchscript.pt (docs/data.md)")
    return there[0] if there else None


def _prompts(asked: Namespace, request: dict[str, Any], out: Path, model: Found, *, captioned: bool) -> str:
    if not model.prompts:
        raise InputError(f"--model {model.path}: takes no prompts; ask it about pictures (--images DIR)")
    if request["holdout"]:
        raise InputError("--holdout: is for images; control prompts are given by --control FILE")
    if captioned:
        mine = read_captions(Path(request["captioned"]))
    else:
        mine = read_prompt_file(Path(request["prompts"]), "--prompts")
    control = (
        read_prompt_file(Path(request["control"]), "--control", FEWEST_HELD) if request["control"] else []
    )
    edited = not control
    control = control or shuffled(mine)
    lists = {"asked": mine} | ({"control": control} if control else {})
    counts = {name: len(texts) for name, texts in lists.items()}
    cut = prompts_within(asked.budget, model, counts, _cores(asked.cores), gpu=bool(asked.profile))
    _check_space(out, sum(counts.values()) * cut.generations * (model.size or 512) ** 2 * 4e-6 + model.mb)
    folder, files = out / "resources" / "prompts", {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, texts in lists.items():
        files[name] = folder / f"{name}.json"
        files[name].write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    how = "made from yours by shuffling words (--control FILE: better tests)" if edited else "given"
    print(
        f"budget {asked.budget}: about {cut.minutes:.0f} minutes: {len(mine)} prompts, {cut.generations} "
        f"generations of each; {len(control)} control prompts, {how}"
    )
    print(f"assumed: {_assumed(model)}; guidance 7.5, {cut.steps} DDIM steps")
    lora = Path(request["lora"]) if request["lora"] else None
    return prompts_config(model, counts, files, cut, edited=edited and bool(control), lora=lora)


def _assumed(model: Found) -> str:
    if model.kind == "stylegan2":
        return f"a StyleGAN2-ADA pickle, {model.size} x {model.size}, {model.channels} channels"
    size = f"{model.size} x {model.size}, " if model.size else ""
    classes = f", {model.classes} classes" if model.classes else ""
    drawn = f"{size}{model.channels} channels{classes}"
    return f"a diffusers model, {drawn}, its network predicts {model.prediction}"


def _check_space(out: Path, mb: float) -> None:
    there = next(folder for folder in (out, *out.parents) if folder.exists())
    free = shutil.disk_usage(there).free / 1e6
    if free < mb + 100:
        raise InputError(f"--out {out}: needs {mb + 100:.0f} MB, {free:.0f} MB are free; give another place")


def _same_request(before: dict[str, Any], now: dict[str, Any], out: str) -> None:
    other = [key for key, value in now.items() if before.get(key) != value]
    if other:
        raise InputError(
            f"--out {out}: holds an audit with another --{other[0]} ({before.get(other[0])}); give another "
            "--out, or remove that folder"
        )


def _absolute(value: str | None) -> str | None:
    return None if value is None else str(Path(value).resolve())


def _cores(cores: str) -> int:
    import os

    return os.cpu_count() or 1 if cores == "all" else int(cores)
