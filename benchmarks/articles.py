"""What the readers find in the sample articles, and how long it takes.

    python benchmarks/articles.py

XML is checked against an independent walk over the file: figures, labels, captions word by word, graphics.
A PDF is checked against the XML of the same name: labels, captions (similarity of their letters), areas
(against those of the pictures that the PDF holds).
"""

from __future__ import annotations

import argparse
import difflib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from imagedataextractor.articles.read import read_article
from imagedataextractor.records import Article

#: Similarity from which a caption read from a PDF counts as right: what fonts without codes lose stays below 5 %.
RIGHT_CAPTION = 0.95


def letters(text: str) -> str:
    """A text without what formats render differently: spaces, signs, case."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def timed(path: Path) -> tuple[Article, float]:
    """An article, and the CPU seconds that reading it took."""
    before = time.process_time()
    article = read_article(path)
    return article, time.process_time() - before


def xml_rows(folder: Path) -> Iterator[str]:
    """One line an XML file: how many figures are whole, of how many."""
    for path in sorted([*folder.glob("jats*/**/*.xml")]):
        article, seconds = timed(path)
        parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
        figures = list(etree.parse(path, parser).iter("{*}fig"))
        read = {figure.id: figure for figure in article.figures}
        labels = captions = graphics = 0
        for element in figures:
            figure = read.get(element.get("id"))
            caption = element.find("{*}caption")
            words = letters("".join(caption.itertext())) if caption is not None else ""
            labels += figure is not None and figure.label == element.findtext("{*}label")
            captions += figure is not None and letters(figure.caption) == words
            graphics += figure is not None and len(figure.graphics) == len(list(element.iter("{*}graphic")))
        yield row(path, len(figures), labels, captions, graphics, article, seconds)


def pdf_rows(folder: Path) -> Iterator[str]:
    """One line a PDF that has its XML twin."""
    for path in sorted(folder.glob("pdf/*.pdf")):
        twin = folder / "jats" / path.stem / f"{path.stem}.xml"
        if not twin.is_file():
            continue
        article, seconds = timed(path)
        truth = read_article(twin)
        read = {letters(figure.label): figure for figure in article.figures}
        labels = captions = graphics = 0
        for figure in truth.figures:
            found = read.get(letters(figure.label))
            labels += found is not None
            if found is not None:
                matcher = difflib.SequenceMatcher(None, letters(found.caption), letters(figure.caption), autojunk=False)
                captions += matcher.ratio() >= RIGHT_CAPTION
                graphics += bool(found.graphics)
        yield row(path, len(truth.figures), labels, captions, graphics, article, seconds)


def html_rows(folder: Path) -> Iterator[str]:
    """One line a page, against the figures that its own anchors name."""
    for path in sorted(folder.glob("html/*/*.html")):
        article, seconds = timed(path)
        anchors = set(re.findall(r'id="((?:Fig|Sch)\d+)"', path.read_text(encoding="utf-8")))
        whole = [f for f in article.figures if len(f.caption) > 20 and f.caption == f.caption.strip()]
        graphics = sum(len(f.graphics) == 1 for f in article.figures)
        yield row(path, len(anchors), len(article.figures), len(whole), graphics, article, seconds)


def row(path: Path, figures: int, labels: int, captions: int, graphics: int, article: Article, seconds: float) -> str:
    em = sum(figure.facts.is_em for figure in article.figures)
    panels = sum(len(figure.facts.subcaptions) for figure in article.figures)
    cells = f"{figures:8d}{labels:8d}{captions:10d}{graphics:10d}{em:5d}{panels:8d}{seconds * 1000:9.0f}"
    return f"{path.name[:34]:34s}{cells}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared"), help="folder with samples/ (default: %(default)s)"
    )
    folder = parser.parse_args().data / "samples"
    names = (("figures", 8), ("labels", 8), ("captions", 10), ("graphics", 10), ("EM", 5), ("panels", 8), ("CPU ms", 9))
    print("file".ljust(34) + "".join(name.rjust(width) for name, width in names))
    for rows in (xml_rows, html_rows, pdf_rows):
        for line in rows(folder):
            print(line)


if __name__ == "__main__":
    main()
