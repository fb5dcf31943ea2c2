"""The HTML report: made from a database, and needing nothing beside it."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli.report import command
from imagedataextractor.errors import InputError, StoreError
from imagedataextractor.images import sha256_of
from imagedataextractor.measurement import measure_particles, panel_statistics
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    Failure,
    Figure,
    FigureResult,
    InfoBar,
    Panel,
    PanelResult,
    Run,
    Segmentation,
)
from imagedataextractor.report import write_report
from imagedataextractor.store import Store

DOI = "10.5555/report.<1>"


class Tags(HTMLParser):
    """Counts tags, keeps attributes, and finds what does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(path: Path) -> Tags:
    page = Tags()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def result_of(folder: Path) -> ArticleResult:
    """One article: a panel with a scale, one without, and a failure."""
    micrograph = draw_micrograph(
        np.random.default_rng(3),
        shape=(300, 400),
        kind="sem",
        family="sphere",
        arrangement="scattered",
        median_diameter_px=20.0,
        coverage=0.3,
        scale_bar="plain",
        info_bar=None,
        letter=None,
    )
    path = folder / "figure.png"
    Image.fromarray(np.hstack([micrograph.image, micrograph.image])).save(path)
    count = int(micrograph.label_map.max())
    segmentation = Segmentation(
        label_map=micrograph.label_map,
        uncertainty=np.linspace(0, 0.02, count),
        score=np.full(count, 0.9),
        filtered=np.arange(count) == 1,
        model="default",
        weights_sha256="0" * 64,
    )
    panels = []
    for index, bar in enumerate([micrograph.scale_bar, None]):
        particles = measure_particles(
            micrograph.label_map,
            nm_per_px=bar.nm_per_px if bar else None,
            uncertainty=segmentation.uncertainty,
            filtered=segmentation.filtered,
        )
        panel = Panel(
            index, Box(400 * index, 0, 400 * index + 400, 300), "ab"[index], "em", 0.9, "SEM", subcaption="<b>& co</b>"
        )
        panels.append(PanelResult(panel, bar, segmentation, particles))
    figure = Figure("Figure 1", "SEM images of <script>alert(1)</script> spheres")
    done = FigureResult(figure, "Figure 1", str(path), sha256_of(path), 800, 300, tuple(panels))
    article = Article(key=DOI, doi=DOI, title="Spheres & <more>", licence="CC BY 4.0", figures=(figure,))
    failure = Failure("figures", f"{DOI} / Figure 2", "InputError", "figure.tif: no such <file>")
    return ArticleResult(article, (done,), (failure,))


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'particles.db'}"
    run = Run("run-1", "2026-01-02T03:04:05Z", "ide extract x", {"samples": 4}, {"torch": "2"}, "0" * 64, 7)
    with Store.open(address) as store:
        store.start_run(run)
        store.write_article(result_of(tmp_path), run.id)
    return address


def test_the_page_holds_everything_and_loads_nothing(url: str, tmp_path: Path) -> None:
    rows = write_report(url, tmp_path / "new" / "report.html")
    page = read(tmp_path / "new" / "report.html")
    text = " ".join(page.text)

    assert [panel.name for panel in rows.panels] == ["Figure 1a", "Figure 1b"]
    for words in (DOI, "Spheres & <more>", "<script>alert(1)</script>", "no such <file>", "run-1", "CC BY 4.0"):
        assert words in text
    assert [panel.trust.grade for panel in rows.panels] == ["A", "C"]
    assert "C: no scale" in text
    assert not [tag for tag, _ in page.seen if tag == "script"]
    loaded = [a.get("href") or a.get("src") or "" for tag, a in page.seen if tag in ("image", "img", "link", "iframe")]
    assert len(loaded) == 2
    assert page.seen.count(("h2", {"class": "part"})) == 1
    assert "Articles" in text
    assert "Own pictures" not in text
    assert f"{rows.panels[0].image_path} (SHA-256" in text
    assert "Sizes by sample" in text
    assert "Sizes by material" not in text  # nobody says what it is made of
    assert all(reference.startswith("data:image/jpeg;base64,") for reference in loaded)
    assert "url(" not in (tmp_path / "new" / "report.html").read_text(encoding="utf-8")


def test_every_particle_is_drawn_with_its_numbers(url: str, tmp_path: Path) -> None:
    rows = write_report(url, tmp_path / "report.html")
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    particles = [particle for panel in rows.panels for particle in panel.particles]

    assert len(re.findall(r'<path stroke="#\w{6}" d="M', content)) == len(particles) > 40
    accepted = next(p for p in rows.panels[0].particles if p.accepted)
    assert f"{accepted.label}: ECD {accepted.ecd_nm:.4g} nm" in content
    assert "rejected: uncertain" in content
    assert f"{rows.accepted:,}" in content
    assert "radial distribution" in content
    assert content.count("nm/px") == 1  # the panel without a scale says so
    assert "unknown" in content


def test_a_data_bar_is_no_part_of_what_was_measured(tmp_path: Path) -> None:
    result = result_of(tmp_path)
    figure = result.figures[0]
    first, second = figure.panels
    assert first.segmentation is not None
    barred = dataclasses.replace(first.panel, info_bar=InfoBar(Box(0, 240, 400, 300)))
    seen = measure_particles(first.segmentation.label_map[:240], nm_per_px=2.0)
    panels = (dataclasses.replace(first, panel=barred, particles=seen), second)
    url = f"sqlite:///{tmp_path / 'barred.db'}"
    with Store.open(url) as store:
        store.start_run(Run("run-1", "2026-01-02T03:04:05Z", "ide extract x", {}, {}, "0" * 64, 7))
        store.write_article(dataclasses.replace(result, figures=(dataclasses.replace(figure, panels=panels),)), "run-1")
    rows = write_report(url, tmp_path / "report.html")
    assert [panel.measured for panel in rows.panels] == [Box(0, 0, 400, 240), Box(0, 0, 400, 300)]
    covered = [
        panel_statistics(seen, shape=(240, 400))["coverage"],
        panel_statistics(second.particles, shape=(300, 400))["coverage"],
    ]
    text = " ".join(read(tmp_path / "report.html").text)
    assert [float(share) for share in re.findall(r"coverage\s+([\d.]+) %", text)] == [
        pytest.approx(100 * share, abs=0.051) for share in covered
    ]


def test_links_lead_to_panels(url: str, tmp_path: Path) -> None:
    write_report(url, tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    names = {a["id"] for _, a in page.seen if "id" in a}
    links = [str(a["href"])[1:] for tag, a in page.seen if tag == "a" and str(a.get("href")).startswith("#")]

    assert links
    assert set(links) <= names


def test_a_picture_that_is_gone_or_changed_is_named_not_shown(url: str, tmp_path: Path) -> None:
    picture = tmp_path / "figure.png"
    Image.new("L", (800, 300)).save(picture)
    write_report(url, tmp_path / "changed.html")
    picture.unlink()
    write_report(url, tmp_path / "gone.html")

    assert "picture has changed since" in (tmp_path / "changed.html").read_text(encoding="utf-8")
    gone = (tmp_path / "gone.html").read_text(encoding="utf-8")
    assert "picture not at hand" in gone
    assert "<image" not in gone
    assert "ECD" in gone


def test_fewer_panels_are_owned_up_to(url: str, tmp_path: Path) -> None:
    rows = write_report(url, tmp_path / "report.html", max_panels=1)

    assert len(rows.panels) == 1
    assert "1 more measured panels are not shown" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_rows_already_read_make_the_same_page(url: str, tmp_path: Path) -> None:
    rows = write_report(url, tmp_path / "first.html")
    write_report(dataclasses.replace(rows), tmp_path / "second.html")

    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_an_empty_database_makes_a_page_too(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'empty.db'}"
    Store.open(address).close()
    write_report(address, tmp_path / "report.html")

    assert "Failures" in " ".join(read(tmp_path / "report.html").text)


def test_what_is_not_there_is_said(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        write_report(f"sqlite:///{tmp_path / 'absent.db'}", tmp_path / "report.html")
    assert not (tmp_path / "absent.db").exists()
    with pytest.raises(InputError, match="no such picture"):
        write_report(url, tmp_path / "report.html", names=["10.1/none"])
    with pytest.raises(InputError, match="cannot be written"):
        write_report(url, tmp_path / "particles.db" / "report.html")


def test_the_command(url: str, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    result = CliRunner().invoke(command, ["--db", url, "--out", str(out), "--doi", DOI.upper(), "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "report": str(out),
        "panels": 2,
        "particles": len(re.findall(r'<path stroke="#\w{6}" d="M', out.read_text(encoding="utf-8"))),
    }


def test_nothing_that_others_wrote_runs(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}</style>'
    result = result_of(tmp_path)
    (figure,) = result.figures
    first, second = figure.panels
    assert first.scalebar is not None
    shown = (
        dataclasses.replace(
            first,
            panel=dataclasses.replace(first.panel, label=None, subcaption=evil, technique=evil),
            scalebar=dataclasses.replace(first.scalebar, text=evil, reason=evil),
        ),
        second,
    )
    path = tmp_path / "<img src=x onerror=alert(3)>.png"
    (tmp_path / "figure.png").rename(path)
    figure = dataclasses.replace(
        figure, label=evil, image_path=str(path), panels=shown, figure=dataclasses.replace(figure.figure, caption=evil)
    )
    article = dataclasses.replace(
        result.article, key=evil, doi=None, title=evil, licence=evil, source="image", figures=(figure.figure,)
    )
    failure = Failure(evil, evil, evil, evil)
    url = f"sqlite:///{tmp_path / 'evil.db'}"
    with Store.open(url) as store:
        store.start_run(Run("run-1", "2026-01-02T03:04:05Z", f"ide extract {evil}", {"a": evil}, {}, "0" * 64, 7))
        store.write_article(ArticleResult(article, (figure,), (failure,)), "run-1")
    write_report(url, tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    assert not [tag for tag, _ in page.seen if tag in ("script", "img", "iframe", "object")]
    assert not [name for _, attributes in page.seen for name in attributes if name.startswith("on")]
    assert "49" not in re.findall(r"onerror=alert\(2\)>(.{2})", " ".join(page.text))
    assert "Own pictures" in " ".join(page.text)


def test_many_panels_are_drawn_with_few_shapes(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagedataextractor.report.html.DETAILED_PANELS", 1)
    rows = write_report(url, tmp_path / "report.html")
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    states = sum(len({(p.accepted, p.reason) for p in panel.particles}) for panel in rows.panels)
    assert len(re.findall(r'<path stroke="#\w{6}" d="M', content)) == states
    assert len(rows.panels) == 2
