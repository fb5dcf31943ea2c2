"""`ide query`: ask the database, read-only."""

from __future__ import annotations

import click

from imagedataextractor.cli._output import print_csv, print_json, print_table
from imagedataextractor.cli.options import db_option
from imagedataextractor.errors import UsageError

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
    import imagedataextractor as ide
    from imagedataextractor.database import bound_query, values_of

    if show_list:
        _print_list(as_json)
        return
    if (sql is None) == (named is None):
        raise UsageError("query: give SQL, or --named NAME (--list shows the names)")
    if as_csv and as_json:
        raise UsageError("query: --csv or --json, not both")
    given = _parameters(params)
    with ide.open_database(db) as database:
        if named is not None:
            given = database.with_article_keys(given)
        statement, bound = (str(sql), values_of(given)) if named is None else bound_query(named, given)
        columns, rows = database.iterate(statement, bound)
        if as_csv:
            print_csv(columns, rows)
        elif as_json:
            print_json(columns, rows)
        else:
            print_table(columns, list(rows))


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    from imagedataextractor.database import with_plain_doi

    found = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"query: --param takes NAME=VALUE, not {item!r}")
        found[name.strip()] = value
    return with_plain_doi(found)


def _print_list(as_json: bool) -> None:
    from imagedataextractor.database import load_named_queries

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
