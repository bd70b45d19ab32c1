"""What a decision is: events for the log, and the words under which it is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from macprox.edits import Corrections, Event
from macprox.errors import MacproxError
from macprox.pipeline.calling import CalledCells
from macprox.study import Study


@dataclass(frozen=True)
class Standing:
    """Who decides, and what they decide about.

    Parameters
    ----------
    slide_id, reviewer : str
    study : Study
    called : CalledCells
        As shown, perhaps older than the log.
    corrections : Corrections
        Where the log leads.
    """

    slide_id: str
    reviewer: str
    study: Study
    called: CalledCells
    corrections: Corrections

    def who(self) -> dict[str, str]:
        """The fields that every event has.

        Raises
        ------
        MacproxError
            If nobody has said who they are.
        """
        if not self.reviewer:
            raise MacproxError(
                "Who are you? Enter your name at the top of the review window: every decision is "
                "saved with the name of who made it."
            )
        return {"slide_id": self.slide_id, "reviewer": self.reviewer}


@dataclass(frozen=True)
class Decision:
    """Events that stand and fall together.

    Parameters
    ----------
    text : str
        What is done, for "undo"; starts with a verb.
    events : sequence of Event
        None if there is nothing to decide.
    """

    text: str
    events: Sequence[Event]
