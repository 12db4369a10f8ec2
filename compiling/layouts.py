"""Where msgspec keeps the fields of a struct, told to C: one .pxd for each struct."""

from compiling.project import Class, Project, Type

FOLDER = "struct_layouts"


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


def layout(one: Class) -> str:
    """The .pxd of a struct: its fields stand one after the other behind the head of the object (`gateway/compiled.py` looks).

    Each is but an object here: what is in it is looked at where it is used.
    """
    name = f"S_{alias(one)}"
    return "\n".join(
        (
            "cdef extern from *:",
            '    """',
            f"    #ifndef HAVE_{name}",
            f"    #define HAVE_{name}",
            f"    typedef struct {name} {{ PyObject_HEAD {' '.join(f'PyObject *{field};' for field in one.fields)} }} {name};",
            "    #endif",
            '    """',
            f"    ctypedef class {one.module.name}.{one.name} [object {name}, check_size ignore]:",
            *(f"        cdef object {field}" for field in one.fields),
            "",
        )
    )
