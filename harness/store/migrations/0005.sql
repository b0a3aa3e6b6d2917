-- How many frames a run was scored on: it tells two versions of the labels apart.
ALTER TABLE runs ADD COLUMN IF NOT EXISTS labelled_frames BIGINT;
