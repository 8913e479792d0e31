"""Work in the background, one step ahead of what uses it."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply a function in the background, while the next item is fetched and the result before is used.

    Parameters
    ----------
    function : callable
        Called in another thread, for one item at a time, in their order.
    items : iterable

    Yields
    ------
    Result
        Of every item, in their order.
    """
    background = ThreadPoolExecutor(1)
    try:
        before = None
        for item in items:
            current = background.submit(function, item)
            if before is not None:
                yield before.result()
            before = current
        if before is not None:
            yield before.result()
    finally:  # who ends early does not wait for what nobody will use
        background.shutdown(wait=False, cancel_futures=True)
