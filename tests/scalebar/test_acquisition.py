"""What microscopes write into their pictures, and beside them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imagedataextractor.scalebar import read_acquisition, read_file_scale

PIXELS = np.zeros((96, 128), np.uint8)

HITACHI = """[SemImageFile]
InstructName=SU8000
ImageName=a.tif
DataSize=128x96
PixelSize=9.921875
SignalName=SE(U)
AcceleratingVoltage=15000 Volt
WorkingDistance=8100 um
Magnification=10000
Date=2019/05/14
Time=10:11:12
"""

JEOL = """$CM_FORMAT JED-2200:IMG
$CM_DATE 2018/02/03
$CM_TIME 14:15:16
$CM_INSTRUMENT 7001F
$CM_ACCEL_VOLT 5.00
$CM_MAG 50000
$CM_FULL_SIZE 128 96
$$SM_MICRON_BAR 40
$$SM_MICRON_MARKER 100nm
"""

OME = """<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0"><Objective ID="Objective:0" NominalMagnification="20000"/></Instrument>
<Image ID="Image:0"><AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate>
<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="128" SizeY="96" SizeC="1" SizeZ="1" SizeT="1"
PhysicalSizeX="{x}" {unit} PhysicalSizeY="{x}"><TiffData/></Pixels></Image></OME>"""


def picture(tmp_path: Path, **words: object) -> Path:
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PIXELS, metadata=None, **words)  # type: ignore[arg-type]
    return file


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_hitachi_s_text_beside_a_picture(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a{suffix}"
    Image.fromarray(PIXELS).save(file)
    file.with_suffix(".txt").write_bytes(HITACHI.replace("\n", "\r\n").encode())
    scale, found = read_file_scale(file), read_acquisition(file)

    assert scale is not None
    assert found is not None
    assert (scale.writer, scale.nm_per_px) == ("Hitachi", 9.921875)
    assert (found.writer, found.voltage_kv, found.magnification) == ("Hitachi", 15, 10000)
    assert found.taken_at == "2019/05/14 10:11:12"


def test_jeol_s_text_beside_a_picture(tmp_path: Path) -> None:
    file = picture(tmp_path)
    file.with_suffix(".txt").write_text(JEOL)
    found = read_acquisition(file)

    assert found is not None
    assert found.pixel_nm == pytest.approx((2.5, 2.5))
    assert (found.writer, found.voltage_kv, found.magnification) == ("JEOL", 5, 50000)
    assert found.taken_at == "2018/02/03 14:15:16"


def test_a_text_of_another_picture_s_size_is_not_believed(tmp_path: Path) -> None:
    file = picture(tmp_path)
    file.with_suffix(".txt").write_text(HITACHI.replace("128x96", "1280x960"))
    scale = read_file_scale(file)

    assert scale is not None
    assert scale.nm_per_px is None
    assert "1280 px wide" in (scale.reason or "")


def test_any_other_text_says_nothing(tmp_path: Path) -> None:
    file = picture(tmp_path)
    file.with_suffix(".txt").write_text("PixelSize=3\nnotes on the sample")

    assert read_file_scale(file) is None
    assert read_acquisition(file) is None


@pytest.mark.parametrize(
    ("size", "unit", "nm"),
    [("0.0025", "", 2.5), ("2.5", 'PhysicalSizeXUnit="nm" PhysicalSizeYUnit="nm"', 2.5),
     ("25", 'PhysicalSizeXUnit="&#197;" PhysicalSizeYUnit="&#197;"', 2.5)],
)  # fmt: skip
def test_ome_s_physical_size(tmp_path: Path, size: str, unit: str, nm: float) -> None:
    file = picture(tmp_path, description=OME.format(x=size, unit=unit))
    found = read_acquisition(file)

    assert found is not None
    assert found.pixel_nm == pytest.approx((nm, nm))
    assert (found.writer, found.magnification, found.taken_at) == ("OME", 20000, "2020-01-02T03:04:05")


def test_olympus_sis_s_tag(tmp_path: Path) -> None:
    # The structure as tifffile reads it: a head with the date, then one entry of general data.
    file = tmp_path / "a.tif"
    place = 16 + PIXELS.size
    head = struct.pack("<4s6xhhhhh6x32sh", b"SIS0", 30, 12, 24, 11, 119, b"a", 1) + struct.pack(
        "<hhI", 1, 1, place + 68
    )
    general = struct.pack("<10xhdd8xd2x34s32s", -9, 2.5, 2.5, 80000.0, b"camera", b"")
    entries = [(256, 4, 1, 128), (257, 4, 1, 96), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 16),
               (277, 3, 1, 1), (278, 4, 1, 96), (279, 4, 1, PIXELS.size), (33560, 4, 1, place)]  # fmt: skip
    where = place + len(head) + len(general)
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    start = struct.pack("<2sHI8x", b"II", 42, where)
    file.write_bytes(start + PIXELS.tobytes() + head + general + directory + struct.pack("<I", 0))
    found = read_acquisition(file)

    assert found is not None
    assert found.pixel_nm == pytest.approx((2.5, 2.5))
    assert (found.writer, found.magnification, found.taken_at) == ("SIS", 80000, "2019-12-24T12:30:00")


def test_zeiss_and_tescan_say_how_a_picture_was_taken(tmp_path: Path) -> None:
    zeiss = "\r\n".join(("Mag = 25.00 K X", "AP_MANUALKV", "EHT = 5.00 kV", "Date :12 Mar 2019", "Time :10:11:12", ""))
    tescan = "[MAIN]\r\nDate=2019-05-14\r\nTime=10:11:12\r\nMagnification=20000.0\r\nPixelSizeX=2.5e-9\r\n"
    tescan += "[SEM]\r\nHV=10000.0\r\n"
    one = read_acquisition(picture(tmp_path, extratags=[(34118, 2, len(zeiss), zeiss, True)]))
    other = read_acquisition(picture(tmp_path, extratags=[(50431, 2, len(tescan), tescan, True)]))

    assert one is not None
    assert other is not None
    assert (one.voltage_kv, one.magnification, one.taken_at) == (5, 25000, "12 Mar 2019 10:11:12")
    assert (other.voltage_kv, other.magnification, other.taken_at) == (10, 20000, "2019-05-14 10:11:12")
