"""The memory with an end, against a model that keeps everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.directory.cache import ExpiringCache

KEYS = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 5)),
        st.tuples(st.just("get"), KEYS, st.none()),
        st.tuples(st.just("forget"), KEYS, st.none()),
        st.tuples(st.just("wait"), st.none(), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 3))
def test_it_answers_what_was_put_last_while_it_lasts_and_no_more_than_its_size(
    steps: list[tuple[str, str, int]], size: int
) -> None:
    now = 0.0
    cache: ExpiringCache[str, int] = ExpiringCache(size, lambda: now)
    model: dict[str, tuple[int, float, float]] = {}
    for serial, (step, key, amount) in enumerate(steps):
        if step == "wait":
            now += amount
        elif step == "put":
            cache.put(key, serial, amount)
            model[key] = (serial, now, now + amount)
        elif step == "forget":
            cache.forget(key)
            model.pop(key, None)
        else:
            found = cache.get(key)
            if found is not None:
                value, since, until = model[key]
                assert found == (value, now - since)
                assert now < until
        assert len(cache) <= size


@pytest.mark.parametrize(("ttl", "passed", "known"), [(2, 0, True), (2, 1.9, True), (2, 2, False), (0, 0, False)])
def test_a_value_ends_with_its_time(ttl: float, passed: float, known: bool) -> None:
    now = 0.0
    cache: ExpiringCache[str, str] = ExpiringCache(1, lambda: now)
    cache.put("a", "value", ttl)
    now += passed
    assert cache.get("a") == (("value", passed) if known else None)
    assert len(cache) == known


def test_the_first_in_is_the_first_out_and_what_is_put_again_is_last() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2, lambda: 0.0)
    for key in ("a", "b", "a", "c"):
        cache.put(key, 1, 10)
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]
