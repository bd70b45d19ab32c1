"""Slides on a web server: what a folder gives, a server gives; what it does not, is a sentence."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

import macprox as mp
import slide_files
import small_runs
from macprox.cli import SOME_FAILED, USER_ERROR
from macprox.errors import SlideError
from macprox.io import web
from macprox.io.http_store import HttpStore
from macprox.io.images import find_slides, inspect_slide, open_slide, unique_slide_ids
from macprox.review.slides.notices import folder_notices
from macprox.slide import Url
from small_runs import macprox


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on the loopback; can be told to misbehave."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        self.errors: dict[str, list[int]] = {}  # by path: what it answers first
        self.gives_parts = False
        self.n_left: int | None = None  # answers before it dies
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.n_left is not None:
            self.server.n_left -= 1
            if self.server.n_left < 0:
                self.close_connection = True
                return
        codes = self.server.errors.get(self.path)
        if codes:
            code = codes.pop(0)
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
        elif self.server.gives_parts and "Range" in self.headers:
            self._give_part(self.headers["Range"].removeprefix("bytes="))
        else:
            super().do_GET()

    def _give_part(self, asked: str) -> None:
        data = Path(self.translate_path(self.path)).read_bytes()
        first, last = asked.split("-")
        part = data[int(first) : int(last) + 1 if last else None] if first else data[-int(last) :]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    server = Server(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(web, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    (tmp_path / "www").mkdir()
    with serving(tmp_path / "www") as server:
        yield server


@pytest.fixture
def root(tmp_path, server) -> Path:
    return tmp_path / "www"


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return small_runs.tissue(256)


@pytest.fixture
def study(tmp_path) -> Path:
    return small_runs.write_study(tmp_path / "study.toml")


def run(slide: object, study: Path, out: Path):
    with small_runs.without_reports():
        return macprox("run", slide, "-s", study, "-o", out, "--quiet", "--tile", 512)


# --- the same


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_run_over_http_gives_the_bytes_of_a_run_on_the_folder(
    tissue, study, root, server, tmp_path, version
):
    path = slide_files.write_ome_zarr(
        root / "field.ome.zarr", tissue, version, small_runs.CHANNELS, levels=2, chunk=128
    )
    here = run(path, study, tmp_path / "here")
    assert (here.code, server.asked) == (0, [])
    there = run(f"{server.url}/field.ome.zarr/", study, tmp_path / "there")
    assert there.code == 0, there.err
    results = [
        mp.open_result(tmp_path / out / "slides" / "field").path for out in ("here", "there")
    ]
    for name in ("cells.parquet", "statistics.parquet", "gates.parquet", "regions.geojson"):
        assert (results[0] / name).read_bytes() == (results[1] / name).read_bytes()
    manifest = mp.open_result(results[1]).manifest
    assert manifest["source"]["path"] == f"{server.url}/field.ome.zarr"
    assert manifest["counts"]["cells"] > 50
    n_asked = len(server.asked)
    assert run(f"{server.url}/field.ome.zarr", study, tmp_path / "there").code == 0
    again = server.asked[n_asked:]
    assert not any("/0/0" in path or "/c/" in path for path in again)  # no pixel


def test_a_slide_over_http_is_inspected_and_read(root, server):
    image = slide_files.pixels()
    slide_files.write_ome_zarr(root / "my slide.ome.zarr", image, levels=2)
    url = f"{server.url}/my%20slide.ome.zarr"
    slide = mp.open_slide(url)
    assert (slide.slide_id, slide.channels, slide.shape) == (
        "my_slide",
        slide_files.NAMES,
        (150, 220),
    )
    assert np.array_equal(
        slide.read("panCK", slice(3, 140), slice(60, 200)), image[1, 3:140, 60:200]
    )
    ended = macprox("inspect", url, "--json")
    (facts,) = json.loads(ended.out)
    assert (facts["path"], facts["megabytes"], facts["problems"]) == (url, None, [])
    assert macprox("init", url, "-o", root / "study.toml").code == 0
    assert not any(path.endswith("/") for path in server.asked)  # no listing is asked for


@pytest.mark.parametrize("gives_parts", [True, False])
def test_shards_are_read_in_parts_or_whole(root, server, gives_parts):
    image = slide_files.pixels()[:, :128, :128]
    path = slide_files.write_ome_zarr(root / "a.ome.zarr", image)
    group = zarr.open_group(str(path), mode="r+")
    del group["0"]
    array = group.create_array(
        "0", shape=image.shape, shards=(1, 128, 128), chunks=(1, 64, 64), dtype=image.dtype
    )
    array[...] = image
    server.gives_parts = gives_parts
    slide = open_slide(f"{server.url}/a.ome.zarr")
    assert np.array_equal(slide.read(2, slice(60, 100), slice(70, 128)), image[2, 60:100, 70:128])


def test_the_first_image_of_a_bioformats_layout_is_read_over_http(root, server):
    image = slide_files.pixels()
    zarr.open_group(str(root / "a.zarr"), mode="w", zarr_format=2).attrs.update(
        {"bioformats2raw.layout": 3}
    )
    slide_files.write_ome_zarr(root / "a.zarr" / "0", image, "0.4")
    slide = open_slide(f"{server.url}/a.zarr")
    assert slide.slide_id == "a"
    assert np.array_equal(slide.read(0, slice(0, 9), slice(0, 9)), image[0, :9, :9])


def test_a_chunk_that_the_server_does_not_have_is_empty(root, server):
    path = slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    (path / "0" / "c" / "1" / "0" / "0").unlink()
    pixels = open_slide(f"{server.url}/a.ome.zarr").read(1, slice(0, 64), slice(0, 128))
    assert not pixels[:, :64].any()
    assert pixels[:, 64:].any()


def test_the_fingerprint_is_that_of_the_metadata_documents(root, server):
    path = slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    url = f"{server.url}/a.ome.zarr"
    first = open_slide(url).fingerprint
    assert open_slide(url).fingerprint == first
    slide_files.edit_zarr_attributes(path, lambda ome: ome["omero"]["channels"].reverse())
    assert open_slide(url).fingerprint != first


# --- names


def test_addresses_are_slides_without_being_looked_at(root, server):
    slide_files.write_ome_zarr(root / "b.ome.zarr", slide_files.pixels())
    urls = [f"{server.url}/x/1.ome.zarr", f"{server.url}/y/1.ome.zarr"]
    found = find_slides([*urls, root, urls[0] + "/"])
    assert found == [root / "b.ome.zarr", *map(Url, urls)]
    assert unique_slide_ids(found) == ["b", "x_1", "y_1"]
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "http:///a.zarr",
        "https://me:secret@host/a.zarr",
        "https://host/a.zarr?token=1",
        "https://host/a.zarr#b",
        "http://host:port/a.zarr",
        "http://[::1/a.zarr",
    ],
)
def test_what_is_no_address_of_a_slide_is_refused(address):
    with pytest.raises(SlideError, match="is not the address of a slide; expected https://host"):
        open_slide(address)


def test_a_url_answers_like_a_path():
    url = Url("https://host.org/a%20b/c.ome.zarr/")
    assert str(url) == "https://host.org/a%20b/c.ome.zarr"
    assert (url.name, url.parent.name, str(url / "0/zarr.json")) == (
        "c.ome.zarr", "a b", "https://host.org/a%20b/c.ome.zarr/0/zarr.json",
    )  # fmt: skip
    assert str(Url("https://host/größe 1.zarr")) == "https://host/gr%C3%B6%C3%9Fe%201.zarr"
    assert str(url / "what?#%") == f"{url}/what%3F%23%25"
    assert Url("https://host.org").name == "host.org" == Url("https://host.org").parent.name


# --- refused


def test_a_server_that_is_not_there_is_a_sentence(study, tmp_path):
    with serving(tmp_path) as server:
        url = f"{server.url}/a.ome.zarr"
    ended = macprox("inspect", url)
    assert ended.code == USER_ERROR
    assert f"'{url}/zarr.json' cannot be reached" in ended.err
    assert ended.err.count("\n") == 1
    ended = run(url, study, tmp_path / "out")
    assert ended.code == SOME_FAILED
    assert "bug" not in ended.err


def test_an_address_without_a_slide_is_a_sentence(root, server):
    (root / "a.tif").write_bytes(b"II")
    with pytest.raises(SlideError, match=r"No OME-Zarr at 'http://\S+/none\.ome\.zarr'"):
        open_slide(f"{server.url}/none.ome.zarr")
    with pytest.raises(SlideError, match="is a TIFF; from a web server only OME-Zarr is read"):
        open_slide(f"{server.url}/a.tif")
    zarr.open_group(str(root / "bare.zarr"), mode="w")
    with pytest.raises(SlideError, match=r"'bare\.zarr' is zarr, not an OME-Zarr image"):
        open_slide(f"{server.url}/bare.zarr")


def test_a_server_that_refuses_or_points_elsewhere_is_a_sentence(root, server):
    slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    server.errors = {"/a.ome.zarr/zarr.json": [403, 302]}
    with pytest.raises(SlideError, match=r"answers HTTP 403 \(Forbidden\)"):
        open_slide(f"{server.url}/a.ome.zarr")
    with pytest.raises(SlideError, match=r"has moved to 'http://127\.0\.0\.1:1/elsewhere'"):
        open_slide(f"{server.url}/a.ome.zarr")
    assert open_slide(f"{server.url}/a.ome.zarr").shape == (150, 220)


def test_a_busy_server_is_asked_again_but_not_for_ever(root, server):
    slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    server.errors = {"/a.ome.zarr/zarr.json": [503, 503]}
    assert open_slide(f"{server.url}/a.ome.zarr").shape == (150, 220)
    server.errors = {"/a.ome.zarr/zarr.json": [503, 503, 503]}
    with pytest.raises(SlideError, match=r"cannot be reached \(HTTP 503: Service Unavailable\)"):
        open_slide(f"{server.url}/a.ome.zarr")


def test_a_document_without_end_is_not_read(root, server, monkeypatch):
    slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    with pytest.raises(SlideError, match="is longer than 100 bytes"):
        web.fetch(Url(f"{server.url}/a.ome.zarr/zarr.json"), 100)
    monkeypatch.setattr("macprox.io.http_store.MAX_CHUNK_BYTES", 10)
    with pytest.raises(SlideError, match="is longer than 10 bytes"):
        open_slide(f"{server.url}/a.ome.zarr").read(0, slice(0, 9), slice(0, 9))


def test_an_answer_that_breaks_off_is_not_taken_for_whole(root, server, monkeypatch):
    slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    send = Handler.send_header

    def promise_more(handler, name, value):
        send(handler, name, str(int(value) + 5) if name == "Content-Length" else value)

    monkeypatch.setattr(Handler, "send_header", promise_more)
    with pytest.raises(SlideError, match=r"cannot be reached \(the connection ended after \d+ of"):
        open_slide(f"{server.url}/a.ome.zarr")


def test_a_server_that_dies_in_mid_run_is_a_sentence(tissue, study, root, server, tmp_path):
    slide_files.write_ome_zarr(root / "field.ome.zarr", tissue, names=small_runs.CHANNELS)
    url = f"{server.url}/field.ome.zarr"
    server.n_left = 40
    ended = run(url, study, tmp_path / "out")
    assert ended.code == SOME_FAILED
    assert "cannot be reached" in ended.err
    assert "bug" not in ended.err
    assert "--allow-damaged" not in ended.err  # a server that is away has damaged nothing
    ended = macprox("run", url, "-s", study, "-o", tmp_path / "out", "-q", "--allow-damaged")
    assert (ended.code, "cannot be reached" in ended.err) == (SOME_FAILED, True)
    server.n_left = None
    assert run(url, study, tmp_path / "out").code == 0


def test_a_level_that_was_taken_off_the_server_is_a_sentence(root, server):
    path = slide_files.write_ome_zarr(root / "gone.ome.zarr", slide_files.pixels())
    slide = open_slide(f"{server.url}/gone.ome.zarr")
    (path / "0" / "zarr.json").unlink()
    with pytest.raises(SlideError, match=r"Level '0' is gone from http://\S+/gone\.ome\.zarr"):
        slide.read(0, slice(0, 9), slice(0, 9))


def test_a_damaged_chunk_over_http_is_damage(root, server):
    path = slide_files.write_ome_zarr(root / "a.ome.zarr", slide_files.pixels())
    (path / "0" / "c" / "1" / "0" / "2").write_bytes(b"no chunk")
    slide = open_slide(f"{server.url}/a.ome.zarr")
    with pytest.raises(SlideError, match=r"channel 'panCK', chunk row 0, column 2 .* not decode"):
        slide.read(1, slice(0, 64), slice(0, 220))


def test_a_store_on_a_server_is_read_only_and_has_no_listing(server):
    store = HttpStore(Url(server.url))
    with pytest.raises(ValueError, match="read-only"):
        zarr.create_array(store, shape=(2,), dtype="u1")
    with pytest.raises(NotImplementedError, match="does not list"):
        store.list_dir("")
    assert store == HttpStore(Url(server.url + "/")) != HttpStore(Url(server.url + "/a"))


# --- results


def test_a_result_whose_server_is_away_opens_with_a_notice(tissue, study, root, server, tmp_path):
    slide_files.write_ome_zarr(root / "field.ome.zarr", tissue, names=small_runs.CHANNELS)
    assert run(f"{server.url}/field.ome.zarr", study, tmp_path / "out").code == 0
    folder = tmp_path / "out" / "slides" / "field"
    assert not [notice for notice in folder_notices(folder) if notice.about == "image"]
    server.n_left = 0
    (notice,) = (notice for notice in folder_notices(folder) if notice.about == "image")
    assert "cannot be reached" in notice.text
    ended = macprox("update", tmp_path / "out", "--quiet")
    assert ended.code == 0, ended.err
    with pytest.raises(SlideError, match="cannot be reached"):
        inspect_slide(f"{server.url}/field.ome.zarr")
