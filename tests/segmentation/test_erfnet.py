"""The paper's network: shapes, names, dropout."""

from __future__ import annotations

import pytest
import torch

from imagedataextractor.segmentation.erfnet import BPartISNet


@pytest.fixture(scope="module")
def net() -> BPartISNet:
    torch.manual_seed(0)
    return BPartISNet().eval()


def test_outputs_have_the_size_of_the_image(net: BPartISNet) -> None:
    with torch.no_grad():
        geometry, seed = net(torch.rand(2, 3, 64, 96))
    assert geometry.shape == (2, 4, 64, 96)
    assert seed.shape == (2, 1, 64, 96)


def test_a_size_that_does_not_halve_three_times_is_refused(net: BPartISNet) -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        net(torch.rand(1, 3, 60, 64))


def test_parameter_count_and_names_are_the_published_ones(net: BPartISNet) -> None:
    state = net.state_dict()
    # The published checkpoint holds 2,260,679 values, 645 of them in an encoder head that is never used.
    assert sum(v.numel() for v in state.values()) == 2_260_679 - 645
    assert state["encoder.layers.14.conv1x3_2.weight"].shape == (128, 128, 1, 3)
    assert state["decoders.0.output_conv.weight"].shape == (4, 16, 3, 3)
    assert state["decoders.1.layers.3.conv.weight"].shape == (16, 64, 3, 3)


def test_dropout_sits_in_the_encoder_with_the_published_probabilities(net: BPartISNet) -> None:
    assert [layer.p for layer in net.dropout_layers()] == [0.03] * 5 + [0.3] * 8
    assert not [m for m in net.decoders.modules() if isinstance(m, torch.nn.Dropout2d)]


def test_dropout_can_be_left_on_in_eval_mode(net: BPartISNet) -> None:
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        still = net(image)[1]
        net.set_dropout(True)
        first, second = net(image)[1], net(image)[1]
        net.set_dropout(False)
        again = net(image)[1]
    assert not torch.equal(first, second)
    assert torch.equal(still, again)
    assert not any(m.training for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_dilated_blocks_see_far(net: BPartISNet) -> None:
    image = torch.zeros(1, 3, 256, 256, requires_grad=True)
    net(image)[1][0, 0, 128, 128].backward()
    assert image.grad is not None
    assert image.grad[0, :, 128, 8].abs().sum() > 0  # 120 px away: only the dilations reach there
