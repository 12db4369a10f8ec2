"""The memory store: the book alone. A restart forgets everything; for tests, demonstrations, and load tests of the path
itself.
"""

from gateway.store.book import Book


class MemoryStore(Book):
    """Nothing is written, so what steps changed is not kept either."""
