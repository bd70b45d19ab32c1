"""What a user can get wrong, each with one sentence: expected, found, remedy.

Every class is a `MacproxError`, which the command line prints as one line (exit code 2),
and also the builtin it stands for, so that library users can catch either.
"""


class MacproxError(Exception):
    """A mistake or a limit that the message explains; anything else is a bug."""


class SlideError(MacproxError, ValueError):
    """A slide cannot be read: unknown format, damaged, truncated, inconsistent."""


class DamageError(SlideError):
    """A piece of a slide is there and does not decode.

    Attributes
    ----------
    place : str
        File, channel and piece, for lists.
    """

    def __init__(self, sentence: str, place: str = "") -> None:
        super().__init__(sentence)
        self.place = place


class ColourError(SlideError):
    """A colour picture where grey planes were expected."""


class PixelSizeError(MacproxError, ValueError):
    """Micrometres per pixel are missing, contradictory or anisotropic."""


class StudyError(MacproxError, ValueError):
    """study.toml is not valid: unknown key, wrong value, broken phenotype rule."""


class PanelError(MacproxError, ValueError):
    """The study names a channel that the slide does not have."""


class TableError(MacproxError, ValueError):
    """A table lacks a column, or holds values that cannot be what it says."""


class WindowError(MacproxError, ValueError):
    """An observation window is empty, or does not fit its cells."""


class CohortError(MacproxError, ValueError):
    """A table of patients cannot be compared: a column is missing, a patient stands in two rows."""


class ResultError(MacproxError, ValueError):
    """A result folder is missing, incomplete or was written by something else."""


def shortened(text: str, most: int = 80) -> str:
    """What a stranger wrote, fit to stand in a sentence of ours: one printable line, not long.

    Examples
    --------
    >>> shortened("CD68\x1b[31m")
    'CD68\\x1b[31m'
    >>> shortened("a" * 1000, most=8)
    'aaaaaaa…'
    """
    line = " ".join(part.strip() for part in text[: 4 * most].splitlines())
    seen = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)
    return seen if len(seen) <= most and len(text) <= 4 * most else seen[: most - 1] + "…"


def reason_of(error: BaseException) -> str:
    """What another library says of a failure, for the brackets in a sentence of ours."""
    return shortened(str(error), most=200).rstrip(". ") or type(error).__name__
