"""The database: results become rows, and rows are asked for.

`Store` is the door; nothing else in the library opens a database.
"""

from imagedataextractor.store.contours import decode_contour
from imagedataextractor.store.packing import PackedArticle, pack
from imagedataextractor.store.provenance import settings_digest
from imagedataextractor.store.queries import NamedQuery, load_named_queries, named_queries
from imagedataextractor.store.store import Store, TargetState

__all__ = [
    "NamedQuery",
    "PackedArticle",
    "Store",
    "TargetState",
    "decode_contour",
    "load_named_queries",
    "named_queries",
    "pack",
    "settings_digest",
]
