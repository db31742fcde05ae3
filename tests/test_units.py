import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowpower.units import Box, scaled_size

whole = st.integers(-5000, 5000)
side = st.integers(1, 5000)


@given(x=whole, y=whole, w=side, h=side, width=side, height=side)
def test_clipping_keeps_just_what_is_inside(x, y, w, h, width, height):
    box = Box(x, y, w, h)
    inside = box.clipped(width, height)
    columns = len(range(max(x, 0), min(x + w, width)))
    rows = len(range(max(y, 0), min(y + h, height)))
    if not columns or not rows:
        assert inside is None
    else:
        assert inside is not None
        assert (inside.width, inside.height) == (columns, rows)
        assert inside.clipped(width, height) == inside


@given(x=whole, y=whole, w=side, h=side, margin=st.integers(0, 100))
def test_padding_grows_every_side(x, y, w, h, margin):
    box = Box(x, y, w, h).padded(margin)
    assert (box.x, box.y, box.right, box.bottom) == (x - margin, y - margin, x + w + margin, y + h + margin)


def test_an_empty_box_is_no_box():
    with pytest.raises(ValueError, match="at least 1 px"):
        Box(0, 0, 0, 5)


@given(w=side, h=side, mpp=st.floats(0.1, 10), target=st.floats(0.1, 50))
def test_scaled_size_is_nearest_and_never_empty(w, h, mpp, target):
    width, height = scaled_size(w, h, mpp, target)
    assert width >= 1
    assert height >= 1
    assert abs(width - w * mpp / target) <= max(0.5, 1 - w * mpp / target) + 1e-9
