"""A copy of a source in which C is told what is known of its names, and the .pxd beside it.

Only within lines is anything added or taken away (a decorator takes the place of an empty line), so that line numbers stay.
"""

import ast
from collections.abc import Iterator

from compiling.inference import NAMES_OF_ITS_OWN, Comprehension, Scope, inside
from compiling.layouts import FOLDER, HELPERS, HOLD, IS_A, PLACE, c_type, cimport
from compiling.project import Class, Function, Module, Type
from compiling.textedits import TextEdits, end, start

HEAD = "import cython, typing; "


class Edited:
    """What becomes of one module: `source` and `pxd`."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.project = module.project
        self._text = TextEdits(module.source)
        self._before = _all_before(module)
        self._classes: dict[str, Class] = {}
        self._constants: dict[str, str] = {}
        self._functions: dict[str, Function] = {}
        self._called = {id(one.func): one for one in ast.walk(module.tree) if isinstance(one, ast.Call)}
        self._early = set(_read_early(module.tree, self.project.changing))
        self._pxd: list[str] = []
        self._helpers: set[str] = set()
        for function in module.functions():
            self._function(function)
        for one in module.classes():
            self._class(one)
        for node in module.tree.body:
            if not isinstance(node, NAMES_OF_ITS_OWN):
                for part in ast.walk(node):
                    self._method_as_object(part)
        self._head()
        self.source = self._text.apply()
        imports = {cimport(one) for one in self._classes.values()}
        imports |= {f"from {one.module.name} cimport {one.name} as {name}" for name, one in self._functions.items()}
        imports |= {f"from {FOLDER}.{HELPERS} cimport {name}" for name in self._helpers}
        names = [f"cdef object {name}" for name in self._constants]
        self.pxd = "\n".join(("cimport cython", *sorted(imports), *names, *self._pxd, ""))

    @property
    def structs(self) -> list[Class]:
        """Those whose layout the module relies on, and those they extend."""
        used = (Type(one.full_name) for one in self._classes.values())
        return [one for known in used for one in self.project.line_of(known) if self.project.is_native(one)]

    def _head(self) -> None:
        body = [one for one in self.module.tree.body if not isinstance(one, ast.Expr)]  # but for what it says of itself
        assert isinstance(body[0], (ast.Import, ast.ImportFrom, ast.Assign)), (
            f"{self.module.name}: begin it with an import or a constant"
        )
        imports = [one for one in body if isinstance(one, (ast.Import, ast.ImportFrom))]
        self._text.insert(start(body[0]), HEAD)
        if imports:
            self._text.insert(end(imports[-1]), "".join(f"; {name} = {meaning}" for name, meaning in self._constants.items()))

    def _kind(self, known: Type | None) -> str | None:
        """The C type of what is known; noted as used."""
        kind = c_type(self.project, known)
        one = self.project.class_of(known)
        if kind is None or one is None:
            return kind
        if one.module is self.module:
            return one.name
        if one.module.name not in self._before:  # C asks for the classes of others before anything else
            return None
        self._classes[one.full_name] = one
        return kind

    # -- classes

    def _class(self, one: Class) -> None:
        if not (one.kind == "class" and self.project.is_native(one)):
            for method in one.methods.values():
                self._function(method, may_be_c=False)
            return
        base = one.bases[0] if one.bases else None
        head = f"cdef class {one.name}"
        if base is not None:
            name = self._kind(Type(base.full_name))
            head += f"({name})"
            self._text.replace(one.node.bases[0], name or "")
        elif one.node.bases:
            self._text.replace(one.node.bases[0], "")  # Generic
        self._pxd.append(head + ":")
        self._pxd += [f"    cdef public {self._kind(known) or 'object'} {name}" for name, known in one.attributes.items()]
        before = len(self._pxd)
        for method in one.methods.values():
            self._function(method)
        if len(self._pxd) == before and not one.attributes:
            self._pxd.append("    pass")
        for node in one.node.body:
            if isinstance(node, ast.AnnAssign):
                self._cut_variable(node)
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
                self._text.replace(node, "pass")

    def _method_as_object(self, node: ast.AST) -> bool:
        """`Class.method`, which C would take for its own function."""
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return False
        owner = self.module.own.get(node.value.id)
        found = isinstance(owner, Class) and self.project.is_native(owner) and owner.method(node.attr) is not None
        if found:
            self._wrap(node.value, "cython.cast(object, ", ")")
        return found

    # -- functions

    def _function(self, function: Function, *, may_be_c: bool = True) -> None:
        node = function.node
        scope = Scope(function)
        is_c = may_be_c and function.can_be_c
        parameters = {one.arg: self._kind(scope.names.get(one.arg)) for one in _arguments(node)}
        if function.owner is not None and not node.decorator_list:
            parameters["self"] = None
        hidden = _names_elsewhere(node)
        variables = {
            name: kind
            for name, known in scope.names.items()
            if name not in parameters and name not in hidden and (kind := self._kind(known)) is not None
        }
        self._signature(node, {} if is_c else parameters)
        told = {name for name, kind in (*parameters.items(), *variables.items()) if kind is not None}
        self._inside(scope, node, told | ({"self"} if function.owner is not None else set()))
        declared = f"@cython.locals({', '.join(f'{name}={kind}' for name, kind in variables.items())})"
        indent = "" if function.owner is None else "    "
        if is_c:
            gives = self._kind(function.returns)
            spelled = ", ".join(f"{kind} {name}" if kind else name for name, kind in parameters.items())
            self._pxd += [indent + declared] if variables else []
            self._pxd.append(f"{indent}cpdef {f'{gives} ' if gives else ''}{node.name}({spelled})")
        elif variables:
            self._text.before(min([node.lineno, *(one.lineno for one in node.decorator_list)]), indent + declared)

    def _signature(self, node: ast.FunctionDef | ast.AsyncFunctionDef, parameters: dict[str, str | None]) -> None:
        """Annotations that say something to C stay, as C spells them."""
        for one in (*_arguments(node), node.args.vararg, node.args.kwarg):
            if one is not None and one.annotation is not None:
                kind = parameters.get(one.arg)
                if kind is None:
                    self._text.cut(_end_of_name(one), end(one.annotation))
                else:
                    self._text.replace(one.annotation, f"typing.Optional[{kind}]")
        if node.returns is not None:
            self._text.cut(self._text.find_before("->", start(node.returns)), end(node.returns))

    def _inside(self, scope: Scope, node: ast.AST, told: set[str], *, without: ast.AST | None = None) -> None:
        """`told`: names of which C knows what they are."""
        for one in inside(node, without):
            if isinstance(one, ast.AnnAssign):
                self._cut_variable(one)
            elif isinstance(one, ast.Name):
                if id(one) in self._called and not scope.is_variable(one.id):
                    self._call(one)
                    if one.id == "isinstance":
                        self._is_a(scope, self._called[id(one)])
                    if one.id in ("max", "min") and any(isinstance(part, ast.Call) for part in _in_turn(self._called[id(one)])):
                        self._wrap(one, "cython.cast(object, ", ")")  # C's own reads what it compares in another order
            elif isinstance(one, ast.Attribute):
                self._attribute(scope, one, told)
            elif isinstance(one, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
                within = Comprehension(scope, one)
                first = one.generators[0].iter  # what it goes through is read outside
                self._inside(scope, ast.Expr(first), told)
                self._inside(within, one, told - within.names.keys(), without=first)
            elif isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for part in ast.walk(one):  # annotations within it mean nothing to C
                    if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        self._signature(part, {})
                    elif isinstance(part, ast.AnnAssign):
                        self._cut_variable(part)

    def _cut_variable(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            self._text.replace(node, "pass")
        else:
            self._text.cut(end(node.target), end(node.annotation))

    # -- expressions

    def _attribute(self, scope: Scope, node: ast.Attribute, told: set[str]) -> None:
        if self._method_as_object(node) or self._constant(scope, node):
            return
        known = scope.type_of(node.value)
        owner = self.project.class_of(known)
        if owner is None:
            return
        if owner.kind == "tuple" and node.attr in owner.fields and isinstance(node.ctx, ast.Load):
            self._text.cut(end(node.value), end(node))
            self._wrap(node, f"{PLACE}(", f", {list(owner.fields).index(node.attr)})")
            self._helpers.add(PLACE)
        elif self.project.is_native(owner):
            self._place(scope, node, owner, told)

    def _place(self, scope: Scope, node: ast.Attribute, owner: Class, told: set[str]) -> None:
        """An attribute or method of something C knows from inside."""
        method = owner.method(node.attr) if owner.kind == "class" else None
        early = id(node) in self._early
        if (method is not None and id(node) not in self._called) or (early and not isinstance(node.ctx, ast.Load)):
            self._wrap(node.value, "cython.cast(object, ", ")")
            return
        kind = self._kind(scope.type_of(node.value))
        if kind is None or (method is None and node.attr not in owner.attributes_in_c):
            return
        if early:
            self._hold(node, self._kind_of_attribute(owner, node.attr))
        value = node.value
        is_told = self._is_told(scope, value, told)
        if not is_told:
            self._wrap(value, f"cython.cast({kind}, ", ", typecheck=True)")
        # C does not hold what it calls a method of: were the attribute it stands in set meanwhile, it would be gone.
        changes = isinstance(value, ast.Attribute) and value.attr in self.project.changing
        if method is not None and changes and id(value) not in self._early:
            self._hold(value, kind if is_told else None)

    def _kind_of_attribute(self, owner: Class, name: str) -> str | None:
        """What C takes an attribute for by itself; of structs it knows no more than that it is an object."""
        known = owner.all_attributes.get(name) if owner.kind == "class" else None
        return self._kind(known) if known is not None else None

    def _hold(self, node: ast.expr, kind: str | None) -> None:
        """Read it in its turn, and keep it until the expression has been computed.

        `kind` is what C itself declares the attribute to be, and looks at when it is set: it need not look again.
        """
        self._helpers.add(HOLD)
        self._wrap(node, f"cython.cast({kind}, {HOLD}(" if kind else f"{HOLD}(", "))" if kind else ")")

    def _is_told(self, scope: Scope, node: ast.expr, told: set[str]) -> bool:
        """Whether C knows already what this is."""
        if isinstance(node, ast.Name):
            return node.id in told and scope.type_of(node) == scope.of_name(node.id)
        if not isinstance(node, ast.Attribute) or not self._is_told(scope, node.value, told):
            return False
        owner = self.project.class_of(scope.type_of(node.value))
        return owner is not None and self.project.is_native(owner) and self._kind_of_attribute(owner, node.attr) is not None

    def _wrap(self, node: ast.expr, before: str, behind: str) -> None:
        self._text.insert(start(node), before)
        self._text.insert(end(node), behind, first=True)

    def _call(self, node: ast.Name | ast.Attribute) -> bool:
        """A function of another module that C can call directly."""
        found = self.module.look_up(node)
        if not isinstance(found, Function) or not found.can_be_c or found.module is self.module:
            return False
        if found.module.name not in self.project.hot or found.module.name not in self._before:
            return False
        name = f"F_{found.module.name.replace('.', '_')}_{found.name}"
        self._functions[name] = found
        self._text.replace(node, name)
        return True

    def _is_a(self, scope: Scope, call: ast.Call) -> None:
        """Whether something is of a class of ours, none of which has a say in that."""
        one, kinds = call.args
        several = kinds.elts if isinstance(kinds, ast.Tuple) else list(_united(kinds))
        found = [self.module.look_up(kind) for kind in several]
        if not all(isinstance(kind, Class) and kind.kind != "other" for kind in found):
            return
        if any(isinstance(name, ast.Name) and scope.is_variable(name.id) for name in ast.walk(kinds)):
            return
        if len(several) == 1:
            self._text.replace(call.func, IS_A)
        elif isinstance(one, ast.Name):
            self._text.replace(call, f"({' or '.join(f'{IS_A}({one.id}, {ast.unparse(kind)})' for kind in several)})")
        else:
            return
        self._helpers.add(IS_A)

    def _constant(self, scope: Scope, node: ast.Attribute) -> bool:
        """A member of an enum, or something of another module: looked up once, when the module is read."""
        if not isinstance(node.value, ast.Name) or not isinstance(node.ctx, ast.Load) or scope.is_variable(node.value.id):
            return False
        what = self.module.look_up(node.value)
        if isinstance(what, Module):
            if id(node) in self._called and self._call(node):
                return True
            there = what.name in self._before
        else:
            there = isinstance(what, Class) and what.kind == "enum" and what.module is not self.module
        if not there or not node.attr.isupper():
            return False
        name = f"C_{node.value.id}_{node.attr}"
        self._constants[name] = ast.unparse(node)
        self._text.replace(node, name)
        return True


def _united(kinds: ast.expr) -> Iterator[ast.expr]:
    """The parts of `A | B`."""
    if isinstance(kinds, ast.BinOp):
        yield from _united(kinds.left)
        yield from _united(kinds.right)
    else:
        yield kinds


def _read_early(tree: ast.AST, changing: set[str]) -> Iterator[int]:
    """Attributes that are to be read before something else of the same expression is called, which may change them.

    C reads a place in memory where its value is used; as an attribute of any object it is read in its turn.
    """
    for node in ast.walk(tree):
        parts: list[ast.expr] = [node.target, node.value] if isinstance(node, ast.AugAssign) else _in_turn(node)
        calls = False
        for part in reversed(parts):
            if calls and any(one.attr in changing for one in _chain(part)):
                yield id(part)
            calls = calls or any(_may_change_something(one) for one in ast.walk(part))


def _may_change_something(node: ast.AST) -> bool:
    """Whether it may run code of anybody's. Properties and what containers do are taken for harmless."""
    if isinstance(node, ast.Call):
        return not (isinstance(node.func, ast.Name) and node.func.id in ("len", "type"))
    return isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom))


def _chain(node: ast.expr) -> Iterator[ast.Attribute]:
    """An attribute, and those it is an attribute of."""
    while isinstance(node, ast.Attribute):
        yield node
        node = node.value


def _in_turn(node: ast.AST) -> list[ast.expr]:
    """The parts of an expression in the order in which they are evaluated."""
    if isinstance(node, ast.Call):
        first = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        return [first, *node.args, *(one.value for one in node.keywords)]
    if isinstance(node, ast.Dict):
        return [one for pair in zip(node.keys, node.values, strict=True) for one in pair if one is not None]
    return [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)] if isinstance(node, ast.expr) else []


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _end_of_name(one: ast.arg) -> tuple[int, int]:
    return one.lineno, one.col_offset + len(one.arg.encode())


def _names_elsewhere(node: ast.AST) -> set[str]:
    """Names of a function that something inside it holds on to, or calls something of its own by."""
    found: set[str] = set()
    for one in inside(node):
        if isinstance(one, NAMES_OF_ITS_OWN):
            comprehends = isinstance(one, (ast.ListComp, ast.SetComp, ast.DictComp))
            names = (name for name in ast.walk(one) if isinstance(name, ast.Name))
            found.update(name.id for name in names if not comprehends or isinstance(name.ctx, ast.Store))
    return found


def _all_before(module: Module) -> set[str]:
    """Modules that are there when this one begins, for it imports them, or they are imported by what it does."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for place, there in waiting.pop().imported.values():
            for name in (place, f"{place}.{there}"):
                other = module.project.module(name)
                if other is not None and name not in found:
                    found.add(name)
                    waiting.append(other)
    return found - {module.name}
