"""A database of measured particles, as it is asked from Python and the command line: read-only, but for `review`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.results import Rows, counted
from imagedataextractor.store import NamedQuery, Status, Store, load_named_queries, parameter_value, status_of
from imagedataextractor.store.export import CsvStyle, Selection, export, write_coco, write_csv, write_imagej
from imagedataextractor.store.view import VIEW
from imagedataextractor.telling import Tell

__all__ = ["Database", "bound_query", "load_named_queries", "values_of", "with_plain_doi"]

#: All corrections, with the pictures that they are of.
_CORRECTIONS = (
    "SELECT c.id, c.kind, f.image_path, c.image_sha256, c.details, c.made_by, c.made_at, c.why, c.undone_by, "
    "c.undone_at FROM corrections c LEFT JOIN (SELECT image_sha256, min(image_path) AS image_path FROM figures "
    "GROUP BY image_sha256) f ON f.image_sha256 = c.image_sha256 ORDER BY c.id"
)

#: Ending of a file → the format it stands for.
_ENDINGS = {".csv": "csv", ".parquet": "parquet", ".json": "coco", ".zip": "rois"}


#: Formats that are files, in words.
_IN_FILES = {"parquet": "Parquet", "rois": "a set of ROIs"}


class Database:
    """A database that cannot be changed through this; make one with `imagedataextractor.open_database`.

    Attributes
    ----------
    name : str
        Its address, without a password.

    Examples
    --------
    >>> import imagedataextractor as ide
    >>> with ide.open_database("particles.db") as db:  # doctest: +SKIP
    ...     sizes = db.query("SELECT ecd_nm FROM measured_particles WHERE accepted").to_pandas()
    """

    def __init__(self, url: str, *, migrate: bool = False) -> None:
        if migrate:
            Store.open(url, create=False).close()
        self._url = url
        self.store = Store.open(url, read_only=True)
        self.name = self.store.name

    def query(self, sql: str, /, **params: Any) -> Rows:
        """The answer to a statement of SQL.

        Parameters
        ----------
        sql : str
            One SELECT; parameters are written ``:name``. The view measured_particles has one row a particle.
        **params
            Their values.

        Raises
        ------
        UsageError
            The statement is wrong, or would change something.
        StoreError
            The database cannot be read.
        """
        names, rows = self.iterate(sql, params)
        return Rows(names, list(rows))

    def iterate(self, sql: str, params: Mapping[str, Any] | None = None) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """As `query`, but the rows come one after the other: names of the columns, and an iterator."""
        names, rows = self.store.iterate(sql, params)
        if not names:
            raise UsageError("query: there is no question in it; write a SELECT")
        return names, rows

    def named(self, name: str, /, **params: Any) -> Rows:
        """The answer to a query that comes with the program; see `queries`.

        Raises
        ------
        UsageError
            There is no such query, or a parameter is missing or unknown.
        """
        sql, bound = bound_query(name, self.with_article_keys({key: str(value) for key, value in params.items()}))
        return self.query(sql, **bound)

    def with_article_keys(self, params: Mapping[str, str]) -> dict[str, str]:
        """Parameters in which a picture that is named where a DOI is asked for is what the tables know it by.

        Raises
        ------
        InputError
            It is several pictures.
        """
        from imagedataextractor.articles.dois import plain_dois
        from imagedataextractor.pictures import article_key

        found = dict(params)
        if "doi" in found and not plain_dois(found["doi"]):
            found["doi"] = article_key(self.store, found["doi"])
        return found

    @property
    def queries(self) -> dict[str, NamedQuery]:
        """The queries that come with the program, by name."""
        return load_named_queries()

    def particles(self, *, accepted: bool = False) -> Rows:
        """The view measured_particles, one row a particle.

        Parameters
        ----------
        accepted : bool
            Only the accepted ones.
        """
        columns = ", ".join(column.name for column in VIEW)
        return self.query(f"SELECT {columns} FROM measured_particles" + (" WHERE accepted" if accepted else ""))

    def corrections(self) -> Rows:
        """What people said of pictures, first first; ``details`` is JSON, and ``undone_at`` says what holds no more."""
        return self.query(_CORRECTIONS)

    def status(self, run: str | None = None, *, failures: int = 20) -> Status:
        """What a run (the last one by default) has done, what failed, and why.

        Raises
        ------
        UsageError
            There is no such run.
        """
        found = status_of(self.store, run, failures=failures)
        if run is not None and found.run is None:
            raise UsageError(f"status: there is no run {run!r} in {self.name}")
        return found

    def export(
        self,
        out: str | Path | None,
        *names: str | Path,
        format: str | None = None,
        accepted: bool = False,
        columns: Sequence[str] = (),
        digits: int | None = None,
        bom: bool = False,
    ) -> int:
        """Write the measured particles to a file for other programs.

        Parameters
        ----------
        out : path or None
            None writes to the standard output.
        *names : str or path
            Only these pictures, folders, DOIs; by default all.
        format : {"csv", "parquet", "coco", "imagej", "rois"}, optional
            By default what the ending of `out` says; CSV on the standard output. "imagej" is a table of ImageJ's
            results, "rois" a .zip for its ROI Manager, of one picture.
        accepted : bool
            Only the accepted particles.
        columns : sequence of str
            Of the view measured_particles, for CSV, in this order; by default all.
        digits : int, optional
            Significant digits, for CSV; by default all.
        bom : bool
            Begin a CSV file with a byte order mark, by which Excel knows UTF-8.

        Returns
        -------
        int
            Particles written.

        Raises
        ------
        UsageError
            No such format or column, its library is not installed, or ROIs of several pictures are asked for.
        InputError
            The file cannot be written, or the database has nothing of a name.
        """
        from imagedataextractor.pictures import figures_named

        format = format or ("csv" if out is None else _format_of(Path(out)))
        style = CsvStyle(tuple(columns), digits, bom)
        if format != "csv" and style != CsvStyle():
            raise UsageError("export: columns, digits and the byte order mark are for CSV")
        figures = [figure.figure_id for name in names for figure in figures_named(self.store, name)] if names else None
        if format == "rois":
            self._check_one_picture(figures)
        if out is not None:
            return export(self.store, format, Path(out), accepted_only=accepted, figures=figures, style=style)
        chosen = Selection(accepted, figures)
        match format:
            case "csv":
                return write_csv(self.store, sys.stdout, chosen, style)
            case "coco":
                return write_coco(self.store, sys.stdout, chosen)
            case "imagej":
                return write_imagej(self.store, sys.stdout, chosen)
        raise UsageError(f"export: {_IN_FILES.get(format, format)} is written to a file; give --out FILE")

    def _check_one_picture(self, figures: Sequence[int] | None) -> None:
        """ROIs lie on one picture, and the ROI Manager lays a set over the one that is open."""
        ((count,),) = self.store.query(
            "SELECT count(DISTINCT n.figure_id) FROM panels n JOIN segmentations s ON s.panel_id = n.id "
            f"WHERE s.is_current{Selection(figures=figures).of_tables()}"
        )[1]
        if count > 1:
            raise UsageError(f"export: ROIs belong to one picture, and there are {count:,}; name one")

    def export_reviewed(self, out: str | Path | None) -> tuple[int, list[str]]:
        """Write the panels that a person looked at as training data, in the EMPS layout.

        Parameters
        ----------
        out : path
            A folder for ``images/`` and ``segmaps/``.

        Returns
        -------
        written : int
            Panels.
        left_out : list of str
            Which were not written, and why.

        Raises
        ------
        UsageError
            No folder is named.
        InputError
            No panel was reviewed, or the folder cannot be written.
        """
        from imagedataextractor.review.emps import export_emps

        if out is None:
            raise UsageError("export: emps is written into a folder; give --out FOLDER")
        return export_emps(self.store, Path(out))

    def report(self, out: str | Path, *names: str | Path, max_panels: int | None = None) -> Any:
        """Write overlays, size distributions, statistics, failures and provenance into one HTML file.

        Parameters
        ----------
        out : path
        *names : str or path
            Only these pictures, folders, DOIs; by default all.
        max_panels : int, optional
            Panels that are shown, some 100 kB each; the totals are of all.

        Returns
        -------
        report.rows.ReportRows
            What it shows.
        """
        from imagedataextractor.report.html import MAX_PANELS, write_report

        return write_report(self._url, out, names=names, max_panels=MAX_PANELS if max_panels is None else max_panels)

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8001,
        pictures: str | Path | None = None,
        report: Tell = print,
    ) -> None:
        """Browse it in a web browser, with Datasette, read-only; it ends with Ctrl-C.

        Parameters
        ----------
        host, port : str, int
            Where to listen; port 0 takes any free one.
        pictures : path, optional
            Folder of overlays, served below /pictures/.
        report : function of str
            Is told the address.

        Raises
        ------
        UsageError
            Datasette is not installed, the database is not SQLite, or the address is taken.
        """
        from imagedataextractor.review.serving import datasette_on, listen

        folder = None if pictures is None else Path(pictures)
        listen(datasette_on(self._url, pictures=folder), host, port, report=report)

    def review(self, *, port: int = 8002, report: Tell = print) -> None:
        """Look at its panels in a web browser on this machine, and correct them; it ends with Ctrl-C.

        A database of an older schema is brought up to date first. Parameters and errors are those of `serve`.
        """
        from imagedataextractor.review.serving import datasette_on, listen

        listen(datasette_on(self._url, review=True), "127.0.0.1", port, page="/-/review", report=report)

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        rows = status_of(self.store, failures=0).rows
        held = ", ".join(counted(rows[f"{thing}s"], thing) for thing in ("article", "measured panel", "particle"))
        return f"<Database {self.name}: {held}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{self.named('articles')._repr_html_()}"


def bound_query(name: str, given: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The SQL of a named query, and its parameters: what is given over the defaults.

    Raises
    ------
    UsageError
        There is no such query, or a parameter is missing or unknown.
    """
    queries = load_named_queries()
    if name not in queries:
        raise UsageError(f"query: no named query is called {name!r}; there are: {', '.join(queries)}")
    return queries[name].sql, queries[name].bind(given)


def with_plain_doi(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters with the DOI, as people paste it, in the form of the tables; a pattern or the like as it is given."""
    from imagedataextractor.articles.dois import clean_doi

    found = dict(params)
    if "doi" in found:
        with contextlib.suppress(InputError):
            found["doi"] = clean_doi(found["doi"])
    return found


def values_of(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters written as text, as they are meant."""
    return {name: parameter_value(value) for name, value in given.items()}


def _format_of(out: Path) -> str:
    """The format that the ending of a file's name stands for."""
    ending = out.suffix.lower()
    if ending not in _ENDINGS:
        raise UsageError(f"export: {out}: no format ends in {ending!r}; use {', '.join(_ENDINGS)}, or give --format")
    return _ENDINGS[ending]
