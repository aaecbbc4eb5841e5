"""What follows from declared options: the schema for editors, defaults, and rows of plug-ins."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_config import CONFIG, ROOT

from mmh.config.check import check_config
from mmh.config.model import Configuration
from mmh.config.tables import TABLES
from mmh.errors import InputError
from mmh.options.base import Field, Options
from mmh.options.forms import described


def test_the_schema_for_editors_is_in_step(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mmh.config.schema", str(tmp_path / "schema.json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    subprocess.run(command, env=environment, check=True)
    kept = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert (tmp_path / "schema.json").read_text() == kept.read_text(), "run `make schema`"


def test_the_schema_takes_what_the_check_takes_and_refuses_what_it_refuses() -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert not list(validator.iter_errors(CONFIG))
    assert not list(validator.iter_errors(check_config(CONFIG)))
    for path, value in (
        ("threads", 0),
        ("experiments/digits/model/steps", "many"),
        ("experiments/digits/estimators/flipd/t", [2.0]),
        ("experiments/digits/estimators/flipd/chunk", 1),
        ("experiments/digits/figures/lid_model/estimators", ["flipd", "flipd"]),
        ("experiments/stable-diffusion/image_sets/coco/n", 0),
    ):
        config = copy.deepcopy(CONFIG)
        *parents, last = path.split("/")
        part = config
        for key in parents:
            part = part[key]
        part[last] = value
        assert list(validator.iter_errors(config)), path
        with pytest.raises(InputError, match=path.replace("/", r"\.")):
            check_config(config)


def test_defaults_are_filled_in_and_nothing_else_is_changed() -> None:
    config = copy.deepcopy(CONFIG)
    del config["offline"]
    config["fetching"] = {"retries": 0}
    checked = check_config(config)
    assert checked["offline"] is False
    assert checked["fetching"]["retries"] == 0
    assert checked["fetching"]["per_host"] == 2
    assert checked["plugins"] == []
    assert checked["experiments"]["digits"]["retrieval"]["index"] == "Flat"
    assert "nprobe" not in checked["experiments"]["digits"]["retrieval"], "None: there is no such value"
    assert checked["experiments"]["stable-diffusion"]["prompt_lists"]["other"]["column"] == "caption"
    assert checked["experiments"]["digits"].keys() == CONFIG["experiments"]["digits"].keys()

    def within(part: Any, whole: Any) -> bool:
        if isinstance(part, dict):
            return all(key in whole and within(value, whole[key]) for key, value in part.items())
        if isinstance(part, list):
            return len(part) == len(whole) and all(map(within, part, whole))
        return type(part) is type(whole) and part == whole

    assert within(config, checked)


def test_a_default_that_names_nothing_here_is_a_mistake() -> None:
    config = copy.deepcopy(CONFIG)
    del config["experiments"]["digits"]["claims"]["data_estimators"]  # lpca, which is there
    del config["experiments"]["digits-text"]["claims"]["complexity"]  # png, which is not
    with pytest.raises(InputError) as caught:
        check_config(config)
    lines = [line.strip() for line in str(caught.value).splitlines()]
    place = "config.yaml: experiments.digits-text.claims.complexity: there is no estimator 'png'"
    assert len(lines) == 2
    assert lines[1].startswith(place)


def test_blocks_shared_by_anchors_are_filled_apart() -> None:
    shared = yaml.safe_load((ROOT / "config.yaml").read_text())["experiments"]
    assert shared["digits"]["retrieval"] is shared["digits-gan"]["retrieval"]
    checked = check_config(yaml.safe_load((ROOT / "config.yaml").read_text()))["experiments"]
    assert checked["digits"]["retrieval"] is not checked["digits-gan"]["retrieval"]


class Walk(Options):
    """Steps through a plane."""

    steps: int = Field(default=3, ge=1)
    """Number of steps,
    each of unit length."""
    law: str = "unit"
    """Gaussian or unit."""
    plain: int = 0


def test_a_field_means_what_stands_under_it() -> None:
    assert described(Walk) == "steps through a plane"
    assert described(Walk, "steps") == "number of steps, each of unit length"
    assert described(Walk, "law") == "Gaussian or unit"
    assert described(Walk, "plain") == ""
    assert described(Configuration, "seed") == "root seed"


def test_null_stands_for_nothing_where_a_key_may_be_left_out() -> None:
    config = copy.deepcopy(CONFIG)
    config["experiments"]["digits"]["retrieval"]["rerank"] = None
    config["experiments"]["digits"]["labels"] = None
    config["sources"]["cifar10.pkl"]["bytes"] = None  # null has a meaning here
    with pytest.raises(InputError) as caught:
        check_config(config)
    assert "experiments.digits.retrieval.rerank: None is null, expected integer: " in str(caught.value)
    assert "experiments.digits.labels: None is null, expected object: " in str(caught.value)
    assert "sources" not in str(caught.value)


PLUGIN = '''
from mmh.options.base import Field, Options
from mmh.scores.base import SetScore


class Contrast(SetScore):
    name = {name!r}

    class Options(Options):
        power: float = Field(default=2.0, gt=0)
        """Exponent of the deviations."""
'''


def with_plugins(*files: str) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["plugins"] = list(files)
    return config


def test_mistakes_of_plug_ins_are_named_with_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken.py").write_text(PLUGIN.format(name="png"))
    Path("broken.py").write_text("import nothing_of_this_name\n")
    Path("wrong.py").write_text("x = (1\n")
    Path("empty.py").write_text("x = 1\n")
    config = with_plugins("missing.py", "taken.py", "broken.py", "wrong.py", "empty.py")
    config["threads"] = 0
    with pytest.raises(InputError) as caught:
        check_config(config)
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[0] == "6 mistakes in the configuration:"
    assert lines[1].startswith("config.yaml: plugins.0: there is no file missing.py")
    assert lines[2].startswith("config.yaml: plugins.1: the method of an estimator 'png' exists already, in ")
    assert lines[3].startswith("config.yaml: plugins.2: broken.py does not import: ModuleNotFoundError")
    assert lines[4].startswith("config.yaml: plugins.3: wrong.py does not import: SyntaxError")
    assert lines[5].startswith("config.yaml: plugins.4: empty.py defines none of")
    assert lines[6].startswith("config.yaml: threads: 0 is out of range")


def test_a_row_of_a_plug_in_has_options_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("contrast.py").write_text(PLUGIN.format(name="contrast-of-a-plug-in"))
    for table in TABLES:  # what the plug-in adds goes when the test ends
        monkeypatch.setattr(table, "_rows", dict(table.rows()))
    config = with_plugins("contrast.py")
    block = {"method": "contrast-of-a-plug-in", "items": ["samples"]}
    config["experiments"]["digits"]["estimators"]["contrast"] = block
    assert check_config(config)["experiments"]["digits"]["estimators"]["contrast"] == {**block, "power": 2.0}
    block["power"] = 0
    with pytest.raises(
        InputError, match=r"contrast\.power: 0 is out of range, .*: exponent of the deviations"
    ):
        check_config(config)


WRONG = {
    "a name with a slash": (PLUGIN.format(name="a/b"), "the name 'a/b' is part of file paths"),
    "a name that leads upwards": (PLUGIN.format(name=".."), "the name '..' is part of file paths"),
    "a name that is no text": (
        PLUGIN.format(name=7),
        "the name of Contrast is 7; it must be a text",
    ),
    "options that are none": (
        PLUGIN.format(name="odd").replace("class Options(Options)", "class Options"),
        "Contrast.Options must be a subclass of mmh.options.base.Options",
    ),
    "a default out of range": (
        PLUGIN.format(name="odd").replace("default=2.0", "default=-2.0"),
        "Contrast.Options.power: its default -2.0 is refused: Input should be greater than 0",
    ),
    "an exit": ("import sys\nsys.exit(3)\n", "odd.py does not import: SystemExit: 3 (line 2)"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_plug_in_that_is_no_row_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.py").write_text(text)
    with pytest.raises(InputError) as caught:
        check_config(with_plugins("odd.py"))
    assert "plugins.0: odd.py" in str(caught.value)
    assert message in str(caught.value)


def test_a_plug_in_is_a_python_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.txt").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"odd\.txt is no Python file; the name of a plug-in ends in \.py"):
        check_config(with_plugins("odd.txt"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('x')", "fails: KeyError: 'x'"),
        ("return None", "gives None; a check yields one text per mistake"),
        ("return 'wrong'", "gives 'wrong'; a check yields one text per mistake"),
        ("return [3]", "gives 3; a check yields one text per mistake"),
    ],
)
def test_a_check_of_a_plug_in_that_fails_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    check = f"    @classmethod\n    def check(cls, options, experiment, where):\n        {body}\n"
    Path("odd.py").write_text(PLUGIN.format(name="odd") + "\n" + check)
    for table in TABLES:
        monkeypatch.setattr(table, "_rows", dict(table.rows()))
    config = with_plugins("odd.py")
    config["experiments"]["digits"]["estimators"]["odd"] = {"method": "odd", "items": ["samples"]}
    with pytest.raises(InputError) as caught:
        check_config(config)
    place = "experiments.digits.estimators.odd: the check of 'odd' in odd.py "
    assert place + message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
