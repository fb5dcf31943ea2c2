"""What may be said of an extraction, by the same names in Python and on the command line.

`Options` is the one list: `extract`, `Extractor` and `mine` take these keywords, and the command line has an
option for each. `choose` lays them over the user's settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from numbers import Number
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from imagedataextractor.errors import UsageError
from imagedataextractor.records import Mode, OcrName
from imagedataextractor.settings import Settings, apply, load_settings

__all__ = ["Manual", "Options", "choose", "stated_length", "takes_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Manual:
    """What the user knows better: a scale given by hand always wins, and holds for every panel.

    ``bar`` is (value, unit) of the scale bar's text; its length is still found in the picture, unless ``bar_px``
    says that, too. ``field_width_nm`` is what each micrograph shows from side to side.
    """

    nm_per_px: float | None = None
    bar: tuple[float, str] | None = None
    bar_px: float | None = None
    field_width_nm: float | None = None
    #: Take every picture for an electron micrograph of particles, whatever the classifier says.
    assume_em: bool = False
    #: What a picture by itself is: "figure" or "whole", a single micrograph; None to look (`figures.own`).
    extent: Literal["figure", "whole"] | None = None
    #: Page of each picture file, from 1; None for the one that is the picture.
    page: int | None = None

    @property
    def gives_scale(self) -> bool:
        """Whether it says the scale itself, so that no bar needs to be found."""
        return self.nm_per_px is not None or self.bar_px is not None or self.field_width_nm is not None


class Options(TypedDict, total=False):
    """Keywords of every extraction; what is not given is taken from the user's settings.

    mode : {"filtered", "bayesian", "discriminative"}
        T Monte Carlo samples and the filter; T samples; one pass without dropout.
    samples : int
        T, the number of Monte Carlo samples.
    threshold : float
        t_u, the epistemic uncertainty above which a particle is rejected, nats.
    seed : int
        Of the dropout.
    model : str
        A name of ``ide model list``, or a weights file.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    ocr : {"rapidocr", "tesseract", "none"}
        The engine that reads text in pictures.
    min_confidence : float
        Confidence below which a scale bar gives no scale, 0 … 1.
    licences : sequence of str
        Only articles and figures under these ("CC BY").
    nm_per_px : float
        The scale of every panel, by hand.
    scalebar : str
        The length of every scale bar, by hand ("200 nm"); its pixels are measured in the picture.
    bar_px : float
        With `scalebar`, how long the bar is in pixels: none is sought.
    field_width : str
        What each micrograph shows from side to side, by hand ("1.8 um").
    scales : path
        A CSV file with the scales of pictures: file, panel, and one of nm_per_px, bar (with bar_px) and field_width.
    assume_em : bool
        Take every panel for a micrograph of particles.
    extent : {"whole", "figure"}
        What each picture by itself is: one micrograph, or a figure of several panels (--whole, --figure). It is
        looked at where this is not given.
    page : int
        The page of a TIFF with several, from 1.
    settings : Settings
        In place of the user's configuration file and the environment.
    """

    mode: Mode
    samples: int | None
    threshold: float | None
    seed: int
    model: str
    device: str
    ocr: OcrName
    min_confidence: float | None
    licences: Sequence[str]
    nm_per_px: float | None
    scalebar: str | None
    bar_px: float | None
    field_width: str | None
    scales: str | Path | None
    assume_em: bool
    extent: Literal["figure", "whole"] | None
    page: int | None
    settings: Settings


#: Option → where it stands in the settings; the others are the user's knowledge of the picture (`Manual`).
_SETTINGS: Mapping[str, tuple[str, str]] = {
    "mode": ("segmentation", "mode"),
    "samples": ("segmentation", "samples"),
    "threshold": ("segmentation", "threshold"),
    "seed": ("segmentation", "seed"),
    "model": ("segmentation", "model"),
    "device": ("segmentation", "device"),
    "ocr": ("scalebar", "ocr"),
    "min_confidence": ("scalebar", "threshold"),
    "licences": ("articles", "licences"),
}


def takes_options(function: F) -> F:
    """Let `help` and completion show the options of a function whose last parameter is ``**options``."""
    shown = signature(function)
    own = [p for p in shown.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    given = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hint.__forward_arg__)
        for name, hint in Options.__annotations__.items()
    ]
    vars(function)["__signature__"] = shown.replace(parameters=[*own, *given])
    return function


def choose(options: Options) -> tuple[Settings, Manual]:
    """The settings with the options over them, and what the user knows of the pictures.

    Options that are None, or empty, are not given.

    Raises
    ------
    TypeError
        There is no such option.
    UsageError
        A value makes no sense, or two options contradict each other.
    """
    for name in options:
        if name not in Options.__annotations__:
            near = get_close_matches(name, Options.__annotations__, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"there is no option {name!r}{meant} There are: {', '.join(Options.__annotations__)}")
    settings = options.get("settings") or load_settings()
    values: Mapping[str, Any] = options
    for name, (table, field) in _SETTINGS.items():
        value = values.get(name)
        if value is None or (name == "licences" and not value):
            continue
        plain = [value] if name == "licences" and isinstance(value, str) else _plain(value)
        settings = apply(settings, {table: {field: plain}}, where=name)
    return settings, _manual(options)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    return value.item() if isinstance(value, Number) and hasattr(value, "item") else value


def _manual(options: Options) -> Manual:
    nm_per_px, bar_px = options.get("nm_per_px"), options.get("bar_px")
    scalebar, field_width = options.get("scalebar"), options.get("field_width")
    given = {"nm_per_px": nm_per_px, "scalebar": scalebar, "field_width": field_width}
    names = [f"{name} (--{name.replace('_', '-')})" for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} give the scale; use one of them")
    if bar_px is not None and scalebar is None:
        raise UsageError("bar_px (--bar-px) is a bar's length in pixels; say what it stands for with scalebar, too")
    for name, value in (("nm_per_px", nm_per_px), ("bar_px", bar_px)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be a number greater than 0, not {value!r}")
    extent, page = options.get("extent"), options.get("page")
    if extent not in (None, "figure", "whole"):
        raise UsageError(f"extent must be 'figure' or 'whole', not {extent!r}")
    if page is not None and page < 1:
        raise UsageError(f"page must be a whole number from 1 on, not {page!r}")
    return Manual(
        nm_per_px=None if nm_per_px is None else float(nm_per_px),
        bar=None if scalebar is None else stated_length(scalebar),
        bar_px=None if bar_px is None else float(bar_px),
        field_width_nm=None if field_width is None else _nanometres(stated_length(field_width, "field_width")),
        assume_em=bool(options.get("assume_em")),
        extent=extent,
        page=page,
    )


def _nanometres(length: tuple[float, str]) -> float:
    from imagedataextractor.quantities import NM_PER_UNIT

    return length[0] * NM_PER_UNIT[length[1]]


def stated_length(text: str, option: str = "scalebar") -> tuple[float, str]:
    """'200 nm' → (200.0, "nm").

    Raises
    ------
    UsageError
        Not a positive number and a unit of length.
    """
    from imagedataextractor.quantities import parse_length

    length = parse_length(text)
    if length is None:
        raise UsageError(f"{option} {text!r} is no length; write it as '200 nm' (pm, nm, um, µm, mm, Å)")
    return length
