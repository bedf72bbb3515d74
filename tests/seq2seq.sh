#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# seq2seq.sh - encoder-decoders learn to turn words round, and what was taken
# out of a text; they are killed, resumed, adapted and asked; what is asked for
# wrongly is refused.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
awk 'BEGIN { srand(7)
    n = split("miller wheel stone bread water corn house river fine good", w, " ")
    for (i = 0; i < 240; i++) {
	a = b = ""
	k = int(rand() * 3) + 2
	for (j = 0; j < k; j++) {
		x = w[int(rand() * n) + 1]
		a = a (j ? " " : "") x
		b = x (j ? " " : "") b
	}
	printf "{\"id\":\"c%d\",\"prompt\":\"turn: %s\",\"completion\":\"%s\",\"text\":\"the miller grinds corn and the wheel turns while water runs over %s so %s is baked\"}\n", i, a, b, w[i % n + 1], w[i * 7 % n + 1]
    } }' >in.jsonl
signs=$(awk 'BEGIN { printf "<pad>,</s>,<unk>"; for (i = 0; i < 12; i++) printf ",<extra_id_%d>", i }')
quern tokenize -q learn ./un.json kind=unigram vocab=360 "special=$signs" <in.jsonl
sizes='layers=1 channels=32 heads=4 context=32 lr=0.01'
learn() {
	out=$1
	shift
	quern train -q -j 1 out=./$out "$@" <in.jsonl
}
new="tokenizer=./un.json $sizes"
last() { sed 's/.*"loss":\([-0-9.e]*\).*/\1/' "$1/train.json"; }
below() { awk "BEGIN { exit !($(last "$1") < $2) }"; }
learn turn objective=seq2seq epochs=30 $new
ok 'words are turned round' below turn 0.2
ok 'as transformers names it' sh -c "grep -q '\"T5ForConditionalGeneration\"' turn/config.json && grep -q '\"decoder_start_token_id\": 0' turn/config.json && grep -q '\"feed_forward_proj\": \"gated-gelu\"' turn/config.json"
learn span objective=span epochs=12 example=./span.txt $new
ok 'what was taken out is learnt' below span 1
learn span-again objective=span epochs=12 $new
ok 'the same seed, the same bytes' cmp span/model.safetensors span-again/model.safetensors
# the first text with its gaps: put back, it is the text
ids() { awk -v want="$1" '$2 == "learnt" { on = 1; next } on && NF > 1 { mine = $2 == "yes"; if (mine == want) printf "%s ", $1 }' span.txt; }
back() {
	awk -v in_="$(ids 0)" -v out="$(ids 1)" 'BEGIN {
	    n = split(in_, a, " "); m = split(out, b, " ")
	    for (i = 1; i <= n; i++) {
		if (a[i] >= 3 && a[i] < 15) {
			for (j = 1; b[j] != a[i] && j <= m; j++)
				continue
			for (j++; j <= m && b[j] >= 15; j++)
				printf "%s ", b[j]
		} else if (a[i] != 1)
			printf "%s ", a[i]
	    } }'
}
whole() { sed -n '1s/.*"text":\("[^"]*"\).*/{"text":\1}/p' in.jsonl | quern tokenize -q with=./un.json | sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/; s/,/ /g; s/$/ /'; }
ok 'gaps put back are the text' is "$(back)" "$(whole)"
ok 'both end' sh -c "[ '$(ids 0 | sed 's/.* \(1\) $/\1/')' = 1 ] && [ '$(ids 1 | sed 's/.* \(1\) $/\1/')' = 1 ]"

# what it says
says() { quern infer -q -j 1 "$@" <in.jsonl | sed 's/.*"completion":"\([^"]*\)".*/\1/'; }
sed 's/.*"completion":"\([^"]*\)".*/\1/' in.jsonl >truth
says ./turn >answers
right() { paste -d '|' truth answers | awk -F '|' '{ n += $1 == $2 } END { exit !(n > 0.9 * NR) }'; }
ok 'words turned round' right
says ./turn slots=1 >alone
ok 'one at a time, the same' cmp answers alone
quern infer -q -j 2 ./turn slots=5 <in.jsonl | sed 's/.*"completion":"\([^"]*\)".*/\1/' >threads
ok 'by two threads, the same' cmp answers threads
ok 'and likely' sh -c "quern evaluate ./turn <in.jsonl 2>&1 >/dev/null | awk '/: perplexity/ { exit !(\$3 < 1.3) }'"
says ./turn weights=q8 >answers
ok 'in eight bits' right
says ./turn temperature=1 seed=3 >drawn
says ./turn temperature=1 seed=3 slots=2 >again
ok 'drawn, the same for the same seed' sh -c "cmp drawn again && ! cmp -s drawn truth"
long=$(awk 'BEGIN { for (i = 0; i < 40; i++) printf "stone " }')
ok 'too long: a fault' sh -c "echo '{\"prompt\":\"$long\"}' | quern infer ./turn context=20 2>&1 | grep -q 'the input has [0-9]* tokens, the context 20'"
ok 'or cut' sh -c "echo '{\"prompt\":\"$long\"}' | quern infer -q ./turn context=20 overlong=cut | grep -q '\"prompt_tokens\":20'"

gap='the miller grinds corn <extra_id_0> the wheel turns while water runs over'
echo "{\"prompt\":\"$gap\"}" >gap.jsonl
asked() { quern infer -q -j 1 ./span find=$1 <gap.jsonl | sed 's/.*"prompt_tokens":\([0-9]*\).*/\1/'; }
ok 'a gap is asked for' is "$(asked yes)" "$(quern tokenize -q with=./un.json find=yes text=prompt <gap.jsonl | sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' | awk -F, '{ print NF + 1 }')"
ok 'or read as text' test "$(asked no)" != "$(asked yes)"

# micro-batches do not matter, nor does memory
for way in 'batch=240' 'batch=30 accumulate=8' 'batch=240 recompute=yes' 'batch=240 precision=bf16' \
    'batch=240 precision=f16' 'batch=240 precision=f16 recompute=yes' 'batch=240 dropout=0.2' \
    'batch=30 accumulate=8 dropout=0.2'; do
	learn "$(echo $way | tr -c 'a-z0-9\n' -)" base=./turn objective=seq2seq context=32 packing=none warmup=0 steps=1 lr=0.001 $way
done
same() { awk "BEGIN { d = $(last $1) / $(last $2); exit !(d > 0.9999 && d < 1.0001) }"; }
ok 'eight micro-batches are one' same batch-240 batch-30-accumulate-8
ok 'with dropout as well' same batch-240-dropout-0-2 batch-30-accumulate-8-dropout-0-2
for way in 'batch=240' 'batch=60 accumulate=4'; do
	learn "lora-${way%% *}" base=./turn objective=seq2seq context=32 packing=none warmup=0 steps=2 lr=0.1 adapter=lora \
	    lora_dropout=0.5 $way
done
ok "with adapters' dropout" same lora-batch=240 lora-batch=60
ok 'which is not the loss without' sh -c '! cmp -s batch-240/model.safetensors batch-240-dropout-0-2/model.safetensors'
ok 'recomputed, the same bytes' cmp batch-240/model.safetensors batch-240-recompute-yes/model.safetensors
near() { awk "BEGIN { d = $(last $1) / $(last batch-240); exit !(d != 1 && d > 1 - $2 && d < 1 + $2) }"; }
ok 'in bf16, a loss like that of all bits' near batch-240-precision-bf16 0.02
ok 'in f16, likewise' near batch-240-precision-f16 0.002
ok 'and recomputed, the same bytes' cmp batch-240-precision-f16/model.safetensors batch-240-precision-f16-recompute-yes/model.safetensors
learn lora base=./span objective=seq2seq context=32 lr=0.02 epochs=12 rank=16 adapter=lora target_modules=all-linear
ok 'adapters beside a base' below lora 2.2
ok 'as PEFT has them' sh -c "grep -q '\"task_type\": \"SEQ_2_SEQ_LM\"' lora/adapter_config.json"
learn four base=./span objective=seq2seq context=32 lr=0.02 epochs=8 adapter=lora base_form=nf4
ok 'beside a base in four bits' below four 2.5
learn merged base=./span objective=seq2seq context=32 lr=0.02 epochs=12 rank=16 adapter=lora target_modules=all-linear merge=yes
says ./merged >answers
says ./span adapter=./lora >beside
ok 'asked with an adapter, as when it is merged' cmp answers beside
quern models merge ./span ./lora ./later >/dev/null
says ./later >beside
ok 'merged afterwards, the same' cmp answers beside
ok 'looked into' sh -c "quern models inspect ./turn | grep -q '2 layers (1 of them the encoder.s)'"
ok 'in 16 bits' sh -c "quern models convert ./turn ./half dtype=bf16 && quern models inspect ./half | grep -q 'no fault'"
for form in file f32; do
	learn held-$form base=./half objective=seq2seq context=32 packing=none batch=240 warmup=0 steps=1 lr=0 adapter=lora base_form=$form
done
ok 'held in 16 bits, the same loss' same held-file held-f32
ok 'but not as GGUF' sh -c "quern models convert ./turn turn.gguf 2>&1 | grep -q \"'t5' has no table for GGUF\""

# a job, undisturbed and killed
job 'pipeline corpus
  ingest @DIR@/in.jsonl
  split  valid=10
  save   corpus' | quern submit >/dev/null
once
quern models import ./span span >/dev/null
tune() {
	job "attempts 20
pipeline $1
  from  corpus:train
  train base=span objective=span context=32 valid=corpus:valid steps=80 eval_every=40 dropout=0.1 recompute=$2
  save  $1"
}
calm=$(tune calm no | quern submit)
once
ok 'spans in a job' status 0 quern wait "$calm"
killed=$(tune killed 'yes checkpoint=0s' | quern submit)
kill_twice "$killed" killed
quern models export calm calm
quern models export killed killed
ok 'killed and resumed' sh -c "[ $kills -gt 0 ] && grep -q 'resumed at step' $spool/done/$killed/log"
ok 'recomputed, with dropout, the same bytes as undisturbed' cmp calm/model.safetensors killed/model.safetensors

# refusals
told() {
	words=$1
	shift
	"$@" <in.jsonl >told 2>&1
	grep -q -- "$words" told || { cat told; return 1; }
}
train='quern train -q out=./x'
ok 'no next token' told 'is an encoder-decoder (t5): it says nothing without an input' $train base=./turn
ok 'texts in a row' told 'packing=bfd or none' $train base=./turn objective=seq2seq packing=wrapped
ok 'more gaps than text' told 'at most half' $train base=./turn objective=span mask=0.6
ok 'a field that is missing' told "of the first record: it has no 'asked'" $train base=./turn objective=seq2seq prompt=asked
ok 'a target that is too long' told 'of a context of 8 it may have half' $train base=./turn objective=seq2seq context=8 completion=text
quern tokenize -q learn ./plain.json kind=unigram vocab=360 'special=<pad>,</s>,<unk>' <in.jsonl
ok 'nothing to stand for gaps' told 'no special token <extra_id_0>' quern train -q out=./x tokenizer=./plain.json $sizes objective=span
quern train -q -j 1 out=./decoder tokenizer=./plain.json $sizes epochs=1 <in.jsonl
ok 'a decoder' told 'is no encoder-decoder (llama)' $train base=./decoder objective=span
done_testing
