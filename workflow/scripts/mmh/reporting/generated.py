"""Parts of a page that a tool writes between two marks."""

from pathlib import Path


def put_between(text: str, marks: tuple[str, str], source: str, body: str) -> str:
    """Put a table between its marks, below a line that names its file.

    Parameters
    ----------
    text : str
        The page as it is; each mark stands in it once.
    marks : (str, str)
        Lines, with their ends, between which the part stands.
    source : str
        Name of the file under docs/studies that holds the table.
    body : str
        Markdown.

    Returns
    -------
    str
    """
    begin, end = marks
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\nFrom [studies/{source}](studies/{source}).\n\n{body}\n{end}{after}"


def write_between(page: Path, marks: tuple[str, str], source: str, body: str) -> None:
    """Write that part of a page anew, and say so."""
    from mmh.io.files import atomic

    text = put_between(page.read_text(encoding="utf-8"), marks, source, body)
    with atomic(page) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"page: {page}")
