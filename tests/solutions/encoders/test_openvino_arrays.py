"""First arrays of several threads in OpenVINO."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.openvino import openvino_or_skip

openvino_or_skip()
pytest.importorskip("pyopen_wakeword")

TRIES = 3
FIRST_ARRAYS_AT_ONCE = """
import sys, threading
import numpy as np
from solutions.encoders.audio.speech_embedding import SpeechEmbeddingEncoder

sys.setswitchinterval(1e-6)
encoder, together = SpeechEmbeddingEncoder(), threading.Barrier(8)

def encode():
    together.wait()
    encoder.encode(np.zeros(16000, np.float32))

threads = [threading.Thread(target=encode) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.process
def test_first_arrays_of_eight_threads_do_not_lock():
    for _ in range(TRIES):  # without the first array in import_openvino two of ten tries never end
        subprocess.run([sys.executable, "-c", FIRST_ARRAYS_AT_ONCE], check=True, timeout=60)


def test_encoder_makes_its_first_array_before_requests(monkeypatch):
    from solutions.encoders.audio.speech_embedding import SpeechEmbeddingEncoder
    from solutions.encoders.openvino_package import import_openvino

    openvino = import_openvino()

    calls = []

    class Recorded(openvino.Tensor):
        @property
        def data(self):
            calls.append("array")
            return super().data

    class Core(openvino.Core):
        def compile_model(self, *arguments, **named):
            calls.append("network")
            return super().compile_model(*arguments, **named)

    monkeypatch.setattr(openvino, "Tensor", Recorded)
    monkeypatch.setattr(openvino, "Core", Core)
    SpeechEmbeddingEncoder()
    assert calls == ["array", "network", "network"]
