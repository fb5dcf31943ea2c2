"""The code blocks of README and guide, as the tests run them.

A block is run unless an HTML comment right above it says why not::

    <!-- not run: network -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]

#: What may keep a block from being run, and what that means.
REASONS = {
    "network": "asks a service on the network",
    "installs": "installs or fetches software",
    "server": "stays in the foreground until it is stopped",
    "cluster": "wants machines beside this one",
    "hours": "trains, or measures on large data sets",
    "whole job": "is a job of CI's own",
}

_NOT_RUN = re.compile(r"<!--\s*not run:\s*(.+?)\s*-->\s*")


@dataclass(frozen=True)
class Block:
    page: Path
    #: Line of the fence, from 1.
    line: int
    language: str
    text: str
    #: One of `REASONS`; None: it is run.
    not_run: str | None

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """The README and every page of the guide that is written by hand."""
    made = {ROOT / "docs" / "columns.md"}
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if p not in made)]


def blocks_of(page: Path) -> Iterator[Block]:
    """Its code blocks from above to below; those of Sphinx's directives are none."""
    above: str | None = None
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            found = _NOT_RUN.fullmatch(token.content)
            above = found[1] if found else None
            continue
        if token.type in ("fence", "code_block") and token.map and not token.info.startswith("{"):
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content, above)
        if token.nesting <= 0 and token.type not in ("list_item_close",):
            above = None
