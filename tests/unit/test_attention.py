"""Switches are put back; forward mode passes through attention."""

import pytest
import torch

from mmh.compute.attention import contiguous_group_norms, forward_mode, full_float32, math_attention

SDP = ("flash", "mem_efficient", "math", "cudnn")


def _switches():
    cuda = torch.backends.cuda
    return [getattr(cuda, f"{name}_sdp_enabled")() for name in SDP]


def test_the_fast_path_is_left_as_found():
    mha = torch.backends.mha
    for found in (False, True):
        mha.set_fastpath_enabled(found)
        with math_attention():
            assert not mha.get_fastpath_enabled()
        assert mha.get_fastpath_enabled() == found


@pytest.mark.parametrize("found", [(True, True, True, True), (False, True, False, False)])
def test_attention_switches_are_left_as_found(found):
    before = _switches()
    try:
        for name, on in zip(SDP, found, strict=True):
            getattr(torch.backends.cuda, f"enable_{name}_sdp")(on)
        with math_attention():
            assert _switches() == [False, False, True, False]
            with math_attention():
                pass
            assert _switches() == [False, False, True, False]
        assert _switches() == list(found)
        with pytest.raises(KeyError), forward_mode(None):
            raise KeyError
        assert _switches() == list(found)
    finally:
        for name, on in zip(SDP, before, strict=True):
            getattr(torch.backends.cuda, f"enable_{name}_sdp")(on)


@pytest.mark.parametrize("found", [(True, True), (False, True), (False, False)])
def test_tf32_is_left_as_found(found):
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    try:
        matmul.allow_tf32, convolution.allow_tf32 = found
        with full_float32():
            assert (matmul.allow_tf32, convolution.allow_tf32) == (False, False)
        assert (matmul.allow_tf32, convolution.allow_tf32) == found
        with pytest.raises(KeyError), full_float32():
            raise KeyError
        assert (matmul.allow_tf32, convolution.allow_tf32) == found
    finally:
        matmul.allow_tf32, convolution.allow_tf32 = before


def test_the_fused_kernel_has_no_forward_mode_and_the_formula_has():
    q = torch.randn(1, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    attend = torch.nn.functional.scaled_dot_product_attention
    with forward_mode(None):
        _, tangent = torch.func.jvp(lambda u: attend(u, q, q), (q,), (torch.ones_like(q),))
    with math_attention():
        jacobian = torch.autograd.functional.jacobian(lambda u: attend(u, q, q), q).reshape(40, 40)
    torch.testing.assert_close(tangent.flatten(), jacobian.sum(1))


def test_group_norms_get_contiguous_inputs_and_the_hooks_go():
    norm = torch.nn.GroupNorm(2, 4)
    seen = []
    norm.register_forward_hook(lambda module, inputs, out: seen.append(inputs[0].is_contiguous()))
    x = torch.randn(3, 5, 5, 4).permute(0, 3, 1, 2)
    with contiguous_group_norms(torch.nn.Sequential(norm)):
        inside = norm(x)
    torch.testing.assert_close(norm(x), inside)
    assert seen == [True, False]
    assert not norm._forward_pre_hooks
