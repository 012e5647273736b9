"""The file of last known good answers: its mode, its age, and what becomes of one that is broken."""

import logging
import os
import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest

from ocfspawner.directory.schema import Record
from ocfspawner.directory.store import LastKnownGood

from .support import Clock, group, person

DAY = 86400.0


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "good.sqlite"


@pytest.fixture
def store(file: Path, clock: Clock) -> LastKnownGood:
    return LastKnownGood(file, 7 * DAY, clock)


RECORD = Record(person(), (group("ocf", 1000), group("ocfstaff", 1002)))


def test_what_is_put_is_got_with_its_age(store: LastKnownGood, clock: Clock) -> None:
    binary = Record({**RECORD.person, "photo": (bytes(range(256)), b"")}, RECORD.groups)
    store.put("gstaff", binary)
    clock.now += 60
    assert store.get("gstaff") == (binary, 60.0)
    assert store.get("guser") is None


@pytest.mark.parametrize("name", ["", "a'b", "jos\u00e9", "nul\0", "\ud800", "x" * 1000])
def test_any_name_is_a_name(store: LastKnownGood, name: str) -> None:
    store.put(name, RECORD)
    assert store.get(name)
    assert store.get(name + "x") is None
    store.forget(name)
    assert store.get(name) is None


def test_a_newer_answer_replaces_the_older_one(store: LastKnownGood) -> None:
    store.put("gstaff", RECORD)
    newer = Record(person(uidNumber=5), ())
    store.put("gstaff", newer)
    assert store.get("gstaff") == (newer, 0.0)


@pytest.mark.parametrize(("passed", "known"), [(7 * DAY, True), (7 * DAY + 1, False), (-1, False)])
def test_neither_too_old_nor_from_the_future(store: LastKnownGood, clock: Clock, passed: float, known: bool) -> None:
    store.put("gstaff", RECORD)
    clock.now += passed
    assert (store.get("gstaff") is not None) is known


def test_what_is_too_old_is_deleted_when_something_is_put(store: LastKnownGood, clock: Clock) -> None:
    store.put("old", RECORD)
    clock.now += 8 * DAY
    store.put("new", RECORD)
    clock.now -= 8 * DAY
    assert store.get("old") is None, "at its own time it would still be young enough"


def test_only_its_owner_reads_the_file(store: LastKnownGood, file: Path) -> None:
    before = os.umask(0)
    try:
        store.put("gstaff", RECORD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_closed_to_them(store: LastKnownGood, file: Path) -> None:
    file.touch(0o644)
    store.put("gstaff", RECORD)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_is_not_followed(store: LastKnownGood, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = file.with_name("target")
    file.symlink_to(target)
    store.put("gstaff", RECORD)
    assert store.get("gstaff") is None
    assert not target.exists()
    assert "can't be used" in caplog.text


def test_a_file_that_is_no_database_is_set_aside(
    store: LastKnownGood, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(b"garbage" * 1000)
    assert store.get("gstaff") is None
    assert file.with_name("good.sqlite.broken").read_bytes() == b"garbage" * 1000
    assert "start anew" in caplog.text
    store.put("gstaff", RECORD)
    assert store.get("gstaff")


def test_a_database_that_was_damaged_is_set_aside(store: LastKnownGood, file: Path) -> None:
    for number in range(30):
        store.put(f"user{number}", RECORD)
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert store.get("user7") is None
    store.put("user7", RECORD)
    assert store.get("user7")


@pytest.mark.parametrize("content", ["", "[]", "{}", "[1]", '[{"uid": 1}]', '[{"uid": ["*"]}]', "null"])
def test_a_record_that_makes_no_sense_is_none(store: LastKnownGood, file: Path, content: str) -> None:
    store.put("gstaff", RECORD)
    assert store._run("UPDATE record SET content = ?", content) is None
    assert store.get("gstaff") is None


def test_a_folder_in_place_of_the_file_does_no_harm(
    store: LastKnownGood, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.mkdir()
    with caplog.at_level(logging.ERROR):
        store.put("gstaff", RECORD)
        store.forget("gstaff")
        assert store.get("gstaff") is None
    assert file.is_dir()


def test_several_threads_at_once(store: LastKnownGood) -> None:
    start = Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for _ in range(10):
            store.put(f"user{number}", RECORD)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.get(f"user{number}") for number in range(4))
