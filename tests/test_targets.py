"""What the command line's targets stand for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.report import draw_overlay
from imagedataextractor.targets import find_images, find_targets, fingerprint
from imagedataextractor.written import GENERATOR_META, is_written_here, save_marked

ARTICLE = '<article><front/><body><fig id="f1"><graphic href="fig1"/></fig></body></article>'


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def test_pictures_beside_an_article_are_its_figures(tmp_path):
    (tmp_path / "paper").mkdir()
    article = tmp_path / "paper" / "paper.xml"
    article.write_text(ARTICLE)
    picture(tmp_path / "paper" / "fig1.png")
    own = picture(tmp_path / "mine" / "a.tif")
    targets, failures = find_targets([tmp_path])
    assert not failures
    assert [(t.kind, t.path) for t in targets] == [("image", own), ("article", article)]


def test_the_same_target_counts_once(tmp_path):
    one = picture(tmp_path / "a.png")
    targets, _ = find_targets([one, tmp_path], ["10.5555/A", "10.5555/a"])
    assert [t.kind for t in targets] == ["image", "doi"]


def test_a_bad_path_is_a_failure_and_the_rest_goes_on(tmp_path):
    good = picture(tmp_path / "a.png")
    (tmp_path / "notes.odt").write_text("x")
    (tmp_path / "empty").mkdir()
    bad = [tmp_path / "none.png", tmp_path / "notes.odt", tmp_path / "empty"]
    targets, failures = find_targets([*bad, good])
    assert [t.path for t in targets] == [good]
    assert [f.target for f in failures] == [str(path) for path in bad]
    for failure, message in zip(failures, ("no such file", "neither an article", "holds neither"), strict=True):
        assert message in failure.message


def test_a_new_figure_changes_an_articles_fingerprint(tmp_path):
    (tmp_path / "paper.xml").write_text(ARTICLE)
    (target,), _ = find_targets([tmp_path / "paper.xml"])
    before = fingerprint(target)
    assert before == fingerprint(target)
    picture(tmp_path / "fig1.png")
    assert fingerprint(target) != before


def test_find_images_takes_files_and_folders(tmp_path):
    a, b = picture(tmp_path / "x" / "b.png"), picture(tmp_path / "a.jpg")
    assert find_images(tmp_path) == [b, a]
    assert find_images(a) == [a]
    with pytest.raises(InputError, match="no such"):
        find_images(tmp_path / "none")


def test_a_target_has_one_key_wherever_it_is_named_from(tmp_path, monkeypatch):
    one = picture(tmp_path / "a" / "x.png")
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    keys = {target.key for path in ("../a", "../a/x.png", one) for target in find_targets([Path(path)])[0]}
    assert keys == {str(one)}


def passed_over(folder):
    """Targets by name, and what was passed over and why."""
    why = {}
    targets, failures = find_targets([folder], passed_over=lambda path, reason: why.setdefault(path.name, reason))
    assert not failures
    return {target.path.name for target in targets}, why


def test_pictures_beside_an_article_that_are_none_of_its_figures_stand_for_themselves(tmp_path):
    (tmp_path / "paper.xml").write_text(ARTICLE.replace("</body>", '<p><inline-graphic href="logo.png"/></p></body>'))
    for name in ("fig1.png", "fig1_lrg.png", "mine.tif", "1.png", "logo.png"):
        picture(tmp_path / name)
    targets, why = passed_over(tmp_path)
    assert targets == {"paper.xml", "mine.tif", "1.png"}
    assert set(why) | {"fig1.png", "fig1_lrg.png"} == {"logo.png", "fig1.png", "fig1_lrg.png"}
    assert "paper.xml" in why["logo.png"]


@pytest.mark.parametrize("name", ["paper.pdf", "paper.html", "empty.xml"])
def test_what_only_looks_like_an_article_costs_no_picture_beside_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"%PDF-1.4" if name.endswith("pdf") else b"")
    picture(tmp_path / "a.png")
    picture(tmp_path / "below" / "b.png")
    assert passed_over(tmp_path)[0] == {name, "a.png", "b.png"}


def test_figures_in_a_folder_below_their_article_are_not_measured_twice(tmp_path):
    (tmp_path / "paper.xml").write_text(ARTICLE)
    picture(tmp_path / "figures" / "fig1.png")
    picture(tmp_path / "figures" / "own.png")
    assert passed_over(tmp_path)[0] == {"paper.xml", "own.png"}


def test_what_the_program_wrote_is_passed_over(tmp_path):
    picture(tmp_path / "a.png")
    draw_overlay(np.zeros((60, 80), np.uint8), [], None, tmp_path / "overlay.png")
    for name in ("b.png", "b.tif", "b.jpg"):
        save_marked(Image.fromarray(np.zeros((8, 8), np.uint8)), tmp_path / name)
    (tmp_path / "report.html").write_text(f"<!DOCTYPE html><html><head>{GENERATOR_META}</head></html>")
    targets, why = passed_over(tmp_path)
    assert targets == {"a.png"}
    assert set(why.values()) == {"was written by this program"}
    assert find_images(tmp_path) == [tmp_path / "a.png"]
    assert not is_written_here(tmp_path / "a.png")
    assert "written by this program" in find_targets([tmp_path / "overlay.png"])[1][0].message


def test_every_other_file_of_a_folder_is_named_with_a_reason(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    (tmp_path / "table.xml").write_text("<table/>")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "p.xml").write_text(ARTICLE)
    (tmp_path / "p.pdf").write_bytes(b"%PDF-1.4")
    targets, why = passed_over(tmp_path)
    assert targets == {"a.png", "p.xml"}
    assert why == {
        "notes.txt": "neither article nor picture",
        ".hidden.png": "a hidden file",
        "table.xml": "XML, but no article",
        "gone.png": "a link to nothing",
        "elsewhere": "a link to a folder is not followed",
        "pipe.png": "no regular file",
        "p.pdf": "the same article lies beside it in a richer format",
    }


def test_a_name_that_is_no_utf8_has_a_key_that_can_be_printed_and_a_path_that_opens(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Messung_\xe4.png"))
    picture(path)
    (target,), _ = find_targets([tmp_path])
    assert target.key.encode() == os.fsencode(tmp_path) + rb"/Messung_\xe4.png"
    assert target.path.is_file()
    assert fingerprint(target)
