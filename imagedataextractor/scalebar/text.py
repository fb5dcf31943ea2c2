"""From what OCR made of a picture's text to lengths that a scale bar may carry.

OCR confuses letters (nm → nrn, hm; µm → um, pm, jm; 0 → O), splits a text in two, and reads the
magnification, the working distance and the date with the same care as the scale. Here these are
told apart. Nothing here looks at pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagedataextractor.ocr import TextBox
from imagedataextractor.quantities import NM_PER_UNIT, NUMBER, find_lengths, fold, parse_number
from imagedataextractor.records import Box

__all__ = [
    "Reading",
    "find_readings",
    "join_neighbours",
    "read_field_width",
    "read_magnification",
]

#: Lengths that a scale bar of an electron micrograph may state, nm: from atomic resolution to the
#: lowest magnification of an SEM.
PLAUSIBLE_NM = (0.05, 5e6)
#: From this many "mm" on, the letters were "nm": such a picture would be wider than any stage.
NO_BAR_MM = 10.0
#: How sure a unit is read, from which it is one within a longer line, too.
SURE_UNIT = 0.9
#: Magnifications that a microscope prints, times; others are misread.
MAGNIFICATIONS = (10, 2e7)


@dataclass(frozen=True)
class Reading:
    """A length read in a picture, before it is known whether it belongs to a bar.

    Attributes
    ----------
    value, unit : float, str
        As printed; `unit` is a name in `quantities.NM_PER_UNIT`.
    text : str
        The words it was read from.
    score : float
        The OCR engine's, 0 … 1.
    clean : float
        1 where the text is a length to the letter; less the more had to be repaired.
    alone : bool
        The line holds nothing else.
    box : Box
        Where it is printed (its share of the line, where the line holds more).
    doubtful_unit : bool
        "pm" was read and taken for a misread "µm", although a bar may be so many picometres long.
    """

    value: float
    unit: str
    text: str
    score: float
    clean: float
    alone: bool
    box: Box
    doubtful_unit: bool = False

    @property
    def nm(self) -> float:
        return self.value * NM_PER_UNIT[self.unit]

    @property
    def roundness(self) -> float:
        """How usual the number is on a scale bar: 1 for 1, 2 and 5 (× 10ⁿ), 0 for a number such as 0.34."""
        return roundness(self.value)


def roundness(value: float) -> float:
    """1 for 1, 2, 5 × 10ⁿ; 0.7 for other numbers that programs choose; 0.4 for whole tens; else 0."""
    if value <= 0:
        return 0.0
    mantissa = float(f"{value:.6e}".split("e")[0])
    if mantissa in (1.0, 2.0, 5.0):
        return 1.0
    if mantissa in (2.5, 3.0, 4.0, 1.5, 6.0, 8.0):
        return 0.7
    if value >= 1 and round(mantissa * 2, 4) == round(mantissa * 2):
        return 0.4
    if mantissa in (7.0, 9.0):
        return 0.4
    return 0.0


# A number: digits with at most one decimal mark, and the letters that OCR takes for digits. A space
# inside is allowed between digits ("1 00 nm").
_DIGIT = r"[0-9OoQ]"
_OCR_NUMBER = rf"[0-9lIi|SsZB](?:{_DIGIT}|[lI|SB])*(?:\s?[.,·]\s?{_DIGIT}+)?|[.,]{_DIGIT}+"
#: First as it should be, then with OCR's confusions.
_NUMBER = rf"(?P<number>{NUMBER}|{_OCR_NUMBER})"
# What OCR makes of each unit, surest first. The class "sure" is the unit as printed, "repaired" a
# known confusion.
_UNIT_FORMS: tuple[tuple[str, str, float], ...] = (
    ("nm", r"nanomet(?:er|re)s?|n\s?m|㎚", 1.0),
    ("um", r"[µμu]\s?m|㎛", 1.0),
    ("um", r"microns?|micromet(?:er|re)s?", 1.0),
    ("mm", r"mm", 0.9),
    ("Å", r"Å|[Aa]ngstr[oö]ms?", 0.8),
    ("um", r"[pP]\s?[mn]", 0.8),  # what OCR makes of µ far oftener than a picometre is meant; see `doubtful_unit`
    ("nm", r"n\s?[nrh]|nrn|nnn|nrm|nln|nm[a-z]|[0oO]m|hm|ri?[mn]|ri?d|ru|n[Mm]|NM|n\s?[iIl1]{2,3}|nI?m|n", 0.6),
    ("um", r"[jyJUhH4vVM]\s?m|[µμ]\s?[nrM]{1,2}|un|ur|umn|ut?m|l?[lI]m|[µμ]|UM|u[M]|/[mn]|,um|p[a-z]?", 0.6),
    ("Å", r"A", 0.5),
)
_UNITS_RE = "|".join(f"(?P<u{i}>{form})" for i, (_, form, _) in enumerate(_UNIT_FORMS))
# "50x200μmWD": detection joined three texts, of which the middle one is the scale.
_LENGTH = re.compile(
    rf"(?:(?<![0-9A-Za-zµμ.,])|(?<=[0-9][x×]))[-–—~_=|\[\](<>«»←→]*{_NUMBER}\.?\s?(?:{_UNITS_RE})"
    # A power, a reciprocal ("nm⁻¹", "nm-1") or another word is no length.
    r"(?![a-zµμ0-9⁰¹²³⁴-⁹⁺⁻^/*])(?!\s?[-–]\s?[1lI]\b)(?!\s?\^)(?![A-Z](?![A-Z]))"
)
_STRIP = "-–—~_=|[](){}<>«»←→*:;.,'\"` ·•°一口"

# Lines, or the words just before a length, that speak of something else than the scale.
_OTHER_BEFORE = re.compile(
    r"(?:\b(?:WD|W\.?D\.?|FWD|HFW|VFW|FW|HV|EHT|ETH|Width|Height|Aperture|Aper|Ap|Size|Pixel|px|Step|Spot|Z|"
    r"Tilt|Date|FOV|Field|Depth|Mag|View|d|D|dia|diameter|thickness|"
    r"mean|avg|average|Cursor|Stage)\b[\w\s.]{0,14}[=:~≈]?|[=±≈~+])\s*$",
    re.IGNORECASE,
)
_OTHER_AFTER = re.compile(r"^\s*(?:[±+/×x*]|per|\bpx\b|\bpixel)", re.IGNORECASE)
# A whole line that only names what stands beside or below it (the headings of an FEI data bar).
_LABEL = re.compile(
    r"(?:F?W\.?[DO]\.?|H?FW|VFW|HFOV|FOV|Width|Z|Spot|Depth|Pixel(?: ?size)?|Aperture(?: ?size)?)\s*[=:-]?",
    re.IGNORECASE,
)
_MAGNIFICATION = re.compile(
    r"(?:mag(?:nification)?\.?\s*[=:]?\s*[xX×]?\s*(?P<a>[0-9][0-9.,\s]*[0-9]|[0-9])\s*(?P<ak>[kK])?)"
    # "512 x 512" is a size.
    r"|(?:(?<![0-9A-Za-z])(?<![0-9]\s)[xX×]\s?(?P<b>[0-9][0-9.,]*)\s?(?P<bk>[kK])?)"
    r"|(?:(?<![0-9A-Za-z])(?P<c>[0-9][0-9.,]*)\s?(?P<ck>[kK])?\s?[xX×](?!\s?[0-9A-Za-z]))"
)


def find_readings(texts: Sequence[TextBox]) -> list[Reading]:
    """All lengths among lines of text that may be a scale bar's, the likelier first.

    Lengths that the line says are something else (a working distance, an aperture, a diameter with
    its spread, a lattice spacing "d = 0.21 nm") are left out.
    """
    joined = join_neighbours(texts)
    labels = [t for t in texts if _LABEL.fullmatch(t.text.strip(_STRIP))]
    # Where a working distance is printed, "10 mm" is that, and not a misread "10 nm".
    labelled = any(re.search(r"\bF?W\.?[DO]\b", t.text) for t in texts)
    readings = [
        reading
        for line in (*texts, *joined)
        for reading in _readings_of(line, labelled)
        if not any(_labels(label.box, reading.box) for label in labels)
    ]
    readings.sort(key=lambda r: -(r.score * r.clean * (0.5 + 0.5 * r.roundness)))
    kept: list[Reading] = []
    for reading in readings:
        if not any(_same_place(reading.box, other.box) for other in kept):
            kept.append(reading)
    return kept


def _same_place(a: Box, b: Box) -> bool:
    return a.intersection(b).area > 0.5 * min(a.area, b.area)


def _labels(label: Box, value: Box) -> bool:
    """Whether a label such as "WD" or "HFW" stands left of a value on its line, or right above it."""
    height = max(label.height, value.height, 1)
    on_line = min(label.y1, value.y1) - max(label.y0, value.y0) > 0.5 * min(label.height, value.height)
    if on_line and -0.5 * height <= value.x0 - label.x1 <= 2.5 * height:
        return True
    above = -0.4 * height <= value.y0 - label.y1 <= 0.8 * height
    return above and min(label.x1, value.x1) - max(label.x0, value.x0) > 0.3 * min(label.width, value.width)


def _readings_of(line: TextBox, labelled: bool) -> list[Reading]:
    text = fold(line.text.strip())
    readings = []
    for found in _LENGTH.finditer(text):
        before, after = text[: found.start()], text[found.end() :]
        if _OTHER_BEFORE.search(before) or _OTHER_AFTER.match(after) or _is_second_side(before, found["number"]):
            continue
        unit, sureness = next(
            (_UNIT_FORMS[i][0], _UNIT_FORMS[i][2]) for i in range(len(_UNIT_FORMS)) if found[f"u{i}"] is not None
        )
        # "0 100 200 nm" are the numbers of a ruler, and in "12:30 200 nm" stands a time: no thousands.
        number = _number(found["number"].split(" ")[-1] if _RUNS_ON.search(before) else found["number"])
        alone = not before.strip(_STRIP) and not after.strip(_STRIP)
        if number is None:
            continue
        value, repaired = number
        # A bar of so many picometres could be: nothing shorter than an atom's part could.
        doubtful = _PICO.fullmatch(found[0][found.end("number") - found.start() :].strip(" .")) is not None
        doubtful = doubtful and value * NM_PER_UNIT["pm"] >= PLAUSIBLE_NM[0]
        if unit == "mm" and value >= NO_BAR_MM and alone and not labelled:
            unit, sureness = "nm", 0.6
        nm = value * NM_PER_UNIT[unit]
        if not PLAUSIBLE_NM[0] <= nm <= PLAUSIBLE_NM[1]:
            continue
        # A capital A, a bare µ, or a unit repaired, within a longer line is more likely to be a word.
        if not alone and sureness < SURE_UNIT:
            continue
        readings.append(
            Reading(
                value=value,
                unit=unit,
                text=found[0].strip(_STRIP),
                score=line.score,
                clean=sureness * (0.7 if repaired else 1.0),
                alone=alone,
                box=_share(line.box, len(text), found.start("number"), found.end()),
                doubtful_unit=doubtful,
            )
        )
    return readings


_RUNS_ON = re.compile(r"\d[\s:./-]$")
_PICO = re.compile(r"[pP]\s?m")

#: "1280x960 nm": a field's two sides. The ratio of width to height that pictures have, and the least of a
#: height: "50x200µm" is a magnification that detection joined to the scale behind it.
_SIDES = re.compile(r"(?P<width>\d[\d.,]*)\s?[x×*]\s?$")
SIDES_RATIO, MIN_SIDE = (0.99, 2.1), 100.0


def _is_second_side(before: str, number: str) -> bool:
    """Whether a number is the height in "FOV: 1280x960 nm", going by what stands before it."""
    sides = _SIDES.search(before)
    if sides is None:
        return False
    width, height = parse_number(sides["width"]), parse_number(number)
    if _FIELD_WORD.search(before):
        return True
    return bool(width and height and height >= MIN_SIDE and SIDES_RATIO[0] <= width / height <= SIDES_RATIO[1])


def _number(text: str) -> tuple[float, bool] | None:
    """The value of a number with OCR's confusions undone, and whether there were any."""
    # "05 µm" lost its decimal mark: no instrument prints a leading zero.
    lost_mark = re.fullmatch(r"0[0-9]+", text)
    value = None if lost_mark else parse_number(text)
    if value is not None:
        return (value, False) if value > 0 else None
    plain = re.sub(r"\s", "", text).replace(",", ".").replace("·", ".")
    digits = plain.translate(str.maketrans("OoQDlIi|SsZB", "000011115528"))
    repaired = digits != plain
    if re.fullmatch(r"0[0-9]+", digits):
        digits, repaired = f"0.{digits[1:]}", True
    try:
        value = float(digits)
    except ValueError:
        return None
    return (value, repaired) if value > 0 else None


def _share(box: Box, length: int, start: int, end: int) -> Box:
    """The part of a line's box that characters `start` … `end` of `length` take."""
    if length <= 0 or (start == 0 and end == length):
        return box
    x0 = box.x0 + round(box.width * start / length)
    x1 = box.x0 + round(box.width * end / length)
    return Box(x0, box.y0, max(x1, x0 + 1), box.y1)


def join_neighbours(texts: Sequence[TextBox]) -> list[TextBox]:
    """Lines put together that detection split: "200" and "nm" side by side.

    Only pairs of which the left one ends in a number and the right one starts with a unit's letter.
    """
    joined = []
    for left in texts:
        if not re.search(r"[0-9lI]\s*[.,]?$", left.text.strip()):
            continue
        for right in texts:
            if right is left or not re.match(r"^\s*(?:[.,][0-9]|[0-9]*\s*[nµμupjyÅAhr])", right.text.strip()):
                continue
            height = min(left.box.height, right.box.height)
            overlap = min(left.box.y1, right.box.y1) - max(left.box.y0, right.box.y0)
            gap = right.box.x0 - left.box.x1
            if height > 0 and overlap > 0.5 * height and -0.5 * height <= gap <= 1.5 * height:
                box = Box(
                    min(left.box.x0, right.box.x0),
                    min(left.box.y0, right.box.y0),
                    max(left.box.x1, right.box.x1),
                    max(left.box.y1, right.box.y1),
                )
                text = f"{left.text.strip()} {right.text.strip()}"
                joined.append(TextBox(text, min(left.score, right.score), box))
    return joined


_FIELD_WORD = re.compile(
    r"\b(?:HFW|H\.?F\.?O\.?V|F[O0]V|(?:view\s?)?field(?:\s?(?:of\s?view|width))?|image\s?width|width)\b", re.IGNORECASE
)
_FIELD_WIDTH = re.compile(rf"(?:{_FIELD_WORD.pattern})\s*[=:]?\s*(?P<rest>\S.*)", re.IGNORECASE)
_BOTH_SIDES = re.compile(rf"(?P<width>{NUMBER})\s?[x×*]\s?(?P<height>{NUMBER}\s?\S+.*)")


def read_field_width(texts: Sequence[TextBox]) -> float | None:
    """The width of the field that the picture prints ("HFW 5.97 µm", "FOV:1280x960nm"), nm, or None.

    Where two are printed that differ, it is not known which is meant.
    """
    widths = {round(nm, 6) for line in texts for nm in _field_widths(line.text)}
    labels = [t for t in texts if _FIELD_WORD.fullmatch(t.text.strip(_STRIP))]
    for line in texts:
        if any(_labels(label.box, line.box) for label in labels if label is not line):
            widths |= {round(length.nm, 6) for length in list(find_lengths(line.text))[:1]}
    return widths.pop() if len(widths) == 1 else None


def _field_widths(text: str) -> list[float]:
    """Widths that one line states, nm."""
    found = _FIELD_WIDTH.search(fold(text))
    if found is None:
        return []
    sides = _BOTH_SIDES.match(found["rest"])
    lengths = list(find_lengths(sides["height"] if sides else found["rest"]))
    if not lengths:
        return []
    if sides is None:
        return [lengths[0].nm] if lengths[0].start == 0 else []
    width = parse_number(sides["width"])
    return [width * NM_PER_UNIT[lengths[0].unit]] if width else []


def read_magnification(texts: Sequence[TextBox]) -> float | None:
    """The magnification printed in the picture ("x25,000", "Mag = 3.00 K X", "60000x"), or None."""
    for line in texts:
        found = _MAGNIFICATION.search(line.text)
        if not found:
            continue
        for key in "abc":
            if found[key]:
                number = found[key].strip().rstrip(".,").replace(" ", "")
                number = re.sub(r",(?=[0-9]{3}(?:[^0-9]|$))", "", number).replace(",", ".")
                try:
                    value = float(number) * (1000.0 if found[f"{key}k"] else 1.0)
                except ValueError:
                    continue
                if MAGNIFICATIONS[0] <= value <= MAGNIFICATIONS[1]:
                    return value
    return None
