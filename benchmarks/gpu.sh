#!/usr/bin/env bash
# What only a GPU can show, in the order of its worth, 12 minutes at most:
#
#     benchmarks/gpu.sh OUT            # with the package and its `dev` extra installed
#
# Each part writes OUT/PART.log; a part that fails or takes too long is named at the end, and the next one begins.
# benchmarks/RESULTS.md says which GPU figures are older than this script.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:?"usage: benchmarks/gpu.sh OUT"}
mkdir -p "$out"
python=${PYTHON:-python}
failed=()
end=$((SECONDS + 720))

part() { # NAME SECONDS COMMAND…
  local name=$1 most=$2 left=$((end - SECONDS))
  shift 2
  ((most > left)) && most=$left
  if ((most < 5)); then failed+=("$name (no time left)"); return; fi
  timeout "$most" "$@" >"$out/$name.log" 2>&1 || failed+=("$name (status $?)")
  echo "$name ended after $SECONDS s" | tee -a "$out/times.txt"
}

$python -c 'import json, torch; print(json.dumps({"card": torch.cuda.get_device_name(), "torch": torch.__version__}))' \
  >"$out/card.json" || exit 1
part tests 120 $python -m pytest -q -m gpu
part single 60 $python benchmarks/evaluator.py --device cuda --images 16 --parts single-default ablation-default
part all 90 $python benchmarks/evaluator.py --device cuda --images 16 --parts all-default fast-default tf32x3-default
part evaluate-100 60 $python benchmarks/scaling.py --device cuda --width 1 --precision fast --counts 10 100 --methods all
part parity 60 $python benchmarks/precision.py --device cuda --images 16
part parity-tf32x3 60 $python benchmarks/precision.py --device cuda --images 1 --methods ScoreCAM --precision tf32x3
part memory 60 $python benchmarks/scaling.py --device cuda --width 1 --precision fast --memory 8GB --counts 100 1000 \
  --methods all
part peers 60 $python benchmarks/evaluator.py --device cuda --images 16 --parts torch-cam-default captum-default
part transformers 60 $python benchmarks/transformers.py --device cuda --images 32
part generate 90 $python benchmarks/generate.py --device cuda --images 100 --repeats 1
part train 60 $python benchmarks/train.py step --device cuda --precision bf16 --batch 256

printf '%s\n' "${failed[@]}" >"$out/failed.txt"
if ((${#failed[@]})); then echo "Failed: ${failed[*]}"; exit 1; fi
