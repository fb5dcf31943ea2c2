"""The database: results become rows, and rows are asked for.

In: `records.ArticleResult`s, corrections, questions. Out: rows, exports, and what a run has done.
`Store` is the door; nothing else in the library opens a database.
"""

from imagedataextractor.measurement.contours import decode_contour
from imagedataextractor.store.corrections import Correction, StatedScale
from imagedataextractor.store.corrections import Kind as CorrectionKind
from imagedataextractor.store.packing import PackedArticle, pack
from imagedataextractor.store.particles import expected_values, read_particles
from imagedataextractor.store.provenance import digest_of_run, settings_digest
from imagedataextractor.store.queries import NamedQuery, load_named_queries, named_queries, parameter_value
from imagedataextractor.store.status import Status, status_of
from imagedataextractor.store.store import Store, TargetState

__all__ = [
    "Correction",
    "CorrectionKind",
    "NamedQuery",
    "PackedArticle",
    "StatedScale",
    "Status",
    "Store",
    "TargetState",
    "decode_contour",
    "digest_of_run",
    "expected_values",
    "load_named_queries",
    "named_queries",
    "pack",
    "parameter_value",
    "read_particles",
    "settings_digest",
    "status_of",
]
