"""The text files that scanning electron microscopes of Hitachi and JEOL write beside a picture, NAME.txt.

- Hitachi: lines "name=value" under [SemImageFile]; PixelSize in nm, DataSize = 1280x960, AcceleratingVoltage =
  15000 Volt, Magnification, Date, Time.
- JEOL: lines "$name value"; the bar's length $$SM_MICRON_BAR in pixels and $$SM_MICRON_MARKER as its text, "1um";
  $CM_FULL_SIZE is width and height, $CM_ACCEL_VOLT in kV, $CM_MAG, $CM_DATE, $CM_TIME.

Neither maker publishes the format; the names are those that readers in public repositories agree on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["HITACHI", "JEOL", "read_sidecar"]

HITACHI, JEOL = "Hitachi", "JEOL"
#: A sidecar is a page of text.
_MOST_BYTES = 1 << 16


def read_sidecar(path: Path) -> tuple[str, Mapping[str, str]] | None:
    """Who wrote the text beside a picture, and its names and values; None where there is none of these makers'."""
    beside = next((p for p in (path.with_suffix(".txt"), path.with_suffix(".TXT")) if p.is_file()), None)
    if beside is None:
        return None
    with beside.open("rb") as stream:
        raw = stream.read(_MOST_BYTES)
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    if "[SemImageFile]" in text:
        lines = (line.partition("=") for line in text.splitlines())
        return HITACHI, {name.strip(): value.strip() for name, equals, value in reversed(list(lines)) if equals}
    if "$CM_" in text or "$$SM_" in text:
        found = re.findall(r"^\$+(\w+)[ \t]+(.*?)\s*$", text, re.MULTILINE)
        return JEOL, dict(reversed(found))
    return None
