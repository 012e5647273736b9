"""Amounts of cpu and memory, to and from text."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.quantity import Bytes, Cores, parse_cpu, parse_memory


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        pytest.param("2", "2", id="whole cores"),
        pytest.param("0.5", "0.5", id="half a core"),
        pytest.param("500m", "0.5", id="the same in thousandths"),
        pytest.param("1m", "0.001", id="the least that Kubernetes knows"),
        pytest.param("1500m", "1.5", id="thousandths above one"),
        pytest.param("999999", "999999", id="more than any machine has"),
    ],
)
def test_cpu(text: str, cores: str) -> None:
    assert parse_cpu(text) == Decimal(cores)


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        pytest.param("0", "1", id="zero"),
        pytest.param("0m", "1m", id="zero thousandths"),
        pytest.param("0.0005", "0.005", id="less than a thousandth"),
        pytest.param("1.5m", "15m", id="a part of a thousandth"),
        pytest.param("-1", "1", id="negative"),
        pytest.param("1e3", "1", id="an exponent"),
        pytest.param("inf", "1", id="infinite"),
        pytest.param("1 ", "1", id="a space"),
        pytest.param(".5", "0.5", id="no digit before the point"),
        pytest.param("1Gi", "1", id="memory"),
        pytest.param("١", "1", id="digits of another script"),
        pytest.param("", "1", id="nothing"),
    ],
)
def test_cpu_refused(text: str, repaired: str) -> None:
    with pytest.raises(ValueError, match=r"^cpu "):
        parse_cpu(text)
    assert parse_cpu(repaired)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("1024", 1024, id="bytes"),
        pytest.param("1Ki", 2**10, id="Ki"),
        pytest.param("512Mi", 2**29, id="Mi"),
        pytest.param("2Gi", 2**31, id="Gi"),
        pytest.param("3Ti", 3 * 2**40, id="Ti"),
        pytest.param("1Pi", 2**50, id="Pi"),
    ],
)
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        pytest.param("0", "1", id="zero"),
        pytest.param("0Gi", "1Gi", id="zero GiB"),
        pytest.param("1.5Gi", "1536Mi", id="a fraction"),
        pytest.param("-1", "1", id="negative"),
        pytest.param("2 Gi", "2Gi", id="a space"),
        pytest.param("2gi", "2Gi", id="lower case"),
        pytest.param("2GiB", "2Gi", id="a B too much"),
        pytest.param("500m", "500", id="cpu"),
        pytest.param("٢Gi", "2Gi", id="digits of another script"),
        pytest.param("", "1", id="nothing"),
    ],
)
def test_memory_refused(text: str, repaired: str) -> None:
    with pytest.raises(ValueError, match=r"^memory "):
        parse_memory(text)
    assert parse_memory(repaired)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        pytest.param("2G", "write 2Gi", id="2G is two different numbers"),
        pytest.param("512M", "write 512Mi", id="512M too"),
        pytest.param("4k", "write 4Ki", id="k is spelled Ki"),
        pytest.param("2GB", "write 2Gi", id="with a B"),
    ],
)
def test_a_decimal_suffix_is_refused_with_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        parse_memory(text)
    assert parse_memory(advice.removeprefix("write "))


def test_a_fraction_of_a_decimal_unit_is_not_advised() -> None:
    with pytest.raises(ValueError, match="smaller unit, such as Mi"):
        parse_memory("1.5G")
    assert parse_memory("1536Mi") == 3 * 2**29


@given(st.integers(1, 10**8).map(lambda milli: Decimal(milli) / 1000))
def test_cpu_survives_the_round_trip(cores: Decimal) -> None:
    assert parse_cpu(str(Cores(cores))) == cores


@given(
    st.integers(1, 10**18 - 1) | st.integers(1, 2**12).flatmap(lambda n: st.sampled_from([n << 10, n << 30, n << 40]))
)
def test_memory_survives_the_round_trip(size: int) -> None:
    assert parse_memory(str(Bytes(size))) == size


@given(st.text(max_size=12))
def test_what_is_no_quantity_is_refused_with_a_value_error(text: str) -> None:
    for parse in (parse_cpu, parse_memory):
        with suppress(ValueError):
            assert parse(text) > 0
