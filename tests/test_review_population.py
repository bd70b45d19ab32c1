"""What a gate's panel shows while it is dragged is what the gate table will say."""

import time

import numpy as np
import pandas as pd
import pytest

from macprox.errors import TableError
from macprox.io.store import SlideFolder
from macprox.phenotype.gate_table import sensitivity
from macprox.review.gates.population import Axis, Population, cohort_population


def stained(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    negative = rng.normal(0, 20, n)
    negative[: n // 5] = rng.lognormal(6.5, 0.4, n // 5)
    return negative


def table(values, **columns):
    return pd.DataFrame({"mean_cd68_cell": values, **columns})


def test_positive_and_plus_minus_ten_per_cent_are_the_gate_tables():
    values = stained()
    values[::50] = np.nan
    population = Population.of(table(values), "CD68", "cell")
    for gate in (300.0, -15.0, 0.0, float(values[7]), np.nan, 1e9):
        assert population.sensitivity(gate) == sensitivity(values, gate)
        assert population.percent_positive(gate) == sensitivity(values, gate)[0]


def test_a_parent_leaves_the_others_out():
    values = stained()
    is_parent = np.arange(len(values)) % 3 == 0
    population = Population.of(table(values), "CD68", "cell", is_parent)
    assert population.sensitivity(200.0) == sensitivity(values[is_parent], 200.0)
    assert population.sensitivity(200.0) != sensitivity(values, 200.0)


def test_a_histogram_counts_every_cell_once():
    values = stained()
    population = Population.of(table(values), "CD68", "cell")
    axis = population.axis(300.0)
    counts = population.histogram(axis, 56)
    assert counts.shape == (56,)
    assert counts.sum() == len(values)
    # The same by numpy, place by place; what is beyond the ends lies in the outermost bins.
    places = np.clip(axis.to_position(values), 0, 1)
    assert np.array_equal(counts, np.histogram(places, 56, (0, 1))[0])


def test_the_axis_leads_back_to_the_value_and_shows_the_gate():
    axis = Axis.of(stained(), 5000.0)
    at = np.linspace(0, 1, 11)
    assert axis.to_position(axis.to_value(at)) == pytest.approx(at, abs=1e-12)
    assert 0 < axis.to_position(5000.0) < 1
    assert (np.diff(axis.to_position([-40, 0, 10, 1000, 1001])) > 0).all()
    assert axis == Axis.of(stained()[::-1], 5000.0)


def test_ticks_are_round_inside_the_axis_and_apart():
    axis = Axis.of(stained(), 300.0)
    ticks = axis.ticks()
    assert [text for _, text in ticks][-2:] == ["100", "1k"]
    places = [at for at, _ in ticks]
    assert min(places) >= 0
    assert max(places) <= 1
    assert np.diff(places).min() > 0.12
    narrow = Axis.of(np.linspace(310, 390, 100))
    assert next(text for _, text in narrow.ticks()) == "320"


@pytest.mark.parametrize("values", [[], [7.0] * 20, [0.0] * 20, [-3.0] * 20, [-9.0, -8.0, -5.0]])
def test_cells_that_say_nothing_still_have_an_axis(values):
    population = Population(np.sort(np.array(values, float)))
    for gate in (None, np.nan, 4.0, -4.0):
        axis = population.axis(gate)
        assert axis.low < axis.high
        assert population.histogram(axis, 10).sum() == len(values)
        assert np.isfinite(axis.to_value([0, 1])).all()
        assert all(0 <= at <= 1 for at, _ in axis.ticks())
    if not values:
        assert np.isnan(population.sensitivity(3.0)).all()


def test_a_marker_that_was_not_measured_is_told():
    with pytest.raises(TableError, match="'MARCO' was not measured in the cell"):
        Population.of(table([1.0]), "MARCO", "cell")


@pytest.fixture
def cohort(tmp_path):
    for number, n in enumerate((100, 50_000, 300)):
        folder = SlideFolder(tmp_path / "slides" / f"s{number}")
        folder.path.mkdir(parents=True)
        folder.manifest.write_text("{}")
        values = np.full(n, float(number))
        table(values, panck_positive=np.arange(n) % 2 == 0).to_parquet(folder.cells)
    return tmp_path


def test_the_cohort_is_the_other_slides_none_of_them_for_all(cohort):
    found = cohort_population(cohort, "CD68", "cell", leave_out="s0", n_per_slide=1000)
    assert found.n_slides == 2
    n_of = {value: int((found.values == value).sum()) for value in (0.0, 1.0, 2.0)}
    assert n_of == {0.0: 0, 1.0: 1000, 2.0: 300}
    among = cohort_population(cohort, "CD68", "cell", "s0", n_per_slide=10**6, parent="panCK")
    assert len(among.values) == 25_150


def test_slides_that_cannot_say_are_left_out_of_the_cohort(cohort):
    (cohort / "slides" / "s1" / "cells.parquet").write_bytes(b"PAR1 half written")
    (cohort / "slides" / "s2" / "cells.parquet").unlink()
    found = cohort_population(cohort, "CD68", "cell", leave_out="none")
    assert (found.n_slides, len(found.values)) == (1, 100)
    assert cohort_population(cohort, "MARCO", "cell", "none").n_slides == 0
    assert cohort_population(cohort, "CD68", "cell", "none", parent="MARCO").n_slides == 0


def test_a_step_of_dragging_does_not_look_at_every_cell():
    population = Population(np.sort(np.random.default_rng(0).normal(size=1_000_000)))
    started = time.process_time()
    for gate in np.linspace(-2, 2, 100):
        population.sensitivity(gate)
    per_step_s = (time.process_time() - started) / 100
    started = time.process_time()
    np.mean(population.values > 0)  # control: one look at every cell
    assert per_step_s < 0.5 * max(time.process_time() - started, 2e-4)
