-- How many frames a run was scored on: it tells two versions of the labels apart.
ALTER TABLE runs ADD COLUMN labelled_frames BIGINT;
