"""Tokens of captions: which word each belongs to, and gradients pulled back through the text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mmh.compute.attention import full_float32
from mmh.errors import InputError
from mmh.models.latent.model import TextToImageModel

_LAST = "</w>"


@dataclass(frozen=True)
class Words:
    """The words of one caption, as the tokenizer cuts them.

    Attributes
    ----------
    words : list of str
        In their order; joined by blanks they are the caption as the model reads it.
    pieces : list of str
        Each token of the whole length L, the ends and the filling included.
    word : list of int
        Number of the word that each token belongs to, -1 for the ends and the filling.
    """

    words: list[str]
    pieces: list[str]
    word: list[int]


def words_of(model: TextToImageModel, captions: Sequence[str], name: str) -> list[Words]:
    """Cut captions into words.

    Parameters
    ----------
    model : TextToImageModel
        Its tokenizer is a CLIP tokenizer.
    captions : sequence of str
    name : str
        What messages call the captions, such as ``prompt set memorized``.

    Returns
    -------
    list of Words

    Raises
    ------
    InputError
        If a caption is empty, or longer than the text encoder takes.
    """
    tokens, cut = model.tokens(captions)
    tokenizer = model.tokenizer
    found = []
    for text, row, longer in zip(captions, tokens.tolist(), cut, strict=True):
        if longer:
            most = tokenizer.model_max_length - 2
            raise InputError(
                f"{name}: {text!r} has more than {most} tokens; shorten it, or leave it out of the list"
            )
        pieces = [str(piece) for piece in tokenizer.convert_ids_to_tokens(row)]
        end = row.index(tokenizer.eos_token_id, 1)
        if end == 1:
            raise InputError(f"{name}: a prompt is empty, so no word can be named; leave it out of the list")
        words: list[str] = []
        word, begun = [-1], ""
        for piece in pieces[1:end]:
            word.append(len(words))
            begun += piece.removesuffix(_LAST)
            if piece.endswith(_LAST):
                words.append(begun)
                begun = ""
        found.append(Words(words, pieces, [*word, *[-1] * (len(row) - end)]))
    return found


def pull_back(
    model: TextToImageModel, captions: Sequence[str]
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Give what takes gradients from the output of the text encoder to the token embeddings at its input.

    Parameters
    ----------
    model : TextToImageModel
    captions : sequence of str
        n of them.

    Returns
    -------
    callable
        Rows of captions, int64 (m,), and gradients (m, L, D) to J^T g, (m, L, E): one backward pass.
    """
    tokens, _ = model.tokens(captions)
    encoder = model.text_encoder

    def pull(rows: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        held: list[torch.Tensor] = []

        def hold(_module: object, _inputs: object, out: torch.Tensor) -> torch.Tensor:
            held.append(out.detach().requires_grad_())
            return held[-1]

        with torch.inference_mode(False), torch.enable_grad(), full_float32():
            handle = encoder.get_input_embeddings().register_forward_hook(hold)
            try:
                hidden = encoder(tokens[rows.cpu()].to(model.device))[0]
            finally:
                handle.remove()
            (back,) = torch.autograd.grad(hidden, held[0], gradient.to(hidden))
        return back.detach()

    return pull


def token_texts(model: TextToImageModel) -> list[str]:
    """List the tokens of a tokenizer as texts, in the order of their numbers.

    Parameters
    ----------
    model : TextToImageModel

    Returns
    -------
    list of str
        One for each token, equal texts more than once; without the tokenizer's own marks, and without pieces
        of characters, which are no text by themselves.
    """
    tokenizer = model.tokenizer
    own = set(tokenizer.all_special_ids)
    texts = [tokenizer.decode([number]).strip() for number in range(len(tokenizer)) if number not in own]
    return [text for text in texts if text.isprintable() and text not in ("", "\N{REPLACEMENT CHARACTER}")]
