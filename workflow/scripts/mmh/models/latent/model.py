"""Text-to-image models: latent diffusion, the parts of a StableDiffusionPipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmh.compute.attention import full_float32
from mmh.compute.complexity import to_uint8
from mmh.compute.rows import fixed_batches
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.sampling.guided import Observer, ddim_grid, guided_ddim

BATCH_SIZE = 8


@dataclass
class TextToImageModel:
    """The parts of a pipeline, in evaluation mode.

    Attributes
    ----------
    unet, text_encoder
        In the dtype that was asked for.
    vae
        In float32 whatever that dtype is: its activations leave float16's range for some images.
    tokenizer, scheduler
        As the folder has them; the scheduler states noise levels and prediction type.
    """

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.unet.device

    @property
    def classes(self) -> None:
        """No classes: a caption is the condition."""
        return None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (3, H, W) of an image."""
        _, height, width = self.score_model().shape
        factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        return (self.vae.config.in_channels, height * factor, width * factor)

    def attention(self) -> str:
        """Name diffusers' attention processors; those named 2_0 let PyTorch choose the kernel."""
        names = {type(processor).__name__ for processor in self.unet.attn_processors.values()}
        return ", ".join(sorted(names)) or "none"

    def score_model(self) -> ScoreModel:
        """Give the noise predictor over latents; bind captions by ``conditioned`` or ``guided``."""
        return ScoreModel.from_diffusers(self.unet, self.scheduler)

    def sample(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an image needs a caption, see `generate`.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("a text-to-image model draws images from prompts only, not samples by id")

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> NoReturn:
        """Refuse, as `sample` does."""
        self.sample()

    def tokens(self, prompts: Sequence[str]) -> tuple[torch.Tensor, NDArray[np.bool_]]:
        """Cut captions into tokens, padded or cut to the length that the text encoder takes.

        Parameters
        ----------
        prompts : sequence of str
            Captions.

        Returns
        -------
        torch.Tensor
            int64 (n, L), start and end tokens included.
        numpy.ndarray
            bool (n,), which captions were too long and were cut.
        """
        length = self.tokenizer.model_max_length
        texts = [str(text) for text in prompts]
        if not texts:  # no batch for the tokenizer
            return torch.empty((0, length), dtype=torch.int64), np.empty(0, dtype=np.bool_)
        padded = self.tokenizer(
            texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        # As long as the limit and cut look the same, so one token more is allowed here.
        longer = self.tokenizer(texts, max_length=length + 1, truncation=True)["input_ids"]
        return padded["input_ids"], np.array([len(row) > length for row in longer], dtype=np.bool_)

    def embed(
        self, prompts: Sequence[str], *, batch_size: int = BATCH_SIZE, ids: ArrayLike | None = None
    ) -> torch.Tensor:
        """Embed captions: the text encoder's last hidden state, as the network was trained with.

        Parameters
        ----------
        prompts : sequence of str
            Captions; what is beyond the encoder's length is cut (`tokens` tells which).
        batch_size : int
            Captions at a time.
        ids : array_like of int, optional
            Ids of the captions, (n,); 0..n-1 by default. Caption i is computed in row ``i % batch_size``, so
            that its bytes do not depend on the others.

        Returns
        -------
        torch.Tensor
            (n, L, D), in the network's dtype, on its device.
        """
        numbers = np.arange(len(prompts)) if ids is None else np.asarray(ids, dtype=np.int64)
        tokens, _ = self.tokens(prompts)
        width = self.text_encoder.config.hidden_size
        out = torch.empty((len(numbers), tokens.shape[1], width), dtype=self.unet.dtype, device=self.device)
        with torch.no_grad(), full_float32():
            for rows, places in fixed_batches(numbers, batch_size):
                hidden = self.text_encoder(tokens[rows].to(self.device))[0]
                out[torch.from_numpy(rows[places])] = hidden[torch.from_numpy(places)].to(out.dtype)
        return out

    def null(self) -> torch.Tensor:
        """Embed the empty caption, (1, L, D)."""
        return self.embed([""], batch_size=1)

    def encode(
        self,
        image: ArrayLike,
        *,
        batch_size: int = BATCH_SIZE,
        ids: ArrayLike | None = None,
        progress: Callable[..., None] | None = None,
    ) -> NDArray[np.float32]:
        """Encode images: the posterior's mean, times the scaling factor.

        Parameters
        ----------
        image : array_like
            uint8 (n, 3, H, W), of the size that the model makes; read as x / 127.5 - 1.
        batch_size : int
            Images at a time.
        ids : array_like of int, optional
            Ids of the images, as for `embed`.
        progress : callable, optional
            Called with the number of finished images.

        Returns
        -------
        numpy.ndarray
            float32 (n, c, h, w), latents of about unit variance.

        Raises
        ------
        InputError
            If type or shape is another, or a latent is not finite.
        """
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != self.image_shape:
            raise InputError(
                f"needs uint8 images (n, {', '.join(map(str, self.image_shape))}), got {pixels.dtype} "
                f"{pixels.shape}; import the image set with the model's size"
            )

        def latent(rows: NDArray[np.int64]) -> torch.Tensor:
            x = torch.from_numpy(pixels[rows].astype(np.float32) / np.float32(127.5) - np.float32(1))
            mean = self.vae.encode(x.to(self.device)).latent_dist.mode()
            return mean * self.vae.config.scaling_factor

        out = np.empty((len(pixels), *self.score_model().shape), dtype=np.float32)
        return self._by_vae(latent, out, batch_size, ids, progress)

    def decode(
        self,
        latents: ArrayLike,
        *,
        batch_size: int = BATCH_SIZE,
        ids: ArrayLike | None = None,
        progress: Callable[..., None] | None = None,
    ) -> NDArray[np.uint8]:
        """Decode latents to images.

        Parameters
        ----------
        latents : array_like
            (n, c, h, w), as `encode` gives them.
        batch_size, ids, progress
            As for `encode`.

        Returns
        -------
        numpy.ndarray
            uint8 (n, 3, H, W), rounded; values outside of [-1, 1] are clipped.

        Raises
        ------
        InputError
            If the shape is another, or a pixel is not finite.
        """
        z = np.asarray(latents, dtype=np.float32)
        if z.shape[1:] != self.score_model().shape:
            raise InputError(f"this model decodes latents {self.score_model().shape}, got {z.shape[1:]}")

        def image(rows: NDArray[np.int64]) -> torch.Tensor:
            scaled = torch.from_numpy(z[rows]).to(self.device) / self.vae.config.scaling_factor
            return self.vae.decode(scaled, return_dict=False)[0]

        out = np.empty((len(z), *self.image_shape), dtype=np.uint8)
        return self._by_vae(image, out, batch_size, ids, progress)

    def generate(
        self,
        c: torch.Tensor,
        noise: torch.Tensor,
        *,
        steps: int = 50,
        guidance: float = 7.5,
        observer: Observer | None = None,
    ) -> torch.Tensor:
        """Draw latents by guided DDIM (eta 0) from given noise; see `guided_sampling.guided_ddim`.

        Parameters
        ----------
        c : torch.Tensor
            (n, L, D) or (1, L, D), embedded captions.
        noise : torch.Tensor
            (n, c, h, w), standard normal.
        steps : int
            Steps of the model's own grid.
        guidance : float
            Guidance strength.
        observer : Observer, optional
            Sees every step.

        Returns
        -------
        torch.Tensor
            float32 (n, c, h, w), on the device.
        """
        model, grid = self.score_model(), ddim_grid(self.scheduler, steps)
        return guided_ddim(model, noise, c, self.null(), grid=grid, guidance=guidance, observer=observer)

    def _by_vae(
        self,
        function: Callable[[NDArray[np.int64]], torch.Tensor],
        out: NDArray[Any],
        batch_size: int,
        ids: ArrayLike | None,
        progress: Callable[..., None] | None,
    ) -> NDArray[Any]:
        """Run one side of the VAE over fixed batches into `out`, bytes if it has bytes."""
        numbers = np.arange(len(out)) if ids is None else np.asarray(ids, dtype=np.int64)
        done = 0
        with torch.no_grad(), full_float32():
            for rows, places in fixed_batches(numbers, batch_size):
                values = function(rows).float().cpu().numpy()[places]
                if not np.isfinite(values).all():
                    raise InputError(f"the VAE gives NaN or infinity, among ids {numbers[rows[places]]}")
                out[rows[places]] = to_uint8(values) if out.dtype == np.uint8 else values
                done += len(places)
                if progress is not None:
                    progress(done)
        return out
