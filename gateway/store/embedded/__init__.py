"""The embedded store: SQLite files in the data directory."""
