"""Precision, recall, kappa and corrected numbers, by hand, by published figures, by simulation."""

import numpy as np
import pytest
from scipy import stats

from macprox.review.verification.agreement import UNSURE, agreement, cohen_kappa, wilson
from macprox.review.verification.sample import Sample


def sample_of(counts, sizes):
    """A sample with ``counts`` cells of every called phenotype."""
    calls = tuple(name for name, n in counts.items() for _ in range(n))
    places = tuple((float(i), 0.0) for i in range(len(calls)))
    return Sample("s", "a", 0, tuple(range(len(calls))), places, calls, sizes)


def read(sample, *columns):
    """Readings in the order of the cells: (phenotype, how many) pairs."""
    said = [name for name, n in columns for _ in range(n)]
    assert len(said) == len(sample)
    return dict(enumerate(said))


def by_name(found, reader="A"):
    return found.readers[reader].phenotypes.set_index("phenotype")


# Two called classes of 900 and 100 cells, 10 of each read.
SAMPLE = sample_of({"T": 10, "M": 10}, {"T": 900, "M": 100})
SAID = read(SAMPLE, ("T", 9), ("M", 1), ("T", 2), ("M", 8))


def test_recall_and_numbers_need_the_weights():
    found = by_name(agreement(SAMPLE, {"A": SAID}, area_mm2=2.0))
    assert found.loc["T", "precision"] == 0.9
    assert found.loc["M", "precision"] == 0.8
    # True M: 900 * 1/10 among those called T, 100 * 8/10 among those called M.
    assert found.loc["M", "count"] == pytest.approx(90 + 80)
    assert found.loc["T", "count"] == pytest.approx(810 + 20)
    assert found.loc["M", "recall"] == pytest.approx(80 / 170)
    assert found.loc["T", "recall"] == pytest.approx(810 / 830)
    assert found.loc["M", "recall"] < 8 / 9  # what the sample itself, unweighted, would say
    assert found.loc["M", "called_per_mm2"] == 50
    assert found.loc["M", "per_mm2"] == pytest.approx(85)
    assert found["count"].sum() == pytest.approx(1000)
    # Cochran: sum over strata of N (N - n) p (1 - p) / (n - 1).
    by_hand = np.sqrt(900 * 890 * 0.09 / 9 + 100 * 90 * 0.16 / 9)
    assert found.loc["M", "count_se"] == pytest.approx(by_hand)
    assert found.loc["M", "count_low"] < 170 < found.loc["M", "count_high"]
    assert found.loc["M", "recall_low"] < 80 / 170 < found.loc["M", "recall_high"]


def test_a_perfect_reader_leaves_numbers_as_they_are_and_room_for_doubt():
    said = read(SAMPLE, ("T", 10), ("M", 10))
    found = by_name(agreement(SAMPLE, {"A": said}))
    assert found["recall"].tolist() == [1.0, 1.0]
    assert found["count"].tolist() == [900.0, 100.0]
    assert found["count_se"].tolist() == [0.0, 0.0]
    assert found.loc["M", "precision_low"] == pytest.approx(0.722, abs=5e-4)
    # One in ten of the cells called T might be M: 10 cells cannot exclude it.
    assert found.loc["M", "recall_low"] < 0.6
    assert found["recall_high"].tolist() == [1.0, 1.0]
    assert found["per_mm2"].isna().all()


def test_where_every_cell_was_read_there_is_nothing_to_estimate():
    sample = sample_of({"T": 10, "M": 10}, {"T": 10, "M": 10})
    found = by_name(agreement(sample, {"A": SAID}))
    assert found.loc["M", ["count_low", "count", "count_high"]].tolist() == [9, 9, 9]
    assert found.loc["M", "count_se"] == 0
    assert found.loc["M", ["recall_low", "recall", "recall_high"]].nunique() == 1


def test_unsure_readings_are_counted_and_left_out():
    said = read(SAMPLE, ("T", 8), ("M", 1), (UNSURE, 1), ("T", 1), ("M", 7), (UNSURE, 2))
    found = agreement(SAMPLE, {"A": said})
    table = by_name(found)
    assert found.readers["A"].n_unsure == 3
    assert table["n_unsure"].tolist() == [1, 2]
    assert table["n_read"].tolist() == [9, 8]
    assert table.loc["T", "precision"] == pytest.approx(8 / 9)
    assert table.loc["M", "count"] == pytest.approx(900 / 9 + 100 * 7 / 8)
    confusion = found.readers["A"].confusion
    assert confusion.loc["M"].to_dict() == {"T": 1, "M": 7, UNSURE: 2}
    assert found.readers["A"].kappa.n == 17


def test_a_stratum_that_nobody_has_read_leaves_weighted_numbers_open():
    said = {number: "T" for number in range(5)}
    found = agreement(SAMPLE, {"A": said})
    table = by_name(found)
    assert table.loc["T", "precision"] == 1.0
    assert np.isnan(table.loc["M", "precision"])
    assert table[["recall", "count", "count_low"]].isna().all(axis=None)
    assert (table["reason"] == "nobody has told a cell called M yet").all()
    assert found.readers["A"].n_unread == 15
    assert agreement(SAMPLE, {}).readers == {}


def test_a_phenotype_that_was_called_nowhere_has_a_number_and_no_precision():
    said = read(SAMPLE, ("T", 8), ("N", 2), ("M", 10))
    found = agreement(SAMPLE, {"A": said})
    table = by_name(found)
    assert table.loc["N", "count"] == pytest.approx(180)
    assert table.loc["N", "recall"] == 0
    assert np.isnan(table.loc["N", "precision"])
    assert table.loc["N", "reason"] == "no cell is called so"
    assert list(found.readers["A"].confusion.index) == ["T", "M"]


def test_one_cell_of_a_stratum_says_nothing_of_its_spread():
    sample = sample_of({"T": 1, "M": 5}, {"T": 900, "M": 100})
    found = by_name(agreement(sample, {"A": read(sample, ("T", 1), ("M", 5))}))
    assert np.isnan(found.loc["M", "count_se"])
    assert found.loc["M", "count_high"] > 300


def test_the_same_readings_give_the_same_intervals():
    one, other = (by_name(agreement(SAMPLE, {"A": SAID})) for _ in range(2))
    assert one.equals(other)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Slides of 3,000 cells with known truth; 25 cells of each called phenotype are read."""
    rng = np.random.default_rng(5)
    sizes = {"T": 2000, "M": 700, "R": 300}
    truth = {"T": (0.93, 0.05, 0.02), "M": (0.1, 0.8, 0.1), "R": (0.05, 0.15, 0.8)}
    names = list(sizes)
    held = {"count": 0, "recall": 0, "precision": 0}
    n_slides = 60
    for _ in range(n_slides):
        real = {name: rng.choice(names, sizes[name], p=truth[name]) for name in names}
        whole = np.array([[(real[h] == k).sum() for k in names] for h in names])
        sample = sample_of(dict.fromkeys(names, 25), sizes)
        said = np.concatenate([rng.choice(real[name], 25, replace=False) for name in names])
        row = by_name(agreement(sample, {"A": dict(enumerate(said.tolist()))})).loc["R"]
        of_slide = {
            "count": whole[:, 2].sum(),
            "recall": whole[2, 2] / whole[:, 2].sum(),
            "precision": whole[2, 2] / 300,
        }
        for what, value in of_slide.items():
            held[what] += row[f"{what}_low"] <= value <= row[f"{what}_high"]
    for what, n in held.items():
        # Not below 95 % by more than 60 slides allow.
        assert n >= stats.binom.ppf(0.005, n_slides, 0.95), (what, n)


def test_kappa_and_its_error_are_the_published_ones():
    # Fleiss, Cohen & Everitt 1969, table 1 (the example of Cohen 1960): kappa .429, variance
    # .002885 at n = 200.
    found = cohen_kappa(
        200 * np.array([[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]])
    )
    assert found.value == pytest.approx(0.429, abs=5e-4)
    assert found.se**2 == pytest.approx(0.002885, abs=5e-6)
    assert found.low == pytest.approx(found.value - 1.96 * found.se, abs=1e-4)
    assert found.n == 200


def test_the_error_of_kappa_is_the_delta_method_on_the_multinomial():
    table = np.random.default_rng(2).integers(1, 30, (4, 4)).astype(float)
    n = table.sum()
    p = (table / n).ravel()

    def kappa(q):
        return cohen_kappa(1e9 * (q / q.sum()).reshape(4, 4)).value

    step = 1e-6
    slope = [(kappa(p + step * e) - kappa(p - step * e)) / (2 * step) for e in np.eye(16)]
    covariance = (np.diag(p) - np.outer(p, p)) / n
    assert cohen_kappa(table).se == pytest.approx(np.sqrt(slope @ covariance @ slope), rel=1e-5)


def test_kappa_is_one_nought_or_nothing():
    assert cohen_kappa(np.diag([5, 7])).value == 1
    assert cohen_kappa(np.outer([5, 5], [5, 5])).value == pytest.approx(0)
    assert np.isnan(cohen_kappa(np.diag([5, 0])).value)  # everybody always says the same
    assert np.isnan(cohen_kappa(np.zeros((0, 0))).value)


def test_kappa_of_one_phenotype_is_that_of_it_against_the_rest():
    sample = sample_of({"T": 10, "M": 10, "R": 10}, {"T": 900, "M": 100, "R": 50})
    said = read(sample, ("T", 9), ("R", 1), ("M", 7), ("R", 3), ("R", 10))
    table = by_name(agreement(sample, {"A": said}))
    against_rest = cohen_kappa(np.array([[10, 0], [4, 16]]))
    assert table.loc["R", "kappa"] == against_rest.value
    assert table.loc["R", "kappa_low"] == against_rest.low


def test_two_readers_are_compared_where_both_could_tell():
    other = {**SAID, 0: "M", 1: UNSURE}
    del other[2]
    found = agreement(SAMPLE, {"A": SAID, "B": other})
    between = found.between["A", "B"]
    assert between.n == 18
    assert between.value == cohen_kappa(np.array([[9, 0], [1, 8]])).value
    assert agreement(SAMPLE, {"A": SAID}).between == {}


def test_wilson_is_the_score_interval():
    low, high = wilson(7, 25)
    found = stats.binomtest(7, 25).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((found.low, found.high))
    assert wilson(0, 8)[0] == 0
    assert np.isnan(wilson(0, 0)).all()
