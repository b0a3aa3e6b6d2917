"""Names of the files of a run's folder. This module imports nothing: checking a file needs a name, and no reader."""

RUN_FILE = "run.json"
STATISTICS_FILE = "statistics.json"
