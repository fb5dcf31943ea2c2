"""`ide extract`: targets all the way into the database."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from imagedataextractor.cli.options import (
    command_line,
    db_option,
    licence_option,
    picture_options,
    say_passed_over,
    scale_options,
    segmentation_options,
)
from imagedataextractor.errors import UsageError

if TYPE_CHECKING:
    from imagedataextractor.results import MeasuredPanel, Result

__all__ = ["command"]

#: Width of the column of names, characters.
_NAME = 44
#: Names and readings that the summary gives before it says how many more there are.
_NAMED = 3


@click.command("extract")
@click.argument("targets", nargs=-1, type=click.Path(path_type=Path), metavar="[TARGET…]")
@click.option("--doi", "dois", multiple=True, metavar="DOI", help="An article to retrieve; may be repeated.")
@licence_option
@db_option
@click.option("--pictures", type=click.Path(path_type=Path), metavar="DIR", help="Draw every measured panel there.")
@click.option("--again", is_flag=True, help="Do again what is finished under the same settings.")
@click.option("--assume-em", is_flag=True, help="Take every panel for a micrograph of particles.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a target on stdout.")
@picture_options
@scale_options
@segmentation_options
def command(
    targets: tuple[Path, ...],
    dois: tuple[str, ...],
    db: str | None,
    pictures: Path | None,
    again: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Extract particles from images, figures and articles into the database.

    TARGETs are pictures (micrographs, and what plainly is a figure of several panels), articles (.xml, .html, .pdf
    with their figure files beside them), or folders of either. What is already finished under the
    same settings is passed over; what failed is tried again.
    """
    import imagedataextractor as ide

    if not targets and not dois:
        raise UsageError("nothing to extract: name files or folders, or give --doi")
    extractor = ide.Extractor(**options)
    summary = _Summary(db or extractor.settings.db, pictures)
    done = extractor.iterate(
        [*targets, *dois],
        db=summary.db,
        again=again,
        pictures=pictures,
        command=command_line(sys.argv),
        unused=say_passed_over,
    )
    for result in done:
        for problem in (*result.failures, *result.waiting):
            click.echo(f"ide: {problem.message}", err=True)
        if result.standing:
            what = "1 correction holds" if result.standing == 1 else f"{result.standing:,} corrections hold"
            name = result.articles[0].article.path or result.articles[0].article.key
            click.echo(f"{name}: {what} in the database, a scale by hand included; see `ide correct --list`", err=True)
        summary.add(result)
        for article in result:
            if as_json:
                click.echo(json.dumps(_as_object(article), ensure_ascii=False))
            else:
                summary.print_rows(article)
    summary.print(to_stderr=as_json)
    if summary.failed or summary.waiting:
        raise click.exceptions.Exit(1)


def _as_object(result: Result) -> dict[str, Any]:
    """One target, for programs."""
    (article,) = result.articles
    return {
        "key": article.article.doi or article.article.key,
        "title": article.article.title,
        "figures": len(article.article.figures),
        "panels": [_values(panel, result.held.get(panel.place)) for panel in result.panels],
        "failures": [failure.message for failure in result.failures],
    }


@dataclass
class _Summary:
    """One table that grows as targets are done, and what it comes to."""

    db: str
    pictures: Path | None
    targets: int = 0
    failed: int = 0
    waiting: int = 0
    passed_over: int = 0
    measured: int = 0
    scaled: int = 0
    particles: int = 0
    accepted: int = 0
    without: dict[str, list[str]] = field(default_factory=dict)
    readings: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    _has_head: bool = False

    def add(self, result: Result) -> None:
        self.targets += 1
        self.failed += bool(result.failures)
        self.waiting += bool(result.waiting)
        self.passed_over += len(result.passed_over)
        for panel in result.panels:
            if not panel.is_measured:
                self.others["micrograph without particles to measure" if panel.kind == "em" else panel.kind] += 1
                continue
            self.measured += 1
            self.particles += len(panel.particles)
            self.accepted += len(panel.particles.accepted)
            if panel.nm_per_px is not None or panel.place in result.held:
                self.scaled += 1
            else:
                self._note_missing_scale(panel)

    def _note_missing_scale(self, panel: MeasuredPanel) -> None:
        bar = panel.scalebar
        reason = (bar.reason if bar is not None else None) or "no scale bar found"
        self.without.setdefault(reason, []).append(panel.full_name)
        if bar is not None and bar.value is not None and bar.length_px:
            length = f"{bar.value:g} {bar.unit}"
            self.readings.append(
                f'  {panel.full_name}: "{length}" over {bar.length_px:.0f} px was read with a confidence of '
                f'{bar.confidence:.2f}; if that is right, say --scalebar "{length}"'
            )

    def print_rows(self, result: Result) -> None:
        if not result.panels:
            return
        if not self._has_head:
            click.echo(_line("picture", "kind", "nm/px", "found", "accepted", "median ECD"))
            self._has_head = True
        for panel in result.panels:
            click.echo(_row(panel, result.held.get(panel.place)))

    def print(self, *, to_stderr: bool) -> None:
        for line in self.lines():
            click.echo(line, err=to_stderr)
        if self.passed_over:
            click.echo(f"ide: {self.passed_over:,} finished before under these settings, passed over", err=True)
        if self.failed:
            click.echo(f"ide: {self.failed:,} of {self.targets:,} targets with failures; see `ide status`", err=True)
        if self.waiting:
            click.echo(f"ide: {self.waiting:,} wait for a quota; the same command again goes on with them", err=True)

    def lines(self) -> list[str]:
        from imagedataextractor.results import counted

        lines = [
            f"{counted(self.measured, 'micrograph')} measured, {self.scaled:,} with a scale: "
            f"{counted(self.particles, 'particle')} found, {self.accepted:,} accepted"
        ]
        lines += [
            f"  {len(names):,} without a scale, {reason}: {_few(names)}" for reason, names in self.without.items()
        ]
        lines += self.readings[:_NAMED]
        if self.others:
            lines.append("  not measured: " + ", ".join(f"{n:,} {kind}" for kind, n in self.others.most_common()))
        kept = f"; overlays in {self.pictures}" if self.pictures is not None and self.measured else ""
        lines.append(f"results in {_shown(self.db)}{kept}; next: ide report")
        return lines


def _values(panel: MeasuredPanel, by_hand: float | None) -> dict[str, Any]:
    """What is said of a panel, by the scale that a person gave it where one did."""
    row = panel.row()
    if by_hand is not None:
        diameters = [float(diameter) for diameter in panel.particles.accepted["ecd_px"]]
        row["nm_per_px"] = float(f"{by_hand:.5g}")
        row["median_ecd_nm"] = float(f"{median(diameters) * by_hand:.4g}") if diameters else None
    return row


def _row(panel: MeasuredPanel, by_hand: float | None) -> str:
    row = _values(panel, by_hand)
    if panel.kind != "em":
        return _line(panel.full_name, panel.kind, "", "", "", "")
    scale = "–" if row["nm_per_px"] is None else f"{row['nm_per_px']:.4g}"
    size = "–" if row["median_ecd_nm"] is None else f"{row['median_ecd_nm']:.4g} nm"
    return _line(panel.full_name, panel.kind, scale, str(row["particles"]), str(row["accepted"]), size)


def _line(name: str, kind: str, scale: str, found: str, accepted: str, size: str) -> str:
    if len(name) > _NAME:  # the end tells panels apart, the beginning articles
        name = f"{name[: _NAME // 2 - 1]}…{name[-_NAME // 2 :]}"
    return f"{name:<{_NAME}} {kind:<12} {scale:>10} {found:>6} {accepted:>9} {size:>12}".rstrip()


def _few(names: list[str]) -> str:
    left = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {left:,} more" if left > 0 else "")


def _shown(db: str) -> str:
    """A database as people name it: the file, or the address without a password."""
    return db.removeprefix("sqlite:///") if db.startswith("sqlite:///") else db.rsplit("@", 1)[-1]
