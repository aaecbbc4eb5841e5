"""A rewriter that runs here: a local instruction model."""

from __future__ import annotations

from typing import Any

from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import Field
from mmh.rewriters.base import Answer, Ask, Rewriter, instruction


class Local(Rewriter):
    """A causal language model of the transformers library, by its folder or its id on the hub."""

    name, printed = "transformers", "local model"
    seconds = 10.0

    class Options(options.Options):
        """A local instruction model."""

        model: str = Field(min_length=1)
        """folder of the model, or its id on the hub"""
        tokens: int = Field(default=80, ge=1)
        """most tokens of an answer"""
        temperature: float = Field(default=1.0, gt=0)
        """temperature of the draw"""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._loaded: Any = None

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Draw an answer, token by token; it depends on (seed, set, prompt, repeat, attempt) alone."""
        import torch

        from mmh.compute import rng

        model, tokenizer = self._load()
        said = instruction(ask.text, ask.unwanted)
        if tokenizer.chat_template:
            talk = [{"role": "user", "content": said}]
            said = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(said, return_tensors="pt")["input_ids"]
        random = rng.generator(ask.seed, f"rewrite:{ask.prompt_set}", ask.prompt, ask.repeat, attempt)
        begun = ids.shape[1]
        with torch.no_grad():
            for _ in range(self.options.tokens):
                logits = model(ids).logits[0, -1].double() / self.options.temperature
                share = torch.softmax(logits, dim=0).cumsum(0)
                place = torch.searchsorted(share, torch.tensor(random.random(), dtype=share.dtype))
                drawn = place.clamp(max=len(share) - 1).reshape(1, 1)
                if int(drawn) == tokenizer.eos_token_id:
                    break
                ids = torch.cat([ids, drawn], dim=1)
        text = tokenizer.decode(ids[0, begun:], skip_special_tokens=True)
        return Answer(text, str(self.options.model))

    def _load(self) -> Any:
        if self._loaded is None:
            from mmh.light_transformers import transformers, uncompiled

            library = transformers()
            name = self.options.model
            try:
                with uncompiled():
                    model = library.AutoModelForCausalLM.from_pretrained(name).eval()
                self._loaded = model, library.AutoTokenizer.from_pretrained(name)
            except (OSError, ValueError) as error:
                reason = str(error).splitlines()[0][:120]
                raise InputError(
                    f"rewriter: no language model {name!r} can be loaded ({reason}); set model to a folder "
                    "that holds one, or to an id on the hub"
                ) from error
        return self._loaded
