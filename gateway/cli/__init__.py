"""The `tensec` command: one module per group of subcommands."""
