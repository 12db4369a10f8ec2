"""Spans of time as a switch spells them: `20ms`, `uniform:5ms-50ms`, `normal:2s,500ms`, `lognormal:800ms,0.6`, `exp:200ms`."""

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["fixed", "uniform", "normal", "lognormal", "exp"]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m)?")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, None: 1.0}


def parse_duration(text: str) -> float:
    """Seconds; a bare number means seconds. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration: 20ms, 1.5s, 2m")
    return float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of seconds, never negative. What `a` and `b` mean depends on `kind`:

    fixed a · uniform from a to b · normal mean a, deviation b · lognormal median a, sigma b · exp mean a.
    """

    kind: Kind = "fixed"
    a: float = 0.0
    b: float = 0.0

    @classmethod
    def parse(cls, spec: str) -> "Latency":
        """Read a spec. Raises ValueError with what would be right."""
        kind, colon, rest = spec.strip().partition(":")
        if not colon:
            return cls("fixed", parse_duration(kind))
        if kind == "exp":
            return cls("exp", parse_duration(rest))
        if kind == "uniform":
            low, _, high = rest.partition("-")
            found = cls("uniform", parse_duration(low), parse_duration(high))
            if found.b < found.a:
                raise ValueError(f"{spec!r}: the first bound is the lower one")
            return found
        if kind == "normal":
            mean, _, deviation = rest.partition(",")
            return cls("normal", parse_duration(mean), parse_duration(deviation))
        if kind == "lognormal":
            median, _, sigma = rest.partition(",")
            return cls("lognormal", parse_duration(median), float(sigma))
        raise ValueError(f"{spec!r}: 20ms, uniform:5ms-50ms, normal:2s,500ms, lognormal:800ms,0.6 or exp:200ms")

    def draw(self, rng: Random) -> float:
        """One span, in seconds. `fixed` uses no randomness."""
        kind = self.kind
        if kind == "fixed":
            return self.a
        if kind == "uniform":
            return rng.uniform(self.a, self.b)
        if kind == "normal":
            return max(0.0, rng.gauss(self.a, self.b))
        if kind == "lognormal":
            return self.a * rng.lognormvariate(0.0, self.b)
        return rng.expovariate(1 / self.a) if self.a else 0.0

    def __str__(self) -> str:
        a, b = f"{self.a * 1000:g}ms", f"{self.b * 1000:g}ms"
        match self.kind:
            case "fixed":
                return a
            case "uniform":
                return f"uniform:{a}-{b}"
            case "normal":
                return f"normal:{a},{b}"
            case "lognormal":
                return f"lognormal:{a},{self.b:g}"
            case _:
                return f"exp:{a}"
