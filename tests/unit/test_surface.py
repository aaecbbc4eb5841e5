"""What a user of the library sees: importing it, models in a line, results in a line, pipelines of diffusers."""

import doctest
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import link_package
import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, StableDiffusionPipeline, UNet2DModel
from tiny_pipeline import write_pipeline

from mmh.compute.shown import shown
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid.local_pca import local_pca

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    folder = write_pipeline(tmp_path_factory.mktemp("tiny") / "model")
    return StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, feature_extractor=None)


def imported_from(folder: Path, path: str) -> str:
    """Where an interpreter with these site-packages, and this PYTHONPATH, takes mmh from."""
    code = f"import site; site.addsitedir({str(folder)!r}); import mmh; print(mmh.__file__)"
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_an_environment_imports_the_package_and_a_copy_comes_first(tmp_path):
    folder, copy = tmp_path / "site-packages", tmp_path / "copy"
    (copy / "mmh").mkdir(parents=True)
    (copy / "mmh" / "__init__.py").write_text("")
    folder.mkdir()
    link_package.link(folder, SCRIPTS)
    assert imported_from(folder, "") == str(SCRIPTS / "mmh" / "__init__.py")
    assert imported_from(folder, str(copy)) == str(copy / "mmh" / "__init__.py")


def test_types_of_the_package_are_seen():
    assert (SCRIPTS / "mmh" / "py.typed").is_file()


def test_examples_in_docstrings_hold():
    names = {"Schedule": Schedule, "ScoreModel": ScoreModel, "np": np}
    found = doctest.testmod(import_module("mmh.lid.flipd"), extraglobs=names)
    assert found.attempted == 4
    assert found.failed == 0


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule.cosine(1000), "Schedule(cosine, 1000 steps, sigma 0.00643 to 1)"),
        (Schedule.from_alphas_cumprod([0.75, 0.0]), "Schedule(table, 2 steps, sigma 0.5 to 1)"),
        (Schedule.linear_vp(), "Schedule(linear_vp, beta_min=0.1, beta_max=20)"),
        (Schedule.edm(0.005, 3), "Schedule(edm, sigma_min=0.005, sigma_max=3)"),
    ],
)
def test_a_schedule_in_a_line(schedule, said):
    assert repr(schedule) == said


def test_a_model_in_a_line(pipe):
    base = ScoreModel.from_pipeline(pipe)
    assert re.fullmatch(
        r"ScoreModel\(UNet2DConditionModel, shape=\(4, 4, 4\), Schedule\(table, 1000 steps, sigma 0.0292 to "
        r"0.99\d*\), float32 on cpu, unconditional\)",
        repr(base),
    )
    c = torch.zeros(3, 12, 16)
    assert repr(base.conditioned(c)).endswith("cpu, 3 conditions)")
    assert repr(base.guided(c, c[:1], 7.5)).endswith("cpu, 3 conditions, guidance 7.5)")
    assert repr(base.conditioned(c[:1])).endswith("cpu, one condition for all rows)")


def test_results_in_a_line_for_each_array():
    x = np.random.default_rng(0).normal(size=(40, 3))
    lines = repr(local_pca(x, k=5)).splitlines()
    assert lines[0].startswith("LocalPCA(threshold=")
    assert lines[1].startswith("  lid: int64 (40,), ")
    assert not any(line.strip().startswith("stderr") for line in lines)  # None: there is none


def test_what_is_not_finite_is_counted():
    values = np.array([1.0, np.nan, 3.0, np.inf])
    assert shown("Found", x=values, n=3) == "Found(n=3)\n  x: float64 (4,), 1 to 3, median 2, 2 not finite"
    assert shown("Found", x=values[1:2]) == "Found()\n  x: float64 (1,), 1 not finite"
    assert (
        shown("Found", x=np.zeros((0, 2)), y=np.array(["a"])) == "Found()\n  x: float64 (0, 2)\n  y: <U1 (1,)"
    )


def test_a_pipeline_is_its_network_and_scheduler(pipe):
    z = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    c = torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(1))
    given = ScoreModel.from_pipeline(pipe).conditioned(c).eps(z, 0.3)
    twin = ScoreModel.from_diffusers(pipe.unet, pipe.scheduler).conditioned(c).eps(z, 0.3)
    assert torch.equal(given, twin)
    assert given.abs().max() > 0


def test_captions_of_a_pipeline_are_bound_as_its_encoder_reads_them(pipe):
    def embedded(texts):
        tokens = pipe.tokenizer(
            texts, padding="max_length", max_length=12, truncation=True, return_tensors="pt"
        )
        return pipe.text_encoder(tokens["input_ids"])[0].detach()

    prompts = ["three red seven", "plate with digit"]
    z = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    base = ScoreModel.from_pipeline(pipe)
    bound = ScoreModel.from_pipeline(pipe, prompts).eps(z, 0.3)
    torch.testing.assert_close(bound, base.conditioned(embedded(prompts)).eps(z, 0.3))
    guided = ScoreModel.from_pipeline(pipe, prompts, guidance=5.0).eps(z, 0.3)
    torch.testing.assert_close(guided, base.guided(embedded(prompts), embedded([""]), 5.0).eps(z, 0.3))
    assert not torch.allclose(bound, guided)
    assert ScoreModel.from_pipeline(pipe, "three").rows is None


def test_what_is_no_such_pipeline_is_refused(pipe):
    unet = UNet2DModel(
        sample_size=4,
        in_channels=1,
        out_channels=1,
        block_out_channels=(4,),
        norm_num_groups=2,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    plain = DDPMPipeline(unet, DDPMScheduler(100))
    assert ScoreModel.from_pipeline(plain).shape == (1, 4, 4)
    with pytest.raises(InputError, match=r"^DDPMPipeline takes no captions; leave prompts out$"):
        ScoreModel.from_pipeline(plain, ["a"])
    with pytest.raises(InputError, match=r"^no prompts are given"):
        ScoreModel.from_pipeline(pipe, [])
    with pytest.raises(InputError, match=r"^no prompts are given"):
        ScoreModel.from_pipeline(pipe, guidance=7.5)
    with pytest.raises(
        InputError, match=r"a diffusers pipeline with a unet or a transformer.*got UNet2DModel"
    ):
        ScoreModel.from_pipeline(unet)


def test_a_network_of_more_conditions_is_refused():
    class Network:
        class config:  # noqa: N801
            addition_embed_type = "text_time"

    class Pipeline:
        unet, scheduler = Network(), DDPMScheduler(10)

    with pytest.raises(InputError, match=r"wants conditions of the kind 'text_time' besides its captions"):
        ScoreModel.from_pipeline(Pipeline())
