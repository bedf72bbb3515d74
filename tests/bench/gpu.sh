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
set -eu
cd "$(dirname "$0")/../.."
cc=${CC:-cc} nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
out=${OUT:-$(mktemp -d)} steps=${STEPS:-20} T=${CONTEXT:-1024}
mkdir -p "$out"
printf '#define PACKAGE_VERSION "bench"\n#define BIN_TO_LIBEXEC "."\n#define LIBEXEC_TO_LIB "."\n' >"$out/config.h"

flags="-std=c11 -D_GNU_SOURCE -O2 -fPIC -ffunction-sections -fdata-sections -Wall -I. -I$out"
base='arena buf err file msg when'
objects() { # ROOM NAME... - compiled; prints where
	room=$1
	shift
	for f; do
		o=$out/$(echo "$room" | tr / _)_$f.o
		$cc $flags -c -o "$o" "$room/$f.c"
		echo "$o"
	done
}
bases=$(objects appliance/base $base)
refs=$(objects kernels/ref ref layer attend act adapt held distill quant)
parts="$(objects appliance/engine slab left nf4) $(objects appliance/model adapter block decoder decoder_params \
    encoder encoder_head encoder_pieces experts half held linear match optimise pieces random rope route shape \
    weights weights_read)"
$cc $flags -Wl,--gc-sections -o "$out/gpu" tests/bench/gpu.c $parts $bases -lm -ldl
for t in kernel_test half_test; do
	$cc $flags -DGPU_ALONE -Wl,--gc-sections -o "$out/$t" tests/$t.c $refs "$out/appliance_model_random.o" $bases -lm -ldl
done
device=${DEVICE-}
if [ -z "$device" ]; then
	device=$out/cuda.so
	home=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
	"$nvcc" -c -O3 -std=c++17 -arch="${ARCH:-native}" -Xcompiler -fPIC,-fno-exceptions,-fno-threadsafe-statics,-Wall \
	    -D_GNU_SOURCE -I. -I"$out" -o "$out/cuda.o" kernels/cuda/cuda.cu
	$cc -shared -Wl,--version-script=kernels/kernel.map -o "$device" "$out/cuda.o" $bases \
	    -L"$home/lib64" -Wl,-rpath,"$home/lib64" -lcudart -lcublas -lcublasLt -lm
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo 'no nvidia-smi here'

failed=0
for t in kernel_test half_test; do
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
	"$out/gpu" "$device" "$what" "$B" "$T" "$steps" | tee -a "$out/results"
	[ -z "${PEER_VENV-}" ] || "$PEER_VENV/bin/python" tests/bench/gpu.py "$what" "$B" "$T" "$steps" | tee -a "$out/results"
done
echo "what was built and said is in $out"
exit $failed
