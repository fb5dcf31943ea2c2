"""Bundled corpus definitions, run by `ide mine NAME`, and how to run one on a cluster.

In: nothing. Out: TOML files, found through `resources.resource_path` and read by `mining.corpus`.
"""
