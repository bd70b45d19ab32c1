"""The tidy statistics table: published answers, both directions, reasons instead of zeros."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import shapely

from macprox import spatial
from macprox.errors import StudyError, TableError, WindowError
from macprox.spatial.slide import ALL_MACROPHAGES, NO_MACROPHAGES, NO_TUMOUR_REGION
from macprox.spatial.table import row

DESIGN_COLUMNS = re.findall(
    r"\w+",
    """slide_id roi_id statistic source target region r_um value expected ratio ci_low ci_high p
    alternative n_source n_target source_per_mm2 target_per_mm2 correction null moved fixed
    eligible n_permutations seed reason""",
)
WINDOW = spatial.Window.from_rectangle(0, 0, 1000, 800)
REGION = shapely.box(100, 100, 500, 600)
CLASSES = ("AM/TRM-like", "Mo-mac-like")
PARAMETERS = spatial.ProximityParameters(CLASSES, strata=("region",), n_permutations=99)


@pytest.fixture
def cells() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    xy = rng.uniform((0, 0), (1000, 800), (3000, 2))
    inside = spatial.signed_distance(xy, REGION) < 0
    u = rng.random(3000)
    phenotype = np.select(
        [inside & (u < 0.6), u > 0.9, u > 0.82], ["Tumour", *CLASSES], default="Other"
    )
    table = pd.DataFrame({"slide_id": "s", "x_um": xy[:, 0], "y_um": xy[:, 1]})
    return spatial.annotate_regions(table.assign(phenotype=phenotype), REGION, 100.0)


def pick(table: pd.DataFrame, **where) -> pd.DataFrame:
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def the(table: pd.DataFrame, **where) -> pd.Series:
    found = pick(table, **where)
    assert len(found) == 1, where
    return found.iloc[0]


def test_published_answers_on_real_lung_tissue(shared_data):
    file = shared_data / "lung_inform_set4" / "set4_cell_seg_data.csv.gz"
    read = pd.read_csv(file, usecols=["Cell X Position", "Cell Y Position", "Phenotype"])
    table = read.set_axis(["phenotype", "x_um", "y_um"], axis=1)[["x_um", "y_um", "phenotype"]]
    found = spatial.proximity(table, "CD68+", "CK+", radii_um=(25,), n_permutations=99)
    expected = {"CD68+": (417, 23.1, 274, 3.28), "CK+": (2257, 44.3, 664, 0.606)}
    for source, (n, nearest_um, n_hit, mean_count) in expected.items():
        of = pick(found, source=source, correction="none")
        assert (of["n_source"] == n).all()
        assert the(of, statistic="nearest_mean_um")["value"] == pytest.approx(nearest_um, abs=0.05)
        assert the(of, statistic="fraction_within")["value"] * n == pytest.approx(n_hit)
        assert the(of, statistic="count_within")["value"] == pytest.approx(mean_count, abs=0.005)
    no_window = found[found["value"].isna()]
    assert (no_window["reason"] == "no window was given").all()
    assert set(no_window["statistic"]) == {"g", "count_within", "density_per_mm2"}


def test_the_columns_are_those_of_the_design_and_the_spread_under_the_null(cells):
    table = spatial.proximity(cells, CLASSES[0], "Tumour", WINDOW, radii_um=(20,))
    assert list(table.columns) == list(spatial.COLUMNS)
    assert [column for column in table if column not in ("sd", "z")] == DESIGN_COLUMNS
    assert {(s, t) for s, t in zip(table["source"], table["target"], strict=True)} == {
        (CLASSES[0], "Tumour"),
        ("Tumour", CLASSES[0]),
        (CLASSES[0], "tissue window"),
        ("Tumour", "tissue window"),
    }
    with pytest.raises(TypeError, match="no column nonsense"):
        row(nonsense=1)


def test_values_and_expectations_are_those_of_the_functions(cells):
    table = spatial.proximity(
        cells, CLASSES[0], "Tumour", WINDOW, radii_um=(20, 50), strata=("region",), seed=4
    )
    xy = cells[["x_um", "y_um"]].to_numpy()
    macrophage, tumour = (
        (cells["phenotype"] == name).to_numpy() for name in (CLASSES[0], "Tumour")
    )
    source, target = xy[macrophage], xy[tumour]
    for a, b, name in ((source, target, CLASSES[0]), (target, source, "Tumour")):
        km = pick(table, source=name, statistic="g", correction="km")
        np.testing.assert_allclose(km["value"], spatial.cross_g(a, b, [20, 50], WINDOW))
        per_um2 = len(b) / WINDOW.area_um2
        r2 = np.array([20.0, 50.0]) ** 2
        np.testing.assert_allclose(km["expected"], 1 - np.exp(-per_um2 * np.pi * r2))
        raw = pick(table, source=name, statistic="g", correction="none")
        np.testing.assert_allclose(raw["value"], spatial.cross_g(a, b, [20, 50], None, "none"))
        expected = spatial.expected_g_relabelled(
            target,
            xy[~tumour],
            macrophage[~tumour],
            [20, 50],
            cells["region"][~tumour],
            direction="from_moved" if name == CLASSES[0] else "to_moved",
        )
        np.testing.assert_allclose(raw["expected"], expected)
        np.testing.assert_allclose(raw["ratio"], raw["value"] / raw["expected"])
        assert (raw["eligible"] == "all non-Tumour cells").all()
        assert ((raw["moved"] == CLASSES[0]) & (raw["fixed"] == "Tumour")).all()
        assert raw["p"].between(0, 1).all()
        nearest = the(table, source=name, statistic="nearest_mean_um")
        assert nearest["value"] == pytest.approx(spatial.nearest_distance(a, b).mean())
        assert nearest["expected"] == pytest.approx(nearest["value"], rel=0.3)
        assert nearest["source_per_mm2"] == pytest.approx(len(a) / 0.8)


def test_a_value_does_not_depend_on_the_other_radii(cells):
    one, many = (
        spatial.proximity(cells, CLASSES[0], "Tumour", WINDOW, radii_um=r, n_permutations=99)
        for r in ((20,), (5, 20, 77))
    )
    many = many[(many["r_um"] == 20) | many["r_um"].isna()]
    pd.testing.assert_frame_equal(one, many.reset_index(drop=True))


def test_the_same_seed_gives_the_same_table_and_row_order_does_not_matter(cells):
    def of(table):
        return spatial.proximity(table, CLASSES[0], "Tumour", WINDOW, n_permutations=99, seed=3)

    first = of(cells)
    pd.testing.assert_frame_equal(first, of(cells))
    turned = cells.assign(x_um=cells["y_um"] + 0.0, y_um=cells["x_um"] + 0.0)
    window = spatial.Window.from_rectangle(0, 0, 800, 1000)
    mirrored = spatial.proximity(turned, CLASSES[0], "Tumour", window, n_permutations=99, seed=3)
    pd.testing.assert_frame_equal(first, mirrored)
    shuffled = of(cells.sample(frac=1, random_state=0))
    exact = ["value", "expected", "n_source", "reason"]
    pd.testing.assert_frame_equal(first[exact], shuffled[exact])


def test_permuting_agrees_with_the_closed_form(cells):
    relabel, permuted = (
        spatial.proximity(cells, CLASSES[0], "Tumour", null=null, n_permutations=1999)
        for null in ("relabel", "permute")
    )
    both = relabel["expected"].notna() & permuted["expected"].notna()
    assert both.sum() == 31
    close = permuted["ci_high"] - permuted["ci_low"]
    apart = (relabel["expected"] - permuted["expected"]).abs()
    assert (apart[both] <= 0.06 * close[both] + 1e-12).all()
    np.testing.assert_allclose(relabel["p"][both], permuted["p"][both], atol=0.06)


def test_csr_stands_beside_corrected_rows_only(cells):
    table = spatial.proximity(cells, CLASSES[0], "Tumour", WINDOW, null="csr")
    corrected = table["correction"] != "none"
    assert table["expected"].notna().equals(corrected)
    assert (table["null"][corrected] == "csr").all()
    raw = table[~corrected & table["r_um"].notna()]
    assert raw["reason"].str.contains("edges bias it").all()


def test_neighbours_never_cross_a_roi(cells):
    rois = cells.assign(roi_id=np.where(cells["x_um"] < 300, "left", "right"))
    halves = {
        "left": spatial.Window.from_rectangle(0, 0, 300, 800),
        "right": spatial.Window.from_rectangle(300, 0, 1000, 800),
    }
    together = spatial.proximity(rois, CLASSES[0], "Tumour", halves, n_permutations=99)
    assert set(together["roi_id"]) == {"all", "left", "right"}
    pooled = 0.0
    for name, window in halves.items():
        alone = spatial.proximity(
            rois[rois["roi_id"] == name], CLASSES[0], "Tumour", window, n_permutations=99
        )
        same = pick(together, roi_id=name).assign(roi_id="all").reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, same, check_dtype=False)
        where = {"source": CLASSES[0], "statistic": "nearest_mean_um"}
        pooled += the(alone, **where)["value"] * the(alone, **where)["n_source"]
    overall = the(together, roi_id="all", source=CLASSES[0], statistic="nearest_mean_um")
    assert overall["value"] == pytest.approx(pooled / overall["n_source"])  # every cell counts once
    uncut = spatial.proximity(cells, CLASSES[0], "Tumour", WINDOW, n_permutations=0)
    assert overall["value"] > the(uncut, source=CLASSES[0], statistic="nearest_mean_um")["value"]
    one_window = spatial.proximity(rois, CLASSES[0], "Tumour", WINDOW, n_permutations=0)
    single = pick(one_window, roi_id="left", statistic="density_per_mm2")
    assert single["value"].isna().all()
    assert single["reason"].str.startswith("no window for this roi").all()


def test_fields_without_a_target_are_left_out_of_distances_and_say_so():
    table = pd.DataFrame(
        {
            "x_um": [0.0, 3, 0, 9, 1],
            "y_um": [0.0, 4, 0, 0, 1],
            "phenotype": ["m", "t", "m", "m", "Other"],
            "roi_id": ["a", "a", "b", "b", "a"],
        }
    )
    found = pick(spatial.proximity(table, "m", "t", radii_um=(5,)), roi_id="all", source="m")
    nearest = the(found, statistic="nearest_mean_um")
    assert nearest["value"] == 5
    assert nearest["reason"] == "2 source cells in fields without a target are left out"
    assert the(found, statistic="g", correction="none")["value"] == pytest.approx(1 / 3)
    apart = table.assign(roi_id=["a", "b", "a", "a", "a"])
    nowhere = the(
        spatial.proximity(apart, "m", "t"), roi_id="all", source="m", statistic="nearest_mean_um"
    )
    assert np.isnan(nowhere["value"])
    assert nowhere["reason"] == "no field holds both"


def test_cells_outside_the_window_are_left_out(cells):
    window = spatial.Window.from_rectangle(0, 0, 500, 800)
    inside = cells[cells["x_um"] <= 500]
    everything, cut = (
        spatial.proximity(table, CLASSES[0], "Tumour", window, n_permutations=0)
        for table in (cells, inside)
    )
    pd.testing.assert_frame_equal(everything, cut)
    table = spatial.slide_statistics(cells, window, REGION, PARAMETERS)
    assert the(table, statistic="cells_outside_window")["value"] == len(cells) - len(inside)
    far = spatial.Window.from_rectangle(5000, 0, 5500, 800)
    with pytest.raises(WindowError, match="None of 3000 cells lies inside"):
        spatial.proximity(cells, CLASSES[0], "Tumour", far)
    with pytest.raises(WindowError, match="No window for roi 'b'"):
        spatial.proximity(cells.assign(roi_id="b"), CLASSES[0], "Tumour", {"a": WINDOW})


def test_anndata_is_taken_by_its_obs_and_spatial(cells):
    anndata = SimpleNamespace(
        obs=cells.drop(columns=["x_um", "y_um"]),
        obsm={"spatial": cells[["x_um", "y_um"]].to_numpy()},
    )
    first, second = (
        spatial.proximity(table, CLASSES[0], "Tumour", n_permutations=9)
        for table in (cells, anndata)
    )
    pd.testing.assert_frame_equal(first, second)
    with pytest.raises(TableError, match="found dict"):
        spatial.proximity({}, "a", "b")


def test_the_slide_table_holds_both_nulls_in_both_directions(cells):
    table = spatial.slide_statistics(cells, WINDOW, REGION, PARAMETERS)
    head = spatial.headline(table, PARAMETERS)
    pairs = [(m, "Tumour") for m in (*CLASSES, ALL_MACROPHAGES)]
    pairs = [pair for forth in pairs for pair in (forth, forth[::-1])]
    assert list(zip(head["source"], head["target"], strict=True)) == pairs
    assert head[["value", "expected", "p"]].notna().all(axis=None)
    lineage = table[spatial.is_lineage(table)]
    assert set(lineage["eligible"]) == {" or ".join(CLASSES)}
    assert set(lineage["moved"]) == set(CLASSES)
    g = pick(lineage, statistic="g", r_um=20.0)
    assert len(g) == 4
    # Two classes: what is more than expected for one is less for the other.
    excess = pick(g, target="Tumour")["value"] - pick(g, target="Tumour")["expected"]
    assert excess.prod() < 0
    assert (table["value"].notna() | (table["reason"] != "")).all()
    measured = pick(table, statistic="density_per_mm2", region="all")
    assert set(measured["source"]) == {*CLASSES, "Tumour", "Other", ALL_MACROPHAGES}
    assert not table.duplicated(
        ["roi_id", "statistic", "source", "target", "region", "r_um", "correction", "eligible"]
    ).any()


def test_the_slide_table_does_not_depend_on_which_class_comes_first(cells):
    forth = spatial.slide_statistics(cells, WINDOW, REGION, PARAMETERS)
    back = spatial.slide_statistics(
        cells,
        WINDOW,
        REGION,
        spatial.ProximityParameters(CLASSES[::-1], strata=("region",), n_permutations=99),
    )
    keys = ["source", "target", "p"]
    a, b = (spatial.headline(t, PARAMETERS)[keys].sort_values(keys) for t in (forth, back))
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True))


@pytest.mark.parametrize("region", [None, shapely.Polygon()])
def test_without_a_tumour_region_there_is_no_tumour_headline(cells, region):
    assert (cells["phenotype"] == "Tumour").any()  # control: cells are called tumour all the same
    table = spatial.slide_statistics(cells, WINDOW, region, PARAMETERS)
    head = spatial.headline(table, PARAMETERS)
    compares = table[(table["source"] == "Tumour") | (table["target"] == "Tumour")]
    compares = compares[compares["statistic"] != "density_per_mm2"]
    for rows in (compares, pick(table, statistic="border_profile_per_mm2")):
        assert len(rows)
        assert rows["value"].isna().all()
        assert (rows["reason"] == NO_TUMOUR_REGION).all()
    assert head.empty or head["value"].isna().all()
    assert pick(table, statistic="density_per_mm2")["value"].notna().all()


@pytest.mark.parametrize("absent", ["Tumour", *CLASSES])
def test_absent_cells_are_nan_with_the_reason_and_never_0(cells, absent):
    table = spatial.slide_statistics(
        cells[cells["phenotype"] != absent], WINDOW, REGION, PARAMETERS
    )
    compares = table[(table["source"] == absent) | (table["target"] == absent)]
    compares = compares[~compares["statistic"].isin(["density_per_mm2", "border_profile_per_mm2"])]
    assert len(compares)
    assert compares["value"].isna().all()
    assert (compares["reason"] == f"no cells of '{absent}'").all()
    # A density of none is a measurement, and says that there were none.
    density = the(table, statistic="density_per_mm2", source=absent, region="all")
    assert (density["value"], density["n_source"]) == (0, 0)
    assert density["reason"] == f"no cells of '{absent}'"


def test_an_empty_slide_is_a_table_of_reasons(cells):
    table = spatial.slide_statistics(cells[:0], WINDOW, REGION, PARAMETERS)
    compares = table[table["correction"].eq("none") & table["target"].isin([*CLASSES, "Tumour"])]
    assert compares["value"].isna().all()
    assert compares["reason"].str.startswith("no cells of").all()


def test_a_study_without_macrophages_says_so(cells):
    parameters = spatial.ProximityParameters(strata=())
    table = spatial.slide_statistics(cells, WINDOW, REGION, parameters)
    reasons = set(table.loc[table["value"].isna(), "reason"])
    assert NO_MACROPHAGES in reasons
    assert all(reason == NO_MACROPHAGES or "mm2 of window" in reason for reason in reasons)


def test_one_cell_of_each_kind_is_enough():
    table = pd.DataFrame(
        {"x_um": [0.0, 3], "y_um": [0.0, 4], "phenotype": ["m", "t"]}, index=[7, 9]
    )
    found = spatial.proximity(table, "m", "t", radii_um=(5, 50))
    assert (pick(found, statistic="nearest_mean_um")["value"] == 5).all()
    g = pick(found, statistic="g", correction="none")
    assert (g["value"] == 1).all()
    assert g["reason"].str.contains("one label only").all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="phenotype"), "lacks phenotype"),
        (lambda t: t.drop(columns="region"), r"lacks region.*\[proximity\] strata"),
        (lambda t: t.assign(x_um=np.nan), "3000 cells have no finite"),
        (lambda t: t.assign(slide_id=np.arange(3000) % 2), "2 slides"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(cells, change, says):
    with pytest.raises(TableError, match=says):
        spatial.proximity(change(cells), CLASSES[0], "Tumour", strata=("region",))


def test_questions_that_make_no_sense_are_refused(cells):
    with pytest.raises(TableError, match="is source and target"):
        spatial.proximity(cells, "Tumour", "Tumour")
    with pytest.raises(TableError, match="eligible must hold every source"):
        spatial.proximity(cells, CLASSES[0], "Tumour", eligible=("Tumour", CLASSES[0]))
    with pytest.raises(ValueError, match="null must be one of"):
        spatial.proximity(cells, CLASSES[0], "Tumour", null="torus")
    with pytest.raises(ValueError, match="radii_um must be positive"):
        spatial.proximity(cells, CLASSES[0], "Tumour", radii_um=(20, 10))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"radii_um": (20, 10)}, "radii_um must be positive and increasing"),
        ({"radii_um": ()}, "radii_um must be positive and increasing"),
        ({"primary_radius_um": 25}, "primary_radius_um must be one of"),
        ({"null": "torus"}, "null must be one of relabel, permute, csr, found 'torus'"),
        ({"n_permutations": -1}, "n_permutations must be a whole number"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"band_um": 0}, "band_um must be a positive number"),
        ({"grid_um": True}, "grid_um must be a positive number"),
        ({"macrophages": ("a", "a")}, "names a phenotype twice"),
        ({"macrophages": ("a",), "tumour": "a"}, "as tumour and as macrophage"),
    ],
)
def test_parameters_that_cannot_be_are_refused(values, says):
    with pytest.raises(StudyError, match=says):
        spatial.ProximityParameters(**values)


def test_parameters_take_lists():
    parameters = spatial.ProximityParameters(macrophages=["a"], radii_um=[20, 30], strata=[])
    assert (parameters.macrophages, parameters.radii_um, parameters.strata) == (
        ("a",),
        (20, 30),
        (),
    )


def test_per_cell_columns_equal_brute_force(cells):
    rois = cells.assign(roi_id=np.where(cells["x_um"] < 300, "left", "right")).head(600)
    annotated = spatial.annotate(rois, ["Tumour", *CLASSES], (20, 50), REGION, 100.0)
    assert len(annotated.columns) == len(rois.columns) + 9
    xy = rois[["x_um", "y_um"]].to_numpy()
    apart = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)  # no cell is its own neighbour
    roi = rois["roi_id"].to_numpy()
    apart[roi[:, None] != roi] = np.inf
    to_trm = apart[:, (rois["phenotype"] == CLASSES[0]).to_numpy()]
    np.testing.assert_allclose(annotated["nearest_am_trm_like_um"], to_trm.min(axis=1))
    np.testing.assert_array_equal(annotated["n_am_trm_like_50um"], (to_trm <= 50).sum(axis=1))
    distance = annotated["tumour_border_distance_um"]
    np.testing.assert_allclose(distance, spatial.signed_distance(xy, REGION))
    assert set(annotated["region"]) <= {"core", "inner_margin", "outer_margin", "distant"}
    bare = spatial.annotate(rois, ["Nobody"], (20,), None, 100.0)
    assert (bare["region"] == "none").all()
    assert bare[["tumour_border_distance_um", "nearest_nobody_um"]].isna().all(axis=None)
    assert (bare["n_nobody_20um"] == 0).all()
    with pytest.raises(TableError, match="would share the column name"):
        spatial.annotate_neighbours(rois, ["A b", "a-b"], (20,))


def test_the_slide_holds_k_l_and_the_pair_correlation_of_each_class(cells):
    table = spatial.slide_statistics(cells, WINDOW, REGION, PARAMETERS)
    xy = cells[["x_um", "y_um"]].to_numpy()
    inside = WINDOW.contains(xy)
    source = xy[inside & (cells["phenotype"] == CLASSES[0]).to_numpy()]
    target = xy[inside & (cells["phenotype"] == "Tumour").to_numpy()]
    r = np.array(PARAMETERS.radii_um)
    k = spatial.cross_k(source, target, r, WINDOW)
    pcf = spatial.cross_pcf(source, target, r, WINDOW, PARAMETERS.pcf_bandwidth_um)
    for a, b in ((CLASSES[0], "Tumour"), ("Tumour", CLASSES[0])):
        rows = table[(table["source"] == a) & (table["target"] == b)].set_index("statistic")
        for name, value, csr in (
            ("k", k, np.pi * r**2), ("l", np.sqrt(k / np.pi), r), ("pcf", pcf, np.ones(len(r))),
        ):  # fmt: skip
            np.testing.assert_allclose(rows.loc[name, "value"], value)
            np.testing.assert_allclose(rows.loc[name, "expected"], csr)
            assert (rows.loc[name, "null"] == "csr").all()


def test_fields_with_windows_of_their_own_have_their_own_curves(cells):
    halves = {
        "left": spatial.Window.from_rectangle(0, 0, 500, 800),
        "right": spatial.Window.from_rectangle(500, 0, 1000, 800),
    }
    left = cells["x_um"] < 500
    fields = cells.assign(roi_id=np.where(left, "left", "right"))
    table = spatial.slide_statistics(fields, halves, REGION, PARAMETERS)
    k = table[(table["statistic"] == "k") & (table["source"] == CLASSES[0])]
    together = k[k["roi_id"] == "all"]
    assert together["value"].isna().all()
    assert together["reason"].str.startswith("several fields").all()
    alone = spatial.slide_statistics(cells[left], halves["left"], REGION, PARAMETERS)
    own = alone[(alone["statistic"] == "k") & (alone["source"] == CLASSES[0])]
    np.testing.assert_allclose(k.loc[k["roi_id"] == "left", "value"], own["value"])


def test_enrichment_and_mixing_are_those_of_the_function_and_no_lineage(cells):
    table = spatial.slide_statistics(cells, WINDOW, REGION, PARAMETERS)
    names = ("enrichment_z", "enrichment_ratio", "mixing_score")
    found = table[table["statistic"].isin(names)].reset_index(drop=True)
    expected = spatial.neighbourhood(
        cells, window=WINDOW, strata=PARAMETERS.strata, radius_um=PARAMETERS.primary_radius_um
    )
    pd.testing.assert_frame_equal(found, expected)
    assert not spatial.is_lineage(found).any()
    assert spatial.is_lineage(table).any()
