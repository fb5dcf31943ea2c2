"""Which letter, sub-caption and technique belong to which panel."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from imagedataextractor.records import Box, CaptionFacts, PanelKind

__all__ = [
    "ROMAN",
    "alphabet_of",
    "assign_letters",
    "complete_letters",
    "is_measurable",
    "kind_prior",
    "missing_letters",
    "reading_order",
    "subcaption_of",
    "technique_of",
]

#: Small Roman numerals, as far as figures go.
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv", "xvi")

#: Techniques that make electron micrographs, the most telling first.
EM_TECHNIQUES = ("HRTEM", "HAADF", "STEM", "TEM", "SEM", "cryo-EM")
#: Words for what a micrograph shows when it shows no particles to be measured.
NOT_PARTICLES = re.compile(
    r"\blattice|\bfring|\bfractur|\bcross[- ]section|"
    r"\b(?:nano|micro)?fib(?:re|er|ril)|\b(?:thin[- ])?films?\b|\bmembrane|\bFFT\b|\bwrinkl|\batomic|\batom\b|"
    r"\bdislocation|\bgrain boundar|\bcoatings?\b|\bfoams?\b|\bscaffold|\bgraphene oxide\b|\b\w{0,2}GO\b|"
    r"\bnano(?:sheet|wire|tube|belt|ribbon)s?\b|\bCNTs?\b",
    re.IGNORECASE,
)
#: Words for pictures in which even particles that are named are not what is seen.
NEVER_PARTICLES = re.compile(
    r"\bsimulat|\bfiltered\b|\binverse (?:fast )?F(?:FT|ourier)|\bzone axis|\bdislocation|\bspectr(?:um|a)\b|"
    r"\bSAED\b|\batomic(?:ally)?[- ](?:columns?|arrangement|resol\w+)|\bABF\b|\bannular bright[- ]field",
    re.IGNORECASE,
)
PARTICLES = re.compile(
    r"particle|\bNPs?\b|\bsphere|nano(?:cube|rod|crystal|sphere|plate|bead)|\bcrystals?\b|\bgrains?\b|\bpowder|"
    r"\bcolloid|\bquantum dot|\bbeads?\b|\bcubes?\b|\bmicro(?:sphere|bead|crystal)",
    re.IGNORECASE,
)


#: Places where a figure's letters stand: corners of their panels, or the middle of the upper or lower edge, as indices
#: into (x0, y0, x1, y1).
PLACES: tuple[tuple[int | None, int], ...] = ((0, 1), (2, 1), (0, 3), (2, 3), (None, 1), (None, 3))
#: Distance from that place, in sides of the panel (roots of its area), from which a letter is not the panel's.
FARTHEST = 1.0
#: How much more a distance towards the middle of the panel counts: panels are cut tighter than their authors laid
#: them out, so letters stand outwards of the corner rather than inwards.
INWARDS = 2.0

#: What it costs that a letter stands at another place than the figure's other letters.
ELSEWHERE = 0.4


def assign_letters(letters: Sequence[Box], panels: Sequence[Box]) -> list[int | None]:
    """Which letter is whose, so that all together stand near the same place of their panels.

    Parameters
    ----------
    letters, panels : sequence of Box

    Returns
    -------
    list of int or None
        For every panel an index into `letters`.
    """
    owners: list[int | None] = [None] * len(panels)
    if not letters or not panels:
        return owners
    a = np.array([[b.x0, b.y0, b.x1, b.y1] for b in letters], np.float64)[:, None]
    b = np.array([[b.x0, b.y0, b.x1, b.y1] for b in panels], np.float64)[None]
    off = np.stack([_off_place(a, b, *place) for place in PLACES])
    nearness = np.maximum(FARTHEST - np.minimum(off, off.min(axis=0) + ELSEWHERE), 0.0)
    pairs = [linear_sum_assignment(near, maximize=True) for near in nearness]
    best = int(np.argmax([near[pair].sum() for near, pair in zip(nearness, pairs, strict=True)]))
    for i, k in zip(*pairs[best], strict=True):
        if nearness[best, i, k] > 0:
            owners[int(k)] = int(i)
    return owners


def _off_place(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], x: int | None, y: int
) -> npt.NDArray[np.float64]:
    """How far every letter (rows) is off its place at every panel (columns), in sides of the panel."""
    if x is None:
        outwards = -np.abs((a[..., 0] + a[..., 2] - b[..., 0] - b[..., 2]) / 2)
    else:
        outwards = (b[..., x] - a[..., x]) * (1 if x == 0 else -1)
    off = np.stack([outwards, (b[..., y] - a[..., y]) * (1 if y == 1 else -1)])
    side = np.sqrt((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]))
    return np.asarray(np.where(off > 0, off, -INWARDS * off).sum(axis=0) / np.maximum(side, 1.0), np.float64)


def complete_letters(
    read: Sequence[str | None], boxes: Sequence[Box], expected: Sequence[str] = ()
) -> list[str | None]:
    """Fill in the letters that could not be read, where the sequence leaves no choice.

    Parameters
    ----------
    read : sequence of str or None
        Letter of each panel, as far as it was read.
    boxes : sequence of Box
        Their boxes, in the same order.
    expected : sequence of str
        Letters the caption speaks of, empty if unknown.

    Returns
    -------
    list of str or None
        Same order as `read`.
    """
    known = [t for t in read if t]
    if not known:
        return _from_caption(read, boxes, expected)
    upper = sum(t.isupper() for t in known) > len(known) / 2
    alphabet = [name.upper() if upper else name for name in alphabet_of(known)]
    wanted = {e.lower() for e in expected}
    lower = [name.lower() for name in alphabet]
    places = [lower.index(t.lower()) if t and t.lower() in lower else -1 for t in read]
    best: list[str | None] = list(read)
    for order in (reading_order(boxes), _by_columns(boxes)):
        if _rising([places[i] for i in order if places[i] >= 0]):
            filled = _fill(order, places, max((lower.index(w) + 1 for w in wanted & set(lower)), default=None))
            for i, place in filled.items():
                if place >= len(alphabet):
                    continue
                letter = alphabet[place]
                if not wanted or letter.lower() in wanted:
                    best[i] = letter
            break
    return best


def alphabet_of(names: Sequence[str]) -> tuple[str, ...]:
    """The sequence that panel names come from, in small letters: numerals, numbered letters, or letters.

    Of numbered letters (a1, a2, b1) only the names given, in order: how many there are of each is not known.
    """
    small = {n.lower() for n in names}
    if small <= set(ROMAN) and any(len(n) > 1 for n in small):
        return ROMAN
    if any(len(n) > 1 for n in small):
        return tuple(sorted(small))
    return tuple(string.ascii_lowercase)


def missing_letters(read: Sequence[str], expected: Sequence[str] = ()) -> int:
    """How many names of a sequence were not read, as far as those that were, or the caption, tell.

    Examples
    --------
    >>> missing_letters(["b", "c", "e"])
    2
    >>> missing_letters(["a", "b"], ["a", "b", "c"])
    1
    >>> missing_letters(["a1", "a3", "b1"])
    1
    """
    seen = {name.lower() for name in read}
    numbers: dict[str, list[int]] = {}
    for name in seen:
        if len(name) > 1 and name[1:].isdecimal():
            numbers.setdefault(name[0], []).append(int(name[1:]))
    passed_over = sum(max(counted) - len(counted) for counted in numbers.values())
    alphabet = alphabet_of(read)
    last = max((alphabet.index(name) for name in seen if name in alphabet), default=-1)
    told = len({e.lower() for e in expected} - seen) if seen else 0
    return max(last + 1 - len(seen), told, passed_over, 0)


def _from_caption(read: Sequence[str | None], boxes: Sequence[Box], expected: Sequence[str]) -> list[str | None]:
    """No letter was read: the caption's letters in reading order, if there are as many as panels."""
    found: list[str | None] = list(read)
    if len(expected) == len(boxes) and len(boxes) > 1:
        for i, letter in zip(reading_order(boxes), expected, strict=True):
            found[i] = letter
    return found


def _rising(places: Sequence[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(places))


def _fill(order: Sequence[int], places: Sequence[int], end: int | None) -> dict[int, int]:
    """Panels without a letter → alphabet index, where a gap holds as many panels as letters.

    Where the alphabet ends (`end`), only the caption says: without it, what comes after the last letter is
    believed of one panel if all others have a letter.
    """
    filled: dict[int, int] = {}
    before, waiting = -1, []
    for i in order:
        if places[i] < 0:
            waiting.append(i)
            continue
        if waiting and places[i] - before - 1 == len(waiting):
            filled.update({w: before + 1 + k for k, w in enumerate(waiting)})
        before, waiting = places[i], []
    alone = len(waiting) == 1 and len(filled) + 1 == sum(p < 0 for p in places)
    if before >= 0 and (alone if end is None else len(waiting) == end - before - 1):
        filled.update({w: before + 1 + k for k, w in enumerate(waiting)})
    return filled


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Indices in reading order: rows from the top, each from the left."""
    left = sorted(range(len(boxes)), key=lambda i: (boxes[i].y0, boxes[i].x0))
    ordered: list[int] = []
    while left:
        top = boxes[left[0]]
        row = [i for i in left if boxes[i].y0 < top.y0 + 0.5 * min(top.height, boxes[i].height)]
        ordered += sorted(row, key=lambda i: boxes[i].x0)
        left = [i for i in left if i not in row]
    return ordered


def _by_columns(boxes: Sequence[Box]) -> list[int]:
    mirrored = [Box(b.y0, b.x0, b.y1, b.x1) for b in boxes]
    return reading_order(mirrored)


def subcaption_of(label: str | None, facts: CaptionFacts | None) -> str:
    """The caption's words on one panel; empty where it has none for it."""
    if facts is None or label is None:
        return ""
    return facts.subcaptions.get(_key(label, facts.subcaptions) or "", "")


def _key(label: str, keys: object) -> str | None:
    """The key that means the label: as printed, in the other case, or its letter alone ("a1" → "a")."""
    known = {str(k).lower(): str(k) for k in keys} if hasattr(keys, "__iter__") else {}
    for form in (label.lower(), label.lower().rstrip(string.digits)):
        if form in known:
            return known[form]
    return None


#: Strength of fringes from which a micrograph is of a lattice whatever is said of it …
CLEAR_FRINGES = 2.2
#: … and where its caption speaks of transmission micrographs with and without high resolution.
LIKELY_FRINGES = 1.6
_PLAIN_TEM = re.compile(r"(?<![\w-])(?:FE-?)?TEM\b")


def technique_of(kind: PanelKind, label: str | None, facts: CaptionFacts | None, fringes: float = 0.0) -> str | None:
    """The technique that made a panel, where the caption leaves one choice.

    Parameters
    ----------
    kind : str
    label : str or None
    facts : CaptionFacts or None
    fringes : float
        Strength of its lattice fringes, which tells high resolution from plain transmission where
        the caption names both.
    """
    if facts is None:
        return None
    named: Sequence[str] = ()
    if label is not None:
        named = facts.panel_techniques.get(_key(label, facts.panel_techniques) or "", ())
    named = named or facts.techniques
    if kind == "em":
        return _em_technique(named, subcaption_of(label, facts), fringes)
    if kind == "eds":
        return "EDS" if "EDS" in named else None
    if kind == "diffraction":
        return next((t for t in ("SAED", "FFT") if t in named), None)
    return None


def _em_technique(named: Sequence[str], words: str, fringes: float) -> str | None:
    candidates = [t for t in EM_TECHNIQUES if t in named]
    transmission = any(t in candidates for t in ("HRTEM", "HAADF", "STEM", "TEM"))
    if not candidates or ("SEM" in candidates and transmission):
        return None
    # What names high resolution alone names it first, TEM with it; what names plain TEM before it leaves the choice.
    either = candidates[0] == "HRTEM" and "TEM" in named and named.index("TEM") < named.index("HRTEM")
    if either and _PLAIN_TEM.search(words) and fringes < LIKELY_FRINGES:
        return "TEM"
    return candidates[0]


def is_measurable(kind: PanelKind, technique: str | None, words: str, fringes: float = 0.0) -> bool:
    """Whether a panel shows particles to be measured, as far as technique, words and fringes tell."""
    if kind != "em" or technique == "HRTEM" or fringes >= CLEAR_FRINGES:
        return False
    if NEVER_PARTICLES.search(words):
        return False
    return not NOT_PARTICLES.search(words) or bool(PARTICLES.search(words))


#: What words and techniques say of a panel's kind: (pattern, kind, how much likelier it becomes).
_WORDS_OF_KIND: tuple[tuple[re.Pattern[str], PanelKind, float], ...] = (
    (re.compile(r"schemat|illustrat|\bscheme|diagram|\bcartoon|\bmodel of|\bstructure of the", re.I), "schematic", 4.0),
    (
        re.compile(
            r"photo(?:graph)?s?\b|\boptical|digital (?:image|picture)|fluorescen|confocal|histolog|immunohisto|"
            r"\blight[- ]micro|\bphase[- ]contrast|\bH&E\b|ha?ematoxylin|\bDAPI\b",
            re.I,
        ),
        "photo",
        4.0,
    ),
    (re.compile(r"\bmapping|\bmaps?\b|\bEDX?S?\b|elemental", re.I), "eds", 3.0),
    (re.compile(r"\bSAED|diffraction pattern|\bFFT\b|\bSADP", re.I), "diffraction", 3.0),
    (
        re.compile(
            r"\bspectr|\bcurves?\b|\bprofiles?\b|\bplots?\b|histogram|distribution|\bpatterns? of|\bisotherm|voltammo|"
            r"\bXRD|\bXPS|Raman|\bperformance|\bversus\b|\bvs\b|as a function of|capacity|efficiency",
            re.I,
        ),
        "plot",
        3.0,
    ),
)
#: How much less likely a micrograph is where the caption speaks of anything but one.
NO_EM = 0.25


def kind_prior(label: str | None, facts: CaptionFacts | None) -> dict[PanelKind, float]:
    """How much likelier the caption makes each kind of panel than it is without a caption.

    Parameters
    ----------
    label : str or None
        The panel's letter.
    facts : CaptionFacts or None

    Returns
    -------
    dict
        Kind → factor; empty where there is no caption.
    """
    if facts is None or facts == CaptionFacts():
        return {}
    words = subcaption_of(label, facts)
    named: Sequence[str] = ()
    if label is not None:
        named = facts.panel_techniques.get(_key(label, facts.panel_techniques) or "", ())
    prior: dict[PanelKind, float] = {}
    for pattern, kind, factor in _WORDS_OF_KIND:
        if pattern.search(words) or any(pattern.search(t) for t in named):
            prior[kind] = factor
    if any(t in EM_TECHNIQUES for t in named) or (facts.is_em and not words):
        prior["em"] = 3.0
    elif not facts.is_em or prior:
        prior["em"] = NO_EM
    return prior
