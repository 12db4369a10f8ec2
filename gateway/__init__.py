"""Everything that waits: `core` (trio), `store` (where messages live), `link` (messages between processes), `cli`."""
