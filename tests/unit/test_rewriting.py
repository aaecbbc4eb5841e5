"""Words drawn by attribution, rewriters that need no server, and the checks of their answers."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.rewriters.base import REWRITERS, Answer, Ask, Rewriter, instruction, made
from mmh.rewriting.answers import COLUMNS, rewritten, tidy
from mmh.rewriting.draws import drawn_words, probabilities
from mmh.worlds.sets.wordings import GRAMMAR

TEXT = "a scarlet heavy figure efilit single showing tovafu upon dazobo card"
VALUES = np.array([1.0, 0.0, 3.0, 6.0])
HOW = {"seed": 0, "prompt_set": "a", "prompt": 2}


def ask(*chosen: int, repeat: int = 0) -> Ask:
    return Ask("memorized", 3, tuple(TEXT.split()), chosen, repeat, 0)


def short(text: str) -> bool:
    return len(text.split()) > 14


def test_the_laws_of_the_draw_are_the_papers_and_its_programs():
    np.testing.assert_allclose(probabilities(VALUES, "normalised"), VALUES / 10)
    soft = np.exp((VALUES - 6) / 0.1)
    wanted = soft / soft.sum() + 1e-3
    np.testing.assert_allclose(probabilities(VALUES, "softmax"), wanted / wanted.sum())
    np.testing.assert_allclose(probabilities(VALUES, "uniform"), 0.25)
    np.testing.assert_allclose(probabilities(np.zeros(3), "normalised"), 1 / 3)


def test_words_are_drawn_without_replacement_by_their_probabilities():
    many = [drawn_words(VALUES, 2, "normalised", **HOW, repeat=i) for i in range(4000)]
    first = np.bincount([places[0] for places in many], minlength=4) / 4000
    np.testing.assert_allclose(first, VALUES / 10, atol=0.03)
    assert all(len(set(places)) == 2 for places in many)
    after = np.array([places[1] for places in many if places[0] == 3])
    assert (after == 2).mean() == pytest.approx(3 / 4, abs=0.04)
    assert drawn_words(VALUES, 4, "normalised", **HOW)[3] == 1  # a word of no weight comes last


def test_a_draw_depends_on_seed_and_prompt_and_larger_draws_begin_alike():
    one = drawn_words(VALUES, 1, "softmax", **HOW)
    assert drawn_words(VALUES, 3, "softmax", **HOW)[:1] == one
    others = {drawn_words(VALUES, 3, "uniform", **{**HOW, "prompt": i}) for i in range(20)}
    assert len(others) > 5
    with pytest.raises(InputError, match="prompt 2 of set a has 4 words, 5 are to be replaced; lower k"):
        drawn_words(VALUES, 5, "uniform", **HOW)


def test_the_lexicon_keeps_colours_and_changes_what_is_asked_for():
    rewriter = made("lexicon", {"others": ["bamadu", "ofolik", "tovafu"]})
    table = rewritten(rewriter, [ask(1, 5, 7), ask(0, repeat=1)], too_long=short)
    assert list(table.columns) == COLUMNS
    first, second = table["rewrite"]
    assert first.split()[7] == "bamadu"
    said = GRAMMAR.read(first)
    assert (said["colour"], said["numeral"]) == (0, 2)
    assert first.split()[1] != "scarlet"
    assert second.split()[1:] == TEXT.split()[1:]
    assert (table["problem"] == "").all()
    assert table["replaced"].tolist() == ["scarlet single tovafu", "a"]
    assert rewritten(rewriter, [ask(1, 5, 7)], too_long=short)["rewrite"][0] == first


def test_exchange_takes_words_that_several_other_prompts_hold():
    rewriter = made("exchange", {})
    rewriter.prepare([TEXT, "two cats sat", "two cats ran", "one bird sat"])
    changed = rewritten(rewriter, [ask(1, 7), ask(1, 7, repeat=1)], too_long=short)
    assert (changed["problem"] == "").all()
    words = [text.split() for text in changed["rewrite"]]
    assert {new[place] for new in words for place in (1, 7)} <= {"two", "cats", "sat"}
    kept = [place for place in range(len(TEXT.split())) if place not in (1, 7)]
    assert [[new[place] for place in kept] for new in words] == [[TEXT.split()[place] for place in kept]] * 2
    assert len({rewriter.rewrite(ask(1), i).text for i in range(9)}) == 3
    rewriter.prepare([TEXT, TEXT])
    with pytest.raises(InputError, match=r"no word in common that prompt \d+ of '\w+' lacks"):
        rewriter.rewrite(ask(1), 0)


def test_a_table_gives_its_rows_in_turn_and_says_what_it_lacks(tmp_path):
    file = tmp_path / "mine.csv"
    new = TEXT.replace("tovafu", "old")
    file.write_text(f"text,replaced,rewrite\n{TEXT},tovafu,{new}\n{TEXT},tovafu,a b\n")
    rewriter = made("table", {"file": str(file)})
    table = rewritten(rewriter, [ask(7), ask(7, repeat=1)], too_long=short)
    assert table["rewrite"].tolist() == [new, "a b"]
    assert table["model"].tolist() == ["mine.csv"] * 2
    with pytest.raises(
        InputError, match=r"mine.csv: has 0 rewrites of .* without 'scarlet', needs 1; add a row"
    ):
        rewritten(rewriter, [ask(1)], too_long=short)
    with pytest.raises(InputError, match="no rewrites can be read"):
        rewritten(made("table", {"file": str(tmp_path / "none.csv")}), [ask(1)], too_long=short)
    (tmp_path / "bad.csv").write_text("text,rewrite\n")
    with pytest.raises(InputError, match="has no column 'replaced'"):
        rewritten(made("table", {"file": str(tmp_path / "bad.csv")}), [ask(1)], too_long=short)


class Turns(Rewriter):
    """Says one thing after the other."""

    name = "turns"

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.texts = list(texts)

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        return Answer(self.texts[attempt], "m")


def test_answers_are_checked_and_asked_for_again():
    one = rewritten(Turns("", '"a b c"'), [ask(7)], too_long=short).iloc[0]
    assert (one["rewrite"], one["attempts"]) == ("a b c", 2)
    long = rewritten(Turns("w " * 15), [ask(7)], too_long=short, attempts=1).iloc[0]
    assert long["problem"] == "too long"
    twice = Ask("a", 0, ("red", "plate", "red", "card"), (0,), 0, 0)
    assert rewritten(Turns("blue plate red card"), [twice], too_long=short, attempts=1)["problem"][0] == ""
    kept = rewritten(Turns("red plate, red!"), [twice], too_long=short, attempts=1)["problem"][0]
    assert kept == "keeps red"
    assert tidy(" “a plate” ") == "a plate"


def test_an_answer_of_another_meaning_is_asked_for_again_and_counted():
    asked = []

    def lost(text, answer):
        asked.append((text, answer))
        return "plate" not in answer

    by = Turns("", "a red car", "a red plate")
    one = rewritten(by, [ask(7)], too_long=short, lost=lost).iloc[0]
    assert (one["rewrite"], one["problem"], one["attempts"]) == ("a red plate", "", 3)
    assert asked == [(TEXT, "a red car"), (TEXT, "a red plate")]
    both = rewritten(by, [ask(7)], too_long=short, lost=lost, attempts=2).iloc[0]
    assert (both["rewrite"], both["problem"]) == ("a red car", "meaning lost")


def test_the_instruction_names_the_words_and_the_caption():
    said = instruction(TEXT, ["tovafu", "single"])
    assert '"tovafu", "single"' in said
    assert said.endswith(f"Caption: {TEXT}")


def test_a_local_model_answers_alike_for_the_same_seed(tmp_path):
    from tiny_pipeline import WORDS
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    names = ["<end>", "<unknown>", *WORDS]
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unknown>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", unk_token="<unknown>")
    tokenizer.save_pretrained(tmp_path)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(names), n_embd=8, n_layer=1, n_head=1, n_positions=200, eos_token_id=0)
    ).save_pretrained(tmp_path)
    rewriter = made("transformers", {"model": str(tmp_path), "tokens": 8})
    first = rewriter.rewrite(ask(7), 0)
    assert first == rewriter.rewrite(ask(7), 0)
    assert first.model == str(tmp_path)
    assert len({rewriter.rewrite(ask(7), i).text for i in range(6)}) > 1
    with pytest.raises(InputError, match=r"no language model .* can be loaded"):
        made("transformers", {"model": str(tmp_path / "none")}).rewrite(ask(7), 0)


def test_every_rewriter_is_a_row():
    assert set(REWRITERS.rows()) == {"exchange", "lexicon", "openai", "table", "transformers"}
