"""A declared file: what is known of it beforehand, and the bytes of it that are held on disk so far."""

import fcntl
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmh.errors import InputError

Source = Mapping[str, Any]
Progress = Callable[..., Callable[[int], None]]
_BLOCK = 2**20


class WantedFile:
    """What is known of a file beforehand, and how to ask for it and to tell of it."""

    def __init__(self, name: str, row: Source, dropped: Path, timeout: float, tell: Progress | None) -> None:
        self.name, self.dropped, self.timeout, self.progress = name, dropped, timeout, tell
        self.sha256: str = (row.get("sha256") or "").lower()
        self.size: int | None = row.get("bytes")
        self._where = row.get("page") or " or ".join(row["urls"]) or "its authors"
        self._total: int | None = None

    def fault(self, size: int, digest: str) -> str | None:
        """Say what is wrong with a whole file."""
        if self.size not in (None, size):
            return f"has {size} bytes, expected {self.size}"
        if self.sha256 not in ("", digest):
            return f"has sha256 {digest}, expected {self.sha256}"
        return None

    def by_hand(self) -> str:
        """Say how a person can bring the file."""
        facts = f"{amount(self.size)}, sha256 {self.sha256 or 'unknown'}"
        return f"put {self.name} ({facts}) at {self.dropped}; it can be had from {self._where}"

    def report(self, held: int, total: int | None) -> None:
        """Tell of the bytes held, where the total is known."""
        if self.progress and total:
            megabytes = -(-total // 10**6)
            if total != self._total:
                self._total, self._tell = total, self.progress(megabytes, unit="MB")
            self._tell(megabytes * held // total)


class PartFile:
    """The bytes held so far, their running digest and their origin. Locked: two writers would mix them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memo_file = beside(path, ".json")
        self._open()

    def close(self) -> None:
        """Let go of the file, and remove an empty one."""
        self._file.close()
        if self.size == 0:
            self.path.unlink(missing_ok=True)
            self._memo_file.unlink(missing_ok=True)

    def _open(self) -> None:
        self._file = self.path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            advice = "another process is downloading this file; wait for it, or stop it"
            raise InputError(f"{self.path}: {advice}") from None
        except OSError:
            pass  # some network file systems have no locks
        self.size, self.digest = 0, hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                self.digest.update(block)
                self.size += len(block)
        try:
            memo = json.loads(self._memo_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            memo = None  # unknown origin
        self.memo: dict[str, Any] = memo if isinstance(memo, dict) else {}

    def is_whole(self, wanted: WantedFile) -> bool:
        """Tell whether nothing is missing; a file that is whole but not the right one is set aside."""
        total = wanted.size or self.memo.get("total")
        if wanted.sha256:
            whole = self.size > 0 and wanted.fault(self.size, self.digest.hexdigest()) is None
        else:  # without an origin nothing vouches for it
            whole = self.size > 0 and bool(self.memo) and self.size == total
        if not whole and total and self.size >= total:
            self.set_aside()
        return whole

    def restart(self, memo: dict[str, Any]) -> None:
        """Begin anew with bytes of another origin."""
        self._file.truncate(0)
        self.size, self.digest, self.memo = 0, hashlib.sha256(), memo
        new = beside(self._memo_file, ".new")
        new.write_text(json.dumps(memo, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(self._memo_file)

    def append(self, block: bytes) -> None:
        """Write bytes at the end, whole."""
        rest = memoryview(block)
        while rest:
            written = self._file.write(rest)
            self.digest.update(rest[:written])
            self.size += written
            rest = rest[written:]

    def set_aside(self) -> None:
        """Keep a wrong file under another name and begin anew."""
        self._file.close()
        self.path.replace(beside(self.path, ".bad"))
        self._memo_file.unlink(missing_ok=True)
        self._open()


def beside(path: Path, suffix: str) -> Path:
    """Name the file beside another, with a suffix more."""
    return path.with_name(path.name + suffix)


def amount(size: int | None) -> str:
    """Say a size as people do."""
    if size is None:
        return "size unknown"
    return f"{size / 1e6:.1f} MB" if size >= 10**5 else f"{size} bytes"
