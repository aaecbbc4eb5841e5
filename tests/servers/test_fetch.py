"""Downloads from a server that misbehaves: resumed, checked, from mirrors, and never half."""

import fcntl
import hashlib
import io
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from http_server import Reply, Server

from mmh.errors import InputError
from mmh.fetch import ranged_request, sources
from mmh.fetch.sources import fetch

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
BODY = hashlib.shake_256(b"body").digest(200_000)
OTHER = hashlib.shake_256(b"other").digest(200_000)
SHA = hashlib.sha256(BODY).hexdigest()
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
DATED = "Wed, 21 Oct 2015 07:28:00 GMT"
LATER = "Thu, 22 Oct 2015 07:28:00 GMT"


def row(*urls: str, **changes: Any) -> dict[str, Any]:
    return {"urls": list(urls), "sha256": SHA, "bytes": len(BODY), "licence": "CC0", "page": None} | changes


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "data.bin.part"


def get(source: dict[str, Any], part: Path, **options: Any) -> dict[str, Any]:
    quick: dict[str, Any] = {
        "timeout": 5,
        "retries": 2,
        "pause": 0,
        "dropped": part.parent.parent / "drop" / "data.bin",
    }
    return fetch("data.bin", source, part, **(quick | options))


def fails(source: dict[str, Any], part: Path, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        get(source, part, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def drop(part: Path, body: bytes) -> Path:
    path = part.parent.parent / "drop" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(body)
    return path


def names(part: Path) -> list[str]:
    return sorted(path.name for path in part.parent.iterdir())


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/file"


def test_a_file_is_fetched_with_one_request(server: Server, part: Path) -> None:
    url = server.serve("/file", Reply(BODY))
    record = get(row(url, sha256=SHA.upper()), part)
    assert part.read_bytes() == BODY
    assert record == {
        "url": url,
        "sha256": SHA,
        "bytes": len(BODY),
        "resumed_from": 0,
        "licence": "CC0",
        "sha256_declared": True,
    }
    assert server.ranges() == [None]
    assert names(part) == ["data.bin.part"]


# ---- resuming


@pytest.mark.parametrize("broken", [Reply(BODY, cut=70_000), Reply(BODY, stall=70_000)], ids=["cut", "stall"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_broken_connection_is_resumed_where_it_broke(
    server: Server, part: Path, broken: Reply, chunked: bool
) -> None:
    url = server.serve("/file", replace(broken, chunked=chunked), Reply(BODY))
    record = get(row(url), part, timeout=0.3)
    assert part.read_bytes() == BODY
    assert server.ranges() == [None, "bytes=70000-"]
    assert record["resumed_from"] == 70_000


@pytest.mark.parametrize("sha256", [SHA, None])
def test_the_next_run_resumes(server: Server, part: Path, sha256: str | None) -> None:
    cut = Reply(BODY, etag='"1"', modified=DATED, cut=70_000)
    url = server.serve("/file", cut, replace(cut, cut=None))
    message = fails(row(url, sha256=sha256), part, retries=0)
    assert "broke off after 70000 of 200000 bytes" in message
    assert f"70000 bytes are kept in {part}" in message
    assert part.read_bytes() == BODY[:70_000]
    assert get(row(url, sha256=sha256), part)["sha256"] == SHA
    assert part.read_bytes() == BODY
    assert server.ranges() == [None, "bytes=70000-"]
    assert [request.if_range for request in server.requests] == [None, '"1"']


def test_a_weak_etag_is_no_version_to_resume_by(server: Server, part: Path) -> None:
    cut = Reply(BODY, etag='W/"1"', modified=DATED, cut=70_000)
    url = server.serve("/file", cut, replace(cut, cut=None))
    get(row(url), part)
    assert server.requests[1].if_range == DATED


@pytest.mark.parametrize("sha256", [SHA, None])
@pytest.mark.parametrize(
    ("second", "requests"),
    [
        (Reply(BODY, ranges=False), [None, "bytes=70000-"]),
        (Reply(BODY, etag='"2"'), [None, "bytes=70000-"]),  # the server sees the change: answers 200
        (Reply(BODY, etag='"2"', if_range=False), [None, "bytes=70000-", None]),  # only the client does
        (Reply(BODY, etag='"1"', modified=LATER), [None, "bytes=70000-", None]),
        (
            Reply(BODY, if_range=False, content_range="bytes 60000-199999/200000"),
            [None, "bytes=70000-", None],
        ),
        (
            Reply(BODY, if_range=False, content_range="bytes 70000-199999/300000"),
            [None, "bytes=70000-", None],
        ),
        (Reply(BODY, if_range=False, content_range="nonsense"), [None, "bytes=70000-", None]),
    ],
    ids=["no ranges", "200", "etag", "date", "begin", "total", "nonsense"],
)
def test_what_does_not_fit_on_restarts(
    server: Server, part: Path, sha256: str | None, second: Reply, requests: list[str | None]
) -> None:
    """The first answer is another version: were its bytes kept, the file would be wrong."""
    first = Reply(OTHER, etag='"1"', modified=DATED, cut=70_000)
    url = server.serve("/file", first, second)
    record = get(row(url, sha256=sha256), part)
    assert server.ranges() == requests
    assert part.read_bytes() == BODY
    assert record["resumed_from"] == 0


def test_a_range_beyond_the_end_restarts(server: Server, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(OTHER)
    url = server.serve("/file", Reply(BODY))
    get(row(url, bytes=None), part)
    assert server.ranges() == ["bytes=200000-", None]
    assert part.read_bytes() == BODY


def test_a_wrong_prefix_is_set_aside_and_the_same_address_asked_again(server: Server, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(OTHER[:1000])
    url = server.serve("/file", Reply(BODY))
    record = get(row(url), part)
    assert server.ranges() == ["bytes=1000-", None]
    assert part.read_bytes() == BODY
    assert record["resumed_from"] == 0
    assert names(part) == ["data.bin.part"]


@pytest.mark.parametrize("memo", [None, "{", "[]"])
@pytest.mark.parametrize("held", [1000, len(OTHER)])
def test_bytes_of_unknown_origin_and_digest_are_not_built_upon(
    server: Server, part: Path, memo: str | None, held: int
) -> None:
    part.parent.mkdir()
    part.write_bytes(OTHER[:held])
    if memo:
        part.with_name("data.bin.part.json").write_text(memo)
    url = server.serve("/file", Reply(BODY))
    assert get(row(url, sha256=None), part)["sha256"] == SHA
    assert server.ranges() == [None]


@pytest.mark.parametrize("size", [len(BODY), None])
@pytest.mark.parametrize("offline", [False, True])
def test_a_whole_part_is_not_asked_for_again(
    server: Server, part: Path, size: int | None, offline: bool
) -> None:
    part.parent.mkdir()
    part.write_bytes(BODY)
    record = get(row(server.url + "/file", bytes=size), part, offline=offline)
    assert record["resumed_from"] == len(BODY)
    assert server.requests == []


def test_a_whole_but_wrong_part_is_set_aside(server: Server, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(OTHER)
    assert "answers 404" in fails(row(server.url + "/file"), part)
    assert server.ranges() == [None]
    assert part.with_name("data.bin.part.bad").read_bytes() == OTHER
    assert names(part) == ["data.bin.part.bad"]


def test_a_connection_that_often_breaks_gets_there_if_each_time_brings_much(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.serve("/file", *[Reply(BODY, cut=30_000)] * 6, Reply(BODY))
    assert "broke off after 90000" in fails(row(url), part, retries=2)
    monkeypatch.setattr(sources, "_GAIN", 20_000)
    get(row(url), part, retries=1)
    assert part.read_bytes() == BODY


def test_a_server_that_always_breaks_at_the_same_place_ends(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_GAIN", 20_000)
    url = server.serve("/file", Reply(BODY, cut=30_000, ranges=False))
    assert "broke off after 30000" in fails(row(url), part, retries=2)
    assert len(server.requests) == 3


# ---- kills

KILLED = """
import sys
sys.path.insert(0, {scripts!r})
from pathlib import Path
from mmh.fetch.sources import fetch
part = Path({part!r})
fetch("data.bin", {source!r}, part, dropped=part.with_name("not-dropped"), timeout=60)
"""


def start_child(part: Path, source: dict[str, Any], before: str = "") -> subprocess.Popen[str]:
    text = before + KILLED.format(scripts=str(SCRIPTS), part=str(part), source=source)
    return subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, size: int) -> None:
    for _ in range(2000):
        if path.exists() and path.stat().st_size >= size:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} did not reach {size} bytes")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("sha256", [SHA, None])
def test_a_killed_download_is_resumed(
    server: Server, part: Path, signum: signal.Signals, sha256: str | None
) -> None:
    """So few bytes that a buffer would have kept them from the file."""
    url = server.serve("/file", Reply(BODY, etag='"1"', stall=1000), Reply(BODY, etag='"1"'))
    child = start_child(part, row(url, sha256=sha256))
    try:
        wait_for(part, 1000)
    finally:
        child.send_signal(signum)
        child.communicate()
    assert child.returncode == -signum
    record = get(row(url, sha256=sha256), part)
    assert record["resumed_from"] == 1000
    assert server.ranges() == [None, "bytes=1000-"]
    assert part.read_bytes() == BODY


def test_two_processes_do_not_write_one_file(server: Server, part: Path) -> None:
    part.parent.mkdir()
    with part.open("ab") as held:
        held.write(b"theirs")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another process is downloading" in fails(row(server.serve("/file", Reply(BODY))), part)
    assert part.read_bytes() == b"theirs"
    assert server.requests == []


def test_a_full_disk_is_no_fault_of_the_mirror(server: Server, part: Path) -> None:
    url = server.serve("/file", Reply(BODY))
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))\n"
    child = start_child(part, row(url, url), before=limit)
    assert "OSError: [Errno 27] File too large" in child.communicate()[1]
    assert len(server.requests) == 1
    assert get(row(url), part)["resumed_from"] == 70_000


# ---- mirrors and faults


@pytest.mark.parametrize(
    ("bad", "reason", "requests"),
    [
        (Reply(status=404), "answers 404 Not Found", 1),
        (Reply(status=403), "answers 403 Forbidden", 1),
        (Reply(status=500), "answers 500 Internal Server Error", 3),
        (Reply(status=503), "answers 503 Service Unavailable", 3),
        (Reply(PAGE, content_type="text/html; charset=utf-8"), "gives a web page (HTML)", 1),
        (Reply(BODY, content_type="text/html"), "gives a web page (HTML)", 1),
        (Reply(b"\xef\xbb\xbf \r\n" + PAGE), "gives a web page (HTML)", 1),
        (Reply(PAGE.lower()), "gives a web page (HTML)", 1),
        (Reply(BODY[:-1]), "offers 199999 bytes, expected 200000", 1),
        (Reply(BODY, length=200_001), "offers 200001 bytes, expected 200000", 1),
        (Reply(BODY, length=1000), "offers 1000 bytes, expected 200000", 1),
        (Reply(BODY + b"x", chunked=True), "sends more bytes than the 200000 expected", 1),
        (Reply(BODY, cut=0), "broke off after 0 of 200000 bytes", 3),
        (Reply(BODY[:100], chunked=True), "broke off after 100 of 200000 bytes", 5),
        (Reply(OTHER), f"has sha256 {hashlib.sha256(OTHER).hexdigest()}, expected {SHA}", 1),
        (Reply(status=302, location="ftp://127.0.0.1/file"), "redirects to ftp://127.0.0.1/file", 3),
        (Reply(status=302, location="/bad"), "answers 302", 1),
    ],
)
def test_a_bad_mirror_is_named_and_the_next_one_used(
    server: Server, part: Path, bad: Reply, reason: str, requests: int
) -> None:
    first, second = server.serve("/bad", bad), server.serve("/file", Reply(BODY))
    message = fails(row(first), part)
    assert f"{first}: " in message
    assert reason in message
    if bad.location != "/bad":  # which is followed a few times
        assert len(server.ranges("/bad")) == requests
    record = get(row(first, second), part)
    assert record["url"] == second
    assert part.read_bytes() == BODY
    assert names(part) == ["data.bin.part"]


def test_an_address_where_nobody_answers_is_passed_over(server: Server, part: Path) -> None:
    dead, url = closed_port(), server.serve("/file", Reply(BODY))
    assert get(row(dead, url), part)["url"] == url
    assert "Connection refused" in fails(row(dead), part.with_name("other.part"))


def test_a_passing_error_is_waited_for(server: Server, part: Path) -> None:
    url = server.serve("/file", Reply(status=503), Reply(status=429), Reply(BODY))
    get(row(url), part)
    assert len(server.requests) == 3


def test_when_all_fail_one_line_says_why_and_what_to_do(server: Server, part: Path) -> None:
    urls = [server.serve("/a", Reply(status=404)), server.serve("/b", Reply(OTHER)), closed_port()]
    message = fails(row(*urls, page="https://example.org/data"), part)
    for url, reason in zip(urls, ("answers 404", f"expected {SHA}", "cannot be reached"), strict=True):
        assert reason in message.split(f"{url}: ")[1].split("; ")[0]
    assert message.startswith("data.bin: ")
    assert f"the wrong file is kept as {part}.bad" in message
    assert message.endswith(
        f"put data.bin (0.2 MB, sha256 {SHA}) at {part.parent.parent / 'drop' / 'data.bin'}; "
        "it can be had from https://example.org/data"
    )
    assert part.with_name("data.bin.part.bad").read_bytes() == OTHER
    assert names(part) == ["data.bin.part.bad"]


def test_a_web_page_does_not_cost_the_bytes_held(server: Server, part: Path) -> None:
    page = Reply(PAGE, ranges=False, content_type="text/html")
    url = server.serve("/file", Reply(BODY, cut=70_000), page, Reply(BODY))
    fails(row(url), part)
    assert part.read_bytes() == BODY[:70_000]
    assert get(row(url), part)["resumed_from"] == 70_000


def test_another_mirror_goes_on_where_the_first_broke_off(server: Server, part: Path) -> None:
    first = server.serve("/first", Reply(BODY, etag='"1"', cut=70_000))
    second = server.serve("/file", Reply(BODY, etag='"a"'))
    get(row(first, second), part, retries=0)
    assert [(r.range, r.if_range) for r in server.requests] == [(None, None), ("bytes=70000-", None)]
    assert part.read_bytes() == BODY


def test_without_a_digest_mirrors_are_not_mixed(server: Server, part: Path) -> None:
    first = server.serve("/first", Reply(OTHER, cut=70_000))
    second = server.serve("/file", Reply(BODY))
    get(row(first, second, sha256=None), part, retries=0)
    assert server.ranges() == [None]
    assert part.read_bytes() == BODY


def test_an_endless_answer_stops_early(server: Server, part: Path) -> None:
    url = server.serve("/file", Reply(BODY + bytes(50_000_000), chunked=True))
    fails(row(url), part)
    assert part.with_name("data.bin.part.bad").stat().st_size <= len(BODY) + 2**20


def test_without_a_digest_it_is_told(server: Server, part: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.serve("/file", Reply(BODY, chunked=True))
    record = get(row(url, sha256=None, bytes=None), part)
    assert (record["sha256"], record["bytes"], record["sha256_declared"]) == (SHA, len(BODY), False)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: data.bin")]
    assert len(notes) == 1
    assert f"sha256: {SHA} and bytes: {len(BODY)}" in notes[0]


def test_an_empty_file_is_refused(server: Server, part: Path) -> None:
    url = server.serve("/file", Reply(b""))
    assert "sends an empty file" in fails(row(url, sha256=None, bytes=None), part)
    assert names(part) == []


def test_a_redirect_keeps_the_range(server: Server, part: Path) -> None:
    server.serve("/real", Reply(BODY, cut=70_000), Reply(BODY))
    get(row(server.serve("/file", Reply(status=302, location="/real"))), part)
    assert server.ranges("/real") == [None, "bytes=70000-"]
    assert part.read_bytes() == BODY


def test_the_proxy_of_the_environment_is_used(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.serve("/file", Reply(BODY))
    monkeypatch.setenv("http_proxy", server.url)
    get(row("http://nowhere.invalid/file"), part)
    assert [request.path for request in server.requests] == ["http://nowhere.invalid/file"]
    assert part.read_bytes() == BODY


def test_other_kinds_of_address_are_refused(part: Path) -> None:
    assert "ftp://127.0.0.1/x: only http, https and file" in fails(row("ftp://127.0.0.1/x"), part)
    assert not part.exists()


# ---- files of this machine


@pytest.mark.parametrize("offline", [False, True])
def test_a_local_mirror_is_copied(tmp_path: Path, part: Path, offline: bool) -> None:
    mirror = tmp_path / "my mirror" / "data.bin"
    assert "cannot be read (No such file or directory)" in fails(row(mirror.as_uri()), part)
    mirror.parent.mkdir()
    mirror.write_bytes(BODY)
    urls = ["http://nowhere.invalid/x", mirror.as_uri()] if offline else [mirror.as_uri()]
    assert get(row(*urls), part, offline=offline)["url"] == mirror.as_uri()
    assert part.read_bytes() == mirror.read_bytes() == BODY


def test_a_local_mirror_continues_and_notices_a_change(tmp_path: Path, part: Path) -> None:
    mirror = tmp_path / "data.bin"
    mirror.write_bytes(BODY)
    part.parent.mkdir()
    part.write_bytes(BODY[:1000])
    assert get(row(mirror.as_uri()), part)["resumed_from"] == 1000
    # no digest: a file of another time is another version
    part.write_bytes(OTHER[:1000])
    memo = {"url": mirror.as_uri(), "last_modified": "1", "total": len(BODY)}
    part.with_name("data.bin.part.json").write_text(json.dumps(memo))
    assert get(row(mirror.as_uri(), sha256=None), part)["resumed_from"] == 0
    assert part.read_bytes() == BODY


def test_a_dropped_file_comes_first(server: Server, part: Path) -> None:
    dropped = drop(part, BODY)
    part.parent.mkdir()
    part.write_bytes(OTHER[:1000])
    record = get(row(server.serve("/file", Reply(BODY))), part)
    assert (record["url"], record["sha256"], record["resumed_from"]) == (str(dropped), SHA, 0)
    assert server.requests == []
    assert part.read_bytes() == dropped.read_bytes() == BODY
    assert names(part) == ["data.bin.part"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (OTHER, f"has sha256 {hashlib.sha256(OTHER).hexdigest()}, expected {SHA}"),
        (BODY[:-1], "offers 199999 bytes, expected 200000"),
        (PAGE, "gives a web page (HTML)"),
        (b"", "offers 0 bytes, expected 200000"),
    ],
)
def test_a_wrong_dropped_file_is_refused_and_nothing_lost(
    server: Server, part: Path, body: bytes, reason: str
) -> None:
    dropped = drop(part, body)
    part.parent.mkdir()
    part.write_bytes(BODY[:1000])
    message = fails(row(server.serve("/file", Reply(BODY))), part)
    assert message.startswith(f"{dropped}: {reason}")
    assert "replace or remove it" in message
    assert server.requests == []
    assert part.read_bytes() == BODY[:1000]
    assert dropped.read_bytes() == body
    assert names(part) == ["data.bin.part"]


def test_offline_says_what_to_put_where(server: Server, part: Path) -> None:
    url = server.serve("/file", Reply(BODY))
    wanted = part.parent.parent / "drop" / "data.bin"
    message = fails(row(url, bytes=170_498_071), part, offline=True)
    assert f"put data.bin (170.5 MB, sha256 {SHA}) at {wanted}; it can be had from {url}" in message
    assert "size unknown, sha256 unknown" in fails(row(url, bytes=None, sha256=None), part, offline=True)
    assert server.requests == []
    drop(part, BODY)
    assert get(row(url), part, offline=True)["url"] == str(wanted)


def test_what_has_no_address_must_be_dropped(part: Path) -> None:
    message = fails(row(page="https://example.org/form"), part)
    assert "cannot be downloaded by itself" in message
    assert "https://example.org/form" in message


# ---- the script


def test_progress_counts_megabytes_up_to_the_total(server: Server, part: Path) -> None:
    body = bytes(2_500_000)
    calls: list[Any] = []

    def progress(total: int, unit: str) -> Any:
        calls.append((total, unit))
        return calls.append

    url = server.serve("/file", Reply(body, cut=1_300_000), Reply(body))
    get(row(url, bytes=len(body), sha256=None), part, progress=progress)
    assert calls[0] == (3, "MB")
    assert calls[1:] == sorted(calls[1:])
    assert calls[-1] == 3


def run_script(folder: Path, source: dict[str, Any], offline: bool) -> tuple[int, str]:
    """Run the script as Snakemake would, with a stand-in for its object."""
    text = f"""
import runpy, sys
from types import SimpleNamespace
sys.path.insert(0, {str(SCRIPTS)!r})
snakemake = SimpleNamespace(
    rule="fetch_source", scriptdir={str(SCRIPTS)!r}, log=["logs/job.log"], threads=1, input={{}}, resources={{}},
    wildcards={{"source": "data.bin"}},
    params={{"untracked": SimpleNamespace(row={source!r}, offline={offline})}},
    output={{"file": "resources/downloads/data.bin"}},
)
runpy.run_path({str(SCRIPTS / "fetch_source.py")!r}, {{"snakemake": snakemake}}, "__main__")
"""
    (folder / "resources" / "downloads").mkdir(parents=True, exist_ok=True)
    status = subprocess.run([sys.executable, "-c", text], cwd=folder, check=False, capture_output=True)
    return status.returncode, (folder / "logs" / "job.log").read_text()


def test_the_script_leaves_the_file_and_its_record(server: Server, tmp_path: Path) -> None:
    url = server.serve("/file", Reply(BODY, cut=70_000), Reply(BODY))
    status, log = run_script(tmp_path, row(url), offline=False)
    assert (status, "licence CC0" in log) == (0, True), log
    folder = tmp_path / "resources" / "downloads"
    assert (folder / "data.bin").read_bytes() == BODY
    assert names(folder / "data.bin") == ["data.bin", "data.bin.json"]
    record = SimpleNamespace(**json.loads((folder / "data.bin.json").read_text()))
    assert (record.url, record.sha256, record.bytes, record.resumed_from) == (url, SHA, len(BODY), 70_000)


def test_the_script_keeps_the_part_and_takes_a_dropped_file(server: Server, tmp_path: Path) -> None:
    url = server.serve("/file", Reply(BODY, cut=70_000), Reply(status=404))
    status, log = run_script(tmp_path, row(url), offline=False)
    assert status == 1
    assert "answers 404" in log.splitlines()[-1]
    folder = tmp_path / "resources" / "downloads"
    assert names(folder / "data.bin") == ["data.bin.part", "data.bin.part.json"]
    status, log = run_script(tmp_path, row(url), offline=True)
    assert "at resources/drop/data.bin" in log.splitlines()[-1]
    (tmp_path / "resources" / "drop").mkdir()
    (tmp_path / "resources" / "drop" / "data.bin").write_bytes(BODY)
    assert run_script(tmp_path, row(url), offline=True)[0] == 0
    assert names(folder / "data.bin") == ["data.bin", "data.bin.json"]


@pytest.mark.parametrize(
    ("start", "target", "followed"),
    [("https", "http", False), ("https", "https", True), ("http", "https", True), ("http", "http", True)],
)
def test_a_redirect_never_leaves_encryption(start: str, target: str, followed: bool) -> None:
    request = urllib.request.Request(f"{start}://one.example/file")
    arguments = (request, io.BytesIO(), 302, "Found", Message(), f"{target}://other.example/file")
    if followed:
        again = ranged_request._Redirects().redirect_request(*arguments)
        assert again is not None
        assert again.full_url == f"{target}://other.example/file"
    else:
        with pytest.raises(urllib.error.URLError, match="redirects to http://other"):
            ranged_request._Redirects().redirect_request(*arguments)
