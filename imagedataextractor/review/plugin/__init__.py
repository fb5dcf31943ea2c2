"""The plugin of Datasette: named queries that run, pictures drawn on request, and the pages that correct.

In: Datasette's requests. Out: its answers, from the modules of `review`.
Datasette calls the functions marked `hookimpl`; `serving.datasette_on` registers this package with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from datasette import hookimpl
from datasette.utils import tilde_decode
from markupsafe import Markup

from imagedataextractor.review.named import EXAMPLES, served_name
from imagedataextractor.review.serving import PLUGIN
from imagedataextractor.store import load_named_queries
from imagedataextractor.store.functions import add_functions

if TYPE_CHECKING:
    from datasette.app import Datasette

__all__: list[str] = []

#: Of a result: the columns that lead to a particle's crop, and those that lead to the panel's overlay.
_TO_PARTICLE = frozenset({"particle", "label"})
_TO_PANEL = frozenset({"panel", "panel_index", "n_particles", "figure"})

_Asgi = Callable[..., Awaitable[None]]


@hookimpl  # type: ignore[untyped-decorator]
def prepare_connection(conn: sqlite3.Connection) -> None:
    """`median` and `sd` in every question."""
    add_functions(conn)


@hookimpl  # type: ignore[untyped-decorator]
def extra_css_urls(datasette: Datasette) -> list[str]:
    """What the tables look like."""
    return [datasette.urls.path(f"/-/static-plugins/{__name__}/tables.css")]


@hookimpl  # type: ignore[untyped-decorator]
def register_routes(datasette: Datasette) -> list[tuple[str, Callable[..., Any]]]:
    """The pages of this package."""
    from imagedataextractor.review.routes import routes

    return routes(review=bool(_config(datasette).get("review")))


@hookimpl  # type: ignore[untyped-decorator]
def render_cell(row: Any, value: Any, column: str, table: str | None, datasette: Datasette) -> Markup | None:
    """Particles lead to a crop of their micrograph, panels to their overlay, figures to their picture."""
    if value is None:
        return None
    path = _picture_path(row, column, table)
    if path is None:
        return None
    return Markup('<a href="{}">{}</a>').format(datasette.urls.path(path), value)


def _picture_path(row: Any, column: str, table: str | None) -> str | None:
    known = set(row.keys())
    segmentation = _plain(row["segmentation_id"]) if "segmentation_id" in known else None
    if table == "segmentations" and column == "n_particles":
        segmentation = _plain(row["id"])
    if table == "panels" and column == "panel_index":
        return f"/-/picture/panel/{row['id']}.png"
    if table == "figures" and column == "image_path":
        return f"/-/picture/figure/{row['id']}.png"
    if segmentation is None:
        return None
    if column in _TO_PARTICLE and (column == "particle" or table == "particles"):
        return f"/-/picture/particle/{segmentation}/{row[column]}.png"
    if column in _TO_PANEL:
        return f"/-/picture/segmentation/{segmentation}.png"
    return None


def _plain(value: Any) -> Any:
    """A value of a table page, where a foreign key comes with a label."""
    return value["value"] if isinstance(value, dict) else value


@hookimpl  # type: ignore[untyped-decorator]
def asgi_wrapper(datasette: Datasette) -> Callable[[_Asgi], _Asgi]:
    """Fill in what a call of a named query leaves out, so that its form shows what it was asked with."""

    def wrap(app: _Asgi) -> _Asgi:
        async def with_defaults(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                missing = await _missing_parameters(datasette, scope)
                if missing:
                    asked = scope.get("query_string", b"").decode("latin-1")
                    scope = {**scope, "query_string": "&".join(filter(None, [asked, urlencode(missing)])).encode()}
            await app(scope, receive, send)

        return with_defaults

    return wrap


async def _missing_parameters(datasette: Datasette, scope: Mapping[str, Any]) -> dict[str, Any]:
    database = _config(datasette).get("database")
    base, _, name = str(scope["path"]).lstrip("/").rpartition("/")
    if database is None or tilde_decode(base) != database:
        return {}
    query = next((q for q in load_named_queries().values() if name.partition(".")[0] == served_name(q.name)), None)
    if query is None:
        return {}
    given = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
    found = {}
    for parameter, default in query.parameters.items():
        if parameter in given:
            continue
        value = default if default is not None else await _example(datasette, database, parameter)
        if value is not None:
            found[parameter] = value
    return found


async def _example(datasette: Datasette, database: str, parameter: str) -> Any:
    if parameter not in EXAMPLES:
        return None
    row = (await datasette.get_database(database).execute(EXAMPLES[parameter])).first()
    return None if row is None else row[0]


def _config(datasette: Datasette) -> dict[str, Any]:
    """What `serving.datasette_on` said; nothing for another Datasette of the same process."""
    return dict(datasette.plugin_config(PLUGIN) or {})
