"""A private PostgreSQL server for the tests: made in a temporary folder, gone afterwards."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

_numbers = count(1)


@dataclass(frozen=True)
class Server:
    port: int
    user: str

    def new_database(self) -> str:
        """Make an empty database; its address."""
        import psycopg

        name = f"test{next(_numbers)}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def start_postgresql() -> Iterator[Server]:
    """Run a server in a temporary folder; skip the test where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'imagedataextractor[postgresql]')")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # The server refuses to run as root: then it runs as the user that its package made.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    user = "postgres" if as_user else getpass.getuser()
    # Not pytest's folder: that one is closed to all other users, and closed again at every start.
    with tempfile.TemporaryDirectory(prefix="ide-postgresql-") as folder:
        if as_user:
            shutil.chown(folder, "postgres")
        data, port = f"{folder}/data", _free_port()
        initdb = [str(programs / "initdb"), "-D", data, "-U", user, "--auth=trust", "--no-sync", "-E", "UTF8"]
        _call([*as_user, *initdb])
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=40"
        control = [*as_user, str(programs / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log"]
        _call([*control, "-o", options, "start"])
        try:
            yield Server(port, user)
        finally:
            _call([*control, "-m", "immediate", "stop"])


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        pytest.skip(f"PostgreSQL could not be started here: {(done.stderr or done.stdout).strip()[-300:]}")
