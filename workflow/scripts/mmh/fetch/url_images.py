"""Fetch the images of a list: in parallel, few at a time from one host, and each in bounded time and memory.

Whatever an address does, it ends in one line of the journal (`mmh.fetch.ledger`); none stops the run. A
stopped run is continued by the next: addresses in the journal are not asked for again. Addresses are not
compared with private networks: a list is trusted as far as a browser that opened its links would be.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.fetch.admission import admit
from mmh.fetch.crew import Crew
from mmh.fetch.host_schedule import host_of
from mmh.fetch.ledger import Journal
from mmh.fetch.options import FetchOptions
from mmh.io.files import atomic

_NO_ANSWER_AT_ALL = 20  # addresses without a single answer among them may mean that there is no network
_WITNESSES = 3  # addresses that answered before, asked again to tell


def fetch_images(
    urls: Iterable[str],
    folder: Path,
    *,
    options: FetchOptions | None = None,
    offline: bool = False,
    again: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Bring images to a folder as ``<sha256>.<suffix>``; its journal says what became of each address.

    Parameters
    ----------
    urls : iterable of str
        Addresses; repeated ones are asked for once.
    folder : path
    options : FetchOptions, optional
    offline : bool
        Ask for nothing: what the journal holds is all there is.
    again : collection of str
        Statuses whose addresses are asked for once more; images that are missing from the folder always are.
    progress : callable, optional
        Called with the number of addresses finished, those of earlier runs included.

    Returns
    -------
    dict
        The journal's record of each address that has one.

    Raises
    ------
    InputError
        If the journal is damaged, or 20 addresses or more were asked for and not one host answered, nor
        does one that did in an earlier run; these are not recorded.
    KeyboardInterrupt
        As it comes; what was finished is recorded.
    """
    wanted = list(dict.fromkeys(urls))
    with Journal(folder) as journal:
        open_urls = [url for url in wanted if _is_open(journal, url, again)]
        done = len(wanted) - len(open_urls)
        if open_urls and not offline:
            options = options or FetchOptions()
            crew = Crew(open_urls, options)
            held: list[dict[str, Any]] = []  # unanswered, as long as nothing shows that there is a network
            online = False
            try:
                for place, (record, data) in enumerate(crew.outcomes(), done + 1):
                    online = online or record["http_status"] is not None
                    if data is not None:
                        _store(folder / record["file"], data)
                    held.append(record)
                    if online or crew.size < _NO_ANSWER_AT_ALL:
                        _flush(journal, held)
                    if progress:
                        progress(place)
            finally:
                crew.stop()
            if held and _has_network(journal, {record["url"] for record in held}, options):
                _flush(journal, held)  # the addresses are at fault: what is left of a list may all be dead
            if held:
                raise InputError(
                    f"{folder}: none of {len(held)} addresses gave an answer, the last because it "
                    f"{held[-1]['reason']}; is there a network? Nothing was recorded; run again, or set "
                    "offline: true"
                )
        return {url: journal.records[url] for url in wanted if url in journal.records}


def store_images(
    images: Iterable[tuple[str, bytes]], folder: Path, *, max_pixels: int
) -> dict[str, dict[str, Any]]:
    """Admit images that are at hand, such as those within a data set of the hub, as if they had been fetched.

    Parameters
    ----------
    images : iterable of (str, bytes)
        Name and file of each.
    folder : path
    max_pixels : int
        As in `FetchOptions`.

    Returns
    -------
    dict
        As `fetch_images`.

    Raises
    ------
    InputError
        As `fetch_images` does.
    """
    found = {}
    with Journal(folder) as journal:
        for url, data in images:
            record = journal.records.get(url)
            if (
                record is None
                or record["sha256"] != hashlib.sha256(data).hexdigest()
                or _lost(journal, record)
            ):
                record, kept = admit(url, data, max_pixels=max_pixels)
                if kept is not None:
                    _store(folder / record["file"], kept)
                journal.add(record)
            found[url] = journal.records[url]
    return found


def _has_network(journal: Journal, failed: Collection[str], options: FetchOptions) -> bool:
    """Ask again for a few addresses that answered in an earlier run, of different hosts if there are any."""
    answered = [r["url"] for r in journal.records.values() if r["http_status"] is not None]
    urls = [url for url in answered if url not in failed]
    by_host = {host_of(url): url for url in urls}
    witnesses = list(dict.fromkeys([*by_host.values(), *urls]))[:_WITNESSES]
    crew = Crew(witnesses, options.model_copy(update={"retries": 0}))
    try:
        return any(record["http_status"] is not None for record, _ in crew.outcomes())
    finally:
        crew.stop()


def _is_open(journal: Journal, url: str, again: Collection[str]) -> bool:
    record = journal.records.get(url)
    return record is None or record["status"] in again or _lost(journal, record)


def _lost(journal: Journal, record: Mapping[str, Any]) -> bool:
    return record["status"] == "ok" and not journal.holds(record)


def _flush(journal: Journal, held: list[dict[str, Any]]) -> None:
    for record in held:
        journal.add(record)
    held.clear()


def _store(path: Path, data: bytes) -> None:
    if not path.exists() or path.stat().st_size != len(data):
        with atomic(path) as partial:
            partial.write_bytes(data)
