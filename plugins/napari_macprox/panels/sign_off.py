"""Who stands by the slide, what is still open, and bringing the results up to date."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QLineEdit, QTextEdit, QWidget

from macprox.review.signing import open_points, signed_text
from napari_macprox import remembered
from napari_macprox.panels.furniture import button, column, heading, row, sentence
from napari_macprox.review import Review

COMMENT_PX = 84


class SignOffPanel(QWidget):
    """The last step of a slide's review."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        layout = column(self)
        self._name = QLineEdit()
        self._name.setPlaceholderText("Your name")
        self._name.setToolTip("Saved with every decision, and remembered for the next time")
        self._state, self._open = heading(), sentence()
        self._comment = QTextEdit()
        self._comment.setAcceptRichText(False)
        self._comment.setPlaceholderText("Comment (optional)")
        self._comment.setToolTip("Stands in the report beside your name")
        self._comment.setFixedHeight(COMMENT_PX)
        self._sign = button(
            "Sign off", "You stand by this slide as it is now; saved with your name", self._on_sign
        )
        self._withdraw = button("Withdraw", "You no longer stand by this slide", self._on_withdraw)
        self._numbers = sentence()
        self._update = button(
            "Update all numbers",
            "Write this slide's tables, statistics and report anew, with every decision so far",
            review.update_slide,
        )
        layout.addLayout(row(QLabel("Reviewer"), self._name))
        layout.addWidget(self._state)
        layout.addWidget(heading("Still open"))
        layout.addWidget(self._open)
        layout.addWidget(self._comment)
        layout.addLayout(row(self._sign, self._withdraw))
        layout.addWidget(_rule())
        layout.addWidget(heading("Tables, statistics and report"))
        layout.addWidget(self._numbers)
        layout.addWidget(self._update)
        layout.addStretch(1)
        self._connect()
        # The window's other parts must be there to hear the name.
        QTimer.singleShot(0, self, self._recall)
        self._show()

    def _connect(self) -> None:
        review = self._review
        review.opened.connect(self._show)
        review.log_changed.connect(self._show)
        review.answered.connect(self._show)
        review.reviewer_changed.connect(self._show_name)
        self._name.textChanged.connect(review.rename_reviewer)

    def _recall(self) -> None:
        name = self._review.reviewer
        if name:
            self._show_name(name)
        else:
            self._review.rename_reviewer(remembered.reviewer())

    def _show_name(self, name: str) -> None:
        if self._name.text().strip() != name:
            with QSignalBlocker(self._name):
                self._name.setText(name)
        remembered.remember_reviewer(name)
        self._show()

    def _show(self) -> None:
        session = self._review.session
        for widget in (self._comment, self._sign, self._withdraw, self._update):
            widget.setEnabled(session is not None and not session.read_only)
        if session is None:
            self._state.setText("No slide is open.")
            self._open.setText("")
            self._numbers.setText("")
            return
        signed = session.corrections.signed_off
        self._state.setText(signed_text(session))
        self._withdraw.setEnabled(self._withdraw.isEnabled() and signed is not None)
        changed = session.corrections.changed_since_sign_off
        self._sign.setText("Sign off again" if signed is not None and changed else "Sign off")
        points = open_points(session)
        self._open.setText("\n".join(f"•  {point}" for point in points) or "✓  Nothing.")
        is_saved = session.is_saved
        self._numbers.setText(
            "✓  They show every decision so far."
            if is_saved
            else "They do not show your last decisions yet. Your decisions themselves are saved."
        )
        self._update.setEnabled(self._update.isEnabled() and not is_saved)

    def _on_sign(self) -> None:
        comment = self._comment.toPlainText()
        if self._review.do(lambda s: s.sign_off(comment), needs_recalculation=False):
            self._comment.clear()

    def _on_withdraw(self) -> None:
        self._review.do(lambda s: s.withdraw_sign_off(), needs_recalculation=False)


def _rule() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    return line
