"""Generated sources of all hot modules, what setuptools is to make of them, and a manifest by which `gateway/compiled.py` sees
whether they are what they were made of.
"""

import json
import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any
from zlib import crc32

from compiling.edits import Edited
from compiling.hot_modules import HOT
from compiling.layouts import FOLDER, alias, layout
from compiling.project import Class, Project

TARGET = Path("build", "compiled")
MANIFEST = "gateway/compiled.json"
DIRECTIVES = {"language_level": 3, "nonecheck": True}
"""An attribute of None raises AttributeError, as it does in Python."""
FLAGS = ["-O2", "-g0", "-fno-strict-aliasing"]


def extensions(root: Path) -> list[Any]:
    """Extensions for setuptools. What has not changed is not made anew."""
    from Cython.Build import cythonize
    from setuptools import Extension

    paths = write(root, root / TARGET)
    modules = [
        Extension(name, [str(path.relative_to(root))], extra_compile_args=FLAGS) for name, path in zip(HOT, paths, strict=True)
    ]
    made: list[Any] = cythonize(
        modules,
        include_path=[str(root / TARGET)],
        compiler_directives=DIRECTIVES,
        nthreads=os.cpu_count() or 1,
        quiet=True,
    )
    return made


def write(root: Path, target: Path) -> list[Path]:
    """Write the generated sources below `target`, and beside them the manifest; gives the sources in the order of HOT."""
    project = Project(root, HOT)
    written = []
    sources: dict[str, int] = {}
    structs: dict[str, Class] = {}
    for name in HOT:
        module = project.module(name)
        assert module is not None, f"there is no module {name}"
        edited = Edited(module)
        path = target / f"{name.replace('.', '/')}.py"
        _write(path, edited.source)
        _write(path.with_suffix(".pxd"), edited.pxd)
        structs.update({one.full_name: one for one in edited.structs})
        sources[name] = crc32(module.source.encode())
        written.append(path)
    known = _with_their_fields(project, structs)
    for one in known:
        _write(target / FOLDER / f"{alias(one)}.pxd", layout(project, one))
    for folder in {path.parent for path in target.rglob("*.pxd")}:
        _write(folder / "__init__.py", "")
    manifest = {
        "suffix": EXTENSION_SUFFIXES[0],
        "sources": sources,
        "layouts": {one.full_name: list(one.fields) for one in known},
    }
    _write(target / MANIFEST, json.dumps(manifest, indent=1))
    return written


def _with_their_fields(project: Project, structs: dict[str, Class]) -> list[Class]:
    """Structs, and those that are fields of them."""
    found = dict(structs)
    waiting = list(structs.values())
    while waiting:
        for known in waiting.pop().fields.values():
            other = project.class_of(known)
            if other is not None and other.kind == "struct" and project.is_native(other) and other.full_name not in found:
                found[other.full_name] = other
                waiting.append(other)
    return list(found.values())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
