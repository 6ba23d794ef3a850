"""The headers of a trace: W3C's own examples, and whatever else may stand there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.trace_context import TraceContext, context_of, trace_context

# W3C Trace Context, sections 3.2.2.5 and 3.3.1.5.
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"


def of(parent: str | bytes | None, *states: str | bytes) -> TraceContext | None:
    return trace_context(
        [("traceparent", parent), *(("tracestate", state) for state in states)]
    )


@pytest.mark.parametrize("parent", [PARENT, UNSAMPLED, "01" + PARENT[2:]])
def test_a_valid_parent_is_taken_as_it_is(parent: str) -> None:
    """The flags and a later version of the same length stay."""
    assert of(parent.encode()) == TraceContext(parent)
    assert of(parent) == TraceContext(parent)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT.upper(),
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + PARENT[52:],
        PARENT.replace("-", "_"),
        PARENT[:-1],
        PARENT + "-00",
        "cc" + PARENT[2:] + "-what-the-future-will-be-like",
        PARENT[:-1] + "g",
        PARENT[:-1] + "\n",
        " " + PARENT[:-1],
        PARENT[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
        "x" * 100_000,
    ],
)
def test_an_invalid_parent_is_no_trace(parent: str) -> None:
    """Its state goes with it: neither means anything without the other."""
    assert of(parent.encode(), STATE) is None
    assert of(parent, STATE) is None


def test_a_parent_that_is_missing_or_there_twice_is_no_trace() -> None:
    """A null header is one, too; names are lower-case."""
    assert trace_context(None) is None
    assert trace_context([]) is None
    assert of(None) is None
    assert trace_context([("Traceparent", PARENT)]) is None
    assert trace_context([("traceparent", PARENT)] * 2) is None


@pytest.mark.parametrize(
    "state",
    [
        "",
        STATE,
        "rojo=00f067aa0ba902b7",
        "fw529a3039@dt=FfAAA,  0@a=b",
        "a= b c \t, d=e",
        "a=1,,b=2,",
        ",".join(f"k{n}=v" for n in range(32)),
        "k=" + "v" * 256,
        "a_-*/=!+-<>~",
    ],
)
def test_a_valid_state_is_kept_as_it_is(state: str) -> None:
    """Order and blanks are its owner's."""
    assert of(PARENT, state) == TraceContext(PARENT, state)


@pytest.mark.parametrize(
    "state",
    [
        "rojo",
        "=1",
        "a=",
        "A=1",
        "1a=1",
        "a=1=2",
        "a=1,a=2",
        "a\n=1",
        "a=\N{SNOWMAN}",
        "a@B=1",
        "a" * 257 + "=1",
        "k=" + "v" * 257,
        ",".join(f"k{n}=v" for n in range(33)),
        ",".join(f"k{n}=" + "v" * 200 for n in range(3)),
    ],
)
def test_an_invalid_or_long_state_is_left_out_alone(state: str) -> None:
    assert of(PARENT, state) == TraceContext(PARENT)


def test_several_states_are_one_list() -> None:
    """As of HTTP headers with one name; together they have the one limit."""
    assert of(PARENT, "a=1", b"b=2") == TraceContext(PARENT, "a=1,b=2")
    assert of(PARENT, "a=1", "a=2") == TraceContext(PARENT)
    assert of(PARENT, "a=" + "1" * 250, "b=" + "2" * 256) is not None
    assert of(PARENT, "a=" + "1" * 254, "b=" + "2" * 256) == TraceContext(PARENT)


def test_headers_are_read_back() -> None:
    """What is written is what was read; an empty state is not written."""
    assert TraceContext(PARENT).headers() == [("traceparent", PARENT.encode())]
    assert trace_context(TraceContext(PARENT, STATE).headers()) == (PARENT, STATE)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["traceparent", "tracestate", "reqId"]),
            st.one_of(st.none(), st.binary(max_size=600), st.text(max_size=600)),
        ),
        max_size=5,
    )
)
def test_any_headers_are_a_valid_trace_or_none(
    headers: list[tuple[str, str | bytes | None]],
) -> None:
    """What comes out is within the limits and reads as itself."""
    found = trace_context(headers)
    assert found is None or trace_context(found.headers()) == found


@given(
    st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True),
    st.text(st.characters(codec="ascii"), max_size=520),
)
def test_whatever_the_state_the_parent_decides(parent: str, state: str) -> None:
    """A well-formed parent is a trace unless its ids are zero or its version ff."""
    found = context_of(parent, state)
    zero = parent[3:35] == "0" * 32 or parent[36:52] == "0" * 16
    assert (found is None) == (zero or parent.startswith("ff"))
    if found is not None:
        assert found.parent == parent
        assert found.state in {state, ""}
        assert len(found.state) <= 512
