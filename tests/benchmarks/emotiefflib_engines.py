"""The ``emotiefflib`` package's own engines at work. Run by the Python of an environment that has the package.

    python emotiefflib_engines.py make NETWORK CROPS   seeded weights, as the package's own files lie below HOME
    python emotiefflib_engines.py serve NETWORK ENGINE CROPS   encode all crops once for each line on stdin

``CROPS`` is a text file with a path a line. ``serve`` answers each line with the path of an ``.npy`` with the features.
A crop is a call: the faster way for either engine. Files are read as a script does.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

FOLDER = Path.home() / ".emotiefflib"


def read(path: str) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)


def make(network: str, crops: list[str]) -> None:
    """Random weights whose batch norms have seen crops: untrained ones would shrink every crop to the same zeros."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model("tf_efficientnet_b0", pretrained=False, num_classes=8)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean of all batches
    seen = np.stack([cv2.resize(read(path), (224, 224)) for path in crops[:: max(1, len(crops) // 64)][:64]])
    batch = torch.from_numpy(seen).permute(0, 3, 1, 2).float().div(255)
    batch = (batch - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    with torch.no_grad():
        model.train()(batch)
    model.eval()
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.save(copy.deepcopy(model), FOLDER / f"{network}.pt")
    torch.onnx.export(
        model,
        (batch[:1],),
        FOLDER / f"{network}.onnx",
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}},
        dynamo=False,
    )


def serve(network: str, engine: str, crops: list[str]) -> None:
    from emotiefflib.facial_analysis import EmotiEffLibRecognizer

    recognizer = EmotiEffLibRecognizer(engine=engine, model_name=network)
    for path in crops[:20]:
        recognizer.extract_features(read(path))
    out = FOLDER / f"{network}-{engine}.npy"
    for _ in sys.stdin:
        np.save(out, np.concatenate([recognizer.extract_features(read(path)) for path in crops]))
        print(out, flush=True)


if __name__ == "__main__":
    paths = Path(sys.argv[-1]).read_text().splitlines()
    if sys.argv[1] == "make":
        make(sys.argv[2], paths)
    else:
        serve(sys.argv[2], sys.argv[3], paths)
