"""How often the material of a panel is right: the labels of tests/articles/data/materials.json.

    python benchmarks/materials.py [--half development|"held out"] [--show]

A panel counts as right where the name given is one of those labelled for it. Precision is the share of the names
given that are right, recall the share of the labelled panels whose name is given and right.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.articles.materials import Words
from imagedataextractor.articles.read import read_article
from imagedataextractor.records import CaptionFacts, MaterialStatement

ROOT = Path(__file__).parents[1]
LABELS = ROOT / "tests" / "articles" / "data" / "materials.json"
SAMPLES = ROOT.parent / "shared" / "samples"


@functools.cache
def articles_at_hand() -> dict[str, list[CaptionFacts]]:
    """DOI → what the captions of its figures tell, of the articles in the shared data."""
    found = {}
    for path in sorted(
        (*SAMPLES.glob("jats/**/*.xml"), *SAMPLES.glob("jats_xml_only/*.xml"), *SAMPLES.glob("html/*/*.html"))
    ):
        article = read_article(path)
        if article.doi:
            found[article.doi] = [figure.facts for figure in article.figures]
    return found


def judged(half: str) -> Iterator[tuple[str, dict[str, object], MaterialStatement | None]]:
    """DOI, label and statement of each labelled panel."""
    at_hand = articles_at_hand()
    for entry in json.loads(LABELS.read_text(encoding="utf-8"))["articles"]:
        if entry["half"] != half:
            continue
        if "captions" in entry:
            words = Words.of(entry["title"], "", entry["captions"].values())
            facts = {int(n): parse_caption(caption, words=words) for n, caption in entry["captions"].items()}
        else:
            facts = dict(enumerate(at_hand.get(entry["doi"], ())))
        for label in entry["panels"]:
            if label["figure"] in facts:
                yield entry["doi"], label, facts[label["figure"]].materials.get(label["panel"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=["development", "held out"], default="development")
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    options = parser.parse_args()
    sources: Counter[tuple[str, bool]] = Counter()
    panels = given = right = 0
    for doi, label, statement in judged(options.half):
        panels += 1
        given += statement is not None
        is_right = statement is not None and statement.name in label["materials"]
        right += is_right
        if statement is not None:
            sources[statement.source, is_right] += 1
        if options.show and not is_right:
            print(
                doi,
                label["figure"],
                label["panel"],
                label["materials"][:3],
                statement and (statement.name, statement.source),
            )
    print(
        f"{options.half}: {panels} panels, precision {right / max(given, 1):.3f}, recall {right / max(panels, 1):.3f}"
    )
    for source in ("sub-caption", "caption", "title", "abstract"):
        count = sources[source, True] + sources[source, False]
        print(f"  {source}: {sources[source, True]} of {count}")


if __name__ == "__main__":
    main()
