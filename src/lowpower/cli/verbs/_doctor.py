"""`lowpower doctor`: what this installation can do, or what one slide file says of itself."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lowpower.cli._options import Pattern, Plane, Scene

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower doctor case-17.svs"

_ANY_MPP = 1.0
_SCENES = 8
_EXTRAS: Final = {
    "s3": (("s3fs", "aiohttp"), "slides and results at s3:// and https:// addresses"),
    "ray": (("ray",), "--on ray"),
    "serve": (("dbos", "sqlalchemy", "alembic", "argon2-cffi", "authlib"), "lowpower serve"),
    "onnx": (("onnx",), "lowpower export-model"),
}
"""What may be installed besides: its packages, and what it is for."""


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SLIDE",
            help="Look at these slides (files, folders, patterns, a manifest), not at the installation.",
        ),
    ] = None,
    pattern: Pattern = None,
    mpp: Annotated[float | None, typer.Option(help="Microns per pixel, if the file does not say.")] = None,
    scene: Scene = None,
    plane: Plane = None,
) -> None:
    """Show what this installation can do, or (with SLIDE) how a file is opened and what it contains.

    What is wrong with a slide stands below all that can be said of it. Exit code 1 if one cannot be opened,
    or is damaged; the others are shown all the same.
    """
    from lowpower.cohort import slide_inputs
    from lowpower.errors import LowpowerError
    from lowpower.slides import Choice, check_mpp

    if not files:
        _print_facts(_installation_facts())
        return
    check_mpp(mpp)
    Choice(scene, plane).check()
    failed, seen = False, False
    for given in files:
        try:
            slides = slide_inputs([given], pattern)
        except LowpowerError as error:
            if len(files) == 1:
                raise
            typer.echo(f"lowpower: {error}", err=True)
            failed = True
            continue
        for slide in slides:
            if seen:
                typer.echo()
            seen = True
            failed |= not _look(slide.path, slide.mpp or mpp, scene, plane)
    if failed:
        raise typer.Exit(1)


def _print_facts(rows: Sequence[tuple[str, str]]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:  # a line each: a path and a SHA-256 can be copied, however narrow the terminal
        console.print(f"{name:<{width}}  {value}", soft_wrap=True, markup=False)


def _look(path: Path, mpp: float | None, scene: str | None, plane: int | None) -> bool:
    """Print all that can be said of a slide, then what is wrong with it; whether nothing is."""
    from lowpower.errors import InvalidMppError, MissingMppError, SlideError
    from lowpower.slides import contents_of, open_slide

    problem: SlideError | None = None
    rows = [("file", str(path))]
    try:
        try:
            slide = open_slide(path, mpp=mpp, scene=scene, plane=plane)
        except (MissingMppError, InvalidMppError) as error:
            problem = error
            slide = open_slide(path, mpp=_ANY_MPP, scene=scene, plane=plane)
        with slide:
            rows += _slide_facts(slide, sized=problem is None)
            damage = _decode(slide)
            rows += [("pixels", damage or "all decode"), ("SHA-256", slide.content_hash())]
    except SlideError as error:
        problem, damage = error, None
        if len(rows) == 1:
            rows += contents_of(path)
    _print_facts(rows)
    if problem is not None:
        typer.echo(f"lowpower: {problem}", err=True)
    return problem is None and damage is None


def _slide_facts(slide: Slide, *, sized: bool) -> list[tuple[str, str]]:
    """What the file says; lengths only where its um/px are known."""
    width, height = slide.size
    rows = [
        ("opened by", slide.backend),
        ("vendor, scanner", ", ".join(filter(None, (slide.vendor, slide.scanner))) or "not said"),
        ("um/px", f"{slide.mpp:.6g} (from {slide.mpp_source})" if sized else "not known"),
    ]
    rows += [(f"  {key}", text) for key, text in slide.mpp_claims]
    rows.append(("size", f"{width:,} x {height:,} px"))
    if sized:
        rows.append(("extent", f"{width * slide.mpp / 1000:.2f} x {height * slide.mpp / 1000:.2f} mm"))
    for index, level in enumerate(slide.levels):
        scale = f"at {level.mpp:.4g} um/px" if sized else f"(1/{level.downsample:.4g})"
        rows.append((f"level {index}", f"{level.width:,} x {level.height:,} px {scale}"))
    if len(slide.scenes) > 1:
        names = ", ".join(f"'{name}'" for name in slide.scenes[:_SCENES])
        names += f" and {len(slide.scenes) - _SCENES} more" if len(slide.scenes) > _SCENES else ""
        rows.append(("scenes", f"{names}; '{slide.scene}' is read, choose with --scene"))
    if slide.planes > 1:
        rows.append(("focal planes", f"{slide.planes}; {slide.plane} is read, choose with --plane"))
    rows += [
        ("other images", ", ".join(sorted(slide.associated)) or "none"),
        ("colour profile", "applied" if slide.icc_applied else "none"),
    ]
    # Without um/px of its own the slide is open at a stand-in, which is nobody's value.
    return [*rows, *(("note", note) for note in slide.notes if sized or "um/px" not in note)]


def _decode(slide: Slide) -> str | None:
    """Decode every tile; the words for those that cannot be."""
    from lowpower.cli._progress import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("decoding", total=None)
        slide.verify(lambda done, total: bar.update(task, completed=done, total=total))
    damaged = slide.damage()
    if not damaged:
        return None
    more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
    return f"DAMAGED and read as glass: {damaged[0].name} ({damaged[0].reason}){more}"


def _installation_facts() -> list[tuple[str, str]]:
    import torch

    import lowpower
    from lowpower.bundles import bundled_models
    from lowpower.engine import default_workers
    from lowpower.errors import LowpowerError, install_with
    from lowpower.graphs import runtime_name
    from lowpower.models import load_bundle

    rows = [
        ("lowpower", f"{lowpower.__version__}, research use only"),
        ("python", f"{sys.version.split()[0]} on {platform.platform()}"),
        ("processors", f"{default_workers()} usable; torch uses {torch.get_num_threads()} threads"),
        (
            "accelerator",
            torch.cuda.get_device_name() if torch.cuda.is_available() else "none: everything runs on the CPU",
        ),
        ("training precision", _precision()),
        ("networks, exact", runtime_name("exact")),
        ("networks, fast", _fast()),
        ("free disk here", f"{shutil.disk_usage('.').free / 2**30:.0f} GiB"),
    ]
    for package in (
        "fastslide",
        "openslide-python",
        "openslide-bin",
        "onnxruntime",
        "wsidicom",
        "tifffile",
        "timm",
        "lightning",
        "torch",
    ):
        rows.append((package, _version(package) or f"MISSING: {install_with()}"))
    for extra, (packages, purpose) in _EXTRAS.items():
        there = all(_version(package) for package in packages)
        state = f"there ({packages[0]} {_version(packages[0])})" if there else "not installed"
        cure = "" if there else f"; {install_with(extra)}"
        rows.append((f"extra {extra}", f"{state}, for {purpose}{cure}"))
    for name in bundled_models():
        try:
            bundle = load_bundle(name)
        except LowpowerError as error:
            rows.append((f"model {name}", f"UNUSABLE: {error}"))
        else:
            rows.append((f"model {name}", f"sound; {bundle.spec.trained_on}"))
    return rows


def _version(package: str) -> str | None:
    """The installed version; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fast() -> str:
    """What --precision fast would run, or how it is installed."""
    from lowpower.errors import OptionError
    from lowpower.graphs import runtime_name

    try:
        return runtime_name("fast")
    except OptionError as error:
        return f"not here: {error}"


def _precision() -> str:
    from lowpower.training import resolve_precision

    chosen = resolve_precision("auto", "auto")
    return f"{chosen} (bf16 is used on GPUs and on CPUs with AMX; elsewhere it is slower than float32)"
