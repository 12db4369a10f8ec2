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
from compiling.layouts import FOLDER, HELPERS, IN_C, alias, layout
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
    structs: dict[str, Class] = {}
    for name in HOT:
        module = project.module(name)
        assert module is not None, f"there is no module {name}"
        edited = Edited(module)
        path = target / f"{name.replace('.', '/')}.py"
        _write(path, edited.source)
        _write(path.with_suffix(".pxd"), edited.pxd)
        structs.update({one.full_name: one for one in edited.structs})
        written.append(path)
    for one in structs.values():
        _write(target / FOLDER / f"{alias(one)}.pxd", layout(project, one))
    _write(target / FOLDER / f"{HELPERS}.pxd", IN_C)
    for folder in {path.parent for path in target.rglob("*.pxd")}:
        _write(folder / "__init__.py", "")
    manifest = {
        "suffix": EXTENSION_SUFFIXES[0],
        "modules": HOT,
        "sources": {one.name: crc32(one.source.encode()) for one in project.read()},
        "layouts": {one.full_name: list(one.fields) for one in structs.values()},
    }
    _write(target / MANIFEST, json.dumps(manifest))
    return written


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
