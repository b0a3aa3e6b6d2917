"""Words of videos that come without any: a file of the user, or a speech recogniser; kept in the cache."""
