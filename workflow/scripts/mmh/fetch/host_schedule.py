"""Work on many hosts by several threads: few jobs of one host at a time, some not before their time."""

import heapq
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Job:
    """An address of the list, and how far it has come."""

    url: str
    target: str  # where it leads by now
    hops: int = 0
    tries: int = 0
    spent: float = 0  # seconds of this attempt, over its redirects


@dataclass(frozen=True)
class Later:
    """A job to be taken up again."""

    job: Job
    seconds: float = 0
    whole_host: bool = False  # nothing is asked of its host before


class Schedule:
    """Jobs by host.

    Parameters
    ----------
    jobs : sequence of Job
    per_host : int
        Jobs of one host that may be taken at a time.
    """

    def __init__(self, jobs: Sequence[Job], per_host: int) -> None:
        self._per_host, self._open = per_host, len(jobs)
        self._waiting: dict[str, deque[Job]] = {}
        self._busy: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._later: list[tuple[float, int, Job]] = []
        self._count = 0
        self._change = threading.Condition()
        self._stopped = False
        for job in jobs:
            self._enqueue(job)

    def take(self) -> Job | None:
        """Wait for a job that may be done now.

        Returns
        -------
        Job or None
            None when there will be none: all are finished, or the work is stopped.
        """
        with self._change:
            while self._open and not self._stopped:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    self._enqueue(heapq.heappop(self._later)[2])
                for host, jobs in self._waiting.items():
                    if self._busy[host] < self._per_host and self._not_before.get(host, 0) <= now:
                        job = jobs.popleft()
                        del self._waiting[host]
                        if jobs:
                            self._waiting[host] = jobs  # at the end: hosts take turns
                        self._busy[host] += 1
                        return job
                times = [self._later[0][0]] if self._later else []
                times += [due for host in self._waiting if (due := self._not_before.get(host, 0)) > now]
                self._change.wait(min(times) - now if times else None)
            return None

    def give_back(self, host: str, later: Later | None) -> None:
        """Say that a job that was taken has ended.

        Parameters
        ----------
        host : str
            The one it was taken for.
        later : Later or None
            How it goes on; None if it is finished.
        """
        with self._change:
            self._busy[host] -= 1
            if later is None:
                self._open -= 1
            else:
                until = time.monotonic() + later.seconds
                if later.whole_host:
                    self._not_before[host] = max(until, self._not_before.get(host, 0))
                self._count += 1
                heapq.heappush(self._later, (until, self._count, later.job))
            self._change.notify_all()

    def stop(self) -> None:
        """Give out no more jobs."""
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def _enqueue(self, job: Job) -> None:
        self._waiting.setdefault(host_of(job.target), deque()).append(job)


def host_of(url: str) -> str:
    """Name of the host of an address.

    Parameters
    ----------
    url : str

    Returns
    -------
    str
        Without port, in lower case.
    """
    return urlsplit(url).hostname or ""
