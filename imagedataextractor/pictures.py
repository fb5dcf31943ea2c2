"""Pictures as people name them: files, folders, DOIs; and tables of theirs with a line a picture.

Whatever takes a DOI takes the other names too. A table is a CSV file with a column `file`, and `panel` where a line
speaks of one panel; what the other columns mean is its reader's business.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagedataextractor.articles.dois import plain_dois
from imagedataextractor.errors import InputError
from imagedataextractor.files import decoded
from imagedataextractor.images import sha256_of
from imagedataextractor.store import Store

__all__ = [
    "NamedFigure",
    "PictureLine",
    "PictureTable",
    "article_key",
    "distinct_names",
    "figures_named",
    "read_picture_table",
]

#: Hexadecimal digits by which a picture may be named at least.
_SHORTEST_SHA256 = 8
#: What separates the columns of tables that spreadsheets write, by country and program.
_DELIMITERS = ",;\t"


# ---------------------------------------------------------------- in the database


@dataclass(frozen=True)
class NamedFigure:
    """A picture in the database: where it is, and the row of `figures`."""

    figure_id: int
    article: str
    doi: str | None
    label: str
    image_path: str | None
    image_sha256: str | None

    @property
    def name(self) -> str:
        return f"{self.doi} / {self.label}" if self.doi else self.image_path or f"{self.article} / {self.label}"


_FIGURES = (
    "SELECT f.id, a.key, a.doi, f.label, f.image_path, f.image_sha256 "
    "FROM figures f JOIN articles a ON a.id = f.article_id WHERE "
)


def figures_named(store: Store, name: str | Path) -> list[NamedFigure]:
    """The pictures of that name, in the order of the database.

    Parameters
    ----------
    store : Store
    name : str or path
        A file, a folder, a path or its ending as the database has it, a SHA-256 or its beginning, a DOI, or an
        article's key. The first of these that finds something says what was meant.

    Raises
    ------
    InputError
        The database has nothing of that name.
    """
    given = str(name)
    for look in (_by_file, _by_folder, _by_path, _by_article, _by_sha256):
        found = look(store, given)
        if found:
            return found
    raise InputError(f"{given}: no such picture, folder or article in {store.name}; `ide extract` measures it first")


def article_key(store: Store, name: str) -> str:
    """DOI or key of the one article, or picture by itself, that is named.

    Raises
    ------
    InputError
        There is none, or there are several.
    """
    found = figures_named(store, name)
    keys = list(dict.fromkeys(figure.doi or figure.article for figure in found))
    if len(keys) > 1:
        names = ", ".join(dict.fromkeys(figure.name for figure in found[:4]))
        raise InputError(f"{name}: is {len(keys)} pictures or articles ({names}, …); name one")
    return keys[0]


def _ask(store: Store, where: str, **given: str) -> list[NamedFigure]:
    return [NamedFigure(*row) for row in store.query(f"{_FIGURES}{where} ORDER BY f.id", given)[1]]


def _by_file(store: Store, name: str) -> list[NamedFigure]:
    if not Path(name).is_file():
        return []
    found = _ask(store, "f.image_sha256 = :sha256", sha256=sha256_of(Path(name)))
    return found or _ask(store, "a.path = :path", path=os.path.abspath(name))


def _by_folder(store: Store, name: str) -> list[NamedFigure]:
    if not Path(name).is_dir():
        return []
    below = os.path.join(_escaped(os.path.abspath(name)), "%")
    return _ask(store, "f.image_path LIKE :below ESCAPE '\\' OR a.path LIKE :below ESCAPE '\\'", below=below)


def _by_path(store: Store, name: str) -> list[NamedFigure]:
    return _ask(
        store,
        "f.image_path = :name OR f.image_path LIKE :ending ESCAPE '\\'",
        name=name,
        ending=f"%/{_escaped(name)}",
    )


def _by_article(store: Store, name: str) -> list[NamedFigure]:
    dois = plain_dois(name)
    where = "a.key = :name OR a.doi IN (:doi, :given)"
    return _ask(store, where, name=name, doi=dois[0] if dois else "", given=name.lower())


def _by_sha256(store: Store, name: str) -> list[NamedFigure]:
    if len(name) < _SHORTEST_SHA256 or not set(name.lower()) <= set("0123456789abcdef"):
        return []
    return _ask(store, "f.image_sha256 LIKE :start", start=f"{name.lower()}%")


def _escaped(name: str) -> str:
    """A name in which LIKE sees no pattern."""
    return name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# ---------------------------------------------------------------- in a table


@dataclass(frozen=True)
class PictureLine:
    """One line of a table: of which picture, of which of its panels (None: all), and what it says."""

    number: int
    file: str
    panel: str | None
    values: tuple[tuple[str, str], ...]

    def __getitem__(self, column: str) -> str:
        """What stands in a column; empty where nothing does."""
        return dict(self.values).get(column, "")


@dataclass(frozen=True)
class PictureTable:
    """A table with a line a picture.

    Attributes
    ----------
    path : Path
    columns : tuple of str
        All but `file` and `panel`, in small letters.
    lines : tuple of PictureLine
    """

    path: Path
    columns: tuple[str, ...]
    lines: tuple[PictureLine, ...]

    def line_of(self, picture: str | Path, label: str | None = None, index: int = 0) -> PictureLine | None:
        """The line that speaks of a panel; one that names the panel comes before one of the whole picture.

        Parameters
        ----------
        picture : path
        label : str, optional
            The panel's letter.
        index : int
            Its number, from 0.
        """
        names = {str(index + 1), *([label.lower()] if label else [])}
        of_picture = [line for line in self.lines if self.is_of(line, picture)]
        named = [line for line in of_picture if line.panel is not None and line.panel.lower() in names]
        whole = [line for line in of_picture if line.panel is None]
        return next(iter([*named, *whole]), None)

    def is_of(self, line: PictureLine, picture: str | Path) -> bool:
        """Whether a line speaks of a picture: by its path from the table's folder or here, or by the path's ending."""
        path = Path(os.path.abspath(picture))
        for base in (self.path.parent, Path()):
            if (known := Path(os.path.abspath(base / line.file))).exists():
                return known == path
        parts = Path(line.file).parts
        return path.parts[-len(parts) :] == parts


def read_picture_table(path: str | Path, needed: Sequence[str] = ()) -> PictureTable:
    """Read a CSV file with a line a picture.

    Parameters
    ----------
    path : path
        With a column `file`; separated by commas, semicolons or tabs, in UTF-8, UTF-16 or Windows' own encoding.
    needed : sequence of str
        Columns of which one at least has to be there.

    Raises
    ------
    InputError
        It cannot be read, has no such columns, or a line names no file.
    """
    path = Path(path)
    try:
        content = decoded(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    head = content.splitlines()[0] if content.strip() else ""
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        names, *rows = list(csv.reader(io.StringIO(content), delimiter=delimiter)) or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV file ({error})") from error
    names = [name.strip().lower() for name in names]
    if "file" not in names or len(set(names)) < len(names):
        raise InputError(f"{path}: its first line names the columns, each once, one of them 'file'; not {head[:80]!r}")
    columns = tuple(name for name in names if name not in ("file", "panel", ""))
    if needed and not set(needed) & set(columns):
        raise InputError(f"{path}: has no column {' or '.join(needed)}")
    lines = []
    for number, row in enumerate(rows, 2):
        cells = {name: cell.strip() for name, cell in zip(names, row, strict=False)}
        if not any(cells.values()):
            continue
        if len(row) > len(names):
            raise InputError(f"{path}, line {number}: has {len(row)} cells for {len(names)} columns; quote text")
        if not cells["file"]:
            raise InputError(f"{path}, line {number}: names no file")
        values = tuple((name, cells.get(name, "")) for name in columns)
        file = cells["file"].replace("\\", "/")
        lines.append(PictureLine(number, file, cells.get("panel") or None, values))
    return PictureTable(path, columns, tuple(lines))


def distinct_names(paths: Sequence[str]) -> Mapping[str, str]:
    """Folders by their last names, and as many of those above as tell them apart; what is no path as it is."""
    names = {path: Path(path).name or path for path in paths if os.path.isabs(path)}
    for depth in range(2, max((len(Path(path).parts) for path in names), default=0) + 1):
        counts = [*names.values()]
        twice = [path for path, name in names.items() if counts.count(name) > 1]
        if not twice:
            break
        names.update((path, "/".join(Path(path).parts[-depth:])) for path in twice)
    return names
