"""Training of the networks of the figures stage.

In: labelled figures and drawn ones. Out: safetensors for `data/figures`.
"""
