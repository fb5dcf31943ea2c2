"""Files of microscopes, written here as their formats say: the picture, its scale and how it was taken."""

from __future__ import annotations

import json
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from imagedataextractor.errors import InputError
from imagedataextractor.images import load_image, read_picture
from imagedataextractor.images.microscopes import microscope_of, read_microscope
from imagedataextractor.scalebar import read_file_scale

SHAPE = (90, 120)
FIELD = cv2.GaussianBlur(np.random.default_rng(0).random(SHAPE), (0, 0), 4)
DEEP = np.round((FIELD - FIELD.min()) / np.ptp(FIELD) * 3000).astype(np.uint16)
SHOWN = DEEP / 3000 * 255


class Dm:
    """A writer of DM3 and DM4, as far as a picture needs it."""

    def __init__(self, version, order="<"):
        self.word, self.order, self.version = (">q" if version == 4 else ">i"), order, version

    def number(self, value):
        return struct.pack(self.word, value)

    def group(self, tags):
        items = tags.items() if isinstance(tags, dict) else (("", tag) for tag in tags)
        body = b"".join(self.entry(name, tag) for name, tag in items)
        return b"\1\0" + self.number(len(tags)) + body

    def entry(self, name, tag):
        is_group = isinstance(tag, dict | list)
        body = self.group(tag) if is_group else self.data(tag)
        size = struct.pack(">q", len(body)) if self.version == 4 else b""
        return bytes([20 if is_group else 21]) + struct.pack(">H", len(name)) + name.encode() + size + body

    def data(self, value):
        if isinstance(value, str):
            value = np.frombuffer(value.encode("utf-16-le" if self.order == "<" else "utf-16-be"), self.order + "u2")
        if isinstance(value, np.ndarray):
            kind = {"u2": 4, "f4": 6, "i2": 2}[value.dtype.str[1:]]
            info, body = [20, kind, value.size], value.astype(value.dtype.newbyteorder(self.order)).tobytes()
        elif isinstance(value, float):
            info, body = [7], struct.pack(self.order + "d", value)
        else:
            info, body = [5], struct.pack(self.order + "I", value)
        return b"%%%%" + self.number(len(info)) + b"".join(map(self.number, info)) + body

    def picture(self, values, scale, unit):
        height, width = values.shape[-2:]
        axes = [{"Origin": 0.0, "Scale": scale, "Units": unit}] * 2
        return {
            "ImageData": {
                "Calibrations": {"Dimension": axes},
                "Data": values.ravel(),
                "DataType": {"u2": 10, "f4": 2, "i2": 1}[values.dtype.str[1:]],
                "Dimensions": [width, height, *values.shape[:-2]],
            },
            "ImageTags": {
                "DataBar": {"Acquisition Date": "3/12/2015", "Acquisition Time": "10:42"},
                "Microscope Info": {"Voltage": 200000.0, "Indicated Magnification": 50000.0},
            },
        }

    def write(self, path, values, scale=0.25, unit="nm"):
        thumbnail = self.picture(np.zeros((8, 8), np.uint16), 1.0, "")
        body = self.group({"ImageList": [thumbnail, self.picture(values, scale, unit)]})
        head = struct.pack(">i", self.version) + self.number(len(body)) + struct.pack(">i", int(self.order == "<"))
        path.write_bytes(head + body + bytes(8))
        return path


def ser(path, slices, step=2.5e-10, version=0x220):
    wide = "<q" if version >= 0x220 else "<i"
    size = struct.calcsize(wide)
    head = struct.pack("<hhhiiii", 0x4949, 0x0197, version, 0x4122, 0x4152, len(slices), len(slices))
    table = len(head) + size + 4
    offsets, data = [], b""
    for values in slices:
        offsets.append(table + size * len(slices) + len(data))
        height, width = values.shape
        data += struct.pack("<ddiddihii", 0, step, 0, 0, step, 0, 2, width, height) + values[::-1].tobytes()
    places = b"".join(struct.pack(wide, offset) for offset in offsets)
    path.write_bytes(head + struct.pack(wide, table) + struct.pack("<i", 0) + places + data)
    return path


def is_shown(pixels, expected=SHOWN):
    return pixels.shape == SHAPE and np.abs(pixels - expected).mean() < 4


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [3, 4])
def test_digital_micrograph(tmp_path, version, order):
    path = Dm(version, order).write(tmp_path / f"a.dm{version}", DEEP)
    assert is_shown(load_image(path))
    assert read_file_scale(path).nm_per_px == pytest.approx(0.25)
    taken = read_microscope(path, microscope_of(path)).acquisition
    assert (taken.voltage_kv, taken.magnification, taken.taken_at) == (200.0, 50000.0, "3/12/2015 10:42")


def test_units_of_digital_micrograph_and_its_stacks(tmp_path):
    stack = np.stack([DEEP, DEEP[::-1]]).astype(np.float32)
    path = Dm(3).write(tmp_path / "a.dm3", stack, 0.5, "µm")
    assert read_file_scale(path).nm_per_px == pytest.approx(500)
    assert read_picture(path).choice == "page 1 of 2"
    assert is_shown(load_image(path, page=2), SHOWN[::-1])
    diffraction = Dm(3).write(tmp_path / "b.dm3", DEEP, 0.02, "1/nm")
    assert is_shown(load_image(diffraction))
    assert read_file_scale(diffraction) is None


@pytest.mark.parametrize("version", [0x210, 0x220])
def test_ser_and_the_emi_beside_it(tmp_path, version):
    path = ser(tmp_path / "map_1.ser", [DEEP, DEEP[::-1]], version=version)
    labels = "".join(
        f"<Label>{a}</Label><Value>{b}</Value>" for a, b in (("High tension", 300), ("Magnification", 8e4))
    )
    (tmp_path / "map.emi").write_bytes(b"\0\1binary" + labels.encode() + b"<AcquireDate>Thu Mar 12 2015</AcquireDate>")
    assert is_shown(load_image(path))
    assert is_shown(load_image(path, page=2), SHOWN[::-1])
    assert read_file_scale(path).nm_per_px == pytest.approx(0.25)
    taken = read_microscope(path, "ser").acquisition
    assert (taken.voltage_kv, taken.magnification, taken.taken_at) == (300.0, 80000.0, "Thu Mar 12 2015")


def test_mrc(tmp_path):
    mrcfile = pytest.importorskip("mrcfile")
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.ascontiguousarray(DEEP[::-1]).astype(np.float32))
        file.voxel_size = 2.5
    assert is_shown(load_image(tmp_path / "a.mrc"))
    assert read_file_scale(tmp_path / "a.mrc").nm_per_px == pytest.approx(0.25)


def test_velox(tmp_path):
    h5py = pytest.importorskip("h5py")
    said = {
        "BinaryResult": {"PixelSize": {"width": "2.5e-10", "height": "2.5e-10"}, "PixelUnitX": "m", "PixelUnitY": "m"},
        "Optics": {"AccelerationVoltage": "200000"},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1426156920"}},
    }
    text = json.dumps(said).encode().ljust(2000, b"\0")
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("Data/Image/0123")
        group["Data"] = DEEP[..., None]
        group["Metadata"] = np.frombuffer(text, np.uint8)[:, None]
    assert is_shown(load_image(tmp_path / "a.emd"))
    assert read_file_scale(tmp_path / "a.emd").nm_per_px == pytest.approx(0.25)
    taken = read_microscope(tmp_path / "a.emd", "emd").acquisition
    assert (taken.voltage_kv, taken.taken_at) == (200.0, "2015-03-12T10:42:00+00:00")


def test_berkeley_emd(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("data/picture")
        group.attrs["emd_group_type"] = 1
        group["data"] = DEEP
        for axis, size in ((1, SHAPE[0]), (2, SHAPE[1])):
            group[f"dim{axis}"] = np.arange(size) * 0.25
            group[f"dim{axis}"].attrs["units"] = "[n_m]"
    assert is_shown(load_image(tmp_path / "a.emd"))
    assert read_file_scale(tmp_path / "a.emd").nm_per_px == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["a.dm3", "a.dm4", "a.ser", "a.mrc", "a.emd"])
@pytest.mark.parametrize("content", [b"", b"nonsense" * 40, "cut"])
def test_broken_files_are_one_clear_line(tmp_path, name, content):
    path = tmp_path / name
    if content == "cut":
        content = {
            "a.dm3": lambda: Dm(3).write(path, DEEP).read_bytes(),
            "a.dm4": lambda: Dm(4).write(path, DEEP).read_bytes(),
            "a.ser": lambda: ser(path, [DEEP]).read_bytes(),
        }.get(name, lambda: b"\x89HDF\r\n\x1a\n" * 9)()
        content = content[: len(content) // 2]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read|empty|no picture|needs") as caught:
        load_image(path)
    assert "\n" not in str(caught.value)
    scale = read_file_scale(path)
    assert scale is None or scale.nm_per_px is None


# ---------------------------------------------------------------- TIFF of other makers


def tagged(path, number, value):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[number] = value
    tags.tagtype[number] = 2 if isinstance(value, str) else 12 if isinstance(value, float) else 7
    Image.fromarray(SHOWN.astype(np.uint8)).save(path, tiffinfo=tags)
    return path


def test_tescan(tmp_path):
    text = "[MAIN]\nDate=2015-03-12\nMagnification=20000\nPixelSizeX=2.5e-10\nPixelSizeY=2.5e-10\n[SEM]\nHV=10000.0\n"
    scale = read_file_scale(tagged(tmp_path / "a.tif", 50431, text.encode()))
    assert (scale.writer, scale.nm_per_px) == ("TESCAN", pytest.approx(0.25))


def test_gatan_tiff(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value, kind in ((65003, "nm", 2), (65004, "nm", 2), (65009, 0.25, 12), (65010, 0.25, 12)):
        tags[number] = value
        tags.tagtype[number] = kind
    Image.fromarray(SHOWN.astype(np.uint8)).save(tmp_path / "a.tif", tiffinfo=tags)
    scale = read_file_scale(tmp_path / "a.tif")
    assert (scale.writer, scale.nm_per_px) == ("Gatan", pytest.approx(0.25))
