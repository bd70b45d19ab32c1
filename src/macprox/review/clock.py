"""The log's time as a person in the room would say it."""

from __future__ import annotations

from datetime import datetime


def told(time: str) -> str:
    """``"2026-11-22T14:05:00+00:00"`` as ``"22 Nov 2026, 14:05"``, in the local time zone.

    What is no time is given back as it is.
    """
    try:
        moment = datetime.fromisoformat(time).astimezone()
    except ValueError:
        return time
    return f"{moment.day} {moment:%b %Y, %H:%M}"
