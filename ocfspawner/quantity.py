"""Exact amounts of cpu and memory, in Kubernetes' spelling.

JupyterHub reads ``2G`` as 2^31 bytes and Kubernetes as 2·10^9, so a decimal suffix is refused with the
two ways to say what is meant.  Pure.
"""

import re
from decimal import Decimal

_CPU = re.compile(r"(?P<milli>[0-9]{1,9})m|(?P<cores>[0-9]{1,6}(\.[0-9]{1,3})?)")
_MEMORY = re.compile(r"(?P<number>[0-9]{1,18})(?P<suffix>Ki|Mi|Gi|Ti|Pi)?")
_DECIMAL_MEMORY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<suffix>[kKMGTP])B?")
_BINARY = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}


class Cores(Decimal):
    """An amount of cpu: a whole number of thousandths of a core, which is Kubernetes' precision."""

    def __str__(self) -> str:
        milli = int(self * 1000)
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"

    def __format__(self, spec: str, /) -> str:  # type: ignore[override]  # Decimal's has a context, which no one hands in
        return format(str(self), spec)


class Bytes(int):
    """An amount of memory or storage."""

    def __str__(self) -> str:
        for suffix, factor in reversed(_BINARY.items()):
            if suffix and self and self % factor == 0:
                return f"{self // factor}{suffix}"
        return int.__repr__(self)


def parse_cpu(text: str) -> Cores:
    """Cores: ``"500m"`` and ``"0.5"`` are the same.  At least a thousandth.  Raises `ValueError`."""
    match = _CPU.fullmatch(text)
    if not match:
        raise ValueError(f"cpu {text!r}: write cores as 2, 0.5 or 500m")
    cores = Cores(match["cores"] or Decimal(match["milli"]) / 1000)
    if not cores:
        raise ValueError("cpu 0: leave the field out instead")
    return cores


def parse_memory(text: str) -> Bytes:
    """Bytes: ``"2Gi"`` is 2147483648, ``"1024"`` is 1024.  Raises `ValueError`."""
    match = _MEMORY.fullmatch(text)
    if match:
        size = int(match["number"]) * _BINARY[match["suffix"] or ""]
        if not size:
            raise ValueError("memory 0: leave the field out instead")
        return Bytes(size)
    decimal = _DECIMAL_MEMORY.fullmatch(text)
    if decimal:
        number, suffix = decimal["number"], decimal["suffix"].upper()
        advice = f"{number}{suffix}i" if number.isdigit() else "a whole number of a smaller unit, such as Mi"
        raise ValueError(
            f"memory {text!r}: {suffix} means powers of 1000 to Kubernetes and of 1024 to JupyterHub; "
            f"write {advice}, or the bytes as a plain number"
        )
    raise ValueError(f"memory {text!r}: write bytes as 512Mi, 2Gi or a plain number")
