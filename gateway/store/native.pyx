# cython: language_level=3, boundscheck=False, wraparound=False
"""Asks memory for records before they are read. A processor that finds an object far away waits for it, and then for what its
fields point to, one after the other; asked for together, for some records at a time, they come together.

Nothing is read but fields of objects that are held; to ask for what is not there does no harm.
"""

from cpython.list cimport PyList_CheckExact, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define TENSEC_ASK(place) __builtin_prefetch(place)
    #else
    #define TENSEC_ASK(place) ((void)(place))
    #endif
    #define TENSEC_ITEMS(several) (((PyListObject *)(several))->ob_item)
    """
    void TENSEC_ASK(const void *place)
    PyObject **TENSEC_ITEMS(PyObject *several)

from gateway.store.record import Record
from routing.records import Attempt, Message

cdef Py_ssize_t LINE = 64
cdef Py_ssize_t ATTEMPTS_AT = 0, MESSAGE_AT = 2
"""Places of a record's fields, which msgspec keeps in the order of their names: attempts, guards, message."""


cdef inline Py_ssize_t words_of(PyObject *one):
    """How many words a struct has behind its head."""
    return ((<PyTypeObject *>one.ob_type).tp_basicsize - <Py_ssize_t>sizeof(PyObject)) // <Py_ssize_t>sizeof(void *)


cdef inline PyObject **fields_of(PyObject *one):
    return <PyObject **>(<char *>one + sizeof(PyObject))


cdef inline void ask_for(PyObject *one, Py_ssize_t size):
    cdef Py_ssize_t at = 0
    while at < size:
        TENSEC_ASK(<char *>one + at)
        at += LINE


cdef inline void ask_for_fields(PyObject *one):
    cdef PyObject **fields = fields_of(one)
    cdef Py_ssize_t at, count = words_of(one)
    for at in range(count):
        ask_for(fields[at], 2 * LINE)


cdef PyObject *RECORD = <PyObject *>Record
cdef PyObject *MESSAGE = <PyObject *>Message
cdef PyObject *ATTEMPT = <PyObject *>Attempt


cdef inline bint is_a(PyObject *one, PyObject *kind):
    return one != NULL and <PyObject *>one.ob_type == kind


cdef inline PyObject *attempt_of(PyObject *record):
    """Its first one, if there is any; the list and what it holds are read."""
    cdef PyObject *attempts = fields_of(record)[ATTEMPTS_AT]
    if attempts == NULL or not PyList_CheckExact(<object>attempts) or not PyList_GET_SIZE(<object>attempts):
        return NULL
    return TENSEC_ITEMS(attempts)[0]


def prefetch(list records not None, Py_ssize_t begin, Py_ssize_t end):
    """Records from `begin` to `end`, their messages, and the first attempt of each, with all that these hold."""
    cdef Py_ssize_t at
    cdef PyObject *one
    begin, end = max(begin, 0), min(end, PyList_GET_SIZE(records))
    for at in range(begin, end):
        ask_for(PyList_GET_ITEM(records, at), LINE)
    for at in range(begin, end):
        one = PyList_GET_ITEM(records, at)
        if not is_a(one, RECORD):
            return
        ask_for(fields_of(one)[MESSAGE_AT], 7 * LINE)
        ask_for(fields_of(one)[ATTEMPTS_AT], LINE)
    for at in range(begin, end):
        one = PyList_GET_ITEM(records, at)
        if is_a(fields_of(one)[MESSAGE_AT], MESSAGE):
            ask_for_fields(fields_of(one)[MESSAGE_AT])
        one = fields_of(one)[ATTEMPTS_AT]
        if one != NULL and PyList_CheckExact(<object>one):
            TENSEC_ASK(TENSEC_ITEMS(one))
    for at in range(begin, end):
        ask_for(attempt_of(PyList_GET_ITEM(records, at)), 3 * LINE)
    for at in range(begin, end):
        one = attempt_of(PyList_GET_ITEM(records, at))
        if is_a(one, ATTEMPT):
            ask_for_fields(one)


def _is_as_thought():
    """Whether the fields of a record stand behind its head, in the order of their names."""
    message, attempts = Message(0, ""), []
    cdef object record = Record(message, attempts)
    cdef PyObject **fields = fields_of(<PyObject *>record)
    return fields[MESSAGE_AT] == <PyObject *>message and fields[ATTEMPTS_AT] == <PyObject *>attempts


if not _is_as_thought():
    raise ImportError("msgspec keeps the fields of structs elsewhere")
