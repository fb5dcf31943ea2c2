"""Options that several commands share; their names are those of `imagedataextractor.options.Options`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from imagedataextractor.errors import printable
from imagedataextractor.quantities import parse_number
from imagedataextractor.records import MODES, OCR_ENGINES

__all__ = [
    "FiniteRange",
    "command_line",
    "db_option",
    "group_options",
    "licence_option",
    "ocr_option",
    "page_option",
    "picture_options",
    "say_passed_over",
    "scale_options",
    "segmentation_options",
]

F = TypeVar("F", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """A range of numbers as people write them ("0,42", "1 000"), without "nan" and "inf", which Python reads."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        read = parse_number(value) if isinstance(value, str) else None
        try:
            read = float(value) if read is None else read
        except ValueError:
            self.fail(f"{value!r} is no number; write it as 0.42.", param, ctx)
        number = super().convert(read, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number to reckon with.", param, ctx)
        return number


db_option = click.option("--db", metavar="URL", help="Database; else $IDE_DB, else sqlite:///particles.db.")


def segmentation_options(function: F) -> F:
    """--mode, --samples, --threshold, --seed, --model, --device."""
    for option in reversed(
        [
            click.option(
                "--mode",
                type=click.Choice(MODES),
                help="One pass; T samples; T samples and the uncertainty filter (default).",
            ),
            click.option("--samples", type=click.IntRange(min=1), metavar="T", help="Monte Carlo samples."),
            click.option("--threshold", type=FiniteRange(min=0), metavar="TU", help="Uncertainty filter, nats."),
            click.option("--seed", type=click.IntRange(min=0), help="Of the random numbers of the dropout; default 0."),
            click.option("--model", help="Model name or weights file; see `ide model list`."),
            click.option("--device", help="auto, cpu, cuda, cuda:1, mps."),
        ]
    ):
        function = option(function)
    return function


ocr_option = click.option("--ocr", type=click.Choice(OCR_ENGINES), help="Engine that reads text in pictures.")


def scale_options(function: F) -> F:
    """--ocr, --scalebar, --bar-px, --field-width, --nm-per-px, --scales."""
    for option in reversed(
        [
            ocr_option,
            click.option(
                "--scalebar", metavar="LENGTH", help="Length of the scale bars by hand, as '200 nm'; the bar is found."
            ),
            click.option(
                "--bar-px",
                type=FiniteRange(min=0, min_open=True),
                metavar="N",
                help="Length of the scale bars in pixels, with --scalebar: no bar is sought.",
            ),
            click.option(
                "--field-width", metavar="LENGTH", help="What each micrograph shows from side to side, as '1.8 um'."
            ),
            click.option("--nm-per-px", type=FiniteRange(min=0, min_open=True), help="Scale of every panel by hand."),
            click.option(
                "--scales",
                metavar="CSV",
                help="Scales of single pictures: file, panel, and nm_per_px, bar (with bar_px) or field_width.",
            ),
        ]
    ):
        function = option(function)
    return function


def say_passed_over(path: Path, why: str) -> None:
    """One line on a file that a folder holds and no command uses."""
    click.echo(f"{printable(path)}: passed over, {why}", err=True)


page_option = click.option(
    "--page",
    type=click.IntRange(min=1),
    metavar="N",
    help="Page of a TIFF with several, from 1; else the one that is the picture.",
)


def picture_options(function: F) -> F:
    """--page, --whole, --figure."""
    for option in reversed(
        [
            page_option,
            click.option("--whole", "extent", flag_value="whole", help="Take each picture for one micrograph."),
            click.option(
                "--figure", "extent", flag_value="figure", help="Take each picture for a figure of several panels."
            ),
        ]
    ):
        function = option(function)
    return function


def licence_option(function: F) -> F:
    """--licence."""
    return click.option(
        "--licence",
        "licences",
        multiple=True,
        metavar="NAME",
        help="Only articles and figures under this licence ('CC BY'); may be repeated.",
    )(function)


def command_line(argv: Sequence[str]) -> str:
    """The command as a run records it; the password of a database address is left out."""
    said = printable(" ".join(["ide", *argv[1:]]))
    said = re.sub(r"(://[^:/@\s]*:)\S*@", r"\1***@", said)
    return re.sub(r"([?&]password=)[^&\s]*", r"\1***", said)


def group_options(function: F) -> F:
    """NAMES, --group-by, --groups, --quantity."""
    for option in reversed(
        [
            click.argument("names", nargs=-1, metavar="[PICTURE|FOLDER|DOI…]"),
            click.option(
                "--group-by",
                "--group",
                "group_by",
                metavar="WHAT",
                help="sample (the default: folder of own pictures, figure of an article), folder, picture, panel, "
                "figure, article, journal, year, material, technique, all; or a column of --groups.",
            ),
            click.option(
                "--groups", metavar="CSV", help="Table with the columns file, panel (if any), and what groups are."
            ),
            click.option(
                "--quantity",
                default="ecd_nm",
                show_default=True,
                metavar="COLUMN",
                help="ecd_nm, feret_max_nm, feret_min_nm, area_nm2, perimeter_nm, aspect_ratio, circularity, solidity.",
            ),
        ]
    ):
        function = option(function)
    return function
