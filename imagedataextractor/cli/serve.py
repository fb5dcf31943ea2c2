"""`ide serve`: Datasette on the database."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from imagedataextractor.cli.options import db_option
from imagedataextractor.errors import UsageError
from imagedataextractor.measurement.columns import COLUMNS
from imagedataextractor.resources import resource_path
from imagedataextractor.settings import load_settings
from imagedataextractor.store import Store, load_named_queries
from imagedataextractor.store.schema import column_texts
from imagedataextractor.store.view import VIEW

__all__ = ["command"]


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True)
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of overlays (`ide extract --pictures`), served below /pictures/.",
)
@db_option
def command(host: str, port: int, pictures: Path | None, db: str | None) -> None:
    """Browse the database in a web browser, with Datasette. Read-only; Ctrl-C ends it."""
    if importlib.util.find_spec("datasette") is None:
        raise UsageError("serve: Datasette is not installed: pip install 'imagedataextractor[serve]'")
    with Store.open(db or load_settings().db, read_only=True) as store:
        if store.url.drivername != "sqlite":
            raise UsageError("serve: Datasette reads SQLite files; for PostgreSQL use `ide query` or psql")
        file = str(Path(str(store.url.database)).absolute())
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        metadata.write_text(json.dumps(datasette_metadata(Path(file).stem)), encoding="utf-8")
        arguments = [sys.executable, "-m", "datasette", "serve", file, "--host", host, "--port", str(port)]
        arguments += ["--metadata", str(metadata)]
        if pictures is not None:
            arguments += ["--static", f"pictures:{pictures.absolute()}"]
        code = subprocess.run(arguments, check=False).returncode
    raise click.exceptions.Exit(code)


def datasette_metadata(database: str) -> dict[str, Any]:
    """What Datasette says about a database: titles, columns and units, and the named queries."""
    content: dict[str, Any] = json.loads(resource_path("db", "datasette.json").read_text(encoding="utf-8"))
    queries = {
        query.name: {"sql": query.sql, "description": query.description, "params": list(query.parameters)}
        for query in load_named_queries().values()
    }
    tables = content.pop("tables")
    tables["measured_particles"]["columns"] = column_texts(VIEW)
    tables["particles"]["columns"] = column_texts(COLUMNS)
    content["databases"] = {database: {"tables": tables, "queries": queries}}
    return content
