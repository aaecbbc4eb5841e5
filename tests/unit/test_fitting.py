"""Rows of a batch: asked for, fitted to memory, halved when it runs out, and one number for a whole job."""

import numpy as np
import pytest
import torch

from mmh.compute import network_cost
from mmh.compute.blocks import blockwise_in_fitting_batches, in_fitting_batches
from mmh.compute.memory import CPU_BATCH, MemoryExceededError, fitting_batch, halving, largest_batch
from mmh.errors import InputError
from mmh.job.chunks import Chunks

CPU = torch.device("cpu")
IDS = np.arange(3, 40)


def memory(workspace, row, total=float("inf"), tried=None):
    """Give a device on which a batch needs a workspace and so many bytes a row."""

    def peak(rows):
        if tried is not None:
            tried.append(rows)
        if workspace + rows * row > total:
            raise torch.OutOfMemoryError("full")
        return workspace + rows * row

    return peak


@pytest.mark.parametrize(
    ("workspace", "row", "budget", "rows"),
    [
        (0, 1, 40, 32),
        (0, 1, 32, 32),
        (0, 1, 31.9, 16),
        (20, 1, 40, 16),  # a workspace does not grow with the rows
        (20, 1, 20, 1),
        (0, 1, 1e9, 64),  # no more than there is to do
    ],
)
def test_the_batch_is_the_largest_power_of_two_within_the_budget(workspace, row, budget, rows):
    assert largest_batch(memory(workspace, row), budget, 64) == rows


def test_no_size_is_tried_that_the_two_before_it_forbid():
    tried = []
    assert largest_batch(memory(3, 2, tried=tried), 40, 1024) == 16
    assert tried == [1, 2, 4, 8, 16]


def test_a_size_that_runs_out_of_memory_is_not_taken():
    # A library that takes another algorithm from 8 rows on cannot be foretold.
    peak = lambda rows: memory(0, 1 if rows < 8 else 20, total=100)(rows)  # noqa: E731
    assert largest_batch(peak, 90, 1024) == 4
    assert largest_batch(memory(200, 1, total=100), 90, 1024) == 1


def test_a_size_that_a_library_refuses_is_not_taken():
    def peak(rows):
        if rows > 4:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
        return rows

    assert largest_batch(peak, 90, 1024) == 4
    with pytest.raises(RuntimeError, match="ALLOC_FAILED"):
        largest_batch(lambda rows: peak(rows + 4), 90, 1024)


def test_what_is_wrong_with_an_item_is_said_by_the_work_not_the_trial(monkeypatch):
    def work(size, store):
        raise InputError("the norm of id 2000 is not finite")

    def trial(rows):
        raise InputError("the norm of id 0 is not finite")

    def fitting(tried, *_):
        tried(1)
        return 1

    monkeypatch.setattr("mmh.compute.blocks.fitting_batch", fitting)
    with pytest.raises(InputError, match="id 2000"):
        in_fitting_batches("auto", work, trial, device=CPU, items=9)


def test_the_batch_is_the_one_asked_for_or_that_of_a_cpu():
    assert fitting_batch(lambda rows: None, CPU, 5, 2) == 5
    assert fitting_batch(lambda rows: None, CPU, None, 2) == CPU_BATCH == network_cost.AUTO_ROWS
    assert fitting_batch(lambda rows: None, CPU, None, 2, on_cpu=3) == 3
    with pytest.raises(InputError, match="must be positive"):
        fitting_batch(lambda rows: None, CPU, 0, 2)


def test_a_batch_is_halved_until_it_fits():
    tried = []

    def work(size):
        tried.append(size)
        if size > 2:
            raise torch.OutOfMemoryError("full")
        return size

    assert halving(work, 8, fixed=False) == (2, 2)
    assert tried == [8, 4, 2]
    with pytest.raises(MemoryExceededError, match=r"batches of 8 do not fit .* lower batch_size"):
        halving(work, 8, fixed=True)
    with pytest.raises(MemoryExceededError, match="batches of 1 do not fit"):
        halving(lambda size: work(size + 8), 2, fixed=False)


def doubled(rows, numbers, size):
    return {"value": 2 * IDS[rows], "place": numbers % size}


def quiet(*_, **__):
    return lambda done: None


@pytest.mark.parametrize(("batch_size", "size"), [(5, 5), ("auto", CPU_BATCH)])
def test_a_job_has_one_size_for_all_its_batches(batch_size, size):
    found, rows = blockwise_in_fitting_batches(batch_size, [doubled], IDS, device=CPU, progress=quiet)
    assert rows == size
    np.testing.assert_array_equal(found["value"], 2 * IDS)
    np.testing.assert_array_equal(found["place"], IDS % size)


def test_several_computations_go_over_all_items_in_turn():
    computes = [doubled, lambda rows, numbers, size: {"value": 3 * IDS[rows], "place": numbers % size}]
    found, _ = blockwise_in_fitting_batches(5, computes, IDS, device=CPU, progress=quiet)
    np.testing.assert_array_equal(found["value"], np.concatenate([2 * IDS, 3 * IDS]))


def test_nothing_to_do_is_done():
    found, _ = blockwise_in_fitting_batches("auto", [doubled], IDS[:0], device=CPU, progress=quiet)
    assert found == {}


def test_blocks_of_a_size_that_was_given_up_are_not_used(tmp_path):
    store, limit, computed = Chunks(tmp_path / "job", every_seconds=0), 20, []

    def compute(rows, numbers, size):
        if size == CPU_BATCH and numbers[0] > limit:
            raise torch.OutOfMemoryError("full")
        computed.append((size, len(rows)))
        return doubled(rows, numbers, size)

    how = {"device": CPU, "progress": quiet, "store": store}
    found, size = blockwise_in_fitting_batches("auto", [compute], IDS, **how)
    assert size == CPU_BATCH // 2
    np.testing.assert_array_equal(found["place"], IDS % size)
    assert {rows for rows, _ in computed[:2]} == {CPU_BATCH}  # done, kept, and left alone
    assert {folder.name for folder in store.folder.iterdir()} == {"batch-8", "batch-4"}
    store.remove()
    assert not store.folder.exists()


def test_a_stopped_job_goes_on_with_the_blocks_of_its_size(tmp_path):
    store, computed = Chunks(tmp_path / "job", every_seconds=0), []

    def compute(rows, numbers, size):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(numbers)
        return doubled(rows, numbers, size)

    how = {"device": CPU, "progress": quiet, "store": store}
    with pytest.raises(KeyboardInterrupt):
        blockwise_in_fitting_batches("auto", [compute], IDS, **how)
    seen = []

    def again(rows, numbers, size):
        seen.append(numbers)
        return doubled(rows, numbers, size)

    found, _ = blockwise_in_fitting_batches("auto", [again], IDS, **how)
    np.testing.assert_array_equal(found["value"], 2 * IDS)
    assert sum(map(len, computed)) + sum(map(len, seen)) == len(IDS)


def test_a_configured_number_is_never_changed():
    def work(size, store):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        in_fitting_batches(4, work, lambda rows: None, device=CPU, items=9)
