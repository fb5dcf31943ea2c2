"""Samples by name, the screening page, and two samples compared."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from store_results import make_result, make_run

from imagedataextractor.cli import ide
from imagedataextractor.errors import InputError
from imagedataextractor.report.samples import _other_readings, read_sample
from imagedataextractor.report.screening import screen
from imagedataextractor.store import Store
from imagedataextractor.summaries import members_of


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with Store.open(url) as store:
        store.start_run(make_run())
        store.write_article(make_result(1, particles=40), "run-1")
        store.write_article(make_result(2, particles=40, nm_per_px=8.0), "run-1")
    return url


def particles(path: Path, median_nm: float, n: int = 60) -> Path:
    sizes = median_nm * np.exp(np.random.default_rng(n).normal(0, 0.1, n))
    rows = [{"ecd_nm": d, "ecd_px": d / 2, "feret_min_nm": 0.95 * d, "accepted": True, "edge_uncertainty_px": 0.1}
            for d in sizes]  # fmt: skip
    path.write_text(json.dumps(rows))
    return path


def run(*arguments: str) -> str:
    done = CliRunner().invoke(ide, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_sample_is_an_article_of_the_database(db: str) -> None:
    article = make_result(1).article
    sample = read_sample(str(article.doi or article.key), db)

    assert len(sample.pictures) == 4
    assert 0 < sample.relative_uncertainty < 0.2
    pooled = sample.pooled()
    assert pooled.n == sum(len(picture.ecd_nm) for picture in sample.pictures)
    assert pooled.sentence().endswith(f"(k = 2), n = {pooled.n}")


def test_a_sample_is_a_group_as_the_summary_names_them(db: str) -> None:
    figure, article = _groups(db, "figure")[0], _groups(db, "article")[0]
    of_figure, of_article = read_sample(figure, db), read_sample(article, db, group_by="article")

    assert 0 < len(of_figure.pictures) < len(of_article.pictures) == 4
    assert "B − A" in run("compare", *_groups(db, "article"), "--group-by", "article", "--db", db)
    with pytest.raises(InputError, match=f"no such group; there are: {re.escape(article)}"):
        read_sample("gold", db, group_by="article")


def _groups(db: str, group_by: str) -> list[str]:
    with Store.open(db, read_only=True) as store:
        return list(members_of(store, group_by=group_by))


def test_other_readings_of_a_scale_are_in_the_budget(db: str) -> None:
    doi = str(make_result(1).article.doi)
    alone = read_sample(doi, db).pictures[0].budget
    with sqlite3.connect(db.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE figures SET file_nm_per_px = 1.1 * (SELECT max(nm_per_px) FROM scalebars)")
        connection.execute("UPDATE scalebars SET source = 'bar', magnification = NULL")
    found = read_sample(doi, db).pictures[0].budget
    before, after = (next(s for s in budget.sources if s.name == "scale") for budget in (alone, found))

    assert after.on_mean_nm > before.on_mean_nm
    assert "another reading differs by" in after.note


def test_printed_magnifications_tell_of_a_scale_that_is_off() -> None:
    panels = [
        SimpleNamespace(magnification=m, nm_per_px=nm, picture_px=1000, file_nm_per_px=None, scale_source="bar")
        for m, nm in ((10_000, 10.0), (50_000, 2.0), (20_000, 5.2), (1_000, 5.0))
    ]
    found = _other_readings(panels)  # type: ignore[arg-type]

    assert found[0] == pytest.approx([1.0])
    assert found[2] == pytest.approx([1 / 1.04])
    assert found[3] == []  # cut, or of another instrument


def test_what_is_not_there_is_told_in_a_line(db: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither"):
        read_sample("10.1/nothing", db)
    broken = tmp_path / "broken.json"
    broken.write_text("[1, 2]")
    with pytest.raises(InputError, match="no table of particles"):
        read_sample(str(broken), db)


@pytest.mark.parametrize(("median", "verdict"), [(60, "yes"), (250, "no"), (104, "too few")])
def test_the_verdict_stands_on_the_page(tmp_path: Path, median: float, verdict: str) -> None:
    page = tmp_path / "page.html"
    said = run("screen", str(particles(tmp_path / "a.json", median)), "--out", str(page))
    text = page.read_text(encoding="utf-8")

    assert f": {verdict}" in said
    for word in ("D50 by number", "minimum Feret", "Checks", "(k = 2), n = 60", "2022/C 229/01"):
        assert word in text


def test_the_page_is_a_pdf_too(tmp_path: Path) -> None:
    page = tmp_path / "page.pdf"
    run("screen", str(particles(tmp_path / "a.json", 60)), "--out", str(page))

    import pypdfium2

    document = pypdfium2.PdfDocument(page)
    assert len(document) == 1
    assert "Nanomaterial by number" in document[0].get_textpage().get_text_range()


def test_few_particles_are_listed_and_nothing_is_estimated(tmp_path: Path) -> None:
    found = screen(read_sample(str(particles(tmp_path / "a.json", 60, n=4)), "sqlite:///none.db"))

    assert (found.verdict.verdict, found.verdict.share, found.ecd.estimates) == ("too few", None, {})


def test_two_samples_are_compared(tmp_path: Path) -> None:
    one, other = particles(tmp_path / "a.json", 60), particles(tmp_path / "b.json", 80, n=61)
    found = json.loads(run("compare", str(one), str(other), "--json"))

    assert found["difference"]["low"] < 20 < found["difference"]["high"]
    assert found["p"] < 0.001
    assert "B − A" in run("compare", str(one), str(other))
