"""The Redis store: the same vault on a Redis or Valkey server, one function call for each write.

`vault` keeps the data, `functions.lua` is what runs in the server, `line` the connection, `check` what a server must be set to,
`spill` where writes wait while the server is away, `opening` puts it together.
"""
