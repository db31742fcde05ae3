"""From stain to pixels in a file: optics, faults on glass, the pyramid."""

from lowpower.simulate.scanner._camera import MARGIN, glass, picture
from lowpower.simulate.scanner._glass_faults import Artefacts
from lowpower.simulate.scanner._pyramid import TILE, padded, write_pyramid

__all__ = [
    "MARGIN",
    "TILE",
    "Artefacts",
    "glass",
    "padded",
    "picture",
    "write_pyramid",
]
