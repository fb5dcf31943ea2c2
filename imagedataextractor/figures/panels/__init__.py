"""Where a figure is cut: gutters of the page, seams between images, insets, data bars.

In: a figure's pixels. Out: boxes of its panels, in pixels of the figure.
"""
