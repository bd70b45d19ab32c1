"""F and J: spatstat, closed cases, edges."""

import numpy as np
import pytest

from macprox import spatial
from macprox.errors import WindowError
from macprox.spatial.functions import empty_space
from spatstat_oracle import PATTERNS, PixelEdges, oracle

OBSERVED = pytest.mark.parametrize(("name", "kind"), PATTERNS)
RECTANGLES = pytest.mark.parametrize("kind", ["csr", "clustered", "repulsed"])
WINDOW = spatial.Window.from_rectangle(0, 0, 100, 80)
COLUMNS = {"none": "raw", "km": "km", "border": "rs"}


@RECTANGLES
def test_f_and_j_in_a_rectangle_are_spatstat_s_to_1e_3(shared_data, kind):
    o = oracle(shared_data, "rect", kind)
    r = o.curves["r"]
    for correction, column in COLUMNS.items():
        found = spatial.empty_space_f(o.tumour, r, o.window, correction)
        np.testing.assert_allclose(found, o.curves[f"Ftumour_{column}"], atol=1e-3)
        if correction != "none":
            found = spatial.cross_j(o.mac, o.tumour, r, o.window, correction)
            np.testing.assert_allclose(found, o.curves[f"Jcross_{column}"], atol=1e-3)


@OBSERVED
def test_f_differs_elsewhere_only_by_spatstat_s_border_distances(shared_data, name, kind):
    """The raw share agrees in every window.

    With an edge correction spatstat's F takes polygons and masks as pixels, with distances from
    pixel centre to the nearest centre outside by a map that far from the edge is not always the
    shortest: up to 0.008 off, and J, a quotient of small numbers where F is near 1, by more. With
    the distances of centres F in a mask is spatstat's.
    """
    o = oracle(shared_data, name, kind)
    r = o.curves["r"]
    raw = spatial.empty_space_f(o.tumour, r, o.window, "none")
    np.testing.assert_allclose(raw, o.curves["Ftumour_raw"], atol=1e-3)
    for correction in ("km", "border"):
        column = o.curves[f"Ftumour_{COLUMNS[correction]}"]
        exact = spatial.empty_space_f(o.tumour, r, o.window, correction)
        bound = {"rect": 1e-3, "poly": 5e-3, "mask": 1e-2}[name]
        np.testing.assert_allclose(exact, column, atol=bound)
        if name == "mask":
            centres = PixelEdges(o.window.shape)
            found = spatial.empty_space_f(o.tumour, r, centres, correction)
            np.testing.assert_allclose(found, column, atol=1e-3)


def test_f_of_one_cell_is_the_area_of_its_disc():
    r = np.array([0, 5, 20, 39])
    found = spatial.empty_space_f([[50, 40]], r, WINDOW, "none", lattice_um=0.25)
    np.testing.assert_allclose(found, np.pi * r**2 / WINDOW.area_um2, atol=2e-3)


def test_a_value_does_not_depend_on_the_other_radii():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 80, (2, 60, 2))

    def curves(r, correction):
        f = spatial.empty_space_f(target, r, WINDOW, correction)
        return np.array([f, spatial.cross_j(source, target, r, WINDOW, correction)])

    for correction in ("km", "border", "none"):
        whole = curves(np.arange(0, 15), correction)[:, 7]
        np.testing.assert_array_equal(curves(7, correction), whole)
        np.testing.assert_array_equal(curves([3, 7.0], correction)[:, 1], whole)
    low, between = spatial.empty_space_f(target, [7, 7.9], WINDOW)
    assert low == between  # read at the last grid point


def test_of_chance_f_is_poisson_in_a_narrow_window_and_j_is_1():
    rng = np.random.default_rng(5)
    window = spatial.Window.from_rectangle(0, 0, 40, 10_000)
    r = 12
    poisson = 1 - np.exp(-400 / window.area_um2 * np.pi * r**2)
    values = {"none": [], "km": [], "border": [], "j": []}
    step_um = 40 / 11  # distances of the places to the edge fall between the points of the grid
    for _ in range(10):
        source = rng.uniform((0, 0), (40, 10_000), (600, 2))
        target = rng.uniform((0, 0), (40, 10_000), (rng.poisson(400), 2))
        for correction in ("none", "km", "border"):
            f = spatial.empty_space_f(target, r, window, correction, lattice_um=step_um)
            values[correction].append(f)
        values["j"].append(spatial.cross_j(source, target, r, window, lattice_um=step_um))
    mean = {name: np.mean(found) for name, found in values.items()}
    assert mean["none"] < poisson - 0.02  # control: it misses cells beyond the edge
    assert mean["km"] == pytest.approx(poisson, abs=0.015)
    assert mean["border"] == pytest.approx(poisson, abs=0.015)
    assert mean["j"] == pytest.approx(1, abs=0.03)


def test_a_large_window_has_a_bounded_number_of_places(monkeypatch):
    monkeypatch.setattr(empty_space, "LATTICE_POINTS", 10_000)
    window = spatial.Window.from_rectangle(0, 0, 50_000, 40_000)  # 5e8 places of 2 um
    found = spatial.empty_space_f([[25_000, 20_000]], [10_000], window, "none")
    assert found[0] == pytest.approx(np.pi * 1e8 / 2e9, rel=1e-2)


def test_nothing_to_measure_is_nan_and_mistakes_are_named():
    one = [[50, 40]]
    assert np.isnan(spatial.empty_space_f([], [1, 2], WINDOW)).all()
    assert np.isnan(spatial.cross_j([], one, [1, 2], WINDOW)).all()
    assert np.isnan(spatial.cross_j(one, [], [1, 2], WINDOW)).all()
    assert np.isnan(spatial.empty_space_f(one, [60], WINDOW, "border")).all()  # beyond every place
    covered = np.stack(np.meshgrid(range(101), range(81)), -1).reshape(-1, 2)
    assert np.isnan(spatial.cross_j(one, covered, [30], WINDOW)).all()  # F is 1
    assert spatial.empty_space_f(one, [], WINDOW).shape == (0,)
    with pytest.raises(ValueError, match="correction must be one of km, border, none"):
        spatial.empty_space_f(one, [1], WINDOW, "cs")
    with pytest.raises(ValueError, match="lattice_um must be a positive length"):
        spatial.empty_space_f(one, [1], WINDOW, lattice_um=0)
    with pytest.raises(ValueError, match="grid_um must be a positive length"):
        spatial.empty_space_f(one, [1], WINDOW, grid_um=-1)
    with pytest.raises(ValueError, match="r_um must be finite"):
        spatial.empty_space_f(one, [np.inf], WINDOW)
    with pytest.raises(WindowError, match="1 of 1 target points lie outside"):
        spatial.empty_space_f([[500, 40]], [1], WINDOW)
    with pytest.raises(WindowError, match="1 of 1 source points lie outside"):
        spatial.cross_j([[500, 40]], one, [1], WINDOW)
    with pytest.raises(WindowError, match="needs a window"):
        spatial.empty_space_f(one, [1], None)
