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


def layout(project: Project, one: Class) -> str:
    """The .pxd of a struct. Its fields stand one after the other behind the head of the object, which `check.py` looks at."""
    fields, imports = [], set()
    members = []
    for name, known in one.fields.items():
        other = project.class_of(known)
        kind = c_type(project, known) or "object"
        if other is not None and other.kind == "struct" and kind != "object":
            imports.add(cimport(other))
            members.append(f"struct S_{alias(other)} *{name};")
        else:
            members.append(f"PyObject *{name};")
            kind = kind if other is None else "object"
        fields.append(f"        cdef {kind} {name}")
    return "\n".join(
        (
            *sorted(imports),
            "cdef extern from *:",
            '    """',
            f"    #ifndef HAVE_{alias(one)}",
            f"    #define HAVE_{alias(one)}",
            f"    typedef struct S_{alias(one)} {{ PyObject_HEAD {' '.join(members)} }} S_{alias(one)};",
            "    #endif",
            '    """',
            f"    ctypedef class {one.module.name}.{one.name} [object S_{alias(one)}, check_size ignore]:",
            *fields,
            "",
        )
    )
