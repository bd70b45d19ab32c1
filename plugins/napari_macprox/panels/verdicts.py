"""What a person may say of cells, as buttons: a name, no cell, an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_macprox.panels.card_view import emptied
from napari_macprox.panels.furniture import GAP_PX, button, row, swatch

ARTEFACT_REASONS = (
    *("debris", "autofluorescent", "out of focus"),
    *("two cells as one", "not a cell", "other"),
)
UNKNOWN_COLOUR = "#808080"


class Verdicts(QWidget):
    """A button a phenotype, numbered as the keys are, and what else can be said.

    Signals
    -------
    named : str or None
        What the cells are; None leaves it to the rules.
    marked : str or None
        Why they are left out of every number; None takes that back.
    deleted :
        They are no cells.
    """

    named, marked, deleted = Signal(object), Signal(object), Signal()

    def __init__(self) -> None:
        super().__init__()
        self.phenotypes: tuple[str, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP_PX)
        self._names = QGridLayout()
        self._names.setSpacing(4)
        layout.addLayout(self._names)
        rules = button(
            "0  as the rules say",
            "Take back what was said by hand  (0)",
            lambda: self.named.emit(None),
        )
        delete = button("Delete", "This is no cell  (Delete)", self.deleted.emit)
        self._artefact = QPushButton("Artefact")
        self._artefact.setToolTip("Keep the cell in the table, out of every number: why?  (A)")
        self._artefact.setMenu(self._reasons())
        layout.addLayout(row(rules, delete, self._artefact))

    def offer(self, phenotypes: tuple[str, ...], colours: Mapping[str, str]) -> None:
        """The names of another slide's study."""
        self.phenotypes = phenotypes
        emptied(self._names)
        for number, name in enumerate(phenotypes):
            key = f"{number + 1}  " if number < 9 else ""
            choice = button(f"{key}{name}", f"Relabel as {name}", partial(self.named.emit, name))
            choice.setIcon(swatch(colours.get(name, UNKNOWN_COLOUR)))
            choice.setStyleSheet("text-align: left;")
            self._names.addWidget(choice, number, 0)  # side by side, long names are cut

    def ask_why(self) -> None:
        """Open the list of reasons to call something an artefact."""
        if self._artefact.isEnabled():
            self._artefact.showMenu()

    def _reasons(self) -> QMenu:
        menu = QMenu(self)
        for reason in ARTEFACT_REASONS:
            menu.addAction(reason, partial(self.marked.emit, reason))
        menu.addSeparator()
        menu.addAction("no artefact after all", partial(self.marked.emit, None))
        return menu
