"""Compute the singular values of a generator's Jacobian at each sample of one span."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    samples: list[Path],
    model: Path,
    out: Path,
    *,
    span: str,
    items: str,
    options: dict[str, Any],
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
) -> None:
    """Write the spectra of one span; the threshold is a later, cheap step."""
    import numpy as np
    import torch

    from mmh.errors import InputError
    from mmh.io.files import read_arrays, read_column, write_arrays
    from mmh.io.spans import SELECTED, span_range
    from mmh.job.chunks import blockwise
    from mmh.lid.jacobian import jacobian_spectrum
    from mmh.models.generator_model import load_folder

    wanted = span_range(span)
    ids = np.array(wanted, dtype=np.int64)
    if items == SELECTED:  # such spans count places
        ids = np.sort(np.concatenate([read_arrays(shard, "id")[0] for shard in samples]))
        ids = ids[wanted.start : wanted.stop]
    generator = load_folder(model, device=device)
    z = read_column(samples, "z", ids)
    c = read_column(samples, "class", ids) if generator.classes else None
    if z is None or (generator.classes and c is None):
        raise InputError(f"{samples[0]}: lacks z or class, so no generator drew these items; make them again")
    weight = generator.network.mapping.w_avg

    def decompose(rows: np.ndarray) -> dict[str, np.ndarray]:
        point = torch.from_numpy(z[rows]).to(weight)
        given = None if c is None else torch.from_numpy(c[rows]).to(weight.device)
        return {"spectrum": jacobian_spectrum(generator, point, given, chunk=options["chunk"])}

    blocks = np.split(np.arange(len(ids)), range(5, len(ids), 5))  # no spectrum depends on another
    found = blockwise(decompose, blocks, progress=progress, store=store, unit="sample")
    record["numerics"] = {
        "method": "Jacobian of the generator at its latents, truncation 1, stored noise; SVD in float64",
        "dtype": str(weight.dtype).removeprefix("torch."),
        "attention": generator.attention(),
        "items": len(ids),
        "non_finite": 0,  # anything else stops the job
    }
    write_arrays(out, **found, id=ids)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.samples,
            run.input.model,
            run.output.spectra,
            span=run.wildcards.span,
            items=run.wildcards.item_set,
            options=run.params.options,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
        )
