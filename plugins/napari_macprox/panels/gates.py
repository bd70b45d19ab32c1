"""Where each marker becomes positive: choose it, drag the cut, confirm it, copy it."""

from __future__ import annotations

import math

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QWidget

from macprox.review.gates.copying import GateCopy
from macprox.review.gates.population import Population, cohort_population
from macprox.review.gates.states import (
    COMPARTMENTS,
    CONFIRMED,
    PROPOSAL,
    PROPOSED,
    Cut,
    Fallback,
    GateState,
    cut_of,
    fallback,
    gate_state,
    gate_states,
)
from macprox.review.session import ReviewSession
from napari_macprox.histogram import GateHistogram
from napari_macprox.histogram_picture import Picture
from napari_macprox.panels.furniture import button, column, heading, row, sentence, tip_text
from napari_macprox.panels.gate_copying import GateCopying
from napari_macprox.panels.gate_list import GateList, Key
from napari_macprox.review import Review

N_BINS = 72
ALL_CELLS = "all cells"


class GatesPanel(QWidget):
    """The gates of the open slide."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._key: Key | None = None
        self._cut: Cut | None = None
        self._behind: dict[Key, tuple[Population, Fallback]] = {}
        self._copying = GateCopying(review, self)
        self._lighting = QTimer(self, singleShot=True, interval=0)
        self._lighting.timeout.connect(self._light)
        layout = column(self)
        self._list = GateList()
        layout.addWidget(self._list)
        self._title = heading()
        self._among = QComboBox()
        self._among.setToolTip(
            "Which cells this gate divides: all of the slide, or only those positive for "
            "another marker, which then have a gate of their own"
        )
        layout.addWidget(self._title)
        among = row(QLabel("Gate among"), self._among)
        among.setStretch(1, 1)
        layout.addLayout(among)
        self._histogram = GateHistogram()
        layout.addWidget(self._histogram)
        self._numbers, self._doubt, self._state = heading(), sentence(), sentence()
        layout.addWidget(self._numbers)
        layout.addWidget(self._doubt)
        layout.addWidget(self._state)
        self._make_buttons(layout)
        layout.addStretch(1)
        self._connect()
        self._show_slide()

    def _make_buttons(self, layout) -> None:
        self._confirm = button(
            "Confirm",
            "You looked at image and histogram and agree with this gate; saved with your name",
            self._on_confirm,
        )
        self._back = button("Back to proposal", "", self._on_back)
        self._copy = button(
            "Copy to other slides…",
            "Choose slides that get the same gate; each keeps a note of it in its own log",
            self._on_copy,
        )
        self._lit = QCheckBox("Light positive cells")
        self._lit.setToolTip("Show on the image which cells are positive, also while you drag")
        self._lit.setChecked(True)
        layout.addLayout(row(self._confirm, self._back))
        layout.addWidget(self._copy)
        layout.addWidget(self._lit)

    def _connect(self) -> None:
        review = self._review
        review.opened.connect(self._show_slide)
        review.log_changed.connect(self._show_states)
        review.cells_changed.connect(self._show_cells)
        self._list.chosen.connect(self.choose)
        self._among.activated.connect(self._on_among)
        self._histogram.dragged.connect(self._follow)
        self._histogram.released.connect(self._on_released)
        self._histogram.reset.connect(self._on_back)
        self._lit.toggled.connect(lambda _: self._light())

    # What is shown.

    def choose(self, marker: str, parent: str = "") -> None:
        """Show one gate."""
        self._histogram.flush()
        self._key = (marker, parent)
        self._show_states()
        self._show_cells()

    def _show_slide(self) -> None:
        session, self._key, self._cut = self._review.session, None, None
        self._behind.clear()
        has_gates = session is not None and len(session.called.gates) > 0
        for widget in (self._list, self._among, self._copy, self._lit):
            widget.setEnabled(has_gates)
        if session is None or not has_gates:
            self._list.clear()
            for label in (self._title, self._numbers, self._doubt, self._state):
                label.setText("")
            self._confirm.setEnabled(False)
            self._back.setEnabled(False)
            no_slide = "Open a slide to see its gates."
            self._histogram.say(no_slide if session is None else "This slide has no gates.")
            return
        self.choose(next(iter(session.study.markers)))

    def _show_states(self) -> None:
        """What the log says of every gate."""
        session = self._review.session
        if session is None or self._key is None:
            return
        at = session.called, session.study, session.corrections
        states = gate_states(*at, also=self._key)
        self._list.fill(states, self._key)
        self._show_parents(session)
        state = self._state_of(session, *self._key)
        where = COMPARTMENTS.get(state.compartment, state.compartment)
        self._title.setText(f"{state.marker}, {where}")
        back = self._behind.get(self._key, (None, None))[1]
        self._state.setText(state.in_words(back))
        self._show_buttons(session, state, back)

    def _show_parents(self, session: ReviewSession) -> None:
        marker, parent = self._key or ("", "")
        others = [name for name in session.study.markers if name != marker]
        self._among.clear()
        self._among.addItem(ALL_CELLS, "")
        for name in others:
            self._among.addItem(f"{name}+ cells", name)
        self._among.setCurrentIndex(self._among.findData(parent))

    def _show_buttons(
        self, session: ReviewSession, state: GateState, back: Fallback | None
    ) -> None:
        is_open = not session.read_only
        has_own = (state.marker, state.parent or None) in session.corrections.gates
        self._confirm.setEnabled(is_open and state.is_own and state.state != CONFIRMED)
        self._confirm.setText("✓ Confirmed" if state.state == CONFIRMED else "Confirm")
        if state.parent:
            self._back.setText("Back to all cells' gate")
            tip = f"Take this gate away: in {state.parent}+ cells the gate of all cells holds again"
        else:
            name = "proposal" if back is None or back.name == PROPOSED else back.name
            self._back.setText(f"Back to {name}")
            tip = f"Put the gate back to {name if name != 'proposal' else 'the automatic proposal'}"
        self._back.setToolTip(tip_text(f"{tip}; the same as a double click in the histogram"))
        self._back.setEnabled(is_open and has_own and state.state != PROPOSAL)
        self._copy.setEnabled(is_open and state.is_own and math.isfinite(state.value))

    def _show_cells(self) -> None:
        """The histogram and its numbers, from the cells as they are now."""
        session = self._review.session
        if session is None or self._key is None:
            return
        self._show_states()
        if self._histogram.is_held:
            return  # the hand on the cut decides; what it leaves is shown when it lets go
        key = self._key
        self._cut = cut_of(session.called, session.study, session.corrections, *key)
        self._draw()
        self._ask_behind(session, key)

    def _draw(self) -> None:
        session = self._review.session
        if session is None or self._key is None or self._cut is None:
            return
        state = self._state_of(session, *self._key)
        population = self._cut.population
        if not len(population.values):
            self._histogram.say("No cell to show here.")
        else:
            others, back = self._behind.get(self._key, (None, None))
            axis = population.axis(state.value)
            behind = others is not None and len(others.values) > 0
            picture = Picture(
                axis,
                population.histogram(axis, N_BINS),
                others.histogram(axis, N_BINS) if others is not None and behind else None,
                None if back is None else back.value,
            )
            self._histogram.show_picture(picture, state.value)
        self._show_numbers(self._cut, state.value)
        self._lighting.start()

    def _show_numbers(self, cut: Cut, gate: float) -> None:
        self._numbers.setText(cut.positive_text(gate))
        self._doubt.setText(cut.sensitivity_text(gate))
        self._list.show_current(gate, cut.population.percent_positive(gate))
        layout = self.layout()
        if layout is not None:
            layout.activate()  # now, or the window is painted a second time for it

    def _ask_behind(self, session: ReviewSession, key: Key) -> None:
        """The other slides and the proposal, which take a moment: once a gate."""
        if key in self._behind and not key[1]:
            return
        marker, parent = key
        results = session.result.folder.results

        def look() -> tuple[Population, Fallback]:
            compartment = session.study.markers[marker].compartment
            others = cohort_population(
                results, marker, compartment, session.slide_id, parent=parent or None
            )
            at = session.called, session.study, session.corrections
            return others, fallback(*at, marker, parent)

        def found(outcome: tuple[Population, Fallback]) -> None:
            if session is self._review.session:
                is_news = key not in self._behind or self._behind[key][1] != outcome[1]
                self._behind[key] = outcome
                if is_news and key == self._key and not self._histogram.is_held:
                    self._show_states()
                    self._draw()

        self._review.in_background(look, done=found, text=f"Looking at {marker} on other slides…")

    @staticmethod
    def _state_of(session: ReviewSession, marker: str, parent: str) -> GateState:
        return gate_state(session.called, session.study, session.corrections, marker, parent)

    # What is decided.

    def _on_among(self, _: int) -> None:
        if self._key is not None:
            self.choose(self._key[0], self._among.currentData())

    def _follow(self, gate: float) -> None:
        """A step of the drag: nothing is decided, but it can be seen."""
        if self._cut is not None:
            self._show_numbers(self._cut, gate)
            self._light()  # now, so that window and image are painted once

    def _light(self) -> None:
        """Outline the positive cells on their stain; when they are put out, all is as before."""
        gate, layers = self._histogram.gate, self._review.layers
        if self._key is None or self._cut is None or not self._is_lighting:
            layers.focus(None)
            layers.light(None)
        else:
            layers.focus(self._key[0])
            layers.light(self._cut.lit(math.inf if gate is None else gate))

    @property
    def _is_lighting(self) -> bool:
        return self._lit.isChecked() and self.isVisible()

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self._lighting.start()

    def hideEvent(self, event) -> None:
        self._histogram.flush()
        super().hideEvent(event)
        self._lighting.start()

    def _on_released(self, gate: float) -> None:
        if self._key is not None:
            marker, parent = self._key
            if not self._review.do(lambda s: s.move_gate(marker, gate, parent or None)):
                self._draw()

    def _on_confirm(self) -> None:
        self._histogram.flush()
        if self._key is not None:
            marker, parent = self._key
            self._review.do(lambda s: s.confirm_gate(marker, parent or None))

    def _on_back(self) -> None:
        if self._key is not None and self._back.isEnabled():
            marker, parent = self._key
            self._review.do(lambda s: s.reset_gate(marker, parent or None))

    def _on_copy(self) -> None:
        self._histogram.flush()
        session = self._review.session
        if session is None or self._key is None:
            return
        state = self._state_of(session, *self._key)
        copied = GateCopy(state.marker, state.parent or None, state.value)
        self._copying.begin(session, copied)
