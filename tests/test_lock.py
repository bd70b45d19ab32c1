"""Two that write into one slide's folder take turns, and the second is told where it takes long."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from macprox.errors import ResultError
from macprox.io.lock import alone_in
from macprox.io.store import SlideFolder

HOLD = """
import sys, time
from pathlib import Path
from macprox.io.lock import alone_in
from macprox.io.store import SlideFolder

with alone_in(SlideFolder(Path(sys.argv[1]))):
    sys.stdout.write("mine\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path) -> SlideFolder:
    (tmp_path / "field").mkdir()
    return SlideFolder(tmp_path / "field")


def test_threads_take_turns(folder):
    inside, most = [0], []

    def work() -> None:
        for _ in range(20):
            with alone_in(folder):
                inside[0] += 1
                most.append(inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1


def test_another_process_is_waited_for_then_told_and_its_death_ends_the_lock(folder):
    command = [sys.executable, "-c", HOLD, folder.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with (
            pytest.raises(ResultError, match=r"written by another macprox.*try again when"),
            alone_in(folder, patience_s=0.1),
        ):
            pytest.fail("two at once")
        other.kill()
    with alone_in(folder, patience_s=0.1):
        pass


def test_where_nothing_can_be_written_there_is_nothing_to_wait_for(tmp_path):
    gone = SlideFolder(tmp_path / "gone")
    with alone_in(gone):
        assert not gone.path.exists()
