"""Turn results into rows.

A `Writer` works on an open connection and inside a transaction that its caller began. Rows are
found again by natural keys, so that writing the same result twice leaves the same rows:

==============  ==========================================================================
article         its DOI, else its key
figure          article + label; another picture under the same label replaces its panels
panel           figure + index; another box under the same index replaces the panel
scale bar       panel + settings digest
segmentation    panel + settings digest; its particles are replaced as a whole
target          key + settings digest
failure         target key + stage + target + error class + message
==============  ==========================================================================

Results under other settings are kept beside the new ones, and the last written is `is_current`.
What a failed attempt did not produce never erases what an earlier attempt did. What people said of a
picture is applied to whatever is written of it; see `corrections`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    CaptionFacts,
    Figure,
    FigureResult,
    MaterialStatement,
    Panel,
    PanelResult,
    ParticleTable,
    ScaleBar,
    Segmentation,
    SizeStatement,
)
from imagedataextractor.store import copying
from imagedataextractor.store.corrections import Corrections
from imagedataextractor.store.ledger import Ledger
from imagedataextractor.store.packing import PackedArticle
from imagedataextractor.store.statements import Statements
from imagedataextractor.store.values import as_json, box_json, box_list, number, text, text_or_none

if TYPE_CHECKING:
    from imagedataextractor.images.microscopes import Acquisition

__all__ = ["Writer"]

_PARTICLE_COLUMNS = ", ".join(copying.COLUMNS)
_INSERT_PARTICLES = f"INSERT INTO particles ({_PARTICLE_COLUMNS}) VALUES ({', '.join('?' * len(copying.COLUMNS))})"
_COPY_PARTICLES = f"COPY particles ({_PARTICLE_COLUMNS}) FROM STDIN (FORMAT BINARY)"


def article_key(article: Article) -> str:
    """What identifies an article: its DOI in lower case, else its key."""
    return text(article.doi.lower() if article.doi else article.key)


class Writer:
    """Writes results over one connection, within its caller's transaction."""

    def __init__(self, statements: Statements, ledger: Ledger, corrections: Corrections) -> None:
        self._statements = statements
        self._execute, self._upsert = statements.execute, statements.upsert
        self._ledger = ledger
        self._corrections = corrections
        #: How many corrections stand for the pictures written so far.
        self.corrections_applied = 0

    # ------------------------------------------------------------ one article

    def write_article(
        self, packed: PackedArticle, run_id: str, digest: str, target: str | None, fingerprint: str | None
    ) -> None:
        """All rows of one article. `digest` is the settings digest of the run."""
        result = packed.result
        key = article_key(result.article)
        name = text(target or key)
        existing = self._execute("SELECT id, target, path FROM articles WHERE key = ?", (key,))
        if existing and self._holds_already(result.article, name, existing[0], digest):
            article_id = int(existing[0][0])
        else:
            if existing and existing[0][1] != name:  # what was read from the other target gives way
                self._execute("DELETE FROM figures WHERE article_id = ?", (existing[0][0],))
            article_id = self._write_rows(packed, key, name, run_id, digest)
        self._ledger.write_failures(result, name, run_id)
        state = "failed" if result.failures else "done"
        self._ledger.write_target(name, digest, state, run_id, fingerprint=fingerprint, article_id=article_id)

    def _holds_already(self, article: Article, name: str, existing: Sequence[Any], digest: str) -> bool:
        """Whether the same article, read from another target, stands and shall stay.

        An article may lie in a folder as XML and as PDF. One of them holds, whichever was
        finished first: the better format, then the first name.
        """
        _, other, path = existing
        if other == name:
            return False
        tried = self._execute("SELECT 1 FROM targets WHERE key = ? AND settings_digest = ?", (other, digest))
        return bool(tried) and (_format_rank(path), other) < (_format_rank(article.path), name)

    def _write_rows(self, packed: PackedArticle, key: str, name: str, run_id: str, digest: str) -> int:
        """The article with everything below it; its id."""
        result = packed.result
        article_id = self._upsert_article(result.article, key, name, run_id)
        found: list[tuple[int, ParticleTable]] = []
        written: list[tuple[int, str]] = []
        known = self._known_figures(article_id)
        for figure, summaries in zip(result.figures, packed.summaries, strict=True):
            failed = any(failure.figure == figure.label for failure in result.failures)
            figure_id = self._upsert_figure(
                figure, article_id, known.get(figure.label), None if failed else digest, run_id
            )
            written.append((figure_id, figure.image_sha256))
            existing = self._known_panels(figure_id) if figure.label in known else {}
            if figure.panels or not failed:
                self._drop_stale_panels(figure, existing)
            for panel, summary in zip(figure.panels, summaries, strict=True):
                is_new = existing.get(panel.panel.index, (0, None))[1] != panel.panel.box
                panel_id = self._upsert_panel(panel.panel, figure_id, figure.figure.facts, run_id)
                self._write_scalebar(panel, panel_id, digest, run_id, is_new=is_new, keep=failed)
                segmentation_id = self._write_segmentation(
                    panel, summary, panel_id, digest, run_id, is_new=is_new, keep=failed
                )
                if panel.scalebar is not None:
                    self._corrections.keep_scale(figure.image_sha256, panel.panel.box, panel.scalebar, run_id)
                if segmentation_id is not None and len(panel.particles):
                    found.append((segmentation_id, panel.particles))
        self._write_other_figures(result, article_id, run_id)
        self._insert_particles(found)
        self.corrections_applied += sum(self._corrections.apply_to_written(*figure) for figure in written)
        return article_id

    def _upsert_article(self, article: Article, key: str, name: str, run_id: str) -> int:
        return self._upsert(
            "articles",
            ("key",),
            key=key,
            doi=text(article.doi.lower()) if article.doi else None,
            title=text(article.title),
            authors=as_json([text(author) for author in article.authors]),
            journal=text(article.journal),
            year=article.year,
            licence=text_or_none(article.licence),
            source=text(article.source),
            path=text_or_none(article.path),
            abstract=text_or_none(article.abstract or None),
            target=name,
            run_id=run_id,
        )

    # ------------------------------------------------------------ figures and panels

    def _known_figures(self, article_id: int) -> dict[str, tuple[int, str | None]]:
        rows = self._execute("SELECT label, id, image_sha256 FROM figures WHERE article_id = ?", (article_id,))
        return {label: (figure_id, sha256) for label, figure_id, sha256 in rows}

    def _upsert_figure(
        self,
        figure: FigureResult,
        article_id: int,
        known: tuple[int, str | None] | None,
        digest: str | None,
        run_id: str,
    ) -> int:
        if known is not None and known[1] not in (None, figure.image_sha256):
            self._execute("DELETE FROM panels WHERE figure_id = ?", (known[0],))
        return self._upsert(
            "figures",
            ("article_id", "label"),
            article_id=article_id,
            label=text(figure.label),
            **_caption_columns(figure.figure),
            image_path=text(figure.image_path),
            image_sha256=figure.image_sha256,
            width_px=int(figure.width_px),
            height_px=int(figure.height_px),
            page=int(figure.page),
            pages=int(figure.pages),
            channel=text_or_none(figure.channel or None),
            **_acquisition_columns(figure.acquisition),
            settings_digest=digest,
            run_id=run_id,
        )

    def _write_other_figures(self, result: ArticleResult, article_id: int, run_id: str) -> None:
        """The figures that no picture was read of: their captions are rows all the same."""
        looked_at = {figure.figure.label for figure in result.figures}
        taken = {figure.label for figure in result.figures}
        for figure in result.article.figures:
            if figure.label in looked_at:
                continue
            label = _unique_label(figure, taken)
            taken.add(label)
            self._upsert(
                "figures",
                ("article_id", "label"),
                article_id=article_id,
                label=text(label),
                **_caption_columns(figure),
                run_id=run_id,
            )

    def _known_panels(self, figure_id: int) -> dict[int, tuple[int, Box]]:
        sql = "SELECT panel_index, id, x0, y0, x1, y1 FROM panels WHERE figure_id = ?"
        return {index: (panel_id, Box(*box)) for index, panel_id, *box in self._execute(sql, (figure_id,))}

    def _drop_stale_panels(self, figure: FigureResult, existing: Mapping[int, tuple[int, Box]]) -> None:
        boxes = {panel.panel.index: panel.panel.box for panel in figure.panels}
        for index, (panel_id, box) in existing.items():
            if boxes.get(index) != box:
                self._execute("DELETE FROM panels WHERE id = ?", (panel_id,))

    def _upsert_panel(
        self,
        panel: Panel,
        figure_id: int,
        facts: CaptionFacts,
        run_id: str,
    ) -> int:
        bar = panel.info_bar
        return self._upsert(
            "panels",
            ("figure_id", "panel_index"),
            figure_id=figure_id,
            panel_index=int(panel.index),
            label=text_or_none(panel.label),
            kind=panel.kind,
            found_kind=panel.kind,
            kind_score=float(panel.kind_score),
            technique=text_or_none(panel.technique),
            measurable=bool(panel.measurable),
            subcaption=text(panel.subcaption),
            x0=int(panel.box.x0),
            y0=int(panel.box.y0),
            x1=int(panel.box.x1),
            y1=int(panel.box.y1),
            parent_index=panel.parent,
            insets=as_json([box_list(inset) for inset in panel.insets]),
            label_box=box_json(panel.label_box),
            info_bar_box=box_json(bar.box) if bar else None,
            info_bar_text=text(bar.text) if bar else None,
            voltage_kv=number(bar.voltage_kv) if bar else None,
            magnification=number(bar.magnification) if bar else None,
            detector=text_or_none(bar.detector) if bar else None,
            **_stated_columns(facts.size_of(panel.label)),
            **_material_columns(facts.material_of(panel.label)),
            run_id=run_id,
        )

    # ------------------------------------------------------------ scale, segmentation, particles

    def _write_scalebar(
        self, result: PanelResult, panel_id: int, digest: str, run_id: str, *, is_new: bool, keep: bool
    ) -> None:
        bar = result.scalebar
        if not is_new and not self._make_room("scalebars", panel_id, digest, found=bar is not None, keep=keep):
            return
        if bar is not None:
            self._upsert(
                "scalebars",
                ("panel_id", "settings_digest"),
                **_scalebar_columns(bar),
                panel_id=panel_id,
                settings_digest=digest,
                is_current=True,
                is_latest=True,
                run_id=run_id,
            )

    def _write_segmentation(
        self,
        result: PanelResult,
        summary: Mapping[str, Any],
        panel_id: int,
        digest: str,
        run_id: str,
        *,
        is_new: bool,
        keep: bool,
    ) -> int | None:
        """Write the segmentation's own row; its id, or None where there is none to hold particles."""
        found = result.segmentation
        if not is_new and not self._make_room("segmentations", panel_id, digest, found=found is not None, keep=keep):
            return None
        if found is None:
            return None
        scale = result.scalebar.nm_per_px if result.scalebar else None
        return self._upsert(
            "segmentations",
            ("panel_id", "settings_digest"),
            panel_id=panel_id,
            settings_digest=digest,
            is_current=True,
            is_latest=True,
            run_id=run_id,
            **_segmentation_columns(found),
            **summary,
            nm_per_px=number(scale),
            statistics=as_json(dict(result.statistics)),
        )

    def _make_room(self, table: str, panel_id: int, digest: str, *, found: bool, keep: bool) -> bool:
        """Put aside what this panel's new row supersedes; False where the old rows shall stand.

        Where an attempt failed and found nothing, what an earlier one found is kept.
        """
        if not found and keep:
            return False
        if not found:
            self._execute(f"DELETE FROM {table} WHERE panel_id = ? AND settings_digest = ?", (panel_id, digest))
        elif table == "segmentations":
            self._execute(
                "DELETE FROM particles WHERE segmentation_id IN "
                "(SELECT id FROM segmentations WHERE panel_id = ? AND settings_digest = ?)",
                (panel_id, digest),
            )
        self._execute(
            f"UPDATE {table} SET is_current = ?, is_latest = ? WHERE panel_id = ? AND (is_current OR is_latest)",
            (False, False, panel_id),
        )
        return True

    def _insert_particles(self, found: Sequence[tuple[int, ParticleTable]]) -> None:
        """Rows of new segmentations, given by their ids."""
        if not found:
            return
        if self._statements.is_postgresql:
            with self._statements.cursor.copy(_COPY_PARTICLES) as copy:
                copy.write(b"".join((copying.HEADER, *starmap(copying.binary_rows, found), copying.TRAILER)))
        else:
            self._statements.execute_many(_INSERT_PARTICLES, chain.from_iterable(starmap(_particle_rows, found)))


def _particle_rows(segmentation_id: int, particles: ParticleTable) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of `copying.COLUMNS`; SQLite takes NaN for NULL."""
    columns = [particles["reason" if name == "found_reason" else name].tolist() for name in copying.COLUMNS[1:]]
    for values in zip(*columns, strict=True):
        yield (segmentation_id, *values)


# ---------------------------------------------------------------- columns of a row


def _caption_columns(figure: Figure) -> dict[str, Any]:
    return {
        "caption": text(figure.caption),
        "is_em": bool(figure.facts.is_em),
        "techniques": as_json([text(technique) for technique in figure.facts.techniques]),
        "licence": text_or_none(figure.licence),
    }


#: Where an article is at hand in several formats, the better one holds: text that was marked up
#: by the publisher over text that was laid out.
_FORMAT_RANKS = {".html": 1, ".htm": 1, ".xhtml": 1, ".pdf": 2}


def _format_rank(path: object | None) -> int:
    return _FORMAT_RANKS.get(Path(str(path)).suffix.lower(), 0) if path else 0


def _unique_label(figure: Figure, taken: set[str]) -> str:
    """The figure's label, made unique within its article where the article repeats it or gives none."""
    label = figure.label or figure.id or "(no label)"
    candidate, number = label, 2
    while candidate in taken:
        candidate, number = f"{label} [{number}]", number + 1
    return candidate


def _acquisition_columns(found: Acquisition | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("file_writer", "file_nm_per_px", "voltage_kv", "magnification", "taken_at"))
    return {
        "file_writer": text(found.writer),
        "file_nm_per_px": number(None if found.pixel_nm is None else found.pixel_nm[0]),
        "voltage_kv": number(found.voltage_kv),
        "magnification": number(found.magnification),
        "taken_at": text_or_none(found.taken_at),
    }


def _stated_columns(statement: SizeStatement | None) -> dict[str, Any]:
    if statement is None:
        names = ("size_nm", "spread_nm", "source", "text", "start", "end", "sample")
        return {f"stated_{name}": None for name in names}
    return {
        "stated_size_nm": number(statement.mean_nm),
        "stated_spread_nm": number(statement.spread_nm),
        "stated_source": statement.source,
        "stated_text": text(statement.sentence or statement.text),
        "stated_start": statement.start,
        "stated_end": statement.end,
        "stated_sample": text_or_none(statement.sample),
    }


def _material_columns(statement: MaterialStatement | None) -> dict[str, Any]:
    if statement is None:
        return dict.fromkeys(f"material{part}" for part in ("", "_text", "_source", "_start", "_end", "_confidence"))
    return {
        "material": text(statement.name),
        "material_text": text(statement.text),
        "material_source": statement.source,
        "material_start": statement.start,
        "material_end": statement.end,
        "material_confidence": number(statement.confidence),
    }


def _scalebar_columns(bar: ScaleBar) -> dict[str, Any]:
    return {
        "value": number(bar.value),
        "unit": text_or_none(bar.unit),
        "length_px": number(bar.length_px),
        "x0": number(bar.x0),
        "x1": number(bar.x1),
        "y": number(bar.y),
        "nm_per_px": number(bar.nm_per_px),
        "confidence": float(bar.confidence),
        "text": text_or_none(bar.text),
        "source": text_or_none(bar.source),
        "reason": text_or_none(bar.reason),
        "text_box": box_json(bar.text_box),
        "bar_box": box_json(bar.bar_box),
        "magnification": number(bar.magnification),
        "conflict": text_or_none(bar.conflict),
        "witnesses": text_or_none(", ".join(bar.witnesses) or None),
    }


def _segmentation_columns(segmentation: Segmentation) -> dict[str, Any]:
    return {
        "model": text(segmentation.model),
        "weights_sha256": segmentation.weights_sha256,
        "mode": segmentation.mode,
        "samples": int(segmentation.samples),
        "threshold": number(segmentation.threshold),
        "seed": int(segmentation.seed),
    }
