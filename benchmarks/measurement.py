"""How well the measured stain agrees with simulated truth, what real cores give, and how fast it is.

    python benchmarks/measurement.py [--slides 150] [--seed 808170]

Six fields of 256 um of each slide; its laboratory and scanner are drawn from as many as there are slides (of
150 laboratories about 97 come up), all from `--seed`. The network was trained on the seeds in
`recipes/cell_fields.py`; the rules were set on 5501, 5502, 9021 to 9025, 31337 to 31343, 81001, 92001, 93001,
93101 and 93201; 404170 to 606370 were counted before that. A nucleus counts as found within 3 um of the true
centre, each truth once.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from lowpower.simulate import (
    CohortSpec,
    SlideSpec,
    cohort_members,
    field_around,
    membrane_class,
    nuclear_class,
    plan_slide,
)
from lowpower.slides import Slide, open_slide
from lowpower.stain import (
    STRIDE,
    Her2Shares,
    Marker,
    StainScale,
    er_status,
    estimate_stains,
    grade_cells,
    her2_score,
    join_fields,
    measure,
    measure_field,
    optical_density,
    pr_status,
    with_nuclear_hematoxylin,
    working_factor,
)
from lowpower.units import Box

RADIUS_UM = 3.0
BORDER_UM = 8.0
FIELD_UM = 256.0
FIELDS = 6
FEWEST = 80
SCORES = ("0", "1+", "2+", "3+")


def paired(found: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,) index of the true nucleus within `RADIUS_UM` of each found one, nearest pairs first, or -1."""
    pair = np.full(len(found), -1, np.intp)
    if len(found) == 0 or len(truth) == 0:
        return pair
    distance, index = cKDTree(truth).query(found, k=4, distance_upper_bound=RADIUS_UM)
    rows, columns = np.nonzero(np.isfinite(distance))
    taken: set[int] = set()
    for _, one, other in sorted(zip(distance[rows, columns], rows, index[rows, columns], strict=True)):
        if pair[one] < 0 and other not in taken:
            pair[one] = other
            taken.add(other)
    return pair


@dataclass(frozen=True, slots=True)
class Agreement:
    """Measured against true, of one slide's fields.

    Attributes:
        truth: (4,) shares of tumour cells per class.
        measured: (4,) the same, measured.
        precision: Of nuclei.
        recall: Of nuclei.
        tumour: Share of the found true tumour nuclei that are called tumour-like.
        others: Share of the found other nuclei that are.
        cells: True tumour nuclei.
    """

    truth: NDArray[np.float64]
    measured: NDArray[np.float64]
    precision: float
    recall: float
    tumour: float
    others: float
    cells: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def agreements(marker: Marker, slides: int, seed: int) -> list[Agreement]:
    """Slides whose fields hold too few tumour cells are left out."""
    spec = CohortSpec(
        name="measurement-simulated", marker=marker, seed=seed, patients=slides, second_slide=0, sites=slides,
        site_seed=seed + 1, scanners=slides, scanner_seed=seed + 2, controls=0, artefacts=0,
    )  # fmt: skip
    found = [agreement(member.spec, marker, number) for number, member in enumerate(cohort_members(spec))]
    return [one for one in found if one is not None]


def agreement(spec: SlideSpec, marker: Marker, number: int) -> Agreement | None:
    """Six fields of a simulated slide, measured as the slide is: one scale, then one grading."""
    plan = plan_slide(spec)
    rng = np.random.default_rng([spec.seed, number])
    factor = working_factor(spec.scanner.mpp)
    mpp = spec.scanner.mpp * factor
    drawn = []
    for _ in range(FIELDS):
        piece = int(rng.integers(len(plan.pieces)))
        tumour = np.flatnonzero(plan.pieces[piece].cells.kind == 0)
        if len(tumour):
            drawn.append(field_around(spec, plan, piece, int(rng.choice(tumour)), FIELD_UM, STRIDE * factor))
    if not drawn:
        return None
    size = (drawn[0].image.shape[1] // factor, drawn[0].image.shape[0] // factor)
    images = [cv2.resize(field.image, size, interpolation=cv2.INTER_AREA) for field in drawn]
    white = np.asarray(spec.scanner.white, np.float32)
    density = np.concatenate([optical_density(image, white).reshape(-1, 3) for image in images])
    vectors = with_nuclear_hematoxylin(estimate_stains(density), images, white, mpp)
    scale = StainScale.of(images, white, vectors, mpp)
    parts, kinds, pairs, classes, hits, truths = [], [], [], [], 0, 0
    for field, image in zip(drawn, images, strict=True):
        cells = measure_field(image, mpp, scale, marker, (0, 0, *size))
        pair = paired(cells.xy, field.xy.astype(np.float64))
        within = _inside(field.xy, size[0] * mpp)
        hits += int(np.isin(np.flatnonzero(within), pair).sum())
        truths += int(within.sum())
        keep = _inside(cells.xy, size[0] * mpp)
        pair = pair[keep]
        parts.append(cells.pick(keep))
        pairs.append(pair)
        kinds.append(np.where(pair >= 0, field.kind[pair], ""))
        true = within & (field.kind == "tumour")
        if marker == "HER2":
            classes.append(membrane_class(field.completeness, field.intensity)[true])
        else:
            classes.append(nuclear_class(field.nuclear)[true])
    cells, _ = grade_cells(join_fields(parts), marker, 1.0)
    kind, pair, true_class = np.concatenate(kinds), np.concatenate(pairs), np.concatenate(classes)
    like = cells.kind == 0
    if len(true_class) < FEWEST or like.sum() < FEWEST:
        return None
    return Agreement(
        np.bincount(true_class, minlength=4) / len(true_class),
        np.bincount(cells.grade[like], minlength=4) / like.sum(),
        float((pair >= 0).mean()),
        hits / max(1, truths),
        _share(like[kind == "tumour"]),
        float(like[(pair >= 0) & (kind != "tumour")].mean())
        if ((pair >= 0) & (kind != "tumour")).any()
        else 0.0,
        len(true_class),
    )


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if len(found) else 0.0


def _inside(xy: NDArray[np.floating], side_um: float) -> NDArray[np.bool_]:
    return ((xy > BORDER_UM) & (xy < side_um - BORDER_UM)).all(axis=1)


def report(marker: Marker, slides: int, seed: int) -> None:
    """Print how one marker's measurement agrees with the truth."""
    rows = agreements(marker, slides, seed)
    f1 = np.array([row.f1 for row in rows])
    truth, measured = (np.stack([getattr(row, name) for row in rows]) for name in ("truth", "measured"))
    percent = 100 * np.abs(truth[:, 0] - measured[:, 0])
    shares = 100 * np.abs(truth - measured)
    print(f"{marker}: {len(rows)} of {slides} slides, {sum(row.cells for row in rows)} tumour nuclei")
    print(
        f"  nuclei F1 at {RADIUS_UM:g} um: mean {f1.mean():.3f}, worst {f1.min():.3f}; precision "
        f"{np.mean([row.precision for row in rows]):.3f}, recall {np.mean([row.recall for row in rows]):.3f}"
    )
    print(
        f"  called tumour-like: {np.mean([row.tumour for row in rows]):.3f} of found tumour nuclei, "
        f"{np.mean([row.others for row in rows]):.3f} of found others"
    )
    print(
        f"  percent stained: off by {np.median(percent):.1f} points (median), {percent.mean():.1f} (mean), "
        f"{np.quantile(percent, 0.9):.1f} (90 %)"
    )
    print(
        f"  class shares: off by {np.median(shares.mean(axis=1)):.1f} points (median over slides of the mean "
        f"over classes), of the worst class {np.median(shares.max(axis=1)):.1f}"
    )
    if marker == "HER2":
        scores = [[SCORES.index(score_of(row)) for row in table] for table in (truth, measured)]
        kappa = cohen_kappa_score(*scores, weights="quadratic", labels=range(4))
        print(f"  four-way quadratic kappa {kappa:.3f}, accuracy {np.mean(np.equal(*scores)):.3f}")
        print(f"  true (rows) and measured score:\n{confusion_matrix(*scores, labels=range(4))}")
    elif marker in ("ER", "PR"):
        rule = er_status if marker == "ER" else pr_status
        same = [
            rule(100 * (1 - t)) == rule(100 * (1 - m))
            for t, m in zip(truth[:, 0], measured[:, 0], strict=True)
        ]
        print(f"  status right: {sum(same)} of {len(same)} ({np.mean(same):.3f})")


def score_of(shares: NDArray[np.float64]) -> str:
    """The guideline's score of shares (4,), no staining at all counting as 0."""
    return her2_score(Her2Shares(*shares.tolist())).score


def _cores() -> Path:
    data = os.environ.get("LOWPOWER_DATA", Path(__file__).parents[2] / "shared" / "data")
    return Path(data) / "her2_cores"


def cores() -> None:
    for path in sorted(_cores().glob("[012]_*.jpg")):
        with open_slide(path, mpp=0.25) as slide:
            result = measure(slide, workers=2)
        score = "none" if result.h_score is None else f"{result.h_score:.1f}"
        print(f"{path.stem[:10]}: membrane H-score {score}; {result.sentence()}", flush=True)


def picture(path: Path) -> None:
    """Real cores at 0.5 um/px, tumour-like cells by class (blue, yellow, orange, red), the others grey."""
    colours = ((60, 90, 220), (235, 200, 40), (240, 120, 20), (200, 0, 30))
    places = {
        "2_0123a214": (2500, 2000),
        "2_da5928b4": (2700, 2400),
        "1_154ae963": (2400, 2300),
        "0_ccb66c10": (2000, 2500),
    }
    shown = []
    for name, (x, y) in places.items():
        with open_slide(next(_cores().glob(f"{name}*.jpg")), mpp=0.25) as slide:
            image = slide.read(Box(x, y, 1400, 1400), 0.25)
            cells = measure(slide, workers=2).cells
        assert cells is not None
        near = (abs(cells.x - x - 700) < 700) & (abs(cells.y - y - 700) < 700)
        for index in np.flatnonzero(near).tolist():
            colour = colours[cells.grade[index]] if cells.kind[index] == 0 else (120, 120, 120)
            middle = (round(cells.x[index] - x), round(cells.y[index] - y))
            cv2.circle(image, middle, round(cells.diameter[index] * 2), colour, 2, cv2.LINE_AA)
        shown.append(image)
    top, bottom = np.hstack(shown[:2]), np.hstack(shown[2:])
    page = cv2.resize(np.vstack([top, bottom]), None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    Image.fromarray(page).quantize(200).save(path, optimize=True)


def speed(path: Path) -> None:
    with open_slide(path, mpp=0.25) as slide:
        print(f"speed on {path.name}: {_rate(slide)}")


def _rate(slide: Slide) -> str:
    measure(slide, workers=2)
    wall, cpu = time.perf_counter(), time.process_time()
    result = measure(slide, workers=2)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert result.mpp is not None
    megapixels = slide.size[0] * slide.size[1] * (slide.mpp / result.mpp) ** 2 / 1e6
    return (
        f"{megapixels:.1f} MP at {result.mpp:.2f} um/px in {wall:.2f} s wall, {cpu:.2f} s of processor: "
        f"{megapixels / wall:.1f} MP/s, {2 * megapixels / cpu:.1f} MP/s if two cores were free"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=150, help="slides a marker")
    parser.add_argument("--seed", type=int, default=808170)
    parser.add_argument("--picture", type=Path, help="only draw cells on real cores, to this PNG")
    options = parser.parse_args()
    if options.picture is not None:
        picture(options.picture)
        return
    for offset, marker in enumerate(("HER2", "ER", "PR")):
        report(marker, options.slides, options.seed + 100 * offset)
    cores()
    for path in sorted(_cores().glob("2_[07]*.jpg"))[:2]:
        speed(path)


if __name__ == "__main__":
    main()
