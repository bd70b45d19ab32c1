"""Names and files from elsewhere: nothing in them is run, obeyed or believed too far."""

from __future__ import annotations

import csv
import json
import pickle
import re
import subprocess
import sys
import textwrap
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile
from tifffile import TiffFile

import macprox as mp
import slide_files
import small_runs
from macprox.edits import EditLog, SignedOff
from macprox.errors import ResultError, SlideError, StudyError, TableError
from macprox.io.arrays import read_arrays
from macprox.io.image_description import distinct_names
from macprox.io.images import inspect_slide
from macprox.io.label_file import open_label_file
from macprox.io.masks import read_mask
from macprox.io.samples import read_samples
from macprox.io.store import slide_folder
from macprox.io.tables import read_cells
from macprox.printable import MAX_NAME_LENGTH, printable, visible
from macprox.segment import SegmentationParameters
from macprox.segment.learned import segmenter
from test_report import CHROMIUM, CHROMIUM_ARGS

FORMULA = "=cmd()"
SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=http://evil.example/x onerror=alert(2)>"
SHELL = '"; rm -rf ~ $(touch PWNED)'
PATH = "../../x"
MARKUP = "[bold]red[/bold]"
TERMINAL = "\x9b31m\u202eCD3"  # what XML allows of them
LONG = "L" * 10_000
CHANNELS = ("DAPI", FORMULA, SCRIPT, SHELL, PATH, MARKUP, TERMINAL, LONG)
FILE_NAME = f"{FORMULA}{IMAGE}{SHELL}{MARKUP}\x1b[31m\n.ome.tif".replace("/", "")

STUDY = f"""
[image]
nucleus = "DAPI"
[segmentation.macrophages]
channels = ["{SCRIPT}"]
[markers."{FORMULA}"]
gate = 300
[markers."{SCRIPT}"]
gate = 300
[markers.'{SHELL}']
[phenotypes]
"{FORMULA}" = "'{FORMULA}'+ '{SCRIPT}'- in:tumour"
"{SCRIPT}" = "'{SCRIPT}'+ '{FORMULA}'-"
'{SHELL}' = "'{PATH}'+ '{SCRIPT}'- '{FORMULA}'-"
"{PATH}" = "'{MARKUP}'+ '{SCRIPT}'- '{FORMULA}'- otherwise"
[proximity]
tumour = "{FORMULA}"
macrophages = ["{SCRIPT}"]
n_permutations = 19
[regions]
exclusions = "exclusions.geojson"
[cohort]
samples = "samples.csv"
"""


def hostile_exclusions(path: Path) -> None:
    corner = [[0, 0], [60, 0], [60, 60], [0, 60], [0, 0]]
    properties = {"objectType": "annotation", "name": f"{IMAGE}{SCRIPT}\x1b[31m{LONG}"}
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [corner]}}
    path.write_text(json.dumps({**feature, "properties": properties}), encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A study and a slide whose every name is an attack, through the commands; with figures."""
    folder = tmp_path_factory.mktemp("hostile")
    tissue = small_runs.tissue(400)
    image = np.concatenate([tissue, np.broadcast_to(tissue[:1], (5, *tissue.shape[1:]))])
    slide = small_runs.write_slide(folder / "slides" / FILE_NAME, image, CHANNELS)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    hostile_exclusions(folder / "exclusions.geojson")
    slide_id = mp.open_slide(slide).slide_id
    with (folder / "samples.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("slide_id", "patient", "group", FORMULA), (slide_id, IMAGE, SCRIPT, "\x1b[31m")]
        )
    out = folder / "results"
    reviewed = slide_folder(out, slide_id)
    reviewed.path.mkdir(parents=True)
    EditLog(reviewed.edits).append(
        SignedOff(slide_id=slide_id, reviewer=SCRIPT, time="2026-01-01T00:00:00+00:00",
                  comment=f"{IMAGE}\x1b[31m{LONG}")
    )  # fmt: skip
    run = ("run", slide, "--study", folder / "study.toml", "--out", out)
    said = [
        small_runs.macprox("inspect", slide),
        small_runs.macprox("init", slide, "-o", folder / f"{SHELL.replace('/', '')}.toml"),
    ]
    with small_runs.without_reports():
        said += [small_runs.macprox(*run), small_runs.macprox(*run, "--json")]
    result = out / "slides" / slide_id
    said += [
        small_runs.macprox("sensitivity", out, "--no-pixels", "--quiet"),  # and the report
        small_runs.macprox("export", result, "--to", "csv"),
        small_runs.macprox("export", result, "--to", "geojson"),
    ]
    assert [ended.code for ended in said] == [0] * len(said), [ended.err for ended in said]
    return SimpleNamespace(folder=folder, out=out, said=said, slide_id=slide_id)


def files(hostile, *suffixes: str) -> list[Path]:
    found = [path for path in hostile.out.rglob("*") if path.suffix in suffixes]
    assert found  # control
    return found


# --- what a hostile run leaves behind


def test_no_name_becomes_a_path_or_is_run(hostile):
    assert not list(hostile.folder.rglob("PWNED"))
    assert not Path("PWNED").exists()
    assert not list(hostile.folder.parent.glob("x*"))
    inside = {path.name for path in hostile.folder.iterdir()}
    assert {"slides", "study.toml", "exclusions.geojson", "samples.csv", "results"} <= inside
    assert len(inside) == 6  # and the study of `init`
    for path in hostile.out.rglob("*"):
        assert re.fullmatch(r"[\w.-]+", path.name), path.name


def test_the_terminal_is_told_nothing(hostile):
    for ended in hostile.said:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", ended.out + ended.err)
        assert len(max(ended.out.splitlines(), key=len, default="")) < 5000
    assert json.loads(hostile.said[3].out)[0]["slide_id"] == hostile.slide_id
    assert "cannot be printed" in hostile.said[0].out


def test_a_line_to_paste_is_quoted(hostile):
    import shlex

    (line,) = [one for one in hostile.said[1].out.splitlines() if one.startswith("  macprox run")]
    # The slide's name holds an escape and a line end, shown as such; what remains is one word.
    words = shlex.split(hostile.said[1].out.partition("then:\n")[2])
    assert words[:2] == ["macprox", "run"]
    assert words[3] == "--study"
    assert len(words) == 7
    assert "touch" in line


class _Page(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_pages_hold_the_names_as_text(hostile):
    pages = files(hostile, ".html")
    assert {page.name for page in pages} == {"report.html", "index.html"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "&lt;script&gt;" in text  # control: the name is there
        parser = _Page()
        parser.feed(text)
        for tag, attributes in parser.tags:
            assert tag not in {"script", "iframe", "object", "embed", "base", "form", "link-"}
            for name, value in attributes.items():
                assert not name.startswith("on"), (tag, name)
                if name in {"src", "href", "xlink:href"}:
                    is_inner = re.match(r"(data:|#|slides/[\w.-]+/report\.html$)", value or "")
                    assert is_inner, (tag, value)
        policies = [a["content"] for t, a in parser.tags if t == "meta" and "http-equiv" in a]
        assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_figures_are_sound_xml_without_scripts(hostile):
    for path in files(hostile, ".svg"):
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert "script" not in tags
        assert "text" in tags or "path" in tags


def test_no_spreadsheet_runs_a_cell(hostile):
    tables = files(hostile, ".csv")
    assert {"cells.csv", "statistics.csv", "sensitivity.csv"} <= {path.name for path in tables}
    n_texts = 0
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                for cell in row:
                    if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
                        float(cell)  # a negative number
                    n_texts += cell == f"'{FORMULA}"
    assert n_texts > 0  # control


def test_json_and_toml_hold_the_names_whole(hostile):
    for path in files(hostile, ".json", ".geojson"):
        json.loads(path.read_text(encoding="utf-8"))
    study = tomllib.loads((hostile.out / "study.toml").read_text(encoding="utf-8"))
    assert {FORMULA, SCRIPT, SHELL, PATH} == set(study["phenotypes"])


def listen(view, complaints: list[str]) -> None:
    """Note whatever a page says by itself."""
    view.on("console", lambda message: complaints.append(message.text))
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_executes_and_fetches_nothing(hostile):
    from playwright.sync_api import sync_playwright

    complaints, requests, widths = [], [], []
    pages = files(hostile, ".html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        view = browser.new_page(viewport={"width": 1200, "height": 900})
        listen(view, complaints)
        view.on("request", lambda request: requests.append(request.url))
        for page in pages:
            view.goto(page.as_uri())
            view.wait_for_load_state("networkidle")
            widths.append(view.evaluate("document.documentElement.scrollWidth"))
            assert SCRIPT in view.inner_text("main")
            assert view.locator(".light, .light-cell").first.bounding_box()["y"] < 600
        assert complaints == []
        assert [url for url in requests if not url.startswith("data:")] == [
            page.as_uri() for page in pages
        ]
        assert max(widths) <= 1200  # ten thousand letters push nothing off the page
        # Control: these listeners hear a script, and the page's own policy stops one.
        bare = browser.new_page()
        listen(bare, complaints)
        bare.set_content(SCRIPT)
        assert complaints.pop() == "1"
        view.evaluate("document.body.innerHTML += '<img src=x onerror=alert(2)>'")
        view.wait_for_timeout(100)
        assert complaints
        assert all("Content Security Policy" in said for said in complaints)
        browser.close()


# --- names


def test_channel_names_lose_what_a_terminal_obeys_and_are_cut():
    names = distinct_names(("\x1b[31mCD68", "CD3\r\nfake", "\u202eCD4", LONG, "\x07"))
    assert names[:3] == ("[31mCD68", "CD3 fake", "CD4")
    assert len(names[3]) == MAX_NAME_LENGTH
    assert names[4] == "Channel 4"
    assert printable("AM/TRM-like µ β") == "AM/TRM-like µ β"
    assert visible('{"a": "\x9b"}\n') == '{"a": "\\u009b"}\n'
    assert json.loads(visible('{"a": "\x9b"}')) == {"a": "\x9b"}


@pytest.mark.parametrize(
    ("name", "said"),
    [("\x1b[31m", "signs that cannot be printed"), (LONG, "10,000 letters; expected 100 at most")],
)
def test_a_study_with_names_that_cannot_be_shown_is_refused(name, said):
    quoted = json.dumps(name)
    text = small_runs.STUDY.replace('"Normal epithelium"', quoted)
    with pytest.raises(StudyError, match=said) as caught:
        mp.Study.from_text(text)
    assert len(str(caught.value)) < 300
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("../../x,P1", "which is a path"),
        ("..,P1", "which is a path"),
        ("a\\b,P1", "which is a path"),
        ('S1,"P\n1"', "cannot be printed"),
        (f"S1,{LONG}", "10,000 letters"),
    ],
)
def test_a_sample_sheet_with_such_names_is_refused(tmp_path, row, said):
    path = tmp_path / "samples.csv"
    path.write_text(f"slide_id,patient\n{row}\n", encoding="utf-8")
    with pytest.raises(TableError, match=said):
        read_samples(path)


# --- pickles


class Attack:
    """Writes a file when somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def attack(tmp_path):
    """A pickle that leaves a trace; none may be there at the end."""
    trace = tmp_path / "run.txt"
    data = pickle.dumps(Attack(trace))
    pickle.loads(data)  # noqa: S301 - the attack itself
    assert trace.exists()  # control
    trace.unlink()
    yield data
    assert not trace.exists()


def save_objects(path: Path, trace: Path) -> None:
    """An array of objects, which numpy saves as a pickle."""
    objects = np.array([Attack(trace)], dtype=object)
    if path.suffix == ".npz":
        np.savez(path, **{"0": objects})
    else:
        np.save(path, objects, allow_pickle=True)


def annotated(folder: Path, kind: str) -> Path:
    """AnnData with two cells, on disk."""
    anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
    from macprox.exports.anndata import writing

    names = pd.Index(["c1", "c2"], dtype=object)
    obs = pd.DataFrame({"phenotype": pd.Categorical(["Mac", "Tumour"])}, index=names)
    made = anndata.AnnData(obs=obs, obsm={"spatial": np.eye(2)})
    made.uns["macprox"] = {"spatial_unit": "um"}
    path = folder / f"cells.{kind}"
    with writing():
        made.write_h5ad(path) if kind == "h5ad" else made.write_zarr(path)
    return path


@pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")
def test_anndata_with_a_pickle_is_refused_and_not_run(tmp_path, attack):
    path = annotated(tmp_path, "h5ad")
    import h5py

    assert len(read_cells(path)) == 2  # control
    with h5py.File(path, "a") as file:
        del file["obsm/spatial"]
        pickled = file["obsm"].create_dataset("spatial", data=np.void(attack))
        pickled.attrs["encoding-type"] = "pickle"
    with pytest.raises(TableError, match=r"no AnnData .* that can be read"):
        read_cells(path)

    store = annotated(tmp_path, "zarr")
    assert len(read_cells(store)) == 2  # control
    about = store / "obsm" / "spatial" / "zarr.json"
    said = json.loads(about.read_text()) | {"codecs": [{"name": "numcodecs.pickle"}]}
    about.write_text(json.dumps(said))
    (about.parent / "c" / "0" / "0").write_bytes(attack)
    group = json.loads((store / "zarr.json").read_text())
    (store / "zarr.json").write_text(json.dumps({**group, "consolidated_metadata": None}))
    with pytest.raises(TableError, match=r"no AnnData .* that can be read"):
        read_cells(store)


@pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")
def test_positions_of_an_endless_store_are_not_read(tmp_path):
    path = annotated(tmp_path, "h5ad")
    import h5py

    with h5py.File(path, "a") as file:
        del file["obsm/spatial"]
        file["obsm"].create_dataset("spatial", shape=(10**12, 2), dtype="f8", chunks=(1000, 2))
    assert path.stat().st_size < 100_000  # control: 16 TB, it says
    with pytest.raises(TableError, match=r"has length \(1000000000000,\), expected 2 rows"):
        read_cells(path)


def test_arrays_with_objects_are_refused(tmp_path, attack):
    path = tmp_path / "sample.npz"
    save_objects(path, tmp_path / "run.txt")
    with pytest.raises(ResultError, match=r"sample.npz is damaged or not from macprox \(Object"):
        read_arrays(path)
    path.write_bytes(attack)
    with pytest.raises(ResultError, match="damaged or not from macprox"):
        read_arrays(path)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ResultError, match="damaged or not from macprox"):
        read_arrays(path)


def test_a_results_folder_from_elsewhere_runs_nothing(small_copy, attack, tmp_path):
    save_objects(small_copy.folder.sample, tmp_path / "run.txt")
    drawings = small_copy.folder.drawings
    drawings.mkdir(exist_ok=True)
    save_objects(drawings / "000000.npz", tmp_path / "run.txt")
    ended = small_runs.macprox("update", small_copy.path.parents[1], "--quiet")
    assert ended.code == 1
    assert "damaged or not from macprox" in ended.err
    assert "bug" not in ended.err


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".tif"])
def test_a_pickled_label_file_is_refused(tmp_path, attack, suffix):
    path = tmp_path / f"labels{suffix}"
    if suffix == ".tif":
        path.write_bytes(attack)
    else:
        save_objects(path, tmp_path / "run.txt")
    with pytest.raises(SlideError, match="is not a TIFF file"):
        open_label_file(path, "nuclei")


@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_a_zarr_image_of_pickles_is_refused(tmp_path, attack, place):
    image = tmp_path / "a.zarr"
    (image / "0").mkdir(parents=True)
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    about = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}]}
    codec = {"id": "pickle", "protocol": 5}
    array = {
        "zarr_format": 2, "shape": [64, 64], "chunks": [64, 64], "dtype": "<u2", "fill_value": 0,
        "order": "C", "compressor": None, "filters": None,
        place: codec if place == "compressor" else [codec],
    }  # fmt: skip
    (image / ".zgroup").write_text('{"zarr_format": 2}')
    (image / ".zattrs").write_text(json.dumps(about))
    (image / "0" / ".zarray").write_text(json.dumps(array))
    (image / "0" / "0.0").write_bytes(attack)
    with pytest.raises(SlideError, match=r"a.zarr|data type"):
        mp.open_slide(image).read(0, slice(0, 8), slice(0, 8))


def test_pickled_weights_are_refused_before_a_package_loads_them(tmp_path, attack):
    weights = tmp_path / "own"
    weights.write_bytes(attack)

    def load(path, map_location, weights_only=False):  # torch's, as far as it matters here
        if weights_only:
            raise pickle.UnpicklingError("Weights only load failed")
        return pickle.loads(Path(path).read_bytes())  # noqa: S301 - as old loaders do

    def model(pretrained_model, **_):
        return load(pretrained_model, "cpu")

    packages = {
        "torch": SimpleNamespace(load=load, cuda=SimpleNamespace(is_available=lambda: False)),
        "cellpose.models": SimpleNamespace(CellposeModel=model),
    }
    parameters = SegmentationParameters(method="cellpose", model=str(weights))
    where = "macprox.segment.backends.cellpose."
    with (
        patch(where + "import_package", lambda name, method: packages[name]),
        patch(where + "version", lambda name: "4.0.1"),
        pytest.raises(StudyError, match="does not load as weights of 'cellpose'"),
    ):
        segmenter(parameters)


# --- XML


def bomb(begin: str, end: str) -> str:
    """A billion laughs: 3 GB of text from a kilobyte."""
    entities = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
    )
    return f'<?xml version="1.0"?><!DOCTYPE x [{entities}]>{begin}&a9;{end}'


DIALECTS = {
    "ome": (bomb("<OME>", "</OME>"), ""),
    "padded ome": (bomb(f"<!--{'x' * 5000}--><OME>", "</OME>"), ""),
    "scn": (bomb("<scn>", "</scn>"), ""),
    "philips": (bomb("<DataObject>", "</DataObject>"), "Philips DP v1.0"),
    "qptiff": (bomb("<PerkinElmer-QPI-ImageDescription>", "</PerkinElmer-QPI-ImageDescription>"),
               "PerkinElmer-QPI"),
    "metaseries": (bomb("<MetaData>", "</MetaData>"), ""),
    "indica": (bomb("<indica>", "</indica>"), "IndicaLabsImageWriter"),
    "svs": ("Aperio Image Library\n" + bomb("<x>", "</x>"), ""),
    "imagej": ("ImageJ=1.54f\nimages=1\n" + bomb("<x>", "</x>"), ""),
}  # fmt: skip


def write_bomb(folder: Path, dialect: str) -> Path:
    description, software = DIALECTS[dialect]
    path = folder / f"{dialect.replace(' ', '_')}.tif"
    pixels = slide_files.pixels(1, (64, 64))[0]
    tifffile.imwrite(path, pixels, description=description, software=software, metadata=None)
    return path


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_dialect_s_xml_is_parsed_when_it_declares_entities(tmp_path, dialect):
    path = write_bomb(tmp_path, dialect)
    parsed = []

    def fromstring(text):
        parsed.append(text)
        raise ElementTree.ParseError

    with patch("xml.etree.ElementTree.fromstring", fromstring):
        with pytest.raises(SlideError, match="refused as unsafe"):
            inspect_slide(path)
        with pytest.raises(ResultError, match="refused as unsafe"):
            read_mask(path)
        assert parsed == []
        if dialect in ("ome", "padded ome", "scn", "philips"):  # control: tifffile would have
            with TiffFile(path) as tif, pytest.raises((ElementTree.ParseError, AssertionError)):
                assert not tif.series
            assert len(parsed) == 1


def test_bombs_of_all_dialects_take_no_memory(tmp_path):
    paths = [str(write_bomb(tmp_path, dialect)) for dialect in DIALECTS]
    code = f"""
        import re, resource
        from pathlib import Path
        from macprox.errors import MacproxError
        from macprox.io.images import inspect_slide
        from macprox.io.masks import read_mask
        now = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (now + 2**28, now + 2**28))
        for path in {paths!r}:
            for read in (inspect_slide, read_mask):
                try:
                    read(Path(path))
                except MacproxError as error:
                    assert "refused as unsafe" in str(error), error
                else:
                    raise AssertionError(path)
        print("all refused")
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "all refused", done.stderr[-2000:]


# --- other files


@pytest.mark.parametrize("way", ["link", "bytes", "virtual"])
def test_an_h5ad_brings_in_nothing_of_other_files(tmp_path, way):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed here")
    anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
    obs = pd.DataFrame({"phenotype": ["a", "b"], "x_um": [1.0, 2.0], "y_um": [3.0, 4.0]})
    path, secret = tmp_path / "a.h5ad", tmp_path / "secret.h5"
    table = anndata.AnnData(np.zeros((2, 1)), obs=obs.set_axis(["c1", "c2"]))
    table.write_h5ad(path)
    assert len(read_cells(path)) == 2  # control
    with h5py.File(secret, "w") as file:
        file["x"] = np.array([5.0, 6.0])
    with h5py.File(path, "a") as file:
        del file["obs/x_um"]
        if way == "link":
            file["obs/x_um"] = h5py.ExternalLink(str(secret), "x")
        elif way == "bytes":
            outside = [(str(secret), 0, 16)]
            file.create_dataset("obs/x_um", (2,), "f8", external=outside)
        else:
            layout = h5py.VirtualLayout((2,), "f8")
            layout[:] = h5py.VirtualSource(str(secret), "x", (2,))
            file.create_virtual_dataset("obs/x_um", layout)
    with pytest.raises(TableError, match="takes 'obs/x_um' from another file"):
        read_cells(path)
