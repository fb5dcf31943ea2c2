"""Bundled database files: migrations, named queries, Datasette metadata."""
