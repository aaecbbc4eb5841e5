"""Progress lines for long steps: what runs, how far it is, its loss, the time left."""

import sys
import time
from typing import TextIO

from mmh.job.garbage import search_as_usual


class Progress:
    """Print a line now and then while a step counts up to `total`.

    A line reads ``train_model digits: step 1200/4000  loss 0.043  1:52 left``. At most one line is printed
    per `every_seconds`, except the last, which always is; it gives the time taken instead.

    Parameters
    ----------
    total : int
        Number of units of work.
    label : str
        What runs, for instance the rule and the experiment.
    stream : file, optional
        Where to print; standard error if None.
    every_seconds : float
        Least time between two lines, seconds.
    unit : str
        What is counted.
    """

    def __init__(
        self,
        total: int,
        label: str,
        stream: TextIO | None = None,
        every_seconds: float = 5,
        *,
        unit: str = "step",
    ) -> None:
        self.total = total
        self.label = label
        self.stream = stream
        self.every_seconds = every_seconds
        self.unit = unit
        self._start = self._printed = time.monotonic()
        self._finished = False

    def __call__(self, done: int, **values: float) -> None:
        """Report that `done` units are finished, with the current values of some quantities.

        Parameters
        ----------
        done : int
            Units finished so far, in 0..total.
        **values : float
            Quantities to show, for instance ``loss=0.043``; three significant digits are printed.
        """
        if done:  # whatever is imported by its first use has been imported
            search_as_usual()
        now = time.monotonic()
        last = done >= self.total
        if self._finished or (not last and now - self._printed < self.every_seconds):
            return
        self._printed, self._finished = now, last
        elapsed = now - self._start
        parts = [f"{self.label}: {self.unit} {done}/{self.total}"]
        parts += [f"{name} {value:.3g}" for name, value in values.items()]
        if last:
            parts.append(f"done in {_clock(elapsed)}")
        elif done > 0:
            parts.append(f"{_clock(elapsed * (self.total - done) / done)} left")
        # The stream is looked up here, so that a log opened after construction is honoured.
        print("  ".join(parts), file=self.stream or sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
