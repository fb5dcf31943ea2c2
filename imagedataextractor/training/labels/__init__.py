"""Labels that people made in other programs, as training data in the EMPS layout.

One module a family of formats: `polygons` (VIA, COCO, labelme), `rois` (ImageJ), `maps` (Cellpose, label maps).
Each gives `picture.Labelled` values; `importing` finds the pictures and writes.
"""
