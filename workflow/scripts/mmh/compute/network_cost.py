"""Cost of calls of a network: the measured ones, and others scaled from them. Standard library only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Config = Mapping[str, Any]

CUDA_MB = 3000  # host memory of PyTorch's CUDA libraries: 400 where kernels load lazily, else all of them

AUTO_ROWS = (
    8  # of a batch whose size a job chooses: `mmh.compute.memory.CPU_BATCH`; a GPU has room for as many
)
LARGEST_JACOBIAN = 256
"""Most values of an item whose whole Jacobian is formed: as many products, a square matrix for each row."""
IMPORTS_MB = {"tables": 150.0, "torch": 260.0, "diffusers": 500.0}
START = {False: 3.0, True: 20.0}  # seconds until the first network call, by whether there is a GPU
_CALL = {False: 1e-3, True: 15e-3}  # least seconds of a call, however few its rows, by whether on a GPU


@dataclass(frozen=True)
class Need:
    """What a job is expected to use.

    Attributes
    ----------
    seconds : float
        Wall time from the start of its script to the end.
    mem_mb : float
        Peak resident memory of its process, MB of 10^6 bytes; not that of a GPU.
    """

    seconds: float
    mem_mb: float


@dataclass(frozen=True)
class Network:
    """Cost of one row of a network call.

    Attributes
    ----------
    millions : float
        Parameters, millions.
    cpu, gpu : float
        Seconds of a row in one call, float32: one CPU thread, one H100.
    row_mb, graph_mb : float
        Memory of a row's activations without and with a graph for derivatives.
    imports : str
        What is imported with it: torch or diffusers.
    """

    millions: float
    cpu: float
    gpu: float
    row_mb: float
    graph_mb: float
    imports: str = "diffusers"

    def scaled(self, work: float, activations: float) -> "Network":
        """Cost of a network of the same kind with so many times the work and the activations."""
        return Network(
            self.millions * work,
            self.cpu * work,
            self.gpu * work,
            self.row_mb * activations,
            self.graph_mb * activations,
            self.imports,
        )


@dataclass(frozen=True)
class Parts:
    """What a text-to-image model has beside its UNet.

    Attributes
    ----------
    vae : Network
        One image through the decoder; the encoder takes half of it.
    image : int
        Bytes of an image.
    text_millions : float
        Parameters of the text encoder, millions.
    """

    vae: Network
    image: int
    text_millions: float = 0.0


# Networks that were measured, from which others are scaled; those of one kind of model stand with it.
_UNET = Network(0.7, 0.5e-3, 8e-6, 0.2, 0.9)
IDDPM = Network(52.5, 0.12, 0.87e-3, 3.7, 68.0)
STABLE_DIFFUSION = Network(860.0, 5.0, 37e-3, 150.0, 1500.0)
# One image of 512 x 512 through the decoder, on a CPU by its operations; CLIP's text encoder.
STABLE_DIFFUSION_PARTS = Parts(
    Network(84.0, 15.0, 0.12, 3000.0, 3000.0), image=3 * 512**2, text_millions=123.0
)
RESNET50 = Network(25.0, 0.1, 0.8e-3, 10.0, 10.0, imports="torch")  # SSCD's, 224 pixels; not measured
SMALL_DESCRIPTOR = Network(0.1, 0.1e-3, 2e-6, 0.05, 0.2, imports="torch")  # trained here, 8 x 8
# A sampler leaves convolutions in TF32 where there are; half precision as at the size of Stable Diffusion.
TF32 = 0.3
HALF = 0.16


def unet(widths: Sequence[int], dim: int) -> Network:
    """Cost of a row of a small diffusers UNet, of `dim` numbers an item."""
    return _UNET.scaled(sum(c * c for c in widths) / 5120 * dim / 64, sum(widths) / 96 * max(dim / 64, 1))


def network_calls(
    net: Network, rows: float, batch_size: int, calls: float, *, gpu: bool, precision: float = 1.0
) -> float:
    """Seconds of network calls over some rows.

    Parameters
    ----------
    net : Network
    rows : float
        Rows wanted; batches are always full, so they are rounded up to whole ones.
    batch_size : int
        Rows per call.
    calls : float
        Forward calls per batch: steps of a sampler, or the calls that an estimator is worth.
    gpu : bool
    precision : float
        `TF32` or `HALF` on a GPU, 1 in float32.

    Returns
    -------
    float
    """
    batches = math.ceil(rows / batch_size)
    row = net.gpu * precision if gpu else net.cpu
    return calls * batches * max(batch_size * row, _CALL[gpu])


def batch_rows(options: Mapping[str, Any]) -> int:
    """Give the rows of a batch, as far as the configuration says."""
    return AUTO_ROWS if options["batch_size"] == "auto" else int(options["batch_size"])


def flipd_calls(trace: int | str, dim: int, *, gpu: bool) -> float:
    """Forward calls that one FLIPD estimate is worth: one pass, then one product for each probe.

    Parameters
    ----------
    trace : int or str
        Number of probes, or ``exact`` (one per dimension).
    dim : int
        Number of values of a sample.
    gpu : bool

    Returns
    -------
    float
    """
    if trace == "exact":
        return 1 + 1.2 * dim
    return 1 + (1.0 if gpu else 1.9) * int(trace)


def network_mb(net: Network, gpu: bool, batch_mb: float) -> float:
    """Memory of a process with a network: twice its weights while they are read, and its batch on the CPU.

    Parameters
    ----------
    net : Network
    gpu : bool
    batch_mb : float
        Memory of a batch, where it is on the CPU.

    Returns
    -------
    float
        MB.
    """
    on_host = CUDA_MB if gpu else batch_mb
    return IMPORTS_MB[net.imports] + 8 * net.millions + on_host


def half(experiment: Config) -> float:
    """Time of a text-to-image network in its precision on a GPU, relative to float32.

    Parameters
    ----------
    experiment : mapping

    Returns
    -------
    float
        1 for other models.
    """
    return HALF if experiment.get("latents", {}).get("dtype", "float32") != "float32" else 1.0
