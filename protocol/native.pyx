# cython: language_level=3
"""What `fast.py` offers, compiled: four to ten times as fast in reading, three times in writing.

It walks the layouts that the PDUs declare, as `codec.py` does, so it knows no PDU by name and does nearly all. Whatever is not
plain is left to the table there: this file has no error of its own. It is optional: where nothing could be compiled when
Tensec was installed, `fast.py` does the work, and the tests hold both to the table.

A PDU's fields are read where msgspec keeps them, for asking by name costs ten times as much. Should another version keep them
elsewhere, this module cannot be imported, and `fast.py` is used.
"""

from libc.string cimport memchr, memcmp, memcpy
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeLatin1

from types import MemberDescriptorType

from protocol.commands import RESPONSE_BIT
from protocol.fields import U8, CString, ShortMessage, SmppTime
from protocol.layouts import LAYOUTS
from protocol.pdu import Pdu

cdef extern from "Python.h":
    ctypedef struct PyMemberDef:
        Py_ssize_t offset
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member
    object PyObject_Vectorcall(object, PyObject **, size_t, PyObject *)
    int PyUnicode_KIND(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    unsigned char *PyUnicode_1BYTE_DATA(object)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1

ctypedef unsigned char Octet

cdef enum:
    HEADER_SIZE = 16
    HEADER_FIELDS = 4
    FIELDS_MAX = 24
    ROOM = 256  # octets of all fields of a PDU together, without a short_message

cdef enum Kind:
    OCTET
    STRING
    TIME
    TEXT

cdef object EMPTY = ""
cdef object NOTHING = b""
cdef tuple NO_TLVS = ()
cdef tuple HEADER_NAMES = ("sequence", "status", "tlvs", "trailing")


cdef class Layout:
    """How one PDU stands on the wire, and where an object of its class keeps what."""

    cdef object cls
    cdef unsigned long command_id
    cdef bint is_response
    cdef Py_ssize_t count
    cdef Kind[FIELDS_MAX] kinds
    cdef Py_ssize_t[FIELDS_MAX] sizes_max  # of strings, in characters
    cdef Py_ssize_t[FIELDS_MAX] offsets

    def __init__(self, cls, fields):
        self.cls = cls
        self.command_id = cls.command_id
        self.is_response = bool(cls.command_id & RESPONSE_BIT)
        self.count = len(fields)
        strings = [field.size_max for _, field in fields if isinstance(field, CString)]
        if len(fields) > FIELDS_MAX or sum(strings) + len(fields) > ROOM or ShortMessage in [type(one) for _, one in fields[:-1]]:
            raise ImportError(f"{cls.__name__} has more, or in another order, than native.pyx was made for")
        for index, (name, field) in enumerate(fields):
            self.kinds[index] = KINDS[type(field)]
            self.sizes_max[index] = field.size_max - 1 if isinstance(field, CString) else 0
            self.offsets[index] = offset_of(cls, name)


cdef Py_ssize_t offset_of(cls, name) except -1:
    """Where an object keeps a field, in octets from its beginning."""
    member = getattr(cls, name, None)
    if type(member) is not MemberDescriptorType:
        raise ImportError(f"{cls.__name__}.{name} is no slot: this version of msgspec keeps its fields elsewhere")
    return (<PyMemberDescrObject *> <PyObject *> member).d_member.offset


def offsets_of(cls, names):
    """Where an object of a struct keeps fields, in octets from its beginning; for other modules that are compiled."""
    return [offset_of(cls, name) for name in names]


cdef dict KINDS = {U8: Kind.OCTET, CString: Kind.STRING, SmppTime: Kind.TIME, ShortMessage: Kind.TEXT}
cdef dict BY_CLASS = {
    cls: Layout(cls, fields)
    for cls, fields in LAYOUTS.items()
    if all(type(field) in KINDS for _, field in fields)
    and (*HEADER_NAMES, *[name for name, _ in fields]) == cls.__struct_fields__
}
cdef dict BY_COMMAND = {int(cls.command_id): layout for cls, layout in BY_CLASS.items()}
cdef Py_ssize_t SEQUENCE = offset_of(Pdu, "sequence")
cdef Py_ssize_t STATUS = offset_of(Pdu, "status")
cdef Py_ssize_t TLVS = offset_of(Pdu, "tlvs")


# -- octets into PDUs


cdef inline unsigned long u32(const Octet *at) noexcept:
    return (<unsigned long> at[0] << 24) | (<unsigned long> at[1] << 16) | (<unsigned long> at[2] << 8) | at[3]


cdef inline Py_ssize_t u16(const Octet *at) noexcept:
    return (<Py_ssize_t> at[0] << 8) | at[1]


cdef inline object octets(const Octet *at, Py_ssize_t size):
    return PyBytes_FromStringAndSize(<const char *> at, size) if size else NOTHING


cdef tuple read_tlvs(const Octet **at, const Octet *end):
    """Every whole TLV; moves `at` to where the reading stopped."""
    cdef const Octet *look = at[0]
    cdef Py_ssize_t count = 0, size
    if look == end:
        return NO_TLVS
    while end - look >= 4 and end - look - 4 >= u16(look + 2):
        look += 4 + u16(look + 2)
        count += 1
    found = PyTuple_New(count)
    for index in range(count):
        size = u16(at[0] + 2)
        one = (u16(at[0]), octets(at[0] + 4, size))
        Py_INCREF(one)
        PyTuple_SET_ITEM(found, index, one)
        at[0] += 4 + size
    return found


cdef object read_field(Kind kind, Py_ssize_t size_max, const Octet **at, const Octet *end):
    """Its value, and moves `at` behind it; None when the table must decide."""
    cdef const Octet *start = at[0]
    cdef const Octet *stop
    if start >= end:
        return None
    if kind == Kind.OCTET:
        at[0] += 1
        return start[0]
    if kind == Kind.TEXT:
        stop = start + 1 + start[0]
        if stop > end:
            return None
        at[0] = stop
        return octets(start + 1, stop - start - 1)
    if start[0] == 0:
        at[0] += 1
        return EMPTY
    stop = <const Octet *> memchr(start, 0, end - start)
    if stop == NULL or stop - start > size_max or (kind == Kind.TIME and stop - start != 16):
        return None
    at[0] = stop + 1
    return PyUnicode_DecodeLatin1(<const char *> start, stop - start, NULL)


cdef object read_pdu(Layout layout, const Octet *at, const Octet *end, unsigned long status, unsigned long sequence):
    """The PDU with this body; None when the table must decide."""
    cdef PyObject *values[HEADER_FIELDS + FIELDS_MAX]
    cdef Py_ssize_t count = HEADER_FIELDS, index
    cdef object number = sequence, state = status, tlvs, trailing, value
    try:
        for index in range(layout.count):
            if at == end and layout.is_response:
                break  # what is missing keeps its default
            value = read_field(layout.kinds[index], layout.sizes_max[index], &at, end)
            if value is None:
                return None
            Py_INCREF(value)
            values[count] = <PyObject *> value
            count += 1
        tlvs = read_tlvs(&at, end)
        trailing = octets(at, end - at)
        values[0], values[1] = <PyObject *> number, <PyObject *> state
        values[2], values[3] = <PyObject *> tlvs, <PyObject *> trailing
        return PyObject_Vectorcall(layout.cls, values, count, NULL)
    finally:
        for index in range(HEADER_FIELDS, count):
            Py_XDECREF(values[index])


def read(bytes data not None, Py_ssize_t at, Py_ssize_t size_max, list items not None):
    """See `fast.read`."""
    cdef const Octet *start = <const Octet *> PyBytes_AS_STRING(data)
    cdef const Octet *end = start + PyBytes_GET_SIZE(data)
    cdef const Octet *here = start + at
    cdef Py_ssize_t length
    cdef unsigned long command_id = 0
    cdef Layout layout = None
    if at < 0 or here > end:
        return at
    while end - here >= HEADER_SIZE:
        length = u32(here)
        if length < HEADER_SIZE or length > size_max or length > end - here:
            break
        if layout is None or u32(here + 4) != command_id:
            command_id = u32(here + 4)
            layout = BY_COMMAND.get(command_id)
            if layout is None:
                break
        pdu = read_pdu(layout, here + HEADER_SIZE, here + length, u32(here + 8), u32(here + 12))
        if pdu is None:
            break
        items.append(pdu)
        here += length
    return here - start


# -- PDUs into octets


cdef inline object field_of(pdu, Py_ssize_t offset):
    cdef PyObject *value = (<PyObject **> (<char *> <PyObject *> pdu + offset))[0]
    return <object> value if value != NULL else None


cdef inline long long number_below(value, long long limit) except -2:
    """The whole number `value` is; -1 when it is none from 0 to below `limit`."""
    cdef int overflow = 0
    cdef long long number
    if not isinstance(value, int):
        return -1
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    return number if overflow == 0 and 0 <= number < limit else -1


cdef inline void put_u32(Octet *at, unsigned long value) noexcept:
    at[0] = <Octet> (value >> 24)
    at[1] = <Octet> (value >> 16)
    at[2] = <Octet> (value >> 8)
    at[3] = <Octet> value


cdef inline void put_u16(Octet *at, Py_ssize_t value) noexcept:
    at[0] = <Octet> (value >> 8)
    at[1] = <Octet> value


cdef inline Py_ssize_t put_string(Octet *at, value, Py_ssize_t size_max) except -2:
    """Writes a C-octet string; gives its octets with the NUL, or -1 when the table must decide."""
    cdef Py_ssize_t size
    if not isinstance(value, str):
        return -1
    size = PyUnicode_GET_LENGTH(value)
    if size > size_max or PyUnicode_KIND(value) != 1:
        return -1
    if size:
        if memchr(PyUnicode_1BYTE_DATA(value), 0, size) != NULL:
            return -1
        memcpy(at, PyUnicode_1BYTE_DATA(value), size)
    at[size] = 0
    return size + 1


cdef Py_ssize_t size_of_tlvs(tlvs) except -2:
    """In octets; -1 when the table must decide."""
    cdef Py_ssize_t size = 0
    if type(tlvs) is not tuple:
        return -1
    for one in <tuple> tlvs:
        if not isinstance(one, tuple) or PyTuple_GET_SIZE(one) != 2:
            return -1
        value = <object> PyTuple_GET_ITEM(one, 1)
        if type(value) is not bytes or PyBytes_GET_SIZE(value) > 0xFFFF:
            return -1
        if number_below(<object> PyTuple_GET_ITEM(one, 0), 0x10000) < 0:
            return -1
        size += 4 + PyBytes_GET_SIZE(value)
    return size


cdef int put_tlvs(Octet *at, tuple tlvs) except -1:
    """Writes what `size_of_tlvs` has measured."""
    cdef Py_ssize_t size
    for one in tlvs:
        value = <object> PyTuple_GET_ITEM(one, 1)
        size = PyBytes_GET_SIZE(value)
        put_u16(at, number_below(<object> PyTuple_GET_ITEM(one, 0), 0x10000))
        put_u16(at + 2, size)
        memcpy(at + 4, PyBytes_AS_STRING(value), size)
        at += 4 + size
    return 0


cdef bint append(bytearray out, const Octet *head, Py_ssize_t head_size, bytes text, tuple tlvs, Py_ssize_t tlvs_size) except -1:
    cdef Py_ssize_t before = PyByteArray_GET_SIZE(out), size = PyBytes_GET_SIZE(text)
    cdef Octet *at
    PyByteArray_Resize(out, before + head_size + size + tlvs_size)
    at = <Octet *> PyByteArray_AS_STRING(out) + before
    memcpy(at, head, head_size)
    memcpy(at + head_size, PyBytes_AS_STRING(text), size)
    put_tlvs(at + head_size + size, tlvs)
    return True


def write(pdu, bytearray out not None):
    """See `fast.write`."""
    cdef Octet[HEADER_SIZE + ROOM] head
    cdef Octet *at = head + HEADER_SIZE
    cdef Py_ssize_t index, size, tlvs_size
    cdef long long octet, sequence
    cdef PyObject *found = PyDict_GetItem(BY_CLASS, type(pdu))
    if found == NULL:
        return False
    layout = <Layout> found
    tlvs = field_of(pdu, TLVS)
    sequence = number_below(field_of(pdu, SEQUENCE), 0x1_0000_0000)
    tlvs_size = size_of_tlvs(tlvs)
    if number_below(field_of(pdu, STATUS), 1) != 0 or sequence < 0 or tlvs_size < 0:
        return False
    text = NOTHING
    for index in range(layout.count):
        value = field_of(pdu, layout.offsets[index])
        if layout.kinds[index] == Kind.OCTET:
            octet = number_below(value, 0x100)
            if octet < 0:
                return False
            at[0] = <Octet> octet
            at += 1
        elif layout.kinds[index] == Kind.TEXT:
            if type(value) is not bytes or PyBytes_GET_SIZE(value) > 254:
                return False
            text = value
            at[0] = <Octet> PyBytes_GET_SIZE(value)
            at += 1
        else:
            size = put_string(at, value, layout.sizes_max[index])
            if size < 0 or (layout.kinds[index] == Kind.TIME and size != 1 and size != 17):
                return False
            at += size
    put_u32(head, at - head + PyBytes_GET_SIZE(text) + tlvs_size)
    put_u32(head + 4, layout.command_id)
    put_u32(head + 8, 0)
    put_u32(head + 12, sequence)
    return append(out, head, at - head, text, tlvs, tlvs_size)


def ok_with_id(command_id, sequence, message_id):
    """See `fast.ok_with_id`."""
    cdef Octet[HEADER_SIZE + 65] raw
    cdef long long command = number_below(command_id, 0x1_0000_0000), number = number_below(sequence, 0x1_0000_0000)
    cdef Py_ssize_t size = put_string(raw + HEADER_SIZE, message_id, 64)
    if command < 0 or number < 0 or size < 0:
        return None
    put_u32(raw, HEADER_SIZE + size)
    put_u32(raw + 4, command)
    put_u32(raw + 8, 0)
    put_u32(raw + 12, number)
    return PyBytes_FromStringAndSize(<char *> raw, HEADER_SIZE + size)


cdef bint skip(const Octet **at, const Octet *end, const char *key, Py_ssize_t size) noexcept:
    """Step over a key of a receipt's text. Gives whether it stands there."""
    if end - at[0] < size or memcmp(at[0], key, size) != 0:
        return False
    at[0] += size
    return True


cdef inline const Octet *word_end(const Octet *at, const Octet *end) noexcept:
    """Where a word ends: before a blank of Latin-1, or a colon."""
    while at < end and not (at[0] <= 32 and (9 <= at[0] <= 13 or at[0] >= 28)) and at[0] not in (58, 0x85, 0xA0):
        at += 1
    return at


cdef inline bint take_word(const Octet **at, const Octet *end, const char *key, Py_ssize_t size, const Octet **word) noexcept:
    """A key and the word behind it, which may be empty."""
    if not skip(at, end, key, size):
        return False
    word[0] = at[0]
    at[0] = word_end(at[0], end)
    return True


cdef inline object text_of(const Octet *at, const Octet *end):
    return PyUnicode_DecodeLatin1(<const char *>at, end - at, NULL)


def receipt_words(bytes text not None):
    """(id, stat, err) of a receipt's text that is Appendix B to the letter; None for any other."""
    cdef const Octet *at = <const Octet *>PyBytes_AS_STRING(text)
    cdef const Octet *end = at + PyBytes_GET_SIZE(text)
    cdef const Octet *word
    cdef const Octet *id_at
    cdef const Octet *stat_at
    cdef const Octet *id_end
    cdef const Octet *stat_end
    cdef const Octet *err_at
    cdef const Octet *err_end
    if not take_word(&at, end, b"id:", 3, &id_at) or at == id_at:
        return None
    id_end = at
    if not take_word(&at, end, b" sub:", 5, &word) or not take_word(&at, end, b" dlvrd:", 7, &word):
        return None
    if not take_word(&at, end, b" submit date:", 13, &word) or not take_word(&at, end, b" done date:", 11, &word):
        return None
    if not take_word(&at, end, b" stat:", 6, &stat_at):
        return None
    stat_end = at
    if not take_word(&at, end, b" err:", 5, &err_at):
        return None
    err_end = at
    if not skip(&at, end, b" text:", 6):
        return None
    return text_of(id_at, id_end), text_of(stat_at, stat_end), text_of(err_at, err_end)
