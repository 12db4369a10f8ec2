"""What a local variable or an expression of a function is, by the annotations of what it comes from.

A name is of one class when everything that is ever put into it is (or None). No way through the function is followed, with one
exception: behind a question for a name's class the answer is known. What this takes for a `Message` may be None, or still
unset, as in Python.
"""

import ast
from collections.abc import Iterator

from compiling.project import Class, Function, Module, Type, exactly

NONE = Type("none")
ANYTHING = Type("anything")
"""Of a name into which something was put that nothing is known of."""
SAME = {"list": "list", "sorted": "list", "set": "set"} | dict.fromkeys(
    ("reversed", "tuple", "islice", "iter", "deque", "frozenset"), "iterable"
)
"""Functions that give what they are given, in another shape."""
NAMES_OF_ITS_OWN = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.GeneratorExp)
"""What is within runs when the names around it may have changed."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef
SHAPES = {ast.ListComp: "list", ast.SetComp: "set", ast.GeneratorExp: "iterable", ast.List: "list", ast.Set: "set"}
ROUNDS = 4
"""What a name is may tell what the next one is; longer chains are rare."""


class Scope:
    """The names of a function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.module = function.module
        self.project = function.module.project
        self.names: dict[str, Type | None] = {}
        self._outer: Scope | None = None
        self._narrowed = dict(_narrowed(function.node, self.module))
        self._parameters: dict[str, Type | None] = {}
        arguments = function.node.args
        for at, one in enumerate((*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)):
            known = self.module.type_of(one.annotation)
            if at == 0 and one.arg == "self" and function.owner is not None:
                known = Type(function.owner.full_name)
            self._parameters[one.arg] = known
        for more in (arguments.vararg, arguments.kwarg):
            if more is not None:
                self._parameters[more.arg] = None
        self._follow()

    # -- names

    def of_name(self, name: str) -> Type | None:
        """What a variable is."""
        if name in self.names:
            return self.names[name]
        return self._outer.of_name(name) if self._outer is not None else None

    def is_variable(self, name: str) -> bool:
        """Whether a name is one of the function, or of what is around it."""
        return name in self.names or (self._outer is not None and self._outer.is_variable(name))

    def _follow(self) -> None:
        """What names may be, leaving out what is not known yet; then, whether that holds whatever is put into them."""
        for _ in range(ROUNDS):
            self.names = self._found(lenient=True)
        before: dict[str, Type | None] = {}
        while self.names != before:
            before = self.names
            self.names = {name: known if known == before.get(name) else None for name, known in self._found().items()}

    def _found(self, *, lenient: bool = False) -> dict[str, Type | None]:
        found = {name: known or ANYTHING for name, known in self._parameters.items()}
        unknown = set()
        for name, known in self._bindings():
            if known is None and lenient:
                unknown.add(name)
            elif known != NONE:
                found[name] = (known or ANYTHING) if found.get(name) in (None, known) else ANYTHING
        names = {name: None if known == ANYTHING else known for name, known in found.items()}
        return {**dict.fromkeys(unknown), **names}

    def _bindings(self) -> Iterator[tuple[str, Type | None]]:
        for node in inside(self.function.node):
            if isinstance(node, NAMES_OF_ITS_OWN):
                yield from ((name, None) for name in _put_from_within(node))
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                yield from self._assigned(node)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                yield from self._bound(node.target, self._element(node.iter))
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                for item in node.items:
                    yield from self._bound(item.optional_vars, None)
            else:
                yield from ((name, None) for name in _names_put(node))

    def _assigned(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> Iterator[tuple[str, Type | None]]:
        """An operation in place is none of these: what it leaves is what was there, or mypy would not have it."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from self._bound(target, self.type_of(node.value), node.value)
        elif isinstance(node, ast.AnnAssign):
            yield from self._bound(node.target, exactly(self.module.type_of(node.annotation), node.value))
        else:
            yield node.target.id, self.type_of(node.value)

    def _bound(
        self, target: ast.expr | None, known: Type | None, value: ast.expr | None = None
    ) -> Iterator[tuple[str, Type | None]]:
        if isinstance(target, ast.Name):
            yield target.id, known
        elif isinstance(target, ast.Starred):
            yield from self._bound(target.value, None)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
            for at, one in enumerate(target.elts):
                if values is not None:
                    yield from self._bound(one, self.type_of(values[at]), values[at])
                else:
                    yield from self._bound(one, known.arg(at) if known is not None and known.name == "tuple" else None)

    # -- expressions

    def type_of(self, node: ast.expr) -> Type | None:
        """What an expression gives, apart from None."""
        if isinstance(node, ast.Name):
            return self._narrowed.get(id(node)) or self.of_name(node.id)
        if isinstance(node, ast.Constant):
            return NONE if node.value is None else None
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node)
        if isinstance(node, ast.Call):
            return self._of_call(node)
        if isinstance(node, ast.Subscript):
            return self._of_subscript(node)
        if isinstance(node, (ast.NamedExpr, ast.Await)):
            return self.type_of(node.value)
        if isinstance(node, ast.IfExp):
            return _both(self.type_of(node.body), self.type_of(node.orelse))
        if isinstance(node, ast.BoolOp):
            known = self.type_of(node.values[0])
            for one in node.values[1:]:
                known = _both(known, self.type_of(one))
            return known
        return self._of_display(node)

    def _of_display(self, node: ast.expr) -> Type | None:
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            return Type(SHAPES[type(node)], (Comprehension(self, node).type_of(node.elt),))
        if isinstance(node, (ast.List, ast.Set)):
            kinds = {self.type_of(one) for one in node.elts}
            return Type(SHAPES[type(node)], (kinds.pop() if len(kinds) == 1 else None,) if node.elts else ())
        if isinstance(node, ast.Tuple):
            return Type("tuple", tuple(map(self.type_of, node.elts)))
        if isinstance(node, ast.Dict) and not node.keys:
            return Type("dict")
        return Type("dict", (None, None)) if isinstance(node, (ast.Dict, ast.DictComp)) else None

    def _of_attribute(self, node: ast.Attribute) -> Type | None:
        owner = self.project.class_of(self.type_of(node.value))
        if owner is None:
            return None
        if owner.kind in ("struct", "tuple"):
            return owner.fields.get(node.attr)
        if owner.kind == "class":
            method = owner.method(node.attr)
            return method.returns if method is not None and method.is_property else owner.all_attributes.get(node.attr)
        return None

    def _of_call(self, node: ast.Call) -> Type | None:
        found = self._called(node)
        if isinstance(found, Class):
            return Type(found.full_name)
        if isinstance(found, Function):
            return None if found.is_property else found.returns
        if isinstance(node.func, ast.Name):
            return None if node.keywords or self.is_variable(node.func.id) else self._of_builtin(node.func.id, node.args)
        if isinstance(node.func, ast.Attribute):
            known = _of_method(self.type_of(node.func.value), node.func.attr)
            return known if len(node.args) < 2 else _both(known, self.type_of(node.args[1]))  # what is given for nothing
        return None

    def _called(self, node: ast.Call) -> Function | Class | None:
        """What of ours a call calls."""
        if isinstance(node.func, ast.Attribute):
            owner = self.project.class_of(self.type_of(node.func.value))
            if owner is not None:
                return owner.method(node.func.attr)
        if isinstance(node.func, ast.Name) and self.is_variable(node.func.id):
            return None
        found = self.module.look_up(node.func)
        return found if isinstance(found, (Function, Class)) else None

    def _of_builtin(self, name: str, arguments: list[ast.expr]) -> Type | None:
        if not arguments:
            return None
        element = self._element(arguments[0])
        if name in SAME:
            return Type(SAME[name], (element,))
        if name == "enumerate":
            return Type("iterable", (Type("tuple", (None, element)),))
        if name == "zip":
            return Type("iterable", (Type("tuple", tuple(map(self._element, arguments))),))
        return element if name in ("next", "max", "min") and len(arguments) == 1 else None

    def _of_subscript(self, node: ast.Subscript) -> Type | None:
        of = self.type_of(node.value)
        if of is None:
            return None
        if of.name in ("dict", "mapping"):
            return of.arg(1)
        if of.name in ("list", "iterable"):
            return of if isinstance(node.slice, ast.Slice) else of.arg(0)
        if of.name == "tuple" and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            return of.arg(node.slice.value)
        return None

    def _element(self, node: ast.expr) -> Type | None:
        """What going through it gives, one by one."""
        of = self.type_of(node)
        return of.arg(0) if of is not None and of.name in ("list", "set", "iterable", "dict", "mapping") else None


class Comprehension(Scope):
    """The names a comprehension binds, and those around it."""

    def __init__(self, outer: Scope, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.function = outer.function
        self.module = outer.module
        self.project = outer.project
        self.names = {}
        self._outer = outer
        self._narrowed = outer._narrowed
        for one in node.generators:
            self.names.update(self._bound(one.target, self._element(one.iter)))


def inside(function: ast.AST, without: ast.AST | None = None) -> Iterator[ast.AST]:
    """Everything of a function itself, in order: nothing inside of what has names of its own, nothing of `without`."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop(0)
        if node is without:
            continue
        yield node
        if not isinstance(node, NAMES_OF_ITS_OWN):
            waiting[:0] = list(ast.iter_child_nodes(node))


def _names_put(node: ast.AST) -> list[str]:
    """Names that get something nothing is known of."""
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return [node.name] if node.name else []
    if isinstance(node, ast.MatchMapping):
        return [node.rest] if node.rest else []
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [one.asname or one.name.partition(".")[0] for one in node.names]
    return list(node.names) if isinstance(node, ast.Global) else []


def _put_from_within(node: ast.AST) -> Iterator[str]:
    """Names of the function around it that something with names of its own sets."""
    for one in ast.walk(node):
        if isinstance(one, ast.NamedExpr):
            yield one.target.id
        elif isinstance(one, ast.Nonlocal):
            yield from one.names


def _of_method(of: Type | None, method: str) -> Type | None:
    """What a method of a container gives."""
    if of is None:
        return None
    if of.name in ("dict", "mapping"):
        pair = Type("tuple", (of.arg(0), of.arg(1)))
        return {
            "get": of.arg(1),
            "pop": of.arg(1),
            "setdefault": of.arg(1),
            "values": Type("iterable", (of.arg(1),)),
            "keys": Type("iterable", (of.arg(0),)),
            "items": Type("iterable", (pair,)),
            "popitem": pair,
        }.get(method)
    if of.name in ("list", "set", "iterable"):
        return {"pop": of.arg(0), "popleft": of.arg(0), "copy": of}.get(method)
    return None


def _narrowed(function: Definition, module: Module) -> Iterator[tuple[int, Type]]:
    """Uses of the function's own names behind a question for their class, unless something else is put into them there."""
    own = _own_names(function)
    for node in inside(function):
        parts: list[ast.AST] = []
        if isinstance(node, ast.If):
            test, parts = node.test, [*node.body]
        elif isinstance(node, ast.IfExp):
            test, parts = node.test, [node.body]
        elif isinstance(node, ast.BoolOp):
            test, parts = node, [*node.values[1:]]
        if parts and (asked := _class_asked_for(test)) is not None and asked[0] in own:
            name, kind = asked
            found = module.look_up(kind)
            parts = [one for part in parts for one in ast.walk(part)]
            below = [one for one in parts if isinstance(one, ast.Name) and one.id == name]
            stays = all(isinstance(one.ctx, ast.Load) for one in below) and not any(name in _names_put(one) for one in parts)
            if isinstance(found, Class) and stays:
                later = {id(one) for part in parts if isinstance(part, LATER) for one in ast.walk(part)}
                yield from ((id(one), Type(found.full_name)) for one in below if id(one) not in later)


def _own_names(function: Definition) -> set[str]:
    """Parameters and variables that nothing else can set."""
    found = {one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    others: set[str] = set()
    for node in inside(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Global):
            others.update(node.names)
        elif isinstance(node, NAMES_OF_ITS_OWN):
            others.update(_put_from_within(node))
    return found - others


def _class_asked_for(test: ast.expr) -> tuple[str, ast.expr] | None:
    """The name and the class of `isinstance(name, Class)` and `type(name) is Class`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return _class_asked_for(test.values[0])
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is) and isinstance(test.left, ast.Call):
        called, kinds = test.left, test.comparators
    elif isinstance(test, ast.Call):
        called, kinds = test, test.args[1:]
    else:
        return None
    asks = isinstance(called.func, ast.Name) and called.func.id in ("type", "isinstance")
    what = called.args[0] if called.args else None
    return (what.id, kinds[0]) if asks and isinstance(what, ast.Name) and len(kinds) == 1 else None


def _both(one: Type | None, other: Type | None) -> Type | None:
    """What may be either."""
    if one is not None and other is not None and one.name == other.name and not (one.args and other.args):
        return Type(one.name, one.args or other.args)  # one of them has nothing in it
    if other in (one, NONE):
        return one
    return other if one == NONE else None
