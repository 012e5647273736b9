"""Figures with bounds: a table for people, JSON for programs."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A figure and what it must keep to."""

    name: str
    value: float
    unit: str
    bound: str
    holds: bool


def report(description: str, measure: Callable[[], Iterable[Figure]]) -> int:
    """Read the command line, measure, print; the exit status says whether all bounds hold."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    figures = list(measure())
    print(f"{'figure':62} {'value':>12}        bound")
    for each in figures:
        print(f"{each.name:62} {each.value:12.2f} {each.unit:6} {each.bound:8} {'' if each.holds else '✗ missed'}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")
    missed = [each.name for each in figures if not each.holds]
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0
