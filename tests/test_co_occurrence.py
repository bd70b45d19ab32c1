"""Co-occurrence: brute force, squidpy's definition, ties, threads, bad input."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox import spatial

CELLS = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(-40, 40), st.sampled_from("abc")),
    min_size=1,
    max_size=40,
)


def pairs_by_brute_force(xy, phenotype, edges, cumulative=False):
    """Ordered pairs ``(n_kinds, n_kinds, n_rings)`` of different cells."""
    apart = np.sqrt(np.square(xy[:, None] - xy).sum(axis=2))
    other = ~np.eye(len(xy), dtype=bool)
    kinds = [phenotype == kind for kind in np.unique(phenotype)]
    counts = []
    for low, high in pairwise(edges):
        inside = other & (apart <= high)
        if not cumulative:
            inside &= (apart > low) | ((low == 0) & (apart == 0))
        counts.append([[inside[np.ix_(a, b)].sum() for b in kinds] for a in kinds])
    return np.moveaxis(np.array(counts), 0, -1)


def as_cube(table, n_kinds):
    return table["n_pairs"].to_numpy().reshape(n_kinds, n_kinds, -1)


@settings(max_examples=80, deadline=None)
@given(CELLS, st.sampled_from([1.0, 0.1]), st.booleans())
def test_pairs_equal_brute_force_ties_and_duplicates_included(cells, scale, cumulative):
    xy = np.array([cell[:2] for cell in cells]) * scale
    phenotype = np.array([cell[2] for cell in cells])
    apart = np.sqrt(np.square(xy[:1] - xy).sum(axis=1))
    edges = np.unique([0, *apart, 3.0, 3.0001, 60.0])  # rings that end exactly at cells
    for first in (0, 1):
        table = spatial.co_occurrence(xy, phenotype, edges[first:], cumulative)
        expected = pairs_by_brute_force(xy, phenotype, edges[first:], cumulative)
        np.testing.assert_array_equal(as_cube(table, len(expected)), expected)


def tissue(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    xy, phenotype = rng.uniform(0, 600, (n, 2)), rng.choice(["T", "M", "S"], n, p=[0.6, 0.1, 0.3])
    phenotype[xy[:, 0] < 150] = "T"
    return xy, phenotype


def test_the_ratio_is_that_of_squidpy_in_discs():
    # squidpy 1.8: p(target | source) / p(target), both among the pairs of the disc.
    xy, phenotype = tissue()
    table = spatial.co_occurrence(xy, phenotype, [0, 20, 50], cumulative=True)
    pairs = pairs_by_brute_force(xy, phenotype, [0, 20, 50], cumulative=True)
    for disc in range(2):
        share = pairs[:, :, disc] / pairs[:, :, disc].sum()
        conditional = share / share.sum(axis=1, keepdims=True)
        expected = conditional / share.sum(axis=0)
        found = table["value"].to_numpy().reshape(3, 3, 2)[:, :, disc]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert list(table.columns) == ["source", "target", "r_um", "value", "n_pairs"]
    assert table["source"].unique().tolist() == ["M", "S", "T"]
    assert table["r_um"][:2].tolist() == [20, 50]


def test_random_labels_give_one_and_a_segregated_slide_does_not():
    xy, phenotype = tissue(20_000)
    mixed = np.random.default_rng(1).permutation(phenotype)
    edges = np.arange(0, 61, 20)
    of_mixed = spatial.co_occurrence(xy, mixed, edges)["value"]
    np.testing.assert_allclose(of_mixed, 1, atol=0.05)
    found = spatial.co_occurrence(xy, phenotype, edges).set_index(["source", "target", "r_um"])
    assert found.loc[("M", "T", 20), "value"] < 0.9


def test_a_ring_does_not_depend_on_the_others_asked_for():
    xy, phenotype = tissue()
    wide = spatial.co_occurrence(xy, phenotype, [0, 7, 25, 40, 200])
    alone = spatial.co_occurrence(xy, phenotype, [25, 40])
    both = wide[wide["r_um"] == 40].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, alone)


def test_rings_thinner_than_a_slot_are_counted_exactly():
    xy, phenotype = tissue(300)
    edges = np.r_[0, 100 + np.arange(30) * 1e-3, 101, 300]
    table = spatial.co_occurrence(xy, phenotype, edges)
    np.testing.assert_array_equal(as_cube(table, 3), pairs_by_brute_force(xy, phenotype, edges))


def test_the_number_of_threads_changes_nothing(monkeypatch):
    xy, phenotype = tissue(20_000)
    tables = []
    for n_cores in (1, 2, 5):
        monkeypatch.setattr("os.cpu_count", lambda n=n_cores: n)
        tables.append(spatial.co_occurrence(xy, phenotype, [0, 10, 30]))
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])


def test_few_cells_are_nan_without_pairs():
    nobody = spatial.co_occurrence([], [], [0, 10])
    assert len(nobody) == 0
    one = spatial.co_occurrence([[3, 4]], ["a"], [0, 10])
    assert one["n_pairs"].tolist() == [0]
    assert one["value"].isna().all()
    twins = spatial.co_occurrence([[3, 4], [3, 4]], ["a", "b"], [0, 10])
    assert twins["n_pairs"].tolist() == [0, 1, 1, 0]
    apart = spatial.co_occurrence([[3, 4], [3, 4]], ["a", "b"], [1, 10])
    assert apart["value"].isna().all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_of_other_kinds_and_any_index_are_taken(dtype):
    xy, phenotype = tissue(500)
    xy = np.rint(xy).astype(dtype)
    column = pd.Series(phenotype, index=np.arange(500)[::-1] * 3, dtype="category")
    pd.testing.assert_frame_equal(
        spatial.co_occurrence(pd.DataFrame(xy, index=column.index), column, [0, 10, 30]),
        spatial.co_occurrence(xy.astype(float), phenotype, [0, 10, 30]),
    )


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match=r"1 of 2 cell points are not finite \(first in row 1"):
        spatial.co_occurrence([[0, 0], [np.nan, 0]], ["a", "b"], [0, 1])
    with pytest.raises(ValueError, match="must name each of 2 cells, found 1 names"):
        spatial.co_occurrence([[0, 0], [1, 0]], ["a"], [0, 1])
    with pytest.raises(ValueError, match=r"1 of 2 cells have no phenotype \(first in row 1\)"):
        spatial.co_occurrence([[0, 0], [1, 0]], np.array(["a", None]), [0, 1])
    for edges in ([1], 5, [0, np.inf], [[0, 1]]):
        with pytest.raises(ValueError, match="edges_um must be a list of two numbers or more"):
            spatial.co_occurrence([[0, 0]], ["a"], edges)
    for edges in ([-1, 2], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="edges_um must increase from 0 or more"):
            spatial.co_occurrence([[0, 0]], ["a"], edges)
