-- Every particle of one article or picture, accepted or not.
-- param doi
SELECT figure, panel, panel_index, particle, ecd_nm, ecd_px, aspect_ratio, circularity, uncertainty, accepted, reason,
    segmentation_id
FROM measured_particles
WHERE doi = lower(:doi) OR article = :doi
ORDER BY figure, panel_index, particle
