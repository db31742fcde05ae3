"""`lowpower export-model`: a bundle's network as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower export-model her2-sim her2-sim.onnx"


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A bundled model's name, a bundle's folder, or hf://owner/name."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="FILE.onnx", help="The file to write.")],
) -> None:
    """Write a slide network or MIL aggregator as ONNX, for other runtimes: see docs/exchange.md."""
    from lowpower.cli._given_paths import model_there

    model_there(model)

    from lowpower.models import export_onnx, load_bundle

    typer.echo(str(export_onnx(load_bundle(model), out)))
