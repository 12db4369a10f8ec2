"""The copies that are compiled say what the sources say, line by line, and tell C what can be known."""

import ast
from pathlib import Path

import pytest

from compiling.edits import Edited
from compiling.hot_modules import HOT
from compiling.project import Project

ROOT = Path(__file__).parent.parent.parent
REAL = Project(ROOT, HOT)

RECORDS = """
import msgspec

class Message(msgspec.Struct):
    id: int
    state: str = ""

class Record(msgspec.Struct):
    message: Message
    attempts: list[int] = []

class Pdu(msgspec.Struct):
    sequence: int = 0

class SubmitSm(Pdu):
    text: bytes = b""

class DataSm(Pdu):
    text: bytes = b""
"""
STATES = """
from enum import IntEnum
from typing import NamedTuple

class State(IntEnum):
    OPEN = 1

class Key(NamedTuple):
    number: int
    part: int

FINAL = frozenset({State.OPEN})

def last(key: Key) -> int:
    return key.part
"""


def edited(tmp_path: Path, source: str) -> Edited:
    """What becomes of a module `hot` beside `records` (structs, not compiled) and `states` (compiled)."""
    for name, text in (("records", RECORDS), ("states", STATES), ("hot", source)):
        (tmp_path / "app").mkdir(exist_ok=True)
        (tmp_path / "app" / f"{name}.py").write_text(text, encoding="utf-8")
    module = Project(tmp_path, ("app.hot", "app.states")).module("app.hot")
    assert module is not None
    return Edited(module)


def body(tmp_path: Path, source: str) -> str:
    """The last line of it."""
    return edited(tmp_path, source).source.rstrip().splitlines()[-1].strip()


@pytest.mark.parametrize("name", HOT)
def test_definitions_stay_in_their_lines(name: str) -> None:
    module = REAL.module(name)
    assert module is not None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Return, ast.If, ast.For)
    before, after = (
        [(type(one), one.lineno) for one in ast.walk(ast.parse(text)) if isinstance(one, kinds)]
        for text in (module.source, Edited(module).source)
    )
    assert before == after


@pytest.mark.parametrize("name", HOT)
def test_structs_that_hot_modules_use_from_inside_are_not_made_in_one(name: str) -> None:
    """C looks for a class before the module that makes it has been read."""
    module = REAL.module(name)
    assert module is not None
    assert all(one.module.name not in HOT for one in Edited(module).structs)


@pytest.mark.parametrize("name", HOT)
def test_what_waits_holds_no_function_of_its_own(name: str) -> None:
    """Compiled, its names live in an object that such a function holds, and that holds the function: what a batch was made of
    would stay until the garbage collector has gone through everything.
    """
    module = REAL.module(name)
    assert module is not None
    for one in ast.walk(module.tree):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts = [part for part in ast.walk(one) if part is not one]
            waits = isinstance(one, ast.AsyncFunctionDef) or any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in parts)
            inner = any(isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) for part in parts)
            assert not (waits and inner), f"{name}.{one.name}: make it a method, and hand it on with functools.partial"


def test_attributes_of_a_class_get_places_and_methods_become_functions(tmp_path: Path) -> None:
    found = edited(
        tmp_path,
        """
from collections import OrderedDict
from app.records import Record

class Book:
    def __init__(self, size: int) -> None:
        self.size = size
        self.records: dict[int, Record] = {}
        self.old: dict[int, Record] = OrderedDict()

    def at(self, number: int) -> Record | None:
        return self.records.get(number)

    def all(self, *, sort: bool = False) -> list[Record]:
        return list(self.records.values())
""",
    )
    assert "cdef class Book:" in found.pxd
    assert "cdef public object size" in found.pxd
    assert "cdef public dict records" in found.pxd
    assert "cdef public object old" in found.pxd, "an OrderedDict is no dict for C"
    assert "cpdef T_app_records_Record at(self, number)" in found.pxd
    assert "all(" not in found.pxd


def test_a_variable_is_told_when_everything_put_into_it_is_the_same(tmp_path: Path) -> None:
    found = edited(
        tmp_path,
        """
from app.records import Message, Record

def one(records: list[Record]) -> int:
    for record in records:
        message = record.message
        other = record.message
        other = 1
    return message.id
""",
    )
    assert "@cython.locals(record=T_app_records_Record, message=T_app_records_Message)" in found.pxd
    assert "cpdef one(list records)" in found.pxd


def test_what_is_in_a_container_is_looked_at_where_it_is_used(tmp_path: Path) -> None:
    source = """
from app.records import Message

def ids(messages: list[Message]) -> list[int]:
    return [one.id for one in messages]
"""
    assert body(tmp_path, source) == "return [cython.cast(T_app_records_Message, one, typecheck=True).id for one in messages]"


def test_below_a_question_for_its_class_a_name_is_that(tmp_path: Path) -> None:
    source = """
from app.records import Message

def number(one: object) -> int:
    if type(one) is Message and one:
        return one.id
"""
    assert body(tmp_path, source) == "return cython.cast(T_app_records_Message, one, typecheck=True).id"


@pytest.mark.parametrize("what", ["type(one) is Message and one.id", "one.id if isinstance(one, Message) else 0"])
def test_it_is_told_within_an_expression_too(tmp_path: Path, what: str) -> None:
    source = f"""
from app.records import Message

def number(one: object) -> object:
    return {what}
"""
    assert "cython.cast(T_app_records_Message, one, typecheck=True).id" in body(tmp_path, source)


def test_a_name_that_changes_below_the_question_is_not(tmp_path: Path) -> None:
    source = """
from app.records import Message

def number(one: object) -> int:
    if isinstance(one, Message):
        one = other(one)
        return one.id
"""
    assert body(tmp_path, source) == "return one.id"


def test_what_is_one_of_several_structs_is_what_all_of_them_extend(tmp_path: Path) -> None:
    source = """
from app.records import DataSm, Message, Pdu, SubmitSm

def number(pdu: {}) -> int:
    return pdu.sequence
"""
    assert "cpdef number(T_app_records_SubmitSm pdu)" in edited(tmp_path, source.format("SubmitSm")).pxd
    assert "cpdef number(T_app_records_Pdu pdu)" in edited(tmp_path, source.format("Pdu")).pxd
    assert "cpdef number(T_app_records_Pdu pdu)" in edited(tmp_path, source.format("SubmitSm | DataSm | None")).pxd
    assert "cpdef number(pdu)" in edited(tmp_path, source.format("SubmitSm | Message")).pxd


def test_what_changes_while_the_rest_is_called_is_read_before(tmp_path: Path) -> None:
    source = """
from app.records import Message, Record

def set(record: Record) -> None:
    record.message = Message(1)

def number(record: Record) -> object:
    return record.message.id, set(record)
"""
    asked = "cython.cast(T_app_records_Message, record.message, typecheck=True).id"
    assert body(tmp_path, source) == f"return hold_what_is_read({asked}), set(record)"


def test_members_of_enums_constants_and_functions_of_others_are_found_once(tmp_path: Path) -> None:
    source = """
from app import states
from app.states import Key, State, last

def what(key: Key) -> object:
    return key.number, State.OPEN, states.FINAL, states.last(key), last(key)
"""
    called = "F_app_states_last(key)"
    assert body(tmp_path, source) == f"return place_of_tuple(key, 0), C_State_OPEN, C_states_FINAL, {called}, {called}"
    assert "from app.states cimport last as F_app_states_last" in edited(tmp_path, source).pxd


def test_whether_something_is_of_a_class_of_ours_is_asked_by_c(tmp_path: Path) -> None:
    source = """
from app.records import DataSm, SubmitSm

def asked(pdu: object, others: list[object]) -> object:
    return {}
"""
    for python, c in (
        ("isinstance(others[0], SubmitSm)", "is_a(others[0], SubmitSm)"),
        ("isinstance(pdu, (SubmitSm, DataSm))", "(is_a(pdu, SubmitSm) or is_a(pdu, DataSm))"),
        ("isinstance(pdu, SubmitSm | DataSm)", "(is_a(pdu, SubmitSm) or is_a(pdu, DataSm))"),
        ("isinstance(pdu, str)", "isinstance(pdu, str)"),
        ("isinstance(pdu, (SubmitSm, str))", "isinstance(pdu, (SubmitSm, str))"),
        ("isinstance(others[0], (SubmitSm, DataSm))", "isinstance(others[0], (SubmitSm, DataSm))"),
    ):
        assert body(tmp_path, source.format(python)) == f"return {c}"
    hidden = source.replace("pdu: object", "SubmitSm: type, pdu: object").format("isinstance(pdu, SubmitSm)")
    assert body(tmp_path, hidden) == "return isinstance(pdu, SubmitSm)", "here it may be anything"


def test_a_name_that_hides_a_module_is_left_alone(tmp_path: Path) -> None:
    source = """
from app import states

def what(states: dict[str, int]) -> object:
    return states.FINAL
"""
    assert body(tmp_path, source) == "return states.FINAL"


def test_a_method_that_is_handed_on_stays_an_object(tmp_path: Path) -> None:
    source = """
import math

class Desk:
    def answer(self, one: int) -> int:
        return one

    def answers(self) -> object:
        return self.answer, self.answer(1), Desk.answer
"""
    assert body(tmp_path, source) == "return cython.cast(object, self).answer, self.answer(1), cython.cast(object, Desk).answer"
