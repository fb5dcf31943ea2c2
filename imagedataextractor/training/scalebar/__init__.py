"""Training of the models that judge scale bars.

In: hand-read bars, and drawn ones. Out: the models, as JSON, for `data/scalebar`.
"""
