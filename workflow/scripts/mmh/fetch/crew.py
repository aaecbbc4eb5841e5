"""Threads that ask for the addresses of a list, until each has an outcome or the run is stopped."""

import queue
import re
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mmh.fetch.admission import Outcome, admit, journal_record
from mmh.fetch.clock import Clock
from mmh.fetch.host_schedule import Job, Later, Schedule, host_of
from mmh.fetch.options import FetchOptions
from mmh.fetch.timed_http import Answer, RequestError, request, requestable

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


class Crew:
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
                self._results.put((journal_record(url, error.status, str(error)), None))
        self._expected, self.size = len(urls), len(jobs)
        self._schedule = Schedule(jobs, options.per_host)
        for _ in range(min(options.workers, len(jobs))):
            threading.Thread(target=self._work, daemon=True).start()

    def outcomes(self) -> Iterable[Outcome]:
        """Give what became of each address, as it is known; a fault of this program ends them."""
        for _ in range(self._expected):
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            yield result

    def stop(self) -> None:
        """Take up no address any more."""
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
            return journal_record(job.url, error.status, str(error), status), None
        except RequestError as error:
            if error.again and job.tries < options.retries:
                return self._again(job, options.pause * 2**job.tries)
            return journal_record(job.url, error.status, str(error), status), None

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
