"""The techniques a caption names, and whether it says that an electron micrograph is shown.

The words are those authors use, abbreviations and long forms alike. Naming a technique is not
showing its picture: "size distribution determined from TEM images" shows a histogram, "mean ± SEM" a
standard error.
"""

from __future__ import annotations

import re

__all__ = ["EM_TECHNIQUES", "find_techniques", "listed_techniques", "shows_em"]

#: Techniques whose picture is an electron micrograph.
EM_TECHNIQUES = ("SEM", "TEM", "HRTEM", "STEM", "HAADF", "cryo-EM", "EM")

_MICRO = r"micro\s?(?:scop(?:y|ic|e|es|ical)|graphs?|graphy|photographs?|images?)"
_SPACE = r"[\s\u2010-\u2015-]{0,3}"

#: Words for pictures in German, French, Spanish, Portuguese and Italian.
_FOREIGN_PICTURE = (
    r"(?i:aufnahmen?|bild(?:er|es)?|mikroskop\w*|untersuchung\w*|abbildung\w*|fotos?|clich[eé]s?|micrograph\w*|"
    r"micrograf[ií]as?|photographies?|photos?|vues?|images?|im[aá]gen(?:es|s)?|imagem|immagin[ei])"
)
#: Longest scale bar that shows an electron microscope by itself, nm: light resolves no less, and its bars are longer.
_NANO_BAR_NM = 500


def _foreign_em(names: str) -> str:
    """Abbreviations that other languages use. In English they mean other things ("REM sleep", "MET"), so they
    count beside a word for a picture only: "REM-Aufnahme", "cliché MEB", "imágenes de MET".
    """
    behind = rf"(?:\s*-?\s*(?:und|et|y|e|/|,)\s*\w+)?(?:\s*-\s*|\s+)(?:micrographs?\b|{_FOREIGN_PICTURE})"
    joined = r"(?:(?:\w+(?:-\w+)?)\s*(?:et|y|e|/|,)\s*)?"
    before = rf"{_FOREIGN_PICTURE}\s+(?:(?:de|do|da|par|por|en|em|di|al)\s+|\()?{joined}"
    return rf"\b(?:{names})\b(?={behind})|{before}(?:{names})\b"


_ELECTRON_MICROSCOPY = r"\bmicroscop(?:ie|ía|ia)s?\s+[eé]le(?:ct|tt|t)r[oóô]ni\w+\s+(?:[aà]|de|en|em|di)\s+"
#: Technique → the words for it. Abbreviations keep their case: "stem" and "sem" are words of other fields.
_WORDS: dict[str, str] = {
    "HRTEM": r"高分[辨解][率能]?(?:の|型)?透[射過过]|"
    rf"\bHR{_SPACE}S?TEM\w?\b|\bHREM\b|(?i:\bhigh{_SPACE}resolution\s+(?:transmission|TEM\b))",
    "STEM": r"扫描透射|掃描穿透|走査(?:型)?透過|주사\s?투과|(?i:\brastertransmissions)|"
    rf"\b(?:HR|AC|EF|cryo|Cs|BF|DF|ABF|HAADF|ADF|MAADF|LAADF)?{_SPACE}STEM\b(?!\s+cells?)"
    rf"|(?i:scanning{_SPACE}transmission{_SPACE}electron)",
    "HAADF": rf"\b(?:HAADF|MAADF|LAADF|ADF)\b|(?i:annular{_SPACE}dark)|(?i:\bZ{_SPACE}contrast\b)",
    "TEM": r"(?<![А-яЁёІі])[ТП]ЕМ(?![А-яЁёІі])|"
    r"(?<!扫描)透射(?:式)?电|穿透式電|(?<!走査)(?<!走査型)透過(?:型)?電|투과\s?전자|ПЭМ|просвечивающ|"
    rf"(?i:\btransmissionselektronen|{_ELECTRON_MICROSCOPY}trans?mis)|{_foreign_em('MET(?:-?HR)?')}|(?<![\w])(?:HR|EF|BF|DF|AC|Cs|cryo|Cryo|LR|LC|E|in{_SPACE}situ)?{_SPACE}TEMs?\b(?!{_SPACE}\w*PO)"
    rf"|(?i:transmission{_SPACE}electron(?:ic)?{_SPACE}(?:micro|image|photo))|\bXTEM\b|\bHR-TEMs?\b|\bHRTEM\w?\b",
    "SEM": r"(?<![А-яЁёІі])[СР]ЕМ(?![А-яЁёІі])|"
    r"扫描(?:式)?电|掃描(?:式)?電|走査(?:型)?電|주사\s?전자|[РС]ЭМ|(?:растров|сканирующ)[а-яё]*\s+электрон|"
    rf"(?i:\brasterelektronen|{_ELECTRON_MICROSCOPY}(?:balayage|barrido|varredura|scansione))|"
    rf"{_foreign_em('FE-?REM|REM|MEB(?:-?FEG)?|MEV(?:-?FEG)?')}|(?<![\w±])(?:FE|FEG|HR|E|BSE|BS|SE|cryo|Cryo|FIB|LV|VP|CL|UHR|XHR|EDX?|EDS)?{_SPACE}(?:FE)?SEMs?\b"
    rf"|\b(?:FE|HR|FEG|UHR|BSE)SEMs?\b|(?i:scanning{_SPACE}electron(?:ic)?{_SPACE}(?:micro|image|photo|beam))"
    r"|(?i:secondary\s+electron\s+(?:image|micro))|(?i:back\s?-?scatter(?:ed|ing)?[\s-]+(?:electron(?!\s+diffraction)|images?\b|micro))"
    r"|\bBSE\b(?=\s+(?:image|micro))|\bSEI\b(?=\s+(?:image|micro)s?\s+of\s+SEM)",
    "cryo-EM": rf"(?i:\bcryo{_SPACE}EM\b|\bcryo{_SPACE}electron\b)",
    "EM": r"(?:电子|電子)顕?[显顯]?微?[镜鏡]|电镜|電顕|전자\s?현미경|"
    rf"(?i:\belectron(?:ic)?{_SPACE}{_MICRO}|\belectron\s+tomogra)"
    r"|\bEMs?\b(?=\s+(?:image|micrograph|photo|picture))|(?i:\bnegative[\s-]+stain\w*\s+EM\b)",
    "EDS": rf"\b(?:EDXS?|EDS|EDAX|XEDS)\b|(?i:energy{_SPACE}dispersive|elemental?\s+(?:mapp|map|distribution))",
    "EELS": rf"\bEELS\b|(?i:electron{_SPACE}energy{_SPACE}loss)",
    "EBSD": rf"\bEBSD\b|(?i:back\s?-?scatter(?:ed)?{_SPACE}(?:electron)?{_SPACE}diffraction)",
    "SAED": rf"\b(?:SAED|SAEDP|SADP|SAD|NBED|CBED)\b|(?i:\belectron{_SPACE}diffraction)",
    "FFT": r"\bi?FFTs?\b|(?i:fourier[\s-]+transform(?!\w*\s*infra))(?!\s+infra)",
    "AFM": rf"\bAFM\b|(?i:atomic{_SPACE}force)",
    "STM": rf"\bSTM\b|(?i:scanning{_SPACE}tunnel)",
    "XRD": rf"\b(?:P|GI)?XRP?D\b|(?i:X{_SPACE}ray\s+(?:powder\s+)?diffract)",
    "XPS": rf"\bXPS\b|(?i:X{_SPACE}ray\s+photoelectron)",
    "Raman": r"(?i:\bRaman\b)",
    "FTIR": rf"\b(?:ATR{_SPACE})?FT{_SPACE}IR\b",
    "UV-Vis": rf"(?i:\bUV{_SPACE}vis)",
    "TGA": r"\b(?:TGA?|DSC|DTA)\b",
    "DLS": rf"\bDLS\b|(?i:dynamic{_SPACE}light{_SPACE}scatter)",
    "optical microscopy": rf"(?i:\b(?:optical|light|polari[sz]ed?|bright{_SPACE}field\s+optical|stereo)[\s-]+"
    rf"(?:light\s+|optical\s+)?(?:{_MICRO}|images?))|\bPOM\b",
    "fluorescence microscopy": r"(?i:\b(?:fluorescen\w+|confocal)\b)|\bCLSM\b",
}
#: "TEM照片", "SEM像": letters of other scripts end a name, as spaces do.
_PATTERNS = {name: re.compile(words, re.ASCII) for name, words in _WORDS.items()}

#: Standard error of the mean, which biology writes like the microscope.
_STANDARD_ERROR = re.compile(
    r"[Ss]tructural\s+equation\s+model\w*(?:\s*\(SEM\))?|"
    r"(?:±|\+/-|\bmeans?\s*(?:and|,|\()?)\s*(?:the\s+)?\(?S\.?E\.?M\b\.?|standard\s+errors?(?:\s+of\s+(?:the\s+)?means?)?\s*\(?\s*(?:SEM\b)?"
    r"|error\s+bars?[^.;]{0,40}?\bSEM\b|\bSEM\b[^.;]{0,12}\b(?:n|N)\s*=|\b(?:as|represents?|indicates?|denotes?|show)\s+(?:the\s+)?(?:means?\s*)?"
    r"(?:±\s*)?SEM\b(?!\s*(?:image|micro|pic|photo|obs|view|and\s))",
)
_MENTION = re.compile(
    "|".join(f"(?:{_WORDS[name]})" for name in ("HRTEM", "STEM", "HAADF", "TEM", "SEM", "cryo-EM", "EM")), re.ASCII
)
_PICTURE = (
    r"(?:images?|imaging|micro\s?graphs?|micro\s?photographs?|photo(?:graph|micrograph)?s?|pictures?|views?|"
    r"observations?|snapshots?|tomogra\w+)"
)
#: A measurement that rests on micrographs, without showing them.
_DERIVED = re.compile(
    r"(?:(?:obtained|determined|measured|calculated|derived|estimated|extracted|evaluated|counted|deduced|based|computed|"
    r"collected|taken|acquired|inferred|quantified|analy[sz]ed|analysis)\s+(?:from|by|using|on|via|with|through|in|of)|"
    r"(?:histograms?|distributions?|statistics|results|data|sizes?|diameters?)\s+(?:from|by|using|via))\s+"
    r"(?:the\s+|an?\s+)?(?:[A-Z][\w-]*(?:\s*,|\s*/|\s+and\b)\s*){0,3}(?:(?!and\b|with\b)[\w-]+\s+){0,3}?\(?$",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\b(?:radi(?:us|i)|distributions?|histograms?|plots?|statistics|diameters?|sizes?|curves?|profiles?|dependence|comparison|"
    r"number|thickness|fractions?|evolution|values?|graphs?|relationship|areas?|density|lengths?|percentages?)\b",
    re.IGNORECASE,
)
_DRAWN = re.compile(
    r"\b(?:schem(?:e|atic\w*)|illustrations?|sketch(?:es)?|diagrams?|drawings?|cartoons?|simulat\w+|flow\s?charts?|set-?up|workflow|"
    r"modell?ed|calculated|configuration)\b",
    re.IGNORECASE,
)
#: A clause that opens with a quantity and ends before a technique's name: "Size distribution of gold by".
_QUANTITY_BY = re.compile(
    r"\W*(?:(?!and\b|with\b)[\w-]+\s+){0,3}?(?:distributions?|histograms?|sizes?|diameters?|thickness(?:es)?)\b"
    r"[^,]*\b(?:by|from|using|via)\s+(?:the\s+|an?\s+)?(?:\w+\s+)?\(?$",
    re.IGNORECASE,
)
_NOT_THE_PICTURE = re.compile(
    r"^\W*(?:grids?|holders?|stage|chamber|specimen\s+holder|samples?\s+preparation|stubs?|setup|set-up|instrument|"
    r"system|column|cells?\b(?!\s+(?:image|micro)))",
    re.IGNORECASE,
)
#: Words for micrographs that leave the microscope unsaid.
_UNNAMED = re.compile(
    r"\b(?:micro\s?graphs?|micro-?photographs?|photomicrographs?|nano\s?graphs?|fractographs?|fracture[d]?\s+surfaces?|"
    r"lattice\s+(?:fringes?|images?)|(?:surface|fracture|cross[\s-]?section(?:al)?|particles?|powders?|grain)\s+"
    r"(?:morpholog(?:y|ies)|micro-?structures?)|(?:elemental|element|EDS|EDX|chemical)\s+(?:distribution\s+)?"
    r"(?:mapping|maps?)\s*(?:images?)?)\b",
    re.IGNORECASE,
)
_OTHER_MICROSCOPE = re.compile(
    r"\b(?:optical|light|fluorescen\w+|confocal|polari[sz]\w+|AFM|STM|atomic\s+force|tunnel\w*|X-?ray|phase[\s-]contrast|"
    r"metallograph\w*|Raman|DIC|digital|stereo\w*|ultrasound|acoustic|two-photon|super-resolution|STORM|histolog\w*|stain\w*|H&E|"
    r"hematoxylin|immuno\w*|bright[\s-]?field|photoluminescence|infrared|camera|PALM|epi\w+)\b",
    re.IGNORECASE,
)
_NANO_BAR = re.compile(
    r"\b(?:scale\s*-?\s*)?bars?\b[^.;]{0,30}?\b(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>nm|Å)(?!\w)", re.IGNORECASE
)


def find_techniques(text: str) -> tuple[str, ...]:
    """Techniques named in a text, in the order of their first mention.

    A special technique names its general one, too: HRTEM is TEM, HAADF is STEM.
    """
    masked = _STANDARD_ERROR.sub(lambda match: " " * len(match.group()), text)
    first: dict[str, int] = {}
    for name, pattern in _PATTERNS.items():
        match = pattern.search(masked)
        if match:
            first[name] = match.start()
    if "HRTEM" in first:
        first.setdefault("TEM", first["HRTEM"])
    if "HAADF" in first:
        first.setdefault("STEM", first["HAADF"])
    if "TEM" in first and "STEM" in first and not _plain_tem(masked):
        del first["TEM"]
    if "EM" in first and any(name in first for name in ("SEM", "TEM", "STEM", "cryo-EM")):
        del first["EM"]
    return tuple(sorted(first, key=lambda name: (first[name], list(_WORDS).index(name))))


#: Techniques one after the other before a word for pictures: "SEM, TEM and HRTEM images".
_LISTED = re.compile(
    rf"(?<![\w-])(?P<names>[\w-]+(?:\s*(?:,\s*and\b|,|/|\band\b|&)\s*[\w-]+)+)\s+{_PICTURE}", re.IGNORECASE
)
_JOINT = re.compile(r"\s*(?:,\s*and\b|,|/|\band\b|&)\s*")


def listed_techniques(text: str) -> tuple[tuple[str, ...], ...]:
    """Techniques of each picture where a text lists them ("SEM, TEM and HRTEM images"); empty where it does not."""
    listed = _LISTED.search(text)
    if listed is None:
        return ()
    each = tuple(find_techniques(name) for name in _JOINT.split(listed["names"]))
    return each if all(each) else ()


def _plain_tem(text: str) -> bool:
    """Whether TEM is named apart from STEM, whose long form holds the words of TEM."""
    without = _PATTERNS["STEM"].sub(" ", text)
    return bool(_PATTERNS["TEM"].search(without) or _PATTERNS["HRTEM"].search(without))


def shows_em(caption: str) -> bool:
    """Whether a caption says that the figure shows an electron micrograph (SEM, TEM, STEM).

    True where a technique is named and is not only the origin of a number, a drawing or part of an
    apparatus; where micrographs are shown whose microscope is not named otherwise; and where a
    scale bar of nanometres is stated, which no light microscope resolves.
    """
    masked = _STANDARD_ERROR.sub(lambda match: " " * len(match.group()), caption)
    if any(_is_shown(masked, match) for match in _MENTION.finditer(masked)):
        return True
    if _OTHER_MICROSCOPE.search(masked):
        return False
    if _UNNAMED.search(masked) and not _DRAWN.search(masked):
        return True
    bar = _NANO_BAR.search(masked)
    return bool(bar and float(bar["number"]) <= _NANO_BAR_NM)


def _is_shown(caption: str, mention: re.Match[str]) -> bool:
    """Whether one mention of a technique stands for a picture of it."""
    before = _clause_before(caption, mention.start())
    after = caption[mention.end() : mention.end() + 60]
    pictured = re.match(rf"[\w\s()/,\u2010-\u2015-]{{0,25}}?\b{_PICTURE}\b", after, re.IGNORECASE) is not None
    if _NOT_THE_PICTURE.match(after) and not pictured:
        return False
    if _DRAWN.search(before) and not re.search(r"\b(?:and|with)\b[^,;]{0,40}$", before[_last(_DRAWN, before) :]):
        return False
    if re.search(r"\b(?:shown|insets?)\b", after):
        return True
    return not (_DERIVED.search(before) and _QUANTITY.search(before)) and not _QUANTITY_BY.match(before)


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.end() for match in pattern.finditer(text)), default=0)


def _clause_before(caption: str, position: int) -> str:
    """The words of a clause up to `position`: back to a full stop, a semicolon or a panel marker."""
    before = caption[:position]
    cut = 0
    for match in re.finditer(r"[.;:]\s+|\(?(?<![\w])[A-Za-z](?:\s*[,–-]\s*[A-Za-z])?\)\s|^", before):
        cut = match.end()
    return before[cut:]
