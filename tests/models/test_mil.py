import copy

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from lowpower.errors import ConfigError
from lowpower.models.mil import Aggregator, aggregator_names, create_aggregator, register_aggregator

NAMES = ("abmil", "clam_mb", "clam_sb", "dsmil", "dtfd", "max", "mean", "transmil")
HEADS = ("softmax", "corn", "cumulative")
TRAINED = [
    *((name, "softmax") for name in NAMES),
    ("abmil", "corn"),
    ("clam_mb", "corn"),
    ("dsmil", "corn"),
]
PAIRS = [(name, head) for name in NAMES for head in HEADS if (name, head) != ("clam_mb", "cumulative")]
SIZED = [*((*pair, 1024) for pair in PAIRS), *(("transmil", head, 4) for head in HEADS)]  # 4: approximated
DIM, CLASSES = 12, 4


def _bags(seed: int = 0, batch: int = 3, count: int = 21) -> tuple[Tensor, Tensor, Tensor]:
    """Random bags of different lengths, their mask, and distinct positions."""
    draw = torch.Generator().manual_seed(seed)
    bags = torch.randn(batch, count, DIM, generator=draw, dtype=torch.float64)
    lengths = torch.tensor([count, count - 6, 3])[:batch]
    mask = torch.arange(count)[None] < lengths[:, None]
    places = torch.stack([torch.randperm(count, generator=draw) for _ in range(batch)])
    return bags, mask, torch.stack([places % 5, places // 5], -1) * 256


def _make(name: str, head: str = "softmax", **options: float) -> Aggregator:
    torch.manual_seed(1)
    return create_aggregator(name, DIM, CLASSES, head, **options).double().eval()  # type: ignore[arg-type]


def test_all_are_registered_sorted() -> None:
    assert aggregator_names() == NAMES


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean abmil"):
        create_aggregator("abmill", DIM, CLASSES)
    with pytest.raises(ConfigError, match="did you mean clam_"):
        create_aggregator("CLAM", DIM, CLASSES)
    with pytest.raises(ConfigError, match="there are abmil, clam_mb"):
        create_aggregator("zzz", DIM, CLASSES)


def test_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no option 'hiden'; did you mean hidden\?"):
        create_aggregator("abmil", DIM, CLASSES, hiden=3)
    with pytest.raises(ConfigError, match=r"no option 'zzz'; it has hidden, dropout\."):
        create_aggregator("max", DIM, CLASSES, zzz=3)


@pytest.mark.parametrize(
    ("name", "head", "options"),
    [
        ("clam_mb", "cumulative", {}),
        ("abmil", "softmax", {"depth": 3}),
        ("transmil", "softmax", {"heads": 7}),
    ],
)
def test_impossible_aggregators_are_config_errors(name: str, head: str, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=name):
        create_aggregator(name, DIM, CLASSES, head, **options)  # type: ignore[arg-type]


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register_aggregator("mean")(Aggregator)


@pytest.mark.parametrize(("name", "head"), PAIRS)
def test_shapes_and_attention(name: str, head: str) -> None:
    bags, mask, coords = _bags()
    model = _make(name, head)
    logits, attention = model(bags, mask, coords)
    assert logits.shape == (3, CLASSES if head == "softmax" else CLASSES - 1)
    assert attention.shape == mask.shape
    assert bool((attention >= 0).all())
    assert bool((attention[~mask] == 0).all())
    torch.testing.assert_close(attention.sum(1), torch.ones(3, dtype=torch.float64))
    probabilities = model.probabilities(logits)
    assert probabilities.shape == (3, CLASSES)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(("name", "head", "exact"), SIZED)
def test_order_of_instances_does_not_matter(name: str, head: str, exact: int) -> None:
    bags, mask, coords = _bags()
    model = _make(name, head, **({"exact": exact, "landmarks": 4} if name == "transmil" else {}))
    before = model(bags, mask, coords)
    shuffle = torch.stack(
        [torch.randperm(bags.shape[1], generator=torch.Generator().manual_seed(i)) for i in range(3)]
    )
    spread = shuffle[..., None]
    after = model(
        bags.gather(1, spread.expand_as(bags)),
        mask.gather(1, shuffle),
        coords.gather(1, spread.expand_as(coords)),
    )
    torch.testing.assert_close(after.logits, before.logits)
    torch.testing.assert_close(after.attention, before.attention.gather(1, shuffle))


@pytest.mark.parametrize(("name", "head", "exact"), SIZED)
@pytest.mark.parametrize("places", [True, False])
def test_padding_does_not_matter(name: str, head: str, places: bool, exact: int) -> None:
    bags, mask, coords = _bags()
    options = {"exact": exact, "landmarks": 4} if name == "transmil" else {}
    model = _make(name, head, **options)
    batched = model(bags, mask, coords if places else None)
    padded = torch.cat([bags, torch.full((3, 9, DIM), torch.nan, dtype=torch.float64)], 1)
    more = model(
        padded,
        torch.cat([mask, torch.zeros(3, 9, dtype=torch.bool)], 1),
        torch.cat([coords, torch.full((3, 9, 2), 10**6)], 1) if places else None,
    )
    torch.testing.assert_close(more.logits, batched.logits)
    torch.testing.assert_close(more.attention[:, : bags.shape[1]], batched.attention)
    for row in range(3):
        length = int(mask[row].sum())
        if name == "transmil" and exact == 4 and length < 4:
            continue  # alone, so short a bag is computed exactly
        place = coords[row : row + 1, :length] if places else None
        alone = model(bags[row : row + 1, :length], None, place)
        torch.testing.assert_close(alone.logits[0], batched.logits[row])
        torch.testing.assert_close(alone.attention[0], batched.attention[row, :length])


@pytest.mark.parametrize(("name", "head"), PAIRS)
def test_gradient_reaches_every_parameter(name: str, head: str) -> None:
    model = _make(name, head, **({"dropout": 0.0} if name != "transmil" else {})).train()
    touched: dict[str, float] = {}
    for seed in range(2):
        bags, mask, coords = _bags(seed)
        model.zero_grad()
        loss, output = model.training_loss(bags, mask, torch.tensor([0, 2, 3]), coords)
        assert loss.ndim == 0
        assert output.logits.shape[0] == 3
        loss.backward()  # type: ignore[no-untyped-call]
        for key, parameter in model.named_parameters():
            assert parameter.grad is not None, key
            touched[key] = max(touched.get(key, 0.0), float(parameter.grad.abs().max()))
    silent = [key for key, value in touched.items() if value < 1e-12]
    assert not silent


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_deterministic_and_training_is_not_frozen(name: str) -> None:
    bags, mask, coords = _bags()
    model = _make(name)
    first, second = model(bags, mask, coords), model(bags, mask, coords)
    assert torch.equal(first.logits, second.logits)
    assert torch.equal(first.attention, second.attention)
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin(bags, mask, coords).logits, first.logits, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_bags_of_one_and_half_precision(name: str) -> None:
    torch.manual_seed(0)
    model = create_aggregator(name, DIM, CLASSES).train()
    loss, output = model.training_loss(torch.randn(2, 1, DIM).half(), None, torch.tensor([1, 3]))
    assert bool(torch.isfinite(loss))
    torch.testing.assert_close(output.attention, torch.ones(2, 1))


@pytest.mark.parametrize("name", NAMES)
def test_bags_that_do_not_fit_are_refused(name: str) -> None:
    model = create_aggregator(name, DIM, CLASSES)
    bags, mask, _ = _bags()
    with pytest.raises(ValueError, match="bag 1 has no instances"):
        model(bags, mask & torch.tensor([[True], [False], [True]]))
    with pytest.raises(ValueError, match=r"bags must be \(B, N, 12\)"):
        model(bags[..., :5], mask)
    with pytest.raises(ValueError, match="mask must be"):
        model(bags, mask[:, :4])


def _simulated(seed: int, bags: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bags with known positive instances: class k > 0 holds 8-20 % of them in direction k."""
    draw = np.random.default_rng(seed)
    count, classes = 60, 3
    labels = np.arange(bags) % classes
    features = draw.normal(size=(bags, count, DIM)).astype(np.float32)
    lengths = draw.integers(30, count + 1, bags)
    positive = np.zeros((bags, count), bool)
    for bag, label in enumerate(labels):
        if label:
            chosen = draw.choice(lengths[bag], round(lengths[bag] * draw.uniform(0.08, 0.2)), replace=False)
            positive[bag, chosen] = True
            features[bag, chosen, label] += 4.0
    mask = np.arange(count) < lengths[:, None]
    return tuple(map(torch.from_numpy, (features, mask, labels, positive)))  # type: ignore[return-value]


def _instance_auc(name: str, head: str) -> tuple[float, float]:
    """Accuracy and mean AUC of the attention against the truth on new positive bags, after training."""
    torch.manual_seed(0)
    model = create_aggregator(name, DIM, 3, head, hidden=32).train()  # type: ignore[arg-type]
    features, mask, labels, _ = _simulated(0, 72)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(5 if name == "transmil" else 10):
        for chosen in torch.randperm(len(labels), generator=order).split(16):
            optimiser.zero_grad()
            model.training_loss(features[chosen], mask[chosen], labels[chosen])[0].backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    model.eval()
    features, mask, labels, positive = _simulated(1, 60)
    with torch.no_grad():
        logits, attention = model(features, mask)
    right = float((model.probabilities(logits).argmax(1) == labels).float().mean())
    aucs = [
        roc_auc_score(positive[bag][mask[bag]], attention[bag][mask[bag]])
        for bag in range(len(labels))
        if bool(positive[bag].any())
    ]
    return right, float(np.mean(aucs))


@pytest.mark.parametrize(("name", "head"), TRAINED)
def test_attention_finds_the_positive_instances(name: str, head: str) -> None:
    right, auc = _instance_auc(name, head)
    assert right >= 0.65  # chance: 0.33
    assert auc >= 0.9
