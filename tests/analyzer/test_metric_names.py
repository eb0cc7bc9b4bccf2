"""Names of features in CloudWatch, and back."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.metric_names import NAME_LENGTH, metric_name, original_name

# texts with much that looks like escapes
TEXTS = st.lists(st.one_of(st.characters(), st.sampled_from([*r"\xuU05cf", r"\xfc", r"\x5c", r"\u20ac"])), max_size=25)


@given(TEXTS.map("".join))
@example("Kündigungsgrund")
@example(r"C:\xfc")
@example("\\\\xfc")
@example(r"\x5cxfc")
@example("\U0010ffff\ud800€")
def test_the_original_name_is_what_was_escaped(name: str) -> None:
    escaped = metric_name(name)
    assert escaped.isascii()
    if len(escaped) < NAME_LENGTH:
        assert original_name(escaped) == name


@given(st.text(st.characters(max_codepoint=127, exclude_characters="\\"), max_size=NAME_LENGTH))
def test_names_of_ascii_stay_as_they_are(name: str) -> None:
    assert metric_name(name) == name == original_name(name)


@given(st.text())
def test_any_metric_name_has_an_original(name: str) -> None:
    assert len(original_name(name)) <= len(name)


def test_a_name_that_is_too_long_is_shortened_to_the_limit() -> None:
    assert len(metric_name("ü" * 100)) == NAME_LENGTH
