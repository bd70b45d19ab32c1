"""Fixtures every test may use."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, tables and reference values, kept beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data folder is not beside this repository (../shared/data)")
    return SHARED_DATA
