"""`mmh`: what it reads of a person's model and files, what it writes, and what it refuses before sampling."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

from mmh.command import auditing, models_of_others, running, shipped
from mmh.command.lists import read_captions, shuffled
from mmh.command.models_of_others import Found, look_at_model
from mmh.command.parser import main, parser
from mmh.config.check import check_config
from mmh.config.files import ConfigFiles
from mmh.errors import InputError
from mmh.plan.plan import Plan

ROOT = Path(__file__).parents[2]


def pictures(folder: Path, n: int, size: int = 8, mode: str = "L") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    shape = (size, size) if mode == "L" else (size, size, 3)
    for number in range(n):
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{number:03d}.png")
    return folder


def model(
    folder: Path, *, size: int = 8, channels: int = 1, classes: int | None = None, sd: bool = False
) -> Path:
    """The descriptions of a model folder; its weights are never read here."""
    for name in ("unet", "scheduler", "vae"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    unet = {"sample_size": size, "in_channels": channels, "block_out_channels": [32, 64]}
    (folder / "unet" / "config.json").write_text(json.dumps(unet | {"num_class_embeds": classes}))
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"x" * 1000)
    (folder / "vae" / "config.json").write_text(json.dumps({"block_out_channels": [32, 32]}))
    settings = {"prediction_type": "v_prediction", "beta_schedule": "linear", "num_train_timesteps": 100}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    index = {"_class_name": "StableDiffusionPipeline" if sd else "DDPMPipeline"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def audited(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Exit status and all that was said."""
    status = main(["audit", "--dry-run", "--cores", "2", *map(str, words)])
    told = capsys.readouterr()
    return status, told.out + told.err


def checked(out: Path) -> dict:
    """The configuration that was written, which must be sound."""
    files = ConfigFiles.of_options(out / "config.yaml", [])
    config: dict = check_config(files.merged(), files)
    return config


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = "import sys; from mmh.command.parser import parser; parser(); print(*sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    heavy = {"torch", "numpy", "pandas", "pydantic", "yaml", "PIL", "mmh.config.model"}
    assert not heavy & set(done.stdout.split())


def test_images_become_a_sound_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    status, said = audited(
        capsys,
        *("--model", model(tmp_path / "m"), "--images", pictures(tmp_path / "mine", 30)),
        *("--holdout", pictures(tmp_path / "held", 12), "--out", out),
    )
    assert status == 0, said
    assert re.search(r"budget quick: about \d+ minutes: 2000 samples of 8 x 8, 30 images, 12 hold-out", said)
    assert "predicts v_prediction" in said
    assert "no copy descriptor is used (--sscd FILE)" in said
    entry = checked(out)["experiments"]["audit"]
    assert entry["data"] | {"path": ""} == {
        "world": "images",
        "path": "",
        "n_train": 30,
        "size": 8,
        "channels": 1,
    }
    assert entry["image_answer"]["holdout"] == "holdout"
    assert entry["estimators"]["flipd"]["items"] == ["train", "holdout"]


def test_a_copy_descriptor_adds_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sscd.pt").write_bytes(b"x")
    out = tmp_path / "out"
    words = ("--model", model(tmp_path / "m"), "--images", pictures(tmp_path / "mine", 30))
    status, said = audited(capsys, *words, "--sscd", tmp_path / "sscd.pt", "--out", out)
    assert status == 0, said
    config = checked(out)
    assert config["descriptors"] == {"sscd": {"source": "download", "file": "sscd.torchscript.pt"}}
    inputs = Plan(config).answers.embeddings(SimpleNamespace(experiment="audit"))
    assert set(inputs) == {"train_embeddings", "samples_embeddings"}
    assert len(inputs["samples_embeddings"]) == 2


def test_a_stylegan_pickle_is_judged_by_its_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found(tmp_path / "g.pkl", "stylegan2", False, 8, 3, None, "none", (), 1.0)
    monkeypatch.setattr(models_of_others, "_stylegan2", lambda path: found)
    (tmp_path / "g.pkl").write_bytes(b"x")
    out = tmp_path / "out"
    mine = pictures(tmp_path / "mine", 30, mode="RGB")
    status, said = audited(capsys, "--model", tmp_path / "g.pkl", "--images", mine, "--out", out)
    assert status == 0, said
    entry = checked(out)["experiments"]["audit"]
    assert entry["model"] == {"kind": "stylegan2", "source": "model.pkl"}
    assert "model_estimator" not in entry["image_answer"]


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl", "parquet"])
def test_prompts_of_every_format(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    texts = [f"a red house number {number}" for number in range(4)]
    table, file = pd.DataFrame({"prompt": texts}), tmp_path / f"p.{kind}"
    match kind:
        case "txt":
            file.write_text("\n".join(texts))
        case "csv":
            table.to_csv(file, index=False)
        case "jsonl":
            table.to_json(file, orient="records", lines=True)
        case "parquet":
            table.to_parquet(file)
    out = tmp_path / "out"
    status, said = audited(capsys, "--model", model(tmp_path / "m", sd=True), "--prompts", file, "--out", out)
    assert status == 0, said
    assert "4 control prompts, made from yours by shuffling words" in said
    entry = checked(out)["experiments"]["audit"]
    assert entry["prompts"]["sets"] == {"asked": 4, "control": 4}
    assert entry["prompt_answer"]["edited"] is True
    assert json.loads((out / "resources/prompts/asked.json").read_text()) == texts


def lora(folder: Path, **names: str) -> tuple[Path, Path]:
    """A text-to-image folder whose UNet has one layer, and a LoRA of it with tensors of other names."""
    from safetensors.numpy import save_file

    layer, names = "mid_block.attentions.0.to_q", {"down": "lora_A.weight", "up": "lora_B.weight"} | names
    pipeline = model(folder / "sd", sd=True)
    weights = {f"{layer}.weight": np.zeros((4, 4), np.float32)}
    save_file(weights, pipeline / "unet" / "diffusion_pytorch_model.safetensors")
    save_file(
        {
            f"unet.{layer}.{names['down']}": np.zeros((1, 4), np.float32),
            f"unet.{layer}.{names['up']}": np.zeros((4, 1), np.float32),
        },
        folder / "lora.safetensors",
    )
    (folder / "p.txt").write_text("a cat\na dog\na cow and two\n")
    return pipeline, folder / "lora.safetensors"


def test_a_lora_is_part_of_the_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pipeline, file), out = lora(tmp_path), tmp_path / "out"
    words = ("--model", pipeline, "--prompts", tmp_path / "p.txt", "--out", out)
    status, said = audited(capsys, *words, "--lora", file)
    assert status == 0, said
    assert "lora.safetensors: 1 layers of the model are changed" in said
    entry = checked(out)["experiments"]["audit"]["model"]
    assert entry == {"kind": "diffusers", "path": str(pipeline), "lora": str(file), "lora_scale": 1.0}
    inputs = Plan(checked(out)).models.imported_files(SimpleNamespace(experiment="audit"))
    assert str(file) in inputs["files"]
    status, said = audited(capsys, *words)
    assert (status, "another --lora" in said) == (1, True)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"up": "gate.weight"}, "unet.mid_block.attentions.0.to_q.gate.weight is no name that is known here"),
        ({"down": "lora.down.weight", "up": "alpha"}, "is there without its up"),
    ],
)
def test_a_lora_that_does_not_fit_is_found_before_sampling(
    names: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pipeline, file), out = lora(tmp_path, **names), tmp_path / "out"
    words = ("--model", pipeline, "--prompts", tmp_path / "p.txt", "--out", out, "--lora", file)
    status, told = audited(capsys, *words)
    assert status == 1
    assert told.startswith(f"error: --lora {file}: ")
    assert said in told
    assert told.count("\n") == 1


def test_a_lora_of_a_model_without_prompts_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", model(tmp_path / "m"), "--images", pictures(tmp_path / "mine", 30))
    status, told = audited(capsys, *words, "--lora", tmp_path / "x.safetensors", "--out", tmp_path / "out")
    assert status == 1
    assert "takes no prompts" in told


def test_captions_of_an_image_folder_are_prompts(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "c", 3)
    rows = "".join(f"00{number}.png,caption {number}\n" for number in range(3))
    (folder / "metadata.csv").write_text(f"file_name,text\n{rows}")
    assert read_captions(folder) == ["caption 0", "caption 1", "caption 2"]


def test_control_prompts_have_the_same_words_in_another_order() -> None:
    prompts = ["the cat sat on the mat", "two words"]
    (made,) = shuffled(prompts)
    assert sorted(made.split()) == sorted(prompts[0].split())
    assert made != prompts[0]
    assert shuffled(prompts) == [made]


def bad(tmp_path: Path) -> dict[str, tuple[list[object], str]]:
    """Words of the command, and the line that they end in."""
    good, mine = model(tmp_path / "m"), pictures(tmp_path / "mine", 30)
    sd = model(tmp_path / "sd", sd=True)
    mixed = pictures(tmp_path / "mixed", 20)
    Image.new("L", (9, 9)).save(mixed / "other.png")
    film = pictures(tmp_path / "film", 20)
    (film / "a.mp4").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "weights.ckpt").write_bytes(b"x")
    pickled = model(tmp_path / "pickled")
    (pickled / "unet/diffusion_pytorch_model.safetensors").rename(pickled / "unet/model.bin")
    other = tmp_path / "other.pkl"
    other.write_bytes(pickle.dumps({"G": 1}))
    (tmp_path / "one.txt").write_text("a cat\n")
    (tmp_path / "three.txt").write_text("a cat\na dog\na cow\n")
    base = ["--model", good, "--images"]
    return {
        "size": (
            [*base, pictures(tmp_path / "s", 20, size=16)],
            "16 x 16, the model draws 8 x 8; bring them",
        ),
        "colour": (
            ["--model", model(tmp_path / "rgb", channels=3), "--images", mine],
            "are grey, the model draws",
        ),
        "classes": (
            ["--model", model(tmp_path / "k", classes=4), "--images", mine],
            "the model knows 4 classes",
        ),
        "empty": ([*base, tmp_path / "empty"], "holds no pictures"),
        "absent": ([*base, tmp_path / "absent"], "no such folder"),
        "five": ([*base, pictures(tmp_path / "five", 5)], "holds 5 pictures, at least 10 are needed"),
        "mixed": ([*base, mixed], "pictures of 2 sizes: 20 of 8 x 8, other.png of 9 x 9"),
        "film": ([*base, film], "a.mp4: is a film"),
        "film alone": ([*base, film / "a.mp4"], "is a film; give a folder"),
        "pickle": (
            ["--model", tmp_path / "weights.ckpt", "--images", mine],
            "a pickled checkpoint is not read",
        ),
        "pickled weights": (
            ["--model", pickled, "--images", mine],
            "but model.bin, which are pickles and could run code",
        ),
        "other pickle": (["--model", other, "--images", mine], "other.pkl"),
        "no model": (["--model", tmp_path / "empty", "--images", mine], "is no diffusers folder"),
        "one prompt": (["--model", sd, "--prompts", tmp_path / "one.txt"], "holds 1 prompt, at least 3"),
        "no list": (["--model", sd, "--prompts", tmp_path / "absent.txt"], "no such file"),
        "few controls": (
            ["--model", sd, "--prompts", tmp_path / "three.txt", "--control", tmp_path / "three.txt"],
            "--control",
        ),
        "prompts of no prompts": (["--model", good, "--prompts", tmp_path / "three.txt"], "takes no prompts"),
        "images of prompts": (["--model", sd, "--images", mine], "draws images of prompts"),
        "no descriptor": ([*base, mine, "--sscd", tmp_path / "absent.pt"], "no such file; fetch sscd_disc"),
        "both": ([*base, mine, "--prompts", tmp_path / "three.txt"], "give one of --images DIR"),
        "control of images": (
            [*base, mine, "--control", tmp_path / "three.txt"],
            "--control: is for prompts",
        ),
        "no captions": (
            ["--model", sd, "--captioned", mine],
            "holds neither metadata.csv nor metadata.jsonl",
        ),
    }


def test_weights_are_looked_for_as_the_import_does(tmp_path: Path) -> None:
    plain = "diffusion_pytorch_model.safetensors"
    half = model(tmp_path / "half")
    (half / "unet" / plain).rename(half / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert look_at_model(half).mb == pytest.approx(0.001)
    shards = model(tmp_path / "shards")
    part = "diffusion_pytorch_model-00001-of-00001.safetensors"
    (shards / "unet" / plain).rename(shards / "unet" / part)
    (shards / "unet" / f"{plain}.index.json").write_text(json.dumps({"weight_map": {"conv.weight": part}}))
    assert look_at_model(shards).kind == "diffusers"
    (shards / "unet" / part).unlink()
    with pytest.raises(InputError, match=f"^--model .*unet: lacks {part}, a shard"):
        look_at_model(shards)


def test_a_pipeline_of_other_parts_ends_before_anything_is_written(tmp_path: Path) -> None:
    folder = model(tmp_path / "vq")
    parts = {
        "_class_name": "LDMPipeline",
        "unet": ["diffusers", "UNet2DModel"],
        "vqvae": ["diffusers", "VQModel"],
    }
    (folder / "model_index.json").write_text(json.dumps(parts))
    with pytest.raises(
        InputError, match=r"^--model .*model_index.json: a LDMPipeline with vqvae \(VQModel\)"
    ):
        look_at_model(folder)


@pytest.mark.parametrize(
    "case",
    [
        *("size", "colour", "classes", "empty", "absent", "five", "mixed", "film", "film alone", "pickle"),
        *(
            "pickled weights",
            "other pickle",
            "no model",
            "one prompt",
            "no list",
            "few controls",
            "prompts of no prompts",
        ),
        *("images of prompts", "both", "no descriptor", "control of images", "no captions"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, wanted = bad(tmp_path)[case]
    out = tmp_path / "out"
    status, said = audited(capsys, *words, "--out", out)
    assert status == 1
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert wanted in said
    assert not (out / "config.yaml").exists()


def test_a_full_disk_is_seen_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = type("Usage", (), {"free": 1e6})
    monkeypatch.setattr(auditing.shutil, "disk_usage", lambda _: usage)
    words = ("--model", model(tmp_path / "m"), "--images", pictures(tmp_path / "mine", 30))
    status, said = audited(capsys, *words, "--out", tmp_path / "out")
    assert status == 1
    assert "1 MB are free; give another place" in said


def test_a_second_call_goes_on_with_the_edited_file_and_refuses_another_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, mine = tmp_path / "out", pictures(tmp_path / "mine", 30)
    words = ("--model", model(tmp_path / "m"), "--images", mine, "--out", out)
    assert audited(capsys, *words)[0] == 0
    edited = (out / "config.yaml").read_text().replace("n_samples: 2000", "n_samples: 300")
    (out / "config.yaml").write_text(edited)
    status, said = audited(capsys, *words)
    assert status == 0
    assert "going on with" in said
    assert (out / "config.yaml").read_text() == edited
    status, said = audited(capsys, *words, "--budget", "full")
    assert status == 1
    assert "holds an audit with another --budget (quick)" in said


def test_figures_are_found_by_name() -> None:
    experiments = yaml.safe_load((ROOT / "config.yaml").read_text())["experiments"]
    assert shipped.figure_file("digits/lid_model", experiments) == "results/digits/figures/lid_model.pdf"
    assert shipped.figure_file("lid_scatter", experiments) == "results/von-mises/figures/lid_scatter.pdf"
    assert shipped.sheet_file("digits", experiments) == "results/digits/label_sheet.html"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure", "lid_model"], "several experiments have it"),
        (["figure", "lid_skatter"], "there is none in config.yaml"),
        (["label", "manifolds"], "no experiment with candidates"),
    ],
)
def test_what_is_not_there_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert said in capsys.readouterr().err


def test_commands_run_snakemake_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def noted(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(list(map(str, command)))
        return subprocess.CompletedProcess(command, 0, "[digits]\n")

    monkeypatch.setattr(running.subprocess, "run", noted)
    assert main(["figure", "digits/lid_model", "--cores", "2", "--profile", "gpu"]) == 0
    assert calls[-1][-2:] == ["--", "results/digits/figures/lid_model.pdf"]
    assert calls[-1][calls[-1].index("--profile") + 1] == str(ROOT / "profiles" / "gpu")
    assert main(["demo"]) == 0
    assert "--report" in calls[-1]
    assert main(["reproduce"]) == 0
    assert calls[-1][-2:] == ["--config", "run=[digits]"]
    assert main(["status"]) == 0
    assert calls[-1][1].endswith("status.py")


def test_every_command_says_what_it_does() -> None:
    text = parser().format_help()
    for name in ("audit", "demo", "reproduce", "figure", "status", "label", "report"):
        assert re.search(rf"^ +{name}\s+\w", text, re.MULTILINE), name
