"""Images from a server that misbehaves: nothing hangs, nothing wrong gets in, the ledger says what happened."""

import hashlib
import importlib
import io
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from http_server import Reply, Server
from PIL import Image

from mmh.errors import InputError
from mmh.fetch import timed_http
from mmh.fetch.ledger import Journal, attrition, ledger_table, read_journal
from mmh.fetch.options import FetchOptions
from mmh.fetch.timed_http import RequestError, requestable
from mmh.fetch.url_images import fetch_images, store_images
from mmh.images.image_lists import Row, list_table
from mmh.images.image_sets import import_set
from mmh.io.arrays import read_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import IMAGE_LIST, IMAGE_SET, LEDGER

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
QUICK = FetchOptions(read=1, total=20, pause=0.01, longest_wait=2)
ONCE = FetchOptions(retries=0, max_bytes=2_000_000)


def picture(seed: int, kind: str = "PNG", side: int = 24) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def plain(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(file, "JPEG")
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A small PNG file of side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = b"".join([*(packer.compress(bytes(1 + side // 8)) for _ in range(side)), packer.flush()])
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def image(body: bytes, **changes: Any) -> Reply:
    return Reply(body, **({"content_type": "image/png"} | changes))


PNG = picture(1)
SHA = hashlib.sha256(PNG).hexdigest()


def fetch(url: str, folder: Path, options: FetchOptions = QUICK) -> dict[str, Any]:
    """Fetch one image; its record, after checks that hold whatever happens."""
    [record] = fetch_images([url], folder, options=options).values()
    assert read_journal(folder) == {url: record}
    files = sorted(path.name for path in folder.iterdir())
    assert files == (
        ["journal.jsonl"] if record["file"] is None else sorted([record["file"], "journal.jsonl"])
    )
    assert (record["status"] == "ok") == (record["file"] is not None)
    assert (record["reason"] is None) == (record["status"] == "ok")
    return record


def test_an_image_is_stored_by_its_digest(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", image(PNG))
    before = datetime.now(UTC).replace(microsecond=0)
    record = fetch(url, tmp_path)
    assert (tmp_path / f"{SHA}.png").read_bytes() == PNG
    assert {
        key: record[key] for key in ("status", "http_status", "sha256", "width", "height", "bytes", "file")
    } == {
        "status": "ok",
        "http_status": 200,
        "sha256": SHA,
        "width": 24,
        "height": 24,
        "bytes": len(PNG),
        "file": f"{SHA}.png",
    }
    assert len(record["phash"]) == 16
    assert before <= datetime.fromisoformat(record["date"]) <= datetime.now(UTC)


# ---- answers that may pass


def test_errors_that_pass_are_waited_for(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", Reply(status=500), Reply(status=503), image(PNG))
    assert fetch(url, tmp_path)["status"] == "ok"
    assert len(server.requests) == 3


def test_an_error_that_stays_ends_after_the_last_attempt(server: Server, tmp_path: Path) -> None:
    record = fetch(server.serve("/a", Reply(status=500)), tmp_path)
    assert (record["status"], record["http_status"]) == ("server_error", 500)
    assert "answers 500" in record["reason"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "after",
    ["1", format_datetime(datetime.now(UTC) + timedelta(days=-1), usegmt=True)],
    ids=["seconds", "date"],
)
def test_retry_after_is_kept(server: Server, tmp_path: Path, after: str) -> None:
    url = server.serve("/a", Reply(status=429, retry_after=after), image(PNG))
    other = server.serve("/b", image(picture(2)))
    one_at_a_time = FetchOptions(per_host=1, retries=1, pause=0, longest_wait=2)
    records = fetch_images([url, other], tmp_path, options=one_at_a_time)
    assert [record["status"] for record in records.values()] == ["ok", "ok"]
    first, second, _ = server.requests
    if after == "1":  # the whole host rests, not this address alone
        assert second.time - first.time >= 1


def test_too_long_a_wait_is_not_kept(server: Server, tmp_path: Path) -> None:
    record = fetch(server.serve("/a", Reply(status=429, retry_after="3600")), tmp_path)
    assert (record["status"], record["http_status"]) == ("server_error", 429)
    assert "asks to wait 3600 s" in record["reason"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        image(PNG, cut=100),
        image(PNG, cut=100, chunked=True),
        image(PNG, cut=100, reset=True),
        image(PNG, stall=100),
        image(PNG[:-100]),
    ],
    ids=["cut", "cut in chunks", "reset", "stall", "a file that ends early"],
)
def test_a_break_is_mended_by_the_next_attempt(server: Server, tmp_path: Path, broken: Reply) -> None:
    url = server.serve("/a", broken, image(PNG))
    record = fetch(url, tmp_path)
    if len(broken.body) == len(PNG):
        assert (record["status"], record["sha256"]) == ("ok", SHA)
    else:  # it came as announced: another attempt would give the same
        assert (record["status"], len(server.requests)) == ("truncated", 1)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        (image(PNG, cut=100), "truncated", "broke off after 100"),
        (image(PNG, cut=100, chunked=True), "truncated", "broke off after 100"),
        (image(PNG, cut=100, reset=True), "truncated", "broke off"),
        (image(picture(3, "JPEG")[:-300]), "truncated", "damaged"),
        (image(PNG, stall=100), "timeout", "silent for 0.4 s"),
        (image(PNG, length=10**5, drip=0.05), "timeout", "not whole after 0.8 s"),
        (image(PNG, drip=0.05, drip_head=True), "timeout", "not whole after 0.8 s"),
        (image(PNG, hold=20), "timeout", "silent for 0.4 s"),
        (image(b"\xff" * 1000), "not_an_image", "no BMP, GIF"),
        (image(b""), "not_an_image", "no BMP, GIF"),
        (image(b"<!DOCTYPE html><html><body>Log in</body></html>"), "not_an_image", "no BMP, GIF"),
        (image(b"<svg/>", content_type="image/svg+xml"), "not_an_image", "is of type image/svg+xml"),
        (image(PNG, content_type="text/html; charset=utf-8"), "not_an_image", "is of type text/html"),
        (image(PNG, length=0, zeros=2 * 10**9 - len(PNG)), "not_an_image", "no BMP"),
        (image(b"", zeros=2 * 10**9), "too_large", "announces 2000000000 bytes"),
        (image(b"", zeros=2 * 10**9, chunked=True), "too_large", "sends more than 2000000 bytes"),
        (image(bomb(12_000)), "too_large", "12000 x 12000 pixels, at most 50000000 are read"),
        (image(bomb(24_000)), "too_large", "more pixels than Pillow reads"),
        (Reply(status=404), "dead", "answers 404"),
        (Reply(status=410), "dead", "answers 410"),
        (Reply(status=400), "dead", "answers 400"),
        (Reply(status=403), "forbidden", "answers 403"),
        (Reply(status=451), "forbidden", "answers 451"),
        (Reply(status=204), "not_an_image", "answers 204"),
        (Reply(status=302), "dead", "answers 302"),
        (Reply(status=302, location="/a"), "redirect_loop", "more than 5 redirects"),
        (Reply(status=302, location="file:///etc/passwd"), "bad_url", "redirects to 'file:///etc/passwd'"),
        (Reply(status=302, location="ftp://one.example/a.png"), "bad_url", "redirects to 'ftp"),
        (image(plain("black")), "placeholder", "one colour"),
        (image(plain("white")), "placeholder", "one colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said_and_kept_out(
    server: Server, tmp_path: Path, reply: Reply, status: str, reason: str
) -> None:
    limits = {"silent for 0.4 s": {"read": 0.4}, "not whole after 0.8 s": {"total": 0.8}}.get(reason, {})
    record = fetch(server.serve("/a", reply), tmp_path, ONCE.model_copy(update=limits))
    assert (record["status"], record["reason"][: len(reason)]) == (status, reason)
    assert record["http_status"] in (reply.status, None)
    # Of 2 GB hardly more than the buffers of the two sockets was sent.
    assert server.sent["/a"] < 30_000_000


def test_a_redirect_with_a_huge_body_is_followed_unread(server: Server, tmp_path: Path) -> None:
    server.serve("/b", image(PNG))
    url = server.serve("/a", Reply(status=301, location="b", zeros=2 * 10**9))
    assert fetch(url, tmp_path)["sha256"] == SHA
    assert server.sent["/a"] < 30_000_000


def test_redirects_share_one_time(server: Server, tmp_path: Path) -> None:
    for hop in "abcde":
        server.serve(f"/{hop}", Reply(status=302, location=chr(ord(hop) + 1), hold=0.3))
    server.serve("/f", image(PNG))
    record = fetch(server.url + "/a", tmp_path, ONCE.model_copy(update={"total": 0.8}))
    assert (record["status"], record["reason"]) == ("timeout", "not whole after 0.8 s")


def test_a_redirect_to_a_picture_of_absence_is_a_placeholder(server: Server, tmp_path: Path) -> None:
    server.serve("/images/photo_unavailable.png", image(PNG))
    url = server.serve("/a", Reply(status=302, location="/images/photo_unavailable.png"))
    assert fetch(url, tmp_path)["status"] == "placeholder"
    asked = server.serve("/removed-snow.png", Reply(status=302, location="/images/photo_unavailable.png"))
    assert fetch(asked, tmp_path / "asked")["status"] == "ok"  # its own name says no more


def test_an_unknown_host_is_dead_and_a_failing_look_up_is_not(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = socket.getaddrinfo, []

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        asked.append(host)
        codes = {"gone.test": socket.EAI_NONAME, "later.test": socket.EAI_AGAIN}
        if host in codes:
            raise socket.gaierror(codes[host], "as the test says")
        return real(host, *arguments, **options)

    monkeypatch.setattr(timed_http.socket, "getaddrinfo", look_up)
    urls = ["http://gone.test/a", "http://later.test/a", server.serve("/a", image(PNG))]
    records = fetch_images(urls, tmp_path, options=QUICK)
    assert [records[url]["status"] for url in urls] == ["dead", "unreachable", "ok"]
    assert (asked.count("gone.test"), asked.count("later.test")) == (1, 3)


def test_a_look_up_without_end_is_a_time_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(timed_http.socket, "getaddrinfo", lambda *_, **__: ended.wait(20) and [])
    record = fetch("http://slow.test/a", tmp_path, FetchOptions(connect=0.2, retries=0))
    ended.set()
    assert (record["status"], record["reason"]) == (
        "timeout",
        "the name of the host is not found within 0.2 s",
    )


def test_no_server_and_no_certificate(server: Server, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/a"
    assert fetch(closed, tmp_path / "closed")["status"] == "unreachable"
    encrypted = server.url.replace("http:", "https:") + "/a"
    assert fetch(encrypted, tmp_path / "encrypted")["status"] in ("unreachable", "timeout")


# ---- many addresses


def test_one_bad_link_stops_nothing_and_repeated_ones_are_asked_for_once(
    server: Server, tmp_path: Path
) -> None:
    good = [server.serve(f"/{i}", image(picture(i))) for i in range(12)]
    bad = [server.url + "/none", "ftp://one.example/a", "not an address", "http://", "file:///etc/passwd", ""]
    seen: list[int] = []
    records = fetch_images([*good[:6], *bad, *good], tmp_path, options=QUICK, progress=seen.append)
    assert [records[url]["status"] for url in good] == ["ok"] * 12
    assert [records[url]["status"] for url in bad] == ["dead"] + ["bad_url"] * 5
    assert sorted(request.path for request in server.requests) == sorted(
        ["/none", *(f"/{i}" for i in range(12))]
    )
    assert seen == list(range(1, 19))


@pytest.mark.parametrize("limit", [1, 3])
def test_a_host_is_asked_for_few_at_a_time(server: Server, tmp_path: Path, limit: int) -> None:
    urls = [server.serve(f"/{i}", image(picture(i), hold=0.1)) for i in range(6)]
    # Redirects from another name lead to the same host, and count for it.
    asked = [server.serve(f"/r{i}", Reply(status=302, location=url)) for i, url in enumerate(urls)]
    urls = urls[:3] + [url.replace("127.0.0.1", "localhost") for url in asked]
    fetch_images(urls, tmp_path, options=FetchOptions(workers=12, per_host=limit))
    assert server.peak["127.0.0.1"] == limit
    assert 1 <= server.peak["localhost"] <= limit
    assert all(record["status"] == "ok" for record in read_journal(tmp_path).values())


def test_a_stopped_run_is_resumed(server: Server, tmp_path: Path) -> None:
    urls = [server.serve(f"/{i}", image(picture(i))) for i in range(6)]
    urls.append(server.serve("/dead", Reply(status=404)))

    def stop(done: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_images(urls, tmp_path, options=FetchOptions(workers=1), progress=stop)
    kept = read_journal(tmp_path)
    assert len(kept) == 4
    with (tmp_path / "journal.jsonl").open("ab") as journal:  # what a kill may leave
        journal.write(b'{"url": "http://')
    (tmp_path / ".0.host-1.partial.png").write_bytes(PNG[:50])
    server.requests.clear()
    records = fetch_images(urls, tmp_path, options=QUICK)
    assert {f"{server.url}{request.path}" for request in server.requests} == set(urls) - set(kept)
    assert records == {**records, **kept}
    assert [record["status"] for record in records.values()].count("ok") == 6
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 7
    assert not list(tmp_path.glob(".*"))
    server.requests.clear()
    assert fetch_images(urls, tmp_path, options=QUICK) == records
    assert server.requests == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_is_resumed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    urls = [server.serve(f"/{i}", image(picture(i), hold=0 if i < 3 else 30)) for i in range(5)]
    code = (
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\nfrom pathlib import Path\n"
        "from mmh.fetch.options import FetchOptions\nfrom mmh.fetch.url_images import fetch_images\n"
        f"fetch_images({urls!r}, Path({str(tmp_path)!r}), "
        "options=FetchOptions(read=60))\n"
    )
    # A shell that runs the tests in the background has told its children to ignore SIGINT.
    with subprocess.Popen(["env", "--default-signal=INT", sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 30
        while len(read_journal(tmp_path)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)

        def kill(_: float) -> None:
            process.send_signal(how)
            assert process.wait(20) != 0  # although two answers are still awaited
            for path in ("/3", "/4"):
                server.serve(path, image(picture(int(path[1]))))
            server.requests.clear()

        monkeypatch.setattr(
            "mmh.fetch.ledger.sleep", kill
        )  # what this process does while the other one fetches
        records = fetch_images(urls, tmp_path, options=QUICK)
    assert process.returncode
    assert [record["status"] for record in records.values()] == ["ok"] * 5
    assert {request.path for request in server.requests} == {"/3", "/4"}


def test_a_run_waits_for_another_and_finds_its_work_done(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [server.serve("/a", image(PNG)), server.serve("/b", Reply(status=404))]
    done = fetch_images(urls, tmp_path / "other", options=QUICK)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / f"{SHA}.png").write_bytes(PNG)
    server.requests.clear()
    looks = []
    with Journal(tmp_path / "store") as other:

        def go_on(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) < 3:
                other.add(done[urls[len(looks) - 1]])
            else:
                other.__exit__()

        monkeypatch.setattr("mmh.fetch.ledger.sleep", go_on)
        assert fetch_images(urls, tmp_path / "store", options=QUICK) == done
    assert (len(looks), server.requests) == (3, [])
    assert capsys.readouterr().out.count("another process fetches these images; waiting") == 1


def test_a_lost_image_and_chosen_statuses_are_fetched_again(server: Server, tmp_path: Path) -> None:
    good, bad = server.serve("/a", image(PNG)), server.serve("/b", Reply(status=404), image(picture(2)))
    fetch_images([good, bad], tmp_path, options=QUICK)
    (tmp_path / f"{SHA}.png").write_bytes(PNG[:10])
    server.requests.clear()
    assert fetch_images([good, bad], tmp_path, options=QUICK)[bad]["status"] == "dead"
    assert (tmp_path / f"{SHA}.png").read_bytes() == PNG
    records = fetch_images([good, bad], tmp_path, options=QUICK, again=["dead"])
    assert [record["status"] for record in records.values()] == ["ok", "ok"]
    assert [request.path for request in server.requests] == ["/a", "/b"]


def test_offline_uses_what_is_there(server: Server, tmp_path: Path) -> None:
    here, there = server.serve("/a", image(PNG)), server.serve("/b", image(picture(2)))
    records = fetch_images([here], tmp_path, options=QUICK)
    server.requests.clear()
    assert fetch_images([here, there], tmp_path, offline=True) == records
    assert server.requests == []
    ledger = ledger_table(table([here, there]), records, placeholder_count=3)
    assert ledger["status"].tolist() == ["ok", "missing"]


def test_without_network_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "as the test says")

    monkeypatch.setattr(timed_http.socket, "getaddrinfo", look_up)
    with pytest.raises(InputError, match=r"none of 25 addresses gave an answer.*is there a network\?"):
        fetch_images([f"http://{i}.test/" for i in range(25)], tmp_path, options=QUICK)
    assert read_journal(tmp_path) == {}


@pytest.mark.parametrize("alive", [True, False])
def test_left_over_addresses_may_all_be_dead_where_an_old_one_answers(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    good = [server.serve(f"/{i}", image(picture(i))) for i in range(4)]
    good.append(server.url.replace("127.0.0.1", "localhost") + "/none")
    fetch_images(good, tmp_path, options=QUICK)
    before = (tmp_path / "journal.jsonl").read_bytes()
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        if host.endswith(".test") or not alive:
            raise socket.gaierror(socket.EAI_NONAME, "as the test says")
        return real(host, *arguments, **options)

    monkeypatch.setattr(timed_http.socket, "getaddrinfo", look_up)
    server.requests.clear()
    gone = [f"http://{i}.test/" for i in range(25)]
    if alive:
        records = fetch_images([*good, *gone], tmp_path, options=QUICK)
        assert [records[url]["status"] for url in gone] == ["dead"] * 25
        assert read_journal(tmp_path) == records  # nothing new about those that were asked again
        assert (tmp_path / "journal.jsonl").read_bytes().startswith(before)
        assert 1 <= len(server.requests) <= 3
        with Journal(tmp_path / "again") as journal:
            for url in gone:  # once they broke off; they are no witnesses for themselves
                journal.add({"url": url, "status": "timeout", "http_status": 200})
            journal.add(records[good[0]])
        again = fetch_images(gone, tmp_path / "again", options=QUICK, again=["timeout"])
        assert [again[url]["status"] for url in gone] == ["dead"] * 25
    else:
        with pytest.raises(InputError, match=r"none of 25 addresses gave an answer.*is there a network\?"):
            fetch_images([*good, *gone], tmp_path, options=QUICK)
        assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_a_fault_of_the_program_ends_the_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("mmh.fetch.crew.admit", broken)
    with pytest.raises(ZeroDivisionError):
        fetch_images([server.serve("/a", image(PNG))], tmp_path, options=QUICK)


def test_a_proxy_of_the_environment_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.serve("/a", image(PNG))
    assert fetch("http://far.test/a", tmp_path)["status"] == "ok"
    assert server.requests[0].path == "http://far.test/a"


# ---- ledger and set


def table(urls: list[str]) -> pd.DataFrame:
    return list_table([Row(url, f"caption {i}", b"") for i, url in enumerate(urls)])


def test_the_same_file_for_many_addresses_is_a_placeholder(server: Server, tmp_path: Path) -> None:
    gone = [server.serve(f"/gone{i}", image(PNG)) for i in range(3)]
    shared = server.serve("/shared", image(picture(2)))
    twice = server.serve("/twice", image(picture(2)))
    known = server.serve("/known", image(picture(3)))
    listed = table([*gone, shared, twice, shared, shared, known, server.url + "/none"])
    records = fetch_images(listed["url"], tmp_path, options=QUICK)
    digest = hashlib.sha256(picture(3)).hexdigest()
    ledger = ledger_table(listed, records, placeholder_count=3, placeholders=[digest])
    assert ledger["status"].tolist() == ["placeholder"] * 3 + ["ok"] * 4 + ["placeholder", "dead"]
    assert ledger["reason"][0] == "one file for 3 addresses"
    assert attrition(ledger) == {"asked": 9, "ok": 4, "statuses": {"ok": 4, "placeholder": 4, "dead": 1}}
    assert attrition(ledger_table(listed, records, placeholder_count=None))["ok"] == 8
    counts = import_set(
        listed, ledger, tmp_path, tmp_path / "s.npz", tmp_path / "s.parquet",
        size=24, aspect="squash", n=None, max_pixels=10**6,
    )  # fmt: skip
    images, ids = read_arrays(tmp_path / "s.npz", "image", "id")
    expected = np.asarray(Image.open(io.BytesIO(picture(2)))).transpose(2, 0, 1)
    assert (images == expected).all()
    assert ids.tolist() == [0, 1, 2, 3]
    written = read_table(tmp_path / "s.parquet", IMAGE_SET)
    assert written["caption"].tolist() == ["caption 3", "caption 4", "caption 5", "caption 6"]
    assert written["family"].tolist() == [0, 0, 0, 0]
    assert written["source"].tolist() == [shared, twice, shared, shared]
    assert (counts["n"], counts["families"], counts["asked"]) == (4, 1, 9)


@pytest.mark.parametrize(
    ("options", "status"), [({"placeholder_count": 3}, "placeholder"), ({"placeholder_count": None}, "ok")]
)
def test_the_count_of_placeholders_can_be_turned_off(
    server: Server, tmp_path: Path, options: dict[str, Any], status: str
) -> None:
    listed = table([server.serve(f"/{i}", image(PNG)) for i in range(3)])
    write_table(listed, tmp_path / "list", IMAGE_LIST)
    importlib.import_module("fetch_images").main(
        tmp_path / "list", [], tmp_path / "ledger", store=tmp_path / "store", options=options | {"placeholders": []},
        fetching={"retries": 0}, offline=False, progress=None,
    )  # fmt: skip
    assert read_table(tmp_path / "ledger", LEDGER)["status"].tolist() == [status] * 3


def test_images_at_hand_are_admitted_by_the_same_rules(tmp_path: Path) -> None:
    rows = [("t.parquet#0", PNG), ("t.parquet#1", plain("black")), ("t.parquet#2", b"no image")]
    records = store_images(rows, tmp_path, max_pixels=10**6)
    assert [record["status"] for record in records.values()] == ["ok", "placeholder", "not_an_image"]
    size = (tmp_path / "journal.jsonl").stat().st_size
    assert store_images(rows, tmp_path, max_pixels=10**6) == records
    assert (tmp_path / "journal.jsonl").stat().st_size == size
    rows[2] = ("t.parquet#2", picture(2))  # another edition of the data set
    assert store_images(rows, tmp_path, max_pixels=10**6)["t.parquet#2"]["status"] == "ok"


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add({"url": "http://a", "status": "ok"})
    (tmp_path / "journal.jsonl").write_text(json.dumps({"url": "http://a"}) + "\n")
    with pytest.raises(InputError, match=r"journal.jsonl, line 1: is no record .* remove the line"):
        Journal(tmp_path)


@pytest.mark.parametrize(
    ("url", "base", "wanted"),
    [
        ("http://A.example/ä b.png?q=a b#part", None, "http://a.example/%C3%A4%20b.png?q=a%20b"),
        ("http://a.example/%C3%A4%20b.png", None, "http://a.example/%C3%A4%20b.png"),
        ("http://bücher.example", None, "http://xn--bcher-kva.example/"),
        ("http://[::1]:8080/a", None, "http://[::1]:8080/a"),
        ("../c.png", "http://a.example/x/y/b.png", "http://a.example/x/c.png"),
        ("//b.example/c", "https://a.example/", "https://b.example/c"),
        ("https://a.example/c", "http://a.example/", "https://a.example/c"),
        ("http://a.example:port/", None, None),
        ("http://a b.example/", None, None),
        ("http://a.example\r\nHost: b/", None, None),
        ("http://b.example/c", "https://a.example/", None),
        ("javascript:alert(1)", "https://a.example/", None),
    ],
)
def test_addresses_as_people_write_them(url: str, base: str | None, wanted: str | None) -> None:
    if wanted:
        assert requestable(url, base) == wanted
    else:
        with pytest.raises(RequestError) as error:
            requestable(url, base)
        assert error.value.status == "bad_url"


def test_from_list_to_set_by_the_scripts(server: Server, tmp_path: Path) -> None:
    script = importlib.import_module
    urls = [server.serve(f"/{i}", image(picture(i, side=16 + 2 * i))) for i in range(5)]
    texts = ["a red fox", "an old map of Rome", "soup", "two trains", "her wedding", "lost"]
    rows = [{"link": url, "text": texts[i]} for i, url in enumerate([*urls, server.url + "/none"])]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"columns": {"url": "link", "caption": "text"}, "size": 8, "aspect": "crop", "draw": 6, "n": 4}
    options |= {"placeholder_count": 3, "placeholders": []}
    for run in ("first", "second"):
        names = {kind: tmp_path / f"{run}-{kind}" for kind in ("list", "ledger", "set.npz", "set", "counts")}
        script("list_images").main(
            [tmp_path / "list.jsonl"], [], names["list"], options=options, seed=0, digests={}
        )
        script("fetch_images").main(
            names["list"], [], names["ledger"], store=tmp_path / "store", options=options,
            fetching={"retries": 0, "again": []}, offline=run == "second", progress=None,
        )  # fmt: skip
        script("import_image_set").main(
            names["list"], names["ledger"], names["set.npz"], names["set"], names["counts"],
            store=tmp_path / "store", options=options, max_pixels=10**6,
        )  # fmt: skip
        assert json.loads(names["counts"].read_text()) == {
            "asked": 6, "ok": 5, "statuses": {"ok": 5, "dead": 1}, "wanted": 4, "n": 4, "families": 4,
        }  # fmt: skip
    for kind in ("list", "ledger", "set.npz", "set", "counts"):
        assert (tmp_path / f"first-{kind}").read_bytes() == (tmp_path / f"second-{kind}").read_bytes()
    drawn = read_table(tmp_path / "first-list", IMAGE_LIST)
    kept = read_table(tmp_path / "first-set", IMAGE_SET)
    alive = [url for url in drawn["url"] if url in urls]
    assert kept["source"].tolist() == alive[:4]
    assert len(server.requests) == 6
