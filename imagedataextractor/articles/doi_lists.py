"""Lists of DOIs, as people and programs write them.

Tables (CSV, TSV) as Zotero, Excel, Scopus and Web of Science export them, RIS, PubMed and Web of Science
records, BibTeX, JSON and JSON lines, and plain lines. Only the DOI is wanted of each entry, and an entry
that is broken must not cost the others: so records are told apart by how they begin, and no more is read
of them than that.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from imagedataextractor.articles.dois import clean_doi, plain_doi, plain_dois
from imagedataextractor.errors import InputError
from imagedataextractor.telling import tell_nobody

__all__ = ["iterate_doi_list", "read_doi_list"]

#: Told of each entry without a DOI: number of its (first) line, and what stands there.
Missing = Callable[[int, str], None]
#: An entry: number of its first line, its DOIs, and what names it where it has none.
_Entry = tuple[int, Sequence[str], str]

#: Lines at the beginning of a file from which its form is told, and characters looked at of each.
_HEAD_LINES, _HEAD_CHARS = 50, 20_000
_CHUNK_BYTES = 16_384
#: Characters of a file that is one JSON object, at most: an answer of a service, not a bulk of them.
_MOST_OBJECT_CHARS = 100_000_000
#: Share of the first lines that must agree before they are taken for a table without a header.
_AGREEING = 0.6
_DELIMITERS = ("\t", ";", ",", "|")
#: Bytes with which files begin that are no text, and what to do about them.
_NO_TEXT = {
    b"PK\x03\x04": "an Excel or zip file; save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save it as CSV",
    b"%PDF": "a PDF; name it as an article, not as a list",
}
#: Columns from which a first row can be the head of a table; one alone is a list.
_LEAST_COLUMNS = 2


def read_doi_list(path: Path) -> list[str]:
    """DOIs of a file, once each, in order; see `iterate_doi_list`."""
    return list(dict.fromkeys(iterate_doi_list(path)))


def iterate_doi_list(path: Path, missing: Missing = tell_nobody) -> Iterator[str]:
    """DOIs of a file as they stand in it; a list of a million is not held in memory.

    The encoding (UTF-8, UTF-16, UTF-32, else Windows-1252), the form and, of a table, the delimiter and the column are
    told from the beginning of the file. The column is the one named "DOI"; without such a name the one
    that holds DOIs. Lines that start with ``#`` are passed over.

    Parameters
    ----------
    path : Path
    missing : function of (int, str)
        Told of each entry without a DOI: the number of its first line, and its words.

    Raises
    ------
    InputError
        The file cannot be read, or has entries and a DOI in none of them.
    """
    some, without = False, 0
    try:
        for line, dois, words in _entries(path):
            if not dois:
                without += 1
                missing(line, words)
            some = some or bool(dois)
            yield from dois
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if without and not some:
        raise InputError(f"{path}: no DOI in any of its {without:,} lines; a DOI looks like 10.3390/molecules25040891")


def _entries(path: Path) -> Iterator[_Entry]:
    encoding = _encoding(path)
    with path.open(encoding=encoding, errors="replace", newline="") as lines:
        beginning = _beginning(lines)
        lines.seek(0)
        first = beginning[0].lstrip() if beginning else ""
        if re.match(r"\[\s*(?:[\[{\"\d]|$)", first):
            yield from _json_entries(lines.read(), path)
        elif re.match(r"\{\s*(?:\"|\}|$)", first):
            yield from _json_objects(lines)
        elif any(_BIBTEX.match(line) for line in beginning):
            yield from _bibtex_entries(lines)
        elif any(_TAGGED.match(line) for line in beginning):
            yield from _tagged_entries(lines)
        else:
            table = _Table.told_from(beginning)
            yield from _line_entries(lines) if table is None else table.entries(lines)


def _beginning(lines: TextIO) -> list[str]:
    """The first lines that say something."""
    found: list[str] = []
    while len(found) < _HEAD_LINES and (line := lines.readline(_HEAD_CHARS)):
        if line.strip() and not line.startswith("#"):
            found.append(line)
    return found


def _encoding(path: Path) -> str:
    """The encoding of a text file: by its mark, by its zero bytes, else UTF-8 if all of it is that."""
    with path.open("rb") as stream:
        start = stream.read(_CHUNK_BYTES)
        for magic, what in _NO_TEXT.items():
            if start.startswith(magic):
                raise InputError(f"{path}: is {what}")
        if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            return "utf-32"
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if b"\0" in start:
            return "utf-16-be" if start[::2].count(0) > start[1::2].count(0) else "utf-16-le"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while start:
                decoder.decode(start)
                start = stream.read(_CHUNK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "windows-1252"
    return "utf-8-sig"


# ---------------------------------------------------------------- plain lines, JSON


def _line_entries(lines: Iterable[str]) -> Iterator[_Entry]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#") and not re.fullmatch(r"\W*dois?\W*", text, re.IGNORECASE):
            yield number, plain_dois(text), text


def _json_entries(text: str, path: Path) -> Iterator[_Entry]:
    """A list of records, as CSL JSON is one, or of DOIs."""
    try:
        records = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: broken JSON ({error})") from error
    yield from ((number, *_of_record(record)) for number, record in enumerate(records, start=1))


def _json_objects(lines: TextIO) -> Iterator[_Entry]:
    """One object a line, or one that holds a list of records, as the services' answers do."""
    text = lines.read() if _is_one_object(lines) else ""
    if not text:
        yield from map(_json_line, enumerate(lines, start=1))
        return
    yield from ((number, *_of_record(record)) for number, record in enumerate(_records_in(json.loads(text)), start=1))


def _is_one_object(lines: TextIO) -> bool:
    """Whether a file is one JSON object; it is read from its beginning afterwards."""
    try:
        is_object = isinstance(json.loads(lines.read(_MOST_OBJECT_CHARS)), Mapping)
    except (ValueError, RecursionError):
        is_object = False
    lines.seek(0)
    return is_object


def _records_in(content: Any) -> Sequence[Any]:
    """The longest list of objects in an object, at any depth; the object itself where it holds none."""
    found: Sequence[Any] = [content]
    waiting = [content]
    while waiting:
        for value in waiting.pop().values():
            if isinstance(value, Mapping):
                waiting.append(value)
            elif isinstance(value, list) and len(value) >= len(found) and all(isinstance(v, Mapping) for v in value):
                found = value or found
    return found


def _json_line(numbered: tuple[int, str]) -> _Entry:
    number, line = numbered
    try:
        return number, *_of_record(json.loads(line))
    except ValueError:
        return number, (), line.strip()


def _of_record(record: Any) -> tuple[Sequence[str], str]:
    if isinstance(record, Mapping):
        fields = {str(name).lower(): value for name, value in record.items()}
        nested = fields.get("externalids") or fields.get("ids")
        named = {str(name).lower(): value for name, value in nested.items()} if isinstance(nested, Mapping) else {}
        for value in (fields.get("doi"), named.get("doi"), fields.get("url")):
            doi = plain_doi(str(value or ""))
            if doi is not None:
                return (doi,), ""
        return (), str(fields.get("title") or record)
    return plain_dois(str(record)), str(record)


# ---------------------------------------------------------------- RIS, PubMed, Web of Science; BibTeX

#: "TY  - JOUR" begins an entry of RIS, "PMID- 31" one of PubMed, "PT J" one of Web of Science, "%0 Journal Article"
#: one of EndNote, "RT Journal Article" one of RefWorks.
_TAGGED = re.compile(r"\s*(?:TY {1,2}- |PMID *- |PT [A-Z]\b(?!\t)|FN (?:Clarivate|Thomson|ISI)|%0 [A-Z]|RT [A-Z][a-z])")
_FIRST_TAG = re.compile(r"\s*(?:TY {1,2}-|PMID *-|PT [A-Z]\b|%0 |RT [A-Z][a-z])")
_TAG = re.compile(r"\s*(?P<tag>[A-Z][A-Z0-9]{1,3}|%[A-Z0-9])(?: *- ?| )(?P<value>.*)")
#: Fields in which a DOI is looked for, the surest first.
_DOI_TAGS = ("DO", "DI", "DOI", "%R", "LID", "AID", "M3", "L3", "UR", "UL", "LK", "%U", "N1")
_TITLE_TAGS = ("TI", "T1", "%T")


def _tagged_entries(lines: Iterable[str]) -> Iterator[_Entry]:
    for number, record in _records(lines, _FIRST_TAG):
        fields: dict[str, list[str]] = {}
        for match in filter(None, map(_TAG.match, record)):
            fields.setdefault(match["tag"], []).append(match["value"].strip())
        named = (value for tag in _DOI_TAGS for value in fields.get(tag, ()) if "[pii]" not in value)
        doi = next(filter(None, map(plain_doi, named)), None)
        title = next((fields[tag][0] for tag in _TITLE_TAGS if tag in fields), record[0].strip())
        yield number, () if doi is None else (doi,), title


_BIBTEX = re.compile(r"\s*@\s*(?!comment\b|string\b|preamble\b)\w+\s*[{(]", re.IGNORECASE)
_BIBTEX_ANY = re.compile(r"\s*@\s*\w+\s*[{(]")
_BIBTEX_FIELD = (
    r"(?:^|[\s,{{])(?:{})\s*=\s*"
    r"(?:\{{(?P<braced>(?:[^{{}}]|\{{[^{{}}]*\}})*)\}}|\"(?P<quoted>[^\"]*)\"|(?P<bare>[^\s,]+))"
)
_BIBTEX_DOI = tuple(re.compile(_BIBTEX_FIELD.format(name), re.IGNORECASE) for name in ("doi", "url|ee", "note"))
_BIBTEX_TITLE = re.compile(_BIBTEX_FIELD.format("title"), re.IGNORECASE)
#: What TeX writes for characters of DOIs.
_TEX = (
    (re.compile(r"\\textless\b\s*(?:\{\})?|\$<\$|\{<\}"), "<"),
    (re.compile(r"\\textgreater\b\s*(?:\{\})?|\$>\$|\{>\}"), ">"),
    (re.compile(r"\\textunderscore\b\s*(?:\{\})?"), "_"),
    (re.compile(r"\\(?=[_%&#$])|[{}]"), ""),
)


def _bibtex_entries(lines: Iterable[str]) -> Iterator[_Entry]:
    for number, record in _records(lines, _BIBTEX_ANY):
        if not _BIBTEX.match(record[0]):
            continue
        text = "".join(record)
        values = (_plain_tex(_value(match)) for pattern in _BIBTEX_DOI for match in pattern.finditer(text))
        doi = next(filter(None, map(plain_doi, values)), None)
        title = _BIBTEX_TITLE.search(text)
        yield number, () if doi is None else (doi,), _plain_tex(_value(title)) if title else record[0].strip()


def _value(match: re.Match[str]) -> str:
    return match["braced"] or match["quoted"] or match["bare"] or ""


def _plain_tex(text: str) -> str:
    for pattern, plain in _TEX:
        text = pattern.sub(plain, text)
    return " ".join(text.split())


def _records(lines: Iterable[str], begins: re.Pattern[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of each record with the number of the first; what stands before the first record is none."""
    start, record = 0, list[str]()
    for number, line in enumerate(lines, start=1):
        if begins.match(line):
            if record:
                yield start, record
            start, record = number, []
        if start:
            record.append(line)
    if record:
        yield start, record


# ---------------------------------------------------------------- tables

#: Column names that say where the article is, looked at where the DOI's own cell is empty.
_LINKS = re.compile(r"\b(?:url|uri|link|extra|identifier)s?\b")
#: DOIs of something else than the article of the line.
_OTHERS_DOI = re.compile(r"\b(?:book|cited|references?|related|parent|data(?:set)?|supplement\w*)\b")
#: The end of old DOIs holds a semicolon that parts no cells.
_SICI_END = re.compile(r"(\.CO);(?=2-)", re.IGNORECASE)
#: Lines among which that of the column names is looked for.
_MOST_HEAD = 10
#: Lines that one entry may take: an abstract with its paragraphs. More means that a quotation mark stands alone.
_MAX_ENTRY_LINES = 500


class _Table:
    """Where in a table the DOI stands.

    Parameters
    ----------
    delimiter : str
    column : int
    width : int
        Cells of a line, for telling a cell of several lines from a quotation mark that stands alone.
    others : sequence of int
        Columns to look at where the DOI's own is empty.
    head : int
        Lines up to that of the names, which are no entries: some programs say before it what the table holds.
    """

    def __init__(self, delimiter: str, column: int, width: int, others: Sequence[int] = (), head: int = 1) -> None:
        self._delimiter = delimiter
        self._column = column
        self._width = width
        self._others = others
        self._head = head

    @classmethod
    def told_from(cls, beginning: Sequence[str]) -> _Table | None:
        """The table that a file begins with; None where it begins with none."""
        if not beginning:
            return None
        separator = re.fullmatch(r"\W*sep=(.)\W*", beginning[0], re.IGNORECASE)
        if separator:
            beginning = beginning[1:]
        delimiters = [separator[1]] if separator else _DELIMITERS
        for head in range(1, min(_MOST_HEAD, len(beginning)) + 1):
            tables = (cls._headed(beginning[head - 1 : head], each, head) for each in delimiters)
            headed = [table for table in tables if table is not None]
            if headed:
                return max(headed, key=lambda table: table._width)
            if plain_doi(beginning[head - 1]):
                break
        return next(filter(None, (cls._unheaded(beginning, each) for each in delimiters)), None)

    @classmethod
    def _headed(cls, beginning: Sequence[str], delimiter: str, head: int) -> _Table | None:
        row = next(_read(beginning, delimiter), [])
        names = [" ".join(re.sub(r"[_\W]+", " ", name).lower().split()) for name in row]
        column = _doi_column(names)
        if column is None or len(names) < _LEAST_COLUMNS or any(map(plain_doi, row)):
            return None
        others = [place for place, name in enumerate(names) if place != column and name == names[column]]
        others += [place for place, name in enumerate(names) if _LINKS.search(name) and place != column]
        return cls(delimiter, column, len(names), others, head)

    @classmethod
    def _unheaded(cls, beginning: Sequence[str], delimiter: str) -> _Table | None:
        """A table in which most lines have a DOI in the same cell, by itself."""
        rows = [[cell.strip() for cell in row] for row in _read(map(_masked, beginning), delimiter)]
        rows = [row for row in rows if len(row) > 1]
        places = Counter(place for row in rows for place, cell in enumerate(row) if _is_doi(cell))
        if sum(places.values()) > len(rows) or any(len(plain_dois(line)) > 1 for line in beginning):
            return None  # several DOIs a line: a list, wrapped
        if not places or max(places.values()) < _AGREEING * min(len(beginning), len(rows) + 1):
            return None
        return cls(delimiter, places.most_common(1)[0][0], Counter(map(len, rows)).most_common(1)[0][0])

    def entries(self, lines: Iterable[str]) -> Iterator[_Entry]:
        """One entry a line of the table; its header, empty lines and comments are none."""
        before = 0
        for number, row in self._rows(lines):
            words = " ".join(filter(None, (cell.strip() for cell in row)))
            if not words or words.startswith("#") or re.fullmatch(r"\W*sep=.?\W*", words, re.IGNORECASE):
                continue
            dois = next(filter(None, (plain_dois(row[c]) for c in (self._column, *self._others) if c < len(row))), [])
            before += 1
            if dois or before > self._head:
                yield number, dois, words

    def _rows(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Rows with the number of their first line; a lone quotation mark costs no line but its own."""
        source, waiting, number = iter(lines), deque[str](), 0
        while first := waiting.popleft() if waiting else next(source, ""):
            number += 1
            row, taken = self._parsed(first), 1
            text = first
            while row is None and taken < _MAX_ENTRY_LINES:
                if len(waiting) < taken:
                    more = next(source, "")
                    if not more:
                        break
                    waiting.append(more)
                text += waiting[taken - 1]
                taken += 1
                row = self._parsed(text)
            if row is None or (taken > 1 and len(row) != self._width):
                yield number, self._unquoted(first)
                continue
            yield number, row
            for _ in range(taken - 1):
                waiting.popleft()
            number += taken - 1

    def _parsed(self, text: str) -> list[str] | None:
        """The cells of a row; None where a quotation is still open at its end."""
        try:
            return next(csv.reader([_masked(text)], delimiter=self._delimiter, strict=True), [])
        except csv.Error as error:
            return None if "unexpected end" in str(error) else self._unquoted(text)

    def _unquoted(self, line: str) -> list[str]:
        return [cell.strip(' "\r\n') for cell in _masked(line).split(self._delimiter)]


def _read(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """Rows up to the first that cannot be read."""
    with contextlib.suppress(csv.Error):
        yield from csv.reader(lines, delimiter=delimiter)


def _masked(line: str) -> str:
    return _SICI_END.sub(r"\1%3B", line)


def _is_doi(cell: str) -> bool:
    try:
        return bool(clean_doi(cell))
    except InputError:
        return False


def _doi_column(names: Sequence[str]) -> int | None:
    """The column that holds the articles' DOIs, by its name; None where none is named so."""
    for name in ("doi", "digital object identifier"):
        if name in names:
            return names.index(name)
    if "di" in names and "pt" in names:  # field tags of Web of Science
        return names.index("di")
    named = (
        place for place, name in enumerate(names) if re.search(r"\bdois?\b", name) and not _OTHERS_DOI.search(name)
    )
    return next(named, None)
