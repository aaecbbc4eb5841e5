"""Fixed computing batches."""

import numpy as np

from mmh.compute.rows import aligned_blocks


def test_every_id_keeps_its_place_whatever_is_asked_with_it():
    ids = np.array([17, 3, 40, 8, 12])
    found = {}
    for rows, places in aligned_blocks(ids, 10):
        assert len(set(ids[rows] // 10)) == 1
        found.update(zip(ids[rows].tolist(), places.tolist(), strict=True))
    assert found == {17: 7, 3: 3, 40: 0, 8: 8, 12: 2}


def test_repeated_ids_share_a_place_and_no_ids_make_no_block():
    ((rows, places),) = aligned_blocks([4, 4], 10)
    assert rows.tolist() == [0, 1]
    assert places.tolist() == [4, 4]
    assert list(aligned_blocks([], 10)) == []
