"""Names of the files of a run's folder. This module has no imports, so that code which needs a name starts fast."""

RUN_FILE = "run.json"
STATISTICS_FILE = "statistics.json"
