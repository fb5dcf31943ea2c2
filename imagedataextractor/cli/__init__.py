"""The `ide` command: one module a subcommand, loaded only when it is called.

In: words and options. Out: calls of the public face (`api`), and what they return, printed.
A module ``imagedataextractor.cli.NAME`` holds a `click.Command` called ``command``. Importing
PyTorch or SciPy takes seconds, so `ide --help` must not.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from imagedataextractor.cli._lazy import LazyGroup
from imagedataextractor.errors import IdeError, UsageError

__all__ = ["COMMANDS", "main"]

#: Subcommand → its line in `ide --help` (kept here, so that help loads no command).
COMMANDS: dict[str, str] = {
    "extract": "Images, figures or articles, all the way into the database.",
    "search": "Find article DOIs and write them to a file for `ide mine`.",
    "mine": "A bulk run over many articles: resumable, parallel.",
    "status": "What a run has done, what failed, and why.",
    "read": "Read articles: figures, captions, sub-captions.",
    "split": "Split figures into panels.",
    "scalebar": "Read scale bars.",
    "segment": "Segment particles into label maps.",
    "measure": "Measure the particles of a label map.",
    "compare": "Compare the sizes of two samples.",
    "screen": "One printable page on a sample by the European definition of a nanomaterial.",
    "correct": "Correct what was found; all numbers obey, in every later run too.",
    "review": "Look at panels in a browser and correct them, by keyboard or mouse.",
    "summary": "Statistics of sizes by sample: n, mean, sd, median, D10, D50, D90.",
    "plot": "Size distributions as a paper prints them.",
    "query": "Ask the database, read-only.",
    "export": "Write the database's rows as CSV, Parquet, COCO, or for ImageJ.",
    "report": "A self-contained HTML report.",
    "serve": "Datasette on the database, with the overlays.",
    "train": "Train the networks and models of a stage on labelled images.",
    "evaluate": "Score predicted label maps, or a model, against the truth.",
    "model": "List, fetch or import segmentation models.",
    "doctor": "What is installed, what is missing, and what to do about it.",
}


@click.group(cls=LazyGroup, package=__name__, lines=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="imagedataextractor", prog_name="ide")
def ide() -> None:
    """From scientific literature to a database of measured particles."""


def main() -> None:
    """Entry point: errors of the input become one line and exit code 1, of the request 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name may hold what the terminal has no letter for.
            stream.reconfigure(errors="backslashreplace")
    try:
        # Without the standalone mode, click returns the code of an Exit instead of raising it.
        sys.exit(ide.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else 1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("ide: stopped", err=True)
        sys.exit(130)
    except UsageError as error:
        click.echo(f"ide: {error}", err=True)
        sys.exit(2)
    except IdeError as error:
        click.echo(f"ide: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of stdout left, as `| head` does
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a disk or a folder that no stage looks after
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"ide: {where}{error.strerror or error}", err=True)
        sys.exit(1)
