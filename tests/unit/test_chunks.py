"""A stopped job goes on from its finished blocks and ends with the bytes of an uninterrupted one."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sample_images
import score_span
import score_spectra
import torch

from mmh.io.arrays import write_arrays
from mmh.job import chunks
from mmh.job.chunks import Chunks, blockwise, chunk_folder
from mmh.lid.flipd import flipd_estimate
from mmh.lid.jacobian import jacobian_spectrum
from mmh.lid.normal_bundle import normal_bundle_groups
from mmh.models.ddpm import model as ddpm_model
from mmh.models.ddpm import network as ddpm_network
from mmh.models.ddpm.model import UNetModel
from mmh.models.edm import model as edm_model
from mmh.models.edm import training as edm_training
from mmh.models.loading import load_model
from mmh.models.stylegan.generator import Generator
from mmh.models.stylegan.model import GeneratorModel

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
BLOCKS = [np.array([0, 3]), np.array([1, 4]), np.array([2]), np.array([5, 6])]


class StoppedError(Exception):
    pass


class Work:
    """Arrays of two names per row; counts the blocks computed, and stops before block `stop`."""

    def __init__(self, stop=None):
        self.stop, self.computed = stop, []

    def __call__(self, rows):
        if len(self.computed) == self.stop:
            raise StoppedError
        self.computed.append(rows.tolist())
        return {"x": np.sin(rows)[:, None] * np.ones((1, 3)), "where": rows.astype(np.int32) * 2}


class Lines:
    """Stands for `Run.progress`: what was counted, as (unit, total, last)."""

    def __call__(self, total, unit="step"):
        self.unit, self.total = unit, total
        return self._report

    def _report(self, done):
        self.done = done


def store_in(folder, **how):
    return Chunks(folder / "chunks" / "rule" / "key", every_seconds=0, **how)


def same(a, b):
    assert a.keys() == b.keys()
    return all(a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes() for name in a)


def stopped_after(folder, blocks):
    with pytest.raises(StoppedError):
        blockwise(Work(blocks), BLOCKS, progress=Lines(), store=store_in(folder))


def test_rows_come_back_in_their_places():
    found = blockwise(Work(), BLOCKS, progress=Lines())
    np.testing.assert_array_equal(found["where"], 2 * np.arange(7))
    np.testing.assert_array_equal(found["x"], np.sin(np.arange(7.0))[:, None] * np.ones((1, 3)))


def test_finished_blocks_are_not_computed_again(tmp_path, capsys):
    whole = blockwise(Work(), BLOCKS, progress=Lines())
    stopped_after(tmp_path, 2)
    stopped_after(tmp_path, 1)
    work, lines = Work(), Lines()
    found = blockwise(work, BLOCKS, progress=lines, store=store_in(tmp_path))
    assert work.computed == [[5, 6]]
    assert same(found, whole)
    assert (lines.unit, lines.total, lines.done) == ("5 images resumed, image", 2, 2)
    assert "resumed: 5 of 7 images, 3 of 4 blocks" in capsys.readouterr().out
    store_in(tmp_path).remove()
    assert list(tmp_path.iterdir()) == []


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:-40], lambda content: b""])
def test_a_damaged_chunk_is_noticed_and_computed_again(tmp_path, capsys, damage):
    stopped_after(tmp_path, 3)
    file = sorted(store_in(tmp_path).folder.iterdir())[1]
    file.write_bytes(damage(file.read_bytes()))
    work = Work()
    found = blockwise(work, BLOCKS, progress=Lines(), store=store_in(tmp_path))
    assert work.computed == [[1, 4], [5, 6]]
    assert same(found, blockwise(Work(), BLOCKS, progress=Lines()))
    assert f"note: {file} is damaged" in capsys.readouterr().err


def test_a_chunk_whose_arrays_were_changed_is_refused_by_its_digest(tmp_path, capsys):
    store = store_in(tmp_path)
    store.save({0: {"x": np.zeros(2)}})
    (file,) = store.folder.iterdir()
    with np.load(file) as stored:
        content = {**stored, "0.x": np.ones(2)}
    np.savez(file, **content)
    assert store.load() == {}
    assert "digest differs" in capsys.readouterr().err


def test_a_job_of_seconds_writes_nothing(tmp_path):
    store = Chunks(tmp_path / "chunks" / "rule" / "key")
    blockwise(Work(), BLOCKS, progress=Lines(), store=store)
    with pytest.raises(StoppedError):
        blockwise(Work(2), BLOCKS, progress=Lines(), store=store)
    store.remove()
    assert list(tmp_path.iterdir()) == []


def test_blocks_are_saved_once_a_minute_and_when_the_job_stops(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(chunks, "time", SimpleNamespace(monotonic=lambda: now[0]))

    class Slow(Work):
        def __call__(self, rows):
            found = super().__call__(rows)
            now[0] += 25
            return found

    store = Chunks(tmp_path)
    with pytest.raises(StoppedError):
        blockwise(Slow(4), [np.array([i]) for i in range(7)], progress=Lines(), store=store)
    assert len(list(tmp_path.iterdir())) == 2  # after the third block, and the fourth when it stopped
    assert sorted(store.load()) == [0, 1, 2, 3]


def test_an_orphan_stops_at_its_next_save_and_keeps_what_it_saved(tmp_path):
    def lost():
        raise StoppedError

    work = Work()
    with pytest.raises(StoppedError):
        blockwise(work, BLOCKS, progress=Lines(), store=store_in(tmp_path, after_save=lost))
    assert len(work.computed) == 1
    assert sorted(store_in(tmp_path).load()) == [0]


def test_two_jobs_may_share_the_folder(tmp_path):
    """Each saves its own choice of blocks, some of them the same."""
    first, second = store_in(tmp_path), store_in(tmp_path)
    value = {number: Work()(rows) for number, rows in enumerate(BLOCKS)}
    first.save({0: value[0], 1: value[1]})
    second.save({1: value[1], 2: value[2]})
    second.save({0: value[0], 1: value[1]})
    found = store_in(tmp_path).load()
    assert sorted(found) == [0, 1, 2]
    assert all(same(found[number], value[number]) for number in found)
    assert len(list(first.folder.iterdir())) == 2


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, capsys):
    (tmp_path / "chunks").write_text("a file")
    found = blockwise(Work(), BLOCKS, progress=Lines(), store=store_in(tmp_path))
    assert same(found, blockwise(Work(), BLOCKS, progress=Lines()))
    assert "finished blocks cannot be saved (Not a directory)" in capsys.readouterr().err


def test_the_key_covers_what_the_bytes_depend_on(tmp_path, monkeypatch):
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"1234")
    job = {
        "device": "cpu",
        "threads": 1,
        "wildcards": {"span": "000000-000003"},
        "params": {"code": "a", "seed": 0, "options": {"steps": 3, "batch_size": 2}},
    }

    def key(rule="sample_images", **changes):
        return chunk_folder(rule, {"model": model}, **{**job, **changes})

    first = key()
    assert first.parts[:2] == ("chunks", "sample_images")
    (model / ".snakemake_timestamp").write_text("")
    assert key() == first
    params = job["params"]
    assert key(params=dict(reversed(params.items()))) == first
    others = [
        key("score_span"),
        key(threads=2),
        key(wildcards={"span": "000004-000007"}),
        *(
            key(params={**params, **change})
            for change in ({"code": "b"}, {"seed": 1}, {"options": {"steps": 4}})
        ),
    ]
    monkeypatch.setattr(chunks, "_gpu", lambda: "GPU A")
    others.append(key(device="cuda"))
    monkeypatch.setattr(chunks, "_gpu", lambda: "GPU B")
    others.append(key(device="cuda"))
    monkeypatch.setattr(chunks.provenance, "processor", lambda: ["model name: other"])
    others.append(key())
    monkeypatch.undo()
    status = (model / "weights").stat()
    (model / "weights").write_bytes(b"12345")
    os.utime(model / "weights", ns=(status.st_atime_ns, status.st_mtime_ns))
    others.append(key())
    (model / "weights").write_bytes(b"4321")
    os.utime(model / "weights", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    others.append(key())
    assert len({first, *others}) == len(others) + 1


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def model(tmp_path, one_thread):
    network = ddpm_network.build(seed=4, block_out_channels=(8, 16), norm_num_groups=4).eval()
    with torch.no_grad():
        for weight in network.parameters():
            if not weight.abs().max():
                weight.add_(0.05)  # an untrained last layer would give 0 everywhere
    ddpm_model.save(tmp_path / "model", network, ddpm_network.noise_schedule())
    return tmp_path / "model"


class Counted:
    """Wraps a function of the code under test; stops before call number `stop`."""

    def __init__(self, function, stop=None):
        self.function, self.stop, self.calls = function, stop, 0

    def __call__(self, *arguments, **keywords):
        if self.calls == self.stop:
            raise StoppedError
        self.calls += 1
        return self.function(*arguments, **keywords)


def run_stopped_and_resumed(monkeypatch, owner, name, stop, run, folder):
    """Run whole, then stopped in front of call `stop` and resumed; both outputs' bytes, and the calls of each."""
    original = getattr(owner, name)
    outputs, calls = [], []
    for how in ("whole", "stopped", "resumed"):
        counted = Counted(original, stop if how == "stopped" else None)
        monkeypatch.setattr(owner, name, lambda *a, counted=counted, **k: counted(*a, **k))
        out, store = folder / f"{how}.out", None if how == "whole" else store_in(folder)
        if how == "stopped":
            with pytest.raises(StoppedError):
                run(out, store)
            assert not out.exists()
        else:
            run(out, store)
            outputs.append(out.read_bytes())
        calls.append(counted.calls)
    monkeypatch.setattr(owner, name, original)
    return outputs, calls


def test_sampling_resumes_to_the_same_bytes(model, tmp_path, monkeypatch):
    """Ids 5..16 in batches of four: places 1, 2, 3 of the first batch and place 0 of the last."""
    how = {"span": "000005-000016", "options": {"steps": 2, "batch_size": 4}, "seed": 3, "device": "cpu"}

    def run(out, store):
        sample_images.main(model, out, **how, progress=Lines(), store=store)

    outputs, calls = run_stopped_and_resumed(monkeypatch, UNetModel, "sample", 2, run, tmp_path)
    assert calls == [4, 2, 2]
    assert outputs[0] == outputs[1]
    at_once = load_model(model).sample(np.arange(5, 17), seed=3, **how["options"])
    with np.load(tmp_path / "resumed.out") as found:
        assert found["x"].tobytes() == at_once.tobytes()
        assert found["id"].tolist() == list(range(5, 17))


def test_lid_at_two_levels_and_ids_with_gaps_resumes_to_the_same_bytes(model, tmp_path, monkeypatch):
    ids = np.array([1, 2, 5, 6, 9, 16, 33])  # of batches of four rows: places 1 2 1 2 1 0 1
    x = np.random.default_rng(0).uniform(-1, 1, (7, 1, 8, 8)).astype(np.float32)
    write_arrays(tmp_path / "selected.npz", x=x, id=ids)
    options = {"t": [0.1, 0.4], "trace": 2, "batch_size": 4}

    def run(out, store):
        score_span.main(
            [tmp_path / "selected.npz"],
            [],
            model,
            out,
            method="flipd",
            span="000000-000006",
            items="selected",
            estimator="flipd",
            options=options,
            load={},
            seed=1,
            device="cpu",
            record={},
            progress=Lines(),
            store=store,
        )

    outputs, calls = run_stopped_and_resumed(
        monkeypatch, import_module("mmh.lid.flipd"), "flipd_estimate", 5, run, tmp_path
    )
    assert calls == [8, 5, 3]  # four batches of at most one id per place, at two levels
    assert outputs[0] == outputs[1]
    table = pd.read_parquet(tmp_path / "resumed.out")
    score = load_model(model).score_model()
    for t in options["t"]:
        at_once = flipd_estimate(score, x, t, ids=ids, probes=2, seed=1, batch_size=4)
        rows = table[table["t"] == t]
        assert rows["item"].tolist() == ids.tolist()
        assert rows["value"].to_numpy().tobytes() == at_once.value.tobytes()
        assert rows["stderr"].to_numpy().tobytes() == at_once.stderr.tobytes()


def test_spectra_resume_to_the_same_bytes(model, tmp_path, monkeypatch):
    x = np.random.default_rng(0).uniform(-1, 1, (12, 1, 8, 8)).astype(np.float32)
    write_arrays(tmp_path / "samples.npz", x=x, id=np.arange(12))
    options = {"t": 0.1, "copies": 8, "groups": 2, "batch_size": 4}

    def run(out, store):
        score_spectra.main(
            [tmp_path / "samples.npz"],
            [],
            model,
            out,
            method="normal-bundle",
            span="000000-000011",
            items="samples",
            options=options,
            load={},
            seed=1,
            device="cpu",
            record={},
            progress=Lines(),
            store=store,
        )

    outputs, calls = run_stopped_and_resumed(
        monkeypatch, import_module("mmh.lid.normal_bundle"), "normal_bundle_groups", 2, run, tmp_path
    )
    assert calls == [3, 2, 1]
    assert outputs[0] == outputs[1]
    score = load_model(model).score_model()
    spectra, left_out = normal_bundle_groups(score, x, **options, seed=1)
    with np.load(tmp_path / "resumed.out") as found:
        assert found["spectrum"].tobytes() == spectra.tobytes()
        assert found["left_out"].tobytes() == left_out.tobytes()


def test_jacobians_resume_to_the_same_bytes(tmp_path, monkeypatch, one_thread):
    torch.manual_seed(1)
    size = {"resolution": 8, "channels": 1, "channel_base": 32, "channel_max": 8}
    network = Generator(z_dim=4, w_dim=4, c_dim=0, **size).requires_grad_(False)
    GeneratorModel(network, {"file": "none", "sha256": "0" * 64}).save(tmp_path / "model")
    generator = load_model(tmp_path / "model")
    z = generator.latents(np.arange(7), seed=2)["z"]
    write_arrays(tmp_path / "samples.npz", id=np.arange(7), z=z)

    def run(out, store):
        score_spectra.main(
            [tmp_path / "samples.npz"],
            [],
            tmp_path / "model",
            out,
            method="jacobian",
            span="000000-000006",
            items="samples",
            options={"chunk": 4},
            load={},
            seed=0,
            device="cpu",
            record={},
            progress=Lines(),
            store=store,
        )

    owner = import_module("mmh.lid.jacobian")
    outputs, calls = run_stopped_and_resumed(monkeypatch, owner, "jacobian_spectrum", 1, run, tmp_path)
    assert calls == [2, 1, 1]
    assert outputs[0] == outputs[1]
    with np.load(tmp_path / "resumed.out") as found:
        assert (
            found["spectrum"].tobytes()
            == jacobian_spectrum(generator, torch.from_numpy(z), chunk=4).tobytes()
        )


# The whole script under its frame; every block is saved, and `event` runs after the first save.
JOB = """
import os, signal, sys
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
import mmh.job.frame
class Named(dict):
    pass
snakemake = SimpleNamespace(
    rule="sample_images", scriptdir={scripts!r}, log=["logs/job.log"], threads=1, resources={{}},
    wildcards=Named(experiment="x", span="000000-000011"), input=Named(model="model"),
    params=Named(code="c", compute={{"threads": 1}}, options={{"steps": 2, "batch_size": 4}}, seed={seed},
                 untracked=SimpleNamespace(plugins=[])),
    output=Named(samples="out/000000-000011.npz"),
)
chunks, saves = mmh.job.frame.Run.chunks.fget, []
def event():
    saves.append(1)
    if len(saves) == 1:
        {event}
def store(run):
    found = chunks(run)
    found.every_seconds, found.after_save = 0, event
    return found
mmh.job.frame.Run.chunks = property(store)
script = {scripts!r} + "/sample_images.py"
exec(compile(open(script).read(), script, "exec"), {{"__name__": "__main__", "snakemake": snakemake}})
"""


def test_a_killed_job_resumes_and_leaves_no_chunks(tmp_path, one_thread):
    points = np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    network, _ = edm_training.train(points, seed=0, steps=3, width=16, depth=2, features=4, sigma_max=2.0)
    edm_model.save(tmp_path / "model", network)

    def run(event, seed=0):
        (tmp_path / "out").mkdir(exist_ok=True)
        text = JOB.format(scripts=str(SCRIPTS), event=event, seed=seed)
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, check=False, capture_output=True, text=True
        )
        return done, (tmp_path / "logs" / "job.log").read_text()

    done, log = run("os.kill(os.getpid(), signal.SIGTERM)")
    assert done.returncode == 1
    assert log.splitlines()[-1] == "error: stopped by signal SIGTERM; run again to resume"
    assert list((tmp_path / "out").iterdir()) == []
    done, log = run("os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    assert "resumed: 4 of 12 samples, 1 of 3 blocks" in log
    assert not (tmp_path / "out" / "000000-000011.npz").exists()
    assert len(list((tmp_path / "chunks").rglob("*.npz"))) == 2
    done, log = run("pass")
    assert done.returncode == 0, log
    assert "resumed: 8 of 12 samples, 2 of 3 blocks in chunks/sample_images/" in log
    assert "8 samples resumed, sample 4/4" in done.stderr
    assert not (tmp_path / "chunks").exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "000000-000011.npz",
        "000000-000011.npz.json",
    ]
    sample_images.main(
        tmp_path / "model",
        tmp_path / "whole.npz",
        span="000000-000011",
        options={"steps": 2, "batch_size": 4},
        seed=0,
        device="cpu",
        progress=Lines(),
    )
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "out" / "000000-000011.npz").read_bytes()
