#!/bin/sh
# Many speech and text checkpoints on hubs are stored in float16. transformers 4 read them as float32 unless asked;
# transformers 5 keeps the checkpoint's type. The same three lines then give other features (a text network), or an error
# on the first wave (a speech network: "expected scalar type Float but found Half"). `dtype=torch.float32` is the old way.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/make.py" <<'PY'
import sys

import torch
from transformers import RobertaConfig, RobertaModel, __version__

sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 1000}
torch.manual_seed(0)
network = RobertaModel(RobertaConfig(**sizes)).half()
network.save_pretrained(sys.argv[1])
loaded = RobertaModel.from_pretrained(sys.argv[1]).eval()
asked = RobertaModel.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
tokens = torch.arange(5, 25)[None]
with torch.inference_mode():
    distance = (loaded(tokens).last_hidden_state.float() - asked(tokens).last_hidden_state).abs().max().item()
print(f"transformers {__version__}: float16 file read as {loaded.dtype}, {distance:.4f} from float32")
raise SystemExit(not (loaded.dtype == getattr(torch, sys.argv[2]) and (distance > 1e-4) == (sys.argv[2] == "float16")))
PY
for pair in "4.57.1 float32" "5.24.0 float16"; do
	set -- $pair
	python3 -m venv "$folder/venv$1"
	"$folder/venv$1/bin/python" -m pip install --quiet "transformers==$1" "torch==2.11.0" "numpy==2.2.6"
	"$folder/venv$1/bin/python" -W ignore "$folder/make.py" "$folder/network$1" "$2" 2>"$folder/log" || { cat "$folder/log"; exit 1; }
done
