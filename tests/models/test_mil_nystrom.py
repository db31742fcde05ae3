import pytest
import torch

from lowpower.models.mil._clustering import positive_outputs, smooth_svm_loss
from lowpower.models.mil._nystrom import MaskedAttention, pseudo_inverse
from lowpower.models.mil._transmil import PositionGenerator, _fold


def test_pseudo_inverse_agrees_with_the_singular_value_decomposition() -> None:
    torch.manual_seed(0)
    matrix = (torch.randn(2, 6, 6, dtype=torch.float64) * 2 + 4 * torch.eye(6)).softmax(-1)
    torch.testing.assert_close(pseudo_inverse(matrix, 20), torch.linalg.pinv(matrix), rtol=1e-6, atol=1e-6)


def test_nystrom_with_a_landmark_per_token_is_exact() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, 16, 32, dtype=torch.float64)
    mask = torch.ones(2, 16, dtype=torch.bool)
    exact = MaskedAttention(32, 4, 16, 1024).double()
    near = MaskedAttention(32, 4, 16, 1).double()
    near.load_state_dict(exact.state_dict())
    with torch.no_grad():
        (wanted, weights), (found, approximate) = exact(tokens, mask), near(tokens, mask)
    assert float((found - wanted).abs().max()) < 0.05 * float(wanted.abs().max())
    assert float((approximate - weights).abs().max()) < 0.02


def test_nystrom_approaches_exact_attention_on_long_smooth_bags() -> None:
    torch.manual_seed(0)
    # Neighbours in the order are alike, as neighbouring patches are.
    tokens = torch.randn(1, 16, 32, dtype=torch.float64).repeat_interleave(40, 1)
    tokens = tokens + 0.05 * torch.randn_like(tokens)
    mask = torch.ones(1, 640, dtype=torch.bool)
    exact = MaskedAttention(32, 4, 32, 1024).double()
    near = MaskedAttention(32, 4, 32, 1).double()
    near.load_state_dict(exact.state_dict())
    with torch.no_grad():
        wanted, found = exact(tokens, mask)[0], near(tokens, mask)[0]
    assert float((found - wanted).norm() / wanted.norm()) < 0.1


@pytest.mark.parametrize(("count", "side"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_a_sequence_is_folded_into_the_smallest_square(count: int, side: int) -> None:
    column, row = _fold(count, torch.device("cpu"))
    assert int(torch.maximum(column, row).max()) == side - 1 or count <= side
    assert (column + side * row).tolist() == list(range(count))


def test_positions_are_a_plain_convolution_on_a_full_square() -> None:
    torch.manual_seed(0)
    positions = PositionGenerator(4).double()
    tokens = torch.randn(1, 9, 4, dtype=torch.float64)
    found = positions(tokens, torch.ones(1, 9, dtype=torch.bool), None)
    image = tokens.reshape(1, 3, 3, 4).permute(0, 3, 1, 2)
    wanted = image + sum(convolve(image) for convolve in positions.convolutions)
    torch.testing.assert_close(found, wanted.permute(0, 2, 3, 1).reshape(1, 9, 4))


def test_smooth_svm_loss_by_hand() -> None:
    scores = torch.tensor([[2.0, -1.0]])
    wanted = torch.log(torch.exp(torch.tensor(0.0)) + torch.exp(torch.tensor(1.0 - 1.0 - 2.0)))
    torch.testing.assert_close(smooth_svm_loss(scores, torch.tensor([0])), wanted)


def test_ordinal_bags_are_positive_for_every_step_below_their_label() -> None:
    labels = torch.tensor([0, 2])
    assert positive_outputs("corn", labels, 3).tolist() == [[False] * 3, [True, True, False]]
    assert positive_outputs("softmax", labels, 4).tolist() == [
        [True] + [False] * 3,
        [False, False, True, False],
    ]
