-- Part the table of particles into ranges of segmentations. For PostgreSQL, before the first run:
--     ide status --migrate --db postgresql://me@server/particles
--     psql postgresql://me@server/particles -f partition_particles.sql
-- Segmentations are numbered as they come, so that a part is written, then only read: vacuum, backup and a dropped
-- index are a part's business, and a question that names segmentations looks into one part. The program does not
-- notice. More parts: the last statement, with higher bounds; what lies above all bounds goes into particles_rest.
DO $$
DECLARE
    -- Segmentations of a part: some 120 million particles, 75 GB.
    width CONSTANT bigint := 5000000;
    parts CONSTANT int := 4;
    shown text := pg_get_viewdef('measured_particles');
    part int;
BEGIN
    IF EXISTS (SELECT 1 FROM particles) THEN
        RAISE EXCEPTION 'particles is not empty: part it before the first run';
    END IF;
    DROP VIEW measured_particles;
    ALTER TABLE particles RENAME TO particles_before;
    CREATE TABLE particles (LIKE particles_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
        PARTITION BY RANGE (segmentation_id);
    ALTER TABLE particles ADD PRIMARY KEY (segmentation_id, label);
    ALTER TABLE particles ADD FOREIGN KEY (segmentation_id) REFERENCES segmentations (id) ON DELETE CASCADE;
    FOR part IN 0..parts - 1 LOOP
        EXECUTE format('CREATE TABLE particles_%s PARTITION OF particles FOR VALUES FROM (%s) TO (%s)',
            part, part * width, (part + 1) * width);
    END LOOP;
    CREATE TABLE particles_rest PARTITION OF particles DEFAULT;
    DROP TABLE particles_before;
    EXECUTE 'CREATE VIEW measured_particles AS ' || shown;
END $$;
