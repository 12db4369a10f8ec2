"""What is compiled does what the Python does, in the corners where C by itself would not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiling.edits import Edited
from compiling.layouts import FOLDER, HELPERS, IN_C, alias, layout
from compiling.project import Project
from protocol import hot

pytestmark = pytest.mark.skipif(not hot.compiled, reason="nothing can be compiled here")

RECORDS = """
import msgspec

class Message(msgspec.Struct):
    id: int
    state: str = ""
    parts: list["Message"] = []

class Record(msgspec.Struct):
    message: Message

class Pdu(msgspec.Struct):
    sequence: int = 0
    body: str = ""

class Submit(Pdu):
    number: int = 0
    address: str = ""

class Other(Pdu):
    alias: str = ""
"""
CORNERS = """
import asyncio
from collections import OrderedDict
from typing import NamedTuple
from odd import records
from odd.records import Message, Other, Pdu, Record, Submit

class Key(NamedTuple):
    name: str
    number: int

class Turned(NamedTuple):
    number: int
    name: str

class Child:
    def __init__(self, name: str) -> None:
        self.name = name

    def say(self, book: "Book") -> str:
        book.child = None
        filler = [Child("junk") for _ in range(50)]
        return self.name + str(len(filler))

class Book:
    def __init__(self) -> None:
        self.n = 1
        self.items: list[int] = []
        self.records: dict[int, Record] = {}
        self.child: Child | None = Child("old")

    def grow(self) -> int:
        self.n = 100
        self.items = [7]
        return 1

    async def wait(self) -> int:
        await asyncio.sleep(0)
        return self.grow()

    async def sum_later(self) -> int:
        return self.n + await self.wait()

    def gone(self) -> str:
        return self.child.say(self)

    def sums(self) -> list[object]:
        found: list[object] = [self.n + self.grow()]
        self.n = 1
        found.append((self.n, self.grow()))
        self.n = 1
        found.append(max(self.n, self.grow()))
        self.n = 1
        self.n += self.grow()
        found.append(self.n)
        before = self.items = [1]
        self.items.append(self.grow())
        return [*found, before, self.items]

def gone() -> str:
    return Book().gone()

def gone_from_others() -> list[str]:
    books = [Book(), Book()]
    return [one.child.say(one) for one in books]

def gone_from_the_first() -> str:
    books = [Book()]
    return books[0].child.say(books[0])

def either(fresh: bool, known: dict[int, Key]) -> list[object]:
    rows = {1: Turned(2, "b")} if fresh else known
    return [one.name for one in rows.values()]

def joined() -> list[object]:
    return [either(True, {}), either(False, {1: Key("a", 1)})]

def named_later(one: object) -> list[object]:
    if isinstance(one, Key):
        found = (one.name for _ in range(1))
        one = Turned(2, "b")
        return list(found)
    return []

def later_names() -> list[object]:
    return named_later(Key("a", 1))

_current: object = Key("a", 1)

def reset() -> None:
    global _current
    _current = Turned(2, "b")

def of_a_global() -> object:
    if isinstance(_current, Key):
        reset()
        return _current.name
    return None

def nobody() -> str:
    book = Book()
    book.child = None
    return book.gone()

def name_of_nobody() -> object:
    book = Book()
    book.child = None
    return book.child.name, book.grow()

def sums() -> list[object]:
    return Book().sums()

def later() -> int:
    return asyncio.run(Book().sum_later())

def wrong_field() -> str:
    return Record(5).message.state

def nothing(record: Record | None = None) -> int:
    return record.message.id

def other(record: Record) -> int:
    return record.message.id

def given_other() -> int:
    return other(Message(1))

def default_of_another_kind() -> int:
    found: dict[str, list[int]] = {}
    some = found.get("a", ())
    return len(some)

def ordered(records: dict[int, Record]) -> list[int]:
    return [key for key, record in records.items() if record.message.id]

def ordered_dict() -> list[int]:
    return ordered(OrderedDict({2: Record(Message(2)), 1: Record(Message(1))}))

def shadowed(message: Message) -> list[str]:
    return [message.state for message in message.parts]

def shadow() -> list[str]:
    return shadowed(Message(1, parts=[Message(2, "a"), Message(3, "b")]))

def hidden(*records: object) -> object:
    return records.FINAL

def hides() -> object:
    return hidden()

def header(pdu: Submit | Other) -> object:
    pdu.sequence += 1
    return pdu.sequence, pdu.body, pdu.address if isinstance(pdu, Submit) else pdu.alias

def extended() -> list[object]:
    return [header(Submit(1, "a", 2, "b")), header(Other(3, "c", "d")), first(Pdu(5)), first(Submit(6))]

def first(pdu: Pdu) -> object:
    return pdu.sequence

def kinds(*several: object) -> list[object]:
    one = [isinstance(each, Submit) for each in several]
    two = [isinstance(each, (Submit, Key)) for each in several]
    both = [isinstance(each, Submit | Other | None) for each in several]
    base = [isinstance(several[at], Pdu) for at in range(len(several))]
    return [one, two, both, base, isinstance(several, tuple)]

def questions() -> list[object]:
    return kinds(Submit(), Other(), Pdu(), Key("a", 1), Turned(2, "b"), Child("a"), None, 1, Submit)

def no_pdu() -> object:
    return header(Message(1))

def swapped(record: Record) -> list[object]:
    return [record.message.id, swap(record), record.message.id]

def swap(record: Record) -> int:
    record.message = Message(2)
    return 0

def read_in_turn() -> list[object]:
    return swapped(Record(Message(1)))

def lines() -> int:
    record = Record(Message(1))
    return record.message.id + record.missing
"""
CASES = (
    "gone",
    "nobody",
    "gone_from_others",
    "gone_from_the_first",
    "joined",
    "later_names",
    "of_a_global",
    "name_of_nobody",
    "sums",
    "later",
    "nothing",
    "default_of_another_kind",
    "ordered_dict",
    "shadow",
    "hides",
    "extended",
    "questions",
    "read_in_turn",
    "lines",
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same sources in two places; in one the corners are compiled beside them."""
    folder = tmp_path_factory.mktemp("corners")
    places = {"python": folder / "python", "compiled": folder / "compiled"}
    for place in places.values():
        (place / "odd").mkdir(parents=True)
        for name, text in (("__init__", ""), ("records", RECORDS), ("corners", CORNERS)):
            (place / "odd" / f"{name}.py").write_text(text, encoding="utf-8")
    module = Project(places["python"], ("odd.corners",)).module("odd.corners")
    assert module is not None
    edited, build = Edited(module), folder / "build"
    (build / "odd").mkdir(parents=True)
    (build / FOLDER).mkdir()
    (build / "odd" / "corners.py").write_text(edited.source, encoding="utf-8")
    (build / "odd" / "corners.pxd").write_text(edited.pxd, encoding="utf-8")
    for one in edited.structs:
        (build / FOLDER / f"{alias(one)}.pxd").write_text(layout(module.project, one), encoding="utf-8")
    (build / FOLDER / f"{HELPERS}.pxd").write_text(IN_C, encoding="utf-8")
    for made in ("odd", FOLDER):
        (build / made / "__init__.py").touch()
    cythonize = [sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-q", "-3", "-X", "nonecheck=True", "odd/corners.py"]
    subprocess.run(cythonize, cwd=build, check=True, capture_output=True, timeout=110)
    (library,) = (build / "odd").glob("corners.*.so")
    shutil.copy(library, places["compiled"] / "odd")
    return places


PROGRAM = """
import json, sys, traceback
sys.path.insert(0, sys.argv[1])
import odd.corners as corners
try:
    found = [getattr(corners, sys.argv[2])()]
except Exception as error:
    found = [type(error).__name__, traceback.extract_tb(error.__traceback__)[-1].lineno]
print(json.dumps([corners.__file__.endswith(".so"), *found]))
"""


def told(place: Path, name: str) -> list[object]:
    """Whether it is compiled, what a case gives or raises, and where; in a process of its own, for a mistake may be a crash."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(place), name], check=False, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    found: list[object] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("name", CASES)
def test_both_give_or_raise_the_same(both: dict[str, Path], name: str) -> None:
    assert told(both["compiled"], name) == [True, *told(both["python"], name)[1:]]


@pytest.mark.parametrize("name", ["wrong_field", "given_other", "no_pdu"])
def test_an_object_of_another_class_raises(both: dict[str, Path], name: str) -> None:
    assert told(both["compiled"], name)[:2] == [True, "TypeError"]
    assert told(both["python"], name)[1] == "AttributeError", "which asks for the attribute"
