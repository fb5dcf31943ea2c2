-- How many particles were measured, and how many were rejected and why, over the whole database; what touches the border may be uncertain, too.
SELECT
    count(*) AS panels,
    sum(n_particles) AS particles,
    sum(n_accepted) AS accepted,
    sum(n_border) AS at_the_border,
    sum(n_uncertain) AS uncertain
FROM segmentations
WHERE is_current
