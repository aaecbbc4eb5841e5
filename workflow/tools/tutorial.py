"""Run the code of docs/tutorial.md as it is written, and compare what it prints with what the page says.

Usage: python workflow/tools/tutorial.py [--write]

Each block of Python is followed by a block of text, its output; `--write` puts the present output there. The
last digits of numbers may differ: another processor rounds otherwise.
"""

import contextlib
import io
import math
import re
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

PAGE = Path("docs/tutorial.md")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def run(text: str) -> list[tuple[str, str, str]]:
    """Run all blocks of a page in one namespace.

    Parameters
    ----------
    text : str
        The page, in Markdown.

    Returns
    -------
    list of (str, str, str)
        Of each block its code, the output that the page gives, and what it printed.

    Raises
    ------
    RuntimeError
        If a block fails; the message has its code and the traceback.
    """
    names: dict[str, object] = {"__name__": "tutorial"}
    found = []
    for number, (code, said) in enumerate(BLOCK.findall(text), start=1):
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, f"<block {number}>", "exec"), names)
        except Exception as error:
            raise RuntimeError(f"{PAGE}: block {number} fails:\n{code}\n{traceback.format_exc()}") from error
        found.append((code, said, printed.getvalue()))
    return found


def agree(said: str, printed: str) -> bool:
    """Whether two outputs are the same words with the same numbers, to a part in 500.

    Parameters
    ----------
    said, printed : str

    Returns
    -------
    bool
    """
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (said, printed)]
    return NUMBER.sub("#", said) == NUMBER.sub("#", printed) and all(
        math.isclose(one, other, rel_tol=2e-3, abs_tol=1e-6) for one, other in zip(*numbers, strict=True)
    )


def written(text: str, blocks: list[tuple[str, str, str]]) -> str:
    """Put what the blocks printed into the page.

    Parameters
    ----------
    text : str
    blocks : list of (str, str, str)
        As `run` gives them.

    Returns
    -------
    str
    """
    outputs = iter(blocks)

    def with_output(match: re.Match[str]) -> str:
        code, _, printed = next(outputs)
        return f"```python\n{code}```\n" + (f"\n```text\n{printed}```\n" if printed else "")

    return BLOCK.sub(with_output, text)


def main(arguments: list[str]) -> int:
    """Run the page; 1 if it says something else than what is printed."""
    text = PAGE.read_text()
    blocks = run(text)
    if "--write" in arguments:
        PAGE.write_text(written(text, blocks))
        return 0
    wrong = [block for block in blocks if not agree(block[1], block[2])]
    for code, said, printed in wrong:
        print(f"{PAGE}: this block\n{code}\nprints\n{printed}\nand the page says\n{said}")
    print(f"{PAGE}: {len(blocks)} blocks ran, {len(wrong)} printed something else")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
