"""Captions made up by the rules that authors and journals follow, with the sub-captions they must give.

A caption has a style of markers, a number of panels, panels that share a text, markers before or behind
their text, a title or a shared beginning, and a closing sentence about all panels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Texts that stand for themselves, and the ends of texts that a shared beginning opens.
WHOLE = (
    "TEM image of gold nanorods",
    "XRD pattern of the calcined powder",
    "size distribution of the particles",
    "HAADF-STEM image with the corresponding EDS maps",
    "nitrogen adsorption isotherm at 77 K",
    "SEM micrograph of the fracture surface after 3.5 h",
    "UV–vis spectrum in water (pH 7)",
    "cross-section of the film",
    "selected-area electron diffraction pattern",
    "Raman spectra (532 nm excitation)",
    "histogram of 250 particles",
    "magnified view of the edge",
    "photograph of the sponge",
    "elemental maps of Ti, O and N",
)
ENDS = (
    "rods",
    "CeO2 cubes",
    "the as-made sample",
    "Pt/C",
    "ZIF-8",
    "fibres spun at 15 kV",
    "S1",
    "TiO2–SiO2",
    "10 wt% Ni",
)
BEGINNINGS = ("TEM images of", "SEM micrographs of", "HRTEM images for", "Size histograms of", "EDS maps of")
TITLES = ("", "", "Morphology of the samples. ", "Characterisation of the catalyst by electron microscopy. ")
CLOSINGS = ("", "", " Scale bars: 50 nm.", " All scale bars are 200 nm.", " Scale bars, 1 µm.")

Name = Callable[[Sequence[str]], str]


def _joined(names: Sequence[str], rng: random.Random) -> str:
    """Names of neighbouring panels as one group: "a", "a, b", "a and b", "a–c"."""
    if len(names) == 1:
        return names[0]
    if len(names) > 2 or rng.random() < 0.3:
        return f"{names[0]}{rng.choice('–-')}{names[-1]}"
    return rng.choice((", ", ",", " and ", " & ")).join(names)


@dataclass(frozen=True)
class Style:
    """How panels are named; ``wrap`` puts a group into its marker, ``names`` are those of all panels."""

    names: tuple[str, ...]
    wrap: Callable[[str], str]
    opening_only: bool = False


STYLES = (
    Style(tuple("abcdefgh"), lambda group: f"({group})"),
    Style(tuple("ABCDEFGH"), lambda group: f"({group})"),
    Style(tuple("abcdefgh"), lambda group: f"{group})"),
    Style(tuple("ABCDEFGH"), lambda group: f"{group})"),
    Style(("i", "ii", "iii", "iv", "v", "vi", "vii", "viii"), lambda group: f"({group})"),
    Style(tuple("12345678"), lambda group: f"({group})"),
    Style(tuple("ABCDEFGH"), lambda group: f"{group},", opening_only=True),
    Style(tuple("ABCDEFGH"), lambda group: f"{group}:", opening_only=True),
    Style(tuple("abcdefgh"), lambda group: f"Fig. 3{group}:", opening_only=True),
)


def made_caption(seed: int) -> tuple[str, dict[str, str]]:
    """A caption, and the text that belongs to each of its panels."""
    rng = random.Random(seed)
    style = rng.choice(STYLES)
    count = rng.randint(2, 6)
    groups = _groups(style, count, rng)
    shape = _sentences if style.opening_only else rng.choice((_sentences, _list, _behind))
    text, truth = shape(style, groups, rng)
    return rng.choice(TITLES) + text + rng.choice(CLOSINGS), truth


def _groups(style: Style, count: int, rng: random.Random) -> list[tuple[str, ...]]:
    names, groups = list(style.names[:count]), []
    single = style.wrap("x") == "Fig. 3x:"
    while names:
        size = 1 if single or rng.random() < 0.75 else min(len(names), rng.randint(2, 3))
        groups.append(tuple(names[:size]))
        del names[:size]
    # One group alone would describe the figure, not its panels.
    return groups if len(groups) > 1 else [tuple(style.names[:1]), tuple(style.names[1:count])]


def _pick(pool: Sequence[str], count: int, rng: random.Random) -> list[str]:
    return rng.sample(pool, count)


def _sentences(style: Style, groups: list[tuple[str, ...]], rng: random.Random) -> tuple[str, dict[str, str]]:
    """As in "(a) One. (b) Another." or "(a) one; (b) another"."""
    texts = _pick(WHOLE, len(groups), rng)
    stop = rng.choice((". ", "; "))
    if stop == ". ":
        texts = [text[0].upper() + text[1:] for text in texts]
    parts = [f"{style.wrap(_joined(group, rng))} {text}" for group, text in zip(groups, texts, strict=True)]
    return stop.join(parts) + ".", _truth(groups, texts)


def _list(style: Style, groups: list[tuple[str, ...]], rng: random.Random) -> tuple[str, dict[str, str]]:
    """As in "TEM images of (a) one, (b) another and (c) a third"."""
    texts = _pick(ENDS, len(groups), rng)
    parts = [f"{style.wrap(_joined(group, rng))} {text}" for group, text in zip(groups, texts, strict=True)]
    return f"{rng.choice(BEGINNINGS)} {_enumerated(parts, rng)}.", _truth(groups, texts)


def _behind(style: Style, groups: list[tuple[str, ...]], rng: random.Random) -> tuple[str, dict[str, str]]:
    """As in "TEM images of one (a), another (b) and a third (c)"."""
    texts = _pick(ENDS, len(groups), rng)
    # Numbers behind their text count curves, compounds and more: panels only where micrographs are shown.
    beginning = rng.choice(BEGINNINGS[:3] if "1" in style.names else BEGINNINGS)
    named = Style(style.names, lambda group: f"({group})")
    parts = [f"{text} {named.wrap(_joined(group, rng))}" for group, text in zip(groups, texts, strict=True)]
    return f"{beginning} {_enumerated(parts, rng)}.", _truth(groups, [f"{beginning} {texts[0]}", *texts[1:]])


def _enumerated(parts: Sequence[str], rng: random.Random) -> str:
    return ", ".join(parts[:-1]) + rng.choice((" and ", ", and ")) + parts[-1]


def _truth(groups: Sequence[tuple[str, ...]], texts: Sequence[str]) -> dict[str, str]:
    return {name: text for group, text in zip(groups, texts, strict=True) for name in group}
