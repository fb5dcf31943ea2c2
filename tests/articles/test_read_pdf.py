"""PDFs: real articles with the areas of their figures, and made ones with known layout."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure as Canvas
from PIL import Image

from imagedataextractor.articles.read import read_article
from imagedataextractor.errors import InputError
from imagedataextractor.records import Article, Box, Figure

#: Page, left, top, right and bottom of each figure's picture, points from the page's top left corner.
AREAS = {
    "PMC7067258": {
        "Fig. 1": (2, 51, 477, 283, 691),
        "Fig. 2": (3, 50, 585, 285, 691),
        "Fig. 3": (3, 311, 50, 545, 479),
        "Fig. 4": (5, 52, 50, 283, 319),
    },
    "PMC7052380": {
        "Figure 1": (3, 309, 69, 547, 254),
        "Figure 2": (4, 49, 69, 287, 236),
        "Figure 3": (4, 309, 69, 547, 250),
        "Figure 4": (5, 85, 69, 510, 374),
        "Figure 5": (6, 85, 69, 510, 356),
        "Figure 6": (6, 49, 412, 287, 577),
        "Figure 7": (7, 54, 69, 281, 422),
        "Figure 8": (7, 49, 477, 287, 564),
        "Figure 9": (7, 309, 69, 547, 467),
        "Figure 10": (8, 54, 69, 281, 234),
        "Figure 11": (8, 54, 282, 281, 486),
    },
}


def place(figure: Figure) -> tuple[int, Box]:
    """Page and area of a figure, from the name of its picture."""
    match = re.match(r"p(\d+)_(\d+)-(\d+)-(\d+)-(\d+)_", Path(figure.graphics[0]).name)
    assert match is not None
    page, x0, y0, x1, y1 = map(int, match.groups())
    return page, Box(x0, y0, x1, y1)


@pytest.mark.parametrize("name", list(AREAS))
def test_real_figures_with_their_captions_and_areas(shared: Path, name: str) -> None:
    article = read_article(shared / f"samples/pdf/{name}.pdf")
    truth = read_article(shared / f"samples/jats/{name}/{name}.xml")
    assert article.doi == truth.doi
    assert article.title.split()[:4] == truth.title.split()[:4]
    assert {figure.label for figure in article.figures} == set(AREAS[name])
    captions = {figure.label: figure.caption for figure in truth.figures}
    for figure in article.figures:
        number, *area = AREAS[name][figure.label]
        page, box = place(figure)
        assert page == number
        assert box.iou(Box(*area)) > 0.9
        assert letters(figure.caption)[:40] == letters(captions[figure.label])[:40]
        assert letters(figure.caption)[-25:] == letters(captions[figure.label])[-25:]
        assert figure.facts.is_em == truth.figures[int(figure.label.split()[-1]) - 1].facts.is_em


def letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def test_figures_are_written_once_at_the_resolution_of_their_pictures(shared: Path, tmp_path: Path) -> None:
    article = read_article(shared / "samples/pdf/PMC7067258.pdf", work_dir=tmp_path / "out")
    figure = article.figures[1]
    path = Path(figure.graphics[0])
    assert path.is_file()
    assert figure.missing == ()
    with Image.open(path) as picture:
        assert picture.width > 900  # 235 points at the 300 dots an inch of the embedded picture
    before = path.stat().st_mtime_ns
    read_article(shared / "samples/pdf/PMC7067258.pdf", work_dir=tmp_path / "out")
    assert path.stat().st_mtime_ns == before


# ---------------------------------------------------------------- made pages

WORDS = "the particles were washed with water and dried in air before they were examined in the microscope "
WIDTH, HEIGHT = 595.0, 842.0


class Paper:
    """A page on which things are placed in points from the top left corner."""

    def __init__(self) -> None:
        self.canvas = Canvas(figsize=(WIDTH / 72, HEIGHT / 72))

    def text(self, x: float, y: float, words: str, size: float = 9.0, **style: Any) -> None:
        self.canvas.text(x / WIDTH, 1 - y / HEIGHT, words, fontsize=size, va="baseline", **style)

    def paragraph(self, x: float, y: float, lines: int, columns: int = 62, first: str = "") -> None:
        words = (first + WORDS * 60).split()
        for row in range(lines):
            line = ""
            while words and len(line) + len(words[0]) < columns:
                line += words.pop(0) + " "
            self.text(x, y + 12 * row, line)

    def image(self, x0: float, y0: float, x1: float, y1: float, seed: int = 0) -> None:
        axes = self.canvas.add_axes((x0 / WIDTH, 1 - y1 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT))
        axes.imshow(
            np.random.default_rng(seed).integers(0, 200, (60, 60)), cmap="gray", aspect="auto", vmin=0, vmax=255
        )
        axes.set_axis_off()

    def plot(self, x0: float, y0: float, x1: float, y1: float) -> None:
        axes = self.canvas.add_axes((x0 / WIDTH, 1 - y1 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT))
        axes.plot([0, 1, 2], [0, 1, 0.5], "k")
        axes.tick_params(labelsize=5)


def made(tmp_path: Path, *drawn: Callable[[Paper], None]) -> Article:
    path = tmp_path / "made.pdf"
    with matplotlib.rc_context({"pdf.fonttype": 42}), PdfPages(path) as pdf:
        for draw in drawn:
            paper = Paper()
            paper.text(60, 30, "Journal of Tests, Volume 1", 7)
            draw(paper)
            pdf.savefig(paper.canvas)
    return read_article(path)


def test_one_column_with_caption_in_the_style_of_the_text(tmp_path: Path) -> None:
    def draw(paper: Paper) -> None:
        paper.paragraph(60, 80, 8, 95)
        paper.image(160, 200, 430, 400)
        paper.text(60, 425, "Figure 1: TEM images of gold particles: (a) as prepared and (b) after heating")
        paper.text(60, 437, "in air. The scale bar is 50 nm.")
        paper.paragraph(60, 470, 6, 95, "Figure 1 shows that ")

    figure = made(tmp_path, draw, lambda paper: paper.paragraph(60, 80, 40, 95)).figures
    assert [f.label for f in figure] == ["Figure 1"]
    assert figure[0].caption.endswith("(b) after heating in air. The scale bar is 50 nm.")
    assert figure[0].caption.startswith("TEM images of gold particles")
    assert place(figure[0])[1].iou(Box(160, 200, 430, 400)) > 0.85


def test_two_columns_with_strips_plots_and_neighbours(tmp_path: Path) -> None:
    def draw(paper: Paper) -> None:
        for strip in range(5):  # one picture, stored as five
            paper.image(50, 80 + 30 * strip, 285, 80 + 30 * (strip + 1), strip)
        paper.text(50, 250, "Fig. 1. SEM images of the powder after milling", 7)
        paper.text(50, 259, "for two hours.", 7)
        paper.plot(330, 90, 545, 300)
        paper.text(310, 335, "Fig. 2. Size distribution of the powder.", 7)
        paper.paragraph(50, 290, 30, 46)
        paper.paragraph(310, 370, 25, 46)

    figures = made(tmp_path, draw, lambda paper: paper.paragraph(50, 80, 50, 46)).figures
    assert [f.label for f in figures] == ["Fig. 1", "Fig. 2"]
    assert place(figures[0])[1].iou(Box(50, 80, 285, 230)) > 0.85
    assert place(figures[1])[1].iou(Box(315, 88, 547, 315)) > 0.7
    assert figures[0].caption == "SEM images of the powder after milling for two hours."


def test_figure_across_both_columns_with_a_short_caption(tmp_path: Path) -> None:
    def draw(paper: Paper) -> None:
        paper.image(50, 80, 290, 250, 1)
        paper.image(298, 80, 545, 250, 2)
        paper.text(50, 270, "Figure 3. TEM of rods.", 7)
        paper.paragraph(50, 310, 30, 46)
        paper.paragraph(310, 310, 30, 46)

    figures = made(tmp_path, draw, lambda paper: paper.paragraph(50, 80, 50, 46)).figures
    assert place(figures[0])[1].iou(Box(50, 80, 545, 250)) > 0.85


def caption_above(paper: Paper) -> None:
    paper.text(60, 80, "Figure 7. TEM images of gold.", 7)
    paper.image(60, 95, 400, 300)
    paper.paragraph(60, 340, 30, 95)


def caption_beside(paper: Paper) -> None:
    paper.image(45, 70, 300, 260)
    for row, words in enumerate(
        ["Fig. 7 | SEM images of the", "particles, which stand beside", "the picture in a", "column."]
    ):
        paper.text(320, 80 + 9 * row, words, 7)
    paper.paragraph(45, 300, 30, 46)
    paper.paragraph(310, 300, 30, 46)


def panels_far_apart(paper: Paper) -> None:
    for number, (x, y) in enumerate([(60, 70), (240, 70), (60, 240), (240, 240)]):
        paper.image(x, y, x + 140, y + 130, number)
    paper.text(60, 390, "Figure 7. TEM images.", 7)
    paper.paragraph(60, 430, 20, 95)


def table_above(paper: Paper) -> None:
    paper.text(60, 70, "Table 1. Values.", 7)
    for row in range(6):
        for column in range(4):
            paper.text(60 + 110 * column, 85 + 10 * row, f"{row + column / 10:.2f}", 7)
    paper.image(60, 190, 400, 380)
    paper.text(60, 400, "Figure 7. SEM image of rods after milling.", 7)
    paper.paragraph(60, 430, 20, 95)


@pytest.mark.parametrize(
    ("draw", "area"),
    [
        (caption_above, (60, 95, 400, 300)),
        (caption_beside, (45, 70, 300, 260)),
        (panels_far_apart, (60, 70, 380, 370)),
        (table_above, (60, 190, 400, 380)),
    ],
)
def test_other_layouts(tmp_path: Path, draw: Callable[[Paper], None], area: tuple[int, int, int, int]) -> None:
    figures = made(tmp_path, draw, lambda paper: paper.paragraph(60, 80, 50, 95)).figures
    assert len(figures) == 1
    assert place(figures[0])[1].iou(Box(*area)) > 0.85


def captions_above_each(paper: Paper) -> None:
    paper.text(50, 80, "Figure 1. TEM images of gold.", 7)
    paper.image(50, 90, 285, 250, 1)
    paper.text(50, 280, "Figure 2. SEM images of silver.", 7)
    paper.image(50, 290, 285, 450, 2)
    paper.paragraph(310, 80, 40, 46)


def plots_level_with_each_other(paper: Paper) -> None:
    paper.plot(70, 90, 270, 250)
    paper.plot(330, 90, 540, 250)
    paper.text(50, 290, "Figure 3. Calibration of the two detectors, measured twice.", 7)
    paper.paragraph(50, 330, 30, 46)
    paper.paragraph(310, 330, 30, 46)


def scheme_beside_a_figure(paper: Paper) -> None:
    paper.text(50, 80, "Scheme 1. Synthesis of the particles.", 7)
    paper.plot(60, 95, 280, 200)
    paper.image(310, 80, 545, 230, 1)
    paper.text(310, 245, "Figure 4. SEM images.", 7)
    paper.paragraph(50, 240, 30, 46)
    paper.paragraph(310, 270, 30, 46)


def caption_in_two_columns(paper: Paper) -> None:
    paper.image(50, 80, 290, 300, 1)
    paper.image(300, 80, 545, 300, 2)
    for row, words in enumerate(["Figure 5. TEM images of the silica", "(a) as made and (b) after heating"]):
        paper.text(50, 318 + 9 * row, words, 7)
    for row, words in enumerate(["in air at a temperature of 500 K", "for an hour. Scale bars, 50 nm."]):
        paper.text(310, 318 + 9 * row, words, 7)
    paper.paragraph(50, 360, 30, 46)
    paper.paragraph(310, 360, 30, 46)


def test_several_layouts_in_one_article(tmp_path: Path) -> None:
    pages = (captions_above_each, plots_level_with_each_other, scheme_beside_a_figure, caption_in_two_columns)
    figures = {figure.label: figure for figure in made(tmp_path, *pages).figures}
    areas = {
        "Figure 1": (1, 50, 90, 285, 250),
        "Figure 2": (1, 50, 290, 285, 450),
        "Figure 3": (2, 60, 88, 540, 262),
        "Scheme 1": (3, 50, 94, 281, 211),
        "Figure 4": (3, 310, 80, 545, 230),
        "Figure 5": (4, 50, 80, 545, 300),
    }
    assert set(figures) == set(areas)
    for label, (number, *area) in areas.items():
        page, box = place(figures[label])
        assert page == number
        assert box.iou(Box(*area)) > 0.85, label
    assert figures["Figure 5"].caption.endswith("Scale bars, 50 nm.")


@pytest.mark.parametrize("marked", [True, False], ids=["by the page", "by its content"])
@pytest.mark.parametrize("turn", [90, 270])
def test_a_page_that_lies_on_its_side(tmp_path: Path, turn: int, marked: bool) -> None:
    made(tmp_path, caption_in_two_columns, lambda paper: paper.paragraph(60, 80, 40, 95))
    upright, turned = pdfium.PdfDocument(tmp_path / "made.pdf"), pdfium.PdfDocument.new()
    page = turned.new_page(HEIGHT, WIDTH)
    content = pdfium_c.FPDF_NewFormObjectFromXObject(pdfium_c.FPDF_NewXObjectFromPage(turned.raw, upright.raw, 0))
    matrix = (0, 1, -1, 0, HEIGHT, 0) if turn == 90 else (0, -1, 1, 0, 0, WIDTH)
    pdfium_c.FPDFPageObj_SetMatrix(content, pdfium_c.FS_MATRIX(*matrix))
    pdfium_c.FPDFPage_InsertObject(page.raw, content)
    page.set_rotation(turn if marked else 0)
    page.gen_content()
    turned.import_pages(upright, [1])
    turned.save(tmp_path / "turned.pdf")
    (figure,) = read_article(tmp_path / "turned.pdf", work_dir=tmp_path / "out").figures
    assert place(figure)[1].iou(Box(50, 80, 545, 300)) > 0.85
    with Image.open(figure.graphics[0]) as picture:
        assert picture.width > 2 * picture.height  # upright, as it is read


def test_bad_pdfs_give_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(b"%PDF-1.7\nnothing of the kind")
    with pytest.raises(InputError, match="broken"):
        read_article(path)
    with PdfPages(path) as pdf:
        pdf.savefig(Canvas())
    with pytest.raises(InputError, match="no text"):
        read_article(path)


def test_folder_that_cannot_be_written(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        read_article(shared / "samples/pdf/PMC7067258.pdf", work_dir=tmp_path / "file" / "sub")


# ---------------------------------------------------------------- captions on other pages


def picture(*area: float, seed: int = 0, label: str = "") -> Callable[[Paper], None]:
    def draw(paper: Paper) -> None:
        paper.image(*area, seed=seed)
        if label:
            paper.text(60, 800, label)

    return draw


def words(*captions: str) -> Callable[[Paper], None]:
    def draw(paper: Paper) -> None:
        paper.paragraph(60, 80, 30, columns=110)
        for place, caption in enumerate(captions):
            paper.text(60, 560 + 40 * place, caption, 8.0)

    return draw


def test_a_caption_on_the_facing_page(tmp_path: Path) -> None:
    caption = words("Figure 1. SEM image of the particles.")
    for pages, number in ((picture(80, 90, 500, 700), caption), 1), ((caption, picture(80, 90, 500, 700)), 2):
        article = made(tmp_path, words(), *pages, words()) if number == 1 else made(tmp_path, *pages, words())
        (figure,) = article.figures
        assert figure.caption == "SEM image of the particles."
        page, box = place(figure)
        assert page == 2
        assert box.iou(Box(80, 90, 500, 700)) > 0.9


@pytest.mark.parametrize("labelled", [False, True])
def test_figures_at_the_end_of_a_manuscript(tmp_path: Path, labelled: bool) -> None:
    captions = [f"Figure {number}. TEM image of sample S{number}." for number in (1, 2, 3)]
    order = (3, 1, 2) if labelled else (1, 2, 3)
    sheets = [
        picture(100, 90, 300 + 60 * number, 600, seed=number, label=f"Figure {number}" if labelled else "")
        for number in order
    ]
    article = made(tmp_path, words(), words(*captions), *sheets)
    found = {figure.label: place(figure) for figure in article.figures}
    assert [figure.caption for figure in article.figures] == [f"TEM image of sample S{number}." for number in (1, 2, 3)]
    for number in (1, 2, 3):
        page, box = found[f"Figure {number}"]
        assert page == 3 + order.index(number)
        assert box.iou(Box(100, 90, 300 + 60 * number, 600)) > 0.9


def test_sheets_that_nobody_can_tell_apart_are_given_to_none(tmp_path: Path) -> None:
    captions = [f"Figure {number}. TEM image of sample S{number}." for number in (1, 2, 3)]
    article = made(tmp_path, words(), words(*captions), picture(100, 90, 400, 600), picture(100, 90, 450, 600, seed=1))
    assert [figure.graphics for figure in article.figures] == [(), (), ()]
