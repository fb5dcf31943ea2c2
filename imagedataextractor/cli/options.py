"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import click

from imagedataextractor.settings import Settings, load_settings

__all__ = ["chosen_settings", "db_option", "scale_options", "segmentation_options"]

F = TypeVar("F", bound=Callable[..., Any])

db_option = click.option("--db", metavar="URL", help="Database; else $IDE_DB, else sqlite:///particles.db.")


def segmentation_options(function: F) -> F:
    """--mode, --samples, --threshold, --seed, --model, --device."""
    for option in reversed(
        [
            click.option(
                "--mode",
                type=click.Choice(["discriminative", "bayesian", "filtered"]),
                help="One pass; T samples; T samples and the uncertainty filter (default).",
            ),
            click.option("--samples", type=click.IntRange(min=1), metavar="T", help="Monte Carlo samples."),
            click.option("--threshold", type=click.FloatRange(min=0), metavar="TU", help="Uncertainty filter, nats."),
            click.option("--seed", type=click.IntRange(min=0), help="Of the dropout; default 0."),
            click.option("--model", help="Model name or weights file; see `ide model list`."),
            click.option("--device", help="auto, cpu, cuda, cuda:1, mps."),
        ]
    ):
        function = option(function)
    return function


def scale_options(function: F) -> F:
    """--ocr, --scalebar, --nm-per-px."""
    for option in reversed(
        [
            click.option("--ocr", type=click.Choice(["rapidocr", "tesseract"]), help="OCR engine."),
            click.option(
                "--scalebar", metavar="LENGTH", help="Length of the scale bars by hand, as '200 nm'; the bar is found."
            ),
            click.option(
                "--nm-per-px", type=click.FloatRange(min=0, min_open=True), help="Scale of every panel by hand."
            ),
        ]
    ):
        function = option(function)
    return function


def chosen_settings(*, db: str | None = None, ocr: str | None = None, **segmentation: Any) -> Settings:
    """The settings of environment and configuration file, with what the command line gives over them."""
    settings = load_settings()
    given = {name: value for name, value in segmentation.items() if value is not None}
    settings = dataclasses.replace(settings, segmentation=dataclasses.replace(settings.segmentation, **given))
    if ocr is not None:
        settings = dataclasses.replace(settings, scalebar=dataclasses.replace(settings.scalebar, ocr=ocr))
    return settings if db is None else dataclasses.replace(settings, db=db)
