"""Find the materials that a text names: formulae, names, abbreviations, and what is joined of them.

"Au@SiO2" is a core in a shell, "LiFePO4/C" a composite, "Au-Ag" an alloy, "Fe:ZnO" doped zinc oxide: so are
"silica-coated gold", "Au–Ag alloy" and "Fe-doped ZnO" written here, too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from imagedataextractor.articles.materials.vocabulary import (
    ABBREVIATIONS,
    ELEMENT_NAMES,
    ELEMENTS,
    NAMES,
    NOT_SAMPLES,
    SYMBOLS_THAT_ARE_WORDS,
    WORDS_OF_SALTS,
)

__all__ = ["SHAPE", "Mention", "find_mentions", "normalised_formula", "plain"]

#: Elements from which a run of symbols is a compound; a single symbol is an element, or a word.
_LEAST_ELEMENTS = 2
#: Length of an abbreviation, characters, up to which "-N" behind it is read with it, as symbols of elements.
_SHORT_ABBREVIATION = 2


@dataclass(frozen=True)
class Mention:
    """A material in a text: its normalised name, and where it stands.

    ``certainty`` is 1 for a formula or a name, less for what can mean other things.
    """

    name: str
    start: int
    end: int
    certainty: float = 1.0


#: Certainty of an abbreviation that is not spelt out, and of an element's symbol by itself.
_ABBREVIATED, _SYMBOL = 0.9, 0.95
#: Characters before a mention that are looked at for what is said of it.
_LOOK_BACK = 80

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₋₊ₓ‐‑‒–−•∙⋅", "0123456789-+x-----···")


def plain(text: str) -> str:
    """A text with digits, hyphens and dots of one kind, character by character: spans stay what they are."""
    return "".join(
        character if len(character := unicodedata.normalize("NFC", each)) == 1 else each
        for each in text.translate(_SUBSCRIPTS)
    )


# ---------------------------------------------------------------- formulae

_AMOUNT = r"(?:\d+(?:\.\d+)?(?:/\d+)?|\((?:\d+(?:\.\d+)?[-+][xyzδ]|[xyzδ])\)|(?:\d+(?:\.\d+)?[-+])?[xyzδ](?![a-z]))?"
_SYMBOLS = "|".join(sorted(ELEMENTS, key=lambda symbol: (-len(symbol), symbol)))
_UNIT = rf"(?:(?:{_SYMBOLS}){_AMOUNT})"
_GROUP = rf"(?:\((?:{_UNIT}|,)+\){_AMOUNT}|{_UNIT})"
#: A formula begins with an element, or with several that share a site: "(Ba,Sr)TiO3".
_FIRST = rf"(?:\((?:{_UNIT},)+{_UNIT}\)|{_UNIT})"
_FORMULA = re.compile(
    rf"(?<![\w.])(?P<phase>[αβγδεθκηωh]-)?(?P<formula>{_FIRST}{_GROUP}*(?:Tx)?)"
    rf"(?:[·]\s?\d*(?:H2O|DMF))?(?P<ion>\d*[+-](?![\w(]))?(?:NPs?|NCs?|NRs?|NWs?|QDs?)?(?![\w%°]|\(\w)"
)
#: Metals whose symbol is one letter: a formula of single letters begins with one, or is in the list.
_ONE_LETTER_METALS = frozenset("VWYUK")
_ONE_LETTER_FORMULAE = frozenset({"BN", "B4C", "C3N4", "BCN", "WC", "WN", "VN", "UN", "YN", "UC", "BP", "C60", "C70"})


def _is_formula(formula: str) -> bool:
    """Whether a run of element symbols is a material's formula rather than an abbreviation."""
    symbols = re.findall(_SYMBOLS, formula)
    if formula in NOT_SAMPLES or len(symbols) < _LEAST_ELEMENTS:
        return formula in _ONE_LETTER_FORMULAE
    if all(len(symbol) == 1 for symbol in symbols):
        starts_with_metal = symbols[0] in _ONE_LETTER_METALS and any(map(str.isdigit, formula))
        return formula in _ONE_LETTER_FORMULAE or (starts_with_metal and symbols[-1] not in _ONE_LETTER_METALS)
    return True


def normalised_formula(text: str) -> str:
    """A formula without white space and brackets around amounts: "Zn(1-x)Co(x)O" is "Zn1-xCoxO"."""
    formula = re.sub(r"\s+", "", plain(text))
    return re.sub(r"\((\d+(?:\.\d+)?[-+][xyzδ]|[xyzδ])\)", r"\1", formula)


# ---------------------------------------------------------------- elements by their symbol

SHAPE = (
    r"(?:nano)?(?:particles?|rods?|wires?|tubes?|sheets?|plates?|platelets?|crystals?|cubes?|spheres?|clusters?|fib(?:er|re)s?|"
    r"flakes?|belts?|prisms?|stars?|flowers?|structures?|powders?|films?|foils?|dots?|shells?|cores?|cages?|dendrites?|foams?|"
    r"colloids?|catalysts?|electrodes?|anodes?|cathodes?|layers?|grains?|islands?|seeds?|NPs?|NRs?|NWs?|NCs?|QDs?)"
)
_SYMBOL_ALONE = re.compile(
    rf"(?<![\w.·])(?<!\+/)(?P<symbol>{_SYMBOLS})(?P<atoms>\d{{2,}})?(?:NPs?|NRs?|NWs?|NCs?|QDs?)?(?![\w+%°]|-(?i:ion|air|O2|S|metal)\b|\s?[Kk]α)"
)
#: What stands behind a symbol that speaks of the element in a spectrum, a map or a cell rather than of a material.
_OF_ELEMENT = re.compile(
    r"\s?\d\s?[spdf]\b|\s+[KLM]\d?(?:[-,]|\s|$)(?:edges?)?|\s*\((?:red|green|blue|yellow|purple|cyan|orange|magenta|white|gr[ea]y|black)\)|"
    r"\s*/\s*[A-Z][a-z]?\d?\+|\+|\s+(?:ions?|edges?|signals?|maps?|mapping|content|loadings?|mass|concentrations?|contents?|leaching|"
    r"stripping|plating|deposition|electrodissolution|electrodeposition|dendrites?|storage|insertion|extraction|diffusion)\b"
)
_MAPS = re.compile(
    r"(?:mapp?(?:ing)?s?(?:\s+images?)?|distributions?|profiles?|signals?|concentrations?|elements?|contents?|loadings?|adsorption)\s+"
    r"(?:of|for)\s+(?:(?:\(\w\)\s*)?(?:[A-Z][a-z]?|silver|gold|\w+ese)\s*(?:\(\w+\)\s*)?(?:,|and|\s)\s*)*(?:\(\w\)\s*)?$|\bvs?\.?\s+$|\bversus\s+$",
    re.IGNORECASE,
)

# ---------------------------------------------------------------- names

_SALT = rf"(?:{'|'.join(ELEMENT_NAMES)})(?:\s?\([IV]+\))?(?:[\s-](?:{'|'.join(ELEMENT_NAMES)}))*\s(?:{WORDS_OF_SALTS})"
_POLYMER = r"poly\s?\((?:[^()]|\([^()]*\))+\)|poly-?[a-z]{4,}(?:ene|ide|ine|ate|ole|ol|one|ane|ile|ose)s?"
_NAMED = "|".join(re.escape(name).replace(r"\ ", r"[\s-]") for name in sorted(NAMES, key=len, reverse=True))
_NAME = re.compile(rf"(?<!\w)(?:(?P<known>{_NAMED})(?:s|es)?|(?P<salt>{_SALT})|(?P<polymer>{_POLYMER}))(?![\w])", re.I)
_ELEMENT_NAME = re.compile(
    rf"(?<!\w)(?P<element>{'|'.join(ELEMENT_NAMES)})(?![\w])(?!-(?:ion|air|rich|containing|free))"
    r"(?!(?:\s+and\s+\w+)?\s+(?:elements?|atoms?|ions?|salts?|source|foil\s+as|precursors?|content|leaching|storage|metal\s+batter|batter|atoms?\b|stripping|"
    r"plating|deposition|superoxide|ionization|collector|current|paper|paste|tape|grid|substrate|additive|fib|nanotub|dioxide))",
    re.IGNORECASE,
)
#: Frameworks and molecular sieves carry a family's name and a number.
_FRAMEWORK = re.compile(
    r"(?<![\w-])(?P<family>(?:ZIF|MIL|UiO|HKUST|MOF|NU|PCN|COF|IRMOF|CAU|DUT|BIF|ZSM|SBA|MCM|KIT|SAPO|FDU|SSZ|TS|MOR|MXene)-\d+[A-Za-z]?"
    r"(?:\((?:[A-Z][a-z]?)\))?(?:-NH2)?)(?![\w])"
)
_ALLOY = re.compile(
    r"(?<![\w-])(?P<alloy>Ti-?6Al-?4V|Inconel\s?\d{3}|AlSi\d+Mg|(?:AISI\s?)?3\d\dL?\s(?:stainless\s)?steel|Hastelloy\s?\w*|Ni-?Ti(?=\s))(?![\w])"
)
#: Alloys and composites by their elements: "Li-B-Mg", "Cu-Zn-Al"; bonds ("C-H") and cells ("Li-S") are none.
_ELEMENTS_JOINED = re.compile(
    rf"(?<![\w-])(?P<elements>(?:{_SYMBOLS})(?:-(?:{_SYMBOLS}))+)(?![\w-])"
    r"(?!\s+(?:bonds?|bonding|batter|cells?|stretch|vibrations?|bands?|pairs?|interactions?|coordination|coupling))"
)
_BONDS = re.compile(r"[BCHNOPSFI](?:-[BCHNOPSFI])+|(?:Li|Na|K|Zn|Al|Mg)-(?:S|O|I|Se)")

# ---------------------------------------------------------------- joining

_DOPED = re.compile(r"[\s-]{0,2}(?:-?co)?-?(?:doped|substituted|incorporated)\s+$", re.IGNORECASE)
_COATED = re.compile(r"[\s-]{0,2}(?:coated|encapsulated|wrapped|covered)\s+$", re.IGNORECASE)
_CAPPED = re.compile(r"[\s-]{0,2}(?:capped|stabili[sz]ed|protected|passivated|terminated)\s+$", re.IGNORECASE)
_SUPPORTED = re.compile(r"[\s-]{0,2}supported\s+$", re.IGNORECASE)
_DECORATED = re.compile(r"[\s-]{0,2}(?:decorated|loaded|modified|functionali[sz]ed|grafted)\s+$", re.IGNORECASE)
_CORE_SHELL = re.compile(
    r"\s?(?:core)?\s?[/-]\s?$|\s+(?:core|cores)\s*[/,-]?\s*(?:and|with(?:\s+an?)?)?\s*$", re.IGNORECASE
)
_IS_CORE_SHELL = re.compile(rf"[\s-]*(?:shells?\b|core[\s/-]*shell|(?:{SHAPE}\s+)?core[\s/-]*shell)", re.IGNORECASE)
_JOINED = re.compile(r"\s?(?P<sign>[@/:+]|-|\s&\s)\s?$")


def find_mentions(text: str, defined: Mapping[str, str] | None = None) -> list[Mention]:
    """Materials in a text, in the order in which they stand.

    Parameters
    ----------
    text : str
    defined : mapping, optional
        Abbreviation → material, as the article defines them.

    Returns
    -------
    list of Mention
        Spans are offsets into `text`; they do not overlap. What joins materials ("@", "/", "doped") makes
        one mention of them.
    """
    words = plain(text)
    known = {**ABBREVIATIONS, **(defined or {})}
    singles: list[Mention] = []
    taken = bytearray(len(words) + 1)
    for mention in _singles(words, known):
        if not any(taken[mention.start : mention.end]):
            taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
            singles.append(mention)
    return _joined(sorted(singles, key=lambda mention: mention.start), words)


def _singles(words: str, known: Mapping[str, str]) -> Iterator[Mention]:
    """Mentions one by one, the surest kinds first; they may overlap."""
    for abbreviation in sorted(known, key=len, reverse=True):
        for match in re.finditer(rf"(?<![\w]){re.escape(abbreviation)}(?:s|NPs?)?(?![\w]|\.\d)", words):
            short = len(abbreviation) <= _SHORT_ABBREVIATION and abbreviation.isupper()
            if not (short and words[match.end() : match.end() + 2] == "-N"):
                yield Mention(known[abbreviation], match.start(), match.end(), _ABBREVIATED)
    for pattern in (_FRAMEWORK, _ALLOY):
        for match in pattern.finditer(words):
            yield Mention(re.sub(r"\s+", " ", match[1]), match.start(), match.end())
    for match in _ELEMENTS_JOINED.finditer(words):
        if not _BONDS.fullmatch(match["elements"]):
            yield Mention(match["elements"], match.start(), match.end(), _SYMBOL)
    for match in _NAME.finditer(words):
        yield Mention(_named(match), match.start(), match.end())
    for match in _FORMULA.finditer(words):
        if _is_formula(match["formula"]) and not match["ion"]:
            yield Mention(normalised_formula(match["formula"]), match.start("formula"), match.end())
    for match in _ELEMENT_NAME.finditer(words):
        if not _MAPS.search(words[max(0, match.start() - _LOOK_BACK) : match.start()]):
            yield Mention(ELEMENT_NAMES[match["element"].lower()], match.start(), match.end())
    for match in _SYMBOL_ALONE.finditer(words):
        if _is_element_of_sample(match, words):
            yield Mention(match["symbol"], match.start(), match.end(), _SYMBOL)


def _named(match: re.Match[str]) -> str:
    found = re.sub(r"\s+", " ", match.group().lower()).replace("poly (", "poly(")
    for name in (found, found.removesuffix("s"), found.removesuffix("es"), found.replace("-", " ").removesuffix("s")):
        if name in NAMES:
            return NAMES[name]
    name = found.removesuffix("s") if match["salt"] or match["polymer"] else found
    return re.sub(r"\s?\([iv]+\)", lambda valence: valence.group().strip().upper(), name)


def _is_element_of_sample(match: re.Match[str], words: str) -> bool:
    """Whether a symbol by itself stands for a material: not for a line of a spectrum or a word."""
    symbol, behind = match["symbol"], words[match.end() : match.end() + 40]
    if _OF_ELEMENT.match(behind) or _MAPS.search(words[max(0, match.start() - _LOOK_BACK) : match.start()]):
        return False
    shaped = re.match(rf"[\s-]+(?:[a-z-]+\s+)?{SHAPE}\b", behind) is not None or "NP" in match.group()
    if len(symbol) == 1:
        # "S1" is a sample, "C" a carbon support behind a slash only.
        return not match["atoms"] and (shaped or words[match.start() - 1 : match.start()] in {"@", "/"})
    return symbol not in SYMBOLS_THAT_ARE_WORDS or shaped


def _joined(singles: list[Mention], words: str) -> list[Mention]:
    """Mentions with what joins them to one material."""
    found: list[Mention] = []
    for mention in singles:
        joined = _join(found[-1], mention, words) if found else None
        if joined is not None:
            found[-1] = joined
        else:
            found.append(mention)
    return [_with_support(mention, words) for mention in found]


def _join(first: Mention, second: Mention, words: str) -> Mention | None:
    """Two neighbours as one material; None where nothing joins them."""
    between = words[first.end : second.start]
    both = replace(first, end=second.end, certainty=min(first.certainty, second.certainty))
    if _DOPED.fullmatch(between):
        return replace(both, name=f"{first.name}:{second.name}")
    if _COATED.fullmatch(between):
        return replace(both, name=f"{second.name}@{first.name}")
    if _CAPPED.fullmatch(between):
        return replace(both, name=second.name)
    if _SUPPORTED.fullmatch(between):
        return replace(both, name=f"{second.name}/{first.name}")
    if _DECORATED.fullmatch(between):
        return replace(both, name=f"{first.name}/{second.name}")
    if between == "," and ":" in first.name and second.name in ELEMENTS:  # "NaYF4:Yb,Er"
        dopants, _, host = first.name.partition(":")
        return replace(both, name=f"{dopants},{second.name}:{host}")
    sign = _JOINED.fullmatch(between)
    if sign is None and not (_CORE_SHELL.fullmatch(between) and "core" in between):
        return None
    behind = words[second.end : second.end + 30]
    if sign is None or (sign["sign"] in "/-" and _IS_CORE_SHELL.match(behind)):
        return replace(both, name=f"{first.name}@{second.name}") if _IS_CORE_SHELL.match(behind) else None
    if sign["sign"] in "@/":
        return replace(both, name=f"{first.name}{sign['sign']}{second.name}")
    if sign["sign"] == ":":
        return _across_colon(first, second, between, both)
    if sign["sign"] == "-" and between.strip() == between:
        alloy = all(_is_alloy(part) for part in (first.name, second.name))
        return replace(both, name=f"{first.name}{'-' if alloy else '/'}{second.name}")
    return None


def _is_alloy(name: str) -> bool:
    """Whether a name is an element, several, or such an alloy's formula: then a hyphen makes an alloy of it."""
    return all(part in ELEMENTS for part in re.split(r"[-:]", name)) or name in _INTERMETALLICS


#: Formulae of metals with metals or boron that a hyphen joins to an alloy.
_INTERMETALLICS = frozenset(
    {"LiB", "LiAl", "LiMg", "LiZn", "FePt", "CoPt", "NiTi", "TiAl", "NiAl", "FeAl", "FeCo", "NiFe"}
)


def _across_colon(first: Mention, second: Mention, between: str, both: Mention) -> Mention | None:
    """Doped ("Fe:ZnO", "ZnO:Fe" alike), or a blend of polymers ("PVA:CAR")."""
    blend = not any(character.isupper() for character in f"{first.name[:1]}{second.name[:1]}")
    if blend:
        return replace(both, name=f"{first.name}/{second.name}")
    if between != ":":
        return None
    if first.name in ELEMENTS or second.name not in ELEMENTS:
        return replace(both, name=f"{first.name}:{second.name}")
    return replace(both, name=f"{second.name}:{first.name}")


#: A support named by a single letter, which by itself would be none: "Pt/C".
_SUPPORT = re.compile(r"/C(?![\w])")


#: An abbreviation that stands for nothing known, joined to a material: "LATP@PEGDA", "MoS2-PrGO".
_UNKNOWN = re.compile(r"(?P<sign>[-/@])(?P<name>(?=\w*[A-Z]\w*[A-Z])[A-Za-z]\w{1,9})(?![\w-])")
_NO_PART = re.compile(
    r"(?:\w*(?:TEM|SEM)|SERS|UV|XRD|XPS|EDX?S?|EELS|LSPR|NPs?|NRs?|NWs?|NCs?|QDs?|NSs?|HAADF|IR|NIR|FFT|\d*H2O|DMF)"
)


def _with_support(mention: Mention, words: str) -> Mention:
    match = _SUPPORT.match(words, mention.end)
    if match:
        return replace(mention, name=f"{mention.name}/C", end=match.end())
    unknown = _UNKNOWN.match(words, mention.end)
    if unknown is None or _NO_PART.fullmatch(unknown["name"]):
        return mention
    sign = "@" if unknown["sign"] == "@" else "/"
    return replace(mention, name=f"{mention.name}{sign}{unknown['name']}", end=unknown.end(), certainty=_ABBREVIATED)
