"""Pages made from the code: settings and named queries, so that they cannot fall behind it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def _comments(owner: type) -> dict[str, str]:
    """What stands as a comment above each field of a settings class."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getsource(owner).splitlines():
        text = line.strip()
        if text.startswith("#:") or (above and text.startswith("#")):
            above.append(text.lstrip("#: "))
        elif field := re.match(r"(\w+)\s*:", text):
            found[field[1]] = " ".join(above)
            above = []
        else:
            above = []
    return found


class _MarkdownDirective(SphinxDirective):
    def lines(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        holder = nodes.section()
        holder.document = self.state.document
        self.state.nested_parse(StringList(self.lines(), source=self.name), self.content_offset, holder)
        return holder.children


class SettingsTable(_MarkdownDirective):
    """Every key of the configuration file with its default and what it means."""

    def lines(self) -> list[str]:
        from imagedataextractor.settings import Settings

        lines: list[str] = []
        for field in dataclasses.fields(Settings):
            value: Any = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]
            if not dataclasses.is_dataclass(value):
                continue
            lines += ["", f"**[{field.name}]** {(inspect.getdoc(type(value)) or '').splitlines()[0]}", ""]
            lines += ["| key | default | meaning |", "| --- | --- | --- |"]
            comments = _comments(type(value))
            for key in dataclasses.fields(value):
                shown = "" if field.name == "keys" else f"`{getattr(value, key.name)!r}`"
                lines.append(f"| `{key.name}` | {shown} | {comments.get(key.name, '')} |")
        return lines


class QueriesTable(_MarkdownDirective):
    """Every named query with the question that it answers."""

    def lines(self) -> list[str]:
        from imagedataextractor.resources import resource_path

        lines = ["| name | question |", "| --- | --- |"]
        for path in sorted(resource_path("db", "queries").glob("*.sql")):
            head = [line[2:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("--")]
            lines.append(f"| `{path.stem}` | {head[0] if head else ''} |")
        return lines


class SchemaTables(_MarkdownDirective):
    """Every table of the database with its columns."""

    def lines(self) -> list[str]:
        from imagedataextractor.store.tables import metadata

        lines: list[str] = []
        for table in metadata.tables.values():
            lines += ["", f"**{table.name}**", "", "| column | type | refers to |", "| --- | --- | --- |"]
            for column in table.columns:
                target = next((key.column.table.name for key in column.foreign_keys), "")
                lines.append(f"| `{column.name}` | {str(column.type).lower()} | {target} |")
        return lines


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("schema-tables", SchemaTables)
    app.add_directive("settings-table", SettingsTable)
    app.add_directive("queries-table", QueriesTable)
    return {"parallel_read_safe": True}
