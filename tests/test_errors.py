"""What strangers wrote stands in our sentences short, in one line, and does nothing there."""

from macprox.errors import reason_of, shortened


def test_a_short_text_stays_as_it_is():
    assert shortened("CD68  größe 病理") == "CD68  größe 病理"


def test_lines_become_one_and_control_signs_are_spelled_out():
    assert shortened("a\n  b\x1b[31m\u202e") == "a b\\x1b[31m\\u202e"


def test_a_long_text_ends_in_an_ellipsis():
    assert shortened("x" * 81) == "x" * 79 + "…"
    assert len(shortened(" " * 10_000 + "x")) <= 80


def test_an_error_without_words_is_told_by_its_kind():
    assert reason_of(KeyError()) == "KeyError"
    assert reason_of(ValueError("no.\nMore.")) == "no. More"
