"""How the cohort's numbers were made, in paragraphs that can be pasted into a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from macprox.cohort.columns import ASSOCIATION, SURVIVAL
from macprox.printable import printable
from macprox.report import methods as slide_methods
from macprox.report.cohort.answer import as_sentence
from macprox.report.cohort.reading import NOT_BETWEEN_GROUPS, SavedCohort
from macprox.report.numbers import count_text, is_number
from macprox.report.rows import micrometres

if TYPE_CHECKING:
    from macprox.study import Study

NO_STUDY = "The parameters of the images' analysis were not saved beside this folder."


def paragraphs(cohort: SavedCohort) -> list[str]:
    """Images, then patients and tests."""
    return [
        " ".join(filter(None, (_software(cohort), *_images(cohort), _gates(cohort)))),
        " ".join(filter(None, (_patients(cohort), _primary(cohort), _tests(cohort),
                               _multiplicity(cohort), _seed(cohort)))),
    ]  # fmt: skip


def _software(cohort: SavedCohort) -> str:
    versions = {k: v for k, v in cohort.facts["versions"].items() if k != "macprox"}
    others = ", ".join(f"{printable(str(k))} {printable(str(v))}" for k, v in versions.items())
    version = printable(str(cohort.facts["macprox"]))
    return f"Slides were analysed with macprox {version}{f' ({others})' if others else ''}."


def _images(cohort: SavedCohort) -> list[str]:
    study = cohort.result.study
    if study is None:
        return [NO_STUDY]
    if study.cells_are_given:
        return [slide_methods.GIVEN_CELLS, slide_methods.proximity(study, _seeds(study))]
    blank = study.image.autofluorescence
    said = [slide_methods.segmentation(study)]
    if blank:
        said.insert(0, f"Autofluorescence, measured in the blank channel {blank}, was subtracted.")
    regions = study.regions
    if regions.tumour == "auto":
        said.append(
            "Where nobody drew it, the tumour region was delineated from the density of "
            f"tumour-marker cells (smoothing {regions.smoothing_um:g} µm, pieces from "
            f"{regions.min_area_um2:g} µm²)."
        )
    said.append(f"Its margin reaches {regions.margin_um:g} µm to either side.")
    rules = "; ".join(f"{name}: {rule}" for name, rule in study.phenotypes.items())
    said.append(f"Phenotypes were called by marker logic ({rules}).")
    return [*said, slide_methods.proximity(study, _seeds(study))]


def _seeds(study: Study) -> dict[str, int]:
    return {"seed": study.proximity.seed}


def _gates(cohort: SavedCohort) -> str:
    gates = cohort.facts["gates"]
    sure, open_ = gates.get("confirmed"), gates.get("unconfirmed")
    if not (is_number(sure) and is_number(open_)) or not sure + open_:
        return ""
    return (
        f"Of {count_text(sure + open_)} gates (a marker on a slide) {count_text(sure)} were set or "
        f"confirmed by a person and {count_text(open_)} left as automatic proposals."
    )


def _patients(cohort: SavedCohort) -> str:
    slides = [slide for slide in cohort.facts["slides"] if slide["used"]]
    left = len(cohort.facts["slides"]) - len(slides)
    return (
        f"The patient is the unit of inference ({len(cohort.patients)} patients, {len(slides)} "
        f"slides{f', {left} left out' if left else ''}). Cells give one number a lesion or slide; "
        "a patient's value is the mean over slides, weighted by the number of source cells."
    )


def _primary(cohort: SavedCohort) -> str:
    key = cohort.primary_key
    claim = cohort.claim(key.claim) if key else {}
    if key is None or not claim.get("estimand"):
        return ""
    null = micrometres(as_sentence(claim["null"])).rstrip(".")
    said = f"The primary quantity, declared beforehand, was: {as_sentence(claim['estimand'])}"
    return micrometres(said) + (f" Null: {null}." if null else "")


def _tests(cohort: SavedCohort) -> str:
    if not len(cohort.tests):
        return "No test was made."
    of_groups = cohort.tests[~cohort.tests["question"].isin(NOT_BETWEEN_GROUPS)]
    names = dict.fromkeys(test for test in of_groups["test"] if test)
    said = []
    if cohort.column is not None and names:
        groups = ", ".join(cohort.groups)
        said.append(
            f"Groups ({printable(str(cohort.column))}: {groups}) were compared by "
            f"{', '.join(map(printable, names))}, two-sided; effects are differences of means with "
            f"{100 * cohort.level:g} % intervals and Hedges g."
        )
    if (cohort.tests["question"] == SURVIVAL).any():
        said.append("Survival was related to the continuous value by Cox regression (Efron ties), "
                    "as a hazard ratio per standard deviation.")  # fmt: skip
    if (cohort.tests["question"] == ASSOCIATION).any():
        said.append("Association between patients was measured by Spearman's rank correlation, "
                    "within patients by the slope of a mixed model with a random intercept "
                    "per patient.")  # fmt: skip
    if (cohort.curves["kind"] == "difference").any():
        said.append("Curves were compared by a global rank envelope (extreme rank length; "
                    "Myllymäki et al. 2017) over permutations of patients.")  # fmt: skip
    return " ".join(said)


def _multiplicity(cohort: SavedCohort) -> str:
    if not cohort.tests["p_adjusted"].notna().any():
        return ""
    return (
        "One test was declared primary; p-values of the others were adjusted within each claim "
        "(false discovery rate after Benjamini and Hochberg 1995; Holm 1979 within pairwise "
        "comparisons of several groups)."
    )


def _seed(cohort: SavedCohort) -> str:
    seed = cohort.facts["seed"]
    return f"Random arrangements used seed {seed}." if is_number(seed) else ""


def definitions(cohort: SavedCohort) -> list[tuple[str, str]]:
    """Each word of the page in one or two sentences: (name, definition)."""
    level = f"{100 * cohort.level:g} %"
    return [
        ("Observed − expected", "The share of source cells with at least one target cell within r, "
         "minus the share that relabelling within each slide's strata expects. 0 is chance; it is "
         "not fooled by more macrophages or by where the tissue is."),
        ("pp", "Percentage points: from 31 % to 24 % is −7 pp."),
        ("log2", "A ratio on a scale where halving and doubling are equally far: +1 is twice, −1 "
         "half."),
        ("Patient's value", "Lesions of a slide, then slides of a patient, averaged with the "
         "number of source cells as weight. “Slides unweighted” counts every slide alike."),
        ("p", "How often a regrouping of the same patients gives a difference at least as large "
         "in size, were the groups alike. It is no probability of the hypothesis."),
        ("Smallest p", "The least that so many patients can give: 3 against 3 cannot fall below "
         "0.1."),
        ("p adjusted", "Corrected for the number of tests of its kind. Without it, one of twenty "
         "tests of nothing falls below 0.05."),
        ("Interval", f"Differences that these patients do not rule out, at {level}. It tells more "
         "than p: how large the difference may be, and how small."),
        ("Hedges g", "The difference in standard deviations between patients, corrected for few "
         "patients (Hedges 1981)."),
        ("Primary, exploratory", "The primary test was fixed before looking. All others are "
         "exploratory, however small their p."),
        ("Global envelope", "Where the whole curve of differences would lie if the groups did not "
         "differ, for all distances at once; its p belongs to the whole curve."),
        ("Hazard ratio", "How many times higher the risk is at any time for patients one standard "
         "deviation higher, were the ratio the same at all times."),
    ]  # fmt: skip
