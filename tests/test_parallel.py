"""Items taken ahead: in their order, no more of them than is said, and errors where they belong."""

import threading

import pytest

from pixelwise.parallel import map_ahead


def test_results_come_in_order_from_another_thread():
    found = list(map_ahead(lambda n: (n, threading.get_ident()), range(5), lambda _: 2))
    assert [number for number, _ in found] == [0, 1, 2, 3, 4]
    assert threading.get_ident() not in {thread for _, thread in found}


@pytest.mark.parametrize("most", [0, 1, 3])
def test_no_more_are_taken_than_may_wait(most):
    taken = []

    def items():
        for number in range(10):
            taken.append(number)
            yield number

    for number in map_ahead(lambda n: n, items(), lambda _: most):
        assert len(taken) <= number + 1 + most


def test_how_many_follows_the_last_result():
    asked = []

    def num_ahead(last):
        asked.append(last)
        return 0

    assert list(map_ahead(lambda n: 10 * n, [1, 2], num_ahead)) == [10, 20]
    assert asked == [None, 10, 10, 20]


def test_an_error_comes_at_its_item():
    results = map_ahead(lambda n: 1 / n, [1, 0, 2], lambda _: 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
