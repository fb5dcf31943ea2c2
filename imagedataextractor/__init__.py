"""ImageDataExtractor: from scientific literature to a database of measured particles.

It finds the micrographs in articles and figures, reads their scale, and outlines and measures every particle.
In: a picture, a figure, an article, a DOI, a folder, a search. Out: a `Result`, with one row a particle (sizes with
their uncertainty, and where they come from), or the same rows in an SQL database.

::

    import imagedataextractor as ide

    result = ide.extract("figure.png", nm_per_px=0.5)
    result.to_pandas()

What is offered here is loaded when it is first used; see `imagedataextractor.api`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagedataextractor.api import compare as compare
    from imagedataextractor.api import correct as correct
    from imagedataextractor.api import doctor as doctor
    from imagedataextractor.api import evaluate as evaluate
    from imagedataextractor.api import extract as extract
    from imagedataextractor.api import fetch_model as fetch_model
    from imagedataextractor.api import import_labels as import_labels
    from imagedataextractor.api import import_model as import_model
    from imagedataextractor.api import list_models as list_models
    from imagedataextractor.api import measure as measure
    from imagedataextractor.api import mine as mine
    from imagedataextractor.api import open_database as open_database
    from imagedataextractor.api import plot as plot
    from imagedataextractor.api import preview_mine as preview_mine
    from imagedataextractor.api import read_article as read_article
    from imagedataextractor.api import read_scale_bar as read_scale_bar
    from imagedataextractor.api import release_model as release_model
    from imagedataextractor.api import screen as screen
    from imagedataextractor.api import search as search
    from imagedataextractor.api import segment as segment
    from imagedataextractor.api import split_figure as split_figure
    from imagedataextractor.api import summary as summary
    from imagedataextractor.api import train_figures as train_figures
    from imagedataextractor.api import train_scalebar as train_scalebar
    from imagedataextractor.api import train_segmentation as train_segmentation
    from imagedataextractor.api import undo_correction as undo_correction
    from imagedataextractor.database import Database as Database
    from imagedataextractor.errors import IdeError as IdeError
    from imagedataextractor.extractor import Extractor as Extractor
    from imagedataextractor.results import Result as Result

    __version__: str

#: Public name → the module that holds it.
_PUBLIC = {
    "Database": "database",
    "Extractor": "extractor",
    "IdeError": "errors",
    "Result": "results",
    "correct": "api",
    "extract": "api",
    "measure": "api",
    "mine": "api",
    "open_database": "api",
    "plot": "api",
    "read_article": "api",
    "read_scale_bar": "api",
    "search": "api",
    "segment": "api",
    "split_figure": "api",
    "summary": "api",
    "release_model": "api",
    "train_figures": "api",
    "train_scalebar": "api",
    "train_segmentation": "api",
    "compare": "api",
    "doctor": "api",
    "evaluate": "api",
    "fetch_model": "api",
    "import_labels": "api",
    "import_model": "api",
    "list_models": "api",
    "preview_mine": "api",
    "screen": "api",
    "undo_correction": "api",
}

__all__ = [
    "Database",
    "Extractor",
    "IdeError",
    "Result",
    "__version__",
    "compare",
    "correct",
    "doctor",
    "evaluate",
    "extract",
    "fetch_model",
    "import_labels",
    "import_model",
    "list_models",
    "measure",
    "mine",
    "open_database",
    "plot",
    "preview_mine",
    "read_article",
    "read_scale_bar",
    "release_model",
    "screen",
    "search",
    "segment",
    "split_figure",
    "summary",
    "train_figures",
    "train_scalebar",
    "train_segmentation",
    "undo_correction",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _PUBLIC:
        value = getattr(importlib.import_module(f"imagedataextractor.{_PUBLIC[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("imagedataextractor")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
