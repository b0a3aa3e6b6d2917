-- What a reader, who can't migrate, sees of a store without the column; of one that is older still, 0004 has made the view.
CREATE TEMP VIEW IF NOT EXISTS runs AS
SELECT *, CAST(NULL AS BIGINT) AS labelled_frames FROM store.main.runs;
