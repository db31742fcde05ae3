"""Do simulated fields hold the real world? Every real field on this machine among draws of the simulator.

    LOWPOWER_REAL=FOLDER python benchmarks/envelope.py [--draws 400] [--picture FILE] [--history "what"]

For each real field (192 um of it, at 0.25 um/px) some thirty quantities: white point, clipping, OD of
haematoxylin and DAB, directions of both stains and their angle, OD of negative and positive nuclei,
membranes, edges, noise, JPEG blocks, size and distance of nuclei, cytoplasmic DAB. The same of as many
simulated fields of the same marker, each of a laboratory and a scanner of its own, as cohorts draw them
unless told otherwise. A field is inside in a quantity if it lies in the central 99 % of the draws; jointly if
its distance to its fifth nearest draw, every quantity on the scale of the draws' ranks, is no more than that
of 99 % of the draws.

Of nuclear markers nuclei are the drawn ones where masks are given (simulated: the truth), of HER2 those that
measuring finds, real and simulated. What fields with one stain only say of the angle is noise; nothing is
left out for that.
"""

from __future__ import annotations

import argparse
import csv
import datetime
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri

from common.envelope_fields import Real, drawn, real_fields

mpl.use("Agg")
from matplotlib import pyplot as plt

HISTORY = Path(__file__).parent / "results" / "envelope_history.csv"
CENTRAL = 0.99
NEAREST = 5
SEED = 12001
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Fields of one marker against draws of it.

    Attributes:
        names: Of the quantities.
        draws: (N, Q).
        fields: The real ones.
        values: (F, Q).
        inside: (F, Q) whether in the central 99 %; True where a quantity is unknown.
        rank: (F,) share of draws that lie nearer to other draws than the field does, 0..1.
    """

    names: list[str]
    draws: Floats
    fields: list[Real]
    values: Floats
    inside: NDArray[np.bool_]
    rank: Floats


def compared(draws: Sequence[dict[str, float]], fields: list[Real]) -> Compared:
    """Where real fields lie among draws."""
    names = list(draws[0])
    table = np.array([[draw[name] for name in names] for draw in draws])
    values = np.array([[field.values[name] for name in names] for field in fields])
    low, high = np.nanquantile(table, [(1 - CENTRAL) / 2, (1 + CENTRAL) / 2], axis=0)
    inside = ~((values < low) | (values > high))
    rank = np.array([_joint_rank(table, row) for row in values])
    return Compared(names, table, fields, values, inside, rank)


def _joint_rank(draws: Floats, field: Floats) -> float:
    """Share of draws whose fifth nearest other draw is nearer than the field's."""
    known = np.isfinite(field)
    draws = draws[:, known]
    draws = draws[np.isfinite(draws).all(axis=1)]
    scaled = np.empty_like(draws)
    own = np.empty(known.sum())
    for column, value in enumerate(field[known]):
        order = np.sort(draws[:, column])
        own[column] = _score(order, np.array([value]))[0]
        scaled[:, column] = _score(order, draws[:, column])
    distance = np.sqrt(((scaled[:, None] - scaled[None]) ** 2).mean(axis=2))
    among = np.sort(distance, axis=1)[:, NEAREST]
    mine = np.sort(np.sqrt(((scaled - own) ** 2).mean(axis=1)))[NEAREST - 1]
    return float((among < mine).mean())


def _score(order: Floats, values: Floats) -> Floats:
    """Normal scores of ranks; beyond the draws they go on by the draws' own spread."""
    middle = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2
    score = ndtri(np.clip((middle + 0.5) / (len(order) + 1), 1e-3, 1 - 1e-3))
    spread = max(float(np.subtract(*np.quantile(order, (0.975, 0.025)))) / 4, 1e-9)
    beyond = np.where(values > order[-1], values - order[-1], np.minimum(values - order[0], 0)) / spread
    return np.asarray(score + beyond)


def _table(one: Compared, marker: str) -> Table:
    table = Table(title=f"{marker}: {len(one.draws)} draws, {len(one.fields)} real fields")
    for name in ("quantity", "draws 0.5 %", "50 %", "99.5 %", "real, lowest", "highest", "outside"):
        table.add_column(name, justify="left" if name in ("quantity", "outside") else "right")
    for column, name in enumerate(one.names):
        low, middle, high = np.nanquantile(one.draws[:, column], (0.005, 0.5, 0.995))
        real = one.values[:, column]
        away = [f"{field.source} {field.name}" for field, ok in zip(one.fields, one.inside[:, column], strict=True) if not ok]  # fmt: skip # noqa: E501
        shown = ", ".join(away[:3]) + (f" and {len(away) - 3} more" if len(away) > 3 else "")
        ends = ("-", "-") if np.isnan(real).all() else (f"{np.nanmin(real):.3g}", f"{np.nanmax(real):.3g}")
        table.add_row(name, f"{low:.3g}", f"{middle:.3g}", f"{high:.3g}", *ends, shown)
    return table


def _summary(results: list[Compared]) -> list[dict[str, object]]:
    """Per source: fields, how many inside in every quantity, pairs inside, fields jointly inside."""
    rows: list[dict[str, object]] = []
    for one in results:
        for source in sorted({field.source for field in one.fields}):
            mine = np.array([field.source == source for field in one.fields])
            known = np.isfinite(one.values[mine])
            rows.append(
                {
                    "source": source,
                    "draws": len(one.draws),
                    "fields": int(mine.sum()),
                    "inside in all": int(one.inside[mine].all(axis=1).sum()),
                    "values inside": f"{(one.inside[mine] & known).sum() / known.sum():.3f}",
                    "jointly inside": int((one.rank[mine] <= CENTRAL).sum()),
                }
            )
    return rows


def _picture(results: dict[str, Compared], path: Path) -> None:
    names = list(dict.fromkeys(name for one in results.values() for name in one.names))
    columns = 6
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3 * columns, 1.7 * rows))
    colours = dict(zip(sorted({f.source for one in results.values() for f in one.fields}),
                       ("#c03020", "#e0901c", "#2060b0", "#208050", "#8040a0"), strict=False))  # fmt: skip
    for axis, name in zip(axes.flat, names, strict=False):
        for height, (marker, one) in enumerate(results.items()):
            if name not in one.names:
                continue
            column = one.names.index(name)
            draws = one.draws[:, column][np.isfinite(one.draws[:, column])]
            low, lower, upper, high = np.quantile(draws, (0.005, 0.25, 0.75, 0.995))
            axis.plot((low, high), (height, height), color="0.75", lw=7, solid_capstyle="butt")
            axis.plot((lower, upper), (height, height), color="0.5", lw=7, solid_capstyle="butt")
            axis.text(low, height + 0.3, marker, fontsize=6, color="0.3")
            for number, field in enumerate(one.fields):
                value = one.values[number, column]
                if np.isfinite(value):
                    axis.plot(value, height, "o", ms=3.5, mew=0, color=colours[field.source])
        axis.set_ylim(-0.5, len(results) - 0.2)
        axis.set_yticks([])
        axis.set_title(name, fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    handles = [plt.Line2D([], [], marker="o", ls="", color=c, label=s) for s, c in colours.items()]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=9)
    figure.suptitle("Simulated draws (grey: central 99 %, dark: middle half) and real fields", fontsize=11)
    figure.tight_layout(rect=(0, 0.03, 1, 0.98))
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--history", metavar="WHAT", help="keep the figures, with what changed")
    options = parser.parse_args()
    console = Console(width=150)
    fields = list(real_fields())
    if not fields:
        console.print("No real field here: LOWPOWER_REAL and LOWPOWER_DATA name no folder that holds any.")
        return
    results: dict[str, Compared] = {}
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for marker in sorted({field.marker for field in fields}):
            draw = partial(drawn, marker, SEED, count=options.draws)
            draws = list(pool.map(draw, range(options.draws), chunksize=10))
            results[marker] = compared(draws, [field for field in fields if field.marker == marker])
            console.print(_table(results[marker], marker))
    rows = _summary(list(results.values()))
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)
    for one in results.values():
        for field, rank in zip(one.fields, one.rank, strict=True):
            if rank > CENTRAL:
                console.print(f"{field.source} {field.name}: farther from draws than {rank:.1%} of draws are")
    if options.picture:
        _picture(results, options.picture)
    if options.history:
        new = not HISTORY.exists()
        with HISTORY.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["date", "what", *rows[0]])
            today = datetime.datetime.now(datetime.UTC).date()
            writer.writerows([today, options.history, *row.values()] for row in rows)


if __name__ == "__main__":
    main()
