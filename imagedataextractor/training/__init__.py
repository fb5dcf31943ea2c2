"""Everything that learns: networks, calibrations, and the data that they learn from.

In: labelled data and settings. Out: weights files and calibrations. Nothing that runs at extraction imports it.
"""
