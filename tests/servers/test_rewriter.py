"""The rewriter behind a server of OpenAI's interface, against a real server that misbehaves."""

import json
from pathlib import Path

import pytest
from http_server import Reply, Server

from mmh.errors import InputError
from mmh.rewriters.base import Ask, made
from mmh.rewriters.server import Client
from mmh.rewriting.answers import rewritten

KEY = "sk-not-to-be-seen"
PATH = "/v1/chat/completions"
ASK = Ask("memorized", 3, ("the", "tovafu", "plate"), (1,), 0, 0)


def says(text: str, model: str = "gpt-4o-2024-08-06", **more: object) -> Reply:
    body = {"model": model, "choices": [{"message": {"role": "assistant", "content": text}}]}
    return Reply(json.dumps(body).encode(), content_type="application/json", **more)  # type: ignore[arg-type]


def refuses(status: int, said: str = "no", **more: str) -> Reply:
    return Reply(json.dumps({"error": {"message": said}}).encode(), status=status, **more)  # type: ignore[arg-type]


@pytest.fixture
def ask(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ask a server that answers so; gives the row and the seconds that were waited."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def asked(*replies: Reply, attempts: int = 3, **options: object):
        server.serve(PATH, *replies)
        given = {
            "base_url": f"{server.url}/v1",
            "model": "gpt-4o",
            "cache": str(tmp_path / "kept"),
            "timeout": 5,
        }
        rewriter = made("openai", given | options)
        waited: list[float] = []
        rewriter._client = Client(rewriter.options, waited.append)
        table = rewritten(rewriter, [ASK], too_long=lambda text: len(text) > 200, attempts=attempts)
        return table.iloc[0], waited

    return asked


def test_an_answer_is_kept_with_where_it_comes_from_and_without_the_key(ask, server, tmp_path, capfd):
    row, waited = ask(says('Caption: "the silver plate"'))
    assert (row["rewrite"], row["problem"], row["attempts"]) == ("the silver plate", "", 1)
    assert (row["model"], row["rewriter"], row["replaced"]) == ("gpt-4o-2024-08-06", "openai", "tovafu")
    assert len(row["date"]) == 10
    assert waited == []
    request = server.requests[0]
    assert request.authorization == f"Bearer {KEY}"
    sent = json.loads(request.body)
    assert sent["model"] == "gpt-4o"
    assert '"tovafu"' in sent["messages"][0]["content"]
    files = list((tmp_path / "kept").iterdir())
    assert len(files) == 1
    assert KEY not in files[0].read_text()
    again, _ = ask(refuses(500))
    assert again.equals(row)
    assert len(server.requests) == 1
    assert KEY not in "".join(capfd.readouterr())


def test_failures_that_may_pass_are_waited_for(ask, server):
    row, waited = ask(
        refuses(429, "slow down", retry_after="7"),
        refuses(500),
        says("cut off", cut=30),
        Reply(b'{"choices": [{"mess'),
        Reply(b"[]"),
        says("the silver plate"),
    )
    assert row["rewrite"] == "the silver plate"
    assert waited == [7, 2, 4, 8, 16]
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (says("late", hold=3), "timed out"),
        (says("late", stall=20), "timed out"),
        (refuses(503, "overloaded"), "503 overloaded"),
        (Reply(b"{}", zeros=2**21), "an answer of more than 1048576 bytes"),
    ],
)
def test_failures_that_stay_end_in_one_message(ask, server, reply, said):
    with pytest.raises(InputError, match=rf"failed 2 times, last: .*{said}.*; set base_url") as caught:
        ask(reply, retries=1, timeout=0.3)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("x" * 50_000, "too long"),
        ("", "empty"),
        ("the tovafu plate", "unchanged"),
        ("a Tovafu dish", "keeps tovafu"),
        ("one\ntwo", "several lines"),
    ],
)
def test_what_will_not_do_is_asked_for_again_and_counted(ask, server, text, problem):
    row, _ = ask(says(text), says(text), says("the silver plate"))
    assert (row["rewrite"], row["problem"], row["attempts"]) == ("the silver plate", "", 3)


def test_what_never_will_do_is_listed_with_its_problem(ask):
    row, _ = ask(says("I cannot do this"), attempts=2)
    assert (row["problem"], row["attempts"]) == ("refusal", 2)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (refuses(401, f"Incorrect API key: {KEY}"), r"refuses the key \(401\); set OPENAI_API_KEY"),
        (refuses(404, "The model `gpt-4o` does not exist"), "404 The model `gpt-4o` does not exist"),
        (refuses(400, f"bad {KEY}"), r"400 bad \*\*\*"),
        (says("hello", model="llama-3"), "'gpt-4o' was asked for and 'llama-3' answered; set model"),
        (Reply(status=302, location="http://127.0.0.1:9/elsewhere"), "refuses .302"),
    ],
)
def test_what_will_not_pass_is_not_asked_for_again(ask, server, reply, said):
    with pytest.raises(InputError, match=said) as caught:
        ask(reply)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1


def test_the_budget_of_requests_is_kept(ask, server):
    with pytest.raises(InputError, match="the budget of 2 requests is spent; answers are kept: raise calls"):
        ask(refuses(500), calls=2, wait=0)
    assert len(server.requests) == 2


def test_without_a_key_nothing_is_sent_unless_none_is_needed(ask, server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="no key; set the environment variable OPENAI_API_KEY"):
        ask(says("hello"))
    assert server.requests == []
    row, _ = ask(says("the silver plate"), key_variable="")
    assert row["rewrite"] == "the silver plate"
    assert server.requests[0].authorization is None


def test_a_server_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    options = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "cache": str(tmp_path), "retries": 0}
    with pytest.raises(
        InputError, match=r"http://127\.0\.0\.1:9/v1/chat/completions failed 1 times, last: .*refused"
    ):
        made("openai", options).rewrite(ASK, 0)


def test_a_kept_answer_that_is_broken_is_named(ask, tmp_path):
    ask(says("the silver plate"))
    file = next((tmp_path / "kept").iterdir())
    file.write_text("{")
    with pytest.raises(InputError, match="is no answer that was kept; remove it"):
        ask(says("the silver plate"))
