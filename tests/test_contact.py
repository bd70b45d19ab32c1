"""Boundary gaps against brute force over pixels, whatever the blocks."""

from itertools import combinations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox import spatial
from macprox.errors import PixelSizeError, TableError
from scenes import discs


def brute_force(labels, pixel_size_um, max_gap_um):
    """Every pixel of every cell against every other."""
    ids = [label for label in np.unique(labels) if label]
    pixels = {label: np.argwhere(labels == label) for label in ids}
    rows = []
    for i, a in enumerate(ids):
        for b in ids[i + 1 :]:
            apart = np.abs(pixels[a][:, None] - pixels[b])
            gap = np.sqrt(np.square(np.maximum(apart - 1, 0)).sum(axis=2).min()) * pixel_size_um
            if gap <= max_gap_um:
                rows.append((a, b, gap))
    return pd.DataFrame(rows, columns=["cell_id_a", "cell_id_b", "gap_um"]).astype(
        {"cell_id_a": "int64", "cell_id_b": "int64", "gap_um": float}
    )


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from([0.0, 0.5, 1.0, 1.12, 2.5, 30.0]),
    st.sampled_from([1, 3, 7, 100]),
)
def test_gaps_equal_brute_force_whatever_the_block(seed, shape, max_gap_um, block_px):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, shape) * (rng.random(shape) < rng.uniform(0.05, 0.9))
    found = spatial.contacts(labels, 0.5, max_gap_um, block_px, n_workers=1)
    pd.testing.assert_frame_equal(found, brute_force(labels, 0.5, max_gap_um))


def test_out_of_core_labels_give_the_same_pairs_for_any_number_of_workers(tmp_path):
    rng = np.random.default_rng(1)
    labels = discs(rng.uniform(0, 180, (60, 2)), 9, (180, 190)).astype(np.uint32)
    expected = brute_force(labels, 0.5, 5.0)
    assert len(expected) > 100
    store = zarr.create_array(tmp_path / "l.zarr", shape=labels.shape, chunks=(64, 64), dtype="u4")
    store[:] = labels
    for array, workers in ((labels, 3), (da.from_array(labels, chunks=50), 2), (store, 2)):
        found = spatial.contacts(array, 0.5, block_px=64, n_workers=workers)
        pd.testing.assert_frame_equal(found, expected)


def test_touching_at_a_corner_is_a_gap_of_0_and_a_pixel_between_is_a_pixel():
    labels = np.array([[7, 0, 0, 0], [0, 3, 0, 2_000_000_000]])
    found = spatial.contacts(labels, pixel_size_um=0.3, max_gap_um=0.3)
    assert found.to_numpy().tolist() == [[3, 7, 0], [3, 2_000_000_000, 0.3]]
    assert len(spatial.contacts(labels, 0.3, max_gap_um=0)) == 1


def test_a_gap_as_wide_as_asked_for_is_within_in_spite_of_rounding():
    for pixel_size_um in np.random.default_rng(0).uniform(0.1, 1, 200):
        labels = np.zeros((1, 12), int)
        labels[0, [0, 11]] = 1, 2
        gap = 10 * pixel_size_um
        assert len(spatial.contacts(labels, pixel_size_um, gap)) == 1
        assert len(spatial.contacts(labels, pixel_size_um, np.nextafter(gap, 0))) == 0


def test_background_and_one_cell_have_no_contacts():
    for labels in (np.zeros((5, 5), int), np.ones((5, 5), int), np.zeros((0, 5), int)):
        found = spatial.contacts(labels, 0.5)
        assert len(found) == 0
        assert found.dtypes.astype(str).tolist() == ["int64", "int64", "float64"]


def test_what_no_label_image_is_gets_refused():
    with pytest.raises(ValueError, match=r"whole numbers of shape \(y, x\), found float64"):
        spatial.contacts(np.zeros((2, 2)), 0.5)
    with pytest.raises(ValueError, match="found int64 of shape"):
        spatial.contacts(np.zeros((2, 2, 2), int), 0.5)
    with pytest.raises(ValueError, match="Labels must be 0 or more, found -1"):
        spatial.contacts(np.full((2, 2), -1), 0.5)
    with pytest.raises(PixelSizeError, match="must be a positive number, found 0"):
        spatial.contacts(np.zeros((2, 2), int), 0)
    with pytest.raises(ValueError, match="max_gap_um must be a number of 0 or more"):
        spatial.contacts(np.zeros((2, 2), int), 1, np.nan)


def test_contacts_are_a_graph_that_enrichment_takes():
    labels = np.array([[10, 10, 20, 0, 0, 0, 30]])
    graph = spatial.contact_graph(spatial.contacts(labels, 1.0, 3.0), cell_id=[30, 20, 10])
    np.testing.assert_array_equal(graph.as_sparse().toarray(), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    assert len(spatial.enrichment(graph, ["a", "b", "b"])) == 4
    fewer = spatial.contact_graph(spatial.contacts(labels, 1.0, 3.0), cell_id=[10, 20])
    assert fewer.n_edges == 2
    with pytest.raises(TableError, match="cell_id 10 stands for two cells"):
        spatial.contact_graph(spatial.contacts(labels, 1.0), cell_id=[10, 10])


def test_the_share_in_contact_and_its_null_equal_enumeration():
    rng = np.random.default_rng(6)
    labels = discs(rng.uniform(5, 75, (22, 2)), 5, (80, 80))
    ids = np.unique(labels)[1:]
    phenotype = rng.choice(["mac", "tum", "oth", "oth"], len(ids))
    graph = spatial.contact_graph(spatial.contacts(labels, 0.5, 2.0), ids)
    share = spatial.contact_share(graph, phenotype, "mac", "tum")
    touching = graph.as_sparse().toarray()[:, phenotype == "tum"].any(axis=1)
    assert share.value == touching[phenotype == "mac"].mean()
    eligible = np.flatnonzero(phenotype != "tum")
    deals = [touching[list(c)].mean() for c in combinations(eligible, share.n_source)]
    assert share.expected == pytest.approx(np.mean(deals))
    assert 0 < share.p <= 1
    assert share.n_target == (phenotype == "tum").sum()
    one_label = spatial.contact_share(graph, phenotype, "mac", "tum", strata=phenotype)
    assert np.isnan(one_label.p)
    assert "nothing to relabel" in one_label.reason
    assert spatial.contact_share(graph, phenotype, "mac", "B").reason == "no cells of 'B'"
    with pytest.raises(ValueError, match="source and target are both 'mac'"):
        spatial.contact_share(graph, phenotype, "mac", "mac")
    with pytest.raises(ValueError, match="one label for each of"):
        spatial.contact_share(graph, phenotype[:2], "mac", "tum")
