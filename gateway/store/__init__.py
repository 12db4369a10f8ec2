"""Where messages live. `base` is the interface, `states` the rules every store follows, `memory` the plain implementation."""
