#!/bin/sh
# LightAutoML's `predict` gives one column per class. With labels 0, 1, 2, 3 column k is class k. As soon as one number is
# missing (a fold without "Surprise"), labels begin at 1, or labels are words, the columns are sorted by how frequent the
# classes are in the training data. The shape is the same; only `automl.reader.class_mapping` tells. Here class 4 is the
# most frequent one and class 0 the rarest, so the order of [0, 1, 2, 4] is turned round.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "lightautoml==0.4.2" "pandas==3.1.1" "scikit-learn==1.9.1"
"$python" -W ignore - 2>"$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
from importlib.metadata import version

import numpy as np
import pandas as pd
from lightautoml.automl.presets.tabular_presets import TabularAutoML
from lightautoml.tasks import Task

generator = np.random.default_rng(0)


def columns(classes):
    """Return the column in which each class has its highest mean probability."""
    truth = generator.choice(classes, 600, p=[0.1, 0.2, 0.3, 0.4])
    table = pd.DataFrame(generator.normal(0, 0.3, (600, 4)), columns=list("abcd"))
    for name, label in zip("abcd", classes, strict=True):
        table.loc[truth == label, name] += 3
    table["label"] = truth
    automl = TabularAutoML(
        task=Task("multiclass"), cpu_limit=1, general_params={"use_algos": [["linear_l2"]]}, reader_params={"cv": 2, "n_jobs": 1}
    )
    automl.fit_predict(table, roles={"target": "label"}, verbose=0)
    probabilities = automl.predict(table).data
    return [int(probabilities[truth == label].mean(0).argmax()) for label in classes]


print("LightAutoML", version("lightautoml"))
whole, gap, shifted = columns([0, 1, 2, 3]), columns([0, 1, 2, 4]), columns([1, 2, 3, 4])
print("classes 0, 1, 2, 3 are in columns", whole)
print("classes 0, 1, 2, 4 are in columns", gap)
print("classes 1, 2, 3, 4 are in columns", shifted)
raise SystemExit(not (whole == [0, 1, 2, 3] and gap == [3, 2, 1, 0] and shifted == [3, 2, 1, 0]))
PY
