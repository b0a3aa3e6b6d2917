-- What the board needs, so that nobody waits while videos are drawn.
CREATE TABLE draws (
    run_id VARCHAR PRIMARY KEY,
    scores BLOB NOT NULL                    -- float32: the official score of each replicate of the bootstrap over videos
);
-- Runs of one setup differ in the seed alone.
ALTER TABLE runs ADD COLUMN setup VARCHAR;
-- Runs that were tried and came to nothing.
CREATE TABLE failures (
    failure_id VARCHAR PRIMARY KEY,
    created TIMESTAMP NOT NULL,             -- UTC
    task VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    name VARCHAR NOT NULL,                  -- of the solution
    seed BIGINT,
    data_name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,                  -- of the error
    reason VARCHAR NOT NULL,                -- its message, whole
    file VARCHAR NOT NULL                   -- where this is noted
);
-- Each time that something was recorded: whoever reads from afar can tell that there is something new.
CREATE TABLE recordings (
    moment TIMESTAMP NOT NULL,              -- UTC
    made_by VARCHAR NOT NULL,               -- user@machine
    runs BIGINT NOT NULL                    -- that were recorded then
);
