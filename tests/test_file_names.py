"""Names under which the results of several files stand in one folder."""

from __future__ import annotations

from pathlib import Path

from imagedataextractor.results import file_names


def test_no_two_files_get_one_name() -> None:
    paths = [
        Path(p)
        for p in ("/in/a/one.png", "/in/b/one.png", "/one.png", "/in/a/two one.png", "/in/c/x.tif", "/in/c/x.png")
    ]
    names = file_names(paths)
    assert len(set(names.values())) == len(paths)
    assert names[paths[0]] == "a_one"
    assert names[paths[3]] == "two one"
    assert not [name for name in names.values() if "/" in name]


def test_a_name_of_its_own_stays() -> None:
    assert file_names([Path("/in/a/é 1.png"), Path("/in/b/2.png")]) == {
        Path("/in/a/é 1.png"): "é 1",
        Path("/in/b/2.png"): "2",
    }
