#!/usr/bin/env bash
# Measures everything on a machine with a real GPU in ten minutes, and leaves JSON and a log in $OUT.
#
#   npm run build:device                    where there is npm: bundles the programs into dist-device
#   OUT=results tools/device/measure.sh     where there is the GPU, in the project's root
#   OUT=results tools/device/measure.sh --software --small     a rehearsal: small sizes on a software adapter
#
# The machine needs Node 20.19 or newer, dist-device, node_modules/webgpu and a Vulkan loader and driver. PyTorch is
# measured beside it where python3 has torch and CUDA. MINUTES (10) scales the time of every part. A part that fails or
# takes too long ends alone; the exit code is 1 if the adapter or the results of a kernel are not as they should be.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

: "${OUT:?set OUT to a folder for the results}"
minutes=${MINUTES:-10}
software=() small=()
for word in "$@"; do
  case $word in
    --software) software=(--software) ;;
    --small) small=(--small) ;;
    *) echo "measure.sh: unknown option $word; there are --software and --small" >&2; exit 2 ;;
  esac
done
[ -f dist-device/adapter.mjs ] || { echo "measure.sh: dist-device is missing: npm run build:device" >&2; exit 2; }
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
exec > >(tee "$OUT/log.txt") 2>&1
export BIGRID_COMMIT XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp} XDG_CACHE_HOME=$OUT/cache
BIGRID_COMMIT=$(cat dist-device/commit)

# part NAME SECONDS COMMAND...: of ten minutes; the command is told nine tenths of it, and is ended 15 seconds behind.
declare -A codes
part() {
  local name=$1 seconds=$(($2 * minutes / 10)) began=$SECONDS
  shift 2
  echo "--- $name: $seconds s"
  timeout --kill-after=5 $((seconds + 15)) "$@" --out "$OUT" --seconds $((seconds * 9 / 10))
  codes[$name]=$?
  echo "--- $name: exit code ${codes[$name]} after $((SECONDS - began)) s"
}

echo "commit $BIGRID_COMMIT, $(date -u +%FT%TZ), node $(node --version), $(nproc) cores"
command -v nvidia-smi > /dev/null && nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader
part adapter 20 node dist-device/adapter.mjs ${software[@]+"${software[@]}"}
[ "${codes[adapter]}" = 0 ] || exit 1

rows=() steps=1000
if [ ${#small[@]} -gt 0 ]; then
  rows=(--rows "scan." "layer_norm." "tiny, 40 channels, abnormal" "embedded, tiny, batch 1")
  steps=20
fi
part correctness 75 node dist-device/correctness.mjs
part training 120 node dist-device/training.mjs --steps "$steps" ${small[@]+"${small[@]}"}
if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
  part torch 75 python3 dist-device/torch_peer.py ${small[@]+"${small[@]}"}
elif [ ${#small[@]} -gt 0 ] && python3 -c 'import torch' 2> /dev/null; then
  part torch 75 python3 dist-device/torch_peer.py --small --device cpu
else
  echo "--- torch: left out, python3 has no torch with CUDA"
fi
part tuned 75 node dist-device/training.mjs --steps 0 --autotune ${small[@]+"${small[@]}"}
part summary 10 node dist-device/summary.mjs
part grad 75 node dist-device/grad.mjs ${rows[@]+"${rows[@]}"}
part kernels 120 node dist-device/kernels.mjs --unchecked ${rows[@]+"${rows[@]}"}

for name in "${!codes[@]}"; do echo "\"$name\": ${codes[$name]}"; done | sort | paste -sd, | sed 's/.*/{&}/' > "$OUT/parts.json"
cat "$OUT/parts.json"
rm -rf "$OUT/cache"
# 124: the time was over in the middle of a case, as on slow adapters; correctness.json names it.
[ "${codes[correctness]}" = 0 ] || [ "${codes[correctness]}" = 124 ]
