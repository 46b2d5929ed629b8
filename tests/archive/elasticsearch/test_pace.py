"""How much is asked for at once."""

import threading
import time

from kcompliance.archive.elasticsearch.pace import PageSize, Throttle


def test_pages_grow_to_the_bytes_that_are_wanted_and_no_further() -> None:
    size = PageSize(1_000_000, 10_000)
    assert size.now == 1000
    size.learn(1000, 400_000)
    assert size.now == 2500
    for _ in range(50):
        size.learn(2500, 10_000)
    assert size.now == 10_000  # what the index allows


def test_large_events_make_small_pages_but_never_none() -> None:
    size = PageSize(1_000_000, 10_000)
    for _ in range(50):
        size.learn(1, 90_000_000)
    assert size.now == 1


def test_a_page_is_halved_when_it_was_too_much_and_grows_back_slowly() -> None:
    size = PageSize(1_000_000, 10_000)
    size.learn(1000, 250_000)
    assert size.now == 4000
    size.smaller()
    assert size.now == 2000
    size.smaller()
    assert size.now == 1000
    size.learn(1000, 250_000)
    assert size.now == 1250
    for _ in range(50):
        size.smaller()
    assert size.now == 1
    for _ in range(3):
        size.learn(1, 250)
    assert size.now == 4


def test_an_index_that_allows_less_is_asked_for_less() -> None:
    assert PageSize(1_000_000, 100).now == 100


def test_a_throttle_is_one_for_all_threads() -> None:
    throttle = Throttle(1000)
    start = time.monotonic()

    def work() -> None:
        for _ in range(4):
            throttle.wait(25)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 200 at 1000 a second; the last 25 are not waited for.
    assert time.monotonic() - start >= 0.175


def test_without_a_rate_nobody_waits() -> None:
    Throttle(None).wait(10**12)
