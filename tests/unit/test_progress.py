"""Progress lines."""

import io

import pytest

from mmh.job import progress
from mmh.job.progress import Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock.monotonic)
    return clock


def test_line_names_the_step_the_loss_and_the_time_left(clock):
    stream = io.StringIO()
    report = Progress(4000, "train_model digits", stream)
    clock.now += 48
    report(1200, loss=0.04312)
    assert stream.getvalue() == "train_model digits: step 1200/4000  loss 0.0431  1:52 left\n"


def test_lines_are_rate_limited_but_the_last_is_printed_once(clock):
    stream = io.StringIO()
    report = Progress(100, "sample", stream, every_seconds=5, unit="image")
    for done in range(1, 101):
        clock.now += 0.2
        report(done)
    report(100)
    lines = stream.getvalue().splitlines()
    assert [line.split()[2] for line in lines] == ["25/100", "50/100", "75/100", "100/100"]
    assert lines[0] == "sample: image 25/100  0:15 left"
    assert lines[-1] == "sample: image 100/100  done in 0:20"


def test_last_line_is_printed_even_at_once(clock):
    stream = io.StringIO()
    Progress(3, "x", stream)(3, loss=1.0)
    assert stream.getvalue() == "x: step 3/3  loss 1  done in 0:00\n"


def test_nothing_done_gives_no_estimate(clock):
    stream = io.StringIO()
    report = Progress(3, "x", stream)
    clock.now += 6
    report(0)
    assert stream.getvalue() == "x: step 0/3\n"


def test_hours(clock):
    stream = io.StringIO()
    report = Progress(2, "x", stream)
    clock.now += 3661
    report(1)
    assert stream.getvalue().endswith("1:01:01 left\n")


def test_standard_error_is_the_default(capsys):
    Progress(1, "x")(1)
    assert capsys.readouterr().err.startswith("x: step 1/1")
