"""A digest changes by edits that can change what a job does, and by no other: small trees of code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmh.digest.modules import Code
from mmh.digest.reach import Reach, Root

FOLDER = Path("/nowhere")
# A project of one script: `job.py` runs `main`, which uses what each case imports.
MAIN = "from mmh.job.frame import job\n\ndef main():\n    {}\n\nif __name__ == '__main__':\n    main()\n"
ROWS = """
class Row:
    name = ""

class Table:
    def __init__(self, what, package, base): ...

def load_plugins(paths, *tables): ...
"""


def digest(files: dict[str, str], *roots: Root, script: str = "job.py") -> str:
    """Digest of a script in a tree of files that is nowhere on the disk."""
    packages = {"mmh/__init__.py": "", "mmh/rows.py": ROWS}
    tree = {FOLDER / name: text for name, text in (packages | files).items()}
    return Reach(Code(FOLDER).edited(tree)[0]).digest(script, *roots)


def project(body: str, **modules: str) -> dict[str, str]:
    """`body` of the script's main, and modules of the package by name, `a__b` for `a/b`."""
    files = {f"mmh/{re.sub('(?<=[a-z])__(?=[a-z])', '/', name)}.py": text for name, text in modules.items()}
    return {"job.py": MAIN.format(body.replace("\n", "\n    ")), **files}


def same(before: dict[str, str], after: dict[str, str], *roots: Root) -> bool:
    return digest(before, *roots) == digest(after, *roots)


USE = "from mmh.a import f\nf(1)"

# What counts: the text of module `a` before and after the edit, where main calls `a.f`.
COUNTS = {
    "a body": ("def f(x): return 1", "def f(x): return 2"),
    "a default": ("def f(x, y=1): return y", "def f(x, y=2): return y"),
    "a default of a constant": ("C = 1\ndef f(x, y=C): return y", "C = 2\ndef f(x, y=C): return y"),
    "a keyword's default": ("def f(x, *, y=1): return y", "def f(x, *, y=2): return y"),
    "a star": ("def f(*x): return x", "def f(**x): return x"),
    "a called function": (
        "def g(): return 1\ndef f(x): return g()",
        "def g(): return 2\ndef f(x): return g()",
    ),
    "a nested function": (
        "def f(x):\n def g(): return C\n return g()\nC = 1",
        "def f(x):\n def g(): return C\n return g()\nC = 2",
    ),
    "a lambda in a table": (
        "T = {'a': lambda: 1}\ndef f(x): return T[x]()",
        "T = {'a': lambda: 2}\ndef f(x): return T[x]()",
    ),
    "a function in a table": (
        "def g(): return 1\nT = {'a': g}\ndef f(x): return T[x]()",
        "def g(): return 2\nT = {'a': g}\ndef f(x): return T[x]()",
    ),
    "an item put into a table": (
        "T = {}\nT['a'] = 1\ndef f(x): return T",
        "T = {}\nT['a'] = 2\ndef f(x): return T",
    ),
    "an update of a table": (
        "T = {}\nT.update(a=1)\ndef f(x): return T",
        "T = {}\nT.update(a=2)\ndef f(x): return T",
    ),
    "an augmented table": (
        "T = {}\nT |= {1: 1}\ndef f(x): return T",
        "T = {}\nT |= {1: 2}\ndef f(x): return T",
    ),
    "an attribute that is set": (
        "T = g()\nT.a = 1\ndef f(x): return T",
        "T = g()\nT.a = 2\ndef f(x): return T",
    ),
    "a base class": (
        "class B:\n def m(self): return 1\nclass C(B): ...\ndef f(x): return C()",
        "class B:\n def m(self): return 2\nclass C(B): ...\ndef f(x): return C()",
    ),
    "a field's type": (
        "@dataclass\nclass C:\n a: int\ndef f(x): return C",
        "@dataclass\nclass C:\n a: float\ndef f(x): return C",
    ),
    "a field's default": (
        "class C(B):\n a: int = 1\ndef f(x): return C",
        "class C(B):\n a: int = 2\ndef f(x): return C",
    ),
    "a decorator": (
        "@g\ndef f(x): return 1\ndef g(x): return x",
        "@g\ndef f(x): return 1\ndef g(x): return 2",
    ),
    "a condition at the top": ("if A:\n C = 1\ndef f(x): return C", "if B:\n C = 1\ndef f(x): return C"),
    "an effect of the import": (
        "import os\nos.putenv('a', '1')\ndef f(x): 1",
        "import os\nos.putenv('a', '2')\ndef f(x): 1",
    ),
    "a global": ("C = 1\ndef f(x):\n global C\n C += x", "C = 2\ndef f(x):\n global C\n C += x"),
    "a name that a comprehension shadows elsewhere": (
        "C = 1\ndef f(x): return [C for C in x], C",
        "C = 2\ndef f(x): return [C for C in x], C",
    ),
    "a name that a class shadows": (
        "C = 1\ndef f(x):\n class D:\n  C = 5\n  def m(self): return C\n return D",
        "C = 2\ndef f(x):\n class D:\n  C = 5\n  def m(self): return C\n return D",
    ),
    "another library": (
        "from math import log\ndef f(x): return log(x)",
        "from numpy import log\ndef f(x): return log(x)",
    ),
    "another alias": (
        "import numpy as np\ndef f(x): return np.log",
        "import torch as np\ndef f(x): return np.log",
    ),
    "an annotation that a decorator reads": (
        "@reads\ndef f(x: int): return 1\ndef reads(f): return f",
        "@reads\ndef f(x: str): return 1\ndef reads(f): return f",
    ),
    "the class of an error": ("def f(x): raise ValueError('a')", "def f(x): raise TypeError('a')"),
    "an error's code": ("def f(x): raise OSError(1, 'a')", "def f(x): raise OSError(2, 'a')"),
    "the arguments of an error that keeps them": (
        "class E(Exception):\n def __init__(self, code): self.code = code\ndef f(x): raise E('a')",
        "class E(Exception):\n def __init__(self, code): self.code = code\ndef f(x): raise E('b')",
    ),
    "the condition of an error": (
        "def f(x):\n if x > 1: raise ValueError('a')",
        "def f(x):\n if x > 2: raise ValueError('a')",
    ),
    "an error's text that is kept": (
        "def g(): raise ValueError('a')\ndef f(x):\n try: g()\n except Exception as e: return str(e)",
        "def g(): raise ValueError('b')\ndef f(x):\n try: g()\n except Exception as e: return str(e)",
    ),
    "an error's text in an error's arguments that are kept": (
        "class E(Exception):\n def __init__(self, c): self.c = c\ndef g(): raise ValueError('a')\n"
        "def f(x):\n try: g()\n except ValueError as e: raise E(str(e))",
        "class E(Exception):\n def __init__(self, c): self.c = c\ndef g(): raise ValueError('b')\n"
        "def f(x):\n try: g()\n except ValueError as e: raise E(str(e))",
    ),
    "a function that a string points to": (
        "T = 'mmh.c:g'\ndef f(x): return named(T)",
        "T = 'mmh.d:g'\ndef f(x): return named(T)",
    ),
    "a function of its own that a string points to": (
        "T = ':g'\ndef g(): return 1\ndef f(x): return named(T)",
        "T = ':g'\ndef g(): return 2\ndef f(x): return named(T)",
    ),
    "a printed call": ("def f(x): print(next(x))", "def f(x): print(len(x))"),
    "what is printed to a file": ("def f(x): print('a', file=x)", "def f(x): print('b', file=x)"),
    "a module that is imported by its name": (
        "from importlib import import_module\ndef f(x): return import_module('mmh.c').g",
        "from importlib import import_module\ndef f(x): return import_module('mmh.d').g",
    ),
}

# What does not count, likewise.
IDLE = {
    "a comment": ("def f(x): return 1", "# why\ndef f(x): return 1  # why"),
    "a docstring": ("def f(x): return 1", '"""Doc."""\ndef f(x):\n "Doc."\n return 1'),
    "layout": ("def f(x): return 1 + 1", "def f(\n x,\n):\n return (1 + 1)"),
    "a hint": ("def f(x): return 1", "def f(x: 'g') -> int: return 1\ndef g(): return 1"),
    "a hint of a variable": ("def f(x):\n y = 1\n return y", "def f(x):\n y: int = 1\n return y"),
    "an import for hints": (
        "def f(x): return 1",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n from mmh.c import g\ndef f(x: 'g'): return 1",
    ),
    "another function": ("def f(x): return 1", "def f(x): return 1\ndef g(): return 2\nG = 1"),
    "a name that is a variable": ("def f(y): return y\ny = 1", "def f(y): return y\ny = 2"),
    "an alias": ("import numpy as np\ndef f(x): return np.log", "from numpy import log as l\ndef f(x): return l"),
    "the words of an error": (
        "def f(x): raise ValueError(f'a {g()}')\ndef g(): return 1",
        "def f(x): raise ValueError(f'b {x}')\ndef g(): return 2",
    ),
    "the words of the project's error": (
        "class E(Exception):\n '''Doc.'''\ndef f(x): raise E('a')",
        "class E(Exception):\n '''Other.'''\ndef f(x): raise E('b')",
    ),
    "the words that a function makes an error of": (
        "def g(a): return ValueError(f'{a} is bad')\ndef f(x): raise g('a')",
        "def g(a): return ValueError(f'{a} is good')\ndef f(x): raise g('b')",
    ),
    "the words of a function that refuses": (
        "def g(a) -> NoReturn: raise ValueError(a)\ndef f(x):\n if x: g('a')",
        "def g(a) -> NoReturn: raise ValueError(a)\ndef f(x):\n if x: g('b')",
    ),
    "words that another error takes over": (
        "def g(): raise ValueError('a')\n"
        "def f(x):\n try: g()\n except ValueError as e:\n  y = 'a' + str(e)\n  raise TypeError(y) from e",
        "def g(): raise ValueError('b')\n"
        "def f(x):\n try: g()\n except ValueError as e:\n  y = 'b' + str(e)\n  raise TypeError(y) from e",
    ),
    "an error whose kind alone is read": (
        "def g(): raise ValueError('a')\ndef f(x):\n try: g()\n except Exception as e: return isinstance(e, OSError)",
        "def g(): raise ValueError('b')\ndef f(x):\n try: g()\n except Exception as e: return isinstance(e, OSError)",
    ),
    "a note": ("def f(x): print(f'a {x}')", "def f(x): print(f'b {x}')"),
    "a warning": ("import warnings\ndef f(x): warnings.warn('a')", "import warnings\ndef f(x): warnings.warn('b')"),
    "what an assertion says": ("def f(x): assert x, 'a'", "def f(x): assert x, 'b'"),
}  # fmt: skip


@pytest.mark.parametrize("case", COUNTS)
def test_an_edit_that_can_change_the_output_counts(case: str) -> None:
    others = {"c": "def g(): return 1", "d": "def g(): return 2"}
    before, after = (project(USE, a=text, **others) for text in COUNTS[case])
    assert not same(before, after)


@pytest.mark.parametrize("case", IDLE)
def test_an_edit_that_cannot_does_not(case: str) -> None:
    before, after = (project(USE, a=text, c="def g(): return 1") for text in IDLE[case])
    assert same(before, after)


def ways() -> Iterator[tuple[str, dict[str, str]]]:
    """Ways in which main may name `f` of `mmh/x/a.py`."""
    f = "def f(): return 1\ndef g(): return 1"
    yield "import a function", project("from mmh.x.a import f\nf()", x__a=f)
    yield "by another name", project("from mmh.x.a import f as h\nh()", x__a=f)
    yield "import a module", project("from mmh.x import a\na.f()", x__a=f)
    yield "import a module by another name", project("import mmh.x.a as b\nb.f()", x__a=f)
    yield "import by the whole path", project("import mmh.x.a\nmmh.x.a.f()", x__a=f)
    yield (
        "from a package",
        project("from mmh.x import f\nf()", x__a=f, **{"x/__init__": "from mmh.x.a import f"}),
    )
    lazy = "if TYPE_CHECKING:\n from mmh.x.a import f\n__getattr__ = lazy_names(__name__, {'f': 'a'})"
    yield "from a lazy package", project("from mmh.x import f\nf()", x__a=f, **{"x/__init__": lazy})
    yield (
        "by way of a package with a file",
        project("from mmh.x import a\na.f()", x__a=f, **{"x/__init__": ""}),
    )
    yield (
        "by a relative import",
        project("from mmh.x.b import h\nh()", x__a=f, x__b="from .a import f\ndef h(): f()"),
    )
    yield (
        "by a relative import of the module",
        project("from mmh.x.b import h\nh()", x__a=f, x__b="from . import a\ndef h(): a.f()"),
    )
    yield "by a star", project("from mmh.b import f\nf()", x__a=f, b="from mmh.x.a import *")
    yield (
        "by a table",
        project("from mmh.b import T\nT['f']()", x__a=f, b="from mmh.x import a\nT = {'f': a.f}"),
    )
    yield "in a loop of a comprehension", project("from mmh.x import a\n[a.f() for b in c]", x__a=f)
    yield "as a decorator", project("from mmh.x.a import f\n@f\ndef h(): 1", x__a=f)


@pytest.mark.parametrize("files", [pytest.param(files, id=way) for way, files in ways()])
def test_a_definition_counts_however_it_is_named_and_its_neighbour_does_not(files: dict[str, str]) -> None:
    path = "mmh/x/a.py"
    assert not same(files, files | {path: files[path].replace("f(): return 1", "f(): return 2")})
    aside = files | {path: files[path].replace("g(): return 1", "g(): return 2")}
    assert same(files, aside)


def test_all_of_a_module_counts_that_is_handed_on() -> None:
    before = project("from mmh import a\nh(a)", a="def g(): return 1")
    assert not same(before, project("from mmh import a\nh(a)", a="def g(): return 2"))


def test_where_a_definition_lies_does_not_count() -> None:
    one = project(
        "from mmh.x.a import f\nf()", x__a="from mmh.b import g\ndef f(): return g()", b="def g(): return 1"
    )
    other = project(
        "from mmh.y import c\nc.f()",
        y__c="from mmh.z.d import g\ndef f(): return g()",
        z__d="def g(): return 1",
    )
    assert same(one, other)


def test_two_of_one_name_are_told_apart() -> None:
    """Neither the names nor the texts of all definitions change, but who is who."""
    parts = {"a": "def f(): return 1", "b": "def f(): return 2"}
    one = project("from mmh import a, b\nuse(first=a.f, second=b.f)", **parts)
    assert not same(one, project("from mmh import a, b\nuse(first=b.f, second=a.f)", **parts))


def test_effects_of_all_imported_modules_count() -> None:
    before = project("from mmh.a import f\nf()", a="import mmh.b\ndef f(): 1", b="import c\nc.seed(1)")
    assert not same(before, before | {"mmh/b.py": "import c\nc.seed(2)"})
    assert same(before, before | {"mmh/b.py": "import c\nc.seed(1)\nX = 1"})


def test_what_a_decorator_may_register_counts() -> None:
    registry = "T = {}\ndef register(f):\n T[f.__name__] = f\n return f\ndef call(name): return T[name]()"
    before = project("import mmh.b\nfrom mmh.a import call\ncall('g')", a=registry)
    tail = "from mmh.a import register\n@register\ndef g(): return {}"
    assert not same(before | {"mmh/b.py": tail.format(1)}, before | {"mmh/b.py": tail.format(2)})


def test_the_frame_does_not_count() -> None:
    before = project("f()", job__frame="def job(x): return 1")
    assert same(before, before | {"mmh/job/frame.py": "def job(x): return 2"})
    tables = "from mmh.io.table_files import write_table\nfrom mmh.io.tables import A\nwrite_table(1, 2, A)"
    before = project(tables, io__table_files="def write_table(*x): 1", io__tables="A = 1\nB = 1")
    assert same(
        before,
        before | {"mmh/io/table_files.py": "def write_table(*x): 2", "mmh/io/tables.py": "A = 1\nB = 2"},
    )
    assert not same(before, before | {"mmh/io/tables.py": "A = 2\nB = 1"})


SCORES = """
from mmh.rows import Row, Table
class Score(Row):
    def compute(self): return self.values()
    def cost(self): return 1
TABLE = Table("estimator", "mmh.scores", Score)
"""
SCORE = """
from mmh.base import Score
class Mine(Score):
    name, label = "mine", "Mine"
    scale = 3
    double = 2 * scale
    @classmethod
    def values(cls): return cls.double
    def cost(self): return 2
"""


@pytest.mark.parametrize("where", ["in the package", "as a plug-in"])
def test_a_row_counts_by_the_members_that_jobs_ask_for(where: str, tmp_path: Path) -> None:
    """The registry is asked by a string, so the row is a root; what the plan alone asks does not count."""
    root: Root = ("mmh.scores.mine", "Mine")
    if where == "as a plug-in":
        root = (tmp_path / "mine.py", "Mine")
    other = {"mmh/scores/other.py": SCORE.replace("Mine", "Other")}

    def of(row: str, base: str = SCORES, main: str = "TABLE[m]().compute()", **more: str) -> str:
        (tmp_path / "mine.py").write_text(row)
        files = (
            project(f"from mmh.base import TABLE\n{main}", base=base) | {"mmh/scores/mine.py": row} | other
        )
        return digest(files | more, root)

    before = of(SCORE)
    for old, new in (("cls.double", "1"), ("scale = 3", "scale = 4"), ("2 * scale", "3")):
        assert of(SCORE.replace(old, new)) != before, new
    assert of(SCORE, SCORES.replace("self.values()", "1 + self.values()")) != before
    for old, new in (('"Mine"', '"My"'), ("return 2", "return 3")):
        assert of(SCORE.replace(old, new)) == before, new
    assert of(SCORE, SCORES.replace("cost(self): return 1", "cost(self): return 5")) == before
    # Another row counts for who asks for all of them, and for nobody else.
    changed = {"mmh/scores/other.py": SCORE.replace("Mine", "Other").replace("cls.double", "1")}
    assert of(SCORE, **changed) == before
    loading = "from mmh.rows import load_plugins\nload_plugins(p, TABLE)\nTABLE[m]().compute()"
    assert of(SCORE, main=loading, **changed) == of(SCORE, main=loading)
    all_rows = "[row.compute() for row in TABLE.rows()]"
    assert of(SCORE, main=all_rows, **changed) != of(SCORE, main=all_rows)
    # A member that is asked for by a string counts like any other.
    costly = SCORE.replace("return 2", "return 3")
    asks = [f"getattr(TABLE[m], {asked})()" for asked in ("'cost'", "f'c{m}'", "m")]
    asks += ["n = TABLE[m]\nn.cost()", "from copy import copy\nn = copy(TABLE[m])\nn.cost()"]
    for main in asks:
        assert of(SCORE, main=main) != of(costly, main=main), main
    foreign = "import torch\nn = torch.a"
    idle = ["getattr(TABLE[m], 'name')", "getattr(TABLE[m], f'a{m}')"]
    idle += [f"{foreign}\ngetattr(n, m)", f"{foreign}()\nn.cost()"]
    for main in idle:
        assert of(SCORE, main=main) == of(costly, main=main), main


def test_a_class_that_foreign_code_may_call_counts_whole() -> None:
    row = "from mmh.base import Score\nimport torch\nclass Mine(Score, torch.nn.Module):\n def forward(self): return 1"
    before = project("from mmh.base import TABLE\nTABLE[m]()", base=SCORES, mine=row)
    after = before | {"mmh/mine.py": row.replace("return 1", "return 2")}
    assert not same(before, after, ("mmh.mine", "Mine"))


def test_files_that_a_module_reads_beside_itself_count(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "a.js").write_text("1")
    (tmp_path / "rows.txt").write_text("1")
    (tmp_path / "job.py").write_text(
        "from pathlib import Path\nP = Path(__file__).with_name('page')\n"
        "def main(): return P, open(Path(__file__).parent / 'rows.txt')\nif __name__ == '__main__': main()\n"
    )
    before = Reach(Code(tmp_path)).digest("job.py")
    for path in (tmp_path / "page" / "a.js", tmp_path / "rows.txt"):
        path.write_text("2")
        after = Reach(Code(tmp_path)).digest("job.py")
        assert after != before
        before = after
    (tmp_path / "other.txt").write_text("1")
    assert Reach(Code(tmp_path)).digest("job.py") == before


def test_a_root_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    files = project("f()", a="def f(): 1")
    for root in (("mmh.none", None), (tmp_path / "none.py", None)):
        with pytest.raises(FileNotFoundError):
            digest(files, root)
    with pytest.raises(LookupError, match="defines no g"):
        digest(files, ("mmh.a", "g"))
    with pytest.raises(FileNotFoundError):
        digest(files, script="none.py")


def test_an_edited_tree_is_read_as_a_new_one_would_be() -> None:
    """Readings that an edit leaves alone are kept, those that looked at an edited module are not."""
    files = project(
        "from mmh.a import f\nf()", a="from mmh.b import g\ndef f(): return g()", b="def g(): return 1"
    )
    tree = {FOLDER / name: text for name, text in files.items()}
    first = Reach(Code(FOLDER).edited(tree)[0])
    assert first.digest("job.py") == digest(files)
    edits = [
        {"mmh/b.py": "def g(): return 2"},
        {"mmh/b.py": "from mmh.c import g", "mmh/c.py": "def g(): return 3"},
        {"mmh/b.py": None, "mmh/b/__init__.py": "def g(): return 4"},
    ]
    for edit in edits:
        after = {**files, **edit}
        expected = digest({name: text for name, text in after.items() if text is not None})
        assert first.edited({FOLDER / name: text for name, text in edit.items()}).digest("job.py") == expected
        assert expected != digest(files)
