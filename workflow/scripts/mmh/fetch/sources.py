"""Download of declared files: resumed after any stop, checked while they stream, from mirrors in turn.

Bytes go to a `.part` file at once, so that a kill loses nothing; beside it `.part.json` remembers which
version of which address they came from. Standard library only.
"""

import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmh.errors import InputError
from mmh.fetch.part_file import PartFile, Progress, Source, WantedFile, amount, beside
from mmh.fetch.ranged_request import AttemptError, request_from

_HEAD = 512  # bytes that tell a web page from a file
_GAIN = 16 * 2**20  # an attempt that brought so much is no wasted one: a long download may break off often


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
    wanted = WantedFile(name, source, dropped, timeout, progress)
    for url in source["urls"]:
        if urlsplit(url).scheme not in ("http", "https", "file"):
            raise InputError(f"{name}: {url}: only http, https and file addresses can be fetched")
    urls = [url for url in source["urls"] if not offline or urlsplit(url).scheme == "file"]
    part.parent.mkdir(parents=True, exist_ok=True)
    if dropped.exists():
        (size, digest), url, resumed = _copy_dropped(wanted, part), str(dropped), 0
    else:
        with closing(PartFile(part)) as held:
            if held.is_whole(wanted):
                url, resumed = held.memo.get("url", str(part)), held.size
            elif not urls:
                why = "downloads are off (offline)" if offline else "it cannot be downloaded by itself"
                raise InputError(f"{name}: {why}; {wanted.by_hand()}")
            else:
                url, resumed = _from_any(urls, wanted, held, retries, pause)
            size, digest = held.size, held.digest.hexdigest()
    for suffix in (".json", ".bad"):
        beside(part, suffix).unlink(missing_ok=True)
    if not wanted.sha256:
        found = f"sha256: {digest} and bytes: {size}"
        print(f"note: {name} is not checked: its row in config.yaml has no sha256; write {found} there")
    content = {"sha256": digest, "bytes": size, "sha256_declared": bool(wanted.sha256)}
    return {"url": url, "resumed_from": resumed, "licence": source.get("licence"), **content}


def _from_any(
    urls: list[str], wanted: WantedFile, part: PartFile, retries: int, pause: float
) -> tuple[str, int]:
    """Try the addresses in turn; the one that gave the file, and where its last request began."""
    faults = []
    for url in urls:
        left, best = retries, part.size
        while True:
            try:
                return url, _receive(url, wanted, part)
            except AttemptError as error:
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
    advice = f"run again to resume ({amount(part.size)} are kept in {part.path}), or " if part.size else ""
    if any("expected" in fault for fault in faults):
        bad = beside(part.path, ".bad")
        aside = f" (the wrong file is kept as {bad})" if bad.exists() else ""
        advice += f"if it was replaced there on purpose{aside}, correct its row in config.yaml; else "
    raise InputError(f"{wanted.name}: no address gave it: {'; '.join(faults)}. {advice}{wanted.by_hand()}")


def _receive(url: str, wanted: WantedFile, part: PartFile) -> int:
    """Make one request and append what comes; returns where it began."""
    # Without a digest nothing would tell two versions that were glued together.
    start = part.size if wanted.sha256 or part.memo.get("url") == url else 0
    body = request_from(url, start, part.memo, wanted.timeout)
    if body.start and not body.continues(start, part.memo, url):
        body.stream.close()
        body = request_from(url, 0, {}, wanted.timeout)
    with body.stream:
        if body.start not in (0, start):
            raise AttemptError("sends another piece of the file than was asked for")
        blocks, head = body.blocks(), b""
        while len(head) < _HEAD and (block := next(blocks, b"")):
            head += block
        if body.is_page or (body.start == 0 and _is_page(head)):
            raise AttemptError("gives a web page (HTML), expected the file")
        if None not in (wanted.size, body.total) and body.total != wanted.size:
            raise AttemptError(f"offers {body.total} bytes, expected {wanted.size}")
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
        raise AttemptError(f"broke off after {part.size} of {total} bytes", again=True)
    if part.size == 0:
        raise AttemptError("sends an empty file")
    fault = wanted.fault(part.size, part.digest.hexdigest())
    if total and part.size > total:
        fault = f"sends more bytes than the {total} expected"
    if fault:
        part.set_aside()
        raise AttemptError(fault, again=body.start > 0)  # the bytes from before may be to blame
    wanted.report(part.size, part.size)
    return body.start


def _copy_dropped(wanted: WantedFile, part: Path) -> tuple[int, str]:
    """Copy a file that a person put there, as from an address; its size and digest."""
    copy = beside(part, ".copy")
    copy.unlink(missing_ok=True)
    try:
        with closing(PartFile(copy)) as held:
            _receive(wanted.dropped.resolve().as_uri(), wanted, held)
            copy.replace(part)
        return held.size, held.digest.hexdigest()
    except AttemptError as error:
        raise InputError(f"{wanted.dropped}: {error}; replace or remove it: {wanted.by_hand()}") from error
    finally:
        for suffix in ("", ".json", ".bad"):
            beside(copy, suffix).unlink(missing_ok=True)


def _is_page(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html"))
