#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ranks.sh - several processes started by mpirun train one model: to the byte
# that of one process where exact=yes, else within rounding.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
awk 'BEGIN { srand(7)
    split("the miller grinds corn and the wheel turns while water runs over stone so bread is baked at dawn", w, " ")
    for (i = 0; i < 200; i++) {
	t = ""
	for (n = 0; n < 6 + i % 30; n++)
		t = t w[int(rand() * 18) + 1] " "
	printf "{\"id\":\"t%d\",\"text\":\"%s\"}\n", i, t
    } }' >"$dir/in.jsonl"
cd "$dir" || exit 1
quern tokenize -q learn ./bpe.json vocab=320 <in.jsonl
small='tokenizer=./bpe.json layers=2 channels=32 heads=4 context=48 batch=2 steps=12'

ok 'nobody started several: how to' sh -c "quern train out=./x $small accumulate=2 ranks=mpi <in.jsonl 2>&1 | grep -q 'no launcher has started this process: mpirun -n 2'"
ok 'and that is a mistake of usage' status 64 quern train -q out=./x $small accumulate=2 ranks=mpi <in.jsonl
id=$(job "pipeline p
  ingest @DIR@/in.jsonl
  train  $(echo $small | sed "s,=\./,=@DIR@/,") accumulate=2 ranks=mpi
  save   p" | quern submit 2>/dev/null)
once
ok 'a job is one process' sh -c "[ -d $spool/failed/$id ] && quern log $id | grep -q 'ranks are started by mpirun or srun'"

if ! command -v mpirun >/dev/null || ! ldconfig -p | grep -q 'libmpi\.so\.40'; then
	n=$((n + 1))
	echo "ok $n - # SKIP no Open MPI here (openmpi-bin, libopenmpi3)"
	done_testing
	exit
fi
# ranks N WORD... - a training by N of them
ranks() {
	many=$1
	shift
	OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
	    timeout 60 mpirun --oversubscribe -np "$many" quern train -j 1 "$@" ranks=mpi <"${in:-in.jsonl}" 2>told
}
# check N NAME WORD... - every call of a transport; words are mpirun's
check() {
	many=$1 name=$2
	shift 2
	OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
	    timeout 60 mpirun --oversubscribe "$@" -np "$many" "$bin/ranks_check" "$name"
}
if [ -x "$bin/ranks_check" ]; then
	ok 'MPI: what is sent, shared and summed' is "$(check 3 mpi)" 'all agree'
	# NCCL and the driver are stood in for: calls and their order, not GPUs;
	# by one file, so that it sees both
	mkdir fake
	ln -s "$bin/tests/nccl_fake.so" fake/libnccl.so.2
	ln -s "$bin/tests/nccl_fake.so" fake/libcuda.so.1
	ok 'NCCL: likewise, beside MPI' is "$(check 3 nccl -x LD_LIBRARY_PATH="$dir/fake" \
	    -x LD_PRELOAD=libmpi.so.40)" 'all agree'
	check 1 nccl >refused 2>&1
	ldconfig -p | grep -q 'libcuda\.so\.1' ||
		ok 'NCCL without a driver: refused, naming it' grep -q 'libcuda.so.1 is not here' refused
fi

ranks 2 -q out=./x $small accumulate=2
ok 'quern.conf must allow it' grep -q 'ranks=mpi needs sockets: quern.conf must say ranks = yes' told
conf 'jobs = 1' 'ranks = yes'
ranks 2 -q out=./x $small
ok 'there must be work for all' grep -q 'accumulate=1 micro-batches cannot be shared by 2 ranks' told
ok 'nothing was made' test ! -e x

# a new model, and adapters beside one; three ranks share four micro-batches
for arch in gpt2 llama; do
	quern train -q -j 1 out=./$arch-1 $small arch=$arch accumulate=4 exact=yes <in.jsonl
	for many in $([ $arch = gpt2 ] && echo 2 || echo 2 3); do
		ranks $many out=./$arch-$many $small arch=$arch accumulate=4 exact=yes
		ok "$arch, $many ranks: how many is told once" is "$(grep -c "$many ranks, $many of them on this machine" told)" 1
		ok "$arch, exact, $many ranks: the bytes of one" cmp $arch-1/model.safetensors $arch-$many/model.safetensors
	done
done
ok 'and the losses of one' cmp llama-1/train.json llama-3/train.json
lora='base=./llama-1 adapter=lora rank=4 target_modules=all-linear modules_to_save=norm context=48 batch=2 accumulate=3 steps=12 lr=0.01 packing=bfd'
for more in lora_dropout=0.2 dropout=0.2 use_dora=yes base_form=nf4 recompute=yes optimizer=muon precision=f16; do
	quern train -q -j 1 out=./one-$more $lora $more exact=yes <in.jsonl
	ranks 2 -q out=./two-$more $lora $more exact=yes
	ok "adapters with $more, exact: the bytes of one" cmp one-$more/adapter_model.safetensors two-$more/adapter_model.safetensors
done
ok 'they were trained' sh -c '! cmp -s one-lora_dropout=0.2/adapter_model.safetensors one-use_dora=yes/adapter_model.safetensors'

# the other objectives: pairs, a teacher's words, labels, and 16 bits with them
sed 's/"text":"\([a-z]*\) \([^"]*\)"/"prompt":"\1","chosen":" \2","rejected":" \2 \1","label":"\1","text":"\1 \2"/' in.jsonl >more.jsonl
quern teach -q ./llama-1 k=8 <in.jsonl >taught.jsonl
quern tokenize -q learn ./words.json kind=wordpiece vocab=120 <in.jsonl
goals="context=48 batch=2 accumulate=3 steps=4 lr=0.01 exact=yes"
labels=labels=$(sed 's/.*"label":"\([a-z]*\)".*/\1/' more.jsonl | sort -u | tr '\n' , | sed 's/,$//')
for goal in 'dpo more base=./llama-1 precision=bf16' 'distill taught base=./gpt2-1 words=8 precision=bf16' \
    "classify more tokenizer=./words.json layers=1 channels=32 heads=4 dropout=0.1 $labels"; do
	set -- $goal
	in=$2.jsonl
	quern train -q -j 1 objective=$1 out=./$1-1 $goals ${goal#* * } <$in
	ranks 2 -q objective=$1 out=./$1-2 $goals ${goal#* * }
	ok "objective=$1, exact: the bytes of one" cmp $1-1/model.safetensors $1-2/model.safetensors
done
in=

# summed as the transport does it
loss() { sed 's/.*"loss":\([0-9.]*\).*/\1/' "$1/train.json"; }
near() { awk "BEGIN { d = $(loss "$1") / $(loss "$2"); exit !(d > 1 - $3 && d < 1 + $3) }"; }
quern train -q -j 1 out=./plain-1 $small accumulate=4 <in.jsonl
for many in 2 3; do
	ranks $many -q out=./plain-$many $small accumulate=4
	ok "plainly, $many ranks: the loss of one" near plain-1 plain-$many 0.00001
done
ok 'exact or not: one loss' near plain-1 llama-1 0.00001

# held-back records and a shard of tokens
quern tokenize -q shard ./in.shard with=./bpe.json <in.jsonl
job 'pipeline corpus
  ingest @DIR@/in.jsonl
  split  valid=20
  save   corpus' | quern submit >/dev/null
once
held='shard=./in.shard valid=corpus:valid eval_every=4 accumulate=4 exact=yes'
quern train -q -j 1 out=./held-1 $small $held
ranks 2 -q out=./held-2 $small $held
ok 'a shard, and looks at what is held back: the same' cmp held-1/train.json held-2/train.json
ok 'looks were taken' grep -q '"valid_loss":\[\[4,' held-2/train.json

# killed while they step, and started again
kept='accumulate=4 steps=200 exact=yes dropout=0.1'
quern train -q -j 1 out=./calm ${small% *} $kept <in.jsonl
ranks 2 out=./kept ${small% *} $kept resume=yes checkpoint=0s &
ok 'a checkpoint is kept beside what will be' until_ok 20 test -s kept.kept/checkpoint
kill -9 "$(pgrep -n -f "out=./kept .*ranks=mpi")"
wait $!
ok 'killed: no model yet' test ! -e kept -a -s kept.kept/checkpoint
cp -r kept.kept other.kept
ranks 2 out=./other ${small% *} $kept resume=yes lr=0.002
ok 'other options do not go on from there' grep -q 'the checkpoint is of another base, other records or other options' told
ranks 3 out=./kept ${small% *} $kept resume=yes
ok 'the same command goes on, by three now' sh -c "grep -q 'resumed at step [1-9]' told && ! grep -q 'resumed at step 200' told"
ok 'to the bytes of one that nobody disturbed' cmp calm/model.safetensors kept/model.safetensors
ok 'and leaves no checkpoint' test ! -e kept.kept

# one of them dies
ranks 2 out="$dir/gone" ${small% *} accumulate=4 steps=1000000 &
ok 'two are at work' until_ok 20 grep -q '1000000 steps of 8 sequences' told
kill -9 "$(pgrep -n -f "out=$dir/gone .*ranks=mpi")"
wait $!
ok 'one dies: the other ends too' test $? -ne 0
ok 'and they leave no model' test ! -e gone
done_testing
