"""Equality of statistics, up to rounding and the order of a sketch's items."""

from __future__ import annotations

import pytest

from analyzer.profile.statistics import Statistics


def assert_same(one: Statistics, other: Statistics) -> None:
    assert one.item_count == other.item_count
    for a, b in zip(one.features, other.features, strict=True):
        assert (a.name, a.inferred_type, a.present, a.missing) == (b.name, b.inferred_type, b.present, b.missing)
        assert (a.integral, a.fractional, a.strings) == (b.integral, b.fractional, b.strings)
        if a.numbers is None or b.numbers is None:
            assert a.numbers is b.numbers
            continue
        scale = max(1.0, abs(b.numbers.min), abs(b.numbers.max))
        assert (a.numbers.min, a.numbers.max) == (b.numbers.min, b.numbers.max)
        assert a.numbers.mean == pytest.approx(b.numbers.mean, abs=1e-9 * scale)
        assert a.numbers.std_dev == pytest.approx(b.numbers.std_dev, abs=1e-7 * scale)
        assert sorted(a.numbers.sketch.levels[0]) == sorted(b.numbers.sketch.levels[0])
