# SPDX-License-Identifier: Apache-2.0
"""Where the values of a JSON text stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.formats.json_places import Span, find_spans

TEXT = """{
  "a": [1, {"b\\"c": "d"}],
  "é": {"empty": {}, "none": []}
}"""


@pytest.mark.parametrize(
    ("path", "span"),
    [
        ((), Span(1, 1, 4, 2)),
        (("a",), Span(2, 3, 2, 26)),
        (("a", 0), Span(2, 9, 2, 10)),
        (("a", 1, 'b"c'), Span(2, 13, 2, 24)),
        (("é",), Span(3, 3, 3, 33)),
        (("é", "none"), Span(3, 22, 3, 32)),
    ],
)
def test_a_value_is_found_by_its_path(path, span):
    assert find_spans(TEXT)[path] == span


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def cut(text, span):
    """Return what stands in a span, its key aside."""
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def every(value, path=()):
    yield path, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from every(each, (*path, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from every(each, (*path, index))


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_what_stands_in_a_span_is_the_value(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    spans = find_spans(text)
    assert spans.keys() == dict(every(value)).keys()
    for path, each in every(value):
        found = cut(text, spans[path])
        if path and isinstance(path[-1], str):
            assert json.loads(f"{{{found}}}") == {path[-1]: each}
        else:
            assert json.loads(found) == each
