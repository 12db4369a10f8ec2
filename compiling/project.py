"""The sources, read: classes, their attributes, functions, and what annotations mean."""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["struct", "class", "enum", "tuple", "other"]


class Type(NamedTuple):
    """A class of ours by its full name, or a kind of container (`list`, `dict`, `set`, `mapping`, `iterable`, `tuple`)."""

    name: str
    args: "tuple[Type | None, ...]" = ()

    def arg(self, at: int) -> "Type | None":
        return self.args[at] if at < len(self.args) else None


HEADS = {
    "list": "list",
    "dict": "mapping",
    "set": "set",
    "tuple": "tuple",
    "frozenset": "iterable",
    "deque": "iterable",
    "Sequence": "iterable",
    "MutableSequence": "iterable",
    "Iterable": "iterable",
    "Iterator": "iterable",
    "Collection": "iterable",
    "Set": "iterable",
    "Mapping": "mapping",
    "MutableMapping": "mapping",
    "OrderedDict": "mapping",
    "defaultdict": "mapping",
}
"""What an annotation's name stands for; those that are spelled alike are C's own types of exactly this class. A `dict` may be
an OrderedDict or a Counter, so it is one for C only where it is seen to be made (`exactly`).
"""


CLOSURES = (
    ast.Lambda,
    ast.GeneratorExp,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Yield,
    ast.YieldFrom,
    ast.Await,
)
"""What C's own functions may not have inside."""
RESERVED = {"void", "register", "struct", "union", "auto", "signed", "unsigned", "short", "long", "char", "double"}
"""Names that mean something else in a .pxd."""


class Function:
    """One of a module, or of a class."""

    def __init__(self, module: "Module", node: ast.FunctionDef | ast.AsyncFunctionDef, owner: "Class | None" = None) -> None:
        self.module = module
        self.node = node
        self.owner = owner

    @property
    def name(self) -> str:
        return self.node.name

    @cached_property
    def returns(self) -> Type | None:
        """What it gives; of one that waits, what is given in the end."""
        return self.module.type_of(self.node.returns)

    @cached_property
    def can_be_c(self) -> bool:
        """Whether C can call it directly: it has a fixed number of arguments, and nothing inside that remembers its names."""
        node, arguments = self.node, self.node.args
        if isinstance(node, ast.AsyncFunctionDef) or node.decorator_list or node.name in RESERVED or node.name.startswith("__"):
            return False
        if arguments.defaults or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
            return False
        return not any(isinstance(one, CLOSURES) for one in ast.walk(node) if one is not node)

    @cached_property
    def is_property(self) -> bool:
        return any(isinstance(one, ast.Name) and one.id == "property" for one in self.node.decorator_list)


class Class:
    """One of a module; `kind` says what can be known of where its attributes are."""

    def __init__(self, module: "Module", node: ast.ClassDef) -> None:
        self.module = module
        self.node = node
        self.full_name = f"{module.name}.{node.name}"
        self.methods = {
            one.name: Function(module, one, self)
            for one in node.body
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
        }

    @property
    def name(self) -> str:
        return self.node.name

    @cached_property
    def bases(self) -> "list[Class | None]":
        """None for each that is none of ours. What only says something of types is left out."""
        found = []
        for base in self.node.bases:
            head = base.value if isinstance(base, ast.Subscript) else base
            if ast.unparse(head) not in ("Generic", "msgspec.Struct"):
                what = self.module.look_up(head)
                found.append(what if isinstance(what, Class) else None)
        return found

    @cached_property
    def kind(self) -> Kind:
        names = {ast.unparse(base) for base in self.node.bases}
        if "msgspec.Struct" in names:
            return "struct"
        if names & {"IntEnum", "Enum"}:
            return "enum"
        if "NamedTuple" in names:
            return "tuple"
        base = self.bases[0] if len(self.bases) == 1 else None
        if base is not None and base.kind == "struct":
            return "struct"
        if self.node.decorator_list or self.node.keywords or (self.bases and (base is None or base.kind != "class")):
            return "other"
        return "class"

    @cached_property
    def fields(self) -> dict[str, Type | None]:
        """Of a named tuple in order; of a struct as msgspec keeps them: those of its bases first, of each class by name."""
        found: dict[str, Type | None] = {}
        for base in self.bases:
            if base is not None:
                found.update(base.fields)
        told = (
            one for one in self.node.body if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation)
        )
        own = {ast.unparse(one.target): one.annotation for one in told}
        names = own if self.kind == "tuple" else sorted(own)
        return {**found, **{name: self.module.type_of(own[name]) for name in names}}

    @cached_property
    def attributes(self) -> dict[str, Type | None]:
        """Of an ordinary class: what its own methods set. Those of its bases are theirs."""
        found: dict[str, Type | None] = {}
        self.__dict__["attributes"] = found  # what is asked for while they are found
        inherited = {name for base in self.bases if base is not None for name in base.all_attributes}
        for one in self.node.body:
            if isinstance(one, ast.AnnAssign) and one.value is None:
                found[ast.unparse(one.target)] = self.module.type_of(one.annotation)
        sets = [one for method in self.methods.values() for one in _set_on_self(method.node) if one[0] not in inherited]
        for name, annotation, value in sets:
            if annotation is not None or name not in found:
                found[name] = exactly(self.module.type_of(annotation), value)
        for name, _, value in sets:
            known = found[name]
            if known is not None and known.name == "dict" and not _makes_dict(value):
                found[name] = Type("mapping", known.args)
        self._infer(found)
        return found

    def _infer(self, found: dict[str, Type | None]) -> None:
        """What `__init__` sets without saying what it is."""
        from compiling.inference import Scope

        if "__init__" in self.methods:
            scope = Scope(self.methods["__init__"])
            for name, annotation, value in _set_on_self(self.methods["__init__"].node):
                if name in found and found[name] is None and annotation is None and value is not None:
                    found[name] = scope.type_of(value)

    @property
    def all_attributes(self) -> dict[str, Type | None]:
        """With those of its bases."""
        found: dict[str, Type | None] = {}
        for base in self.bases:
            if base is not None:
                found.update(base.all_attributes)
        return {**found, **self.attributes}

    @property
    def attributes_in_c(self) -> dict[str, Type | None]:
        """Those of which C knows where they are."""
        return self.fields if self.kind == "struct" else self.all_attributes

    def method(self, name: str) -> Function | None:
        """One of its own, or of a base."""
        if name in self.methods:
            return self.methods[name]
        return next((found for base in self.bases if base is not None and (found := base.method(name)) is not None), None)


def exactly(annotated: Type | None, value: ast.expr | None) -> Type | None:
    """What is annotated so, and is this to begin with."""
    if annotated is None or annotated.name != "mapping" or not _makes_dict(value):
        return annotated
    return Type("dict", annotated.args)


def _makes_dict(value: ast.expr | None) -> bool:
    return isinstance(value, (ast.Dict, ast.DictComp)) or (isinstance(value, ast.Call) and ast.unparse(value.func) == "dict")


def _set_on_self(function: ast.AST) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign):
            yield from _on_self(node.target, node.annotation, node.value)
        elif isinstance(node, ast.AugAssign):
            yield from _on_self(node.target, None, None)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple):
                    values = node.value.elts if isinstance(node.value, ast.Tuple) else [None] * len(target.elts)
                    for one, value in zip(target.elts, values, strict=True):
                        yield from _on_self(one, None, value)
                else:
                    yield from _on_self(target, None, node.value)


def _on_self(
    target: ast.expr, annotation: ast.expr | None, value: ast.expr | None
) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        yield target.attr, annotation, value


Named = Class | Function | ast.expr
"""What a name of a module may stand for; an expression where it is another name for a type."""


class Module:
    """One source."""

    def __init__(self, project: "Project", name: str, path: Path) -> None:
        self.project = project
        self.name = name
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self.own: dict[str, Named] = {}
        self.imported: dict[str, tuple[str, str]] = {}
        """By the name it has here: the module, and the name there (empty for the module itself)."""
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                self.imported.update({one.asname or one.name: (node.module, one.name) for one in node.names})
            elif isinstance(node, ast.Import):
                self.imported.update({one.asname or one.name: (one.name, "") for one in node.names})
            elif isinstance(node, ast.ClassDef):
                self.own[node.name] = Class(self, node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.own[node.name] = Function(self, node)
            elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias" and node.value is not None:
                self.own[ast.unparse(node.target)] = node.value

    def classes(self) -> list[Class]:
        return [one for one in self.own.values() if isinstance(one, Class)]

    def functions(self) -> list[Function]:
        return [one for one in self.own.values() if isinstance(one, Function)]

    def look_up(self, expression: ast.expr) -> "Class | Function | Alias | Module | None":
        """What a name, or a name of an imported module, stands for."""
        if isinstance(expression, ast.Name):
            name = expression.id
            if name in self.own:
                own = self.own[name]
                return own if isinstance(own, (Class, Function)) else Alias(self, own)
            if name not in self.imported:
                return None
            place, there = self.imported[name]
            module = self.project.module(place)
            if module is not None and there:
                found = module.look_up(ast.Name(there))
                return found if found is not None else self.project.module(f"{place}.{there}")
            return module if module is not None else self.project.module(f"{place}.{there}")
        if isinstance(expression, ast.Attribute):
            inside = self.look_up(expression.value)
            return inside.look_up(ast.Name(expression.attr)) if isinstance(inside, Module) else None
        return None

    def type_of(self, annotation: ast.expr | None) -> Type | None:
        """What an annotation says; None where it is nothing that could be used."""
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        if isinstance(annotation, ast.BinOp):
            kinds = [self.type_of(one) for one in (annotation.left, annotation.right) if not _is_none(one)]
            return kinds[0] if len(kinds) == 1 else self._both(*kinds)
        if isinstance(annotation, (ast.Name, ast.Attribute)):
            found = self.look_up(annotation)
            if isinstance(found, Alias):
                return found.module.type_of(found.meaning)
            if isinstance(found, Class):
                return Type(found.full_name)
            head = HEADS.get(annotation.id if isinstance(annotation, ast.Name) else annotation.attr)
            return Type(head) if head else None
        if isinstance(annotation, ast.Subscript):
            return self._type_of_many(annotation)
        return None

    def _both(self, one: Type | None, other: Type | None) -> Type | None:
        """What either of two is: the struct both extend, or one of them."""
        if one == other:
            return one
        of_one, of_other = (self.project.line_of(known) for known in (one, other))
        return next((Type(found.full_name) for found in of_one if found in of_other), None)

    def _type_of_many(self, annotation: ast.Subscript) -> Type | None:
        name = annotation.value
        if isinstance(name, (ast.Name, ast.Attribute)) and isinstance(found := self.look_up(name), Class):
            return Type(found.full_name)
        head = HEADS.get(ast.unparse(name).rpartition(".")[2])
        inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if head == "tuple" and len(inside) == 2 and isinstance(inside[1], ast.Constant) and inside[1].value is Ellipsis:
            head, inside = "iterable", inside[:1]
        return Type(head, tuple(self.type_of(one) for one in inside)) if head else None


class Alias(NamedTuple):
    """Another name for a type."""

    module: Module
    meaning: ast.expr


def _is_none(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Constant) and annotation.value is None


class Project:
    """The sources below `root`; `hot` are the modules that are compiled."""

    def __init__(self, root: Path, hot: tuple[str, ...]) -> None:
        self.root = root
        self.hot = hot
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """One by name; None for what is not ours."""
        if name not in self._modules:
            path = self.root / (name.replace(".", "/") + ".py")
            self._modules[name] = Module(self, name, path) if path.is_file() else None
        return self._modules[name]

    def read(self) -> "list[Module]":
        """All that were asked for: what is generated depends on them."""
        return [one for one in self._modules.values() if one is not None]

    @cached_property
    def changing(self) -> set[str]:
        """Names of attributes that are set anywhere but on `self` in an `__init__`."""
        found: set[str] = set()
        for package in sorted({name.partition(".")[0] for name in self.hot}):
            for path in sorted((self.root / package).rglob("*.py")):
                module = self.module(".".join(path.relative_to(self.root).with_suffix("").parts))
                found.update(_set_later(module.tree) if module is not None else ())
        return found

    def class_of(self, found: Type | None) -> Class | None:
        """The class a type is; None for a container."""
        if found is None or "." not in found.name:
            return None
        place, _, name = found.name.rpartition(".")
        module = self.module(place)
        what = module.own.get(name) if module is not None else None
        return what if isinstance(what, Class) else None

    def line_of(self, found: Type | None) -> list[Class]:
        """A struct and what it extends, one after the other; nothing for anything else."""
        line: list[Class] = []
        one = self.class_of(found)
        while one is not None and one.kind == "struct" and len(one.bases) <= 1:
            line.append(one)
            one = one.bases[0] if one.bases else None
        return line

    def is_native(self, one: Class | None) -> bool:
        """Whether C knows where its attributes are."""
        if one is None:
            return False
        if one.kind == "struct":  # in a module that is compiled itself it does not exist yet when C asks where it is
            return one.module.name not in self.hot and bool(one.fields) and len(one.bases) <= 1
        return one.kind == "class" and one.module.name in self.hot and _fits(one) and all(map(self.is_native, one.bases))


def _set_later(tree: ast.AST) -> Iterator[str]:
    making = {
        id(one)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and id(node) not in making:
            yield node.attr


def _fits(one: Class) -> bool:
    """C's classes have either an attribute of the class or one of each object by the same name."""
    shared = {
        target.id
        for node in one.node.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return not shared & one.attributes.keys()
