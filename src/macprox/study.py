"""`Study`: everything a user decides, as one frozen value; study.toml is its written form."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macprox import study_toml
from macprox.celltable import AMBIGUOUS, OTHER, slugs
from macprox.cohort.parameters import CohortParameters
from macprox.errors import PanelError, StudyError, TableError
from macprox.phenotype.colours import phenotype_colours
from macprox.phenotype.logic import Rule
from macprox.phenotype.parameters import MarkerParameters
from macprox.phenotype.rules import parse_rule
from macprox.printable import name_problem
from macprox.regions.parameters import ABSENT, FOUND, RegionParameters
from macprox.segment.parameters import SegmentationParameters
from macprox.spatial.parameters import ProximityParameters

if TYPE_CHECKING:
    from macprox.slide import Slide

# Instead of a rule: the table that the cells came from says who is of this phenotype.
GIVEN = "given"
HEADER = "The effective study: every default is written out. Edit a copy and run with it."


@dataclass(frozen=True)
class ImageParameters:
    """Which channel is what.

    Parameters
    ----------
    nucleus : str
        Channel of the nuclei (DAPI, Hoechst, histone).
    autofluorescence : str or None
        Blank channel whose scaled signal is subtracted from the markers.
    pixel_size_um : float or None
        Micrometres per pixel, only where the file has none; never guessed.
    """

    nucleus: str
    autofluorescence: str | None = None
    pixel_size_um: float | None = None

    def __post_init__(self) -> None:
        if self.pixel_size_um is not None and not 0 < self.pixel_size_um < float("inf"):
            raise StudyError(
                f"pixel_size_um must be a positive number of micrometres, "
                f"found {self.pixel_size_um!r}."
            )
        if self.nucleus == self.autofluorescence:
            raise StudyError(f"autofluorescence and nucleus are both {self.nucleus!r}.")


@dataclass(frozen=True)
class Study:
    """What is measured, called and compared; composed of every stage's parameters.

    Parameters
    ----------
    image : ImageParameters
    segmentation : SegmentationParameters
    markers : dict of str to MarkerParameters
        Markers that only a phenotype rule names are added with their defaults.
    regions : RegionParameters
    phenotypes : dict of str to str
        Phenotype and its rule (`macprox.phenotype.rules`), or "given" where an imported table
        names it. Empty: every cell is "Other".
    proximity : ProximityParameters
    cohort : CohortParameters

    Raises
    ------
    StudyError
        Naming every violation at once, one a line.
    """

    image: ImageParameters
    segmentation: SegmentationParameters = field(default_factory=SegmentationParameters)
    markers: dict[str, MarkerParameters] = field(default_factory=dict)
    regions: RegionParameters = field(default_factory=RegionParameters)
    phenotypes: dict[str, str] = field(default_factory=dict)
    proximity: ProximityParameters = field(default_factory=ProximityParameters)
    cohort: CohortParameters = field(default_factory=CohortParameters)

    def __post_init__(self) -> None:
        problems = list(_violations(self))
        if problems:
            study_toml.raise_all(problems, "study", {})
        read = dict.fromkeys(name for rule in self.rules.values() for name in rule.markers)
        added = {name: MarkerParameters() for name in read if name not in self.markers}
        object.__setattr__(self, "markers", {**self.markers, **added})

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """Read a study.toml; file names in it are relative to its folder.

        Raises
        ------
        StudyError
            With file, line, key and the nearest allowed key, for every violation at once.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise StudyError(f"Cannot read the study {path}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise StudyError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
        return cls.from_text(text, str(path), folder=path.parent)

    @classmethod
    def from_text(cls, text: str, name: str = "study.toml", folder: Path | None = None) -> Study:
        """Parse the text of a study.toml; ``name`` stands in messages."""
        table = study_toml.load(text, name)
        lines = study_toml.line_numbers(text)
        problems: list[study_toml.Problem] = []
        fields = _read_tables(cls, table, problems)
        whole = _Parts(**fields)
        problems += _violations(whole)
        if problems:
            study_toml.raise_all(problems, name, lines)
        study = cls(**fields)
        return study if folder is None else study._with_files_in(folder)

    def to_toml(self) -> str:
        """The effective study; re-reads to an equal one."""
        return study_toml.dump(self, HEADER)

    def to_dict(self) -> dict[str, Any]:
        """The same content as plain JSON types; what fingerprints are made of."""
        return study_toml.plain(self)

    @property
    def rules(self) -> dict[str, Rule]:
        """The parsed phenotype rules, in the order of the file, without the given phenotypes."""
        return {name: parse_rule(text) for name, text in self.phenotypes.items() if text != GIVEN}

    @property
    def cells_are_given(self) -> bool:
        """Whether another tool found the cells, and its tables name their phenotypes."""
        return GIVEN in self.phenotypes.values()

    @property
    def tumour_marker_rule(self) -> Rule | None:
        """The marker part of the tumour's rule; None where the study has no tumour phenotype."""
        rule = self.rules.get(self.proximity.tumour)
        return None if rule is None else rule.without_region()

    def colours(self, found: Iterable[str] = ()) -> dict[str, str]:
        """The colour of each phenotype, and of those that only a table names."""
        names = list(dict.fromkeys([*self.phenotypes, *sorted(map(str, found))]))
        return phenotype_colours(names, self.proximity.tumour, self.proximity.macrophages)

    def for_slide(self, slide: Slide) -> Study:
        """This study, after `check_slide`."""
        self.check_slide(slide)
        return self

    def check_slide(self, slide: Slide) -> None:
        """Refuse a slide that lacks a channel this study needs.

        Raises
        ------
        PanelError
            Naming what needs the channel, the channels there are, and the nearest miss; every
            missing channel on its own line.
        StudyError
            If a region file for this slide does not exist.
        """
        missing: dict[str, str] = {}
        for user, channel in self._channel_users():
            if channel not in slide.channels:
                missing.setdefault(channel, user)
        if missing:
            raise PanelError("\n".join(_missing(slide, *item) for item in missing.items()))
        try:
            slugs(slide.channels)
        except TableError as error:
            raise PanelError(f"Slide {slide.slide_id!r}: channels {error}") from None
        for key, file in (
            ("tumour", self.regions.tumour_file(slide.slide_id)),
            ("exclusions", self.regions.exclusions_file(slide.slide_id)),
        ):
            if file is not None and not file.is_file():
                raise StudyError(
                    f"regions.{key} names {str(file)!r} for slide {slide.slide_id!r}, but there is "
                    "no such file. Give GeoJSON or a mask, or leave the key out."
                )

    def _channel_users(self) -> Iterator[tuple[str, str]]:
        """Who needs a channel, and the channel."""
        yield "[image] nucleus", self.image.nucleus
        if self.image.autofluorescence is not None:
            yield "[image] autofluorescence", self.image.autofluorescence
        for name, rule in self.rules.items():
            yield from ((f"Phenotype {name!r}", marker) for marker in rule.markers)
        for channel in self.segmentation.macrophages.channels:
            yield "[segmentation.macrophages] channels", channel
        for marker in self.markers:
            yield f"[markers.{marker}]", marker

    def _with_files_in(self, folder: Path) -> Study:
        """Relative file names made absolute, so that the effective study means the same files."""

        def absolute(name: str | None) -> str | None:
            return name if name in (None, FOUND, ABSENT) else str((folder / name).absolute())

        regions = dataclasses.replace(
            self.regions,
            tumour=absolute(self.regions.tumour) or FOUND,
            exclusions=absolute(self.regions.exclusions),
        )
        cohort = dataclasses.replace(self.cohort, samples=absolute(self.cohort.samples))
        segmentation = dataclasses.replace(
            self.segmentation,
            labels=absolute(self.segmentation.labels),
            cell_labels=absolute(self.segmentation.cell_labels),
            model=absolute(self.segmentation.model),
        )
        return dataclasses.replace(self, segmentation=segmentation, regions=regions, cohort=cohort)


def _read_tables(cls: type, table: dict, problems: list[study_toml.Problem]) -> dict[str, Any]:
    """The study's tables that could be read; the others are left out and reported."""
    hints = study_toml.field_types(cls)
    fields = {}
    for key, value in table.items():
        if key not in hints:
            problems.append(((key,), study_toml.unknown_key(key, (), hints)))
        elif (read := study_toml.read_value(hints[key], value, (key,), problems)) is not None:
            fields[key] = read
    if "image" not in table:
        problems.append(((), "the table [image] with the key 'nucleus' is required."))
    return fields


@dataclass(frozen=True)
class _Parts:
    """As much of a study as could be read, so that all its mistakes are told at once."""

    image: ImageParameters | None = None
    segmentation: SegmentationParameters | None = None
    markers: dict[str, MarkerParameters] = field(default_factory=dict)
    regions: RegionParameters | None = None
    phenotypes: dict[str, str] = field(default_factory=dict)
    proximity: ProximityParameters | None = None
    cohort: CohortParameters | None = None


def _violations(study: Study | _Parts) -> Iterator[study_toml.Problem]:
    """What no single table can know: broken rules, names that clash or do not exist."""
    markers = list(study.markers)
    for name, text in study.phenotypes.items():
        if text in (None, GIVEN):
            continue  # not a text, which is reported already, or not a rule
        try:
            markers += parse_rule(text).markers
        except StudyError as error:
            yield ("phenotypes", name), f"phenotype {name!r}: {error}"
        if name in (OTHER, AMBIGUOUS):
            yield (
                ("phenotypes", name),
                f"{name!r} is what cells without exactly one rule are called; rename it.",
            )
    for table, names in (("phenotypes", list(study.phenotypes)), ("markers", markers)):
        for said in filter(None, map(name_problem, dict.fromkeys(names))):
            yield (table,), f"[{table}]: {said}"
        try:
            slugs(names)
        except TableError as error:
            yield (table,), f"[{table}]: {error}"
    if study.proximity is not None:
        named = _named_by(study.proximity)
        yield from _undeclared_phenotypes("proximity", named, study.phenotypes)
    if study.cohort is not None:
        yield from _undeclared_phenotypes("cohort", study.cohort.roles(), study.phenotypes)


def _named_by(proximity: ProximityParameters) -> Iterator[tuple[str, str]]:
    yield from (("macrophages", name) for name in proximity.macrophages)
    # Without macrophages nothing is compared with the tumour, and its default name may be absent.
    if proximity.macrophages or proximity.tumour != ProximityParameters().tumour:
        yield "tumour", proximity.tumour


def _undeclared_phenotypes(
    table: str, named: Iterable[tuple[str, str]], phenotypes: dict[str, str]
) -> Iterator[study_toml.Problem]:
    for key, name in named:
        if name not in phenotypes:
            near = difflib.get_close_matches(name, phenotypes, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            declared = ", ".join(phenotypes) or "none"
            yield (
                (table, key),
                f"{table}.{key} names {name!r}, which is no phenotype; {hint}"
                f"Declared under [phenotypes]: {declared}.",
            )


def _missing(slide: Slide, channel: str, user: str) -> str:
    near = difflib.get_close_matches(channel, slide.channels, n=1, cutoff=0.5)
    if not near:
        folded = {name.lower(): name for name in slide.channels}
        near = [folded[n] for n in difflib.get_close_matches(channel.lower(), folded, 1, 0.5)]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    kind, remedy = "channel", "Name a channel that it has."
    if user.startswith("Phenotype"):
        kind, remedy = "marker", "Correct the rule in study.toml or drop the phenotype."
    elif user.startswith("[markers"):
        remedy = "Correct the name in study.toml or drop the table."
    return (
        f"{user} needs {kind} {channel!r}, but slide {slide.slide_id!r} has "
        f"{', '.join(slide.channels)}.{hint} {remedy}"
    )
