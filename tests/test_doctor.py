"""What `macprox doctor` says of a sound computer, and of one with each fault that it looks for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from macprox import __version__
from macprox.doctor import limits, machine, trial, versions
from macprox.doctor.child import Answer
from macprox.doctor.finding import PROBLEM, private
from macprox.doctor.trial import Trial, compared, judged
from small_runs import macprox

HERE = Path(__file__).resolve().parent
PYPROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
GOOD = Trial(218, 0.99, 0.92, 0.25, 0.25, 8.0)
linux = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")


@pytest.fixture(autouse=True)
def window(monkeypatch):
    """Which probe answers for the window; the others of this computer are left alone."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=":")
    monkeypatch.setenv("DISPLAY", "nurse-pc:7")

    def use(name: str) -> None:
        probe = EntryPoint("test", f"doctor_probes:{name}", "macprox.doctor")
        monkeypatch.setattr("macprox.doctor.screen.entry_points", lambda group: [probe])

    use("good")
    return use


def examined(*arguments: object) -> tuple[int, dict[str, dict]]:
    """Exit code and findings by what they are about; no self-test unless asked for."""
    with_trial = "--self-test" if "--self-test" in arguments else "--no-self-test"
    rest = [argument for argument in arguments if argument != "--self-test"]
    ended = macprox("doctor", with_trial, "--json", *rest)
    said = json.loads(ended.out)
    assert said["fit"] == (ended.code == 0)
    assert ended.code in (0, 1), ended.err
    for finding in said["findings"]:
        assert finding["remedy"] or finding["verdict"] == "ok", finding  # what to do, always
        assert not finding["stops"] or finding["verdict"] == PROBLEM
    return ended.code, {finding["about"]: finding for finding in said["findings"]}


def stopped_by(about: str, *arguments: object) -> dict:
    """The finding that alone makes analyses impossible."""
    code, findings = examined(*arguments)
    assert code == 1
    assert [one["about"] for one in findings.values() if one["stops"]] == [about]
    return findings[about]


# --- a sound computer


def test_a_sound_computer_is_fit(tmp_path):
    code, findings = examined("--out", tmp_path)
    assert code == 0
    assert {"dependencies", "results folder", "memory", "cores", "window", "OpenGL"} < set(findings)
    assert not [name for name, one in findings.items() if one["verdict"] == PROBLEM]
    assert __version__ in findings["versions"]["found"]
    assert findings["dependencies"]["facts"]["numpy"] == metadata.version("numpy")


def test_the_table_has_a_line_each_and_ends_with_a_verdict(tmp_path):
    ended = macprox("doctor", "--no-self-test", "--out", tmp_path)
    lines = ended.out.splitlines()
    assert ended.code == 0
    assert all(re.match(r"(ok|note|problem) +\S|  +-> \S", line) for line in lines[:-1])
    assert lines[-1] == "Analyses can be made here."


def test_it_leaves_nothing_where_it_looked(tmp_path):
    examined("--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_home_folder_is_not_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    ended = macprox("doctor", "--no-self-test", "--json", "--out", tmp_path / "results")
    assert "~/results: " in ended.out
    assert str(tmp_path) not in ended.out
    assert private(f"{tmp_path}-of-another/x") == f"{tmp_path}-of-another/x"


# --- folders, memory, cores, settings


def test_a_results_folder_that_cannot_be_written_stops(tmp_path):
    (tmp_path / "file").write_text("a file, no folder")
    found = stopped_by("results folder", "--out", tmp_path / "file")
    assert "cannot be written (Not a directory)" in found["found"]
    assert found["remedy"] == "give a folder of yours with --out"
    ended = macprox("doctor", "--no-self-test", "--out", tmp_path / "file")
    assert ended.out.splitlines()[-1].startswith("No analysis can be made here yet: 1 to solve")


def test_a_full_disk_stops_and_a_nearly_full_one_is_told(tmp_path, monkeypatch):
    def left(free):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        return examined("--out", tmp_path)

    code, findings = left(50e6)
    assert code == 1
    assert "0.1 GB free" in findings["results folder"]["found"]
    code, findings = left(2e9)
    assert (code, findings["results folder"]["verdict"]) == (0, "note")
    assert left(50e9)[1]["results folder"]["verdict"] == "ok"


def test_no_temporary_folder_stops(tmp_path, monkeypatch):
    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(machine.tempfile, "gettempdir", none)
    finding = machine._temporary()
    assert finding.stops
    assert finding.remedy.startswith("set TMPDIR")
    monkeypatch.undo()
    assert machine._temporary().found.startswith(private(tempfile.gettempdir()))


def test_no_place_for_compiled_code_stops(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    found = stopped_by("compiled code", "--out", tmp_path)
    assert "cannot be kept" in found["found"]
    assert found["remedy"] == "set NUMBA_CACHE_DIR to a folder that you can write to"


def test_a_switched_off_compiler_stops(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert "hundred times" in stopped_by("settings", "--out", tmp_path)["found"]
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert examined("--out", tmp_path)[1]["settings"]["found"] == "OMP_NUM_THREADS=3"


@pytest.mark.parametrize(
    ("free", "verdict", "remedy"),
    [(3e8, PROBLEM, "close other programs"), (1e9, "note", "--workers 1"), (8e9, "ok", "")],
)
def test_little_memory_is_told(tmp_path, monkeypatch, free, verdict, remedy):
    monkeypatch.setattr(machine, "lent_memory", lambda: int(free))
    code, findings = examined("--out", tmp_path)
    assert findings["memory"]["verdict"] == verdict
    assert remedy in findings["memory"]["remedy"]
    assert code == (verdict == PROBLEM)


def test_fewer_cores_than_the_machine_has_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(machine, "lent_cores", lambda: 2.5)
    cores = examined("--out", tmp_path)[1]["cores"]
    assert cores["found"] == "2.5 of 64 can be used"
    assert "--workers 2" in cores["remedy"]


def system(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@linux
def test_a_control_group_lends_less_than_the_machine_has(tmp_path):
    meminfo = "MemTotal: 64000000 kB\nMemAvailable: 8000000 kB\n"
    plain = system(tmp_path / "plain", proc__meminfo=meminfo)
    assert limits.lent_memory(plain) == 8_000_000 * 1024
    second = system(tmp_path / "2", proc__meminfo=meminfo, proc__self__cgroup="0::/job/7\n")
    system(second / "sys/fs/cgroup/job", **{"memory.max": "3000", "memory.current": "1000"})
    system(second / "sys/fs/cgroup/job/7", **{"memory.max": "max", "cpu.max": "50000 100000"})
    assert limits.lent_memory(second) == 2000  # of the group above: the nearest says "max"
    system(second / "sys/fs/cgroup/job", **{"memory.stat": "anon 1\ninactive_file 400\n"})
    assert limits.lent_memory(second) == 2400  # files that were read make room
    assert limits.lent_cores(second) == 0.5
    first = system(
        tmp_path / "1",
        proc__meminfo=meminfo,
        proc__self__cgroup="4:memory:/job\n3:cpu,cpuacct:/job\n",
    )
    memory = {"memory.limit_in_bytes": "5000", "memory.usage_in_bytes": "4000"}
    system(first / "sys/fs/cgroup/memory/job", **memory)
    quota = {"cpu.cfs_quota_us": "75000", "cpu.cfs_period_us": "100000"}
    system(first / "sys/fs/cgroup/cpu,cpuacct/job", **quota)
    assert (limits.lent_memory(first), limits.lent_cores(first)) == (1000, 0.75)
    no_quota = {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}
    system(first / "sys/fs/cgroup/cpu,cpuacct/job", **no_quota)
    assert limits.lent_cores(first) == limits.lent_cores(plain) >= 1


def test_a_system_that_says_nothing_of_memory_is_no_problem(tmp_path, monkeypatch):
    assert limits.lent_memory(tmp_path) is None
    monkeypatch.setattr(machine, "lent_memory", lambda: None)
    assert machine._memory().verdict == "ok"


def test_text_that_is_not_utf_8_is_told(monkeypatch):
    monkeypatch.setattr(machine.sys, "getfilesystemencoding", lambda: "ascii")
    assert "PYTHONUTF8=1" in machine._encoding().remedy


# --- versions


def test_a_missing_or_old_dependency_stops(tmp_path, monkeypatch):
    real = versions._installed
    fake = {"zarr": None, "numba": "0.1"}
    monkeypatch.setattr(versions, "_installed", lambda name: fake.get(name, real(name)))
    found = stopped_by("dependencies", "--out", tmp_path)
    assert "zarr is missing" in found["found"]
    assert "numba is 0.1, and macprox takes >=0.60" in found["found"]
    assert found["remedy"].startswith("pip install")


def test_without_what_compares_versions_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    assert stopped_by("dependencies", "--out", tmp_path)["found"] == "packaging is missing"


def test_other_versions_than_tested_are_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "_pins", lambda: {"numpy": "9.9", "not-ours": "1"})
    tested = examined("--out", tmp_path)[1]["tested versions"]
    assert tested["found"] == f"others than tested: numpy {metadata.version('numpy')} (tested: 9.9)"
    assert "constraints.txt" in tested["remedy"]


def test_the_tested_versions_are_those_of_constraints_txt():
    pins = versions._pins()
    text = (HERE.parent / "constraints.txt").read_text(encoding="utf-8")
    assert f"\nnumpy=={pins['numpy']}" in text


def test_without_the_source_tested_versions_are_not_known(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "_CONSTRAINTS", tmp_path / "constraints.txt")
    tested = examined("--out", tmp_path)[1]["tested versions"]
    assert (tested["verdict"], tested["found"][:9]) == ("ok", "not known")


def test_source_without_an_installation_is_a_note(tmp_path, monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, "requires", nothing)
    code, findings = examined("--out", tmp_path)
    assert code == 0
    assert "runs from its source" in findings["dependencies"]["found"]


def test_extras_are_named_with_what_they_are_for(tmp_path, monkeypatch):
    real = versions._installed
    monkeypatch.setattr(versions, "_installed", lambda n: None if n == "flowio" else real(n))
    found = examined("--out", tmp_path)[1]["extras"]
    assert "fcs (FCS for flow cytometry programs)" in found["found"].partition("not there: ")[2]
    assert found["facts"]["fcs"] == ["flowio is missing"]


def test_every_extra_of_users_is_explained():
    for_developers = {"train", "test", "docs", "lint", "all", "peers"}
    offered = set(PYPROJECT["project"]["optional-dependencies"]) - for_developers
    assert offered == set(versions.EXTRAS)


# --- the window


def window_of(*arguments: object) -> dict[str, dict]:
    """The window never stops an analysis."""
    code, findings = examined(*arguments)
    assert code == 0
    return findings


def test_a_window_that_opens_is_described(tmp_path):
    findings = window_of("--out", tmp_path)
    assert findings["window"]["found"] == "napari 0.9.2, PySide6 6.8.1, xcb"
    assert findings["OpenGL"]["found"] == "4.6, RTX"


@pytest.mark.parametrize("probe", ["without_qt", "without_napari"])
def test_without_qt_or_napari_it_says_what_to_install(tmp_path, window, probe):
    window(probe)
    found = window_of("--out", tmp_path)["window"]
    assert found["verdict"] == "note"
    assert 'pip install "macprox[napari]"' in found["remedy"]


def test_without_the_plugin_s_entry_point_too(tmp_path, monkeypatch):
    monkeypatch.setattr("macprox.doctor.screen.entry_points", lambda group: [])
    assert "macprox[napari]" in window_of("--out", tmp_path)["window"]["remedy"]


def test_missing_system_libraries_are_named_as_debian_packages(tmp_path, window):
    window("without_libraries")
    findings = window_of("--out", tmp_path)
    assert findings["system libraries"]["found"] == "the window lacks libEGL.so.1, libGL.so.1"
    assert findings["system libraries"]["remedy"].startswith("apt-get install libegl1 libgl1 ")
    assert "named above" in findings["window"]["remedy"]
    ended = macprox("doctor", "--no-self-test", "--out", tmp_path)
    assert ended.out.splitlines()[-1].startswith("Analyses can be made here; the review window")


def test_a_qt_that_ends_its_interpreter_ends_no_doctor(tmp_path, window):
    window("dies")
    found = window_of("--out", tmp_path)["window"]
    assert found["verdict"] == PROBLEM
    assert "broke off after the step napari (ended by SIGABRT)" in found["found"]
    assert found["found"].endswith("could not connect to display $DISPLAY")  # no computer's name
    assert "ssh -X" in found["remedy"]


def test_a_driver_that_hangs_is_left_alone(tmp_path, window, monkeypatch):
    monkeypatch.setattr("macprox.doctor.screen.TIMEOUT_S", 2.0)
    window("hangs")
    found = window_of("--out", tmp_path)["window"]
    assert "no answer within 2 s" in found["found"]
    assert "LIBGL_ALWAYS_SOFTWARE=1" in found["remedy"]


@pytest.mark.parametrize(
    ("probe", "said"),
    [("raises", "exit code 1): RuntimeError: the plugin itself"), ("speaks_nonsense", "no word")],
)
def test_a_probe_that_is_broken_itself_is_told(tmp_path, window, probe, said):
    window(probe)
    assert said in window_of("--out", tmp_path)["window"]["found"]


def test_no_opengl_is_a_problem_and_software_a_note(tmp_path, window):
    window("without_opengl")
    found = window_of("--out", tmp_path)["OpenGL"]
    assert (found["verdict"], "libgl1-mesa-dri" in found["remedy"]) == (PROBLEM, True)
    window("in_software")
    assert window_of("--out", tmp_path)["OpenGL"]["verdict"] == "note"


@linux
def test_no_screen_is_a_note_and_no_opengl_is_expected_there(tmp_path, window, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    window("without_opengl")
    findings = window_of("--out", tmp_path)
    assert findings["screen"]["verdict"] == "note"
    assert findings["OpenGL"]["found"] == "not asked: there is no screen"


# --- the self-test


def test_the_tiny_slide_gives_the_known_answer(tmp_path):
    code, findings = examined("--self-test", "--out", tmp_path)
    assert code == 0, findings["self-test"]
    facts = findings["self-test"]["facts"]
    assert facts["found_frac"] > 0.95
    assert 0 < facts["within_frac"] == facts["by_hand_frac"] < 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"found_frac": 0.5}, "50% of the nuclei were found, 90% expected"),
        ({"found_frac": float("nan")}, "nan% of the nuclei"),
        ({"right_frac": 0.5}, "50% of the macrophages were called right"),
        ({"within_frac": 0.26}, "0.260000 in the table and 0.250000 counted by hand"),
        ({"within_frac": float("nan")}, "nan in the table"),
    ],
)
def test_a_wrong_answer_stops(changed, said):
    assert judged(GOOD).verdict == "ok"
    finding = judged(Trial(**{**GOOD.__dict__, **changed}))
    assert finding.stops
    assert said in finding.found
    assert "macprox doctor --json" in finding.remedy


def test_an_analysis_that_breaks_off_stops(tmp_path, monkeypatch):
    ended = Answer({}, "ended by SIGILL", "Illegal instruction")
    monkeypatch.setattr(trial, "ask", lambda *_: ended)
    found = stopped_by("self-test", "--self-test", "--out", tmp_path)
    assert "broke off (ended by SIGILL): Illegal instruction" in found["found"]


def test_a_broken_numpy_is_a_finding_and_no_traceback(tmp_path):
    """All of it in a process of its own, in which numpy is there and cannot be imported."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "numpy.py").write_text("raise ImportError('libopenblas.so.0: no such file')")
    code = "import sys; sys.argv = ['macprox', 'doctor']; from macprox.cli import main; main()"
    places = [str(broken), *(path for path in sys.path if path)]
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        cwd=tmp_path, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert re.search(r"^problem +self-test .*(libopenblas|numpy)", ended.stdout, re.M)


def test_a_trial_is_compared_with_the_truth_by_hand():
    """Two nuclei of three found, one of two called right, one of two near the tumour."""
    cells = pd.DataFrame(
        {
            "x_um": [0.0, 100.0, 10.0],
            "y_um": [0.0, 0.0, 0.0],
            "phenotype": ["AM/TRM-like", "AM/TRM-like", "Tumour"],
            "has_nucleus": True,
            "in_window": True,
            "excluded": False,
        }
    )
    truth = pd.DataFrame(
        {
            "x_um": [0.5, 10.0, 50.0],
            "y_um": [0.0, 1.0, 0.0],
            "phenotype": ["AM/TRM-like", "AM/TRM-like", "AM/TRM-like"],
            "has_nucleus": True,
        }
    )
    row = {
        "statistic": "fraction_within", "source": "AM/TRM-like", "target": "Tumour",
        "region": "all", "correction": "none", "r_um": 20.0, "value": 0.25,
    }  # fmt: skip
    result = SimpleNamespace(cells=lambda: cells, statistics=lambda: pd.DataFrame([row]))
    found = compared(result, truth, 1.0)
    assert (found.n_cells, found.found_frac, found.right_frac) == (3, pytest.approx(2 / 3), 0.5)
    assert (found.within_frac, found.by_hand_frac) == (0.25, 0.5)


# --- the window's own probe


def test_the_probe_s_packages_are_those_of_the_readme():
    from napari_macprox.probe import LIBRARIES, XCB_LIBRARIES

    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    packages = readme.partition("<!-- command: debian -->")[2].partition("```\n")[0].split()
    named = {**LIBRARIES, **XCB_LIBRARIES}
    assert len(named) > 10
    assert set(named.values()) <= set(packages)


def test_the_probe_tells_each_step_and_goes_on(monkeypatch, capsys):
    from napari_macprox import probe

    def no_qt():
        raise ModuleNotFoundError("No module named 'qtpy'")

    monkeypatch.setattr(probe, "_binding", no_qt)
    monkeypatch.setattr(probe, "_loads", lambda library: library != "libEGL.so.1")
    monkeypatch.setattr(probe.sys, "platform", "linux")
    probe.main()
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["step"] for step in said] == ["libraries", "binding"]
    assert said[0]["missing"] == {"libEGL.so.1": "libegl1"}
    assert said[1]["error"] == "ModuleNotFoundError: No module named 'qtpy'"
    assert PYPROJECT["project"]["entry-points"]["macprox.doctor"] == {
        "napari": "napari_macprox.probe:main"
    }
