"""Training of the segmentation networks.

In: a data set in the EMPS layout. Out: weights with their settings and calibration in the header.
"""
