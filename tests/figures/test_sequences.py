"""Sequences of letters: how they are described, chosen among, and learned."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from imagedataextractor.artificial.lettering import font
from imagedataextractor.cli import ide
from imagedataextractor.errors import InputError
from imagedataextractor.figures.letters.find import candidate_lists, find_letters, for_search
from imagedataextractor.figures.letters.sequences import FEATURES, best_run, describe, runs
from imagedataextractor.figures.network import forward
from imagedataextractor.figures.panels.layout import analyse
from imagedataextractor.images import load_image
from imagedataextractor.records import Box
from imagedataextractor.training.figures.labelled import LabelledFigure, LabelledPanel, labelled_figures
from imagedataextractor.training.figures.letters import choices, train

#: Three images with the letter of each above its left corner.
IMAGES = [Box(20 + 260 * i, 50, 240 + 260 * i, 270) for i in range(3)]


def lettered(names, size=24, words="", shape=(320, 800)):
    from PIL import Image, ImageDraw

    page = np.full(shape, 255, np.uint8)
    rng = np.random.default_rng(0)
    for box in IMAGES:
        noise = rng.integers(0, 200, (box.height, box.width)).astype(np.uint8)
        page[box.slices] = cv2.GaussianBlur(noise, (0, 0), 4)
    drawn = Image.fromarray(page)
    pen = ImageDraw.Draw(drawn)
    for name, box in zip(names, IMAGES, strict=False):
        pen.text((box.x0, 12), name, fill=0, font=font("sans-bold", size))
    pen.text((20, 285), words, fill=0, font=font("sans", 16))
    return np.asarray(drawn).copy()


def candidates_of(image):
    layout = for_search(analyse(image))
    return layout, next(candidate_lists(layout))


def test_the_sequence_of_the_panels_is_among_the_runs_and_is_chosen():
    layout, candidates = candidates_of(lettered("abc", words="x y c b a d"))
    found = runs(candidates, layout)
    assert len({tuple(c.candidate.box for c in run.letters) for run in found}) > 1
    best, logit = best_run(candidates, layout)
    assert logit > 0
    assert [c.name for c in best.letters] == ["a", "b", "c"]
    assert all(c.candidate.box.y1 < 50 * layout.enlarged for c in best.letters)


def test_every_run_is_described_by_finite_numbers():
    layout, candidates = candidates_of(lettered("abc"))
    for told in (frozenset(), frozenset("abcd")):
        for run in runs(candidates, layout, told):
            numbers = describe(run, layout, told)
            assert numbers.shape == (len(FEATURES),)
            assert np.isfinite(numbers).all()


def test_what_the_caption_tells_is_counted():
    layout, candidates = candidates_of(lettered("abc"))
    run, _ = best_run(candidates, layout)
    counted = dict(zip(FEATURES, describe(run, layout, frozenset("abx")), strict=True))
    assert (counted["letters told"], counted["letters not told"], counted["told and missing"]) == (2, 1, 1)
    assert (counted["letters"], counted["first"]) == (pytest.approx(np.log(3)), 0)


def test_late_letters_are_a_sequence_only_if_the_caption_names_them():
    layout, candidates = candidates_of(lettered("fgh"))
    assert runs(candidates, layout) == []
    assert ["f", "g", "h"] in [[c.name for c in run.letters] for run in runs(candidates, layout, frozenset("fgh"))]


@pytest.mark.parametrize("size", [9, 12])
def test_small_print_is_read_in_a_magnified_copy(size):
    image = lettered(["a", "b", "c"], size)
    letters = find_letters(analyse(image))
    assert [x.text for x in letters] == ["a", "b", "c"]
    for letter, box in zip(letters, IMAGES, strict=True):
        assert abs(letter.box.x0 - box.x0) <= 2
        assert 12 <= letter.box.y0 <= letter.box.y1 <= 12 + 1.3 * size


def test_letters_of_a_figure_made_smaller_are_still_read(shared):
    image = load_image(shared / "figures" / "s41467-018-06211-3_fig3.jpg")
    small = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    assert [x.text for x in find_letters(analyse(small))] == ["a", "b", "c", "d"]


# ---------------------------------------------------------------- training


def figure(names="abc", **how):
    panels = tuple(LabelledPanel(box, name) for box, name in zip(IMAGES, names, strict=True))
    return LabelledFigure(lettered(names, **how), panels)


def test_the_right_sequence_of_a_labelled_figure_is_the_one_at_its_panels():
    made = list(choices(np.random.default_rng(0), figure(words="x y c b a d")))
    assert made
    assert all(choice.right.any() and not choice.right.all() for choice in made)


def test_where_no_panel_has_a_letter_nothing_is_right():
    bare = LabelledFigure(lettered("", words="x y c b a d"), tuple(LabelledPanel(box, None) for box in IMAGES))
    made = list(choices(np.random.default_rng(0), bare))
    assert made
    assert not any(choice.right.any() for choice in made)


def test_the_network_learns_which_sequence_is_right():
    rng = np.random.default_rng(2)
    examples = [c for size in (18, 24, 30) for c in choices(rng, figure(size=size, words="x y c b a d"))]
    examples += [
        c
        for words in ("a b c d", "x y c b a d")
        for c in choices(rng, LabelledFigure(lettered("", words=words), tuple(LabelledPanel(b, None) for b in IMAGES)))
    ]
    weights = train(examples, members=1, epochs=150)
    for choice in examples:
        scaled = np.clip((choice.numbers - weights["mean"]) / weights["scale"], -5, 5).astype(np.float32)
        logits = np.append(forward(weights, scaled)[0, :, 0], 0.0)
        right = np.append(choice.right, not choice.right.any())
        assert right[int(logits.argmax())]


def test_the_command_trains_the_same_network_with_one_process_as_with_two(tmp_path):
    (tmp_path / "textures").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (300, 400)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "textures" / "a.png"), cv2.GaussianBlur(noise, (0, 0), 3))
    made = figure()
    cv2.imwrite(str(tmp_path / "figure.png"), made.image)
    panels = [{"x0": p.box.x0, "y0": p.box.y0, "x1": p.box.x1, "y1": p.box.y1, "label": p.label} for p in made.panels]
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps([{"file": "figure.png", "panels": panels}]))
    for workers in ("1", "2"):
        paths = [str(tmp_path / "textures"), "--panels", str(labels), "--out", str(tmp_path / workers)]
        asked = ["train", "figures", *paths, "--network", "letters", "--letters", "1", "--workers", workers]
        result = CliRunner().invoke(ide, asked)
        assert result.exit_code == 0, result.output
    one, two = ((tmp_path / n / "letters.safetensors").read_bytes() for n in ("1", "2"))
    assert one == two


@pytest.mark.parametrize(
    ("content", "says"),
    [("nothing", "malformed"), ('[{"file": "a.png"}]', "panels"), ('[{"file": "a.png", "panels": [{"x0": 1}]}]', "y0")],
)
def test_a_file_that_holds_no_labels_is_one_clear_line(tmp_path, content, says):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(InputError, match=f"labels.json: no file of labelled panels.*{says}"):
        list(labelled_figures([tmp_path / "labels.json"], []))


def test_figures_that_are_kept_to_test_with_or_not_free_are_not_learned_from(tmp_path):
    cv2.imwrite(str(tmp_path / "figure.png"), np.full((1600, 2800), 128, np.uint8))
    panel = {"x0": 0, "y0": 0, "x1": 2800, "y1": 1600, "label": ""}
    entries = [
        {"file": "figure.png", "panels": [panel]},
        {"file": "figure.png", "panels": [panel], "set": "kept", "licence": "CC BY 4.0"},
        {"file": "figure.png", "panels": [panel], "set": "dev", "licence": "not stated"},
        {"file": "not-there.png", "panels": [panel]},
    ]
    (tmp_path / "labels.json").write_text(json.dumps(entries))
    ((file, read),) = labelled_figures([tmp_path / "labels.json"], [])
    assert file == tmp_path / "figure.png"
    assert read.image.shape == (800, 1400)
    assert read.panels == (LabelledPanel(Box(0, 0, 1400, 800), None),)
