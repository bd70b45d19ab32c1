"""Where a segmenter's package and weights are, or one sentence that says where to put them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType

from macprox.errors import StudyError, reason_of
from macprox.segment.parameters import SegmentationParameters

# What the packages' own loaders raise for a file of another kind, version or architecture.
_NOT_LOADED = (RuntimeError, ValueError, TypeError, KeyError, OSError, EOFError, UnpicklingError)


def import_package(name: str, method: str) -> ModuleType:
    """Import what a method needs.

    Raises
    ------
    StudyError
        Saying what to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise StudyError(
            f"method = {method!r} needs the package {name.partition('.')[0]!r} ({error}); install "
            f"it with: pip install macprox[{method}]"
        ) from error


def find_weights(
    parameters: SegmentationParameters,
    stored: Sequence[Path],
    is_whole: Callable[[Path], bool],
    expected: str,
) -> Path:
    """The weights that the study names, or else those in the package's own store.

    Parameters
    ----------
    stored : sequence of Path
        Where the package keeps what it has downloaded; the first that is there is taken.
    is_whole : callable
        Whether a path holds weights.
    expected : str
        What weights are, for the message: ``"a folder with config.json and weights"``.

    Raises
    ------
    StudyError
        If there are none. Nothing is downloaded: a run must not depend on a network.
    """
    if parameters.model is not None:
        path = Path(parameters.model).expanduser()
        if not is_whole(path):
            raise StudyError(
                f"[segmentation] model names {str(path)!r}, which is not {expected}, as "
                f"method = {parameters.method!r} needs it."
            )
        return path
    found = next((path for path in stored if is_whole(path)), None)
    if found is None:
        raise StudyError(
            f"method = {parameters.method!r} has no weights here, and macprox downloads none: "
            f'name {expected} as [segmentation] model = "...", or put it at {stored[0]}.'
        )
    return found


def refuse_pickles(torch: ModuleType, path: Path) -> None:
    """Read weights that torch saved as tensors only; use inside `loading`.

    A pickle may run anything while it is read, and the packages' own loaders, and torch before
    version 2.6, read any.
    """
    torch.load(str(path), map_location="cpu", weights_only=True)


@contextmanager
def loading(path: Path, method: str) -> Iterator[None]:
    """Around the loading of weights: a file that is not the method's becomes one sentence.

    Raises
    ------
    StudyError
    """
    try:
        yield
    except _NOT_LOADED as error:
        raise StudyError(
            f"{str(path)!r} does not load as weights of {method!r} ({reason_of(error)}); give the "
            "file that this version of the package saved or downloaded."
        ) from error
