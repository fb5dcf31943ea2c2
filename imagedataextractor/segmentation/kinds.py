"""What kind of picture a labelled micrograph is, told from the geometry of its true particles alone.

One number for a whole data set hides what a method is blind to; scores are therefore given by kind, too.
No hand decides the kind: the first rule that holds does.

=============== ==================================================================================
kind            rule
=============== ==================================================================================
long            the median aspect ratio is 2.5 and more
small and dense a hundred particles and more, or forty and more of a median ECD below 1/20 of the
                image's shorter side, that cover a fifth of the image and more
supported       ten particles and more of a median ECD below 1/12 of the shorter side that cover less than
                a fifth: metal on a support looks so, and so do specks on a plain ground
few large       five particles and fewer
spheres         round: the median IoU of a particle with the ellipse of its moments is 0.94 and more
piles           not round, and six of ten particles touch another, or come within 2 px of it
facetted        not round, and most lie by themselves
=============== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imagedataextractor.segmentation.metrics import ImageScore

__all__ = ["KINDS", "Kind", "format_by_kind", "kind_of", "summarise_by_kind"]

Kind = Literal["long", "small and dense", "supported", "few large", "spheres", "piles", "facetted"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LONG_RATIO = 2.5
_MANY, _SEVERAL, _SOME, _FEW = 100, 40, 10, 5
#: Median ECD over the image's shorter side.
_DENSE_SIZE, _SUPPORTED_SIZE = 1 / 20, 1 / 12
#: Share of the image that small particles cover, from which on they are dense and not scattered.
_DENSE_COVER = 0.2
#: Distance at which particles touch, px, and the share of them that makes a pile.
_TOUCH_PX, _PILE_SHARE = 2, 0.6
#: IoU of a particle with the ellipse of its moments: 0.98 of a labelled disc, 0.92 of a square, 0.87 of a triangle.
_ROUND_IOU = 0.94
#: Squared Mahalanobis distance of the rim of the ellipse with the same second moments: two standard deviations.
_ELLIPSE_RIM = 4.0


def kind_of(true: npt.NDArray[np.integer[Any]]) -> Kind | None:
    """The kind of a true label map (H, W); None where it has no particles."""
    present, labels = np.unique(true, return_inverse=True)
    labels = labels.reshape(true.shape) + (0 if present[0] <= 0 else 1)
    area = np.bincount(labels.ravel())[1:].astype(np.float64)
    if not len(area):
        return None
    shapes = np.array([_shape(labels[box] == index + 1) for index, box in enumerate(ndimage.find_objects(labels))])
    size = float(np.median(np.sqrt(4.0 * area / np.pi))) / min(true.shape)
    cover = float(area.sum()) / true.size
    if np.median(shapes[:, 0]) >= _LONG_RATIO:
        return "long"
    if len(area) >= _MANY or (len(area) >= _SEVERAL and size < _DENSE_SIZE):
        if cover >= _DENSE_COVER or size >= _SUPPORTED_SIZE:
            return "small and dense"
        return "supported"
    if len(area) >= _SOME and size < _SUPPORTED_SIZE and cover < _DENSE_COVER:
        return "supported"
    if len(area) <= _FEW:
        return "few large"
    if np.median(shapes[:, 1]) >= _ROUND_IOU:
        return "spheres"
    return "piles" if _touching(labels) >= _PILE_SHARE else "facetted"


def _shape(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Aspect ratio of the ellipse with the same second moments, and its IoU with the mask."""
    y, x = np.nonzero(mask)
    dy, dx = y - y.mean(), x - x.mean()
    # Each pixel is a square with a moment of its own.
    moments = np.array([[np.mean(dx * dx), np.mean(dx * dy)], [np.mean(dx * dy), np.mean(dy * dy)]]) + np.eye(2) / 12
    small, large = np.linalg.eigvalsh(moments)
    rows, columns = np.mgrid[-2 : mask.shape[0] + 2, -2 : mask.shape[1] + 2]
    offset = np.stack([columns - x.mean(), rows - y.mean()], -1)
    ellipse = np.einsum("...i,ij,...j->...", offset, np.linalg.inv(moments), offset) <= _ELLIPSE_RIM
    padded = np.pad(mask, 2)
    return float(np.sqrt(large / small)), float((ellipse & padded).sum() / (ellipse | padded).sum())


def _touching(labels: npt.NDArray[np.integer[Any]]) -> float:
    """The share of the particles that come close to another."""
    count = int(labels.max())
    near = ndimage.maximum_filter(labels, 2 * _TOUCH_PX + 1)
    # The larger label of a pair sees the smaller one through the smallest label near by, and the other way round.
    far = ndimage.minimum_filter(np.where(labels > 0, labels, count + 1), 2 * _TOUCH_PX + 1)
    met = ((near > labels) | (far < labels)) & (labels > 0)
    return len(np.unique(labels[met])) / count


def summarise_by_kind(scores: Sequence[ImageScore], kinds: Mapping[str, Kind | None]) -> list[dict[str, Any]]:
    """One row a kind that occurs: images, particles, mean F1@50 and recall@50, median errors of count and median ECD.

    Parameters
    ----------
    scores : sequence of ImageScore
    kinds : mapping
        The kind of each image by its name.
    """
    rows = []
    for kind in KINDS:
        values = [score.values for score in scores if kinds[score.name] == kind]
        if values:
            rows.append(
                {
                    "kind": kind,
                    "images": len(values),
                    "particles": int(sum(v["n_gt"] for v in values)),
                    **{key: float(np.mean([v[key] for v in values])) for key in ("f1_50", "prec50", "rec50")},
                    **{key: _median_error([v[key] for v in values]) for key in ("count_err", "ecd_err")},
                }
            )
    return rows


def _median_error(values: Sequence[float]) -> float:
    finite = np.abs(np.array(values, np.float64))
    finite = finite[np.isfinite(finite)]
    return float(np.median(finite)) if len(finite) else float("nan")


def format_by_kind(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of `summarise_by_kind` as a table."""
    lines = [
        f"{'kind':16s} {'images':>6s} {'particles':>9s} {'F1@50':>6s} {'prec.':>6s} {'recall':>6s} {'ECD err':>8s}"
    ]
    lines += [
        f"{row['kind']:16s} {row['images']:6d} {row['particles']:9d} {row['f1_50']:6.3f} {row['prec50']:6.3f} "
        f"{row['rec50']:6.3f} {row['ecd_err']:8.1%}"
        for row in rows
    ]
    return "\n".join(lines)
