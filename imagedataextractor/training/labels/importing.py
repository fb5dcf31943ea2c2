"""Labels of other programs into the EMPS layout: images/NAME.png, segmaps/NAME.png, split.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import as_picture, load_image, to_grey
from imagedataextractor.telling import Tell, tell_nobody
from imagedataextractor.training.labels.maps import MAP_ENDINGS, picture_of, read_cellpose, read_map
from imagedataextractor.training.labels.picture import Labelled, label_map
from imagedataextractor.training.labels.polygons import read_polygons
from imagedataextractor.training.labels.rois import read_rois

__all__ = ["Imported", "import_labels"]

#: Suffixes of files of labels …
_POLYGONS, _ROIS = (".json", ".csv"), (".roi", ".zip")
#: … and of pictures, and of label maps.
_PICTURES = (
    ".png",
    ".tif",
    ".tiff",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".webp",
    ".jp2",
    ".dm3",
    ".dm4",
    ".mrc",
    ".ser",
    ".emd",
)
_MAPS = (".png", ".tif", ".tiff", ".bmp", ".gif", ".npy")


@dataclass(frozen=True)
class Imported:
    """What was written: pictures (or parts of them) and their particles, and what was left out and why."""

    pictures: int
    particles: int
    left_out: tuple[str, ...]


def import_labels(
    sources: Sequence[Path],
    out: Path,
    *,
    pictures: Path | None = None,
    validation: float = 0.2,
    seed: int = 0,
    tell: Tell = tell_nobody,
) -> Imported:
    """Read labels, find their pictures, and write both for `ide train segmentation`.

    Parameters
    ----------
    sources : sequence of path
        Files of labels, or folders of them: VIA (.json, .csv), COCO (.json, also what `ide export` writes), labelme
        (.json), ImageJ ROIs (.roi, .zip), Cellpose (NAME_seg.npy), label maps (NAME_masks.png and the like).
    out : path
        A folder; what is there stays, pictures of the same name are replaced.
    pictures : path, optional
        Folder of the pictures; by default they are looked for where the labels say, and beside them.
    validation : float
        Share of the pictures that is kept for validation, "val" in split.csv; at least one of two or more.
    seed : int
        Which they are.
    tell : function of str
        Is told of what was left out of a picture.

    Raises
    ------
    UsageError
        A number makes no sense, or a package is missing.
    InputError
        Nothing could be imported, or the folder cannot be written.
    """
    if not 0 <= validation < 1:
        raise UsageError(f"validation: {validation:g} is no share from 0 to below 1")
    if pictures is not None and not pictures.is_dir():
        raise InputError(f"{pictures}: is no folder of pictures")
    left_out: list[str] = []
    written: dict[str, int] = {}
    seen: set[tuple[Path | None, tuple[int, int, int, int] | None]] = set()
    for path in _files(sources):
        try:
            labelled = _read(path, tell)
        except InputError as error:
            left_out.append(str(error))
            continue
        for found in labelled:
            try:
                name, picture, grey = _picture(found, path, pictures)
                if picture is not None and (picture, found.part) in seen:
                    raise InputError(f"{path}: {picture.name} has labels already; these are left out")
                seen.add((picture, found.part))
                labels = _labels(found, grey.shape, picture or path)
            except InputError as error:
                left_out.append(str(error))
                continue
            if found.left_out:
                tell(f"{path}: {found.left_out} marks of {name} are no particles (points, lines, crowds)")
            if found.part is not None:
                x0, y0, x1, y1 = found.part
                grey, labels, name = grey[y0:y1, x0:x1], labels[y0:y1, x0:x1], f"{name}-{x0}-{y0}"
            name = _free(name, written)
            _save(out, name, grey, labels)
            written[name] = int(labels.max(initial=0))
    if not written:
        raise InputError(left_out[0] if left_out else f"{', '.join(map(str, sources))}: no labels there")
    _write_split(out, list(written), validation, seed)
    return Imported(len(written), sum(written.values()), tuple(left_out))


def _files(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            found = [path for path in sorted(source.iterdir()) if path.is_file() and _holds_labels(path)]
            if not found:
                raise InputError(f"{source}: holds no labels (.json, .csv, .roi, .zip, NAME_seg.npy, NAME_masks.png)")
            yield from found
        elif source.is_file():
            yield source
        else:
            raise InputError(f"{source}: no such file or folder")


def _holds_labels(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in (*_POLYGONS, *_ROIS) or (suffix in _MAPS and picture_of(path) != path.stem)


def _read(path: Path, tell: Tell) -> list[Labelled]:
    suffix = path.suffix.lower()
    if suffix in _POLYGONS:
        return read_polygons(path)
    if suffix in _ROIS:
        return [read_rois(path)]
    if suffix == ".npy" and path.stem.lower().endswith("_seg"):
        return [read_cellpose(path)]
    if suffix in _MAPS:
        return [read_map(path, tell)]
    raise InputError(f"{path}: labels are .json, .csv, .roi, .zip, .npy or a label map as .png or .tif")


def _picture(found: Labelled, path: Path, pictures: Path | None) -> tuple[str, Path | None, npt.NDArray[np.uint8]]:
    """Name, file and pixels of the picture that labels are of."""
    file = _looked_for(found.picture, path, pictures)
    if file is not None:
        return file.stem, file, to_grey(load_image(file))
    if found.pixels is not None:
        try:
            pixels = np.asarray(Image.open(io.BytesIO(found.pixels)))
        except Exception as error:  # Pillow raises many classes on damaged pictures
            raise InputError(f"{path}: the picture in it is damaged ({type(error).__name__})") from error
        return path.stem, None, to_grey(as_picture(pixels))
    where = pictures or path.parent
    raise InputError(f"{path}: its picture {found.picture or path.stem!r} is not in {where}; say where with --pictures")


def _looked_for(name: str, path: Path, pictures: Path | None) -> Path | None:
    """The picture of that name; written on Windows or elsewhere, with a suffix or without."""
    plain = Path(PureWindowsPath(name).name if "\\" in name else name)
    folders = [pictures] if pictures is not None else [path.parent, path.parent.parent / "images"]
    places = [folder / plain.name for folder in folders]
    if pictures is None:
        places.append(path.parent / plain if not plain.is_absolute() else plain)
    for place in places:
        if plain.name and place.is_file() and place.suffix.lower() in _PICTURES and place != path:
            return place
    for folder in folders:
        wanted = (plain.name or path.stem).lower()
        beside = [
            p for p in sorted(folder.iterdir()) if p.suffix.lower() in _PICTURES and p != path and not _is_map(p)
        ] if folder.is_dir() else []  # fmt: skip
        named = [p for p in beside if p.stem.lower() == wanted]
        if len(named) == 1:
            return named[0]
        if not name and len(beside) == 1:  # "RoiSet.zip" beside the only picture
            return beside[0]
    return None


def _is_map(path: Path) -> bool:
    return any(path.stem.lower().endswith(ending) for ending in MAP_ENDINGS)


def _labels(found: Labelled, shape: tuple[int, ...], where: Path) -> npt.NDArray[np.uint16]:
    try:
        return label_map(found, (shape[0], shape[1]))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, with a number where another picture of this import has it."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _save(out: Path, name: str, image: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint16]) -> None:
    try:
        for folder, pixels in (("images", image), ("segmaps", labels)):
            (out / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels)).save(out / folder / f"{name}.png")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error


def _write_split(out: Path, names: Sequence[str], validation: float, seed: int) -> None:
    """split.csv, with the lines of what was there before."""
    table = out / "split.csv"
    split: dict[str, str] = {}
    if table.is_file():
        with table.open(encoding="utf-8-sig", newline="") as file:
            split = {row["name"]: row["split"] for row in csv.DictReader(file) if row.get("name")}
    new = sorted(set(names) - set(split))
    count = round(validation * len(new))
    if validation and not count and len(new) + len(split) > 1 and "val" not in split.values():
        count = 1
    chosen = set(np.random.default_rng(seed).permutation(new)[:count].tolist())
    split.update({name: "val" if name in chosen else "train" for name in new})
    try:
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", "split"])
            writer.writerows(sorted(split.items()))
    except OSError as error:
        raise InputError(f"{table}: cannot be written ({error.strerror or error})") from error
