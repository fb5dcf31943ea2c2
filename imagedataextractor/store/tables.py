"""The tables, as SQLAlchemy sees them.

The schema itself is made by the Alembic migrations in db/migrations, which stand on their own; a
test compares the two. The particles' columns are those of measurement/columns.py. Flags are stored
as 0/1 in SQLite, structured extras as JSON text, times as ISO 8601 UTC text, in both databases alike.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from imagedataextractor.measurement.columns import COLUMNS, Kind

__all__ = [
    "MEASURED_PARTICLES",
    "SCHEMA_REVISION",
    "articles",
    "corrections",
    "failures",
    "figures",
    "metadata",
    "panels",
    "particles",
    "runs",
    "scalebars",
    "segmentations",
    "targets",
]

#: The Alembic revision that this version of the program reads and writes.
SCHEMA_REVISION = "0009"

#: The view that joins what a materials scientist asks for.
MEASURED_PARTICLES = "measured_particles"

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("command", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("settings_digest", Text, nullable=False),
    Column("versions", Text, nullable=False),
    Column("weights_sha256", Text, nullable=False),
    # Name of a model, of any stage → SHA-256 of its file, as JSON.
    Column("models", Text, nullable=False, server_default=text("'{}'")),
    Column("seed", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("exit_code", Integer),
    Column("host", Text),
    Column("pid", Integer),
    Column("targets_total", Integer),
    Column("targets_done", Integer, nullable=False, server_default=text("0")),
    Column("targets_failed", Integer, nullable=False, server_default=text("0")),
    Column("targets_skipped", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("state IN ('running', 'finished', 'failed', 'interrupted')", name="runs_state"),
)

articles = Table(
    "articles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("doi", Text),
    Column("title", Text, nullable=False),
    Column("authors", Text, nullable=False),
    Column("journal", Text, nullable=False),
    Column("year", Integer),
    Column("licence", Text),
    Column("source", Text, nullable=False),
    Column("path", Text),
    Column("abstract", Text),
    # What it was read from: where several targets are the same article, the first in order holds.
    Column("target", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
)

figures = Table(
    "figures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("article_id", Integer, ForeignKey("articles.id", ondelete="CASCADE"), nullable=False),
    Column("label", Text, nullable=False),
    Column("caption", Text, nullable=False),
    Column("is_em", Boolean, nullable=False),
    Column("techniques", Text, nullable=False),
    Column("licence", Text),
    Column("image_path", Text),
    Column("image_sha256", Text),
    Column("width_px", Integer),
    Column("height_px", Integer),
    # Which page of the picture's file it is, from 1, and of how many; which of a pixel's many samples, in words.
    Column("page", Integer),
    Column("pages", Integer),
    Column("channel", Text),
    # What the picture's own file, or the text beside it, says: its program, the size of a pixel, how it was taken.
    Column("file_writer", Text),
    Column("file_nm_per_px", Double),
    Column("voltage_kv", Double),
    Column("magnification", Double),
    Column("taken_at", Text),
    # Under which settings all of it was last done; NULL where something failed, or no picture was looked at.
    Column("settings_digest", Text),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    UniqueConstraint("article_id", "label", name="figures_natural_key"),
)

panels = Table(
    "panels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("figure_id", Integer, ForeignKey("figures.id", ondelete="CASCADE"), nullable=False),
    Column("panel_index", Integer, nullable=False),
    Column("label", Text),
    Column("kind", Text, nullable=False),
    # As the program found it; `kind` is what a person made of it, where one did.
    Column("found_kind", Text, nullable=False),
    Column("kind_score", Double, nullable=False),
    Column("technique", Text),
    Column("measurable", Boolean, nullable=False),
    Column("subcaption", Text, nullable=False),
    Column("x0", Integer, nullable=False),
    Column("y0", Integer, nullable=False),
    Column("x1", Integer, nullable=False),
    Column("y1", Integer, nullable=False),
    Column("parent_index", Integer),
    Column("insets", Text, nullable=False),
    Column("label_box", Text),
    Column("info_bar_box", Text),
    Column("info_bar_text", Text),
    Column("voltage_kv", Double),
    Column("magnification", Double),
    Column("detector", Text),
    Column("stated_size_nm", Double),
    Column("stated_spread_nm", Double),
    # Where the stated size stands: "caption" or "text" (the article's body); its words with the span of the statement
    # in the caption, or in the sentence of the body; the sample that it names.
    Column("stated_source", Text),
    Column("stated_text", Text),
    Column("stated_start", Integer),
    Column("stated_end", Integer),
    Column("stated_sample", Text),
    # What the panel is made of, normalised, and the words that say so: see records.MaterialStatement.
    Column("material", Text),
    Column("material_text", Text),
    Column("material_source", Text),
    Column("material_start", Integer),
    Column("material_end", Integer),
    Column("material_confidence", Double),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    UniqueConstraint("figure_id", "panel_index", name="panels_natural_key"),
)

scalebars = Table(
    "scalebars",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("panel_id", Integer, ForeignKey("panels.id", ondelete="CASCADE"), nullable=False),
    Column("settings_digest", Text, nullable=False),
    # is_latest marks what the program last wrote, is_current what holds: a person may have set another scale,
    # or put the picture aside.
    Column("is_current", Boolean, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("value", Double),
    Column("unit", Text),
    Column("length_px", Double),
    Column("x0", Double),
    Column("x1", Double),
    Column("y", Double),
    Column("nm_per_px", Double),
    Column("confidence", Double, nullable=False),
    Column("text", Text),
    Column("source", Text),
    Column("reason", Text),
    Column("text_box", Text),
    Column("bar_box", Text),
    # As printed in the panel.
    Column("magnification", Double),
    # What contradicts the scale: see records.Conflict.
    Column("conflict", Text),
    # What agrees with the scale, comma-separated.
    Column("witnesses", Text),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    UniqueConstraint("panel_id", "settings_digest", name="scalebars_natural_key"),
)

segmentations = Table(
    "segmentations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("panel_id", Integer, ForeignKey("panels.id", ondelete="CASCADE"), nullable=False),
    Column("settings_digest", Text, nullable=False),
    # is_latest marks what the program last wrote, is_current what holds: a person may have set another scale,
    # or put the picture aside.
    Column("is_current", Boolean, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("model", Text, nullable=False),
    Column("weights_sha256", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("threshold", Double),
    Column("seed", BigInteger, nullable=False),
    Column("nm_per_px", Double),
    Column("n_particles", Integer, nullable=False),
    Column("n_accepted", Integer, nullable=False),
    Column("n_border", Integer, nullable=False),
    Column("n_uncertain", Integer, nullable=False),
    # Of the accepted particles, so that questions about panels need not visit the particles.
    Column("ecd_mean_px", Double),
    Column("ecd_mean_nm", Double),
    Column("ecd_sd_nm", Double),
    Column("ecd_median_nm", Double),
    Column("ecd_min_nm", Double),
    Column("ecd_max_nm", Double),
    Column("aspect_ratio_mean", Double),
    Column("uncertainty_mean", Double),
    Column("statistics", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    UniqueConstraint("panel_id", "settings_digest", name="segmentations_natural_key"),
)

#: How a database holds the kinds of a particle's columns.
_TYPES = {
    Kind.NUMBER: Double,
    Kind.WHOLE: Integer,
    Kind.FLAG: Boolean,
    Kind.TEXT: Text,
    Kind.OUTLINE: LargeBinary,
}

particles = Table(
    "particles",
    metadata,
    Column("segmentation_id", Integer, ForeignKey("segmentations.id", ondelete="CASCADE"), primary_key=True),
    *(
        Column(c.name, Integer, primary_key=True, autoincrement=False)
        if c.name == "label"
        else Column(c.name, _TYPES[c.kind], nullable=not c.required)
        for c in COLUMNS
    ),
    # As the program found it; `reason` is what a person made of it, where one did.
    Column("found_reason", Text),
    # The correction that drew it; NULL for what the program found. Without a foreign key, which SQLite could
    # neither add to millions of rows nor take away without a copy of them; corrections are never deleted.
    Column("correction_id", Integer),
)

#: What people say of a picture. It is bound to the picture's content and a place in it, so that it outlives every
#: run, model and copy of the database; corrections.py says what is done with it.
corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_sha256", Text, nullable=False),
    # The panel, pixels of the picture; NULL where it holds for the whole picture.
    Column("x0", Integer),
    Column("y0", Integer),
    Column("x1", Integer),
    Column("y1", Integer),
    Column("kind", Text, nullable=False),
    # What was said, as JSON: outlines in pixels of the picture, a scale; see corrections.Correction.
    Column("details", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("undone_by", Text),
    Column("undone_at", Text),
    CheckConstraint(
        "kind IN ('reject', 'restore', 'draw', 'merge', 'split', 'scale', 'not-em', 'em', 'forget')",
        name="corrections_kind",
    ),
)

targets = Table(
    "targets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("settings_digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Whether its rows are the ones that hold: another run under other settings may have come since.
    Column("is_latest", Boolean, nullable=False),
    Column("fingerprint", Text),
    Column("attempts", Integer, nullable=False),
    Column("article_id", Integer, ForeignKey("articles.id", ondelete="SET NULL")),
    Column("updated_at", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    UniqueConstraint("key", "settings_digest", name="targets_natural_key"),
    CheckConstraint("state IN ('done', 'failed', 'set aside')", name="targets_state"),
)

failures = Table(
    "failures",
    metadata,
    Column("id", Integer, primary_key=True),
    # SHA-256 over stage, target, error class and message: a failure met again is the same row.
    Column("digest", Text, nullable=False, unique=True),
    # The target it belongs to: a later success of that target resolves it.
    Column("target_key", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("error_class", Text, nullable=False),
    Column("message", Text, nullable=False),
    # Label of the picture and letter or number of the panel, where it befell one.
    Column("figure", Text),
    Column("panel", Text),
    Column("attempt", Integer, nullable=False),
    Column("first_seen_at", Text, nullable=False),
    Column("last_seen_at", Text, nullable=False),
    Column("resolved_at", Text),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("resolved_run_id", Text, ForeignKey("runs.id")),
)

Index("articles_doi", articles.c.doi)
Index("figures_image", figures.c.image_sha256)
Index("corrections_image", corrections.c.image_sha256)
Index("targets_article", targets.c.article_id)
Index(
    "failures_open",
    failures.c.target_key,
    sqlite_where=failures.c.resolved_at.is_(None),
    postgresql_where=failures.c.resolved_at.is_(None),
)
Index("segmentations_size", segmentations.c.ecd_max_nm)
Index("panels_stated_size", panels.c.stated_size_nm)
Index("panels_material", panels.c.material)
