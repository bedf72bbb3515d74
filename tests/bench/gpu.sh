#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gpu.sh - on a machine with a GPU, from this source tree alone: build what runs
# on it with nvcc and a C compiler, hold every kernel against ref on the GPU, and
# measure training: GPT-2's 124M and 1558M, and LoRA of rank 16 beside 1558M, in
# bf16. PEER_VENV: an environment with torch, transformers and peft, measured in the
# same run, PyTorch compiled. WHAT: "124M 1558M lora"; BATCH_124M and so on:
# sequences of CONTEXT tokens. DEVICE names another device than the one that nvcc
# builds, so that all but the GPU can be tried. Where quern itself is built
# (QUERN_BIN), tests/gpu.sh does the jobs.
set -euo pipefail
cd "$(dirname "$0")/../.."
cc=${CC:-cc} nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
out=${OUT:-$(mktemp -d)} steps=${STEPS:-20} T=${CONTEXT:-1024}
mkdir -p "$out"
for name in PACKAGE_VERSION BIN_TO_LIBEXEC LIBEXEC_TO_LIB SPOOLDIR STOREDIR CONFDIR; do
	echo "#define $name \".\""
done >"$out/config.h"

flags="-std=c11 -D_GNU_SOURCE -O2 -fPIC -ffunction-sections -fdata-sections -Wall -I. -I$out"
# objects ROOM NAME - each file of a room, as many at once as there are cores:
# what is called is linked, so that none has to be named here.  Those that need
# libraries are not called
objects() {
	for f in "$1"/*.c; do
		! grep -qE '^#include <(xxhash|sodium)[.]h>' "$f" || continue
		echo "$cc $flags -c -o $out/$(echo "${f%.c}" | tr / _).o $f"
	done | xargs -P "${JOBS:-$(nproc 2>/dev/null || echo 4)}" -d '\n' -n 1 sh -c
	rm -f "$out/$2.a"
	ar rc "$out/$2.a" "$out/$(echo "$1" | tr / _)"_*.o
}
objects appliance/base base
objects appliance/engine engine
objects appliance/model model
objects kernels/ref ref
link="-Wl,--gc-sections -Wl,--start-group $out/model.a $out/engine.a $out/base.a -Wl,--end-group -lm -ldl"
$cc $flags -o "$out/gpu" tests/bench/gpu.c $link
tests='kernel_test half_test softmax_test'
for t in $tests; do
	$cc $flags -DGPU_ALONE -o "$out/$t" tests/$t.c "$out/ref.a" $link
done
# whole decoders beside ref's, which they open as a device
mkdir -p "$out/kernels"
$cc -shared -Wl,--version-script=kernels/kernel.map -o "$out/kernels/ref.so" "$out"/kernels_ref_*.o "$out/base.a" -lm
$cc $flags -o "$out/stored_test" tests/stored_test.c $link
tests="$tests stored_test"
device=${DEVICE-}
if [ -z "$device" ]; then
	device=$out/cuda.so
	home=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
	"$nvcc" -c -O3 -std=c++17 -arch="${ARCH:-native}" -Xcompiler -fPIC,-fno-exceptions,-fno-threadsafe-statics,-Wall \
	    -D_GNU_SOURCE -I. -I"$out" -o "$out/cuda.o" kernels/cuda/cuda.cu
	$cc -shared -Wl,--version-script=kernels/kernel.map -o "$device" "$out/cuda.o" "$out/base.a" \
	    -L"$home/lib64" -Wl,-rpath,"$home/lib64" -lcudart -lcublas -lcublasLt -lm
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo 'no nvidia-smi here'

failed=0
for t in $tests; do
	CUDA_LAUNCH_BLOCKING=1 QUERN_TEST_GPU=$device "$out/$t" >"$out/$t.log" 2>&1 || failed=1
	echo "$t: $(grep -c '^ok' "$out/$t.log") ok, $(grep -c '^not ok' "$out/$t.log" || :) not; $(grep -c SKIP "$out/$t.log" || :) skipped"
	grep -m 10 '^not ok' "$out/$t.log" || :
done
for what in ${WHAT:-124M 1558M lora}; do
	case $what in
	124M) B=${BATCH_124M:-32} ;;
	1558M) B=${BATCH_1558M:-8} ;;
	lora) B=${BATCH_LORA:-8} ;;
	*) B=2 ;;
	esac
	"$out/gpu" "$device" "$what" "$B" "$T" "$steps" | tee -a "$out/results" || failed=1
	[ -z "${PEER_VENV-}" ] || "$PEER_VENV/bin/python" tests/bench/gpu.py "$what" "$B" "$T" "$steps" |
		tee -a "$out/results" || failed=1
done
# what was measured, as RESULTS.md has its tables
echo '| what | by | batch x context | tokens/s | TFLOP/s | of 989 |'
echo '|---|---|---|---|---|---|'
sed -nE 's/^([^ ]+) (on|by) (.*): [0-9]+ parameters, ([0-9]+ x [0-9]+), .* ([0-9]+) tokens\/s, ([0-9.]+) TFLOP\/s(, ([0-9.]+) % of 989)?.*/| \1 | \3 | \4 | \5 | \6 | \8 |/p' "$out/results"
echo "what was built and said is in $out"
exit $failed
