"""Size and shape of every particle of a label map.

Coordinates are those of pixel edges: pixel (row i, column j) covers y from i to i + 1 and x from j
to j + 1, so its centre is (j + 0.5, i + 0.5). Without an image a particle is the union
of its pixels' squares; areas and moments are exact for it. With one, it is what its refined outline encloses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from imagedataextractor.errors import InputError
from imagedataextractor.images.channels import RGB, has_channels, is_flat
from imagedataextractor.measurement.edge import Edges, refine_edges
from imagedataextractor.measurement.feret import digitisation_gaps, ferets, lattice_points
from imagedataextractor.measurement.outlines import Loops, Steps, find_steps, trace_loops
from imagedataextractor.measurement.polygons import Polygons
from imagedataextractor.measurement.shapes import classify_shapes, ribbons
from imagedataextractor.measurement.table import ParticleTable
from imagedataextractor.records import Reason

__all__ = ["measure_particles", "perimeters"]

Reals = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

#: Share of a particle's pixels over an excluded area above which it is no particle.
COVERED_SHARE = 0.5

#: Share of a particle's outline along an excluded area above which it counts as cut off by it.
CUT_SHARE = 0.1

#: How far from a particle its ground is looked at, px.
GROUND_PX = 8.0

#: Pixels that are summed at a time.
BAND_PX = 1 << 18

#: Largest label that tables are made for directly; above it labels are renumbered first.
_LARGEST_DIRECT = 1_000_000

#: Lattice directions of the perimeter estimate, with the share of all orientations that each stands for.
_DIRECTIONS = ((1, 0), (2, 1), (1, 1), (1, 2), (0, 1), (-1, 2), (-1, 1), (-2, 1))
#: Orientations lie above minus a quarter turn, degrees; that itself is written as its opposite.
_QUARTER_TURN_DEG = 90.0
#: Pixels about a particle that the edge's blur reaches: no ground yet.
BLURRED_PX = 2


def measure_particles(
    label_map: npt.NDArray[np.integer],
    *,
    nm_per_px: float | None = None,
    uncertainty: npt.ArrayLike | None = None,
    score: npt.ArrayLike | None = None,
    filtered: npt.ArrayLike | None = None,
    support: npt.ArrayLike | None = None,
    annotation: npt.NDArray[np.bool_] | None = None,
    margin_px: int = 0,
    image: npt.NDArray[np.generic] | None = None,
    transmission: bool | None = None,
) -> ParticleTable:
    """Measure every particle of a label map.

    Parameters
    ----------
    label_map : integer array, shape (H, W)
        0 background, any positive value one particle.
    nm_per_px : float, optional
        The scale; without it the nm and nm² columns are unknown.
    uncertainty, score : array, shape (N,), optional
        One value for particle i + 1, N the largest label.
    filtered : bool array, shape (N,), optional
        True where the uncertainty filter rejects particle i + 1.
    support : bool array, shape (N,), optional
        True where particle i + 1 carries those that are to be measured.
    annotation : bool array, shape (H, W), optional
        True over data bars, insets, printed letters and scale bars, where nothing is to be measured.
    margin_px : int
        A particle that comes this close to the frame counts as touching it: for panels cut out of a
        figure, whose edges are blurred and known to a pixel or two only.
    image : array, shape (H, W) or (H, W, C), optional
        The micrograph. With it, outlines are moved to the particles' edges where the image shows them
        (see `edge`), and the refined outline is what is measured; and grey levels are told.
    transmission : bool, optional
        See `edge.refine_edges`.

    Returns
    -------
    ParticleTable
        In the order of their labels. A particle is accepted unless it has a ``reason``, the first of

        - "annotation": more than half of it lies over an excluded area, or more than a tenth of its
          outline ends at one;
        - "support": it carries the particles that are to be measured;
        - "uncertain": the filter rejects it;
        - "border": it touches the frame, or the data bar that fills a whole side of it, so that an
          unknown part of it is missing.

    Raises
    ------
    InputError
        The label map is not a two-dimensional array of whole numbers ≥ 0, an array does not fit it,
        or the scale is not a positive number.

    Notes
    -----
    What each column is stands in `columns`. Of a label map alone:

    - ``perimeter``: by the Cauchy–Crofton formula over eight lattice directions, see `perimeters`.
      Holes count.
    - the Feret diameters: see `feret`.
    - the axes and the orientation are those of the ellipse with the same second central moments [1]_,
      each pixel with its own second moment of 1/12 px².
    - ``circularity``: 4π·area/perimeter² [2]_, at most 1.
    - ``solidity``: area over the number of pixels in the convex hull of the pixel centres, so that
      it is 1 for whatever has no dents.

    Of a refined outline, area, centroid and moments are the polygon's, by Green's theorem.

    Time grows with the number of pixels (a few comparisons each), of outline pixels and of particles.

    References
    ----------
    .. [1] R. M. Haralick and L. G. Shapiro, Computer and Robot Vision, vol. 1, Addison-Wesley 1992,
       appendix A.
    .. [2] E. P. Cox, A method of assigning numerical and percentage values to the degree of roundness
       of sand grains, J. Paleontol. 1 (1927) 179–183.

    Examples
    --------
    >>> labels = np.zeros((20, 20), np.int32)
    >>> labels[5:10, 4:14] = 1
    >>> (particle,) = measure_particles(labels, nm_per_px=2.0)
    >>> particle.area_px, particle.area_nm2, particle.x_px, particle.y_px
    (50.0, 200.0, 9.0, 7.5)
    """
    labels = _checked(label_map)
    if nm_per_px is not None and not (np.isfinite(nm_per_px) and nm_per_px > 0):
        raise InputError(f"a scale of {nm_per_px} nm a pixel makes no sense; it must be a positive number")
    largest = int(labels.max(initial=0))
    per_particle = [_column(name, values, largest) for name, values in _named(uncertainty, score, filtered, support)]
    excluded = _mask(annotation, labels.shape)
    if largest == 0:
        return ParticleTable({}, nm_per_px=nm_per_px)
    names, labels = _compact(labels)
    region = _Regions.of(labels)
    steps = find_steps(labels)
    is_cut = np.zeros(len(region.present), bool) if excluded is None else _cut_off(labels, excluded, region, steps)
    at_border = region.touches(_frame(labels.shape, excluded), margin_px)
    numbers = names[region.present]
    known = [None if column is None else column[numbers - 1] for column in per_particle]
    is_filtered, is_support = (
        np.zeros(len(numbers), bool) if column is None else column.astype(bool) for column in known[2:]
    )
    reasons = [_reason(*flags) for flags in zip(is_cut, is_support, is_filtered, at_border, strict=True)]
    loops = trace_loops(labels, steps)
    bodies = _Bodies.of(labels, region, loops)
    if image is not None:
        edges = refine_edges(image, labels, blocked=excluded, transmission=transmission, loops=loops)
        bodies = bodies.at_edges(edges)
    counts = ~(is_cut | is_filtered | is_support)
    return ParticleTable(
        {
            "label": numbers,
            "uncertainty": known[0],
            "score": known[1],
            "touches_border": at_border,
            "reason": reasons,
            **bodies.columns(),
            "nearest_neighbour_px": nearest_neighbours(bodies.centre, counts),
            **(grey_levels(image, labels, region.present) if image is not None else {}),
        },
        nm_per_px=nm_per_px,
    )


def _reason(is_cut: np.bool_, is_support: np.bool_, is_filtered: np.bool_, is_at_border: np.bool_) -> Reason | None:
    if is_cut:
        return Reason.ANNOTATION
    if is_support:
        return Reason.SUPPORT
    if is_filtered:
        return Reason.UNCERTAIN
    return Reason.BORDER if is_at_border else None


def _checked(label_map: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    array = np.asarray(label_map)
    if not is_flat(array):
        raise InputError(f"a label map has two dimensions, not {array.ndim} (shape {array.shape})")
    if array.dtype == bool:
        raise InputError("a mask of true and false is no label map; number its particles first")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"a label map holds whole numbers, not {array.dtype}")
    if array.size and int(array.min()) < 0:
        raise InputError(f"a label map holds no negative numbers, and this one {int(array.min())}")
    return np.ascontiguousarray(array)


def _compact(labels: npt.NDArray[np.integer]) -> tuple[Labels, npt.NDArray[np.int32]]:
    """Labels renumbered without gaps where they are far larger than any count, and what they were called."""
    largest = int(labels.max())
    if largest <= _LARGEST_DIRECT:
        return np.arange(largest + 1), labels.astype(np.int32, copy=False)
    names, renumbered = np.unique(np.append(labels.ravel(), 0), return_inverse=True)  # 0 stays 0
    return names.astype(np.int64), renumbered[:-1].reshape(labels.shape).astype(np.int32)


def _named(*values: npt.ArrayLike | None) -> zip[tuple[str, npt.ArrayLike | None]]:
    return zip(("uncertainty", "score", "filtered", "support"), values, strict=True)


def _column(name: str, values: npt.ArrayLike | None, count: int) -> npt.NDArray[np.generic] | None:
    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim != 1 or len(array) < count:
        raise InputError(f"{name} has shape {array.shape}, but the label map numbers its particles up to {count}")
    return array


def _mask(annotation: npt.NDArray[np.bool_] | None, shape: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
    if annotation is None:
        return None
    mask = np.asarray(annotation, bool)
    if mask.shape != shape:
        raise InputError(f"the excluded area has shape {mask.shape}, the label map {shape}")
    return mask if mask.any() else None


# ---------------------------------------------------------------- areas and moments


@dataclass(frozen=True)
class _Regions:
    """Sums over the pixels of each particle; arrays of shape (n,), n the number of labels present."""

    present: Labels
    area: Reals
    x: Reals
    y: Reals
    xx: Reals
    yy: Reals
    xy: Reals
    box: Reals

    @classmethod
    def of(cls, labels: npt.NDArray[np.int32]) -> _Regions:
        """From runs of pixels along rows, each of which has its moments in closed form."""
        width = labels.shape[1] + 2
        flat = np.pad(labels, 1).ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        begins = flat[changes] > 0  # the map is framed by background, so every run has an end
        start, stop, which = changes[begins], changes[np.flatnonzero(begins) + 1], flat[changes[begins]]
        row, left = start // width - 1, start % width - 1
        length = (stop - start).astype(float)  # the cube of a run of two million pixels is no 64-bit integer
        size = int(which.max()) + 1
        area = np.bincount(which, length, size)
        present = np.flatnonzero(area)
        share = np.divide(1.0, area, where=area > 0, out=np.zeros(size))
        middle_x, middle_y = left + length / 2, row + 0.5
        x = np.bincount(which, length * middle_x, size) * share
        y = np.bincount(which, length * middle_y, size) * share
        dx, dy = middle_x - x[which], middle_y - y[which]
        xx = np.bincount(which, length * dx * dx + length**3 / 12, size) * share
        yy = np.bincount(which, length * dy * dy + length / 12, size) * share
        xy = np.bincount(which, length * dx * dy, size) * share
        box = np.stack([np.full(size, flat.size), np.zeros(size), np.full(size, flat.size), np.zeros(size)], axis=1)
        np.minimum.at(box[:, 0], which, row)
        np.maximum.at(box[:, 1], which, row + 1)
        np.minimum.at(box[:, 2], which, left)
        np.maximum.at(box[:, 3], which, left + length)
        columns = [np.asarray(sums[present], float) for sums in (area, x, y, xx, yy, xy, box)]
        return cls(present, *columns)

    def touches(self, frame: tuple[int, int, int, int], margin: int) -> npt.NDArray[np.bool_]:
        top, bottom, left, right = frame[0] + margin, frame[1] - margin, frame[2] + margin, frame[3] - margin
        box = self.box
        touching: npt.NDArray[np.bool_] = (
            (box[:, 0] <= top) | (box[:, 1] >= bottom) | (box[:, 2] <= left) | (box[:, 3] >= right)
        )
        return touching


def _frame(shape: tuple[int, ...], excluded: npt.NDArray[np.bool_] | None) -> tuple[int, int, int, int]:
    """First and last-plus-one row and column that are not wholly excluded (a data bar fills whole rows)."""
    if excluded is None or excluded.all():
        return 0, shape[0], 0, shape[1]
    rows, columns = np.flatnonzero(~excluded.all(axis=1)), np.flatnonzero(~excluded.all(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _cut_off(
    labels: npt.NDArray[np.int32], excluded: npt.NDArray[np.bool_], region: _Regions, steps: Steps
) -> npt.NDArray[np.bool_]:
    """Particles that lie over an excluded area, or end at one."""
    top, bottom, left, right = _frame(labels.shape, excluded)
    size = int(labels.max()) + 1
    covered = np.bincount(labels[excluded], minlength=size)[region.present]
    blocked = np.zeros(labels.shape, bool)
    blocked[top:bottom, left:right] = excluded[top:bottom, left:right]  # ending at the frame is ending at the border
    blocked = np.pad(blocked, 1)
    (x, y), (beyond_x, beyond_y) = steps.pixels(inside=True).T, steps.pixels(inside=False).T
    stops = blocked[beyond_y + 1, beyond_x + 1] & ~excluded[y, x]
    stopped = np.bincount(steps.owner[stops], minlength=size)[region.present]
    edge = np.bincount(steps.owner, minlength=size)[region.present]
    cut: npt.NDArray[np.bool_] = (covered > COVERED_SHARE * region.area) | (stopped > CUT_SHARE * edge)
    return cut


# ---------------------------------------------------------------- perimeter


def perimeters(label_map: npt.NDArray[np.integer]) -> Reals:
    """Boundary length of every label, by the Cauchy–Crofton formula.

    Parameters
    ----------
    label_map : integer array, shape (H, W)

    Returns
    -------
    float array, shape (N + 1,)
        Length in pixels of label i; element 0 is 0.

    Notes
    -----
    The length of a boundary is π times the mean, over all orientations, of the measure of the lines
    of that orientation that enter the region. On the lattice, lines along the primitive vector v are
    1/|v| apart, and entries are pixels whose neighbour at v is not of the region [1]_. Each of the
    eight orientations stands for those nearer to it than to the next. Isotropic shapes are estimated
    without bias, straight edges within 1.5 % whatever their direction; counting pixel edges errs by
    up to 41 %, four directions by 5 %.

    References
    ----------
    .. [1] D. Legland, K. Kiêu and M.-F. Devaux, Computation of Minkowski measures on 2D and 3D binary
       images, Image Anal. Stereol. 26 (2007) 83–92.
    """
    labels = np.pad(np.asarray(label_map), 2)
    flat, stride = labels.ravel(), labels.shape[1]
    # only pixels at or next to a boundary can have a neighbour at (2, 1) outside
    edge = np.zeros(labels.shape, np.uint8)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    near = np.asarray(cv2.dilate(edge, np.ones((3, 3), np.uint8)), np.bool_)
    pixels = np.flatnonzero(near.ravel() & (flat > 0))
    mine = flat[pixels]
    size = int(labels.max(initial=0)) + 1
    angles = np.array([np.arctan2(dy, dx) for dx, dy in _DIRECTIONS])
    around = np.concatenate([angles[-1:] - np.pi, angles, angles[:1] + np.pi])
    shares = (around[2:] - around[:-2]) / (2 * np.pi)
    total = np.zeros(size)
    for (dx, dy), share in zip(_DIRECTIONS, shares, strict=True):
        leaves = flat[pixels + dy * stride + dx] != mine
        enters = flat[pixels - dy * stride - dx] != mine
        entries = np.bincount(mine[leaves], minlength=size) + np.bincount(mine[enters], minlength=size)
        total += np.pi * share * entries / (2 * np.hypot(dx, dy))
    return total


def mean_depths(label_map: npt.NDArray[np.integer]) -> Reals:
    """Mean distance of every label's pixels from its boundary, px; shape (N + 1,)."""
    labels = np.asarray(label_map)
    inner = np.pad(labels > 0, 1)
    middle = inner[1:-1, 1:-1]
    for other, here in (((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
                        ((slice(None), slice(1, None)), (slice(None), slice(None, -1)))):  # fmt: skip
        differs = labels[other] != labels[here]
        middle[other] &= ~differs
        middle[here] &= ~differs
    depth = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    pixels, sums = _sums(labels, depth)
    return np.asarray(sums / np.maximum(pixels, 1) + 0.5)  # a pixel at the boundary is half a pixel deep


def _sums(labels: npt.NDArray[np.integer], values: npt.NDArray[np.integer | np.floating]) -> tuple[Reals, Reals]:
    """Number of each label's pixels and sum of their values, shape (N + 1,); in bands that fit a processor's cache."""
    size = int(labels.max(initial=0)) + 1
    pixels, sums = np.zeros(size), np.zeros(size)
    rows = max(1, BAND_PX // labels.shape[1])
    for top in range(0, len(labels), rows):
        which = labels[top : top + rows].ravel().astype(np.int64)
        pixels += np.bincount(which, minlength=size)
        sums += np.bincount(which, values[top : top + rows].ravel(), size)
    return pixels, sums


# ---------------------------------------------------------------- bodies


@dataclass(frozen=True, eq=False)
class _Bodies:
    """What sizes and shapes are taken from: pixels, or a refined outline; arrays and lists of n particles.

    ``hulls`` are those of pixel centres where ``gaps`` is a number (see `feret`), of outlines elsewhere.
    """

    area: Reals
    centre: Reals
    second: Reals
    perimeter: Reals
    depth: Reals
    hulls: list[Reals]
    gaps: Reals
    hull_area: Reals
    contours: Sequence[npt.NDArray[np.floating]]
    outlines: Polygons
    refined: npt.NDArray[np.bool_]
    edge_uncertainty: Reals

    @classmethod
    def of(cls, labels: npt.NDArray[np.int32], region: _Regions, loops: Loops) -> _Bodies:
        corners, pixels = loops.corners()
        of_label = 2 * corners.start[np.searchsorted(corners.owner, np.arange(corners.count + 1))]
        bounds = zip(of_label[:-1].tolist(), of_label[1:].tolist(), strict=True)
        about = pixels.astype(np.int32)
        hulls = [cv2.convexHull(about[begin:end])[:, 0, :].astype(float) for begin, end in bounds]
        as_polygons = Polygons.one_each(hulls)
        contours = [corners.polygon(outer) for outer in corners.outer().tolist()]
        return cls(
            area=region.area,
            centre=np.stack([region.x, region.y], axis=1),
            second=np.stack([region.xx, region.yy, region.xy], axis=1),
            perimeter=perimeters(labels)[region.present],
            depth=mean_depths(labels)[region.present],
            hulls=hulls,
            gaps=digitisation_gaps(as_polygons),
            hull_area=lattice_points(as_polygons),
            contours=contours,
            outlines=Polygons.one_each(contours),
            refined=np.zeros(len(contours), bool),
            edge_uncertainty=np.full(len(contours), np.nan),
        )

    def at_edges(self, edges: Edges) -> _Bodies:
        """The same with what the refined outlines say of the particles that have one."""
        chosen = edges.refined
        if not chosen.any():
            return self
        area, centre, second = edges.outlines.moments()
        xx, yy, xy = second.T
        chosen = chosen & (area > 0) & (xx * yy > xy * xy)  # one that crosses itself may enclose no body
        outer = edges.outlines.outer()
        hulls, hull_area = list(self.hulls), self.hull_area.copy()
        contours: list[npt.NDArray[np.floating]] = list(self.contours)
        for index in np.flatnonzero(chosen).tolist():
            outline = edges.outlines.polygon(outer[index])
            hull = cv2.convexHull(outline.astype(np.float32))
            hulls[index], hull_area[index] = hull[:, 0, :].astype(float), cv2.contourArea(hull)
            contours[index] = outline.astype(np.float32)
        return _Bodies(
            area=np.where(chosen, area, self.area),
            centre=np.where(chosen[:, None], centre, self.centre),
            second=np.where(chosen[:, None], second, self.second),
            perimeter=np.where(chosen, edges.outlines.perimeters(), self.perimeter),
            # an outline moved by δ all round makes every point of the old body δ deeper
            depth=self.depth + np.where(chosen, (area - self.area) / self.perimeter / 2, 0.0),
            hulls=hulls,
            gaps=np.where(chosen, np.nan, self.gaps),
            hull_area=hull_area,
            contours=contours,
            outlines=Polygons.one_each(contours),
            refined=chosen,
            edge_uncertainty=np.where(chosen, edges.uncertainty_px, np.nan),
        )

    def columns(self) -> dict[str, Any]:
        area, perimeter = self.area, self.perimeter
        major, minor, orientation = self._axes()
        width = ferets(self.hulls, self.gaps)
        length, thickness = ribbons(area, self.depth)
        shapes, scores = classify_shapes(self.outlines, area, self.centre, (major, minor, orientation))
        return {
            "x_px": self.centre[:, 0],
            "y_px": self.centre[:, 1],
            "area_px": area,
            "ecd_px": np.sqrt(4 * area / np.pi),
            "perimeter_px": perimeter,
            "feret_max_px": width.largest,
            "feret_min_px": width.smallest,
            "feret_90_px": width.across,
            "major_axis_px": major,
            "minor_axis_px": minor,
            "geodesic_length_px": length,
            "mean_width_px": thickness,
            "aspect_ratio": major / minor,
            "feret_ratio": width.smallest / width.largest,
            "elongation": 1 - width.smallest / width.largest,
            "circularity": np.minimum(1.0, 4 * np.pi * area / perimeter**2),
            "roundness": np.minimum(1.0, 4 * area / (np.pi * width.largest**2)),
            "solidity": np.minimum(1.0, area / self.hull_area),
            "convexity": np.minimum(1.0, np.pi * width.mean / perimeter),
            "orientation_deg": orientation,
            "shape": [str(shape) for shape in shapes],
            "shape_score": scores,
            "edge_refined": self.refined,
            "edge_uncertainty_px": self.edge_uncertainty,
            "contour": self.contours,
        }

    def _axes(self) -> tuple[Reals, Reals, Reals]:
        """Major and minor axes in px and orientations in degrees of the ellipses with the same moments."""
        xx, yy, xy = self.second.T
        root = np.hypot(xx - yy, 2 * xy)
        major = np.sqrt(8 * (xx + yy + root))
        # 8 (xx + yy − root), without the difference that cancels where a body is far longer than wide
        minor = np.sqrt(32 * np.maximum(xx * yy - xy * xy, 0.0) / (xx + yy + root))
        # y runs down the picture, and angles are counted as seen: its sign turns
        angle = np.degrees(0.5 * np.arctan2(-2 * xy, xx - yy))
        return major, minor, np.where(angle <= -_QUARTER_TURN_DEG, _QUARTER_TURN_DEG, angle + 0.0)


# ---------------------------------------------------------------- surroundings


def nearest_neighbours(centres: Reals, counts: npt.NDArray[np.bool_]) -> Reals:
    """Distance from each centre to the nearest other one that counts; NaN where there is none.

    Parameters
    ----------
    centres : float array, shape (n, 2)
    counts : bool array, shape (n,)
        False for what is no particle; it has a neighbour, but is none.
    """
    found = np.full(len(centres), np.nan)
    if counts.sum() > 0:
        tree = cKDTree(centres[counts])
        near, _ = tree.query(centres, k=min(2, int(counts.sum())))
        near = near.reshape(len(centres), -1)
        found[~counts] = near[~counts, 0]
        if near.shape[1] > 1:
            found[counts] = near[counts, 1]
    return found


def grey_levels(image: npt.NDArray[np.generic], labels: npt.NDArray[np.int32], present: Labels) -> dict[str, Reals]:
    """Mean grey level of each particle, and what it has over that of the ground about it.

    The ground is what lies within `GROUND_PX` of a particle and is nearer to it than to any other, less the
    first `BLURRED_PX`, which the edge's blur reaches.
    """
    grey = np.asarray(image, np.float32)
    if has_channels(grey):
        grey = grey[..., :RGB].mean(axis=2)
    pixels, sums = _sums(labels, grey)
    size = len(pixels)
    inside = sums / np.maximum(pixels, 1)
    away, nearest = cv2.distanceTransformWithLabels(
        (labels == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    flat, nearest = labels.ravel(), nearest.ravel()
    on = np.flatnonzero(flat)
    numbered = np.zeros(int(nearest.max()) + 1, np.int32)
    numbered[nearest[on]] = flat[on]
    ring = np.flatnonzero((away > BLURRED_PX) & (away <= GROUND_PX))
    owner = numbered[nearest[ring]]
    count = np.bincount(owner, minlength=size)
    ground = np.bincount(owner, grey.ravel()[ring], size) / np.maximum(count, 1)
    contrast = np.where(count > 0, inside - ground, np.nan)
    return {"mean_intensity": inside[present], "contrast": contrast[present]}
