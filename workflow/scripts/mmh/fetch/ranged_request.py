"""One request for the bytes of a file from some place on, and what an answer says of the whole file."""

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmh.errors import reason_of

_BREAKS = (OSError, http.client.HTTPException, ValueError)
_PASSING = frozenset({408, 425, 429})  # of the 4xx answers, those that may be others a little later
_BLOCK = 2**20


class AttemptError(Exception):
    """One request gave no whole, right file; `again` if the same address may give it next time."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass(frozen=True)
class Body:
    """An answer: a stream from `start` on, and what it says of the whole file."""

    stream: Any
    start: int
    total: int | None
    etag: str | None = None
    modified: str | None = None
    is_page: bool = False

    def continues(self, start: int, memo: Mapping[str, Any], url: str) -> bool:
        """Tell whether these bytes fit on to those held: same place, same version of the file."""
        pairs: list[tuple[Any, Any]] = [(self.total, memo.get("total"))]
        if memo.get("url") == url:  # versions of two addresses cannot be compared
            pairs += [(self.etag, memo.get("etag")), (self.modified, memo.get("last_modified"))]
        return self.start == start and all(None in pair or pair[0] == pair[1] for pair in pairs)

    def blocks(self) -> Iterator[bytes]:
        """Give the bytes as they come."""
        while True:
            try:
                block = self.stream.read1(_BLOCK)  # what has arrived: a stall must not cost received bytes
            except _BREAKS as error:
                raise AttemptError(f"broke off ({reason_of(error)})", again=True) from error
            if not block:
                return
            yield block


def request_from(url: str, start: int, memo: Mapping[str, Any], timeout: float) -> Body:
    """Ask for the bytes from `start` on; a server may answer with all of them."""
    if urlsplit(url).scheme == "file":
        return _local(url, start)
    headers = {"User-Agent": "mmh", "Accept": "*/*"}
    if start:
        headers["Range"] = f"bytes={start}-"
        etag = memo.get("etag") or ""
        version = etag if etag and not etag.startswith("W/") else memo.get("last_modified")
        if version and memo.get("url") == url:
            headers["If-Range"] = version
    opener = urllib.request.build_opener(_Redirects)  # takes up the proxies of the environment
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            return request_from(url, 0, {}, timeout)
        again = error.code >= 500 or error.code in _PASSING
        raise AttemptError(f"answers {error.code} {reason_of(error)}", again=again) from error
    except _BREAKS as error:
        raise AttemptError(f"cannot be reached ({reason_of(error)})", again=True) from error
    begin, total = 0, answer.length
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
        begin, total = (int(match[1]), None if match[2] == "*" else int(match[2])) if match else (-1, None)
    is_page = answer.headers.get_content_type() in ("text/html", "application/xhtml+xml")
    version = (answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
    return Body(answer, begin, total, *version, is_page)


def _local(url: str, start: int) -> Body:
    try:
        file = Path(urllib.request.url2pathname(urlsplit(url).path)).open("rb")  # noqa: SIM115
    except OSError as error:
        raise AttemptError(f"cannot be read ({error.strerror})") from error
    state = os.fstat(file.fileno())
    file.seek(start)
    return Body(file, start, state.st_size, modified=str(state.st_mtime_ns))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https addresses only, and never from https to http."""

    def redirect_request(self, *request: Any) -> urllib.request.Request | None:
        if urlsplit(request[-1]).scheme not in ("https", "https" if request[0].type == "https" else "http"):
            raise urllib.error.URLError(f"redirects to {request[-1]}")
        return super().redirect_request(*request)
