"""What became of each address of an image set: a journal while it is fetched, one table afterwards.

The journal is appended to, a line per finished address, and belongs to the folder that holds the images.
The ledger is computed from the list and the journal alone, so making it again gives the same bytes; dates
stand in these two and in no table that is compared.
"""

import fcntl
import json
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from time import sleep
from typing import Any

from mmh.errors import InputError
from mmh.io.partial import is_partial
from mmh.io.tables import LEDGER

# What an address may come to, and what that means.
STATUSES = {
    "ok": "an image",
    "placeholder": "an image that stands for another: one colour, one file for many addresses, 'not found'",
    "dead": "404, 410 or another lasting 4xx answer, or the name of the host is unknown",
    "forbidden": "401, 403, 407 or 451",
    "server_error": "5xx, 408, 425 or 429, in every attempt",
    "unreachable": "no connection, no valid certificate, or no HTTP, in every attempt",
    "timeout": "no whole answer in time, in every attempt",
    "truncated": "less than was announced, in every attempt, or an image file that ends early",
    "too_large": "more bytes or pixels than allowed",
    "not_an_image": "another type of content, or no image by its bytes",
    "redirect_loop": "more redirects than allowed",
    "bad_url": "no http or https address, or a redirect to such or out of encryption",
    "missing": "not fetched, as downloads are off",
}

_POLL = 0.5  # seconds between two looks at a lock that another process holds
_FIELDS = [name for name in LEDGER.columns if name != "item"]


class Journal:
    """The journal of a folder of images, open for appending; locked, since two writers would fetch twice.

    While another process holds it, this one waits: what that one has fetched is then in `records`.

    Parameters
    ----------
    folder : path
        Made if it does not exist; holds `journal.jsonl`.

    Attributes
    ----------
    records : dict
        The last record of each address.

    Raises
    ------
    InputError
        If a line of it is malformed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.path = folder, folder / "journal.jsonl"
        self._file = self.path.open("ab")
        try:
            self._lock()
            self.records = read_journal(folder)
            self._mend()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def add(self, record: Mapping[str, Any]) -> None:
        """Append what became of one address.

        Parameters
        ----------
        record : mapping
            Columns of `LEDGER` without `item`; absent ones are null.
        """
        whole: dict[str, Any] = {name: record.get(name) for name in _FIELDS}
        self._file.write((json.dumps(whole) + "\n").encode())
        self._file.flush()
        self.records[whole["url"]] = whole

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the image of a record with status ``ok`` lies in the folder with all its bytes.

        Parameters
        ----------
        record : mapping

        Returns
        -------
        bool
        """
        try:
            return (self.folder / record["file"]).stat().st_size == record["bytes"]
        except FileNotFoundError:
            return False

    def _lock(self) -> None:
        told = False
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    print(f"note: {self.path}: another process fetches these images; waiting", flush=True)
                told = True
            except OSError:
                return None  # some network file systems have no locks
            sleep(_POLL)

    def _mend(self) -> None:
        """Remove what a killed run left: the beginning of a line, images half-written."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            text = file.read()
        if not text.endswith(b"\n"):
            self._file.truncate(text.rfind(b"\n") + 1 if size else 0)
        for path in self.folder.iterdir():
            if is_partial(path):
                path.unlink()


def read_journal(folder: Path) -> dict[str, dict[str, Any]]:
    """Read a journal; the beginning of a last line that a kill cut off is passed over.

    Parameters
    ----------
    folder : path

    Returns
    -------
    dict
        The last record of each address; empty if there is no journal.

    Raises
    ------
    InputError
        If a line is no record.
    """
    path = folder / "journal.jsonl"
    if not path.exists():
        return {}
    records: dict[str, dict[str, Any]] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            record = json.loads(line)
            if set(record) != set(_FIELDS) or record["status"] not in STATUSES:
                raise ValueError("other fields, or an unknown status")
            records[record["url"]] = record
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path}, line {number}: is no record ({error}), expected {', '.join(_FIELDS)}; remove the "
                "line, its address is then fetched again"
            ) from error
    return records


def ledger_table(
    listed: Any,
    records: Mapping[str, Mapping[str, Any]],
    *,
    placeholder_count: int | None,
    placeholders: Collection[str] = (),
) -> Any:
    """Say what became of each row of a list, and recognise placeholders by their number.

    Parameters
    ----------
    listed : pandas.DataFrame
        Columns of `mmh.io.tables.IMAGE_LIST`.
    records : mapping
        The journal's, by address; an address without a record is ``missing``.
    placeholder_count : int or None
        A file that so many *different* addresses of the list give is a placeholder; None: never.
    placeholders : collection of str
        Digests (sha256) of files known to be placeholders.

    Returns
    -------
    pandas.DataFrame
        Columns of `LEDGER`, a row per item, in the order of the list.
    """
    import pandas as pd

    urls = listed["url"].tolist()
    absent: dict[str, Any] = dict.fromkeys(_FIELDS) | {
        "status": "missing",
        "reason": "not fetched: downloads are off",
    }
    found = {url: dict(records.get(url, absent), url=url) for url in urls}
    shared = Counter(record["sha256"] for record in found.values() if record["status"] == "ok")
    for record in found.values():
        if record["status"] != "ok":
            continue
        many = shared[record["sha256"]]
        if record["sha256"] in placeholders:
            record |= {"status": "placeholder", "reason": "a known placeholder"}
        elif placeholder_count and many >= placeholder_count:
            record |= {"status": "placeholder", "reason": f"one file for {many} addresses"}
    table = pd.DataFrame([found[url] for url in urls], columns=_FIELDS, dtype=object)
    table.insert(0, "item", listed["item"].to_numpy())
    return table


def attrition(ledger: Any) -> dict[str, Any]:
    """Count what is left of a list.

    Parameters
    ----------
    ledger : pandas.DataFrame
        Columns of `LEDGER`.

    Returns
    -------
    dict
        `asked` (rows), `ok`, and `statuses`: rows by status, without those that do not occur.
    """
    counts = Counter(ledger["status"].tolist())
    known = {status: counts[status] for status in STATUSES if counts[status]}
    return {"asked": len(ledger), "ok": counts["ok"], "statuses": known}
