"""Every code and SQL block of README and guide does what it is shown to do."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import traceback
from typing import Any

import pytest
from markdown_blocks import REASONS, ROOT, Block, blocks_of, pages

from imagedataextractor.store import Store

BLOCKS = [block for page in pages() for block in blocks_of(page)]
LANGUAGES = {"bash", "python", "sql", "toml", "json", "text"}


def test_every_block_says_its_language_and_if_not_run_a_known_reason():
    assert [b.name for b in BLOCKS if b.language not in LANGUAGES] == []
    assert {b.name: b.not_run for b in BLOCKS if b.not_run is not None and b.not_run not in REASONS} == {}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.not_run is not None], ids=lambda b: b.name)
def test_block_is_not_run(block: Block):
    """One skipped test a block, so that their number is in every report of the tests."""
    pytest.skip(REASONS[block.not_run or ""])


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_blocks_of_a_page_run_in_their_order(page, workplace, monkeypatch):
    blocks = [b for b in blocks_of(page) if b.not_run is None and b.language != "text"]
    if not blocks:
        pytest.skip("nothing to run")
    workplace.renew()
    monkeypatch.chdir(workplace.folder)
    for name in [n for n in os.environ if n.startswith("IDE_")]:
        monkeypatch.delenv(name)
    for name in ("IDE_CACHE", "HOME", "MPLBACKEND"):
        monkeypatch.setenv(name, workplace.environment[name])
    names: dict[str, Any] = {"__name__": "guide"}
    failed = [why for block in blocks if (why := _run(block, workplace, names))]
    assert not failed, "\n\n".join(failed)


def test_thirty_questions_are_answered_with_the_columns_they_ask_for(workplace):
    blocks = [b for b in blocks_of(ROOT / "docs" / "questions.md") if b.language in ("sql", "text")]
    assert [b.language for b in blocks] == ["sql", "text"] * 30
    with Store.open(str(workplace.kept / "particles.db"), read_only=True) as store:
        for question, answer in zip(blocks[::2], blocks[1::2], strict=True):
            columns, _ = store.query(question.text)
            assert answer.text.split("\n", 1)[0].split() == list(columns), (
                f"{question.name}: `make examples` answers anew"
            )


def _run(block: Block, workplace: Any, names: dict[str, Any]) -> str | None:
    """What went wrong."""
    if block.language == "bash":
        done = workplace.bash(block.text)
        wrong = done.stdout[-500:] + done.stderr[-1500:] if done.returncode else ""
    elif block.language == "python":
        wrong = _python(block, names)
    elif block.language == "sql":
        with Store.open("particles.db", read_only=True) as store:
            _, rows = store.query(block.text)
        wrong = "" if rows else "no row"
    else:
        wrong = _read(block)
    return f"{block.name}\n{block.text}\n{wrong}" if wrong else None


def _python(block: Block, names: dict[str, Any]) -> str:
    code = "\n" * block.line + block.text  # so that a traceback tells the page's own lines
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, str(block.page), "exec"), names)
    except Exception:
        return traceback.format_exc()
    return ""


def _read(block: Block) -> str:
    """TOML and JSON need not do anything, but must be what they are said to be; … stands for more."""
    import tomllib

    try:
        if block.language == "toml":
            tomllib.loads(block.text)
        else:
            json.loads(re.sub(r",\s*…", "", block.text))
    except ValueError as error:
        return str(error)
    return ""
