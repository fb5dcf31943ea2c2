"""Bundled database files: migrations, named queries, Datasette's metadata, the picture of the schema.

Read by `store` and `review`, found through `resources.resource_path`; migrations are frozen once released.
"""
