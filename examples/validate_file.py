"""Validate a file.

Check an official file of anybody's making: all problems are listed, each with file, line, column and a code. The codes
are explained on the page of errors. This example damages a file on purpose.
"""

import tempfile
from pathlib import Path

import abaw

folder = Path(tempfile.mkdtemp(prefix="abaw-example-"))  # your own predictions.txt is left alone
written, damaged = folder / "predictions.txt", folder / "damaged.txt"

predictions = {"video1": [0, 4, 4, 4], "video2_left": [6, 6, 7]}  # expressions of frames 1 to n, made up
report = abaw.write(written, "EXPR", predictions)
print(f"as written: {report!r}")

text = written.read_text(encoding="utf-8")
text = text.replace("video1/00002.jpg,4", "video1/00002.jpg,9")  # there are eight expressions, 0 to 7
damaged.write_text(text.replace("video2_left/00003.jpg,7\n", ""), encoding="utf-8")

report = abaw.validate(damaged, "EXPR", template=written)  # any file with the official rows in order
print(f"damaged: valid is {report.valid}")
for problem in report.problems:
    print(problem)
