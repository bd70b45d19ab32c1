"""What a reviewer sees, decides and may take back; no window.

`ReviewSession` is one slide under review: its cells, gates and regions, the log that every decision
is appended to, and what can be undone. `macprox.review.answer` says what follows from the decisions
for the question of the study; the other modules hold the arithmetic of one panel each.
"""
