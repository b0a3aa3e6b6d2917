-- What a reader, who can't migrate, sees of a store without the table.
CREATE TEMP VIEW sweep_points AS
SELECT CAST(NULL AS VARCHAR) AS run_id, CAST(NULL AS VARCHAR) AS axis, CAST(NULL AS DOUBLE) AS value,
       CAST(NULL AS VARCHAR) AS metric, CAST(NULL AS DOUBLE) AS score, CAST(NULL AS DOUBLE) AS low,
       CAST(NULL AS DOUBLE) AS high
WHERE false;
