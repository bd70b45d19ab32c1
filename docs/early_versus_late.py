"""Early versus late lung lesions, in a script: from simulated slides to the cohort's page.

The same walk as docs/early_versus_late.md, cell by cell (# %%), for an editor that runs cells or
for ``python early_versus_late.py``. What is there already is not computed again.
"""

# %% Eight patients, four early and four late; their truth is written beside the slides
from pathlib import Path

import pandas as pd

import macprox as mp

HERE = Path("early_late")
slides = mp.simulate.write_cohort(HERE, seed=7, size_px=(1024, 1024), n_patients=8)
samples = pd.read_csv(HERE / "samples.csv")
print(samples)

# %% Pixels to cells to statistics, one folder a slide
results = mp.run(slides, HERE / "study.toml", out=HERE / "results")
for result in results:
    counts = result.manifest["counts"]["by_phenotype"]
    print(result.slide_id, counts.get("AM/TRM-like", 0), counts.get("Mo-mac-like", 0))

# %% Patients: one value each, groups compared; writes early_late/results/cohort/report.html
found = mp.run_cohort(HERE / "results", samples=HERE / "samples.csv", groups=("early", "late"))
answer = found.tests("C1").query("primary == 1").iloc[0]
print(
    f"{answer['source']} cells with {answer['target']} within {answer['r_um']:g} um, "
    f"observed minus expected: {answer['contrast']} = {answer['effect']:+.3f} "
    f"({answer['ci_low']:+.3f} to {answer['ci_high']:+.3f}), p = {answer['p']:.3f}, "
    f"{answer['n_patients']:.0f} patients; with so many p cannot fall below {answer['p_min']:.3f}"
)

# %% The claims: one table and one figure each
between = found.tests().query("question == 'between groups'")
print(between.query("claim == 'C2'")[["statistic", "source", "effect", "ci_low", "ci_high", "p"]])
print(between.query("claim == 'C3' and region == 'tumour tissue'")[["effect", "p"]])
for claim in ("C1", "C2", "C3"):
    mp.cohort_figure(found, claim).save(HERE / f"{claim}.png")

# %% Is it true? The share of resident macrophages around the tumour, as simulated and as measured
truth = pd.concat(
    pd.read_csv(HERE / "truth" / f"{row.slide_id}_truth.csv").assign(group=row.group)
    for row in samples.itertuples()
)
near = truth[(truth["tumour_border_distance_um"] < 100) & (truth["compartment"] != "airspace")]
lineages = near[near["phenotype"].isin(["AM/TRM-like", "Mo-mac-like"])]
simulated = lineages.groupby("group")["phenotype"].apply(lambda p: (p == "AM/TRM-like").mean())
shares = found.values().query("statistic == 'lineage_share' and region == 'tumour tissue'")
measured = shares.merge(found.patients()[["patient", "group"]]).groupby("group")["value"].mean()
compared = pd.DataFrame({"simulated": simulated, "measured": measured})
print(compared.round(2))
