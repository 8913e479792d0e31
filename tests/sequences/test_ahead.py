"""What is computed ahead comes out in order, and its failures come out, too."""

import threading
import time

import pytest

from pmhc_distil.sequences.ahead import ahead


def test_results_come_in_order_ahead():
    """Prevents parts of a table from changing places, or all of them from being held in memory at once."""
    started, used = [], []

    def double(number):
        started.append(number)
        return 2 * number

    for result in ahead(double, iter(range(20))):
        used.append(result)
        assert len(started) <= len(used) + 1
    assert used == [2 * number for number in range(20)]
    assert list(ahead(double, [])) == []


def test_a_failure_reaches_the_reader():
    """Prevents a table that ends early and looks whole."""

    def fail(number):
        if number == 2:
            raise OSError("no")
        return number

    results = ahead(fail, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="no"):
        next(results)


def test_a_reader_that_stops_stops_the_work():
    """Prevents an interrupted command from hanging until all is done."""
    before = threading.active_count()
    results = ahead(lambda number: number, range(1000))
    next(results)
    results.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before:  # it ends by itself, and nobody waits for it
        assert time.monotonic() < deadline
        time.sleep(0.001)
