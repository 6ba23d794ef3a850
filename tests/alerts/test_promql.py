"""The reader of names in PromQL, which the other tests of this tier rest on."""

from tests.support.promql import Asked, asked


def series(*found: tuple[str, set[str]]) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((name, frozenset(labels)) for name, labels in found)


def test_names_and_the_labels_of_their_matchers() -> None:
    found = asked('rate(f_a_total{x="1", y=~"f_b{z=\\"2\\"}"}[5m]) > f_c', "f_")
    named = series(("f_a_total", {"x", "y"}), ("f_c", set()))
    assert found == Asked(named, frozenset())


def test_groupings_are_labels_and_no_series() -> None:
    found = asked("sum by (f_x, le) (f_a) / on (job) group_left (f_y) f_b", "f_")
    assert found.series == series(("f_a", set()), ("f_b", set()))
    assert found.grouped == {"f_x", "le", "job", "f_y"}


def test_variables_of_the_dashboard_are_no_series() -> None:
    found = asked('f_a{job=~"$job"}[$__rate_interval] offset $f_when', "f_")
    assert found.series == series(("f_a", {"job"}))


def test_functions_of_other_names_are_left_out() -> None:
    assert asked("absent(up) + time()", "f_").series == ()
