"""`ide read`: what the readers see in an article."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagedataextractor.errors import IdeError

if TYPE_CHECKING:
    from imagedataextractor.results import ReadArticle

__all__ = ["command"]


@click.command("read")
@click.argument("articles", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ARTICLE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an article, on a line of its own.")
@click.option(
    "--figures",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where figure files lie, if not beside the article.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where figures cut out of PDFs are written (default: the cache folder).",
)
def command(articles: tuple[Path, ...], as_json: bool, figures: Path | None, out: Path | None) -> None:
    """Read articles (JATS or Elsevier XML, HTML, PDF): figures, captions, sub-captions.

    An ARTICLE is a file, or a folder that is searched for article files.
    """
    from imagedataextractor.api import find_articles, read_article

    paths, failures = find_articles(articles)
    for failure in failures:
        click.echo(f"ide: {failure.message}", err=True)
    failed = bool(failures)
    for path in paths:
        try:
            article = read_article(path, figures=figures, out=out)
        except IdeError as error:
            failed = True
            click.echo(f"ide: {error}", err=True)
            continue
        click.echo(json.dumps(article.as_dict(), ensure_ascii=False) if as_json else _as_text(article, path))
    if failed:
        raise click.exceptions.Exit(1)


def _as_text(article: ReadArticle, path: Path) -> str:
    lines = [f"{path}: {article.title}", f"  {article.about()}"]
    for figure in article.figures:
        kinds = ", ".join(figure.facts.techniques) or "no technique named"
        pictures = f"{len(figure.graphics)} picture{'' if len(figure.graphics) == 1 else 's'}"
        lines.append(f"  {figure.label}{' [EM]' if figure.facts.is_em else ''}: {kinds}; {pictures}")
        if figure.missing:
            lines.append(f"    not beside the article: {', '.join(figure.missing)}")
        if not figure.facts.subcaptions:
            lines.append(f"    {figure.caption}")
        lines += [f"    {letter}  {text}" for letter, text in figure.facts.subcaptions.items()]
    return "\n".join(lines)
