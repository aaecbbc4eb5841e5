"""Sample one span of prompts by guided DDIM, and take metrics on the way (one pass)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    model: Path,
    out: Path,
    scores: Path,
    *,
    prompt_set: str,
    span: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write generations and scores; `options`: generations, steps, guidance, metrics, batch_size, load."""
    import numpy as np

    from mmh.compute.blocks import blockwise_in_fitting_batches, decode_in_fitting_batches
    from mmh.diffusion.guided_sampling import ddim_grid, generation_seed
    from mmh.errors import InputError
    from mmh.io.files import read_table, write_arrays, write_table
    from mmh.io.spans import span_range
    from mmh.io.tables import PROMPT_SCORES, PROMPTS
    from mmh.metrics.base import METRICS, made
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.scoring import PromptScores, prompt_scores, score_table
    from mmh.rows import load_plugins

    load_plugins(plugins, METRICS)
    numbers = np.array(span_range(span), dtype=np.int64)
    texts = read_table(prompts, PROMPTS).query("prompt_set == @prompt_set").set_index("prompt")["text"]
    if not np.isin(numbers, texts.index).all():
        raise InputError(f"{prompts}: set {prompt_set} lacks prompts of {span}, it has {len(texts)}")
    loaded = load_folder(model, device=device, **options.get("load", {}))
    score, null = loaded.score_model(), loaded.null()
    grid, count = ddim_grid(loaded.scheduler, options["steps"]), options["generations"]
    how = {"prompt_set": prompt_set, "generations": count, "guidance": options["guidance"], "seed": seed}
    how["metrics"] = metrics = made(options["metrics"])

    def draw(_: np.ndarray, which: np.ndarray, size: int) -> dict[str, np.ndarray]:
        c = loaded.embed(texts[which].tolist(), ids=which)
        found = prompt_scores(score, c, null, **how, prompts=which, grid=grid, batch_size=size)
        each: dict[str, np.ndarray] = {"latents": found.latents, **found.values}
        return {name: a.reshape(len(which), count, *a.shape[1:]) for name, a in each.items()}

    def trial(rows: int) -> None:  # the last step, which all metrics see
        once = how | {"generations": rows, "grid": grid[-1:], "batch_size": rows}
        prompt_scores(score, loaded.embed(texts[numbers[:1]].tolist()), null, prompts=numbers[:1], **once)

    # As many prompts as a batch has rows fill all of its batches.
    job_is = {"device": score.device, "progress": progress, "store": store, "unit": "prompt"}
    drawn, size = blockwise_in_fitting_batches(options["batch_size"], [draw], numbers, trial=trial, **job_is)
    drawn = {name: a.reshape(-1, *a.shape[2:]) for name, a in drawn.items()}
    found = PromptScores(latents := drawn.pop("latents"), drawn, grid, size)
    prompt, generation = np.repeat(numbers, count), np.tile(np.arange(count), len(numbers))
    ids = prompt * count + generation
    image, decoded = decode_in_fitting_batches(loaded, latents, ids, options["decode_batch_size"])
    record["numerics"] = {
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "batch_size": size,
        "decode_batch_size": decoded,
        "truncated_prompts": int(loaded.tokens(texts[numbers].tolist())[1].sum()),
    }
    arrays = {"image": image, "latent": latents, "id": ids, "prompt": prompt}
    arrays |= {"generation": generation.astype(np.int64), "text": texts[prompt].to_numpy(dtype=str)}
    arrays |= {"index": grid.index, "guidance": np.array([float(options["guidance"])])}
    seeds = [generation_seed(seed, prompt_set, p, g) for p, g in zip(prompt, generation, strict=True)]
    seen = {metric.name: metric.see_images(image) for metric in metrics if metric.needs == "image"}
    table = score_table(found, images=seen, prompt_set=prompt_set, prompts=numbers, generations=count)
    write_table(table, scores, PROMPT_SCORES)
    write_arrays(out, **arrays, seed=np.array(seeds, dtype=np.uint64))


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.model,
            run.output.generations,
            run.output.scores,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
