"""`ide train`: one module a stage that learns.

In: labelled images. Out: weights and models, in files. The module ``imagedataextractor.cli.train.NAME`` holds one.
"""

from __future__ import annotations

import click

from imagedataextractor.cli._lazy import LazyGroup

__all__ = ["LINES", "command"]

#: Subcommand → its line in `ide train --help`.
LINES = {
    "import": "Labels of VIA, COCO, labelme, ImageJ or Cellpose into a folder in the EMPS layout.",
    "segmentation": "A segmentation network, from a folder in the EMPS layout.",
    "figures": "The networks that split figures, read their letters and tell what panels show.",
    "scalebar": "The models that judge scale bars, from hand-read ones.",
}


@click.group(cls=LazyGroup, package=__name__, lines=LINES)
def command() -> None:
    """Train the networks and models of a stage.

    How what comes with the program was trained, its model cards say.
    """
