"""Delimited text as tools write it: any separator, point or comma decimals, any compression."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from macprox.errors import TableError, reason_of, shortened
from macprox.io.packed import TORN, ZIP, SeveralFilesError, open_unpacked, read_unpacked

_SUFFIXES = re.compile(r"\.(csv|tsv|txt|gz|zip|parquet|h5ad|zarr|geojson|json)$", re.IGNORECASE)
_INFORM_SUFFIX = re.compile(r"_cell_seg_data$", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=(.)"?[\s;,]*', re.IGNORECASE)
_SAMPLE_BYTES = 1 << 16
IMAGE_NUMBER = "ImageNumber"
_BINARY = {
    b"\x89HDF": "an HDF5 file (.h5ad?)",
    ZIP: "a zip archive (.xlsx?)",
    b"FCS2": "an FCS file",
    b"FCS3": "an FCS file",
}


@dataclass(frozen=True)
class Header:
    """What the first line of a text table says."""

    path: Path
    columns: tuple[str, ...]
    separator: str
    encoding: str
    n_before: int = 0  # lines before it: Excel's "sep=;"
    has_row_names: bool = False  # R's rows begin with a name that its header leaves out
    markers: tuple[str, ...] = ()  # columns that are intensities for certain: AnnData's variables

    def find(self, *names: str) -> str | None:
        """The column of one of these names, first come; see `plain`."""
        by_plain: dict[str, str] = {}
        for column in self.columns:
            by_plain.setdefault(plain(column), column)
        return next((by_plain[name] for name in names if name in by_plain), None)


def plain(name: str) -> str:
    """A column's name without what other tools change: case, punctuation, the micro sign.

    Examples
    --------
    >>> plain("Centroid X µm"), plain("Centroid.X.um"), plain("Cell.X.Position")
    ('centroid x um', 'centroid x um', 'cell x position')
    """
    # the micro sign, Greek mu, and the micro sign of a UTF-8 file that was read as Latin-1
    spelled = re.sub("Â?µ|μ", "u", name)
    return re.sub(r"[^0-9a-z]+", " ", spelled.lower()).strip()


def table_stem(path: Path) -> str:
    """A table's name without extensions and without what inForm appends."""
    name = path.name
    while _SUFFIXES.search(name):
        name = _SUFFIXES.sub("", name)
    return _INFORM_SUFFIX.sub("", name) or path.name


def read_start(path: Path, n_bytes: int = 64) -> bytes:
    """The first bytes of a file, uncompressed.

    Raises
    ------
    TableError
        If there is no such file, or it cannot be read.
    """
    try:
        with _open(path) as file:
            return file.read(n_bytes)
    except FileNotFoundError:
        raise TableError(f"There is no table {path}.") from None
    except TORN as error:
        raise TableError(f"{path} cannot be read: {reason_of(error)}.") from None


def read_header(path: Path) -> Header:
    """Separator, encoding and column names of a text table.

    Raises
    ------
    TableError
        If there is no such file, it is empty, or it is not text.
    """
    try:
        with _open(path) as file:
            first = file.readline()
            said = _SEPARATOR_LINE.fullmatch(first)
            first = file.readline() if said else first
            sample = file.readline() + file.read(_SAMPLE_BYTES)
    except FileNotFoundError:
        raise TableError(f"There is no table {path}.") from None
    except TORN as error:
        raise TableError(f"{path} cannot be read: {reason_of(error)}.") from None
    if first[:4] in _BINARY or b"\0" in first:
        what = _BINARY.get(first[:4], "a binary file")
        raise TableError(f"{path} is {what}; expected CSV, TSV or Parquet. Export it as CSV.")
    if not first.strip():
        raise TableError(f"{path} is empty; expected a table with a header line.")
    encoding = "utf-8-sig"
    try:
        (first + sample).decode(encoding)
    except UnicodeDecodeError as error:
        # a character that the sample's end cuts in two is no evidence
        if error.start < len(first + sample) - 4 or len(sample) < _SAMPLE_BYTES:
            encoding = "latin-1"  # QuPath and Excel on older Windows
    line = first.decode(encoding).rstrip("\r\n")
    separator = "\t" if "\t" in line else ";" if line.count(";") > line.count(",") else ","
    if said:
        separator = said[1].decode()
    try:
        columns = next(csv.reader([line], delimiter=separator))
        second = sample.decode(encoding, errors="replace").partition("\n")[0].rstrip("\r")
        after = next(csv.reader([second], delimiter=separator), [])
    except csv.Error as error:
        raise TableError(f"{path} has a damaged header: {reason_of(error)}.") from None
    columns = [name.strip() for name in columns]
    n_before = int(bool(said))
    if IMAGE_NUMBER in after and IMAGE_NUMBER not in columns:
        columns, n_before = _of_two_rows(columns, after), n_before + 1
    is_r = len(after) == len(columns) + 1 and second[:1] in "\"'0123456789"
    return Header(path, tuple(columns), separator, encoding, n_before, is_r)


def _of_two_rows(objects: list[str], names: list[str]) -> list[str]:
    """CellProfiler's merged objects: a row of objects above the row of their measurements."""
    return [
        name if obj in ("", "Image") or name in (IMAGE_NUMBER, "ObjectNumber") else f"{obj}_{name}"
        for obj, name in zip(objects, (name.strip() for name in names), strict=False)
    ]


def read_columns(header: Header, columns: Sequence[str]) -> pd.DataFrame:
    """Only these columns, as text (an id keeps its leading zeros), missing values as NaN."""
    asked = list(dict.fromkeys(columns))
    names = [*(["(row)"] if header.has_row_names else []), *header.columns]
    places = [names.index(name) for name in asked]
    try:
        with _open(header.path) as file:
            table = pd.read_csv(
                file,
                encoding=header.encoding,
                sep=header.separator,
                header=None,
                skiprows=header.n_before + 1,
                names=range(len(names)),
                usecols=places,
                dtype=str,
                skipinitialspace=True,
                index_col=False,
            )
        return table[places].set_axis(asked, axis="columns").astype(object)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=asked, dtype=object)
    except (pd.errors.ParserError, UnicodeDecodeError, *TORN) as error:
        raise TableError(f"{header.path} is damaged: {reason_of(error)}.") from None


def numbers(values: pd.Series, path: Path) -> np.ndarray:
    """Text with point or comma decimals as floats; what is missing becomes NaN.

    Raises
    ------
    TableError
        Naming the first value that is no number.
    """
    text = values.astype("string").str.strip()
    has_comma = text.str.contains(",", regex=False, na=False)
    both = has_comma & text.str.contains(".", regex=False, na=False)
    text = text.str.replace(",", ".", regex=False)
    found = pd.to_numeric(text, errors="coerce")
    wrong = (found.isna() & text.notna() & (text != "")) | both
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy(dtype=bool))[0])
        raise TableError(
            f"{path}: column {shortened(repr(values.name))} should hold numbers, but row "
            f"{row + 2} has {shortened(repr(values.iloc[row]))}."
        )
    # Not `found` itself: before 3.0, pandas rounds one number in seven in its last bit.
    values_read = np.full(len(text), np.nan)
    known = found.notna().to_numpy(dtype=bool)
    values_read[known] = text.to_numpy(dtype=object)[known].astype(float)
    return values_read


def read_bytes(path: Path) -> bytes:
    """A whole file, uncompressed.

    Raises
    ------
    TableError
        If it is torn, or too large to be unpacked.
    """
    try:
        return read_unpacked(path)
    except (ValueError, *TORN) as error:
        raise TableError(f"{path} is damaged: {reason_of(error)}.") from None


def _open(path: Path) -> IO[bytes]:
    try:
        return open_unpacked(path)
    except SeveralFilesError:  # a workbook, which is refused by its first bytes
        return path.open("rb")
