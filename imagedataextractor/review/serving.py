"""A Datasette on a database of ours, with the plugin of this package."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagedataextractor.errors import UsageError
from imagedataextractor.measurement.columns import COLUMNS
from imagedataextractor.resources import resource_path
from imagedataextractor.review.named import canned_queries
from imagedataextractor.store import Store
from imagedataextractor.store.schema import column_texts
from imagedataextractor.store.view import VIEW
from imagedataextractor.telling import Tell, tell_nobody

if TYPE_CHECKING:
    from datasette.app import Datasette

__all__ = ["PLUGIN", "datasette_metadata", "datasette_on", "listen"]

#: Name of the plugin's settings in Datasette's metadata.
PLUGIN = "imagedataextractor"

#: Milliseconds that a question and a facet may take. Datasette's own limits are for pages open to the world.
_SETTINGS = {"sql_time_limit_ms": 20_000, "facet_time_limit_ms": 2_000, "default_page_size": 50}


def datasette_on(db: str, *, pictures: Path | None = None, review: bool = False) -> Datasette:
    """A Datasette application on an SQLite database.

    Parameters
    ----------
    db : str
        Its address.
    pictures : path, optional
        A folder that is served below /pictures/.
    review : bool
        With the pages that correct.

    Raises
    ------
    UsageError
        Datasette is not installed, or the database is not SQLite.
    StoreError
        The database cannot be read.
    """
    if importlib.util.find_spec("datasette") is None:
        raise UsageError("Datasette is not installed: pip install 'imagedataextractor[serve]'")
    from datasette.app import Datasette
    from datasette.plugins import pm

    from imagedataextractor.review import plugin

    if review:
        Store.open(db, create=False).close()  # brings an older schema up to date: corrections are written
    with Store.open(db, read_only=True) as store:
        if store.url.drivername != "sqlite":
            raise UsageError("Datasette reads SQLite files; for PostgreSQL use `ide query` or psql")
        file = str(Path(str(store.url.database)).absolute())
    if not pm.is_registered(plugin):
        pm.register(plugin, plugin.__name__)
    name = Path(file).stem
    metadata = datasette_metadata(name)
    metadata["plugins"] = {PLUGIN: {"file": file, "database": name, "review": review}}
    mounts = [] if pictures is None else [("pictures", str(pictures.absolute()))]
    return Datasette([file], metadata=metadata, settings=_SETTINGS, static_mounts=mounts)


def datasette_metadata(database: str) -> dict[str, Any]:
    """What Datasette says about a database: titles, columns and units, facets, and the named queries."""
    content: dict[str, Any] = json.loads(resource_path("db", "datasette.json").read_text(encoding="utf-8"))
    tables = content.pop("tables")
    tables["measured_particles"]["columns"] = column_texts(VIEW)
    tables["particles"]["columns"] = column_texts(COLUMNS)
    content["databases"] = {database: {"tables": tables, "queries": canned_queries()}}
    return content


def listen(application: Datasette, host: str, port: int, *, page: str = "/", report: Tell = tell_nobody) -> None:
    """Serve until Ctrl-C.

    Raises
    ------
    UsageError
        The address is taken, or not of this machine.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
            door.listen()
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be used ({error.strerror or error}); choose another --port"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        report(f"http://{shown}:{door.getsockname()[1]}{page}   (Ctrl-C ends it)")
        config = uvicorn.Config(application.app(), log_level="warning", lifespan="on")
        uvicorn.Server(config).run(sockets=[door])
