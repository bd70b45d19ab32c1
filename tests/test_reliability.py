"""Kills, lost workers, a lost scheduler, a full disk: the same command ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import small_runs
from small_runs import macprox

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")

# What tells when and how long, or who was here: everything else is the same for ever.
OF_THE_MOMENT = {"manifest.json", "report.html", ".lock", "error.txt"}
COMMAND = [
    sys.executable, "-c",
    "import small_runs; from macprox import cli\nwith small_runs.without_reports(): cli.main()",
]  # fmt: skip


@pytest.fixture(scope="module")
def slides(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    small_runs.write_slide(folder / "big.ome.tif", small_runs.tissue(1060)[:, :540])
    small_runs.write_slide(folder / "small.ome.tif", small_runs.tissue(300))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return small_runs.write_study(tmp_path_factory.mktemp("study") / "study.toml")


def arguments(slides: Path, study: Path, out: Path, *options: str) -> list[str]:
    return [
        "run", str(slides), "-s", str(study), "-o", str(out), "--quiet", "--tile", "512", *options,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def expected(slides, study, tmp_path_factory) -> dict[str, bytes]:
    """What a run leaves that nothing disturbed."""
    out = tmp_path_factory.mktemp("undisturbed")
    with small_runs.without_reports():
        assert macprox(*arguments(slides, study, out)).code == 0
    return left_in(out)


def left_in(out: Path) -> dict[str, bytes]:
    """The lasting files of a result folder; there must be none that is temporary."""
    files = [path for path in (out / "slides").rglob("*") if path.is_file()]
    assert not [path for path in files if ".tmp" in path.name]
    kept = [path for path in files if path.name not in OF_THE_MOMENT]
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


def assert_same_bytes(out: Path, expected: dict[str, bytes]) -> None:
    found = left_in(out)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def started(*options: str) -> subprocess.Popen:
    """A command in a process of its own, without figures."""
    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    return subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip


def until(what, process: subprocess.Popen, patience_s: float = 120) -> None:
    """Wait for something to be there while a process works."""
    end = time.monotonic() + patience_s
    while not what():
        assert process.poll() is None, f"it ended before: {process.communicate()[1]}"
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def stages_done(out: Path) -> dict[tuple[str, str], dict]:
    """What the manifests say is finished, by slide and stage."""
    found = {}
    for path in (out / "slides").glob("*/manifest.json"):
        for name, facts in json.loads(path.read_text())["stages"].items():
            found[path.parent.name, name] = facts
    return found


@pytest.mark.parametrize(
    "moment", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(20))]
)
def test_killed_at_a_random_moment_the_same_command_finishes_with_the_same_bytes(
    slides, study, expected, tmp_path, moment
):
    rng = random.Random(moment)
    command = arguments(slides, study, tmp_path / "out")
    running = started(*command)
    until((tmp_path / "out" / "log.jsonl").exists, running)
    time.sleep(rng.uniform(0.0, 4.0))
    running.kill()
    running.communicate()
    done = stages_done(tmp_path / "out")
    with small_runs.without_reports():
        ended = macprox(*command)
    assert ended.code == 0, ended.err
    assert_same_bytes(tmp_path / "out", expected)
    after = stages_done(tmp_path / "out")
    assert {key: after[key] for key in done} == done  # what was finished was not done again


# --- a full disk


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of so many kilobytes."""
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", place], capture_output=True
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
@pytest.mark.parametrize(
    "kilobytes",
    [900, *(pytest.param(n, marks=pytest.mark.slow) for n in (40, 300, 600, 1300, 1800))],
)
def test_a_disk_that_is_full_is_one_line_and_with_more_room_the_results_are_whole(
    slides, study, expected, tmp_path, kilobytes
):
    with small_disk(tmp_path / "disk", kilobytes) as disk, small_runs.without_reports():
        command = arguments(slides, study, disk / "out")
        ended = macprox(*command)
        assert ended.code != 0
        assert "No space left on device" in ended.err
        assert "unexpected" not in ended.err
        for folder in (disk / "out" / "slides").glob("*"):
            assert "analysis" not in small_runs.stages(folder)  # nothing half passes for whole
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        ended = macprox(*command)
        assert ended.code == 0, ended.err
        assert_same_bytes(disk / "out", expected)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_read_only_disk_is_one_line_and_what_is_on_it_can_be_looked_at(slides, study, tmp_path):
    with small_disk(tmp_path / "disk", 100_000) as disk, small_runs.without_reports():
        one = slides / "small.ome.tif"
        assert macprox(*arguments(one, study, disk / "out")).code == 0
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert macprox("status", disk / "out").out.startswith("1 slide: 1 finished.")
        for out, code in ((disk / "other", 2), (disk / "out", 1)):
            ended = macprox(*arguments(slides, study, out))
            assert ended.code == code
            assert "Read-only file system" in ended.err
            assert "unexpected" not in ended.err


# --- a cluster


class Cluster:
    """A real scheduler and two worker processes, on the loopback interface."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        self._wait_for_the_scheduler()
        self.workers = [
            self._dask("worker", self.address, "--nthreads", "1", "--no-nanny") for _ in range(2)
        ]

    def _dask(self, what: str, *options: str) -> subprocess.Popen:
        module = f"distributed.cli.dask_{what}"
        return subprocess.Popen(
            [sys.executable, "-m", module, *options, "--no-dashboard"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _wait_for_the_scheduler(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        pytest.fail("the scheduler does not answer")

    def end(self) -> None:
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="needs the cluster extra")
    made = Cluster()
    yield made
    made.end()


def in_the_middle_of(out: Path, slide_id: str):
    """Whether some tiles of a slide are done, and others not."""
    work = out / "slides" / slide_id / "work"
    return lambda: 2 <= len([p for p in work.glob("tiles-*/*.npz") if p.stem.isdigit()]) < 6


@pytest.mark.slow
def test_a_worker_killed_in_mid_slide_costs_nothing(slides, study, expected, tmp_path, cluster):
    running = started(*arguments(slides, study, tmp_path / "out", "--scheduler", cluster.address))
    until(in_the_middle_of(tmp_path / "out", "big"), running)
    cluster.workers[0].kill()
    _, err = running.communicate(timeout=240)
    assert running.returncode == 0, err
    assert err == ""
    assert_same_bytes(tmp_path / "out", expected)


@pytest.mark.slow
def test_a_scheduler_killed_in_mid_slide_is_one_line_and_the_run_goes_on_without(
    slides, study, expected, tmp_path, cluster
):
    command = arguments(slides, study, tmp_path / "out", "--scheduler", cluster.address)
    running = started(*command)
    until(in_the_middle_of(tmp_path / "out", "big"), running)
    cluster.scheduler.kill()
    _, err = running.communicate(timeout=240)
    assert running.returncode == 1
    said = err.splitlines()
    assert said[0] == "macprox: 2 of 2 slides failed:"
    assert f"  big: The dask scheduler at {cluster.address} is gone; start it again" in said[1]
    assert said[2:] == ["  small: not begun, as the run ended with big"]
    with small_runs.without_reports():
        ended = macprox(*command[:-2])
    assert ended.code == 0, ended.err
    assert_same_bytes(tmp_path / "out", expected)


@pytest.mark.slow
def test_worker_processes_of_our_own_leave_the_same_bytes(slides, study, expected, tmp_path):
    pytest.importorskip("distributed", reason="needs the cluster extra")
    running = started(*arguments(slides, study, tmp_path / "out", "--processes", "--workers", "2"))
    _, err = running.communicate(timeout=240)
    assert (running.returncode, err) == (0, "")
    assert_same_bytes(tmp_path / "out", expected)
