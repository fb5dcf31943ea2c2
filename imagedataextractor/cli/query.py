"""`ide query`: ask the database, read-only."""

from __future__ import annotations

import click

from imagedataextractor.articles.dois import clean_doi
from imagedataextractor.cli._output import print_csv, print_json, print_table
from imagedataextractor.cli.options import db_option
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.settings import load_settings
from imagedataextractor.store import NamedQuery, Store, load_named_queries, parameter_value

__all__ = ["command"]


@click.command("query")
@click.argument("sql", required=False)
@click.option("--named", metavar="NAME", help="A query that comes with the program; --list shows them.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter (:NAME in the SQL).")
@click.option("--list", "show_list", is_flag=True, help="The named queries and their parameters.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@db_option
def command(
    sql: str | None,
    named: str | None,
    params: tuple[str, ...],
    show_list: bool,
    as_csv: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """Ask the database in SQL, or by the name of a kept query.

    The database is opened so that it cannot be changed. The view measured_particles has one row a
    particle, with its article, figure and panel.

    \b
    ide query "SELECT doi, count(*) FROM measured_particles WHERE accepted GROUP BY doi"
    ide query --named largest-particles --param limit=5
    """  # noqa: D301
    if show_list:
        _print_list(as_json)
        return
    if (sql is None) == (named is None):
        raise UsageError("query: give SQL, or --named NAME (--list shows the names)")
    if as_csv and as_json:
        raise UsageError("query: --csv or --json, not both")
    given = _parameters(params)
    if named is not None:
        query = _named(named)
        statement, bound = query.sql, query.bind(given)
    else:
        statement, bound = str(sql), {name: parameter_value(value) for name, value in given.items()}
    with Store.open(db or load_settings().db, read_only=True) as store:
        columns, rows = store.iterate(statement, bound)
        if not columns:
            raise UsageError("query: there is no question in it; write a SELECT")
        if as_csv:
            print_csv(columns, rows)
        elif as_json:
            print_json(columns, rows)
        else:
            print_table(columns, list(rows))


def _named(name: str) -> NamedQuery:
    queries = load_named_queries()
    if name not in queries:
        raise UsageError(f"query: no named query is called {name!r}; there are: {', '.join(queries)}")
    return queries[name]


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"query: --param takes NAME=VALUE, not {item!r}")
        found[name.strip()] = _doi_or_value(value) if name.strip() == "doi" else value
    return found


def _doi_or_value(value: str) -> str:
    """A DOI as people paste it in the form of the database; a pattern or the like as it is given."""
    try:
        return clean_doi(value)
    except InputError:
        return value


def _print_list(as_json: bool) -> None:
    rows = [
        (
            query.name,
            ", ".join(name if value is None else f"{name}={value}" for name, value in query.parameters.items()),
            query.description,
        )
        for query in load_named_queries().values()
    ]
    columns = ("name", "parameters", "answers")
    if as_json:
        print_json(columns, rows)
        return
    for name, parameters, description in rows:
        click.echo(f"{name}{f' ({parameters})' if parameters else ''}\n    {description}")
