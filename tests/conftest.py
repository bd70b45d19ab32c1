"""Fixtures every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

# A machine with much else to do is no error.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config) -> None:
    """Without ``-n`` there is one process: pytest-xvfb would leave the windows to others."""
    if not config.getoption("numprocesses", None):
        config.option.dist = "no"


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


@pytest.fixture(scope="session")
def small_result(tmp_path_factory):
    """A small slide that went through the pipeline, without figures; not to be changed."""
    import macprox as mp
    import small_runs

    folder = tmp_path_factory.mktemp("small")
    slide = small_runs.write_slide(folder / "slides" / "field.ome.tif")
    study = small_runs.write_study(folder / "study.toml")
    with small_runs.without_reports():
        (finished,) = mp.run([slide], study, folder / "results")
    return finished


@pytest.fixture
def small_copy(small_result, tmp_path):
    """The same result in a folder of its own, for tests that break something."""
    import shutil

    import macprox as mp

    shutil.copytree(small_result.path.parents[1], tmp_path / "results")
    return mp.open_result(tmp_path / "results" / "slides" / small_result.slide_id)
