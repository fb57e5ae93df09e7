"""The standard protocols: one file each, and its card in `cards/`."""
