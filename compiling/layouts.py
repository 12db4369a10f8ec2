"""Where msgspec keeps the fields of a struct, told to C: one .pxd for each struct."""

from compiling.project import Class, Project, Type

FOLDER = "struct_layouts"
HELPERS = "helpers"
HOLD, PLACE, IS_A = "hold_what_is_read", "place_of_tuple", "is_a"
IN_C = f"""
cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        pass
    bint PyObject_TypeCheck(object one, PyTypeObject *kind)

cdef inline object {HOLD}(object one):
    return one

cdef inline object {PLACE}(object one, Py_ssize_t at):
    return (<tuple>one)[at] if isinstance(one, tuple) else one[at]

cdef inline bint {IS_A}(object one, object kind):
    return PyObject_TypeCheck(one, <PyTypeObject *>kind)
"""
"""A .pxd beside those of the structs. What a function gives is read in its turn, and held. A named tuple's own way to a place
goes through its class, twenty times as far; so does the question for the class of what is no ordinary class's.
"""


def alias(one: Class) -> str:
    """What the generated sources call a class: the same name may mean another one there."""
    return "T_" + one.full_name.replace(".", "_")


def c_type(project: Project, known: Type | None) -> str | None:
    """How C says what this is; None where it can say no more than that it is an object."""
    if known is None:
        return None
    if known.name in ("list", "dict", "set"):
        return known.name
    one = project.class_of(known)
    return alias(one) if one is not None and project.is_native(one) else None


def cimport(one: Class) -> str:
    """The line by which a generated .pxd knows a class."""
    place = f"{FOLDER}.{alias(one)}" if one.kind == "struct" else one.module.name
    return f"from {place} cimport {one.name} as {alias(one)}"


def layout(project: Project, one: Class) -> str:
    """The .pxd of a struct: its fields stand one after the other behind the head of the object (`gateway/compiled.py` looks).

    Each is but an object here: what is in it is looked at where it is used. Those of a base come first, and C takes one for it.
    """
    base = base_of(project, one)
    extends = f"({alias(base)})" if base is not None else ""
    inherited = len(base.fields) if base is not None else 0
    return "\n".join(
        (
            cimport(base) if base is not None else "",
            "cdef extern from *:",
            '    """',
            *_typedefs(project, one),
            '    """',
            f"    ctypedef class {one.module.name}.{one.name}{extends} [object {place_of(one)}, check_size ignore]:",
            *(f"        cdef object {field}" for field in list(one.fields)[inherited:]),
            *(["        pass"] if len(one.fields) == inherited else []),
            "",
        )
    )


def base_of(project: Project, one: Class) -> Class | None:
    """What C takes a struct for as well."""
    base = one.bases[0] if one.bases else None
    return base if base is not None and project.is_native(base) else None


def place_of(one: Class) -> str:
    """What C calls the object of a struct."""
    return f"S_{alias(one)}"


def _typedefs(project: Project, one: Class) -> list[str]:
    """That of its base, which C may not have met yet, and its own."""
    base = base_of(project, one)
    head, inherited = ("PyObject_HEAD", 0) if base is None else (f"{place_of(base)} __pyx_base;", len(base.fields))
    name = place_of(one)
    fields = " ".join(f"PyObject *{field};" for field in list(one.fields)[inherited:])
    return [
        *(_typedefs(project, base) if base is not None else ()),
        f"    #ifndef HAVE_{name}",
        f"    #define HAVE_{name}",
        f"    typedef struct {name} {{ {head} {fields} }} {name};",
        "    #endif",
    ]
