"""Cells go to QuPath and come back: what was changed there, and nothing else, is a correction."""

import json

import pytest

import macprox as mp
import small_runs
from macprox.edits import CellDeleted, EditLog, PhenotypeSet
from macprox.errors import MacproxError, ResultError
from macprox.review.returned import take_back


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return small_runs.finished_slide(tmp_path_factory.mktemp("run"))


@pytest.fixture
def result(finished):
    yield finished
    finished.folder.edits.unlink(missing_ok=True)


@pytest.fixture
def exported(result, tmp_path):
    (path,) = mp.export(result, "geojson", tmp_path)
    return path


def change(path, *changes):
    """As QuPath writes it: two decimals, measurements that are no number, packed in no list."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for one in changes:
        one(content["features"])
    for feature in content["features"]:
        feature["properties"]["measurements"]["Delaunay"] = float("nan")
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def classed(number, name):
    def set_class(features):
        features[number]["properties"]["classification"] = name and {"name": name}

    return set_class


def test_a_class_that_was_changed_is_a_relabelling(result, exported):
    before = json.loads(exported.read_text(encoding="utf-8"))["features"]
    others = [n for n, f in enumerate(before) if "Other" not in str(f["properties"])]
    first, second, third = others[:3]
    change(exported, classed(first, "Other"), classed(second, "Macrophage"), classed(third, None))
    found = take_back(result, exported, "Ada")
    events = EditLog(result.folder.edits).read()
    was = [before[n]["properties"] for n in (first, second)]
    expected = [
        (int(p["name"]), p["classification"]["name"], after)
        for p, after in zip(was, ("Other", "Macrophage"), strict=True)
        if p["classification"]["name"] != after
    ]
    cells = result.cells().set_index("cell_id")
    assert len(events) == found.n_relabelled == len(expected) >= 1
    for event, (cell_id, phenotype, after) in zip(events, expected, strict=True):
        assert isinstance(event, PhenotypeSet)
        assert (event.reviewer, event.slide_id) == ("Ada", "a")
        assert (event.before, event.after) == (phenotype, after)
        assert event.anchor_px == cells.loc[cell_id, "anchor_px"]
    assert (found.n_deleted, found.n_unclassed, found.n_lost) == (0, 1, 0)


def test_nothing_changed_is_no_event(result, exported):
    found = take_back(result, change(exported), "Ada")
    assert (found.n_relabelled, found.n_deleted, found.n_lost) == (0, 0, 0)
    assert not result.folder.edits.exists()


def test_a_phenotype_that_changed_here_meanwhile_is_nobody_s_correction(result, exported):
    """The results call the cell otherwise by now; the person in QuPath left it as it was."""

    def as_of_old(features):
        name = features[0]["properties"]["classification"]["name"]
        old = "Macrophage" if name != "Macrophage" else "Tumour"
        features[0]["properties"]["metadata"]["phenotype"] = old
        features[0]["properties"]["classification"]["name"] = old

    assert take_back(result, change(exported, as_of_old), "Ada").n_relabelled == 0


def test_cells_that_are_gone_are_deleted_where_that_is_asked_for(result, exported):
    change(exported, lambda features: [features.pop() for _ in range(3)])
    assert take_back(result, exported, "Ada").n_deleted == 0
    assert take_back(result, exported, "Ada", delete_missing=True).n_deleted == 3
    events = EditLog(result.folder.edits).read()
    assert [type(event) for event in events] == [CellDeleted] * 3
    change(exported, lambda features: [features.pop() for _ in range(300)])
    with pytest.raises(ResultError, match=r"lacks 303 of the slide's \d+ cells; expected all but"):
        take_back(result, exported, "Ada", delete_missing=True)


def test_a_cell_that_is_somewhere_else_is_left_as_it_is(result, exported):
    def moved(features):
        place = {"type": "Point", "coordinates": [5, 600]}
        features[0] |= {"geometry": place, "nucleusGeometry": place}
        name = features[0]["properties"]["classification"]["name"]
        classed(0, "Macrophage" if name != "Macrophage" else "Tumour")(features)

    found = take_back(result, change(exported, moved), "Ada")
    assert (found.n_relabelled, found.n_lost) == (0, 1)


def test_what_cannot_be_a_correction_is_refused(result, exported, tmp_path):
    with pytest.raises(MacproxError, match="Who corrected these cells"):
        take_back(result, exported, " ")
    with pytest.raises(ResultError, match=r"1 cells have the class 'Tumor', .*: Tumour, Normal"):
        take_back(result, change(exported, classed(0, "Tumor")), "Ada")
    with pytest.raises(ResultError, match="holds cells of slide 'b', not of 'a'"):
        take_back(result, change(exported, lambda f: set_metadata(f, slide_id="b")), "Ada")
    with pytest.raises(ResultError, match=r"\('1'\) does not say which it was"):
        take_back(result, change(exported, lambda f: set_metadata(f, phenotype=None)), "Ada")
    with pytest.raises(ResultError, match="holds no cell"):
        take_back(result, change(exported, lambda features: features.clear()), "Ada")
    assert not result.folder.edits.exists()


def set_metadata(features, **values):
    features[0]["properties"]["metadata"].update(values)


def test_a_cell_without_a_place_is_refused(result, exported):
    def nowhere(features):
        features[0] |= {"geometry": None, "nucleusGeometry": None}

    with pytest.raises(ResultError, match="a cell has no outline and no place"):
        take_back(result, change(exported, nowhere), "Ada")
    exported.write_text('{"features": [{"coordinates": 5}]}', encoding="utf-8")
    with pytest.raises(ResultError, match="is not GeoJSON"):
        take_back(result, exported, "Ada")


def test_the_command_says_what_came_back_and_update_uses_it(result, exported):
    features = json.loads(exported.read_text(encoding="utf-8"))["features"]
    n = next(i for i, f in enumerate(features) if "Tumour" in str(f["properties"]))
    cell_id = int(features[n]["properties"]["name"])
    change(exported, classed(n, "Macrophage"))
    ended = small_runs.macprox("corrections", result.path, exported, "--reviewer", "Ada")
    assert ended.code == 0, ended.err
    assert "Relabelled: 1. Deleted: 0. By Ada." in ended.out
    with small_runs.without_reports():
        assert small_runs.macprox("update", result.folder.results, "-q").code == 0
    cell = mp.open_result(result.path).cells().set_index("cell_id").loc[cell_id]
    assert (cell["phenotype"], cell["phenotype_source"]) == ("Macrophage", "reviewer")
