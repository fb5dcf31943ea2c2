"""Numbers and lengths as people write them: one grammar for captions, pictures, options and file tags.

Numbers: "1000", "1,000", "1 000" (any of the narrow spaces), "1'000", "1.000.000"; "0.5", "0,5", ".5", "0·5";
"1 × 10³", "1 x 10^3", "10³", "1e3"; "½", "1½", "1/2", "1 1/2"; "12.3 ± 1.4" and "(12.3 ± 1.4)", of which the
first is the number. A comma before three digits groups thousands ("1,500" is 1500), unless all before it is a
zero ("0,500" is 0.5); one full stop is always a decimal mark.

Units: those of `NM_PER_UNIT` in words, signs and other scripts. What is per length ("nm⁻¹", "1/nm", "nm-1"), an
area or a volume is no length, nor is 0, nor a number below it.

`fold` makes what looks alike alike, character by character, so that places in the folded text are places in
the text itself.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "NM_PER_UNIT",
    "NOT_A_LENGTH",
    "NUMBER",
    "PLUS_MINUS",
    "UNIT",
    "Length",
    "find_lengths",
    "fold",
    "parse_length",
    "parse_number",
    "unit_of",
]

#: Nanometres in one of each unit. "um" is spelt with a u, so that a value can be typed and compared everywhere.
NM_PER_UNIT: dict[str, float] = {"pm": 1e-3, "Å": 0.1, "nm": 1.0, "um": 1e3, "mm": 1e6, "cm": 1e7}

_METRE = r"\s?-?m[eèé]t(?:er[ns]?|res?|ros?|ri|r[óo]w)"
#: Each unit's spellings in a folded text, whatever the case.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "pm": (rf"pic[oó]{_METRE}", "pm"),
    "Å": (r"\\u00c5", r"[aå]ngstr[oö]e?ms?", r"a\u030a", "å"),
    "nm": (
        *(rf"nan[oó]{_METRE}", r"n\s?m", "㎚", "纳米", "奈米", "ナノメー(?:トル|ター)", "나노미터"),
        # In Russian; and one of its letters among Latin ones that look alike.
        *(r"нанометр(?:а|ов)?", "[nнп][mм]"),
    ),
    "um": (
        *(rf"mi[ck]r[oó]{_METRE}", r"mi[ck]rons?", r"\\u(?:00b5|03bc)m", r"\$?\{?\\mu ?\}?\$? ?m", r"μ\s?m", "um"),
        *("㎛", "微米", "マイクロメー(?:トル|ター)", "ミクロン", "마이크로미터", "마이크론"),
        *(r"микр(?:ометр(?:а|ов)?|он(?:а|ов)?)", "[mм][kк][mм]"),
    ),
    "mm": (rf"mil[ií]?l?[ií]?{_METRE}", "mm", "мм", r"миллиметр(?:а|ов)?", "㎜", "毫米"),
    "cm": (rf"centi{_METRE}", "cm", "㎝"),
}
#: What may not follow a unit: another letter or digit, a power, "/px", a minus before a digit.
NOT_A_LENGTH = (
    r"(?![A-Za-zµμА-Яа-я0-9_\\⁰¹²³⁴-⁹⁺⁻₀-₉^]|\s?[/⁄]\s?[A-Za-zµμ]|\s?\^|\s?\*\*|\s?[⁻⁺]|\s?<sup>\s?[-–\d]"
    # "nm-1", but not "5 nm-10 nm", which is a range.
    r"|\s?[-–]\s?\d(?![\d.,]*\s?(?:[nµμup]\s?m|Å|[㎚㎛]))|\s?\(\s?[-–]\s?\d\s?\)|\s?per\b)"
)
#: A unit of length in a folded text (no groups), with what may not follow it.
UNIT = "(?:" + "|".join(form for forms in _SPELLINGS.values() for form in forms) + ")" + NOT_A_LENGTH
_UNIT_NAMES = {name: re.compile("|".join(forms), re.IGNORECASE) for name, forms in _SPELLINGS.items()}

_VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅒"
_FRACTION = rf"(?:\d{{1,2}} ?)?[{_VULGAR}]|(?:\d{{1,2}} )?[1-9] ?[/⁄] ?(?:2|3|4|5|8|10)(?!\d)"
_GROUPED = (
    r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|"
    r"[1-9]\d{0,2}(?: \d{3})+(?!\d)(?:[.,]\d+)?|"
    r"[1-9]\d{0,2}(?:'\d{3})+(?!\d)(?:[.,]\d+)?|"
    r"[1-9]\d{0,2}(?:\.\d{3}){2,}(?!\d)(?:,\d+)?|"
    r"[1-9]\d{0,2}(?:\.\d{3})+,\d+"
)
_PLAIN = rf"(?:{_GROUPED}|\d+(?:[.,·]\d+)?|[.,]\d+)"
_EXPONENT = r"(?:\^ ?[{(]? ?[+-]?\d{1,2} ?[)}]?|\*\* ?[+-]?\d{1,2}|<sup> ?[+-]?\d{1,2} ?</sup>|[⁺⁻]?[⁰¹²³⁴-⁹]{1,2})"
#: Signs of a product, among them the Cyrillic letter that looks like one.
_TIMES_SIGN = r"(?:[×xXхХ*·]|\\times|\\cdot)"
_POWER = rf"(?: ?{_TIMES_SIGN} ?10 ?{_EXPONENT})"
#: A number in a folded text (no groups).
NUMBER = rf"(?:{_FRACTION}|10{_EXPONENT}|{_PLAIN}(?:{_POWER}|[eE][+-]?\d{{1,2}}(?!\d))?)"
#: Between a number and its spread.
PLUS_MINUS = r"(?:±|\+/-|\+-|\\pm)"

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_APOSTROPHES = "’‘ʼ′＇`´"
_MINUS = "−﹣－‐‑"


@functools.lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character in _APOSTROPHES:
        return "'"
    if character in _MINUS:
        return "-"
    if character in "✕✖⨯╳⨉":
        return "×"
    if character in "•∙⋅・‧٫":  # the last is the decimal mark of Arabic
        return "·"
    if character == "٬":
        return "'"
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character.isspace():
        return " "
    if unicodedata.decomposition(character).startswith(("<super>", "<sub>", "<fraction>", "<circle>")):
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def fold(text: str) -> str:
    """A text with the forms of one character made one, each in its place.

    Spaces of all widths, full-width and styled letters and digits (NFKC), the digits of all scripts, the signs for µ,
    Å, minus, apostrophe and product. Superscripts and circled digits ("①", which name panels) stay apart from
    digits. The result is as long as the text.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_folded, text))


def parse_number(text: str) -> float | None:
    """The value of a number in any of the forms above, with a sign or without; None where it is none.

    Examples
    --------
    >>> [parse_number(text) for text in ("1,000", "0,42", "1 × 10^3", "1½", "12.3 ± 1.4", "nm")]
    [1000.0, 0.42, 1000.0, 1.5, 12.3, None]
    """
    plain = fold(text).strip()
    with_spread = re.fullmatch(rf"\(?\s*([+-]?\s?{NUMBER})\s*(?:{PLUS_MINUS}\s*{NUMBER}\s*)?\)?", plain)
    if with_spread is None or plain.startswith("(") != plain.endswith(")"):
        return None
    number = with_spread[1]
    sign = -1.0 if number.startswith("-") else 1.0
    try:
        value = sign * _unsigned(number.lstrip("+- "))
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _unsigned(text: str) -> float:
    fraction = re.fullmatch(rf"(?:(\d{{1,2}}) ?)?([{_VULGAR}])", text)
    if fraction:
        return float(fraction[1] or 0) + unicodedata.numeric(fraction[2])
    fraction = re.fullmatch(r"(?:(\d{1,2}) )?(\d) ?[/⁄] ?(\d{1,2})", text)
    if fraction:
        return float(fraction[1] or 0) + float(fraction[2]) / float(fraction[3])
    power = re.fullmatch(rf"(?:(.+?) ?{_TIMES_SIGN} ?)?10 ?({_EXPONENT})", text)
    if power:
        exponent = re.sub(r"</?sup>|[\^*{}() ]", "", power[2]).translate(_SUPERSCRIPT)
        return (1.0 if power[1] is None else _plain(power[1])) * 10.0 ** int(exponent)
    return _plain(text)


def _plain(text: str) -> float:
    mantissa, e, exponent = re.sub(r"[ ']", "", text).replace("·", ".").lower().partition("e")
    if "," in mantissa and "." in mantissa:  # the last mark is the decimal one
        groups = "," if mantissa.rindex(".") > mantissa.rindex(",") else "."
        mantissa = mantissa.replace(groups, "").replace(",", ".")
    elif mantissa.count(".") > 1 or re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", mantissa):
        mantissa = mantissa.replace(".", "").replace(",", "")
    else:
        mantissa = mantissa.replace(",", ".", 1)
    return float(mantissa) * (10.0 ** int(exponent) if e else 1.0)


def unit_of(text: str) -> str | None:
    """The name in `NM_PER_UNIT` of a unit as written ("µm", "Angstroms", "㎛"), or None where it is no length's."""
    plain = fold(text).strip()
    return next((name for name, forms in _UNIT_NAMES.items() if forms.fullmatch(plain)), None)


@dataclass(frozen=True)
class Length:
    """A length in a text: value and unit as written, its spread if it has one, and where it stands."""

    value: float
    unit: str
    start: int
    end: int
    spread: float | None = None

    @property
    def nm(self) -> float:
        return self.value * NM_PER_UNIT[self.unit]


_LENGTH = re.compile(
    rf"(?<![\w.,·/⁄'^±+])(?<![^A-Za-z]-)(?<!^-)(?<!\d[eE]-)(?<!\d–)(?P<open>\(\s?)?(?P<number>{NUMBER})\s?"
    rf"(?:{PLUS_MINUS}\s?(?P<spread>{NUMBER})\s?)?(?(open)\)\s?|)-?\s?(?P<unit>{UNIT})",
    re.IGNORECASE,
)

#: What stands before a number that is a part of something longer: "512 x 103 nm" is a size, or a power whose exponent
#: was lost; "0 100 200 nm" are the numbers of a ruler; "± 5 nm" is a spread.
_PART_OF = re.compile(rf"(?P<times>\d\s?{_TIMES_SIGN}\s?)$|(?P<listed>\d\s)$|(?P<spread>{PLUS_MINUS}\s?)$")
#: A product with a sign that is not known: "1.2 ∗ 10³".
_UNKNOWN_PRODUCT = re.compile(r"\d\s?[^\w\s.,;:()\[\]{}&=~≈<>|–—-]{1,3}\s?$")
#: Characters before a number that are looked at for them.
_LOOK_BACK = 12


def find_lengths(text: str, start: int = 0, end: int | None = None) -> Iterator[Length]:
    """All lengths in a text, or between two offsets of it, in order."""
    folded = fold(text)
    for found in _LENGTH.finditer(folded, start, len(folded) if end is None else end):
        if _is_part(folded[max(0, found.start() - _LOOK_BACK) : found.start()], found["number"]):
            continue
        value, unit = parse_number(found["number"]), unit_of(found["unit"])
        if value is not None and value > 0 and unit is not None:
            spread = None if found["spread"] is None else parse_number(found["spread"])
            yield Length(value, unit, found.start(), found.end(), spread)


def _is_part(before: str, number: str) -> bool:
    """Whether a number goes on from what stands before it."""
    part = _PART_OF.search(before)
    if part is not None and (part["times"] or part["spread"] or " " in number):
        return True
    return bool(re.match(rf"10 ?{_EXPONENT}", number) and _UNKNOWN_PRODUCT.search(before))


def parse_length(text: str) -> tuple[float, str] | None:
    """A text that is a length and nothing else, as a person types it: "200 nm", "0.5µm", "1,000 nm", "3 A".

    Returns
    -------
    (value, unit) or None
        `unit` is a name in `NM_PER_UNIT`.
    """
    plain = re.sub(r"\s+", " ", fold(text)).strip(" .,;:")
    plain = re.sub(r"^\((.*)\)$|^\[(.*)\]$", r"\1\2", plain).strip()
    # A bare A is no unit within other words, but what else should it be here.
    plain = re.sub(r"(?<=[\d\s)])A$", "Å", plain)
    found = _LENGTH.fullmatch(plain)
    if found is None:
        return None
    value, unit = parse_number(found["number"]), unit_of(found["unit"])
    return (value, unit) if value is not None and value > 0 and unit is not None else None
