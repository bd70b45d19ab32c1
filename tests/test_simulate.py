"""Simulated tissue: the same however it is cut, true to its own truth, and no easy prey."""

import json
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile
from scipy import ndimage as ndi
from scipy.spatial import cKDTree
from scipy.special import gammaln
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from macprox import simulate
from macprox.errors import StudyError
from macprox.simulate.fields import Field, fields
from macprox.simulate.outline import border_distance_um, nests_in
from macprox.simulate.panel import AM, CHANNELS, MACROPHAGES, MO, NORMAL_EPITHELIUM, TUMOUR
from macprox.study import Study
from small_runs import macprox

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
SLIDES = ("P01_early", "P02_late", "P03_early")
AREA_UM2 = 512.0**2


@cache
def small() -> simulate.SimulatedSlide:
    return simulate.simulate_slide(simulate.scene("early", "small", seed=3, size_px=(300, 420)))


@cache
def wide() -> simulate.Scene:
    """Two by two fields; coarse pixels, or it would take minutes."""
    parameters = simulate.scene("early", "wide", seed=6, size_px=(800, 840))
    tissue = simulate.TissueParameters(lesion_pitch_um=800.0)
    return simulate.Scene(replace(parameters, pixel_size_um=2.0, tissue=tissue))


def truth(slide_id: str) -> pd.DataFrame:
    return pd.read_csv(SAMPLES / "truth" / f"{slide_id}_truth.csv")


def labels(slide_id: str, name: str) -> np.ndarray:
    return tifffile.imread(SAMPLES / "truth" / f"{slide_id}_{name}.tif").astype(np.int64)


def xy(cells: pd.DataFrame) -> np.ndarray:
    return cells[["x_um", "y_um"]].to_numpy()


# The same pixels, however they are made


def test_pixels_do_not_depend_on_the_block_size():
    parameters = simulate.scene("early", "small", seed=3, size_px=(300, 420))
    cut = simulate.simulate_slide(parameters, block_px=210)
    whole = small()
    np.testing.assert_array_equal(cut.slide.source.array, whole.slide.source.array)
    np.testing.assert_array_equal(cut.nuclei, whole.nuclei)
    np.testing.assert_array_equal(cut.macrophages, whole.macrophages)
    pd.testing.assert_frame_equal(cut.truth, whole.truth)
    other = simulate.simulate_slide(simulate.scene("early", "b", seed=4, size_px=(300, 420)))
    assert (other.slide.source.array != whole.slide.source.array).mean() > 0.1  # control


def test_blocks_across_fields_are_the_same_however_they_are_cut():
    scene = wide()
    assert len(fields(scene.parameters.extent_um)) == 4
    y0, x0 = 470, 480  # the four fields meet in pixel (512, 512)
    whole = scene.block(y0, x0, (80, 70))
    assert len(np.unique(whole[1])) > 20  # control: there are cells
    for y in range(0, 80, 40):
        for x in range(0, 70, 35):
            part = scene.block(y0 + y, x0 + x, (40, 35))
            for seen, expected in zip(part, whole, strict=True):
                np.testing.assert_array_equal(seen, expected[..., y : y + 40, x : x + 35])


def test_any_window_of_the_tissue_is_cut_from_the_same_maps():
    tissue = wide().tissue
    whole = tissue.places((-40, -40, 1640, 1720))
    assert len(np.unique(whole.code)) == 4  # control: nests, stroma, septa and airspaces
    border_um = tissue.border_um(whole)
    assert np.isfinite(border_um).any()
    for box in ((1000, 900, 1100, 1300), (-40, -40, 0, 0), (1600, 1650, 1630, 1700)):
        part = tissue.places(box)
        i, j = np.subtract(part.first, whole.first)
        h, w = part.code.shape
        for name in ("code", "nest_um", "air_um"):
            expected = getattr(whole, name)[i : i + h, j : j + w]
            np.testing.assert_array_equal(getattr(part, name), expected)
        np.testing.assert_array_equal(tissue.border_um(part), border_um[i : i + h, j : j + w])


def test_fields_leave_no_seam_in_the_tissue():
    scene = wide()
    at = np.stack([scene.cells.y_um, scene.cells.x_um], axis=1)
    assert cKDTree(at).query(at, k=2)[0][:, 1].min() >= 6.6  # two of the smallest cores
    on_seam = np.abs(at - 1024) < 24
    beside = np.abs(at - 976) < 24
    assert 0.8 < on_seam.sum() / beside.sum() < 1.25
    height_um, width_um = scene.parameters.extent_um
    one = Field(0, 0.0, 0.0, height_um, width_um, (height_um, width_um))
    whole = nests_in(one, scene.tissue.places(one.padded(48.0)))
    large = shapely.MultiPolygon([p for p in shapely.get_parts(whole) if p.area >= 400])
    assert large.intersects(shapely.LineString([(1024, 0), (1024, height_um)]))  # control
    assert len(scene.tumour.geoms) == len(large.geoms)
    assert shapely.symmetric_difference(scene.tumour, large).area < 1e-6


def test_the_border_distance_of_a_field_is_that_of_the_whole_slide():
    tumour = wide().tumour
    xy_um = np.random.default_rng(0).uniform(0, 1600, (2000, 2))
    dense = shapely.get_coordinates(shapely.segmentize(tumour.boundary, 0.5))
    inside = shapely.contains_xy(tumour, *xy_um.T)
    expected = np.where(inside, -1, 1) * cKDTree(dense).query(xy_um)[0]
    assert expected.max() > 256  # control: some are far from the nests around their field
    np.testing.assert_array_equal(border_distance_um(tumour, xy_um), expected)


def test_writing_does_not_hold_the_slide_in_memory(tmp_path, monkeypatch):
    size_px = (2048, 4096)
    at = np.add.outer(np.arange(1024), np.arange(1024)).astype(np.uint16)

    def block(_self, y0, x0, shape):
        seen = np.broadcast_to(at // 64 + (y0 + x0) // 512, (len(CHANNELS), *shape))
        return seen, np.zeros(shape, np.int32), np.zeros(shape, np.int32)

    monkeypatch.setattr(simulate.Scene, "block", block)
    parameters = replace(simulate.scene("early", "m", 1, size_px), populations=())
    tracemalloc.start()
    path = simulate.write_slide(tmp_path, parameters)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    n_bytes = len(CHANNELS) * size_px[0] * size_px[1] * 2
    assert peak < 0.4 * n_bytes
    with tifffile.TiffFile(path) as tiff:
        assert [level.shape[1:] for level in tiff.series[0].levels] == [
            size_px, (512, 1024), (128, 256)
        ]  # fmt: skip


def test_the_committed_slide_is_what_the_command_makes():
    parameters, patient, group = simulate.cohort_scenes()[0]
    assert (parameters.slide_id, patient, group) == ("P01_early", "P01", "early")
    made = simulate.simulate_slide(parameters)
    committed = tifffile.imread(SAMPLES / "slides" / "P01_early.ome.tif").astype(int)
    difference = np.abs(made.slide.source.array.astype(int) - committed)
    # Bit-identical on one platform; elsewhere `exp` and `cos` may round the other way.
    assert (difference > 0).mean() < 1e-3
    assert (made.nuclei != labels("P01_early", "nuclei")).mean() < 1e-4
    assert made.truth["phenotype"].tolist() == truth("P01_early")["phenotype"].tolist()
    np.testing.assert_allclose(xy(made.truth), xy(truth("P01_early")), atol=0.1)


def test_a_written_slide_is_the_slide_in_memory_as_a_pyramidal_ome_tiff(tmp_path):
    parameters = simulate.scene("early", "w", seed=3, size_px=(520, 260))
    told = []
    path = simulate.write_slide(tmp_path, parameters, progress=told.append)
    assert told[-1] == 1
    memory = simulate.simulate_slide(parameters)
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        full, low = (level.asarray() for level in series.levels)
        assert tiff.is_ome
        assert series.levels[0].pages[0].is_tiled
        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [channel["Name"] for channel in image["Channel"]] == list(CHANNELS)
    assert (image["PhysicalSizeX"], image["PhysicalSizeY"]) == (0.5, 0.5)
    assert image["PhysicalSizeXUnit"] == "µm"
    np.testing.assert_array_equal(full, memory.slide.source.array)
    mean = full.reshape(8, 130, 4, 65, 4).mean(axis=(2, 4))
    assert np.abs(low - mean).max() <= 0.5
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "truth/w_nuclei.tif"), memory.nuclei)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".scratch")] == []
    simulate.write_slide(tmp_path / "again", parameters, block_px=200)
    for file in (tmp_path / "truth", tmp_path / "slides"):
        for written in file.iterdir():
            again = tmp_path / "again" / written.relative_to(tmp_path)
            assert again.read_bytes() == written.read_bytes(), written.name


def test_a_cohort_is_a_folder_ready_to_run(tmp_path):
    told = set()
    paths = simulate.write_cohort(
        tmp_path, seed=5, size_px=(160, 160), n_patients=4, progress=lambda name, _: told.add(name)
    )
    assert [path.name[:-8] for path in paths] == sorted(told)
    samples = pd.read_csv(tmp_path / "samples.csv")
    assert samples["slide_id"].tolist() == sorted(told)
    assert samples["patient"].is_unique
    assert set(samples["group"]) == {"early", "late"}
    Study.from_toml(tmp_path / "study.toml")


@pytest.mark.parametrize("size_px", [(1024, 1024), (2048, 2048)])
def test_further_patients_differ_and_the_first_three_are_the_samples(size_px):
    few = simulate.cohort_scenes(n_patients=3, size_px=size_px)
    many = simulate.cohort_scenes(n_patients=9, size_px=size_px)
    assert many[:3] == few
    groups = [group for _, _, group in many]
    assert groups == ["early", "late"] * 4 + ["early"]
    of_stage = [slide for slide, _, group in many[3:] if group == "early"]
    offered = [
        sum(p.per_mm2 for p in slide.populations if p.kind == "tissue-resident macrophage")
        for slide in of_stage
    ]
    assert len(set(offered)) == len(of_stage)
    lesions = {(slide.tissue.lesions_frac, slide.tissue.lesion_pitch_um) for slide in of_stage}
    assert len(lesions) == len(of_stage)
    assert simulate.cohort_scenes(n_patients=9, size_px=size_px) == many
    other = simulate.cohort_scenes(seed=5, n_patients=9, size_px=size_px)
    assert other[4][0].populations != many[4][0].populations  # control: the seed decides


def test_a_large_slide_scatters_lesions_and_a_frame_of_glass_stays_empty():
    parameters = simulate.scene("late", "big", seed=2, size_px=(1800, 1800))
    glass = simulate.TissueParameters(glass_um=80.0, lesion_pitch_um=450.0)
    scene = simulate.Scene(
        simulate.SceneParameters("g", 2, (1800, 1800), parameters.populations, glass)
    )
    # Nothing on the glass, whose edge wanders by 40 um.
    assert min(scene.cells.y_um.min(), scene.cells.x_um.min()) > 30
    assert not scene.tumour.is_empty
    pixels, nuclei, _ = scene.block(0, 0, (60, 60))
    assert pixels.max() < 12
    assert nuclei.max() == 0
    assert len(simulate.Scene(parameters).cells) > 1.2 * len(scene.cells)  # control


# True to its own truth


def test_labels_and_table_tell_the_same():
    slide = small()
    cells = slide.truth.set_index("cell_id")
    nucleated = cells[cells["has_nucleus"]]
    assert set(np.unique(slide.nuclei)) == {0, *nucleated.index}
    centres = np.array(ndi.center_of_mass(slide.nuclei > 0, slide.nuclei, nucleated.index))
    np.testing.assert_allclose((centres[:, ::-1] + 0.5) * 0.5, xy(nucleated), atol=0.006)
    area_um2 = np.bincount(slide.nuclei.ravel())[nucleated.index] * 0.25
    np.testing.assert_allclose(area_um2, nucleated["nucleus_area_um2"])
    macrophages = cells[cells["phenotype"].isin(MACROPHAGES)]
    assert set(np.unique(slide.macrophages)) <= {0, *macrophages.index}
    without = macrophages.index[~macrophages["has_nucleus"]]
    assert len(without) > 0
    assert np.isin(without, slide.macrophages).all()


@pytest.mark.parametrize("slide_id", SLIDES)
def test_the_border_distance_is_negative_inside_the_true_nests(slide_id):
    cells = truth(slide_id)
    text = (SAMPLES / "truth" / f"{slide_id}_tumour.geojson").read_text()
    nests = shapely.union_all(
        [shapely.geometry.shape(f["geometry"]) for f in json.loads(text)["features"]]
    )
    inside = shapely.contains_xy(nests, *(xy(cells) / 0.5).T)
    distance = cells["tumour_border_distance_um"].to_numpy()
    far = np.abs(distance) > 0.1
    np.testing.assert_array_equal(inside[far], distance[far] < 0)
    exact = shapely.distance(shapely.points(xy(cells) / 0.5), nests.boundary) * 0.5
    np.testing.assert_allclose(np.abs(distance), exact, atol=0.1)
    assert (cells["region"] == "tumour").equals(cells["tumour_border_distance_um"] < 0)
    tumour = cells[cells["phenotype"] == TUMOUR]
    assert (tumour["region"] == "tumour").mean() > 0.98
    assert (cells[cells["phenotype"] == NORMAL_EPITHELIUM]["region"] == "outside").all()


def test_tissue_without_a_lesion_has_no_tumour_and_no_border():
    tissue = simulate.TissueParameters(lesions_frac=((0.5, 0.5, -900.0),))
    populations = simulate.scene("early", "n", 1, (256, 256)).populations
    slide = simulate.simulate_slide(
        simulate.SceneParameters("n", 1, (256, 256), populations, tissue)
    )
    assert slide.tumour.is_empty
    assert np.isinf(slide.truth["tumour_border_distance_um"]).all()
    assert TUMOUR not in set(slide.truth["phenotype"])
    assert NORMAL_EPITHELIUM in set(slide.truth["phenotype"])


@pytest.mark.parametrize(
    ("marker", "phenotypes", "label"),
    [
        ("panCK", [TUMOUR, NORMAL_EPITHELIUM], "nuclei"),
        ("CD68", list(MACROPHAGES), "macrophages"),
        ("MARCO", [AM], "macrophages"),
        ("TREM2", [MO], "macrophages"),
        ("FOXP3", ["Treg"], "nuclei"),
        ("CD3", ["Treg", "T cell"], "nuclei"),
        ("AF", list(MACROPHAGES), "macrophages"),
    ],
)
def test_every_marker_is_brighter_where_it_belongs(marker, phenotypes, label):
    plane = tifffile.imread(SAMPLES / "slides" / "P03_early.ome.tif")[CHANNELS.index(marker)]
    cells = truth("P03_early")
    cells = cells[cells["has_nucleus"]] if label == "nuclei" else cells
    positive = cells["phenotype"].isin(phenotypes)
    # Around the nucleus for what lies in the cytoplasm; bodies where there are bodies.
    around = np.maximum(labels("P03_early", "nuclei"), labels("P03_early", "macrophages"))
    around = ndi.grey_dilation(around, 5) if marker in ("panCK", "CD3") else around
    mean = np.asarray(ndi.mean(plane, around, cells["cell_id"]))
    low, high = np.median(mean[~positive]), np.median(mean[positive])
    assert high > (1.3 if marker == "AF" else 2.5) * low
    # Not two separate worlds: weak cells come near what spill-over brings to others. (The 27
    # regulatory T cells of this slide happen to include no weak one.)
    assert marker == "FOXP3" or np.percentile(mean[positive], 2) < 3 * np.percentile(
        mean[~positive], 99
    )


def test_a_fifth_of_the_macrophages_has_no_nucleus_in_the_plane():
    cells = pd.concat([truth(slide_id) for slide_id in SLIDES])
    macrophages = cells[cells["phenotype"].isin(MACROPHAGES)]
    assert 0.15 <= (~macrophages["has_nucleus"]).mean() <= 0.25
    assert cells[~cells["phenotype"].isin(MACROPHAGES)]["has_nucleus"].all()


# No easy prey: what the samples are for


def test_the_samples_are_small_enough_to_commit():
    assert sum(p.stat().st_size for p in SAMPLES.rglob("*") if p.is_file()) <= 8e6
    Study.from_toml(SAMPLES / "study.toml")


def f1_at_half(true: np.ndarray, found: np.ndarray) -> float:
    """At IoU above one half no object has two partners, so that matching is counting."""
    n = found.max() + 1
    overlap = np.bincount((true * n + found).ravel(), minlength=(true.max() + 1) * n)
    overlap = overlap.reshape(-1, n).astype(float)
    union = overlap.sum(1)[:, None] + overlap.sum(0)[None] - overlap
    matched = (overlap[1:, 1:] > 0.5 * union[1:, 1:]).sum()
    n_true, n_found = (overlap.sum(1)[1:] > 0).sum(), (overlap.sum(0)[1:] > 0).sum()
    return 2 * matched / (n_true + n_found)


@pytest.mark.parametrize("slide_id", SLIDES)
def test_a_textbook_method_does_not_solve_the_nuclei(slide_id):
    true = labels(slide_id, "nuclei")
    dapi = tifffile.imread(SAMPLES / "slides" / f"{slide_id}.ome.tif")[0]
    smooth = ndi.gaussian_filter(dapi.astype(float), 1.0)
    foreground = smooth > threshold_otsu(smooth)
    distance = ndi.distance_transform_edt(foreground)
    peaks = peak_local_max(distance, min_distance=4, labels=foreground.astype(int))
    markers = np.zeros(dapi.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found = watershed(-distance, markers, mask=foreground).astype(np.int64)
    assert f1_at_half(true, true) == 1  # control
    assert 0.6 < f1_at_half(true, found) < 0.8


def expected_g(cells, phenotype, strata, r_um):
    """G(r), tumour to phenotype, under relabelling of all other cells: closed form."""
    tumour = cells[cells["phenotype"] == TUMOUR]
    eligible = cells[cells["phenotype"] != TUMOUR].assign(everywhere=0)
    none_near = np.ones(len(tumour))
    tree = cKDTree(xy(tumour))
    for _, group in eligible.groupby(strata):
        n, m = len(group), (group["phenotype"] == phenotype).sum()
        near = tree.query_ball_tree(cKDTree(xy(group)), r_um)
        left = n - np.array([len(found) for found in near])
        log_p = (
            gammaln(left + 1)
            - gammaln(np.maximum(left - m, 0) + 1)
            - gammaln(n + 1)
            + gammaln(n - m + 1)
        )
        none_near *= np.where(left >= m, np.exp(log_p), 0.0)
    return 1 - none_near.mean()


def observed_g(cells, phenotype, r_um):
    return (nearest(cells, TUMOUR, phenotype) <= r_um).mean()


def nearest(cells, source, target):
    targets = cells[cells["phenotype"].isin([target] if isinstance(target, str) else target)]
    return cKDTree(xy(targets)).query(xy(cells[cells["phenotype"] == source]))[0]


def with_place(slide_id):
    cells = truth(slide_id)
    bands = pd.cut(cells["tumour_border_distance_um"], [-np.inf, -100, 0, 100, np.inf], right=False)
    return cells.assign(band=bands.cat.codes)


@pytest.mark.parametrize("slide_id", SLIDES)
def test_without_strata_the_null_misleads_and_with_strata_it_does_not(slide_id):
    cells = with_place(slide_id)
    observed = observed_g(cells, MO, 20)
    plain = expected_g(cells, MO, ["everywhere"], 20)
    stratified = expected_g(cells, MO, ["band", "compartment"], 20)
    assert observed > 1.6 * plain  # "strong attraction"
    assert abs(observed - stratified) < 0.03  # placed at random within their strata
    csr = 1 - np.exp(-(cells["phenotype"] == MO).sum() / AREA_UM2 * np.pi * 20**2)
    assert abs(observed - csr) > 0.02


@pytest.mark.parametrize("slide_id", SLIDES)
def test_complete_spatial_randomness_is_rejected(slide_id):
    cells = truth(slide_id)
    rng = np.random.default_rng(0)
    n = (cells["phenotype"] == AM).sum()
    tumour = xy(cells[cells["phenotype"] == TUMOUR])
    random = [
        (cKDTree(rng.uniform(0, 512, (n, 2))).query(tumour)[0] <= 30).mean() for _ in range(199)
    ]
    outside = (np.array(random) <= observed_g(cells, AM, 30)).mean()
    macrophages = xy(cells[cells["phenotype"].isin(MACROPHAGES)])
    area = [np.std(np.histogram2d(*p.T, bins=8, range=[[0, 512]] * 2)[0])
            for p in (macrophages, *rng.uniform(0, 512, (199, len(macrophages), 2)))]  # fmt: skip
    assert outside in (0, 1) or area[0] > max(area[1:])


@pytest.mark.parametrize("slide_id", SLIDES)
def test_without_a_tumour_region_the_headline_is_wrong(slide_id):
    cells = truth(slide_id)
    to_tumour = nearest(cells, AM, TUMOUR).mean()
    to_epithelium = nearest(cells, AM, [TUMOUR, NORMAL_EPITHELIUM]).mean()
    assert to_epithelium < 0.5 * to_tumour


def test_resident_macrophages_gather_at_early_tumours_and_leave_late_ones():
    gap = {}
    for slide_id in SLIDES:
        cells = with_place(slide_id)
        gap[slide_id] = observed_g(cells, AM, 20) - expected_g(
            cells, AM, ["band", "compartment"], 20
        )
    assert gap["P01_early"] > 0.04
    assert gap["P03_early"] > 0.04
    assert gap["P02_late"] < 0
    counts = {slide_id: truth(slide_id)["phenotype"].value_counts() for slide_id in SLIDES}
    assert counts["P02_late"][MO] > 2 * counts["P02_late"][AM]
    assert counts["P01_early"][AM] > counts["P01_early"][MO]


# Mistakes


def test_mistakes_are_explained():
    with pytest.raises(StudyError, match=r"Unknown kind of cell 'neutrophil'; known are tumour"):
        simulate.Population("neutrophil", "nest", 10)
    with pytest.raises(StudyError, match=r"Unknown place 'bone'; known are airspace"):
        simulate.Population("tumour", "bone", 10)
    with pytest.raises(StudyError, match=r"Unknown stage 'middle'; known are early, late"):
        simulate.scene("middle", "a", 1, (256, 256))
    with pytest.raises(StudyError, match=r"at least 64 px high and wide, found \(32, 256\)"):
        simulate.scene("early", "a", 1, (32, 256))
    with pytest.raises(StudyError, match=r"Pixel size must be between 0.1 and 2 um, found 5"):
        simulate.SceneParameters("a", 1, (256, 256), (), pixel_size_um=5)
    with pytest.raises(StudyError, match=r"at least one patient, found 0"):
        simulate.cohort_scenes(n_patients=0)
    with pytest.raises(StudyError, match=r"at most 131072 px .* found \(256, 200000\)"):
        simulate.scene("early", "a", 1, (256, 200_000))


def test_the_side_is_said_in_pixels_or_in_millimetres(tmp_path):
    assert simulate.side_px(None, None) == 2048
    assert simulate.side_px(300, None) == 300
    assert simulate.side_px(None, 8) == 16_000
    with pytest.raises(StudyError, match=r"given twice, as 300 px and 8 mm"):
        simulate.side_px(300, 8)
    for absurd in (0.1, 100, -1, float("nan"), float("inf")):
        with pytest.raises(StudyError, match=r"0.128 to 64 mm wide, found --size-mm"):
            simulate.side_px(None, absurd)
    ended = macprox("simulate", tmp_path / "made", "--size-mm", "1000")
    assert ended.code == 2
    assert "found --size-mm 1000" in ended.err
    assert not (tmp_path / "made").exists()
