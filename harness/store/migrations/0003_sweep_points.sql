-- A run's score against one of its constants, the others as they were chosen.
CREATE TABLE sweep_points (
    run_id VARCHAR NOT NULL,
    axis VARCHAR NOT NULL,                  -- 'half_width', 'filter_threshold', 'weight'
    value DOUBLE NOT NULL,
    metric VARCHAR NOT NULL,
    score DOUBLE NOT NULL,
    low DOUBLE,                             -- 95 % interval, bootstrap over videos
    high DOUBLE,
    PRIMARY KEY (run_id, axis, value)
);
