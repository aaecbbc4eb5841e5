"""Requests to a server of OpenAI's interface: time-outs, retries, a budget, and answers that are kept."""

from __future__ import annotations

import datetime
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.rewriters.base import Answer

LARGEST = 2**20
"""Bytes of an answer that are read at most."""
LONGEST_WAIT = 60.0
"""Seconds to wait for a server at most, whatever it asks for."""
PASSING = (408, 409, 425, 429)


class _AgainError(Exception):
    """A failure that may pass, with the seconds that the server asks to wait."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows none: the key would go to another server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """Asks a server.

    Parameters
    ----------
    options : Options
        Of `mmh.rewriters.openai`.
    sleep : callable
        Waits so many seconds.

    Attributes
    ----------
    calls : int
        Requests so far.
    """

    def __init__(self, options: Any, sleep: Callable[[float], object] = time.sleep) -> None:
        self.options, self.sleep, self.calls = options, sleep, 0
        self._opener = urllib.request.build_opener(_NoRedirects())

    def answer(self, question: Mapping[str, Any], number: str) -> Answer:
        """Give the answer to a question, from the folder of answers if it is there.

        Parameters
        ----------
        question : mapping
            Body of the request.
        number : str
            Tells equal questions apart that want answers of their own.

        Returns
        -------
        Answer

        Raises
        ------
        InputError
            If there is no key, no server, no more budget, or the server refuses.
        """
        text = json.dumps({"question": question, "number": number}, sort_keys=True)
        file = Path(self.options.cache, f"{hashlib.sha256(text.encode()).hexdigest()}.json")
        if file.is_file():
            try:
                kept = json.loads(file.read_text(encoding="utf-8"))
                return Answer(kept["answer"], kept["model"], kept["date"])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{file}: is no answer that was kept; remove it") from error
        found = self._asked(question)
        kept = {"answer": found.text, "model": found.model, "date": found.date, "question": dict(question)}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        part.replace(file)
        return found

    def _asked(self, question: Mapping[str, Any]) -> Answer:
        url, failures = f"{self.options.base_url.rstrip('/')}/chat/completions", 0
        while True:
            if self.calls >= self.options.calls:
                raise InputError(
                    f"rewriter openai: the budget of {self.options.calls} requests is spent; answers are "
                    "kept: raise calls and go on"
                )
            self.calls += 1
            try:
                return self._once(url, question)
            except _AgainError as error:
                if failures >= self.options.retries:
                    raise InputError(
                        f"rewriter openai: {url} failed {failures + 1} times, last: {error}; set base_url to "
                        "a server that answers, or raise retries or timeout"
                    ) from None
                own = self.options.wait * 2**failures
                self.sleep(min(own if error.wait is None else max(error.wait, own), LONGEST_WAIT))
                failures += 1

    def _once(self, url: str, question: Mapping[str, Any]) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"} | self._key()
        end = time.monotonic() + self.options.timeout
        try:
            body = json.dumps(question).encode()
            request = urllib.request.Request(url, body, headers, method="POST")
            with self._opener.open(request, timeout=self.options.timeout) as response:
                parts, size = [], 0
                while part := response.read1(2**14):
                    parts.append(part)
                    size += len(part)
                    if size > LARGEST:
                        raise _AgainError(f"an answer of more than {LARGEST} bytes")
                    if time.monotonic() > end:
                        raise _AgainError(f"no whole answer within {self.options.timeout:g} seconds")
        except urllib.error.HTTPError as error:
            raise self._refused(url, error) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise _AgainError(str(getattr(error, "reason", error)) or type(error).__name__) from None
        except ValueError as error:
            raise InputError(f"rewriter openai: base_url: {url!r} is no address ({error})") from None
        return self._read(b"".join(parts))

    def _read(self, body: bytes) -> Answer:
        try:
            found = json.loads(body)
            text = found["choices"][0]["message"]["content"]
            model = str(found.get("model") or self.options.model)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise _AgainError("an answer that is cut off, or no chat completion") from None
        if not model.startswith(self.options.model):  # dates may follow
            raise InputError(
                f"rewriter openai: {self.options.model!r} was asked for and {model!r} answered; set model to "
                "what the server has"
            )
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        return Answer(str(text or ""), model, today)

    def _refused(self, url: str, error: urllib.error.HTTPError) -> Exception:
        try:
            said = json.loads(error.read(2**14))["error"]["message"]
        except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
            said = error.reason
        said = " ".join(self._without_key(str(said)).split())[:200]
        if error.code in PASSING or error.code >= 500:
            asked = str(error.headers.get("Retry-After") or "")
            return _AgainError(f"{error.code} {said}", float(asked) if asked.isdigit() else None)
        if error.code in (401, 403):
            name = self.options.key_variable or "key_variable"
            return InputError(
                f"rewriter openai: {url} refuses the key ({error.code}); set {name} to one it takes"
            )
        return InputError(f"rewriter openai: {url} refuses ({error.code} {said}); check base_url and model")

    def _key(self) -> dict[str, str]:
        name = self.options.key_variable
        if not name:
            return {}
        key = os.environ.get(name, "").strip()
        if not key:
            raise InputError(
                f"rewriter openai: no key; set the environment variable {name}, or key_variable to '' if the "
                "server asks for none"
            )
        return {"Authorization": f"Bearer {key}"}

    def _without_key(self, text: str) -> str:
        key = os.environ.get(self.options.key_variable, "").strip() if self.options.key_variable else ""
        return text.replace(key, "***") if key else text
