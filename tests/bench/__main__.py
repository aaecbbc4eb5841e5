"""`python -m tests.bench`: time the steps that dominate a run, write JSON, print a table."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from tests.bench import networks
from tests.bench.measures import MEASURES as ALONE
from tests.bench.measures import Result
from tests.bench.timing import description, into_document, report, table

MEASURES = {**ALONE, **networks.MEASURES}
SCALE = ("calibrated_l2", "index_recall", "local_pca_scale")


def measure(name: str, *, full: bool) -> Result:
    """Run one measure; those of `tests.bench.scale` load faiss, so only when asked for."""
    if name not in SCALE:
        return MEASURES[name](full=full)
    from tests.bench import scale

    return scale.MEASURES[name](full=full)


def main() -> None:
    """Run the chosen measures; a missed bar is printed, and is no failure of the program."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="folder of the JSON files")
    parser.add_argument("--full", action="store_true", help="also d = 3072 and 10,000 points: minutes more")
    parser.add_argument("--only", choices=[*MEASURES, *SCALE], action="append", help="measure just these")
    parser.add_argument("--docs", type=Path, help="document whose marked section gets the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start, lines = time.monotonic(), []
    for name in arguments.only or [*MEASURES, *SCALE]:
        measures, details = measure(name, full=arguments.full)
        report(name, measures, details, arguments.out)
        lines += measures
    text = f"{description()}:\n\n{table(lines)}"
    print(text)
    if arguments.docs:
        into_document(arguments.docs, text)
    print(f"{time.monotonic() - start:.0f} s; JSON in {arguments.out}")


if __name__ == "__main__":
    main()
