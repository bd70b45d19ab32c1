"""The cohort's report: what is said, what is drawn, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html import unescape
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cohort_folders
from cohort_folders import MDM, TRM, Cohort
from macprox.cohort.columns import AGAINST_NOTHING, KEY
from macprox.cohort.sample_size import POOLED
from macprox.cohort_results import TABLES, open_cohort
from macprox.errors import ResultError
from macprox.phenotype import colours
from macprox.report import style
from macprox.report.cohort import answer, cohort_figure, write_cohort_report
from macprox.report.cohort.answer import verdict
from macprox.report.cohort.dots import swarm
from macprox.report.cohort.doubts import doubts
from macprox.report.cohort.fieldmap import TOPICS
from macprox.report.cohort.figures import claim_plates, shared_plates
from macprox.report.cohort.methods import paragraphs
from macprox.report.cohort.people import safe_link
from macprox.report.cohort.plate import GROUP_COLOURS, contrast_label
from macprox.report.cohort.quantities import Key, quantity
from macprox.report.cohort.reading import SavedCohort, natural
from macprox.report.cohort.tables import power_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STUDY = """
[image]
nucleus = "DAPI"
[phenotypes]
"Tumour" = "panCK+ CD68-"
"AM/TRM-like" = "CD68+ MARCO+ panCK-"
"Mo-mac-like" = "CD68+ CD14+ panCK-"
[markers.CD68]
[proximity]
macrophages = ["AM/TRM-like", "Mo-mac-like"]
"""


def saved(cohort: Cohort, results, study: bool = True, without: tuple[str, ...] = ()):
    folder = cohort.write(results, without)
    if study:
        (results / "study.toml").write_text(STUDY, encoding="utf-8")
    return open_cohort(folder)


def changed(result, table: str, change):
    """The same folder after a table was rewritten by ``change``."""
    path = result.path / f"{table}.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    return open_cohort(result.path)


def facts_changed(result, **facts):
    path = result.path / "cohort.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | facts), encoding="utf-8")
    return open_cohort(result.path)


def page_of(result) -> str:
    return write_cohort_report(result, result.path / "report.html").read_text(encoding="utf-8")


def lead_of(result) -> str:
    return words(" ".join(answer.lead(SavedCohort(result))))


def doubts_of(result) -> str:
    return words(" ".join(doubts(SavedCohort(result))))


def one_claim(result, name: str = "C1"):
    """The same folder asked for one claim: a page that costs little."""
    return facts_changed(result, claims=[{"id": name, "title": "Nearby"}])


def words(html: str) -> str:
    """The page's text as read: no tags, one kind of space."""
    text = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|svg).*?</\1>", " ", html))
    return re.sub(r"\s+", " ", unescape(text))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return saved(Cohort(), tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(result) -> str:
    return page_of(result)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    made = saved(cohort_folders.hostile(), tmp_path_factory.mktemp("hostile"))
    claims = [c for c in made.facts["claims"] if c["id"] in ("C1", "C3", "C7")]
    made = facts_changed(made, claims=claims)
    write_cohort_report(made, made.path / "report.html")
    return made


@pytest.fixture
def fresh(result, tmp_path):
    """The same tables in a folder of their own, to be changed."""
    ignored = shutil.ignore_patterns("figures", "report.html")
    shutil.copytree(result.path.parent, tmp_path / "results", ignore=ignored)
    return open_cohort(tmp_path / "results")


def first_test(result) -> pd.Series:
    tests = result.tests()
    return tests[tests["primary"] == 1].iloc[0]


# -- the answer ----------------------------------------------------------------------------


def test_the_answer_is_the_primary_test_s_row(result, page):
    row, tests = first_test(result), result.tests()
    same = (tests["source"] == "Tumour") & (tests["target"] == TRM) & (tests["r_um"] == 20)
    seen, expected = (tests[same & (tests["statistic"] == s)].iloc[0] for s in ("g", "g_expected"))
    points = [f"{100 * row[c]:+.1f}".replace("-", "−") for c in ("effect", "ci_low", "ci_high")]
    text = words(page)
    assert (
        "Share of tumour cells with at least one AM/TRM-like macrophage within 20 µm, mean over "
        f"patients: early (n = 8): {100 * seen['mean_first']:.0f} % seen, "
        f"{100 * expected['mean_first']:.0f} % expected" in text
    )
    assert (
        f"Difference, late − early: {points[0]} percentage points (95 % interval {points[1]} to "
        f"{points[2]}); p < 0.001, studentised permutation, all 12,870 arrangements, smallest "
        "attainable p 0.00016." in text
    )
    assert "The data speak for a difference: lower in late than in early;" in text


def test_no_evidence_is_said_plainly_and_is_no_evidence_of_absence(tmp_path):
    lead = lead_of(saved(Cohort(effect=0.0, seed=3), tmp_path))
    assert "This does not show a difference. Absence of evidence is not evidence of abs" in lead
    assert "are compatible with these patients" in lead
    assert "speak for" not in lead


def test_a_study_that_could_not_have_shown_anything_says_so(tmp_path):
    arms = {"early": 3, "late": 3}
    made = saved(Cohort(arms=arms, effect=0.0), tmp_path)
    told = "and could not have: with so few patients p cannot fall below 0.1."
    assert told in lead_of(made)
    assert "With 3 and 3 patients p cannot fall below 0.1, whatever is true." in doubts_of(made)


def test_two_patients_in_an_arm_give_points_and_no_p(tmp_path):
    text = lead_of(saved(cohort_folders.few(), tmp_path))
    assert "2 patients in the second group: 3 are the least for a test; the points stand." in text
    assert "No difference is shown or excluded." in text
    assert "(no interval)" in text


def test_without_groups_the_values_stand_and_nothing_is_compared(tmp_path):
    made = one_claim(saved(cohort_folders.ungrouped(), tmp_path))
    text = words(page_of(made))
    assert "There is no answer between patients. No group was asked for" in text
    assert "P9" in text
    assert (made.path / "figures" / "C1-patients.svg").exists()
    assert "late −" not in text


def test_the_word_significant_is_never_used(page):
    assert "significant" not in words(page).lower()


def test_the_verdict_follows_p_and_interval_together(result):
    cohort = SavedCohort(result)
    row = first_test(result).to_dict()
    assert "speak for a difference" in verdict(cohort, row)  # control
    across = row | {"ci_low": -0.2, "ci_high": 0.01}
    assert "does not show" in verdict(cohort, across)
    assert "does not show" in verdict(cohort, row | {"p": 0.2})
    many = row | {"primary": 0.0, "p_adjusted": 0.09}
    told = "Corrected for the number of tests of its kind (adjusted p = 0.090)"
    assert told in verdict(cohort, many)
    assert "speak for" in verdict(cohort, many | {"p_adjusted": 0.01})


def test_groups_tested_against_chance_by_themselves_are_told_first(fresh):
    def alone(tests):
        row = tests[tests["primary"].astype(bool)].iloc[0].to_dict()
        row |= {"contrast": "early - 0", "n_second": np.nan, "mean_second": np.nan,
                "primary": False, "test": "sign flip", "question": AGAINST_NOTHING,
                "effect": 0.09, "ci_low": 0.07, "ci_high": 0.11, "p": 0.008}  # fmt: skip
        return pd.concat([tests, pd.DataFrame([row])], ignore_index=True)

    text = lead_of(changed(fresh, "tests", alone))
    told = "Against chance, early: +9.0 percentage points (95 % interval +7.0 to +11.0)"
    assert text.index(told) < text.index("Difference, late − early")


# -- doubts --------------------------------------------------------------------------------


def test_doubts_stand_before_the_numbers(page):
    text = words(page)
    doubts = text[text.index("What speaks against trusting it") : text.index(" Who Group ")]
    assert "2 slides red (whose headline should not be read) in the numbers: P1a, P11a." in doubts
    assert "6 of 16 gates are proposals that nobody has confirmed" in doubts
    assert "1 slide left out: P4a" in doubts
    assert "Slide P99 is in the sample sheet and was not run." in doubts
    assert "further tests are exploratory" in doubts


def test_an_answer_that_turns_with_a_choice_is_called_so(fresh):
    assert "changes its sign" not in doubts_of(fresh)  # control

    def turned(table):
        gate = (table["what"] == "MARCO") & (table["change"] > 0)
        return table.assign(effect=table["effect"].where(~gate, -table["effect"]))

    text = doubts_of(changed(fresh, "sensitivity", turned))
    assert "The difference changes its sign under: MARCO gate +10 %." in text


def test_a_claim_that_could_not_be_asked_says_why(fresh):
    claims = json.loads((fresh.path / "cohort.json").read_text("utf-8"))["claims"]
    claims[3] |= {"id": "C8", "reason": "the study has no phenotype of regulatory T cells"}
    text = words(page_of(facts_changed(fresh, claims=claims[3:4])))
    assert text.count("The study has no phenotype of regulatory T cells.") == 2
    assert "C8 could not be asked" in text
    assert "This could not be asked." in text


# -- tables --------------------------------------------------------------------------------


def test_every_test_of_every_claim_stands_in_a_table(result, page):
    tests = result.tests()
    for claim, n in tests.groupby("claim").size().items():
        section = page[page.index(f'<section id="{claim}"') :]
        section = section[: section.index("</section>")]
        tables = re.findall(r'(?s)<table class="full tests">.*?</table>', section)
        found = sum(len(re.findall(r"<tr><td", table)) for table in tables)
        assert found == n, claim


def test_a_dash_has_its_reason_below_the_table(page):
    section = page[page.index('<section id="C7"') :]
    assert "The model did not converge." in section[: section.index("</section>")]


def test_slides_left_out_are_listed_with_reason_and_link(page):
    assert 'href="../slides/P4a/report.html"' in page
    assert "left out: No tumour region on this slide." in words(page)
    assert "0.400 (tissue fold 0.300, out of focus 0.100)" in words(page)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "//elsewhere/x", "/etc/passwd", "https://a.b", "data:text/html,x"],
)
def test_a_link_that_leads_away_is_dropped(link):
    assert safe_link("../slides/a b/report.html") == "../slides/a%20b/report.html"  # control
    assert safe_link(link) == ""


def test_slides_without_a_number_are_counted_by_reason(page):
    # The unit is printed as it is read, and three rows of one reason are one line.
    assert "3 slides: No tumour region: nowhere do tumour-marker cells fill 5,000 µm²." in words(
        page
    )


def test_power_is_read_off_the_saved_table(result):
    table = power_table(SavedCohort(result))
    saved_rows = result.power()
    for line, size in zip(table.rows, (0.5, 0.8, 1.2, 1.5), strict=True):
        rows = saved_rows[(saved_rows["effect_size"] == size) & (saved_rows["spread"] == POOLED)]
        n = rows.loc[rows["power"] >= 0.8, "n_per_arm"].min()
        assert line[1].text == f"{n:.0f}"
    assert table.rows[0][2].text == "more than 80"


# -- methods, reporting --------------------------------------------------------------------


def test_methods_name_software_nulls_tests_and_seed(page):
    text = words(re.search(r"(?s)<blockquote>.*?</blockquote>", page)[0])
    for told in (
        "macprox 0.4.0 (numpy 2.2.0, scipy 1.15.0)", "Nuclei were segmented on DAPI",
        "Of 16 gates (a marker on a slide) 10 were set or confirmed by a person and 6 left",
        "exact relabelling of macrophages", "The patient is the unit of inference",
        "Groups (stage: early, late) were compared by studentised permutation, two-sided",
        "Cox regression", "Benjamini and Hochberg", "seed 0",
    ):  # fmt: skip
        assert told in text


def test_methods_stand_without_a_study(tmp_path):
    text = " ".join(paragraphs(SavedCohort(saved(Cohort(), tmp_path, study=False))))
    assert "The parameters of the images' analysis were not saved beside this folder." in text


def test_what_macprox_does_not_record_must_be_stated(page):
    unknown = [topic for topic in TOPICS if not topic.where]
    assert len(unknown) >= 5
    assert words(page).count("not recorded by macprox: you must state it") == len(unknown)
    assert "so there are no item numbers" in words(page)


# -- what is absent ------------------------------------------------------------------------


def test_the_page_stands_without_any_table(tmp_path):
    made = saved(Cohort(), tmp_path, without=tuple(TABLES))
    text = words(page_of(made))
    assert "There is no answer between patients." in text
    assert "No patient was saved." in text
    assert "No power was computed" in text
    assert "macprox sensitivity results --no-pixels" in text
    assert list((made.path / "figures").iterdir()) == []


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"measures"}))
def test_each_table_may_be_absent(table, tmp_path):
    made = saved(Cohort(arms={"early": 3, "late": 3}), tmp_path, without=(table,))
    assert len(getattr(made, table)()) == 0
    cohort = SavedCohort(made)
    plates = [p for claim in cohort_folders.TITLES for p in claim_plates(cohort, claim)]
    assert all(len(plate.data) for plate in [*plates, *shared_plates(cohort)])
    assert lead_of(made)
    assert doubts_of(made)


def test_numbers_that_are_all_missing_draw_nothing_and_say_so(fresh):
    made = changed(fresh, "values", lambda t: t.assign(value=np.nan))
    made = changed(made, "curves", lambda t: t.iloc[:0])
    made = one_claim(made)
    text = words(page_of(made))
    assert "No patient has a number that could be drawn." in text


# -- figures -------------------------------------------------------------------------------


def test_every_figure_is_saved_with_its_numbers(result, page):
    folder = result.path / "figures"
    names = {path.stem for path in folder.iterdir()}
    assert {"C1-patients", "C1-curve", "C2-curve", "C3-places", "C3-pairs", "C4-pairs",
            "C5-patients", "C6-patients", "C7-lesions", "table-patients", "sensitivity", "power",
            "hazard-ratio", "kaplan-meier"} <= names  # fmt: skip
    for name in names:
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert ET.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
        assert len(pd.read_csv(folder / f"{name}.csv"))
        assert f'href="figures/{name}.svg"' in page


def test_a_figure_s_numbers_are_the_saved_ones(result):
    data = cohort_figure(result, "C1").data
    drawn = data[(data["drawn"] == "patient") & (data["target"] == TRM)]
    values = result.values()
    chosen = (values["statistic"] == "g_excess") & (values["target"] == TRM)
    expected = values[chosen & (values["r_um"] == 20) & (values["claim"] == "C1")]
    assert sorted(drawn["value"]) == sorted(expected["value"])
    assert set(data.loc[data["drawn"] == "test", "contrast"]) == {"late - early"}


def test_figures_of_an_earlier_answer_are_gone(tmp_path):
    made = saved(cohort_folders.few(), tmp_path, without=tuple(set(TABLES) - {"power"}))
    old = made.path / "figures" / "C9-old.svg"
    old.parent.mkdir()
    old.touch()
    page_of(made)
    assert not old.exists()
    assert (made.path / "figures" / "power.pdf").exists()


def test_a_page_elsewhere_leaves_the_figures_of_others_alone(tmp_path):
    made = saved(cohort_folders.few(), tmp_path / "results", without=tuple(TABLES))
    theirs = tmp_path / "figures" / "mine.svg"
    theirs.parent.mkdir()
    theirs.touch()
    write_cohort_report(made, tmp_path / "page.html")
    assert theirs.exists()


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_one_figure_is_saved_by_its_suffix(ending, result, tmp_path):
    path = cohort_figure(result, "C1-curve").save(tmp_path / f"curve.{ending}")
    assert path.stat().st_size > 1000


def test_an_unknown_figure_or_ending_is_refused_with_what_there_is(result, tmp_path):
    with pytest.raises(ResultError, match=r"no figure 'C9'.*expected one of C1-patients, C1-curve"):
        cohort_figure(result, "C9")
    with pytest.raises(ResultError, match=r"saved as .svg, .pdf, .png; found 'a.gif'"):
        cohort_figure(result, "C1").save(tmp_path / "a.gif")


def test_the_difference_s_axis_floats_at_the_first_group_s_mean(result):
    plate = cohort_figure(result, "C1")
    row = first_test(result)
    with style.drawing(*plate.size_in) as figure:
        plate.draw(figure)
        dots, beside = figure.subfigs[0].axes[:2]
        shift = np.subtract(dots.get_ylim(), beside.get_ylim())
    assert shift == pytest.approx([row["mean_first"]] * 2)


@pytest.mark.parametrize("n_groups", [3, 6])
def test_any_number_of_groups_is_drawn(n_groups, tmp_path):
    arms = {f"stage {i} with a long name": 4 for i in range(n_groups)}
    cohort = SavedCohort(saved(Cohort(arms=arms), tmp_path))
    plates = [p for claim in ("C1", "C3", "C4") for p in claim_plates(cohort, claim)]
    assert [p.name for p in plates] == ["C1-patients", "C1-curve", "C3-places", "C3-pairs",
                                        "C4-pairs"]  # fmt: skip
    for plate in plates[:1] + plates[2:4]:
        plate.save(tmp_path / f"{plate.name}.png")  # a layout that collapses warns, and fails here


@pytest.mark.slow
def test_two_hundred_patients_are_drawn(tmp_path):
    cohort = SavedCohort(saved(Cohort(arms={"early": 100, "late": 100}), tmp_path))
    (first, *_) = claim_plates(cohort, "C1")
    first.save(tmp_path / "a.png")
    assert (first.data["drawn"] == "patient").sum() == 400


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.permutations(range(60)))
def test_no_mark_hides_another_while_there_is_room(numbers, order):
    values = np.array(numbers)
    aside = swarm(values, mark=0.05, width=0.085, reach=10.0)
    for i in range(len(values)):
        near = np.abs(values - values[i]) < 0.05
        near[i] = False
        assert not np.any(np.abs(aside[near] - aside[i]) < 0.98 * 0.085)
    within = swarm(values, mark=0.05, width=0.085, reach=0.28)
    assert np.max(np.abs(within)) <= 0.28


def test_group_colours_differ_in_lightness_and_from_every_phenotype():
    first, second = (lab(colour) for colour in GROUP_COLOURS[:2])
    assert abs(first[0] - second[0]) > 30  # grey prints and dichromats
    phenotypes = [colours.TUMOUR_COLOUR, *colours.MACROPHAGE_COLOURS, *colours.OTHER_COLOURS]
    for colour in GROUP_COLOURS[:2]:
        assert min(np.linalg.norm(lab(colour) - lab(other)) for other in phenotypes) > 20


def lab(colour: str) -> np.ndarray:
    from skimage.color import rgb2lab

    return rgb2lab([[[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]]])[0, 0]


def test_long_contrasts_keep_both_names():
    assert contrast_label("early", "late", 20) == "late − early"
    assert contrast_label("a" * 50, "b" * 50, 20) == f"{'b' * 19}… −\n{'a' * 19}…"


def test_numbers_are_printed_in_their_unit():
    assert quantity("g_excess").difference(-0.0914) == "−9.1\u00a0pp"
    assert quantity("g").value(0.314) == "31\u00a0%"
    assert quantity("log2_ratio").value(-0.42) == "−0.42"
    assert quantity("density_per_mm2").difference(14.13) == "+14.1\u00a0per mm²"
    assert quantity("nearest_mean_um").value(31.44) == "31.4\u00a0µm"
    assert quantity("g_excess").value(float("nan")) == "–"


def test_patients_are_listed_in_the_order_people_count():
    assert sorted(["P10", "P2", "007", "a"], key=natural) == ["007", "a", "P2", "P10"]


def test_a_key_knows_no_radius_from_a_radius():
    row = dict.fromkeys(KEY, "") | {"r_um": float("nan")}
    assert Key.of(row) == Key.of(row)  # NaN itself equals nothing
    assert Key.of(row | {"r_um": 0}) != Key.of(row)


# -- names that somebody made up -----------------------------------------------------------


def test_hostile_names_are_text_everywhere(hostile):
    html = hostile.report.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<i>P</i>" not in html
    text = words(html)
    assert "Difference, =late - early" in text
    assert "lower in =late - early" in text
    for path in (hostile.path / "figures").glob("*.svg"):
        tree = ET.parse(path)
        assert not [e for e in tree.iter() if e.tag.endswith(("script", "}i"))]
    exported = pd.read_csv(hostile.path / "figures" / "C1-patients.csv")
    assert exported["target"].isin(["'@import"]).any()


def test_group_names_longer_than_a_line_are_still_compared(hostile):
    cohort = SavedCohort(hostile)
    (key, *_) = cohort.keys("C1", "g_excess")
    assert cohort.between(key, *cohort.groups) is not None


# -- the folder ----------------------------------------------------------------------------


def test_a_folder_without_facts_is_refused_with_what_makes_it(tmp_path):
    with pytest.raises(ResultError, match=r"it has no cohort.json. Expected the folder"):
        open_cohort(tmp_path)
    made = saved(Cohort(), tmp_path / "results")
    assert open_cohort(tmp_path / "results").path == made.path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds no table of facts"),
        ('{"slides": {}}', "'slides' is {}; expected a list"),
        ('{"claims": [1]}', "'claims' lists something else than tables"),
        ('{"roles": []}', r"'roles' is \[\]; expected a table"),
        ('{"level": "high"}', "'level' is 'high'; expected a number between 0 and 1"),
    ],
)
def test_damaged_facts_are_refused_by_name(content, said, fresh):
    (fresh.path / "cohort.json").write_text(content, encoding="utf-8")
    with pytest.raises(ResultError, match=rf"cohort.json.*{said}"):
        open_cohort(fresh.path).facts  # noqa: B018
    with pytest.raises(ResultError, match="Run `macprox cohort` again"):
        open_cohort(fresh.path).facts  # noqa: B018


def test_a_damaged_table_is_refused_by_name(fresh):
    (fresh.path / "tests.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ResultError, match=r"tests.parquet is damaged.*Run `macprox cohort` again"):
        fresh.tests()


def test_columns_that_are_not_there_are_empty(fresh):
    made = changed(fresh, "tests", lambda t: t[["claim", "statistic", "p"]])
    tests = made.tests()
    assert set(tests["reason"]) == {""}
    assert tests["effect"].isna().all()


# -- a browser -----------------------------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.usefixtures("page")
def test_a_browser_shows_and_prints_without_network_or_overflow(result, hostile, tmp_path):
    from playwright.sync_api import sync_playwright

    seen = SimpleNamespace(complaints=[], requests=[])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        view = browser.new_page(viewport={"width": 1200, "height": 900})
        view.on("console", lambda message: seen.complaints.append(message.text))
        view.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
        view.on("request", lambda request: seen.requests.append(request.url))
        for cohort in (result, hostile):
            view.goto(cohort.report.as_uri())
            width = view.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert width <= 0
            ids = view.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
            assert len(ids) == len(set(ids))  # figures share one document
            cut = view.evaluate(
                "[...document.querySelectorAll('.table')]"
                ".filter(e => e.scrollWidth > e.clientWidth + 1).length"
            )
            assert cut == 0
        view.emulate_media(media="print")
        view.set_viewport_size({"width": 695, "height": 1000})  # A4 within its margins
        view.goto(result.report.as_uri())
        tallest = view.evaluate(
            "Math.max(...[...document.querySelectorAll('.plate')].map(e => e.clientHeight))"
        )
        shown = view.evaluate("document.querySelector('table.slides').clientHeight")
        wide = view.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        view.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True, print_background=True)
        browser.close()
    assert seen.complaints == []
    assert set(seen.requests) == {result.report.as_uri(), hostile.report.as_uri()}
    assert tallest < 980  # a figure with its caption fits on one page
    assert shown > 100  # what is folded on screen is there on paper
    assert wide <= 0
    assert (tmp_path / "page.pdf").stat().st_size > 50_000


def test_the_same_tables_give_the_same_page(tmp_path):
    few = saved(cohort_folders.few(), tmp_path, without=("curves", "lesions", "power"))
    made = one_claim(few, "C5")
    assert page_of(made) == page_of(made)


def test_reading_a_cohort_draws_nothing():
    code = "import sys, macprox.cohort_results; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_shared_figures_need_their_tables(tmp_path):
    made = saved(Cohort(), tmp_path, without=("sensitivity", "power", "kaplan_meier"))
    assert [plate.name for plate in shared_plates(SavedCohort(made))] == ["hazard-ratio"]
    assert MDM != TRM
