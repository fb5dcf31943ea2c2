"""Public pictures are fetched by SHA-256, kept, and cut into their panels."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
import zipfile
from pathlib import Path

import pytest
from real_pictures import Archive, fetch, real_figures

from imagedataextractor.figures import split_figure
from imagedataextractor.images import load_image


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server on this machine with one archive; what was asked of it."""
    folder, asked = tmp_path / "mirror", []
    folder.mkdir()
    with zipfile.ZipFile(folder / "figures.zip", "w") as archive:
        archive.writestr("a/figure.png", b"the pixels")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("IDE_TEST_PICTURES", f"http://127.0.0.1:{server.server_port}/")
        yield folder / "figures.zip", asked
        server.shutdown()


def _archive(sha256: str) -> Archive:
    return Archive("figures.zip", "https://nowhere.invalid/", sha256, "MIT")


def test_a_picture_is_fetched_once_and_kept(mirror, tmp_path):
    file, asked = mirror
    archive = _archive(hashlib.sha256(file.read_bytes()).hexdigest())
    for _ in range(2):
        found = fetch(archive, ["a/figure.png"], tmp_path / "cache")
        assert found["a/figure.png"].read_bytes() == b"the pixels"
    assert asked == ["/figures.zip"]


def test_another_file_than_expected_is_refused(mirror, tmp_path):
    with pytest.raises(ValueError, match=r"SHA256|hash"):
        fetch(_archive("0" * 64), ["a/figure.png"], tmp_path / "cache")


def test_electron_micrographs_of_real_figures_are_found():
    figures = real_figures()
    wanted = found = 0
    for path, labels in figures:
        boxes = [
            (p.box.x0, p.box.y0, p.box.x1, p.box.y1) for p in split_figure(load_image(Path(path))) if p.kind == "em"
        ]
        for panel in (p for p in labels if p["kind"] == "em"):
            wanted += 1
            truth = tuple(panel[edge] for edge in ("x0", "y0", "x1", "y1"))
            found += any(_overlap(truth, box) >= 0.5 for box in boxes)
    assert wanted >= 10
    assert found >= 0.8 * wanted


def _overlap(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, width) * max(0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
