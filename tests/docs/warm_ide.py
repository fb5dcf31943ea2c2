"""`ide` and `python` without their start: a process with everything loaded forks a child for each command.

The guide calls `ide` some hundred times, and importing what it needs takes seconds. The stand-ins
that `warm` puts on the PATH hand their arguments, folder, environment and streams to that process; a child of it does
what the real command does, from its entry point on, and its exit code comes back.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Loaded before the first command.
LOADED = (
    "imagedataextractor.cli.extract", "imagedataextractor.cli.query", "imagedataextractor.extractor",
    "imagedataextractor.results", "imagedataextractor.pipeline", "imagedataextractor.mining.bulk",
    "imagedataextractor.report.html", "imagedataextractor.report.plots", "imagedataextractor.segmentation",
    "alembic.command", "matplotlib.pyplot", "onnxruntime", "pandas", "rapidocr", "scipy.optimize", "scipy.stats",
    "skimage.measure", "torch",
)  # fmt: skip

_STAND_IN = """#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    asked = json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    line.sendall(asked)
    sys.exit(int(line.makefile().read() or 70))
"""


@contextlib.contextmanager
def warm(folder: Path) -> Iterator[Path]:
    """A folder for the PATH with stand-ins of `ide` and `python`; they live as long as the context."""
    address = str(folder / "line")
    for name in ("ide", "python"):
        (folder / name).write_text(_STAND_IN.format(python=sys.executable, address=address, name=name))
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        number = listening.fileno()
        server = subprocess.Popen([sys.executable, __file__, str(number)], pass_fds=[number])
        try:
            yield folder
        finally:
            server.kill()
            server.wait()


def _serve(listening: socket.socket) -> None:
    for module in LOADED:
        importlib.import_module(module)
    while True:
        line, _ = listening.accept()
        if not os.fork():
            listening.close()
            _answer(line)
        line.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _answer(line: socket.socket) -> None:
    """In a child: be the command, tell its exit code, end."""
    head, streams, _, _ = socket.recv_fds(line, 8, 3)
    asked = b""
    while len(asked) < int.from_bytes(head, "big"):
        asked += line.recv(1 << 16)
    name, arguments, folder, environment = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (open(n, m, encoding="utf-8") for n, m in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = _exit_code(name, arguments)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    line.sendall(str(code).encode())
    line.close()
    os._exit(code)


def _exit_code(name: str, arguments: list[str]) -> int:
    try:
        if name == "ide":
            from imagedataextractor.cli import main

            sys.argv = ["ide", *arguments]
            main()
        else:
            _python(arguments)
    except SystemExit as left:
        if isinstance(left.code, str):
            print(left.code, file=sys.stderr)
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _python(arguments: list[str]) -> Any:
    """`python -m MODULE …` and `python FILE …`."""
    sys.path[0] = os.getcwd()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        return runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    sys.argv = arguments
    return runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
