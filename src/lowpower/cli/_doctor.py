"""`lowpower doctor`: what this installation can do, or what one slide file says of itself."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowpower.cli._options import Pattern

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["command"]


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
) -> None:
    """Show what this installation can do, or (with SLIDE) how a file is opened and what it contains.

    Exit code 1 if a slide cannot be opened; the others are shown all the same.
    """
    from lowpower.cohort import slide_inputs
    from lowpower.errors import SlideError

    if not files:
        _print_facts(_installation_facts())
        return
    failed = False
    for number, slide in enumerate(slide_inputs(files, pattern)):
        if number:
            typer.echo()
        try:
            _print_facts(_slide_facts(slide.path, slide.mpp or mpp))
        except SlideError as error:
            typer.echo(f"lowpower: {error}", err=True)
            failed = True
    if failed:
        raise typer.Exit(1)


def _print_facts(rows: Sequence[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, escape(value))
    Console(highlight=False).print(table)


def _slide_facts(file: Path, mpp: float | None) -> list[tuple[str, str]]:
    from lowpower.slides import open_slide

    with open_slide(file, mpp=mpp) as slide:
        width, height = slide.size
        rows = [
            ("file", str(slide.path)),
            ("opened by", slide.backend),
            ("vendor, scanner", f"{slide.vendor or 'not said'}, {slide.scanner or 'not said'}"),
            ("um/px", f"{slide.mpp:.6g} (from {slide.mpp_source})"),
            ("size", f"{width:,} x {height:,} px"),
            ("extent", f"{width * slide.mpp / 1000:.2f} x {height * slide.mpp / 1000:.2f} mm"),
        ]
        rows += [
            (f"level {index}", f"{level.width:,} x {level.height:,} px at {level.mpp:.4g} um/px")
            for index, level in enumerate(slide.levels)
        ]
        rows.append(("other images", ", ".join(sorted(slide.associated)) or "none"))
        rows.append(("colour profile", "applied" if slide.icc_applied else "none"))
        rows.append(("pixels", _pixels(slide)))
        rows.append(("SHA-256", slide.content_hash()))
    return rows


def _pixels(slide: Slide) -> str:
    """Whether every tile decodes."""
    from lowpower.cli._progress import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("decoding", total=None)
        slide.verify(lambda done, total: bar.update(task, completed=done, total=total))
    damaged = slide.damage()
    if not damaged:
        return "all decode"
    more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
    return f"DAMAGED and read as glass: {damaged[0].name} ({damaged[0].reason}){more}"


def _installation_facts() -> list[tuple[str, str]]:
    import torch

    import lowpower
    from lowpower.engine import default_workers
    from lowpower.errors import LowpowerError
    from lowpower.models import bundled_models, load_bundle

    rows = [
        ("lowpower", f"{lowpower.__version__}, research use only"),
        ("python", f"{sys.version.split()[0]} on {platform.platform()}"),
        ("processors", f"{default_workers()} usable; torch uses {torch.get_num_threads()} threads"),
        (
            "accelerator",
            torch.cuda.get_device_name() if torch.cuda.is_available() else "none: everything runs on the CPU",
        ),
        ("precision", _precision()),
        ("free disk here", f"{shutil.disk_usage('.').free / 2**30:.0f} GiB"),
    ]
    for package in (
        "fastslide",
        "openslide-python",
        "openslide-bin",
        "wsidicom",
        "tifffile",
        "timm",
        "lightning",
        "torch",
    ):
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            rows.append((package, "MISSING: reinstall with pip install lowpower"))
    for name in bundled_models():
        try:
            bundle = load_bundle(name)
        except LowpowerError as error:
            rows.append((f"model {name}", f"UNUSABLE: {error}"))
        else:
            rows.append((f"model {name}", f"sound; {bundle.spec.trained_on}"))
    return rows


def _precision() -> str:
    from lowpower.training import resolve_precision

    chosen = resolve_precision("auto", "auto")
    return f"{chosen} (bf16 is used on GPUs and on CPUs with AMX; elsewhere it is slower than float32)"
