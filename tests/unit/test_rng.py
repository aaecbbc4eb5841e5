"""Random numbers depend on their key alone."""

import numpy as np
import torch

from mmh.compute import rng


def test_a_draw_does_not_depend_on_the_other_items():
    together = rng.normal(7, "noise", [3, 1, 2], (4, 5))
    alone = rng.normal(7, "noise", [1], (4, 5))
    assert together.dtype == torch.float32
    assert together.shape == (3, 4, 5)
    assert torch.equal(together[1], alone[0])


def test_every_part_of_the_key_counts():
    draws = [
        rng.generator(*key).integers(0, 2**63)
        for key in [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", 0, 1), (0, "a", 1, 0)]
    ]
    assert len(set(draws)) == len(draws)
    assert not torch.equal(rng.normal(0, "a", [0], (3,), 0), rng.normal(0, "a", [0], (3,), 1))


def test_keys_cannot_be_confused_by_their_digits():
    assert rng.item_seed(1, "a", 23) != rng.item_seed(12, "a", 3)
    assert rng.item_seed(1, "1", 1) != rng.item_seed(1, "11", 1)


def test_item_seeds_are_64_bit_and_distinct():
    seeds = [rng.item_seed(0, "sample", i) for i in range(20_000)]
    assert isinstance(seeds[0], np.uint64)
    assert len(set(seeds)) == len(seeds)
    # All bits are in use: the mean of a uniform 64-bit number is 2^63.
    assert abs(np.mean([float(s) for s in seeds]) / 2**63 - 1) < 0.03


def test_normal_numbers_are_standard_normal():
    x = rng.normal(0, "noise", range(1000), (100,)).double()
    assert abs(float(x.mean())) < 5 / 100_000**0.5
    assert abs(float(x.var()) - 1) < 5 * (2 / 100_000) ** 0.5
    # Across ids too, not only within one stream.
    assert abs(float(x[:, 0].var()) - 1) < 5 * (2 / 1000) ** 0.5


def test_torch_generator_repeats():
    a = torch.randn(5, generator=rng.torch_generator(0, "weights"))
    b = torch.randn(5, generator=rng.torch_generator(0, "weights"))
    c = torch.randn(5, generator=rng.torch_generator(1, "weights"))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_no_items():
    assert rng.normal(0, "noise", [], (2, 3)).shape == (0, 2, 3)
