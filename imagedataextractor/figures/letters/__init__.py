"""Which letter, sub-caption and technique belong to which panel.

In: a figure's layout and pixels, its caption's facts. Out: letters with their boxes, given to panels.
"""
