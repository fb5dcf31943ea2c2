"""`ide extract`: targets all the way into the database."""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from imagedataextractor.cli.options import (
    db_option,
    licence_option,
    picture_options,
    scale_options,
    segmentation_options,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imagedataextractor.pipeline import Stages, Watcher
    from imagedataextractor.records import Article, ArticleResult, Failure, FigureResult, PanelResult
    from imagedataextractor.store import Store
    from imagedataextractor.targets import Target


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
    licences: tuple[str, ...],
    db: str | None,
    pictures: Path | None,
    again: bool,
    assume_em: bool,
    as_json: bool,
    page: int | None,
    extent: Literal["figure", "whole"] | None,
    ocr: str | None,
    scalebar: str | None,
    nm_per_px: float | None,
    mode: str | None,
    samples: int | None,
    threshold: float | None,
    seed: int | None,
    model: str | None,
    device: str | None,
) -> None:
    """Extract particles from images, figures and articles into the database.

    TARGETs are pictures (micrographs, and what plainly is a figure of several panels), articles (.xml, .html, .pdf
    with their figure files beside them), or folders of either. What is already finished under the
    same settings is passed over; what failed is tried again.
    """
    from imagedataextractor.cli.options import chosen_settings, command_line, stated_length
    from imagedataextractor.errors import UsageError
    from imagedataextractor.pipeline import Manual, Stages, new_run
    from imagedataextractor.store import Store
    from imagedataextractor.targets import find_targets

    if not targets and not dois:
        raise UsageError("nothing to extract: name files or folders, or give --doi")
    if nm_per_px is not None and scalebar is not None:
        raise UsageError("--nm-per-px and --scalebar both give the scale; use one of them")
    settings = chosen_settings(
        db=db,
        ocr=ocr,
        licences=licences,
        mode=mode,
        samples=samples,
        threshold=threshold,
        seed=seed,
        model=model,
        device=device,
    )
    bar = None if scalebar is None else stated_length(scalebar)
    stages = Stages(settings, Manual(nm_per_px=nm_per_px, bar=bar, assume_em=assume_em, extent=extent, page=page))
    if pictures is not None:
        _make_folder(pictures)
    found, failures = find_targets(targets, dois)
    with Store.open(settings.db) as store:
        stages.em_places = store.em_places()
        run = new_run(stages, command_line(sys.argv))
        store.start_run(run, targets_total=len(found) + len(failures))
        for failure in failures:
            _complain(failure)
            store.record_failure(failure, run.id)
        counts = Counter(failed=len(failures))
        state, code = "interrupted", 130
        try:
            for target in found:
                counts[_one(target, stages, store, run.id, again, as_json, pictures)] += 1
                store.update_run(run.id, **{f"targets_{name}": counts[name] for name in ("done", "failed", "skipped")})
            code = int(counts["failed"] + counts["waiting"] > 0)
            state = "failed" if counts["failed"] else "interrupted" if counts["waiting"] else "finished"
        finally:
            store.finish_run(run.id, state=state, exit_code=code)
    if counts["failed"]:
        total = len(found) + len(failures)
        click.echo(f"ide: {counts['failed']:,} of {total:,} targets with failures; see `ide status`", err=True)
    if code:
        raise click.exceptions.Exit(code)


def _make_folder(folder: Path) -> None:
    from imagedataextractor.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder ({error.strerror or error})") from error


def _one(
    target: Target, stages: Stages, store: Store, run_id: str, again: bool, as_json: bool, pictures: Path | None
) -> Literal["done", "failed", "skipped", "waiting"]:
    """One target into the database; what became of it."""
    from imagedataextractor.errors import IdeError, QuotaError, StoreError
    from imagedataextractor.pipeline import process_target
    from imagedataextractor.records import Failure
    from imagedataextractor.targets import fingerprint

    mark = fingerprint(target)
    if not again and store.is_done(target.key, store.digest_of(run_id), fingerprint=mark):
        click.echo(f"{target.key}: finished before under these settings, passed over", err=True)
        return "skipped"
    try:
        result = process_target(target, stages, _painter(pictures) if pictures else None)
    except StoreError:
        raise
    except QuotaError as error:
        # Not the article's fault: it stays to be done, without a failure to its name.
        click.echo(f"ide: {error}. {target.key} waits for it; the same command again goes on with it", err=True)
        return "waiting"
    except IdeError as error:
        failure = Failure("articles", target.key, type(error).__name__, str(error))
        _complain(failure)
        store.record_failure(failure, run_id, target=target.key)
        return "failed"
    standing = store.write_article(result, run_id, target=target.key, fingerprint=mark)
    if standing:
        what = "1 correction holds" if standing == 1 else f"{standing:,} corrections hold"
        click.echo(
            f"{target.key}: {what} in the database, a scale by hand included; see `ide correct --list`", err=True
        )
    for failure in result.failures:
        _complain(failure)
    click.echo(json.dumps(as_object(result), ensure_ascii=False) if as_json else as_table(result))
    return "failed" if result.failures else "done"


def _complain(failure: Failure) -> None:
    click.echo(f"ide: {failure.message}", err=True)


def _painter(folder: Path) -> Watcher:
    from imagedataextractor.report import draw_overlay

    def paint(article: Article, figure: FigureResult, panel: PanelResult, pixels: npt.NDArray[np.uint8]) -> None:
        name = (
            f"{article.doi or article.title or article.key} {figure.label} {panel.panel.label or panel.panel.index + 1}"
        )
        safe = re.sub(r"[^\w.-]+", "_", name).strip("_")[-120:]
        draw_overlay(pixels, panel.particles, panel.scalebar, folder / f"{safe}.png")

    return paint


def panel_row(figure: FigureResult, result: PanelResult) -> dict[str, Any]:
    """What the summary says of one panel; nm only where the scale is known."""
    accepted = [p for p in result.particles if p.accepted]
    diameters = [p.ecd_nm for p in accepted if p.ecd_nm is not None]
    bar = result.scalebar
    return {
        "figure": figure.label,
        "panel": result.panel.label or str(result.panel.index + 1),
        "kind": result.panel.kind,
        "kind_score": round(result.panel.kind_score, 3),
        "nm_per_px": None if bar is None or bar.nm_per_px is None else float(f"{bar.nm_per_px:.5g}"),
        "scale_confidence": None if bar is None else round(bar.confidence, 3),
        "scale_reason": None if bar is None else bar.reason,
        "particles": len(result.particles),
        "accepted": len(accepted),
        "median_ecd_nm": float(f"{statistics.median(diameters):.4g}") if diameters else None,
    }


def as_object(result: ArticleResult) -> dict[str, Any]:
    """The summary of one target, for programs."""
    return {
        "key": result.article.doi or result.article.key,
        "title": result.article.title,
        "figures": len(result.article.figures),
        "panels": [panel_row(figure, panel) for figure in result.figures for panel in figure.panels],
        "failures": [failure.message for failure in result.failures],
    }


def as_table(result: ArticleResult) -> str:
    """The summary of one target, for people."""
    rows = [panel_row(figure, panel) for figure in result.figures for panel in figure.panels]
    name = result.article.doi or result.article.title or result.article.key
    head = (
        f"{name}: {_counted(len(result.article.figures), 'figure')}, "
        f"{_counted(len(result.figures), 'picture')} looked at"
    )
    if not rows:
        return f"{head}; nothing measured"
    lines = [
        head,
        f"  {'figure':<16} {'panel':<6} {'kind':<12} {'nm/px':>10} {'found':>6} {'measured':>9} {'median ECD':>12}",
    ]
    for row in rows:
        scale = "–" if row["nm_per_px"] is None else f"{row['nm_per_px']:.4g}"
        size = "–" if row["median_ecd_nm"] is None else f"{row['median_ecd_nm']:.4g} nm"
        counts = (str(row["particles"]), str(row["accepted"])) if row["kind"] == "em" else ("", "")
        lines.append(
            f"  {row['figure'][:16]:<16} {row['panel'][:6]:<6} {row['kind']:<12} "
            f"{scale if row['kind'] == 'em' else '':>10} {counts[0]:>6} {counts[1]:>9} "
            f"{size if row['kind'] == 'em' else '':>12}"
        )
    found = sum(row["particles"] for row in rows)
    measured = sum(row["accepted"] for row in rows)
    lines.append(f"  {_counted(found, 'particle')} found, {measured:,} measured")
    return "\n".join(lines)


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
