"""Subcommands of `headstart`; each loads what it needs when it runs."""
