"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that need it are skipped elsewhere."""
    if not SHARED.is_dir():
        pytest.skip("the real data set is not beside this checkout (../shared)")
    return SHARED
