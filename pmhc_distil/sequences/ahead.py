"""Work in the background, some steps ahead of what uses it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(function: Callable[[Item], Result], items: Iterable[Item], count: int = 1) -> Iterator[Result]:
    """Apply a function in the background, while the next items are fetched and the result before is used.

    Parameters
    ----------
    function : callable
        Called in other threads, for one item in each.
    items : iterable
    count : int
        Threads, and items that are worked on at a time.

    Yields
    ------
    Result
        Of every item, in their order.
    """
    background = ThreadPoolExecutor(count)
    try:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(background.submit(function, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # who ends early does not wait for what nobody will use
        background.shutdown(wait=False, cancel_futures=True)
