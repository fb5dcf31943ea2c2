-- How many panels have their mean size in each class, and how many accepted particles these hold.
-- param bin_nm = 10
SELECT bin * :bin_nm AS from_nm, (bin + 1) * :bin_nm AS to_nm, panels, particles
FROM (
    SELECT
        CAST(round(CAST(ecd_mean_nm / :bin_nm - 0.5 AS NUMERIC)) AS INTEGER) AS bin,
        count(*) AS panels,
        sum(n_accepted) AS particles
    FROM segmentations
    WHERE is_current AND ecd_mean_nm IS NOT NULL
    GROUP BY 1
) counted
ORDER BY bin
