import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lowpower.errors import ConfigError
from lowpower.models._fusion import HistogramFusion, _histogram, fit_histogram_fusion, fuse_patches

PATCHES = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.8, 0.1, 0.1]])


def test_fusions_by_hand() -> None:
    assert fuse_patches(PATCHES, "mean") == pytest.approx([0.625, 0.175, 0.2])
    assert fuse_patches(PATCHES, "majority") == pytest.approx([(3 + 1 / 3) / 5, (1 / 3) / 5, (1 + 1 / 3) / 5])
    assert fuse_patches(PATCHES, "top", top=0.25) == pytest.approx([0.2, 0.2, 0.6])
    assert fuse_patches(PATCHES, "top", top=0.01) == pytest.approx([0.2, 0.2, 0.6])
    assert fuse_patches(PATCHES, "top", top=1.0) == pytest.approx(fuse_patches(PATCHES))


@pytest.mark.parametrize("method", ["mean", "majority", "top"])
def test_order_of_patches_does_not_matter(method: str) -> None:
    draw = np.random.default_rng(0)
    patches = draw.dirichlet(np.ones(4), 50)
    shuffled = patches[draw.permutation(50)]
    assert fuse_patches(patches, method) == pytest.approx(fuse_patches(shuffled, method))  # type: ignore[arg-type]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="fusion 'median' is unknown; there are mean"):
        fuse_patches(PATCHES, "median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="N >= 1"):
        fuse_patches(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        fuse_patches(PATCHES, "top", top=0.0)
    with pytest.raises(ValueError, match="two classes"):
        fit_histogram_fusion([PATCHES, PATCHES], np.array([1, 1]), 3)
    with pytest.raises(ValueError, match="2 slides, 1 labels"):
        fit_histogram_fusion([PATCHES, PATCHES], np.array([1]), 3)


def _slides(seed: int, count: int, classes: int = 3) -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
    """Class is told by 15 % of the patches; the mean over all hardly moves."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    slides = []
    for label in labels:
        number = int(draw.integers(40, 90))
        logits = draw.normal(size=(number, classes))
        logits[:, 0] += 1.5
        logits[: int(0.15 * number), label] += 3
        slides.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    return slides, labels


def test_fitted_fusion_beats_the_mean_where_few_patches_decide() -> None:
    fusion = fit_histogram_fusion(*_slides(0, 90), 3)
    slides, labels = _slides(1, 90)
    fitted = np.mean([fusion.fuse(s).argmax() == label for s, label in zip(slides, labels, strict=True)])
    mean = np.mean([fuse_patches(s).argmax() == label for s, label in zip(slides, labels, strict=True)])
    assert fitted > 0.85
    assert fitted > mean + 0.2


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_the_logistic_regression_it_says_and_survives_json(classes: int) -> None:
    slides, labels = _slides(2, 40, classes)
    fusion = fit_histogram_fusion(slides, labels, classes)
    features = np.stack([_histogram(s, 8) for s in slides])
    scaled = (features - np.array(fusion.centre)) / np.array(fusion.scale)
    wanted = (
        LogisticRegression(C=0.3, class_weight="balanced", max_iter=2000)
        .fit(scaled, labels)
        .predict_proba(scaled)
    )
    again = HistogramFusion.model_validate_json(fusion.model_dump_json())
    for row, patches in zip(wanted, slides, strict=True):
        assert again.fuse(patches) == pytest.approx(row, abs=1e-6)
    with pytest.raises(ValueError, match="the fusion"):
        fusion.fuse(np.full((3, 5), 0.2))


def test_a_class_without_slides_is_never_preferred() -> None:
    slides, labels = _slides(3, 30, 2)
    wide = [np.concatenate([s, np.zeros((len(s), 1))], axis=1) for s in slides]
    fusion = fit_histogram_fusion(wide, labels, 3)
    assert all(fusion.fuse(s)[2] < 1e-2 for s in wide)
