"""Fetch the images of a list: in parallel, few at a time from one host, and each in bounded time and memory.

Whatever an address does, it ends in one line of the journal (`mmh.fetch.ledger`); none stops the run. A
stopped run is continued by the next: addresses in the journal are not asked for again. Addresses are not
compared with private networks: a list is trusted as far as a browser that opened its links would be.
"""

import hashlib
import queue
import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmh.errors import InputError
from mmh.fetch.host_schedule import Job, Later, Schedule, host_of
from mmh.fetch.image_policy import UndecodableError, decode, is_one_colour, perceptual_hash
from mmh.fetch.ledger import Journal
from mmh.fetch.options import FetchOptions
from mmh.fetch.timed_http import Answer, Clock, RequestError, request, requestable
from mmh.io.files import atomic

_GONE = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 403, 407, 451})
_PASSING = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONTENT = re.compile(
    r"(text|video|audio|font|multipart)/|application/(json|xml|xhtml|pdf|javascript)|image/svg"
)
_NOT_FOUND = re.compile(
    r"(no|not)[-_ ]?(image|img|photo|pic|found|avail)|unavailable|placeholder|removed|deleted|missing|404",
    re.I,
)
_NO_ANSWER_AT_ALL = 20  # addresses without a single answer among them may mean that there is no network
_WITNESSES = 3  # addresses that answered before, asked again to tell


Outcome = tuple[dict[str, Any], bytes | None]  # a record, and the image if it is to be stored


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
            crew = _Crew(open_urls, options)
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


def admit(url: str, data: bytes, *, max_pixels: int, http_status: int | None = None) -> Outcome:
    """Decide by its bytes whether something is an image.

    Parameters
    ----------
    url : str
    data : bytes
    max_pixels : int
    http_status : int, optional

    Returns
    -------
    record : dict
        For the journal; status ``ok``, ``placeholder``, ``too_large``, ``truncated`` or ``not_an_image``.
    data : bytes or None
        None unless the image is to be stored.
    """
    facts: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    try:
        decoded = decode(data, max_pixels=max_pixels)
    except UndecodableError as error:
        return _record(url, error.status, str(error), http_status, **facts), None
    facts |= {"phash": perceptual_hash(decoded.image)}
    facts |= dict(zip(("width", "height"), decoded.image.size, strict=True))
    if is_one_colour(decoded.image):
        return _record(url, "placeholder", "one colour", http_status, **facts), None
    facts["file"] = f"{facts['sha256']}.{decoded.suffix}"
    return _record(url, "ok", None, http_status, **facts), data


class _Crew:
    """Threads that work off a schedule. Nothing waits for them when a run is stopped: they hold no state."""

    def __init__(self, urls: Sequence[str], options: FetchOptions) -> None:
        self._options = options
        self._results: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._decoding = threading.Lock()  # a decoded image may take hundreds of megabytes
        jobs = []
        for url in urls:
            try:
                jobs.append(Job(url, requestable(url)))
            except RequestError as error:
                self._results.put((_record(url, error.status, str(error)), None))
        self._expected, self.size = len(urls), len(jobs)
        self._schedule = Schedule(jobs, options.per_host)
        for _ in range(min(options.workers, len(jobs))):
            threading.Thread(target=self._work, daemon=True).start()

    def outcomes(self) -> Iterable[Outcome]:
        for _ in range(self._expected):
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            yield result

    def stop(self) -> None:
        self._schedule.stop()

    def _work(self) -> None:
        while job := self._schedule.take():
            host, later = host_of(job.target), None
            try:
                result = self._attempt(job)
                if isinstance(result, Later):
                    later = result
                else:
                    self._results.put(result)
            except BaseException as error:  # a fault of this program: the run ends with it
                self._results.put(error)
            finally:
                self._schedule.give_back(host, later)

    def _attempt(self, job: Job) -> Outcome | Later:
        """Make one request."""
        options = self._options
        clock = Clock(options.connect, options.read, options.total, job.spent)
        headers = {
            "User-Agent": options.user_agent,
            "Accept": "image/jpeg, image/png, image/webp, image/gif, */*;q=0.1",
            "Accept-Encoding": "identity",
        }
        status: int | None = None
        try:
            answer = request(job.target, clock, headers)
            try:
                status = answer.status
                if status in _REDIRECTS and (place := answer.headers.get("Location")):
                    return self._redirected(job, place, clock)
                self._refuse(answer)
                if job.hops and _tells_absence(job.target) and not _tells_absence(job.url):
                    raise RequestError("placeholder", f"redirects to {job.target[:200]}")
                data = answer.body(options.max_bytes)
            finally:
                answer.close()
            with self._decoding:
                record, kept = admit(job.url, data, max_pixels=options.max_pixels, http_status=status)
            if record["status"] == "truncated" and answer.length is None and job.tries < options.retries:
                raise RequestError("truncated", record["reason"], again=True)
            return record, kept
        except _PatienceError as error:
            if job.tries < options.retries and error.seconds <= options.longest_wait:
                return self._again(job, error.seconds, whole_host=True)
            return _record(job.url, error.status, str(error), status), None
        except RequestError as error:
            if error.again and job.tries < options.retries:
                return self._again(job, options.pause * 2**job.tries)
            return _record(job.url, error.status, str(error), status), None

    def _redirected(self, job: Job, place: str, clock: Clock) -> Later:
        if job.hops >= self._options.redirects:
            raise RequestError("redirect_loop", f"more than {self._options.redirects} redirects")
        # Latin-1 is what headers are read as; what servers send in them is UTF-8.
        place = place.encode("latin-1", "replace").decode("utf-8", "replace")
        target = requestable(place, job.target)
        return Later(Job(job.url, target, job.hops + 1, job.tries, clock.spent))

    def _again(self, job: Job, seconds: float, *, whole_host: bool = False) -> Later:
        # From the beginning: another redirect may lead elsewhere.
        return Later(Job(job.url, requestable(job.url), tries=job.tries + 1), seconds, whole_host)

    def _refuse(self, answer: Answer) -> None:
        """Refuse by the head of an answer what need not be read."""
        status = answer.status
        said = " ".join(f"answers {status} {answer.phrase}".split())
        if status >= 500 or status in _PASSING:
            asked = _seconds(answer.headers.get("Retry-After"))
            if asked is None:
                raise RequestError("server_error", said, again=True)
            raise _PatienceError("server_error", f"{said}, asks to wait {asked:.0f} s", asked)
        if status in _FORBIDDEN:
            raise RequestError("forbidden", said)
        if status != 200:
            raise RequestError("dead" if status >= 300 else "not_an_image", said)
        kind = answer.headers.get_content_type() if "Content-Type" in answer.headers else ""
        if _CONTENT.match(kind):
            raise RequestError("not_an_image", f"is of type {kind}")


class _PatienceError(RequestError):
    """A server says when to come again."""

    def __init__(self, status: str, reason: str, seconds: float) -> None:
        super().__init__(status, reason, again=True)
        self.seconds = seconds


def _record(
    url: str, status: str, reason: str | None, http_status: int | None = None, **facts: Any
) -> dict[str, Any]:
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"url": url, "status": status, "reason": reason, "http_status": http_status, "date": date, **facts}


def _has_network(journal: Journal, failed: Collection[str], options: FetchOptions) -> bool:
    """Ask again for a few addresses that answered in an earlier run, of different hosts if there are any."""
    answered = [r["url"] for r in journal.records.values() if r["http_status"] is not None]
    urls = [url for url in answered if url not in failed]
    by_host = {host_of(url): url for url in urls}
    witnesses = list(dict.fromkeys([*by_host.values(), *urls]))[:_WITNESSES]
    crew = _Crew(witnesses, options.model_copy(update={"retries": 0}))
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


def _tells_absence(url: str) -> bool:
    return _NOT_FOUND.search(urlsplit(url).path.rpartition("/")[2]) is not None


def _seconds(retry_after: str | None) -> float | None:
    """What a Retry-After header asks for: seconds, or a date."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
        return max((when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0)
    except (ValueError, TypeError, OverflowError):
        return None
