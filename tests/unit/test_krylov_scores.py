"""The scores of one Krylov pass: a table with all of them, from which the others are read."""

import gather_scores
import numpy as np
import pytest
from test_flipd import VP, _projection

from mmh.hessian import hessian_geometry
from mmh.io import tables
from mmh.io.table_files import read_table, write_table
from mmh.options.entries import Entry
from mmh.scores.base import SCORES, printed_names
from mmh.scores.setting import Setting
from mmh.scores.steps import score_span

READINGS = {
    "lid-trace": "lid_trace",
    "lambda-min": "lambda_min",
    "lambda-max": "lambda_max",
    "sharp-share": "share",
    "error-share": "error_share",
    "asymmetry": "asymmetry",
}


def _span(**options):
    row = SCORES["krylov"]
    given = row.Options.model_validate({"t": 0.1, "m": 3, "batch_size": 4, **options})
    x = np.random.default_rng(0).standard_normal((5, 8))
    setting = Setting(x, np.arange(5, dtype=np.int64), given, seed=2, score=_projection(8, 3))
    table, numerics = score_span(row, setting, "sharp", progress=lambda *_, **__: lambda *_: None)
    return x, table, numerics


@pytest.mark.parametrize("method", ["krylov", "flipd"])
def test_the_table_of_all_scores_does_not_tell_how_the_items_were_cut(tmp_path, method):
    """Parts of a pass and levels stand in each span's table; put together their order is that of one span."""
    row = SCORES[method]
    own = {"m": 3} if method == "krylov" else {"t": [0.3, 0.1], "trace": 1}
    given = row.Options.model_validate({"t": 0.1, "batch_size": 4, **own})
    x = np.random.default_rng(0).standard_normal((8, 8))
    for name, cuts in {"one": [(0, 8)], "two": [(0, 4), (4, 8)]}.items():
        files = []
        for first, last in cuts:
            ids = np.arange(first, last, dtype=np.int64)
            setting = Setting(x[first:last], ids, given, seed=2, score=_projection(8, 3))
            table, _ = score_span(row, setting, "sharp", progress=lambda *_, **__: lambda *_: None)
            files.append(tmp_path / f"{name}-{first}.parquet")
            write_table(table, files[-1], tables.SCORES)
        items = ["samples"] * len(files)
        gather_scores.main(files, tmp_path / f"{name}.parquet", items=items, ratios={}, record={})
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_one_pass_writes_every_statistic_and_rows_of_others_read_it(tmp_path):
    x, table, numerics = _span(asymmetry=True)
    write_table(table, tmp_path / "scores.parquet", tables.SCORES)
    readings = {method: {"method": method, "items": ["samples"], "of": "sharp"} for method in READINGS}
    record = {}
    gather_scores.main(
        [tmp_path / "scores.parquet"],
        tmp_path / "all.parquet",
        items=["samples"],
        ratios=readings,
        record=record,
    )
    found = read_table(tmp_path / "all.parquet", tables.ALL_SCORES)
    direct = hessian_geometry(_projection(8, 3), x, 0.1, steps=3, asymmetry=True, seed=2, batch_size=4)
    rows = found[found["estimator"] == "sharp"]
    np.testing.assert_array_equal(rows["value"], direct.lhsd().value)
    np.testing.assert_array_equal(rows["stderr"], direct.lhsd().stderr)
    for method, name in READINGS.items():
        rows = found[found["estimator"] == method]
        reading = getattr(direct, name)()
        np.testing.assert_array_equal(rows["value"], reading.value)
        np.testing.assert_array_equal(rows["stderr"], reading.stderr)
        assert rows["item"].tolist() == list(range(5))
        assert set(rows["probes"]) == {2}
        assert record["follows"][method]["samples"]["n"] == 5
    assert numerics["method"].startswith("LHSD, c = 0.25, symmetrised-arnoldi, 3 products of 2 rademacher")


def test_of_all_eigenvalues_nothing_is_random():
    """With eps = P z / sigma, sigma J = P: rank 3 of 8, so five dimensions."""
    _, table, _ = _span(m="exact", corrected=True)
    by = table.groupby("estimator")["value"]
    np.testing.assert_allclose(by.get_group("sharp"), 5)
    np.testing.assert_allclose(by.get_group("sharp:lid_trace"), 5)
    np.testing.assert_allclose(by.get_group("sharp:share"), 3 / 8)
    np.testing.assert_allclose(by.get_group("sharp:lambda_min"), -1 / VP.sigma(0.1) ** 2)
    np.testing.assert_allclose(by.get_group("sharp:lambda_max"), 0, atol=1e-9)
    np.testing.assert_array_equal(by.get_group("sharp:error_share"), 0)
    assert table["stderr"].isna().all()
    assert table[["probes", "seed"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"method": "krylov", "items": ["samples"], "t": 0.1},
            "of: 'e' takes no J v; set its asymmetry: true",
        ),
        (
            {"method": "krylov", "items": ["train"], "t": 0.1, "asymmetry": True},
            "items: 'e' is not computed on",
        ),
        (
            {"method": "flipd", "items": ["samples"], "t": 0.1},
            "of: 'e' is computed by 'flipd'; name a krylov one",
        ),
        ({"method": "krylov", "items": ["samples"], "t": 0.1, "m": "exact"}, None),
    ],
)
def test_a_reading_needs_its_pass(source, message):
    entry = {"estimators": {"e": source, "r": {"method": "asymmetry", "items": ["samples"], "of": "e"}}}
    row, where = SCORES["asymmetry"], "experiments.x.estimators.r"
    found = list(row.check(row.Options(of="e"), Entry({"experiments": {"x": entry}}, "x"), where))
    assert [one.startswith(f"{where}.{message}") for one in found] == ([True] if message else [])


def test_figures_name_readings_by_their_condition():
    names = printed_names(
        {
            "sharp": {"method": "krylov", "condition": "caption"},
            "low": {"method": "lambda-min", "of": "sharp"},
            "none": {"method": "lid-trace", "of": "bare"},
            "bare": {"method": "krylov"},
        }
    )
    assert list(names.values()) == [
        "LHSD, conditional",
        "lowest eigenvalue, conditional",
        "LID by the trace",
        "LHSD",
    ]
