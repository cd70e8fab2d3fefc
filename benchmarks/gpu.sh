#!/bin/sh
# What pixelwise does on a GPU, in less than 8 minutes: tests of the GPU, then benchmarks/gpu.py.
# Needs this checkout and Python with torch; what else pixelwise needs is installed if it is missing.
#
#     sh benchmarks/gpu.sh                          # on a machine with an NVIDIA GPU
#     sh benchmarks/gpu.sh --device cpu --quick     # a rehearsal of a minute, without one
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
command -v "$python" >/dev/null || python=python3
"$python" -c 'import torch' 2>/dev/null || {
    echo "$python has no torch. Name a Python that has: PYTHON=/path/to/python sh $0" >&2
    exit 1
}
PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
"$python" -c 'import pixelwise.cli' 2>/dev/null ||
    "$python" -m pip install --quiet --no-input numpy scipy scikit-image pillow tifffile imagecodecs \
        pydantic pyyaml typer rich safetensors matplotlib jinja2 </dev/null
if "$python" -c 'import pytest' 2>/dev/null; then
    "$python" -m pytest -q -p no:cacheprovider tests/test_gpu.py || echo "Tests of the GPU failed."
else
    echo "Tests of the GPU: not run, since pytest is not installed."
fi
exec "$python" benchmarks/gpu.py "$@"
