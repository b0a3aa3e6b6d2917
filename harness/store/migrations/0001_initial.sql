-- Runs, their scores, per-video statistics, and published results.
CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
    created TIMESTAMP NOT NULL,             -- UTC
    status VARCHAR NOT NULL,                -- 'complete'; a run without scores is never ranked
    task VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    name VARCHAR NOT NULL,                  -- of the solution, or of a file that was scored
    seed BIGINT,
    encoder VARCHAR NOT NULL,
    head VARCHAR NOT NULL,
    postprocess VARCHAR NOT NULL,
    trained_on VARCHAR NOT NULL,
    tuned_on VARCHAR NOT NULL,
    data_name VARCHAR NOT NULL,
    data_fingerprint VARCHAR NOT NULL,
    videos BIGINT NOT NULL,
    frames BIGINT NOT NULL,
    frames_per_second DOUBLE,               -- of feature extraction, where this run extracted
    seconds DOUBLE,                         -- wall-clock time of the whole run
    folder VARCHAR NOT NULL,
    record JSON NOT NULL                    -- run.json, whole
);
CREATE TABLE scores (
    run_id VARCHAR NOT NULL,
    estimate VARCHAR NOT NULL,              -- 'headline', 'tuned_on_all', 'constant'
    metric VARCHAR NOT NULL,
    metric_version INTEGER NOT NULL,
    target VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    low DOUBLE,                             -- 95 % interval, bootstrap over videos
    high DOUBLE,
    PRIMARY KEY (run_id, estimate, metric, target)
);
CREATE TABLE video_statistics (
    run_id VARCHAR NOT NULL,
    estimate VARCHAR NOT NULL,
    video VARCHAR NOT NULL,
    statistics DOUBLE[] NOT NULL,           -- sufficient statistics of the metric, row by row
    PRIMARY KEY (run_id, estimate, video)
);
CREATE TABLE published (
    edition INTEGER NOT NULL,
    task VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,                  -- 'baseline', 'paper', 'leaderboard'
    rank INTEGER,
    team VARCHAR NOT NULL,
    system VARCHAR,
    metric VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    evidence VARCHAR NOT NULL,              -- 'official', 'paper', 'secondary'
    source VARCHAR NOT NULL
);
