"""A rewriter behind a server that speaks OpenAI's interface, wherever it runs."""

from __future__ import annotations

import re
from typing import Any

from mmh.options import base as options
from mmh.options.base import Field
from mmh.rewriters.base import Answer, Ask, Rewriter, instruction


class OpenAi(Rewriter):
    """POST <base_url>/chat/completions; answers are kept by the content of the question.

    The key comes from the environment and stands in no file, no log and no message.
    """

    name, printed = "openai", "language model"
    seconds = 2.0

    class Options(options.Options):
        """A server of OpenAI's interface."""

        base_url: str = Field(min_length=1)
        """address before /chat/completions, such as http://localhost:8000/v1"""
        model: str = Field(min_length=1)
        """name of the model, as the server knows it; the paper's is gpt-4o"""
        key_variable: str = "OPENAI_API_KEY"
        """environment variable that holds the key; empty: the server asks for none"""
        temperature: float = Field(default=1.0, ge=0)
        """temperature of the draw"""
        tokens: int = Field(default=80, ge=1)
        """most tokens of an answer"""
        timeout: float = Field(default=60, gt=0)
        """seconds that one request may take"""
        retries: int = Field(default=5, ge=0)
        """further requests after a failure that may pass: 429, 5xx, time-outs, broken answers"""
        wait: float = Field(default=1, ge=0)
        """seconds before the first of them; doubled for each further one"""
        calls: int = Field(default=1000, ge=1)
        """most requests of a job: a budget"""
        cache: str = "resources/rewrites"
        """folder in which answers are kept"""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._client: Any = None

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Ask the server, or the answers that are kept."""
        from mmh.rewriters.server import Client

        if self._client is None:
            self._client = Client(self.options)
        said = {
            "model": self.options.model,
            "messages": [{"role": "user", "content": instruction(ask.text, ask.unwanted)}],
            "temperature": self.options.temperature,
            "max_tokens": self.options.tokens,
        }
        # Another repeat or attempt is another question, though the server is told nothing of it.
        found: Answer = self._client.answer(said, f"{ask.seed}:{ask.repeat}:{attempt}")
        return Answer(re.sub(r"^caption:\s*", "", found.text, flags=re.IGNORECASE), found.model, found.date)
