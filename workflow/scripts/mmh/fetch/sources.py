"""Download of declared files: resumed after any stop, checked while they stream, from mirrors in turn.

Bytes go to a `.part` file at once, so that a kill loses nothing; beside it `.part.json` remembers which
version of which address they came from. Standard library only.
"""

import fcntl
import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmh.errors import InputError

Source = Mapping[str, Any]
Progress = Callable[..., Callable[[int], None]]

_BLOCK = 2**20
_HEAD = 512  # bytes that tell a web page from a file
_GAIN = 16 * 2**20  # an attempt that brought so much is no wasted one: a long download may break off often
_BREAKS = (OSError, http.client.HTTPException, ValueError)
_PASSING = frozenset({408, 425, 429})  # of the 4xx answers, those that may be others a little later


class _AttemptError(Exception):
    """One request gave no whole, right file; `again` if the same address may give it next time."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


def fetch(
    name: str,
    source: Source,
    part: Path,
    *,
    dropped: Path,
    offline: bool = False,
    timeout: float = 60,
    retries: int = 2,
    pause: float = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Bring one declared file to `part`, whole and checked.

    Bytes of one address are continued from another only if `sha256` is known. A whole file with a wrong
    digest cannot be continued: it is renamed to `<part>.bad`.

    Parameters
    ----------
    name : str
        File name, for messages.
    source : mapping
        Row of the configuration: `urls` (http, https or file addresses, tried in turn), `sha256` (hexadecimal
        or None), `bytes` (int or None), `licence`, `page` (where a person finds the file).
    part : path
        Where to write; what an earlier call left there is continued. The caller renames it.
    dropped : path
        Where a person may have put the file; it is then copied from there, after the same checks.
    offline : bool
        Use no network: file addresses and `dropped` only.
    timeout : float
        Seconds of silence after which a connection counts as broken.
    retries : int
        Further attempts at one address after a break or a passing error.
    pause : float
        Seconds before the first further attempt; doubles with each.
    progress : callable, optional
        ``progress(total, unit="MB")`` gives a function that is called with the megabytes held.

    Returns
    -------
    dict
        `url` (the address, or `dropped`), `sha256`, `bytes`, `resumed_from` (bytes that the last request did
        not ask for), `licence`, `sha256_declared`.

    Raises
    ------
    InputError
        If no address gives the right file, the dropped file is a wrong one, or offline there is none.
    OSError
        If `part` cannot be written; what it holds stays.
    """
    wanted = _Wanted(name, source, dropped, timeout, progress)
    for url in source["urls"]:
        if urlsplit(url).scheme not in ("http", "https", "file"):
            raise InputError(f"{name}: {url}: only http, https and file addresses can be fetched")
    urls = [url for url in source["urls"] if not offline or urlsplit(url).scheme == "file"]
    part.parent.mkdir(parents=True, exist_ok=True)
    if dropped.exists():
        (size, digest), url, resumed = _copy_dropped(wanted, part), str(dropped), 0
    else:
        with closing(_Part(part)) as held:
            if held.is_whole(wanted):
                url, resumed = held.memo.get("url", str(part)), held.size
            elif not urls:
                why = "downloads are off (offline)" if offline else "it cannot be downloaded by itself"
                raise InputError(f"{name}: {why}; {wanted.by_hand()}")
            else:
                url, resumed = _from_any(urls, wanted, held, retries, pause)
            size, digest = held.size, held.digest.hexdigest()
    for suffix in (".json", ".bad"):
        _beside(part, suffix).unlink(missing_ok=True)
    if not wanted.sha256:
        found = f"sha256: {digest} and bytes: {size}"
        print(f"note: {name} is not checked: its row in config.yaml has no sha256; write {found} there")
    content = {"sha256": digest, "bytes": size, "sha256_declared": bool(wanted.sha256)}
    return {"url": url, "resumed_from": resumed, "licence": source.get("licence"), **content}


class _Wanted:
    """What is known of a file beforehand, and how to ask for it and to tell of it."""

    def __init__(self, name: str, row: Source, dropped: Path, timeout: float, tell: Progress | None) -> None:
        self.name, self.dropped, self.timeout, self.progress = name, dropped, timeout, tell
        self.sha256: str = (row.get("sha256") or "").lower()
        self.size: int | None = row.get("bytes")
        self._where = row.get("page") or " or ".join(row["urls"]) or "its authors"
        self._total: int | None = None

    def fault(self, size: int, digest: str) -> str | None:
        """Say what is wrong with a whole file."""
        if self.size not in (None, size):
            return f"has {size} bytes, expected {self.size}"
        if self.sha256 not in ("", digest):
            return f"has sha256 {digest}, expected {self.sha256}"
        return None

    def by_hand(self) -> str:
        facts = f"{_amount(self.size)}, sha256 {self.sha256 or 'unknown'}"
        return f"put {self.name} ({facts}) at {self.dropped}; it can be had from {self._where}"

    def report(self, held: int, total: int | None) -> None:
        if self.progress and total:
            megabytes = -(-total // 10**6)
            if total != self._total:
                self._total, self._tell = total, self.progress(megabytes, unit="MB")
            self._tell(megabytes * held // total)


class _Part:
    """The bytes held so far, their running digest and their origin. Locked: two writers would mix them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memo_file = _beside(path, ".json")
        self._open()

    def close(self) -> None:
        self._file.close()
        if self.size == 0:
            self.path.unlink(missing_ok=True)
            self._memo_file.unlink(missing_ok=True)

    def _open(self) -> None:
        self._file = self.path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            advice = "another process is downloading this file; wait for it, or stop it"
            raise InputError(f"{self.path}: {advice}") from None
        except OSError:
            pass  # some network file systems have no locks
        self.size, self.digest = 0, hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                self.digest.update(block)
                self.size += len(block)
        try:
            memo = json.loads(self._memo_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            memo = None  # unknown origin
        self.memo: dict[str, Any] = memo if isinstance(memo, dict) else {}

    def is_whole(self, wanted: _Wanted) -> bool:
        """Tell whether nothing is missing; a file that is whole but not the right one is set aside."""
        total = wanted.size or self.memo.get("total")
        if wanted.sha256:
            whole = self.size > 0 and wanted.fault(self.size, self.digest.hexdigest()) is None
        else:  # without an origin nothing vouches for it
            whole = self.size > 0 and bool(self.memo) and self.size == total
        if not whole and total and self.size >= total:
            self.set_aside()
        return whole

    def restart(self, memo: dict[str, Any]) -> None:
        self._file.truncate(0)
        self.size, self.digest, self.memo = 0, hashlib.sha256(), memo
        new = _beside(self._memo_file, ".new")
        new.write_text(json.dumps(memo, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(self._memo_file)

    def append(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            written = self._file.write(rest)
            self.digest.update(rest[:written])
            self.size += written
            rest = rest[written:]

    def set_aside(self) -> None:
        self._file.close()
        self.path.replace(_beside(self.path, ".bad"))
        self._memo_file.unlink(missing_ok=True)
        self._open()


@dataclass(frozen=True)
class _Body:
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
        while True:
            try:
                block = self.stream.read1(_BLOCK)  # what has arrived: a stall must not cost received bytes
            except _BREAKS as error:
                raise _AttemptError(f"broke off ({_reason(error)})", again=True) from error
            if not block:
                return
            yield block


def _from_any(urls: list[str], wanted: _Wanted, part: _Part, retries: int, pause: float) -> tuple[str, int]:
    """Try the addresses in turn; the one that gave the file, and where its last request began."""
    faults = []
    for url in urls:
        left, best = retries, part.size
        while True:
            try:
                return url, _receive(url, wanted, part)
            except _AttemptError as error:
                if part.size >= best + _GAIN:
                    left, best = retries, part.size
                if not error.again or not left:
                    faults.append(f"{url}: {error}")
                    print(faults[-1], flush=True)
                    break
                seconds = pause * 2 ** (retries - left)
                left -= 1
                print(f"{url}: {error}; again in {seconds:g} s", flush=True)
                time.sleep(seconds)
    advice = f"run again to resume ({_amount(part.size)} are kept in {part.path}), or " if part.size else ""
    if any("expected" in fault for fault in faults):
        bad = _beside(part.path, ".bad")
        aside = f" (the wrong file is kept as {bad})" if bad.exists() else ""
        advice += f"if it was replaced there on purpose{aside}, correct its row in config.yaml; else "
    raise InputError(f"{wanted.name}: no address gave it: {'; '.join(faults)}. {advice}{wanted.by_hand()}")


def _receive(url: str, wanted: _Wanted, part: _Part) -> int:
    """Make one request and append what comes; returns where it began."""
    # Without a digest nothing would tell two versions that were glued together.
    start = part.size if wanted.sha256 or part.memo.get("url") == url else 0
    body = _request(url, start, part.memo, wanted.timeout)
    if body.start and not body.continues(start, part.memo, url):
        body.stream.close()
        body = _request(url, 0, {}, wanted.timeout)
    with body.stream:
        if body.start not in (0, start):
            raise _AttemptError("sends another piece of the file than was asked for")
        blocks, head = body.blocks(), b""
        while len(head) < _HEAD and (block := next(blocks, b"")):
            head += block
        if body.is_page or (body.start == 0 and _is_page(head)):
            raise _AttemptError("gives a web page (HTML), expected the file")
        if None not in (wanted.size, body.total) and body.total != wanted.size:
            raise _AttemptError(f"offers {body.total} bytes, expected {wanted.size}")
        if body.start == 0:  # only now is it sure that something better than the bytes held has come
            memo = {"etag": body.etag, "last_modified": body.modified, "total": body.total}
            part.restart({"url": url, **memo})
        part.append(head)
        total = wanted.size or body.total
        for block in blocks:
            wanted.report(part.size, total)
            part.append(block)
            if total and part.size > total:
                break
    if total and part.size < total:
        raise _AttemptError(f"broke off after {part.size} of {total} bytes", again=True)
    if part.size == 0:
        raise _AttemptError("sends an empty file")
    fault = wanted.fault(part.size, part.digest.hexdigest())
    if total and part.size > total:
        fault = f"sends more bytes than the {total} expected"
    if fault:
        part.set_aside()
        raise _AttemptError(fault, again=body.start > 0)  # the bytes from before may be to blame
    wanted.report(part.size, part.size)
    return body.start


def _request(url: str, start: int, memo: Mapping[str, Any], timeout: float) -> _Body:
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
            return _request(url, 0, {}, timeout)
        again = error.code >= 500 or error.code in _PASSING
        raise _AttemptError(f"answers {error.code} {_reason(error)}", again=again) from error
    except _BREAKS as error:
        raise _AttemptError(f"cannot be reached ({_reason(error)})", again=True) from error
    begin, total = 0, answer.length
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
        begin, total = (int(match[1]), None if match[2] == "*" else int(match[2])) if match else (-1, None)
    is_page = answer.headers.get_content_type() in ("text/html", "application/xhtml+xml")
    version = (answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
    return _Body(answer, begin, total, *version, is_page)


def _local(url: str, start: int) -> _Body:
    try:
        file = Path(urllib.request.url2pathname(urlsplit(url).path)).open("rb")  # noqa: SIM115
    except OSError as error:
        raise _AttemptError(f"cannot be read ({error.strerror})") from error
    state = os.fstat(file.fileno())
    file.seek(start)
    return _Body(file, start, state.st_size, modified=str(state.st_mtime_ns))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https addresses only, and never from https to http."""

    def redirect_request(self, *request: Any) -> urllib.request.Request | None:
        if urlsplit(request[-1]).scheme not in ("https", "https" if request[0].type == "https" else "http"):
            raise urllib.error.URLError(f"redirects to {request[-1]}")
        return super().redirect_request(*request)


def _copy_dropped(wanted: _Wanted, part: Path) -> tuple[int, str]:
    """Copy a file that a person put there, as from an address; its size and digest."""
    copy = _beside(part, ".copy")
    copy.unlink(missing_ok=True)
    try:
        with closing(_Part(copy)) as held:
            _receive(wanted.dropped.resolve().as_uri(), wanted, held)
            copy.replace(part)
        return held.size, held.digest.hexdigest()
    except _AttemptError as error:
        raise InputError(f"{wanted.dropped}: {error}; replace or remove it: {wanted.by_hand()}") from error
    finally:
        for suffix in ("", ".json", ".bad"):
            _beside(copy, suffix).unlink(missing_ok=True)


def _is_page(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html"))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _amount(size: int | None) -> str:
    if size is None:
        return "size unknown"
    return f"{size / 1e6:.1f} MB" if size >= 10**5 else f"{size} bytes"


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
