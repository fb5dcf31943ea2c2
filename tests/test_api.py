"""The public face: the same words give the same rows in Python and on the command line, and results show themselves."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import subprocess
import sys
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image
from store_results import make_result

import imagedataextractor as ide
from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli import ide as command
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.measurement import ParticleTable
from imagedataextractor.records import Segmentation
from imagedataextractor.resources import resource_path
from imagedataextractor.results import Segmented, picture_name, stems_of

OPTIONS = {"mode": "discriminative", "assume_em": True, "ocr": "none"}


@pytest.fixture(autouse=True)
def quiet_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("MPLBACKEND", "agg")


def drawn(seed=1):
    return draw_micrograph(np.random.default_rng(seed), shape=(200, 280)).image


@pytest.fixture(scope="module")
def micrograph():
    return drawn()


@pytest.fixture(scope="module")
def result(micrograph):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDE_CONFIG", "")
        return ide.extract(micrograph, nm_per_px=0.5, **OPTIONS)


def test_the_command_line_and_python_give_the_same_rows_in_the_same_order(tmp_path):
    for seed, name in ((1, "b.png"), (2, "a.png")):
        Image.fromarray(drawn(seed)).save(tmp_path / name)
    arguments = ["extract", "b.png", "a.png", "--nm-per-px", "0.5", "--assume-em", "--mode", "discriminative"]
    done = CliRunner().invoke(command, [*arguments, "--ocr", "none"])
    assert done.exit_code == 0, done.output
    found = ide.extract(["b.png", "a.png"], nm_per_px=0.5, **OPTIONS)
    with ide.open_database("particles.db") as database:
        theirs = database.particles().to_pandas().drop(columns=["segmentation_id", "run_id"])
    ours = found.to_pandas()
    assert len(ours) == len(found) > 20
    assert list(ours.title.unique()) == ["b.png", "a.png"]
    flags = ["accepted", "touches_border"]
    assert list(ours.columns) == list(theirs.columns)
    pd.testing.assert_frame_equal(ours, theirs.astype(dict.fromkeys(flags, bool)), check_dtype=False)
    # The median that the command line prints is the one that Python gives.
    for panel in found.panels:
        accepted = panel.to_pandas().query("accepted")
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(panel.name)]
        assert f"{accepted.ecd_nm.median():.4g} nm" in line


def test_an_array_and_its_file_are_the_same_picture(tmp_path, micrograph, result):
    Image.fromarray(micrograph).save(tmp_path / "a.png")
    of_file = ide.extract(tmp_path / "a.png", nm_per_px=0.5, **OPTIONS).to_pandas()
    of_array = result.to_pandas()
    named = ["article", "title", "figure", "image_path", "image_sha256"]
    pd.testing.assert_frame_equal(of_file.drop(columns=named), of_array.drop(columns=named))


def test_with_a_database_what_is_finished_is_passed_over(tmp_path):
    Image.fromarray(drawn()).save(tmp_path / "a.png")
    with ide.Extractor(**OPTIONS) as extractor:
        first = extractor.extract("a.png", db="x.db")
        second = extractor.extract("a.png", db="x.db")
        again = extractor.extract("a.png", db="x.db", again=True)
    assert first.is_complete
    assert not first.passed_over
    assert second.passed_over == (str(tmp_path / "a.png"),)
    assert len(second) == 0
    assert again.to_pandas().equals(first.to_pandas())
    with pytest.raises(UsageError, match="closed"):
        extractor.extract("a.png")


def test_a_scale_by_hand_holds_in_what_later_runs_print(tmp_path):
    Image.fromarray(drawn()).save(tmp_path / "a.png")
    plain = ["extract", "a.png", "--assume-em", "--mode", "discriminative", "--ocr", "none"]
    said = CliRunner().invoke(command, [*plain, "--nm-per-px", "99"])
    later = CliRunner().invoke(command, plain)
    assert "1 correction holds" in later.stderr
    (first,), (second,) = (
        [line for line in done.stdout.splitlines() if line.startswith("a.png")] for done in (said, later)
    )
    assert first.split() == second.split()
    assert "1 micrograph measured, 1 with a scale" in later.stdout
    assert "without a scale" not in later.stdout


def test_of_a_file_with_several_pages_the_rows_say_which_was_taken(tmp_path):
    pages = [np.zeros((200, 280), np.uint8), drawn(1), drawn(2)]
    with tifffile.TiffWriter(tmp_path / "stack.tif") as file:
        for page in pages:
            file.write(page, photometric="minisblack")
    for asked, taken in ((None, 2), (3, 3)):
        found = ide.extract(tmp_path / "stack.tif", page=asked, db="x.db", **OPTIONS)
        (panel,) = found.panels
        assert (panel.page, panel.pages) == (taken, 3)
        assert found.panel_rows().to_pandas()[["page", "pages"]].values.tolist() == [[taken, 3]]
        assert np.array_equal(panel.image, pages[taken - 1])
        with ide.open_database("x.db") as database:
            assert database.query("SELECT page, pages FROM figures").to_pandas().values.tolist() == [[taken, 3]]
            database.report("report.html")
        assert f"stack.tif, page {taken} of 3" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_cannot_be_used_is_a_failure_and_the_rest_is_done(tmp_path, micrograph):
    (tmp_path / "text.png").write_text("no picture")
    found = ide.extract(["text.png", "nowhere.png", micrograph], **OPTIONS)
    assert not found.is_complete
    assert len(found) > 0
    assert [failure.message.split(":")[0].split("/")[-1] for failure in found.failures] == ["nowhere.png", "text.png"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sampels": 3}, TypeError, "did you mean 'samples'"),
        ({"samples": 0}, UsageError, "samples must be a whole number from 1 on"),
        ({"mode": "best"}, UsageError, "must be one of discriminative, bayesian, filtered"),
        ({"nm_per_px": -1}, UsageError, "greater than 0"),
        ({"nm_per_px": 1, "scalebar": "5 nm"}, UsageError, "use one of them"),
        ({"scalebar": "long"}, UsageError, "is no length"),
    ],
)
def test_an_option_that_makes_no_sense_is_told(options, error, message):
    with pytest.raises(error, match=message):
        ide.Extractor(**options)


def test_rows_go_to_other_libraries(result):
    arrays = result.to_dict()
    assert {len(array) for array in arrays.values()} == {len(result)}
    assert arrays["ecd_nm"].dtype == np.float64
    assert arrays["accepted"].dtype == bool
    pa = pytest.importorskip("pyarrow")
    table = pa.table(result)
    assert table.column_names == list(arrays)
    assert table.column("ecd_nm").to_pylist() == arrays["ecd_nm"].tolist()


def test_an_empty_result_has_the_same_columns(result):
    empty = ide.extract("nowhere.png", **OPTIONS).to_pandas()
    assert list(empty.columns) == list(result.to_pandas().columns)


def test_results_show_themselves(result):
    page = result._repr_html_()
    assert page.count("data:image/png;base64,") == len(result.measured) == 1
    assert "<table>" in page
    (panel,) = result.panels
    assert panel.draw().shape[2] == 3
    assert panel.label_map.max() == len(panel.particles)
    figure = result.plot(by="panel")
    counted = sum(patch.get_data().values.sum() for patch in figure.axes[0].patches[:1])
    assert counted == result.to_pandas().accepted.sum()
    assert panel.show().axes[0].images


def test_names_of_other_people_are_escaped_in_notebooks(tmp_path):
    name = "<img src=x onerror=alert(1)>.png"
    Image.fromarray(drawn()).save(tmp_path / name)
    page = ide.extract(tmp_path / name, **OPTIONS)._repr_html_()
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


def test_what_the_filter_rejects_is_not_accepted_by_measure():
    labels = np.zeros((40, 40), np.int32)
    labels[5:15, 5:15], labels[20:30, 20:30] = 1, 2
    segmentation = Segmentation(labels, np.array([0.0, 0.5]), np.array([1.0, 0.1]), np.array([False, True]))
    found = Segmented.of(np.zeros((40, 40), np.uint8), segmentation)
    assert np.unique(found.label_map).tolist() == [0, 1]
    measured = ide.measure(found, nm_per_px=2.0)
    assert measured["reason"].tolist() == [None, "uncertain"]
    assert isinstance(measured.accepted, ParticleTable)
    assert len(measured.accepted) == 1


def test_single_stages_take_arrays_and_files(tmp_path, micrograph):
    Image.fromarray(micrograph).save(tmp_path / "a.png")
    found = ide.segment("a.png", mode="discriminative")
    assert np.array_equal(found.label_map, ide.segment(micrograph, mode="discriminative").label_map)
    assert len(ide.split_figure(micrograph, ocr="none")) == 1
    assert ide.read_scale_bar(micrograph, ocr="none").nm_per_px is None
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        ide.segment(np.zeros(3))


def test_a_deep_picture_is_the_same_from_array_and_file(tmp_path):
    deep = (drawn().astype(np.uint16) << 4) + 100
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    from imagedataextractor.images import as_picture, load_image

    assert np.array_equal(as_picture(deep), load_image(tmp_path / "deep.tif"))


def test_the_database_is_asked_and_cannot_be_changed(tmp_path):
    Image.fromarray(drawn()).save(tmp_path / "a.png")
    ide.extract("a.png", db="particles.db", **OPTIONS)
    with ide.open_database() as database:
        rows = database.query("SELECT particle, ecd_px FROM measured_particles WHERE particle <= :n", n=3)
        assert rows.names == ("particle", "ecd_px")
        assert [row[0] for row in rows] == [1, 2, 3]
        assert len(database.named("articles")) == 1
        assert "1 article" in repr(database)
        assert database.export(tmp_path / "out.csv") == len(database.particles())
        for statement in ("DELETE FROM particles", "DROP TABLE particles", "PRAGMA query_only = OFF"):
            with pytest.raises(UsageError, match="read-only"):
                database.query(statement)
        with pytest.raises(UsageError, match=r"no such column: size; measured_particles has doi, article, .*ecd_nm"):
            database.query("SELECT size FROM measured_particles")
        with pytest.raises(UsageError, match=r"no such table: particle; there are .*measured_particles"):
            database.query("SELECT * FROM particle")


def test_pictures_are_called_as_people_would_and_apart(tmp_path):
    stems = stems_of([tmp_path / "x" / "a.png", tmp_path / "y" / "a.png", tmp_path / "y" / "b.png"])
    assert list(stems.values()) == ["x a", "y a", "b"]
    article = make_result()
    figure = article.figures[0]
    names = [picture_name(article.article, figure, panel.panel, {}) for panel in figure.panels]
    assert names == ["10.1000_Example.1_Figure_1a.png", "10.1000_Example.1_Figure_1b.png"]


def test_importing_loads_nothing_heavy():
    code = "import sys, imagedataextractor; print(sorted({'numpy', 'torch', 'cv2', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_that_is_promised_is_there():
    assert all(getattr(ide, name) is not None for name in ide.__all__)
    assert set(ide.__all__) <= set(dir(ide))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = ide.nothing_like_it


@pytest.mark.parametrize("name", ["api", "results", "options", "extractor", "database"])
def test_the_examples_run(name):
    outcome = doctest.testmod(importlib.import_module(f"imagedataextractor.{name}"), globs={"np": np})
    assert outcome.failed == 0


def test_an_article_shows_itself_with_its_figures():
    article = ide.read_article(resource_path("data", "sample") / "ide-sample-1.xml")
    assert repr(article) == f"<Article: {article.title}; {len(article.figures)} figures>"
    table = article.to_pandas()
    assert list(table.label) == [figure.label for figure in article.figures]
    html = article._repr_html_()
    assert html.count("<figure><img src=") == len(article.figures)
    assert all(escape(figure.caption) in html for figure in article.figures)


def test_no_name_of_the_public_face_is_that_of_a_module():
    modules = {file.stem for file in Path(ide.__file__).parent.iterdir() if file.suffix == ".py" or file.is_dir()}
    assert not modules & set(ide.__all__)


def test_what_ide_doctor_says_is_a_table():
    found = ide.doctor()
    assert found.names == ("what", "state", "detail", "advice")
    packages = {what for what, *_ in found}
    assert {"Python", "torch", "weights", "database"} <= packages


def test_models_are_listed_with_what_their_headers_say():
    default = next(model for model in ide.list_models() if model.name == "default")
    assert default.source == "bundled"
    assert default.as_dict()["sha256"] == default.sha256


def test_predictions_are_scored_as_by_ide_evaluate(tmp_path):
    truth = np.zeros((40, 60), np.uint8)
    truth[5:15, 5:15], truth[20:30, 30:45] = 1, 2
    for folder in ("gt", "pred"):
        (tmp_path / folder).mkdir()
        Image.fromarray(truth).save(tmp_path / folder / "a.png")
    found = ide.evaluate(gt=tmp_path / "gt", pred=tmp_path / "pred")
    assert found.to_pandas().f1_50.tolist() == [1.0]
    assert "<pre>" in found._repr_html_()
    asked = ["evaluate", "--gt", str(tmp_path / "gt"), "--pred", str(tmp_path / "pred"), "--json"]
    assert json.loads(CliRunner().invoke(command, asked).stdout) == found.as_dict()
    with pytest.raises(UsageError, match="give either"):
        ide.evaluate(gt=tmp_path)


def test_the_command_line_calls_the_public_face_alone():
    """`api`, what it returns (`results`, `database`), and how people write things; no stage, no store, no network."""
    allowed = {"api", "cli", "database", "errors", "options", "quantities", "records", "results"}
    # Types of what is returned, and the plain defaults that --help shows.
    known = {
        "mine": {"mining"},
        "model": {"segmentation"},
        "figures": {"training"},
        "segmentation": {"training"},
    }
    for file in sorted((Path(ide.__file__).parent / "cli").rglob("*.py")):
        rooms = set(re.findall(r"from imagedataextractor\.(\w+)", file.read_text(encoding="utf-8")))
        assert rooms <= allowed | known.get(file.stem, set()), file
