"""Insertions and cuts in a text, by the places `ast` tells: line from 1, column in octets."""

import ast

Place = tuple[int, int]


class TextEdits:
    """Collected, and made at once. No line is ever added or taken away."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode().split(b"\n")
        self._inserts: dict[Place, list[str]] = {}
        self._cuts: dict[int, list[tuple[int, int]]] = {}
        self._instead: dict[int, str] = {}

    def insert(self, at: Place, text: str, *, first: bool = False) -> None:
        """Put something there, behind what was put there before, or as the `first`."""
        here = self._inserts.setdefault(at, [])
        here.insert(0 if first else len(here), text)

    def cut(self, since: Place, until: Place) -> None:
        """Take away what is there; of several lines the ends of lines stay."""
        for line in range(since[0], until[0] + 1):
            column = since[1] if line == since[0] else 0
            last = until[1] if line == until[0] else len(self._lines[line - 1])
            self._cuts.setdefault(line, []).append((column, last))

    def replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        """Put something in the place of an expression or statement."""
        self.cut(start(node), end(node))
        if text:
            self.insert(start(node), text)

    def before(self, line: int, text: str) -> None:
        """Put a line of its own in the place of the empty one before `line` and its comments."""
        line -= 1
        while line > 0 and self._lines[line - 1].lstrip().startswith(b"#"):
            line -= 1
        assert line > 0, "no line before it"
        assert not self._lines[line - 1].strip(), f"line {line} is not empty"
        self._instead[line] = text

    def find_before(self, what: str, at: Place) -> Place:
        """Where `what` is in front of a place in the same line, with the blanks before it."""
        line, column = at
        before = self._lines[line - 1][:column]
        return line, len(before[: before.rindex(what.encode())].rstrip())

    def apply(self) -> str:
        """The text with all of it."""
        lines = list(self._lines)
        edits: dict[int, list[tuple[int, int, bytes]]] = {
            line: [(first, last, b"") for first, last in cuts] for line, cuts in self._cuts.items()
        }
        for (line, column), texts in self._inserts.items():
            edits.setdefault(line, []).append((column, column, "".join(texts).encode()))
        for line, several in edits.items():
            text = lines[line - 1]
            for first, last, new in sorted(several, key=lambda one: one[:2], reverse=True):
                text = text[:first] + new + text[last:]
            lines[line - 1] = text
        for line, instead in self._instead.items():
            lines[line - 1] = instead.encode()
        return b"\n".join(lines).decode()


def start(node: ast.expr | ast.stmt) -> Place:
    """Where it begins."""
    return node.lineno, node.col_offset


def end(node: ast.expr | ast.stmt) -> Place:
    """Where it ends."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset
