"""`lowpower view`: results to click through in a browser, and the reader's reviews."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower view results"


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of results, as `lowpower score --out` wrote it; or of slides: they are scored "
            "from the page, and results go to FOLDER-results."
        ),
    ],
    slides: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the slides, where they are no longer where they were scored; those that have no "
            "result can be scored from the page."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="What scores from the page: a bundled model's name, or a bundle's folder.")
    ] = "her2-sim",
    laboratory: Annotated[
        Path | None,
        typer.Option(help="What `lowpower calibrate` wrote: its cut-offs count in what is scored here."),
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

    Slides can be scored there, for the first time or again inside what is drawn. Only this machine can
    connect, and only with the printed address. Reviews go to reviews.csv beside the results;
    `lowpower export reviews RESULTS` makes a cohort.csv of them. Ctrl-C ends it.
    """
    import webbrowser

    from lowpower.cli._given_paths import there

    there(folder, "name the folder that `lowpower score` wrote.")
    if slides is not None:
        there(slides, "name the folder that holds the slides.")

    if laboratory is not None:
        there(laboratory, "name the file that `lowpower calibrate` wrote.")

    from lowpower.serve import Shelf, ViewServer

    shelf = Shelf.beside(folder, slides)
    served = ViewServer(shelf, port=port, blind=blind, model=model, laboratory=laboratory)
    with contextlib.closing(served) as server:
        typer.echo(server.address)
        if shelf.slides is not None:
            typer.echo(f"Slides: {shelf.slides}. Results: {shelf.folder}.", err=True)
        if not no_browser:
            webbrowser.open(server.address)
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
