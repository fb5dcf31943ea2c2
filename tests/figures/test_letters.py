"""Panel letters: read as blobs, believed as a sequence."""

import cv2
import numpy as np
import pytest

from imagedataextractor.artificial.lettering import font
from imagedataextractor.figures.letters.find import find_letters
from imagedataextractor.figures.letters.glyphs import CLASSES, frame_of, read_glyphs
from imagedataextractor.figures.panels.layout import analyse
from imagedataextractor.images import load_image
from imagedataextractor.records import Box


def lettered_page(letters, pattern="{}", size=28, name="sans-bold"):
    from PIL import Image, ImageDraw

    page = Image.new("L", (900, 620), 255)
    pen = ImageDraw.Draw(page)
    rng = np.random.default_rng(0)
    for i, letter in enumerate(letters):
        x, y = 20 + (i % 3) * 300, 20 + (i // 3) * 300
        pen.text((x, y), pattern.format(letter), fill=0, font=font(name, size))
        noise = cv2.GaussianBlur(rng.integers(0, 256, (230, 220)).astype(np.uint8), (0, 0), 3)
        page.paste(Image.fromarray(noise), (x + 40, y + 40))
    return np.asarray(page).copy()


@pytest.mark.parametrize("character", list("abcdegABDEFGH"))
def test_single_characters_are_read(character):
    from PIL import Image, ImageDraw

    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).text((15, 10), character, fill=0, font=font("sans-bold", 32))
    grey = np.asarray(image)
    rows, columns = np.flatnonzero((grey < 128).any(1)), np.flatnonzero((grey < 128).any(0))
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    chances = read_glyphs(frame_of(grey, box, bright=False)[None])[0]
    assert CLASSES[int(chances.argmax())] == character


@pytest.mark.parametrize(("pattern", "name"), [("{}", "sans-bold"), ("({})", "sans"), ("{})", "sans-bold")])
def test_a_sequence_on_paper_is_read_with_or_without_brackets(pattern, name):
    letters = find_letters(analyse(lettered_page("abcdef", pattern, name=name)))
    assert [x.text for x in letters] == list("abcdef")


def test_numbers_along_an_axis_are_no_letters():
    assert find_letters(analyse(lettered_page("012345"))) == []


def test_a_sequence_that_starts_later_is_believed_if_the_caption_says_so():
    page = lettered_page("defghk"[:3])
    assert find_letters(analyse(page)) == []
    assert [x.text for x in find_letters(analyse(page), ["a", "b", "c", "d", "e", "f"])] == ["d", "e", "f"]


ROMAN_SIX = ["i", "ii", "iii", "iv", "v", "vi"]


@pytest.mark.parametrize("name", ["sans", "serif-bold"])
def test_roman_numerals_in_brackets_are_read(name):
    letters = find_letters(analyse(lettered_page(ROMAN_SIX, "({})", name=name)))
    assert [x.text for x in letters] == ROMAN_SIX


def test_numbered_letters_are_read():
    letters = find_letters(analyse(lettered_page(["a1", "a2", "a3", "b1", "b2", "b3"])))
    assert [x.text for x in letters] == ["a1", "a2", "a3", "b1", "b2", "b3"]


def test_numbers_and_words_of_two_characters_are_no_numbered_letters():
    assert find_letters(analyse(lettered_page(["v1", "x1", "10", "C2", "b4", "Pt"]))) == []


def micrograph(letter, corner=(14, 12), size=44):
    """One image without paper around it, as panels that were cut out of figures are, with a letter in white."""
    from PIL import Image, ImageDraw

    noise = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 160, (500, 600)).astype(np.uint8), (0, 0), 4)
    image = Image.fromarray(noise)
    ImageDraw.Draw(image).text(corner, letter, fill=255, font=font("sans-bold", size))
    return np.asarray(image).copy()


@pytest.mark.parametrize(("printed", "read"), [("(d)", ["d"]), ("e", ["e"]), ("b2", ["b2"]), ("", []), ("Au NPs", [])])
def test_a_panel_on_its_own_has_the_letter_in_its_corner_or_none(printed, read):
    assert [x.text for x in find_letters(analyse(micrograph(printed)))] == read


def test_a_letter_in_the_middle_of_a_panel_is_none():
    assert find_letters(analyse(micrograph("d", corner=(280, 230)))) == []


def test_among_much_writing_chance_sequences_are_not_believed():
    from PIL import Image, ImageDraw

    page = Image.new("L", (900, 900), 255)
    pen = ImageDraw.Draw(page)
    rng = np.random.default_rng(1)
    for y in range(20, 880, 40):
        for x in range(20, 880, 40):
            pen.text((x, y), str(rng.choice(list("abcdefghkmnrst"))), fill=0, font=font("sans", 16))
    assert find_letters(analyse(np.asarray(page).copy())) == []


def test_one_capital_among_small_letters_is_read_as_printed():
    letters = find_letters(analyse(lettered_page(["a", "b", "d", "e", "G", "h"])))
    assert [x.text for x in letters] == ["a", "b", "d", "e", "G", "h"]


def test_the_captions_word_makes_no_letters_of_texture(shared):
    image = load_image(shared / "samples" / "jats" / "PMC7052380" / "fchem-08-00104-g0004.jpg")
    letters = find_letters(analyse(image), tuple("ABCDEFGHI"))
    assert [letter.text for letter in letters][:8] == list("ABCDEFGH")


def test_roman_numerals_of_parts_are_not_taken_for_the_letters_of_their_panels():
    from PIL import Image, ImageDraw

    page = Image.fromarray(lettered_page("ab", "({})", name="serif-bold"))
    pen = ImageDraw.Draw(page)
    for panel in range(2):
        for part, numeral in enumerate(["(i)", "(ii)", "(iii)"]):
            pen.text((60 + 300 * panel, 300 + 60 * part), numeral, fill=0, font=font("serif", 28))
    assert [x.text for x in find_letters(analyse(np.asarray(page).copy()))] == ["a", "b"]


def test_three_letters_of_which_only_the_first_is_missing_are_believed():
    assert [x.text for x in find_letters(analyse(lettered_page(["", "b", "c", "d"])))] == ["b", "c", "d"]


def test_letters_in_other_corners_are_looked_for_where_names_are_missing():
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(5)
    page = Image.new("L", (1000, 500), 255)
    pen = ImageDraw.Draw(page)
    for i, letter in enumerate("abcdefgh"):
        x, y = (i % 4) * 250, (i // 4) * 250
        noise = cv2.GaussianBlur(rng.integers(0, 120, (240, 240)).astype(np.uint8), (0, 0), 3)
        page.paste(Image.fromarray(noise), (x, y))
        corner = (x + 8, y + 6) if letter not in "bf" else (x + 8, y + 200)
        pen.text(corner, letter, fill=255, font=font("sans-bold", 30))
    assert [x.text for x in find_letters(analyse(np.asarray(page).copy()))] == list("abcdefgh")
