"""How near simulated slides come to real ones, at 8, 2 and 0.5 um/px.

    python benchmarks/realism.py [--simulated FOLDER] [--out FOLDER] [--label NAME] [--history]

The main number is a ratio: the Frechet distance between simulated and real patches in the pooled features of
EfficientNet-Lite0 (ImageNet), over the same distance between one half of the real cores and the other half.
`benchmarks/README.md` says how it is computed and what it can and cannot tell.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from common import measures as _measures
from common import realism_pictures as pictures
from common.distances import Comparison, compare
from common.patches import (
    REPOSITORY,
    SCALES,
    Patches,
    Window,
    cut,
    data_folder,
    real_windows,
    simulated_windows,
)
from common.realism_sets import SETS, make_set
from lowpower.files import atomic_path, make_folder, write_json, write_text
from lowpower.models import LITE0_SHA256, lite0_features, load_lite0

CACHE = Path.home() / ".cache" / "lowpower" / "realism"
RUNS = REPOSITORY / "runs" / "realism"
HISTORY = REPOSITORY / "benchmarks" / "results" / "realism_history.csv"


def commit() -> str:
    """Hash of the commit the simulator is at, with a + if its files differ from it."""

    def git(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return answer.stdout.strip()

    changed = git("status", "--porcelain", "--", "src/lowpower/simulate")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def balanced(windows: list[Window], like: list[Window]) -> list[Window]:
    """The largest leading part of `windows` whose scores stand in the proportions of `like`."""
    wanted = Counter(window.score for window in like)
    have = Counter(window.score for window in windows)
    times = min(have[score] / number for score, number in wanted.items())
    if times < 1 / max(wanted.values()):
        raise SystemExit(f"need simulated slides of scores {sorted(wanted)}, got {dict(have)}")
    left = {score: max(1, round(number * times)) for score, number in wanted.items()}
    chosen = []
    for window in windows:
        if left.get(window.score, 0) > 0:
            left[window.score] -= 1
            chosen.append(window)
    return chosen


def grey(patches: Patches) -> Patches:
    """Without colour, and with one mean and contrast for all: what is left is texture and shape."""
    light = patches.rgb.astype(np.float32).mean(axis=3)
    light -= light.mean(axis=(1, 2), keepdims=True)
    light *= 20.0 / np.maximum(light.std(axis=(1, 2), keepdims=True), 1.0)
    rgb = np.clip(light + 200, 0, 255).astype(np.uint8)
    return Patches(np.repeat(rgb[..., None], 3, axis=3), patches.window)


def features(network: torch.nn.Module, rgb: NDArray[np.uint8], keep: bool) -> NDArray[np.float64]:
    """Pooled features (N, 1280); kept on disk, by content, where the same patches will be asked for again."""
    if not keep:
        return lite0_features(network, rgb).astype(np.float64)
    path = CACHE / f"{hashlib.sha256(rgb.tobytes() + LITE0_SHA256.encode()).hexdigest()[:32]}.npy"
    if not path.is_file():
        with atomic_path(path) as temporary:
            with temporary.open("wb") as stream:
                np.save(stream, lite0_features(network, rgb))
    return np.load(path).astype(np.float64)


def measure(real: list[Window], simulated: list[Window], out: Path) -> dict[str, Any]:
    """All numbers, and contact sheets of the extremes in `out`."""
    network = load_lite0()
    scales: dict[str, Any] = {}
    for scale in SCALES:
        ours, theirs = cut(simulated, scale), cut(real, scale)
        results: dict[str, Comparison] = {}
        for kind, make in (("colour", lambda p: p), ("grey", grey)):
            a = features(network, make(theirs).rgb, keep=True)
            b = features(network, make(ours).rgb, keep=False)
            results[kind] = compare(a, theirs.window, b)
            if kind == "colour":
                pictures.extremes(out, scale, (real, theirs, a), (simulated, ours, b))
        entry: dict[str, Any] = {kind: asdict(value) for kind, value in results.items()}
        for name, windows, patches in (("real", real, theirs), ("simulated", simulated, ours)):
            frequencies, power = _measures.spectrum(windows, patches, scale.mpp)
            entry[name] = {
                "patches": len(patches.rgb),
                "density": _measures.densities(windows, patches),
                "spectrum": {"cycles_per_um": frequencies, "log10_power": power},
            }
            if scale.mpp == 0.5:
                entry[name]["stains"] = _measures.stains(windows, patches)
                entry[name]["nuclei"] = _measures.nuclei(windows, patches, scale.mpp)
        scales[f"{scale.mpp:g}"] = entry
    return scales


def show(console: Console, scales: dict[str, Any]) -> None:
    """The tables."""
    table = Table(title="Simulated against real, in units of one half of the real cores against the other")
    for name in (
        "um/px",
        "Frechet ratio",
        "10-90 %",
        "KID ratio",
        "nearest",
        "Frechet, grey",
        "KID, grey",
        "patches",
    ):
        table.add_column(name, justify="right")
    for mpp, entry in scales.items():
        c, g = entry["colour"], entry["grey"]
        table.add_row(
            mpp,
            f"{c['frechet']:.2f}",
            f"{c['frechet_low']:.2f} to {c['frechet_high']:.2f}",
            f"{c['kid']:.2f}",
            f"{c['near']:.2f}",
            f"{g['frechet']:.2f}",
            f"{g['kid']:.2f}",
            str(c["patches"]),
        )
    console.print(table)
    for mpp, entry in scales.items():
        table = Table(title=f"Density quantiles at {mpp} um/px (OD against each slide's own glass)")
        for name in ("", "", *(f"{level:.0%}" for level in _measures.LEVELS)):
            table.add_column(name, justify="right")
        for name in entry["real"]["density"]:
            for side in ("real", "simulated"):
                table.add_row(name, side, *(f"{value:.3f}" for value in entry[side]["density"][name]))
        console.print(table)
    show_spectra(console, scales)
    show_objects(console, scales["0.5"])


def show_spectra(console: Console, scales: dict[str, Any]) -> None:
    """Median power at a few frequencies."""
    table = Table(title="log10 power of mean OD, median patch: real / simulated (difference)")
    table.add_column("um/px")
    picks = (1, 2, 4, 8, 16, 32)
    for pick in picks:
        table.add_column(f"f = {pick}/32 Nyquist", justify="right")
    for mpp, entry in scales.items():
        real, ours = (np.asarray(entry[side]["spectrum"]["log10_power"][1]) for side in ("real", "simulated"))
        at = [max(0, round(pick / 32 * len(real)) - 1) for pick in picks]
        table.add_row(mpp, *(f"{real[i]:.2f} / {ours[i]:.2f} ({ours[i] - real[i]:+.2f})" for i in at))
    console.print(table)


def show_objects(console: Console, entry: dict[str, Any]) -> None:
    """Nuclei and stain vectors."""
    table = Table(title="Blue blobs at 0.5 um/px: 10 / 50 / 90 %")
    for name in ("", "real", "simulated"):
        table.add_column(name)
    for name in entry["real"]["nuclei"]:
        table.add_row(
            name,
            *(" / ".join(f"{v:.3g}" for v in entry[side]["nuclei"][name]) for side in ("real", "simulated")),
        )
    console.print(table)
    table = Table(title="Stain vectors (OD red, green, blue)")
    for name in ("window", "score", "haematoxylin", "DAB", "source"):
        table.add_column(name)
    for side in ("real", "simulated"):
        for name, row in entry[side]["stains"].items():
            vectors = [" ".join(f"{v:.2f}" for v in row[stain]) for stain in ("hematoxylin", "dab")]
            table.add_row(f"{side} {name}", str(row["score"]), *vectors, str(row["source"]))
    console.print(table)


def remember(scales: dict[str, Any], version: str, made: str, label: str) -> None:
    """Append the ratios to the history."""
    columns = ["date", "commit", "set", "label"]
    row: list[str] = [time.strftime("%Y-%m-%d"), version, made, label]
    for mpp, entry in scales.items():
        for number in ("frechet", "kid", "near"):
            columns.append(f"{number}_{mpp}")
            row.append(f"{entry['colour'][number]:.3f}")
        columns.append(f"frechet_grey_{mpp}")
        row.append(f"{entry['grey']['frechet']:.3f}")
    old = list(csv.reader(HISTORY.read_text().splitlines())) if HISTORY.is_file() else [columns]
    write_text(HISTORY, "".join(",".join(line) + "\n" for line in [*old, row]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulated", type=Path, help="folder with cohort.csv; by default a set is made")
    parser.add_argument("--set", choices=SETS, default=SETS[0], help="which set is made")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder for JSON and pictures")
    parser.add_argument("--label", default="now", help="names the picture and the row of the history")
    parser.add_argument("--picture", type=Path, help="where the picture goes; by default into --out")
    parser.add_argument("--history", action="store_true", help=f"append to {HISTORY.relative_to(REPOSITORY)}")
    parser.add_argument("--version", help="of the simulator, where --simulated is older than this commit")
    parser.add_argument("--workers", type=int, default=2, help="processes and threads")
    options = parser.parse_args()
    console, start = Console(width=150), time.perf_counter()
    # Taken now: by the end somebody may have committed.
    version = options.version or commit()
    torch.set_num_threads(options.workers)
    cv2.setNumThreads(options.workers)
    real = list(real_windows())
    if not real:
        console.print(f"skipped: no real cores in {data_folder()}; set LOWPOWER_DATA (see README.md)")
        return
    out = make_folder(options.out)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.simulated or Path(scratch) / "cohort"
        if options.simulated is None:
            make_set(options.set, folder, options.workers)
        everything = list(simulated_windows(folder / "cohort.csv"))
    made = time.perf_counter() - start
    simulated = balanced(everything, real)
    scales = measure(real, simulated, out)
    show(console, scales)
    picture = options.picture or out / f"realism_{options.label}.png"
    pictures.overview(picture, scales, real, everything, f"simulated slides at {version}, {options.set}")
    seconds = time.perf_counter() - start
    record = {
        "commit": version,
        "label": options.label,
        "set": options.set,
        "real": [window.name for window in real],
        "simulated": [f"{window.name} {window.score}" for window in simulated],
        "seconds": round(seconds, 1),
        "seconds_simulating": round(made, 1),
        "scales": scales,
    }
    write_json(out / "realism.json", record)
    if options.history:
        remember(scales, version, options.set, options.label)
    console.print(
        f"{picture}\n{out / 'realism.json'}\n{seconds:.0f} s, of them {made:.0f} s reading and simulating"
    )


if __name__ == "__main__":
    main()
