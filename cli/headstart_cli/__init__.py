"""The command `headstart`: finds a subcommand's package and says which extra to install."""
