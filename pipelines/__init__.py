"""Bundled corpus definitions, run by `ide mine`."""
