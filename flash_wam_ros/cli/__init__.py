"""The ``flash-wam`` command: one module a subcommand."""
