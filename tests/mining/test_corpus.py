"""Corpus definitions: read, checked with the number of the line, turned into targets."""

from __future__ import annotations

import dataclasses
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.mining.corpus import Corpus, corpus_targets, load_definition
from imagedataextractor.mining.plan import Plan
from imagedataextractor.resources import resource_path
from imagedataextractor.settings import Settings

WHOLE = """\
title = "Gold"
description = "All that glitters."
database = "sqlite:///gold.db"

[corpus]
query = '"gold nanoparticles" AND TEM'
source = "europepmc"
years = [2015, 2024]
licences = ["CC BY", "CC0"]
open_access = true
limit = 100

[settings.segmentation]
mode = "bayesian"
samples = 4

[settings.mining]
keep_figures = false
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "d.toml"
    file.write_text(text)
    return file


def test_a_whole_definition(tmp_path):
    definition = load_definition(written(tmp_path, WHOLE))
    assert definition.title == "Gold"
    assert definition.corpus == Corpus(
        query='"gold nanoparticles" AND TEM', years=(2015, 2024), licences=("CC BY", "CC0"), open_access=True, limit=100
    )
    settings = definition.with_settings(Settings(db="sqlite:///mine.db"))
    assert settings.db == "sqlite:///gold.db"
    assert (settings.segmentation.mode, settings.segmentation.samples) == ("bayesian", 4)
    assert settings.mining.keep_figures is False
    assert settings.scalebar == Settings().scalebar


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (('title = "Gold"', "title = 3"), 1, "title must be a text"),
        (("years = [2015, 2024]", "years = [2024, 2015]"), 8, "[first, last]"),
        (("years = [2015, 2024]", "yaers = [2015, 2024]"), 8, "called 'corpus.yaers'; did you mean 'years'"),
        (("limit = 100", "limit = 0"), 11, "whole number from 1 on"),
        (("limit = 100", "limit = true"), 11, "whole number"),
        (("query = '\"gold nanoparticles\" AND TEM'", "folder = 4"), 6, "corpus.folder must be a text, not 4"),
        (('source = "europepmc"', 'source = "altavista"'), 7, "altavista"),
        (('licences = ["CC BY", "CC0"]', "licences = [4]"), 9, "list of texts"),
        (("limit = 100", 'dois = ["10.1000/1"]'), 11, "both query and dois"),
        (("samples = 4", 'samples = "four"'), 15, "samples must be"),
        (("samples = 4", "sample = 4"), 15, "sample"),
        (("[settings.mining]", "[settings.keys]"), 17, "'settings.keys'"),
        (("[settings.mining]", "[setting.mining]"), 17, "called 'setting'; did you mean 'settings'"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path, change, line, says):
    assert change[0] in WHOLE
    with pytest.raises(UsageError) as error:
        load_definition(written(tmp_path, WHOLE.replace(*change)))
    assert f"d.toml, line {line}: " in str(error.value)
    assert says in str(error.value)


def test_what_is_no_toml_is_told_with_its_line(tmp_path):
    with pytest.raises(UsageError, match="line 2"):
        load_definition(written(tmp_path, 'title = "a"\nb = = 3\n'))


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "title is missing"), ('title = "a"', "corpus is missing"), ('title = "a"\n[corpus]', "none")],
)
def test_what_is_missing_is_named(tmp_path, text, says):
    with pytest.raises(UsageError, match=says):
        load_definition(written(tmp_path, text))


def test_a_wrong_doi_is_told(tmp_path):
    with pytest.raises(UsageError, match="line 3: 'eleven'"):
        load_definition(written(tmp_path, 'title = "a"\n[corpus]\ndois = ["10.1000/1", "eleven"]\n'))


def test_no_file():
    with pytest.raises(InputError, match="no such file"):
        load_definition(Path("/nowhere/d.toml"))


def test_paths_are_relative_to_the_definition(tmp_path):
    (tmp_path / "list.txt").write_text("# mine\n10.1000/B\n\nhttps://doi.org/10.1000/a\n")
    definition = load_definition(written(tmp_path, 'title = "a"\n[corpus]\ndois_file = "list.txt"\n'))
    targets = corpus_targets(definition.corpus, Settings(), tmp_path)
    assert [target.key for target in targets] == ["doi:10.1000/b", "doi:10.1000/a"]
    assert list(targets) == list(targets)  # may be gone through again


def test_a_limit_holds_for_every_way(tmp_path):
    dois = ("10.1000/1", "10.1000/2", "10.1000/3")
    (tmp_path / "list.txt").write_text("\n".join(dois))
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    for corpus in (Corpus(dois=dois), Corpus(dois_file=tmp_path / "list.txt"), Corpus(folder=tmp_path)):
        targets = corpus_targets(dataclasses.replace(corpus, limit=2), Settings(), tmp_path)
        assert len(list(targets)) == 2


def test_a_corpus_that_cannot_be_read_is_one_clear_line(tmp_path):
    (tmp_path / "list.txt").write_text("ten\neleven\n")
    (tmp_path / "empty").mkdir()
    for corpus, says in (
        (Corpus(dois_file=tmp_path / "list.txt"), "no DOI in any of its 2 lines"),
        (Corpus(dois_file=tmp_path / "nowhere"), "cannot be read"),
        (Corpus(folder=tmp_path / "empty"), "holds neither images nor articles"),
        (Corpus(folder=tmp_path / "nowhere"), "no such folder"),
    ):
        with pytest.raises(InputError, match=says):
            list(corpus_targets(corpus, Settings(), tmp_path))


def test_lines_without_a_doi_are_told_once_and_the_rest_goes_on(tmp_path):
    (tmp_path / "list.txt").write_text("10.1000/1\nn/a\n10.1000/2\neleven\n")
    told = []
    targets = corpus_targets(Corpus(dois_file=tmp_path / "list.txt"), Settings(), tmp_path, told.append)
    for _ in range(2):
        assert [target.doi for target in targets] == ["10.1000/1", "10.1000/2"]
    assert [line.partition(": ")[2] for line in told] == ["2 without a DOI, passed over: line 2 ('n/a'), 4 ('eleven')"]


def test_the_targets_of_a_large_corpus_are_not_held_in_memory(tmp_path):
    file = tmp_path / "list.txt"
    with file.open("w") as lines:
        lines.writelines(f"10.1000/{number}\n" for number in range(20_000))
    plan = Plan(corpus_targets(Corpus(dois_file=file), Settings(), tmp_path), None, "digest")
    list(islice(plan, 1))
    tracemalloc.start()
    try:
        assert plan.survey().new == 20_000
        assert tracemalloc.get_traced_memory()[1] < 60 * 20_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("file", sorted(resource_path("pipelines").glob("*.toml")), ids=lambda file: file.stem)
def test_the_definitions_that_come_with_the_program_are_right(file):
    definition = load_definition(file)
    assert definition.description
    assert definition.with_settings(Settings()).db.startswith("sqlite:///")
