"""docs/early_versus_late: the commands, then the script, run as they are written."""

import re
import sys
from pathlib import Path

import pytest

import macprox as mp
from small_runs import type_in

pytestmark = pytest.mark.slow  # two minutes; .ci/run runs it beside the default tests

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "early_versus_late.md").read_text(encoding="utf-8")
SCRIPT = DOCS / "early_versus_late.py"
COMMANDS = re.search(r"<!-- tutorial: cli -->\n```sh\n(.*?)```", PAGE, re.S)[1].splitlines()


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which the commands were typed, and what the last one said."""
    folder = tmp_path_factory.mktemp("tutorial")
    said = [type_in(folder, *command.split()) for command in COMMANDS]
    return folder, said[-1]


def effect_in(text: str) -> float:
    """The difference between the groups, in percentage points."""
    plain = text.replace("\u00a0", " ").replace("−", "-")
    return float(re.search(r"Difference, late - early: (-?[\d.]+) percentage", plain)[1])


def test_the_commands_give_the_answer_of_the_page(walked):
    folder, said = walked
    assert len(COMMANDS) == 4
    told, quoted = effect_in(said), effect_in(PAGE.replace("> ", ""))
    assert told == pytest.approx(quoted, abs=1.0)  # percentage points: networks round differently
    assert "p = 0.029, studentised" in said.replace("\u00a0", " ")
    assert (folder / "early_late/results/cohort/report.html").stat().st_size > 200_000
    kinds = set(mp.open_cohort(folder / "early_late/results").sensitivity()["kind"])
    assert {"radius", "gate", "weights", "without one patient"} <= kinds


def test_the_script_walks_the_same_way_and_holds_the_answer_against_the_truth(walked):
    folder, _ = walked
    before = (folder / "early_late/results/cohort/tests.parquet").read_bytes()
    said = type_in(folder, sys.executable, str(SCRIPT))
    assert (folder / "early_late/results/cohort/tests.parquet").read_bytes() == before
    assert re.search(
        r"late - early = -0\.0\d\d \(-0\.\d+ to -0\.\d+\), p = 0.029, 8 patients", said
    )
    assert (folder / "early_late/C2.png").stat().st_size > 10_000
    shares = {group: tuple(map(float, (a, b))) for group, a, b in
              re.findall(r"^(early|late)\s+([\d.]+)\s+([\d.]+)$", said, re.M)}  # fmt: skip
    assert set(shares) == {"early", "late"}
    for simulated, measured in shares.values():
        assert abs(simulated - measured) < 0.12
    assert shares["early"][1] - shares["late"][1] > 0.3
