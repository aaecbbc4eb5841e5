"""Tests that need a CUDA device: `python -m pytest tests/gpu`; elsewhere all of them are skipped, and say so."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
REASON = "no CUDA device: nothing in tests/gpu was run"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.skip(reason=REASON))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not torch.cuda.is_available():
        terminalreporter.write_line(f"SKIPPED tests/gpu: {REASON}", yellow=True)


@pytest.fixture(autouse=True)
def _emptied() -> Iterator[None]:
    """Give cached memory back, so that no test finds the device full of another's."""
    yield
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
