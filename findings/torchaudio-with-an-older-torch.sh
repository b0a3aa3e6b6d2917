#!/bin/sh
# torchaudio 2.11.1 declares torch>=2.11, so that pip installs it beside torch 2.11.0 and `pip check` is content.
# Its compiled part was built against a later torch: `import torchaudio` fails there. An expert expects that a patch
# release of one minor version loads beside every patch release of the same minor version, as torchaudio 2.11.0 does.
# Linux x86-64, Python 3.11 or 3.12; downloads about 3 GB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "torch==2.11.0" "torchaudio==2.11.1"
"$python" -W ignore - <<'PYTHON'
import subprocess, sys
from importlib.metadata import requires, version

print("torch", version("torch"), "torchaudio", version("torchaudio"), "declares", requires("torchaudio"))
content = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True).returncode == 0
print("pip check:", "no conflict" if content else "a conflict")
try:
    import torchaudio
except OSError as error:
    reason = str(error.__cause__ or error).rpartition("/")[2]
    print("import torchaudio:", type(error).__name__, reason)
    sys.exit(0 if content and "undefined symbol" in reason else 1)
print("import torchaudio: works")
sys.exit(1)
PYTHON
