"""The values that pass between stages.

Frozen dataclasses, units in the field names: ``_px`` pixels of the image at hand, ``_nm``
nanometres, ``_deg`` degrees. ``None`` where a value is unknown, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.table import Particle, ParticleTable

if TYPE_CHECKING:
    from imagedataextractor.images.microscopes import Acquisition

__all__ = [
    "MODES",
    "OCR_ENGINES",
    "Article",
    "ArticleResult",
    "Box",
    "CaptionFacts",
    "Conflict",
    "Failure",
    "Figure",
    "FigureResult",
    "InfoBar",
    "MaterialStatement",
    "Mode",
    "OcrName",
    "Panel",
    "PanelKind",
    "PanelResult",
    "Particle",
    "ParticleTable",
    "Reason",
    "Run",
    "ScaleBar",
    "ScaleStatement",
    "Segmentation",
    "SizeStatement",
]

#: How particles are found: one pass without dropout; T passes with it; those, and the filter over what they find.
Mode = Literal["discriminative", "bayesian", "filtered"]
MODES: tuple[Mode, ...] = get_args(Mode)

#: What reads text in pictures; "none" leaves it unread.
OcrName = Literal["rapidocr", "tesseract", "none"]
OCR_ENGINES: tuple[OcrName, ...] = get_args(OcrName)

PanelKind = Literal["em", "diffraction", "eds", "plot", "schematic", "photo", "other"]


class Reason(StrEnum):
    """Why a particle does not count; the database holds the value."""

    ANNOTATION = "annotation"
    """It lies over an inset, a data bar or printing, or ends there."""
    UNCERTAIN = "uncertain"
    """The uncertainty filter rejects it."""
    BORDER = "border"
    """An unknown part of it lies outside the picture."""
    SUPPORT = "support"
    """It carries the particles that are to be measured."""
    CORRECTED = "corrected"
    """A person rejected it."""
    REPLACED = "replaced"
    """A person drew, merged or split what is in its place."""


class Conflict(StrEnum):
    """What contradicts a scale; the database holds the value."""

    BARS = "bars"
    """Other scale bars of the same picture."""
    CAPTION = "caption"
    """The length that the caption states."""
    SIBLINGS = "siblings"
    """The other panels of the figure."""
    FIELD = "field"
    """What electron microscopes can show, or the magnification that the picture prints."""
    PARTICLES = "particles"
    """The sizes that the particles would have."""
    FILE = "file"
    """The pixel size that the picture's file states."""


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, half-open: columns x0 … x1-1, rows y0 … y1-1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        return max(self.width, 0) * max(self.height, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing an image array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def shifted(self, dx: int, dy: int) -> Box:
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def scaled(self, factor: float) -> Box:
        """The same rectangle in a picture of `factor` times the size, to the nearest pixel."""
        return Box(*(round(edge * factor) for edge in (self.x0, self.y0, self.x1, self.y1)))

    def intersection(self, other: Box) -> Box:
        """The common rectangle; empty (area 0) where the two do not meet."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        return Box(x0, y0, max(x0, min(self.x1, other.x1)), max(y0, min(self.y1, other.y1)))

    def without_info_bar(self, bar: Box | None) -> Box:
        """What is measured of this panel: its part beside the instrument's data bar, in panel coordinates."""
        if bar is None:
            return Box(0, 0, self.width, self.height)
        above, below = bar.y0, self.height - bar.y1
        if max(above, below) < self.height // 2:  # no data bar covers half a micrograph
            return Box(0, 0, self.width, self.height)
        return Box(0, 0, self.width, above) if above >= below else Box(0, bar.y1, self.width, self.height)

    def iou(self, other: Box) -> float:
        common = self.intersection(other).area
        union = self.area + other.area - common
        return common / union if union else 0.0


# ---------------------------------------------------------------- articles


@dataclass(frozen=True)
class ScaleStatement:
    """A scale-bar length that a caption states in words.

    ``panels`` are the letters it speaks of (lower case); empty means the whole figure.
    ``start`` and ``end`` are character offsets into the caption.
    """

    length_nm: float
    panels: tuple[str, ...]
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class SizeStatement:
    """A particle size that is stated in words, in nm, with its spread where given.

    ``start`` and ``end`` are character offsets into the caption, or, where ``source`` is "text", into ``sentence``, the
    sentence of the article's body that states it; ``sample`` is the sample that it names.
    """

    mean_nm: float
    spread_nm: float | None
    panels: tuple[str, ...]
    text: str
    start: int
    end: int
    source: str = "caption"
    sentence: str = ""
    sample: str | None = None


@dataclass(frozen=True)
class MaterialStatement:
    """What the words of an article say that something is made of.

    ``name`` is normalised: a formula ("ZnO"), a name ("polystyrene"), "Au@SiO2" for a core in a shell,
    "Au/TiO2" for a composite, "Au-Ag" for an alloy, "Fe:ZnO" for a doped host. ``text`` is what is written, and
    ``start`` and ``end`` are character offsets into the caption ("sub-caption", "caption"), the title or the abstract,
    as ``source`` says. ``confidence`` is the share of such statements that are right.
    """

    name: str
    text: str
    source: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class CaptionFacts:
    """What a caption says, read from its words alone.

    Attributes
    ----------
    is_em : bool
        The caption speaks of an electron micrograph.
    techniques : tuple of str
        The techniques named anywhere in it: "SEM", "TEM", "HRTEM", "STEM", "HAADF", "EDS", "SAED", …
    subcaptions : mapping
        Panel letter, as the caption writes it without brackets ("a", "B", "ii") → its text.
    panel_techniques : mapping
        Panel letter → techniques that its own sub-caption (or the shared preamble) names.
    scale_statements, size_statements : tuple
        Lengths stated in words, with the span of text they came from.
    materials : mapping
        Panel letter → what it is made of; under "" what the figure is of.
    """

    is_em: bool = False
    techniques: tuple[str, ...] = ()
    subcaptions: Mapping[str, str] = field(default_factory=dict)
    panel_techniques: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scale_statements: tuple[ScaleStatement, ...] = ()
    size_statements: tuple[SizeStatement, ...] = ()
    materials: Mapping[str, MaterialStatement] = field(default_factory=dict)

    def material_of(self, label: str | None) -> MaterialStatement | None:
        """What the panel of a letter is made of: by its own letter, else as the whole figure."""
        by_letter = {letter.lower(): found for letter, found in self.materials.items()}
        return by_letter.get((label or "").lower()) or by_letter.get("")

    def size_of(self, label: str | None) -> SizeStatement | None:
        """The size stated of the panel of a letter, that of the caption first; else that of the whole figure."""
        said: dict[str, SizeStatement] = {}
        for statement in self.size_statements:
            for letter in statement.panels or ("",):
                said.setdefault(letter.lower(), statement)
        return said.get((label or "").lower()) or said.get("")


@dataclass(frozen=True)
class Figure:
    """One numbered figure of an article.

    ``graphics`` are its picture files: absolute paths where the file is at hand, otherwise the
    reference or URL the document gives. ``missing`` names those that were looked for and not found.
    """

    label: str
    caption: str
    graphics: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    licence: str | None = None
    facts: CaptionFacts = field(default_factory=CaptionFacts)
    id: str | None = None

    def picture_label(self, position: int) -> str:
        """What its picture file number `position`, from 0, is called: unique within the article."""
        return self.label if position == 0 else f"{self.label} [{position + 1}]"


@dataclass(frozen=True)
class Article:
    """A publication, as read. ``doi`` is lower case; ``key`` identifies it where there is no DOI."""

    key: str
    doi: str | None = None
    title: str = ""
    authors: tuple[str, ...] = ()
    journal: str = ""
    year: int | None = None
    licence: str | None = None
    figures: tuple[Figure, ...] = ()
    links: tuple[str, ...] = ()
    source: str = ""
    path: Path | None = None
    abstract: str = ""


# ---------------------------------------------------------------- figures


@dataclass(frozen=True)
class InfoBar:
    """An instrument's data bar inside a panel (panel coordinates), with what it prints."""

    box: Box
    text: str = ""
    voltage_kv: float | None = None
    magnification: float | None = None
    detector: str | None = None


@dataclass(frozen=True)
class Panel:
    """One image inside a figure.

    Attributes
    ----------
    index : int
        Position in reading order within its figure, from 0.
    box : Box
        Where it lies, in pixels of the figure.
    label : str or None
        Its letter, without brackets, as printed.
    kind, kind_score
        What it shows, and the calibrated probability of that (0 … 1).
    technique : str or None
        "SEM", "TEM", "STEM", "HRTEM" … where it can be told.
    measurable : bool
        An EM panel that shows particles rather than fibres, films, lattice fringes or fractures.
    parent : int or None
        Index of the panel that this one is an inset of.
    insets : tuple of Box
        Insets lying inside this panel, in *panel* coordinates; not to be segmented.
    label_box : Box or None
        Where its letter is printed, in *panel* coordinates, where that is inside the panel.
    info_bar : InfoBar or None
        The instrument's data bar, in *panel* coordinates.
    """

    index: int
    box: Box
    label: str | None = None
    kind: PanelKind = "other"
    kind_score: float = 0.0
    technique: str | None = None
    measurable: bool = True
    subcaption: str = ""
    parent: int | None = None
    insets: tuple[Box, ...] = ()
    label_box: Box | None = None
    info_bar: InfoBar | None = None


# ---------------------------------------------------------------- scale bar


class Witness(StrEnum):
    """What agrees with a scale, independently of the bar and its text; the database holds the values."""

    MAGNIFICATION = "magnification"
    """The magnification that the picture prints."""
    FIELD_WIDTH = "field width"
    """The width of the field that the picture prints."""
    CAPTION = "caption"
    """The length that the caption states."""
    SIBLING = "sibling"
    """A bar of the same text and length in another panel of the figure."""
    SIBLING_MAGNIFICATION = "sibling magnification"
    """Another panel's scale, by the printed magnifications of both."""
    FILE = "file"
    """The pixel size that the picture's file states."""
    BAR = "bar"
    """A bar, of a scale that something else gives."""
    USER = "user"
    """A person who read the bar's text."""


@dataclass(frozen=True)
class ScaleBar:
    """The scale of one panel. Where no scale can be trusted ``nm_per_px`` is None and ``reason`` says why;
    beside a scale it names a doubt.

    ``x0``, ``x1`` are the bar's outer ends and ``y`` its middle line, in pixels of the panel
    (sub-pixel; an edge between pixel 4 and 5 is 5.0). ``source`` is "bar" (bar and printed text),
    "caption" (bar measured, length from the caption), "figure" (a sibling panel's scale, where the
    caption says it holds), "file" (the TIFF's own tags) or "user". Of an upright bar ``x0`` and ``x1`` are
    the edges of its line, and ``bar_box`` shows it whole. ``magnification`` is the one that the panel
    prints, where it does. ``conflict`` says what contradicts the scale, where ``reason`` tells of a contradiction;
    ``witnesses`` what agrees with it.
    """

    value: float | None = None
    unit: str | None = None
    length_px: float | None = None
    x0: float | None = None
    x1: float | None = None
    y: float | None = None
    nm_per_px: float | None = None
    confidence: float = 0.0
    text: str | None = None
    source: str | None = None
    reason: str | None = None
    text_box: Box | None = None
    bar_box: Box | None = None
    magnification: float | None = None
    conflict: Conflict | None = None
    witnesses: tuple[Witness, ...] = ()


# ---------------------------------------------------------------- segmentation


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The particles of one image.

    Attributes
    ----------
    label_map : int32 array, shape (H, W)
        0 background, 1 … N one value a particle, at the image's own resolution.
    uncertainty : float array, shape (N,)
        Epistemic uncertainty of particle i + 1: mean mutual information over its pixels, nats.
    score : float array, shape (N,), or None
        Calibrated probability that particle i + 1 is real (IoU ≥ 0.5 with a true one); None where the
        model has no calibration.
    filtered : bool array, shape (N,)
        True where the uncertainty filter rejects the particle.
    support : bool array, shape (N,), or None
        True where the particle carries others, which are the ones to be measured. Its pixels are those
        that they leave it.
    seed_value : float array, shape (N,), or None
        What the seed map says of the particle, 0 … 1: no probability.
    uncertainty_map : float32 array, shape (H, W), or None
        Mutual information per pixel, nats (0 … ln 2).
    model, weights_sha256, mode, samples, threshold, seed
        What made it: enough to repeat it.
    """

    label_map: npt.NDArray[np.int32]
    uncertainty: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64] | None
    filtered: npt.NDArray[np.bool_]
    uncertainty_map: npt.NDArray[np.float32] | None = None
    model: str = ""
    weights_sha256: str = ""
    mode: Mode = "filtered"
    samples: int = 1
    threshold: float | None = None
    seed: int = 0
    support: npt.NDArray[np.bool_] | None = None
    seed_value: npt.NDArray[np.float64] | None = None

    @property
    def rejected(self) -> npt.NDArray[np.bool_]:
        """Which particles do not count, (N,): the filtered ones, and supports."""
        return self.filtered if self.support is None else self.filtered | self.support


# ---------------------------------------------------------------- what the pipeline returns


@dataclass(frozen=True)
class Failure:
    """Something that could not be done.

    ``target`` says where, for people: a file, "DOI / Figure 2 / panel 3", … Where it befell a figure or a
    panel, ``figure`` is the picture's label (see `Figure.picture_label`) and ``panel`` the panel's letter or number.
    """

    stage: str
    target: str
    error_class: str
    message: str
    figure: str | None = None
    panel: str | None = None


@dataclass(frozen=True)
class PanelResult:
    """Everything learnt of one panel. ``segmentation`` is None where the panel is not measured."""

    panel: Panel
    scalebar: ScaleBar | None = None
    segmentation: Segmentation | None = None
    particles: ParticleTable = field(default_factory=lambda: ParticleTable({}))
    statistics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FigureResult:
    """Everything learnt of one picture file of a figure.

    ``label`` is unique within its article ("Figure 3", or "Figure 3 [2]" for its second graphic). ``page`` is which of
    the file's ``pages`` it is, from 1; ``channel`` which of a pixel's many samples, in words, or "". ``acquisition`` is
    what the file itself says of how it was taken.
    """

    figure: Figure
    label: str
    image_path: str
    image_sha256: str
    width_px: int
    height_px: int
    panels: tuple[PanelResult, ...] = ()
    page: int = 1
    pages: int = 1
    channel: str = ""
    acquisition: Acquisition | None = None


@dataclass(frozen=True)
class ArticleResult:
    """One article through every stage: what the store writes in one transaction."""

    article: Article
    figures: tuple[FigureResult, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Run:
    """One invocation: every row can be traced to one.

    ``started_at`` is ISO 8601, UTC. ``weights_sha256`` are the segmentation's; ``models`` holds those of the other
    stages, by name.
    """

    id: str
    started_at: str
    command: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    weights_sha256: str
    seed: int
    models: Mapping[str, str] = field(default_factory=dict)
