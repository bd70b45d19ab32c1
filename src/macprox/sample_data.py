"""Where the sample slides are: beside the source, or simulated again from the same seeds."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2] / "sample_data"


def sample_folder(out: Path) -> Path:
    """A folder with ``slides/``, ``study.toml`` and ``samples.csv``.

    Parameters
    ----------
    out : Path
        An installation without a checkout has no sample slides; they are simulated here, from
        the same seeds, which takes about half a minute.
    """
    if (CHECKOUT / "study.toml").exists():
        return CHECKOUT
    made = out / "sample_data"
    if not (made / "study.toml").exists():
        from macprox.simulate import write_cohort

        write_cohort(made)
    return made
