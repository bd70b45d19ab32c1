"""Who stands by a slide, and what is still open before somebody does."""

from __future__ import annotations

from macprox.edits import lost_sentence
from macprox.review.clock import told
from macprox.review.gates.states import CONFIRMED, gate_states
from macprox.review.session import ReviewSession


def open_points(session: ReviewSession) -> list[str]:
    """Every reason to look again before signing, each as a sentence; none if all is done."""
    points = [notice.text for notice in session.notices if notice.level != "info"]
    points += [lost_sentence(event) for event in session.called.lost_edits]
    points += _gates(session)
    if session.answer is not None and not session.answer.rows["value"].notna().any():
        points.append(session.answer.sentence)
    return list(dict.fromkeys(points))


def signed_text(session: ReviewSession) -> str:
    """Who signed when, and whether something changed since."""
    signed = session.corrections.signed_off
    if signed is None:
        return f"{session.slide_id} is not signed off."
    text = f"{session.slide_id} is signed off by {signed.reviewer}, {told(signed.time)}."
    if signed.comment:
        text += f"\n“{signed.comment}”"
    if session.corrections.changed_since_sign_off:
        text += "\n⚠ It was changed since: sign off again."
    return text


def _gates(session: ReviewSession) -> list[str]:
    states = gate_states(session.called, session.study, session.corrections)
    names = [state.title for state in states if state.state != CONFIRMED]
    if not names:
        return []
    if len(names) == 1:
        return [f"The gate of {names[0]} is not confirmed."]
    return [f"{len(names)} gates are not confirmed: {', '.join(names)}."]
