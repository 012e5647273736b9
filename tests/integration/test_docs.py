"""Each command of the pages about the command line, pasted as it stands, prints what is written there.

When what they print has changed on purpose, take it anew from a cluster that has just been deployed:

    pytest tests/integration/test_docs.py --rewrite-docs
"""

from collections.abc import Iterator

import pytest

from .support import cluster
from .support.examples import Block, Example, Printed, blocks, difference, path_of, rewritten, run

PAGES = ("cli.md", "policy.md")


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_in_the_hub() -> Iterator[None]:
    yield
    cluster.kubectl("exec", "deployment/hub", "--", "rm", "-f", "/tmp/new.yaml")


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page)], ids=str)
def test_a_command_prints_what_is_written(block: Block, request: pytest.FixtureRequest) -> None:
    # All of a block first: what moves a home away is followed by what brings it back.
    ended = [run(example) for example in block.examples]
    pairs = list(zip(block.examples, ended, strict=True))
    odd = [
        f"$ {one.command}: {printed.status}, {printed.err}" for one, printed in pairs if printed.status not in (0, 1)
    ]
    assert not odd, "wrong usage, a bug, or no such command"
    if request.config.getoption("rewrite_docs"):
        page = path_of(block.page)
        page.write_text(rewritten(page.read_text(encoding="utf-8"), block, ended), encoding="utf-8")
        return
    wrong = {one.command: difference(one, printed) for one, printed in pairs}
    told = "\n\n".join("\n".join([f"$ {command}", *lines]) for command, lines in wrong.items() if lines)
    assert not told, f"docs/{block} says otherwise (if it is to change: --rewrite-docs):\n{told}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_taken_anew_from_what_it_says_stays_as_it_is(page: str) -> None:
    text = path_of(page).read_text(encoding="utf-8")
    for block in blocks(page):
        assert rewritten(text, block, [Printed(0, example.printed, []) for example in block.examples]) == text


def test_a_line_that_differs_is_named() -> None:
    example = Example("look", ("here    1.25 s  ocf-debug-me-0a1b2c", "there", "said on the other stream"))
    same = Printed(0, ["here 0.01 s ocf-debug-me-ffffff", "there"], ["said on the other stream"])
    assert difference(example, same) == []
    other = Printed(0, ["here 0.01 s ocf-debug-me-ffffff", "elsewhere"], ["said on the other stream"])
    assert difference(example, other)[-3:-1] == ["-there", "+elsewhere"]
    assert difference(Example("look", ("here", "…")), Printed(0, ["here", "and", "more"], [])) == []
    assert difference(Example("look", ("there", "…")), Printed(0, ["here", "and", "more"], []))
