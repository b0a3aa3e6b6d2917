-- What a reader, who can't migrate, sees of a store without the tables.
CREATE TEMP VIEW draws AS
SELECT CAST(NULL AS VARCHAR) AS run_id, CAST(NULL AS BLOB) AS scores
WHERE false;
CREATE TEMP VIEW failures AS
SELECT CAST(NULL AS VARCHAR) AS failure_id, CAST(NULL AS TIMESTAMP) AS created, CAST(NULL AS VARCHAR) AS task,
       CAST(NULL AS VARCHAR) AS split, CAST(NULL AS VARCHAR) AS name, CAST(NULL AS BIGINT) AS seed,
       CAST(NULL AS VARCHAR) AS data_name, CAST(NULL AS VARCHAR) AS kind, CAST(NULL AS VARCHAR) AS reason,
       CAST(NULL AS VARCHAR) AS file
WHERE false;
CREATE TEMP VIEW runs AS
SELECT *, CAST(NULL AS VARCHAR) AS setup FROM store.main.runs;
