-- What a reader, who can't migrate, sees of a store without the table.
CREATE TEMP VIEW files AS
SELECT run_id, f.key AS name, f.value->>'$' AS sha256, CAST(NULL AS BIGINT) AS bytes
FROM runs, json_each(record, '$.files') f;
