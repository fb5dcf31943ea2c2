"""What the command line's targets stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.targets import find_images, find_targets, fingerprint

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
