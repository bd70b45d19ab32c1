"""The nucleus benchmark counts what StarDist counts, and its split keeps acquisitions whole."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from benchmarks.nuclei import command, images, methods, peers, releases, split
from benchmarks.nuclei.scores import (
    LEVELS,
    count_images,
    counts,
    evaluate,
    intervals,
    overlaps,
    pooled,
)
from scipy.optimize import linear_sum_assignment
from skimage.measure import label, regionprops
from skimage.metrics import contingency_table


@pytest.fixture
def by_hand():
    """True: a 4 x 4 square, two 4 x 2 halves of a square, a 2 x 2 one. Found: see the columns."""
    truth = np.zeros((8, 24), int)
    truth[0:4, 0:4] = 7  # found shifted by one column: IoU 12 / 20
    truth[0:4, 8:10] = 3  # with its neighbour found as one
    truth[0:4, 10:12] = 4
    truth[6:8, 20:22] = 9  # not found
    found = np.zeros_like(truth)
    found[0:4, 1:5] = 20
    found[0:4, 8:12] = 1
    found[6:8, 0:3] = 5  # nothing there
    return truth, found


def test_a_scene_scored_by_hand(by_hand):
    row = counts(*by_hand)
    assert (row["true"], row["found"]) == (4, 3)
    # The merged pair: each half has IoU 8 / 16 with the whole, and one of them may match.
    assert [row[f"matched@{at}"] for at in LEVELS] == [2, 1, 0, 0, 0]
    assert row["matched iou"] == pytest.approx(0.6 + 0.5)
    assert [row[at] for at in ("merged", "split", "missed", "spurious")] == [1, 0, 1, 1]
    assert row["seg"] == pytest.approx(0.6 + 0.5 + 0.5)
    shared, union = 12 + 8 + 8, 20 + 16 + 16 + 4 + 6
    assert row["aji"] == pytest.approx(shared / union)


def test_one_object_found_as_two_is_a_split(by_hand):
    truth, found = by_hand
    row = counts(found, truth)
    assert (row["merged"], row["split"]) == (0, 1)


def test_perfect_labels_score_one_whatever_their_names(by_hand):
    truth, _ = by_hand
    renamed = np.where(truth > 0, 100 - truth, 0)
    row = counts(truth, renamed)
    assert [row[f"matched@{at}"] for at in LEVELS] == [4] * 5
    assert row["aji"] == 1


@pytest.mark.parametrize("empty", ["truth", "found", "both"])
def test_empty_labels_match_nothing(by_hand, empty):
    truth, found = by_hand
    row = counts(truth * (empty == "found"), found * (empty == "truth"))
    assert all(row[f"matched@{at}"] == 0 for at in LEVELS)
    assert row["aji"] == (1 if empty == "both" else 0)


def stardist_matching(truth, found, level):
    """The published definition, written out: (matched, sum of their IoU)."""
    table = np.asarray(contingency_table(truth, found).todense())
    areas_true = {region.label: region.area for region in regionprops(truth)}
    areas_found = {region.label: region.area for region in regionprops(found)}
    iou = np.zeros((len(areas_true), len(areas_found)))
    for i, (a, area_a) in enumerate(areas_true.items()):
        for j, (b, area_b) in enumerate(areas_found.items()):
            iou[i, j] = table[a, b] / (area_a + area_b - table[a, b])
    if not (iou >= level).any():
        return 0, 0.0
    pairs = linear_sum_assignment(-(iou >= level).astype(float) - iou / (2 * min(iou.shape)))
    good = iou[pairs] >= level
    return int(good.sum()), float(iou[pairs][good].sum())


def blobs(rng, n=45, size=96):
    """Touching blobs of all sizes, as labels 1..n with gaps."""
    yx = rng.uniform(0, size, (n, 2))
    radius = rng.uniform(2, 9, n)
    grid = np.mgrid[:size, :size].reshape(2, 1, -1)
    distance = np.hypot(grid[0] - yx[:, :1], grid[1] - yx[:, 1:]) / radius[:, None]
    nearest = np.where(distance.min(0) < 1, distance.argmin(0) + 1, 0)
    return nearest.reshape(size, size)


def test_counts_equal_the_published_definition_on_random_scenes():
    rng = np.random.default_rng(3)
    ever_matched = 0
    for _ in range(12):
        truth = blobs(rng)
        found = np.roll(truth, rng.integers(0, 3), axis=1)
        found[rng.random(truth.shape) < 0.02] = 0
        found[found % 7 == 3] = 2  # some become one object
        row = counts(truth, found)
        for level in LEVELS:
            matched, iou = stardist_matching(truth, found, level)
            assert row[f"matched@{level}"] == matched
            ever_matched += matched
            if level == 0.5:
                assert row["matched iou"] == pytest.approx(iou)
    assert ever_matched > 100  # control: there was something to match


def test_overlaps_are_the_contingency_table():
    rng = np.random.default_rng(5)
    truth, found = label(blobs(rng)), label(blobs(rng))
    oracle = np.asarray(contingency_table(truth, found).todense())
    np.testing.assert_array_equal(overlaps(truth, found), oracle)


@pytest.fixture
def two_images(tmp_path, monkeypatch):
    """A data folder of two images, each two bright squares, the second of them dim in one."""
    folder = tmp_path / "nuclei_dsb2018"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for file, dim in (("a.tif", 200), ("b.tif", 20)):
        truth = np.zeros((64, 64), np.uint16)
        truth[10:20, 10:20], truth[40:50, 40:50] = 1, 2
        stain = np.choose(truth, [5, 200, dim]).astype(np.uint8)
        tifffile.imwrite(folder / "labels" / file, truth)
        tifffile.imwrite(folder / "images" / file, stain)
    monkeypatch.setenv(images.FOLDER_VARIABLE, str(tmp_path))
    return pd.DataFrame(
        {
            "set": "dsb",
            "file": ["a.tif", "b.tif"],
            "group": ["one", "other"],
            "part": "tune",
            "tissue_like": [False, True],
            "pixel_size_um": 0.7,
        }
    )


def above_100(stain, pixel_size_um):
    return label(stain > 100)


def test_a_method_is_scored_per_group_and_pooled_over_nuclei(two_images):
    table = evaluate(above_100, two_images, by="group")
    assert table["F1@0.9"].to_dict() == {"one": 1.0, "other": pytest.approx(2 / 3)}
    assert table["missed %"].to_dict() == {"one": 0.0, "other": 50.0}
    whole = evaluate(above_100, two_images)
    assert whole.loc["all", "F1@0.9"] == pytest.approx(2 * 3 / (4 + 3))
    assert whole.loc["all", "n nuclei"] == 4


def test_intervals_are_seeded_and_hold_the_score(two_images):
    counted = count_images(above_100, two_images)
    low, high = intervals(counted)["F1@0.5"]
    assert (low, high) == (pytest.approx(2 / 3), 1.0)  # only the bad image, only the good one
    assert intervals(counted) == intervals(counted)
    assert low < pooled(counted)["F1@0.5"] < high
    alone = intervals(counted.iloc[:1])["F1@0.5"]
    assert alone == (1.0, 1.0)


def test_a_release_is_three_lines_a_method(two_images, tmp_path):
    counted = {"textbook": count_images(methods.textbook, two_images)}
    releases.append("trial", "tune", counted, to=tmp_path / "scores.jsonl")
    releases.append("again", "tune", counted, to=tmp_path / "scores.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [line["subset"] for line in lines] == ["all", "tissue_like", "not_tissue_like"] * 2
    assert [line["n_images"] for line in lines[:3]] == [2, 1, 1]
    value, low, high = lines[0]["scores"]["F1@0.5"]
    assert low <= value <= high
    assert lines[0]["model_sha256"] is None


def test_the_command_prints_a_line_a_method(two_images, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(images, "rows", lambda part, of_set, n: two_images)
    monkeypatch.setattr(releases, "SCORES", tmp_path / "scores.jsonl")
    command.main(["--methods", "textbook", "watershed", "nobody"])
    said = capsys.readouterr().out
    assert "nobody: not compared, unknown" in said
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines()[-2:]}
    assert set(lines) == {"tune", "watershed"}  # the part is said once, before the first method
    assert lines["watershed"][:3] == ["2", "4", "1.000"]  # images, nuclei, F1@.5: the dim one found
    assert float(lines["tune"][3]) < 1  # textbook, whose one threshold loses it


def test_a_release_of_some_images_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--n", "3", "--release", "trial"])
    assert "--release needs every image of its part" in capsys.readouterr().err


def test_a_missing_data_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv(images.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="No folder nuclei_dsb2018 in"):
        images.read("dsb", "a.tif")


def test_a_peer_that_dies_says_so(tmp_path):
    dead = peers.Peer("cellprofiler", "/bin/true")
    with pytest.raises(RuntimeError, match="Peer 'cellprofiler' ended"):
        dead(np.zeros((8, 8)), 0.5)


def test_the_split_keeps_acquisitions_whole_and_tissue_unseen():
    rows = pd.read_csv(split.SPLIT)
    assert (rows.groupby("group")["part"].nunique() == 1).all()
    assert (rows.groupby("group")["pixel_size_um"].nunique() == 1).all()
    tissue = rows[rows["tissue_like"]]
    assert len(tissue) == 9
    assert set(tissue["part"]) == {"held_out"}
    dsb = rows[rows["set"] == "dsb"]
    assert len(dsb) == 541
    assert 0.2 < (dsb["part"] == "tune").mean() < 0.27
    assert set(rows.loc[rows["set"] == "stardist", "part"]) == {"held_out"}


def test_the_part_and_the_number_asked_for_are_given():
    assert set(images.rows("tune")["part"]) == {"tune"}
    assert len(images.rows("all")) == 541
    assert len(images.rows("all", "stardist")) == 1
    few = images.rows("held_out", n=5)
    assert len(few) == 5
    pd.testing.assert_frame_equal(few, images.rows("held_out", n=5))


def test_the_committed_split_is_what_the_script_makes(shared_data):
    rows = pd.read_csv(split.SPLIT)
    for row in rows.itertuples():
        stated = split.ACQUISITIONS[row.group]
        assert (row.part, row.pixel_size_um) == (stated.part, stated.pixel_size_um)
    folder = shared_data / "nuclei_dsb2018" / "images"
    for row in rows[rows["set"] == "dsb"].iloc[::6].itertuples():  # a sixth: all take 4 s
        assert split.acquisition(tifffile.imread(folder / row.file)) == row.group
