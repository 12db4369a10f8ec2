"""Numbers that are with another operator than their prefix says: a file, a line for each."""

from pathlib import Path


def parse_ported(text: str) -> dict[str, str]:
    """Operators by number, of lines `number,operator`, the number in E.164 with or without plus. Raises ValueError."""
    found: dict[str, str] = {}
    for at, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lower().startswith(("#", "number,")):
            continue
        number, _, operator = (part.strip() for part in line.partition(","))
        number = number.removeprefix("+")
        if not operator or "," in operator or not (number.isascii() and number.isdigit() and 7 < len(number) < 16):
            raise ValueError(f"line {at}: NUMBER,OPERATOR is expected, such as 8613800138000,cn-unicom")
        found[number] = operator
    return found


def read_ported(path: str) -> dict[str, str]:
    """The same of a file; without one there are none. Raises OSError, ValueError."""
    return parse_ported(Path(path).read_text(encoding="utf-8-sig")) if path else {}
