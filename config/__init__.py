"""The configuration: `schema` says what may stand in a file, `loader` reads one and names every error at once."""
