"""Write the answers into questions.md: below each block of SQL the table that `ide query` prints for it.

python docs/answer_questions.py sqlite:///examples/particles.db
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from pathlib import Path

from imagedataextractor.cli._output import print_table
from imagedataextractor.store import Store

PAGE = Path(__file__).parent / "questions.md"

#: A block of SQL, with the answer below it where there is one.
_QUESTION = re.compile(r"```sql\n(.*?)```\n(?:\n```text\n.*?```\n)?", re.DOTALL)


def answered(page: str, store: Store) -> str:
    """The page with all answers."""

    def with_answer(found: re.Match[str]) -> str:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            print_table(*store.query(found[1]))
        return f"```sql\n{found[1]}```\n\n```text\n{shown.getvalue()}```\n"

    return _QUESTION.sub(with_answer, page)


def main() -> None:
    """Ask the database that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("db")
    with Store.open(parser.parse_args().db, read_only=True) as store:
        PAGE.write_text(answered(PAGE.read_text(encoding="utf-8"), store), encoding="utf-8")


if __name__ == "__main__":
    main()
