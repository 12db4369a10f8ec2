"""Makes C of the modules on the messages' path (`hot_modules.py`), where there is a compiler; Python stays the only source.

Cython compiles Python as it is, but asks for every attribute by name, which costs what leaving out the interpreter saves. Here
it is told what the annotations say, so that an attribute of a record, or of one of our own classes, is a place in memory:

    project    reads the sources: classes, their attributes, functions, what the annotations mean
    inference  what a local variable or an expression of a function is; where it cannot tell, Cython asks by name as before
    edits      writes that into a copy of the source, line by line the same, so that tracebacks name the lines people know
    layouts    where msgspec keeps the fields of a struct
    build      all of it, for setup.py

The annotations are trusted as far as mypy --strict checks them; whatever comes out of a container or a struct is looked at once
more, and an object of another class raises TypeError. ARCHITECTURE.md says what else it relies on.
"""
