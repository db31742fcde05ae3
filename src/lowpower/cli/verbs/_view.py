"""`lowpower view`: results to click through in a browser, and the reader's reviews."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(help="A folder of results, as `lowpower score --out` wrote it.")],
    slides: Annotated[
        Path | None,
        typer.Option(help="Folder of the slides, where they are no longer where they were scored."),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Show no answer of a slide before the reader has scored it.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; a free one if 0.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open nothing.")
    ] = False,
) -> None:
    """Look through results in a browser: zoom into the slides, see why, agree or overrule.

    Only this machine can connect, and only with the printed address. Reviews go to FOLDER/reviews.csv;
    `lowpower export reviews FOLDER` makes a cohort.csv of them. Ctrl-C ends it.
    """
    import webbrowser

    from lowpower.cli._given_paths import there

    there(folder, "name the folder that `lowpower score` wrote.")
    if slides is not None:
        there(slides, "name the folder that holds the slides.")

    from lowpower.serve import Shelf, ViewServer

    with contextlib.closing(ViewServer(Shelf(folder, slides), port=port, blind=blind)) as server:
        typer.echo(server.address)
        if not no_browser:
            webbrowser.open(server.address)
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
