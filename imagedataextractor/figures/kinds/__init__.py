"""What a panel shows: an electron micrograph, a plot, a diffraction pattern …

In: a panel's pixels. Out: a kind with its calibrated probability.
"""
