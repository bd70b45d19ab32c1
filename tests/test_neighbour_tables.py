"""Neighbourhood tables and niches of a slide: columns, fields, strata, AnnData."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from macprox import spatial
from macprox.errors import TableError
from macprox.spatial.graphs.join_moments import join_moments


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    n = 800
    return pd.DataFrame(
        {
            "slide_id": "s",
            "roi_id": np.repeat(["r2", "r1"], n // 2),
            "x_um": rng.uniform(0, 300, n),
            "y_um": rng.uniform(0, 300, n),
            "phenotype": pd.Categorical(rng.choice(["AM", "MDM", "Tumour"], n)),
            "compartment": rng.choice(["a", "b"], n),
        },
        index=rng.permutation(10_000)[:n],
    )


def test_rows_repeat_what_the_array_functions_say(cells):
    table = spatial.neighbourhood(cells, "radius", radius_um=25, strata=("compartment",))
    assert tuple(table.columns) == spatial.COLUMNS
    assert set(table["roi_id"]) == {"all", "r1", "r2"}
    assert len(table) == 3 * (9 + 9 + 6)
    xy = cells[["x_um", "y_um"]].to_numpy()
    graph = spatial.radius_graph(xy, 25, cells["roi_id"])
    code = cells["phenotype"].cat.codes.to_numpy().astype(int)
    stratum = pd.factorize(cells["roi_id"] + cells["compartment"])[0]
    mean, variance = join_moments(graph, code, 3, stratum)
    enriched = spatial.enrichment(graph, code, stratum)
    everything = table[table["roi_id"] == "all"]
    z = everything[everything["statistic"] == "enrichment_z"]
    observed = enriched["n_edges"].to_numpy().reshape(3, 3)
    np.testing.assert_allclose(z["value"], ((observed - mean) / np.sqrt(variance)).ravel())
    np.testing.assert_allclose(z["p"], enriched["p"])
    ratio = everything[everything["statistic"] == "enrichment_ratio"]
    np.testing.assert_allclose(ratio["value"], (observed / mean).ravel())
    assert set(z["null"]) == {"relabel"}
    assert set(z["fixed"]) == {"positions, neighbours within 25 um"}
    assert (z["r_um"] == 25).all()
    assert z["source_per_mm2"].isna().all()  # no window, no density


def test_the_mixing_score_of_a_field_is_that_of_its_cells(cells):
    table = spatial.neighbourhood(cells, "delaunay", radius_um=30)
    rows = table[(table["statistic"] == "mixing_score") & (table["roi_id"] == "r1")]
    rows = rows.set_index(["source", "target"])
    field = cells[cells["roi_id"] == "r1"]
    xy = {name: part[["x_um", "y_um"]] for name, part in field.groupby("phenotype", observed=True)}
    for source, target in (("AM", "Tumour"), ("Tumour", "AM")):
        score = spatial.mixing_score(xy[source], xy[target], 30)
        assert rows.loc[(source, target), "value"] == score.value
    assert "positions, Delaunay neighbours within 50 um" in set(table["fixed"])


def test_permutations_are_named_and_window_cells_alone_are_compared(cells):
    one = cells[cells["roi_id"] == "r1"]
    window = spatial.Window.from_rectangle(0, 0, 150, 300)
    table = spatial.neighbourhood(one, "knn", window, k=6, n_permutations=99, seed=4)
    z = table[table["statistic"] == "enrichment_z"]
    assert set(z["null"]) == {"permute"}
    assert (z["n_permutations"] == 99).all()
    assert (z["seed"] == 4).all()
    n_inside = (one["x_um"] <= 150).sum()
    assert z.drop_duplicates("source")["n_source"].sum() == n_inside
    density = z["n_source"] / (150 * 300 / 1e6)
    np.testing.assert_allclose(z["source_per_mm2"], density)
    assert set(z["fixed"]) == {"positions, 6 nearest neighbours within 50 um"}


def test_niches_keep_the_index_and_take_anndata(cells):
    niche, profile = spatial.cell_niches(cells, 3, seed=1)
    assert niche.index.equals(cells.index)
    assert set(niche) <= {-1, 0, 1, 2}
    assert len(profile) == 9
    obs = cells.drop(columns=["x_um", "y_um"])
    annotated = SimpleNamespace(
        obs=obs, obs_names=obs.index, obsm={"spatial": cells[["x_um", "y_um"]].to_numpy()}
    )
    pd.testing.assert_series_equal(spatial.cell_niches(annotated, 3, seed=1)[0], niche)
    pd.testing.assert_frame_equal(
        spatial.neighbourhood(annotated, "knn"), spatial.neighbourhood(cells, "knn")
    )


def test_a_table_without_cells_has_no_rows(cells):
    assert len(spatial.neighbourhood(cells[:0])) == 0


def test_bad_tables_and_graphs_are_refused(cells):
    with pytest.raises(ValueError, match="graph must be one of knn, radius, delaunay, found 'kn'"):
        spatial.neighbourhood(cells, "kn")
    with pytest.raises(TableError, match="1 cells have no finite x_um and y_um"):
        spatial.neighbourhood(cells.assign(x_um=cells["x_um"].where(np.arange(800) > 0)))
    with pytest.raises(TableError, match="lacks depth"):
        spatial.neighbourhood(cells, strata=("depth",))
