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


@pytest.fixture(scope="session")
def sample_results(tmp_path_factory) -> Path:
    """The result folder of `macprox demo`, made once: the three sample slides, all gates auto."""
    import small_runs

    out = tmp_path_factory.mktemp("demo") / "macprox-demo"
    ended = small_runs.macprox("demo", out, "--quiet")
    assert ended.code == 0, ended.err
    (out.parent / "said.txt").write_text(ended.out, encoding="utf-8")
    return out
