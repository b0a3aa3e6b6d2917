-- The files of a run with their hashes, so that a file that turns up somewhere is known again.
CREATE TABLE files (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,                  -- inside the run's folder
    sha256 VARCHAR NOT NULL,                -- as the run wrote it
    bytes BIGINT,                           -- NULL where the file was not there when the run was recorded
    PRIMARY KEY (run_id, name)
);
-- a store that is rebuilt from the run folders equals the one before, row by row
ALTER TABLE schema_version DROP COLUMN IF EXISTS applied;
