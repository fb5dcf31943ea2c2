"""How often sizes that articles state in their text are found, and given to the right figure.

    python benchmarks/stated_sizes.py [--data ../shared]

Of the articles in tests/articles/data/stated_sizes.json, labelled by hand, those that lie in DATA/samples.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from imagedataextractor.articles.read import read_article

LABELS = Path(__file__).parent.parent / "tests" / "articles" / "data" / "stated_sizes.json"

Stated = tuple[str, float]


def found_in(path: Path) -> set[Stated]:
    """Figure and mean, nm, of every size that is taken from the text of an article."""
    return {
        (figure.label, round(statement.mean_nm, 3))
        for figure in read_article(path).figures
        for statement in figure.facts.size_statements
        if statement.source == "text" and statement.mean_nm is not None
    }


def score(samples: Path) -> tuple[int, int, int, list[str]]:
    """Right, found and stated sizes, and a line for each that is wrong or missed."""
    right = found = stated = 0
    lines = []
    for name, listed in json.loads(LABELS.read_text(encoding="utf-8"))["articles"].items():
        paths = sorted(samples.rglob(f"{name}*.xml"))
        if not paths:
            continue
        wanted, got = {(figure, float(mean)) for figure, _, mean, _ in listed}, found_in(paths[0])
        right, found, stated = right + len(wanted & got), found + len(got), stated + len(wanted)
        lines += [f"missed: {name} {figure}, {mean:g} nm" for figure, mean in sorted(wanted - got)]
        lines += [f"wrong: {name} {figure}, {mean:g} nm" for figure, mean in sorted(got - wanted)]
    return right, found, stated, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared"))
    right, found, stated, lines = score(parser.parse_args().data / "samples")
    print("\n".join(lines))
    print(f"{stated} stated, {found} found, {right} of them right")


if __name__ == "__main__":
    main()
