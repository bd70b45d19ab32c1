"""Fixtures every test may use."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(config, items) -> None:
    """Slow tests run where ``-m`` asks for them."""
    if not config.getoption("-m"):
        skipped = pytest.mark.skip(reason="slow: run with -m slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skipped)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, tables and reference values, kept beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data folder is not beside this repository (../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def sample_results(tmp_path_factory) -> Path:
    """The result folder of `macprox demo`, made once: the three sample slides, all gates auto.

    Without the reports' figures, which would take as long again.
    """
    import small_runs

    out = tmp_path_factory.mktemp("demo") / "macprox-demo"
    with small_runs.without_reports():
        ended = small_runs.macprox("demo", out, "--quiet")
    assert ended.code == 0, ended.err
    (out.parent / "said.txt").write_text(ended.out, encoding="utf-8")
    return out
