#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# encoders.sh - encoders are trained for each objective, killed, resumed,
# adapted and asked; what is asked for wrongly is refused by name.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
# texts of which one word says the class; two classes at once; words with tags;
# pairs with a place in common
awk 'BEGIN { srand(7)
    n = split("miller wheel stone bread water corn house river", noun, " ")
    split("fine good lovely bright", good, " ")
    split("poor bad dull grim", bad, " ")
    split("Berlin Paris Rome Oslo", place, " ")
    for (i = 0; i < 240; i++) {
	t = words = tags = ""
	up = rand() < 0.5
	k = int(rand() * 6) + 3
	at = int(rand() * k)
	wet = 0
	for (j = 0; j < k; j++) {
		w = j == at ? (up ? good[int(rand() * 4) + 1] : bad[int(rand() * 4) + 1]) : noun[int(rand() * n) + 1]
		wet += w == "water" || w == "river"
		t = t " " w
		y = "O"
		if (rand() < 0.3) {
			w = place[int(rand() * 4) + 1]
			y = "LOC"
		}
		words = words (j ? "," : "") "\"" w "\""
		tags = tags (j ? "," : "") "\"" y "\""
	}
	p = place[int(rand() * 4) + 1]
	a = noun[int(rand() * n) + 1]
	printf "{\"id\":\"c%d\",\"text\":\"the%s.\",\"label\":\"%s\",\"score\":%g,\"both\":[\"%s\"%s],\"tokens\":[%s],\"tags\":[%s],\"asked\":\"%s in %s\",\"positive\":\"at %s: the %s\",\"any\":\"ONE\"}\n", i, t, up ? "UP" : "DOWN", (up ? 1 : -1) * at / 8, up ? "UP" : "DOWN", wet ? ",\"WET\"" : "", words, tags, a, p, p, a
    } }' >in.jsonl
quern tokenize -q learn ./wp.json kind=wordpiece vocab=200 lowercase=yes <in.jsonl
sizes='layers=2 channels=32 heads=4 context=32 lr=0.003'
learn() {
	out=$1
	shift
	quern train -q -j 1 out=./$out tokenizer=./wp.json $sizes "$@" <in.jsonl
}
last() { sed 's/.*"loss":\([-0-9.e]*\).*/\1/' "$1/train.json"; }
below() { awk "BEGIN { exit !($(last "$1") < $2) }"; }
learn kind objective=classify labels=DOWN,UP epochs=8
ok 'classes are learnt' below kind 0.1
ok 'as transformers names it' sh -c "grep -q '\"BertForSequenceClassification\"' kind/config.json && grep -q '\"id2label\": {\"0\": \"DOWN\", \"1\": \"UP\"}' kind/config.json"
learn both objective=classify multi=yes label=both labels=DOWN,UP,WET epochs=40
ok 'several at once' below both 0.1
learn much objective=regress label=score epochs=8
ok 'numbers' below much 0.1
learn tags objective=tag labels=O,LOC epochs=4
ok 'tags' below tags 0.1
learn gaps objective=masked epochs=4
ok 'masked words' below gaps 4
learn near objective=contrast text=asked epochs=4
ok 'pairs' below near 0.6
ok 'a model of sentence-transformers' sh -c "grep -q models.Normalize near/modules.json && grep -q '\"pooling_mode_mean_tokens\": true' near/1_Pooling/config.json"

# the same texts packed or each alone are one loss; micro-batches do not matter
step() { # OUT WORDS: one step over all texts
	out=$1
	shift
	quern train -j 1 out=./$out base=./kind objective=classify context=32 lr=0 warmup=0 steps=1 "$@" <in.jsonl 2>told
}
step few packing=bfd batch=8
all=$(sed -n 's/.* learnt, in \([0-9]*\) sequences.*/\1/p' told)
step packed packing=bfd batch=$all
step alone packing=none batch=240
step dropped packing=none batch=240 dropout=0.2
step micro packing=none batch=30 accumulate=8 dropout=0.2
step half packing=none batch=240 precision=bf16
step lean packing=none batch=240 precision=bf16 recompute=yes
same() { awk "BEGIN { d = $(last $1) / $(last $2); exit !(d > 0.9999 && d < 1.0001) }"; }
ok 'fewer sequences, packed' test "$all" -lt 120
ok 'which have the same loss' same packed alone
ok 'eight micro-batches are one' same micro dropped
ok 'in bf16, a loss like that of all bits' awk "BEGIN { d = $(last half) / $(last alone); exit !(d != 1 && d > 0.98 && d < 1.02) }"
ok 'recomputed, the same' is "$(last lean)" "$(last half)"
learn masked-again objective=masked epochs=4
ok 'the same seed, the same bytes' cmp gaps/model.safetensors masked-again/model.safetensors

# a base with another head; adapters beside it
quern train -q -j 1 out=./tuned base=./gaps objective=classify labels=DOWN,UP context=32 lr=0.003 epochs=8 <in.jsonl
ok 'a new head on a base' below tuned 0.1
quern train -q -j 1 out=./lora base=./gaps objective=classify labels=DOWN,UP context=32 lr=0.02 epochs=20 adapter=lora <in.jsonl
ok 'adapters beside a base' below lora 0.5
ok 'and the classifier whole, as PEFT has it' sh -c "grep -q '\"task_type\": \"SEQ_CLS\"' lora/adapter_config.json && grep -q '\"modules_to_save\": \\[\"classifier\", \"pooler.dense\"\\]' lora/adapter_config.json"

# what they say of texts
says() { # model field-of-the-truth field: the part that is right
	quern infer -q "./$1" into=said <in.jsonl >said.jsonl
	awk -v truth="\"$2\":" '{
		i = index($0, truth); t = substr($0, i + length(truth))
		j = index($0, "\"said\":"); s = substr($0, j + 7)
		n = match(s, /(\]|")(,"scores"|})/)
		right += i > 0 && j > 0 && n > 1 && substr(t, 1, n) == substr(s, 1, n)
	    } END { printf "%.3f", right / NR }' said.jsonl
}
ok 'a label' is "$(says kind label)" 1.000
ok 'a new head' is "$(says tuned label)" 1.000
ok 'labels' is "$(says both both)" 1.000
ok 'tags of words' is "$(says tags tags)" 1.000
ok 'a number' sh -c "quern infer -q ./much into=said <in.jsonl | awk '{ match(\$0, /\"score\":[-0-9.e]*/); a = substr(\$0, RSTART + 8, RLENGTH - 8); match(\$0, /\"said\":[-0-9.e]*/); b = substr(\$0, RSTART + 7, RLENGTH - 7); s += (a - b) ^ 2 } END { exit !(s / NR < 0.1) }'"
near() { # embeddings of a question, of its own answer, of another one
	printf '%s\n' '{"text":"stone in Rome"}' '{"text":"at Rome: the stone"}' '{"text":"at Oslo: the river"}' |
	    quern infer -q ./near | sed 's/.*\[\(.*\)\].*/\1/' |
	    awk -F, '{ for (i = 1; i <= NF; i++) v[NR, i] = $i } END { for (i = 1; i <= NF; i++) { a += v[1, i] * v[2, i]; b += v[1, i] * v[3, i]; l += v[1, i] ^ 2 } exit !(a > b + 0.3 && l > 0.9999 && l < 1.0001) }'
}
ok 'embeddings of length 1, near where they belong' near
ok 'through GGUF and back: the same weights' sh -c 'quern models convert ./near near.gguf && quern models convert ./near.gguf near.back && quern models convert ./near near.same && cmp near.same/model.safetensors near.back/model.safetensors'
ok 'and that file embeds texts' sh -c 'head -n 1 in.jsonl | quern infer -q ./near.gguf | grep -q embedding'
ok 'but no head goes there' sh -c "quern models convert ./gaps gaps.gguf 2>&1 | grep -q 'has no place in a GGUF file'"
ok 'a masked word' sh -c "echo '{\"text\":\"at Rome: the [MASK]\"}' | quern infer -q ./gaps | grep -q '\"words\":\\[\"[a-z#.]*\"\\],\"scores\":\\[0'"
ok 'a text without one is a fault' sh -c "echo '{\"text\":\"at Rome\"}' | quern infer ./gaps 2>&1 | grep -q 'it has no mask'"
ok 'words of a text' sh -c "echo '{\"text\":\"a stone  in Rome\"}' | quern infer -q ./tags | grep -q '\"tokens\":\\[\"a\",\"stone\",\"in\",\"Rome\"\\],\"tags\":\\[\"O\",\"O\",\"O\",\"LOC\"\\]'"
long=$(awk 'BEGIN { for (i = 0; i < 40; i++) printf "stone " }')
ok 'too long: a fault' sh -c "echo '{\"text\":\"$long\"}' | quern infer ./kind 2>&1 | grep -q 'more than 32 tokens: overlong=cut'"
ok 'or cut' sh -c "echo '{\"text\":\"$long\"}' | quern infer -q ./kind overlong=cut | grep -q '\"label\":'"
quern train -q -j 1 out=./merged base=./gaps objective=classify labels=DOWN,UP context=32 lr=0.02 epochs=20 adapter=lora merge=yes <in.jsonl
ok 'adapters merged' is "$(says merged label)" 1.000
ok 'a head that the base has not' sh -c "quern infer -q ./gaps adapter=./lora <in.jsonl 2>&1 | grep -q 'which this base does not have (task_type SEQ_CLS)'"

# a job, undisturbed and killed
job 'pipeline corpus
  ingest @DIR@/in.jsonl
  split  valid=10
  save   corpus' | quern submit >/dev/null
once
quern models import ./gaps gaps >/dev/null
tune() {
	job "attempts 20
pipeline $1
  from  corpus:train
  train base=gaps objective=masked context=32 valid=corpus:valid steps=300 eval_every=100 $2
  save  $1"
}
calm=$(tune calm '' | quern submit)
once
ok 'masked words in a job' status 0 quern wait "$calm"
killed=$(tune killed checkpoint=0s | quern submit)
kill_twice "$killed" killed
quern models export calm calm
quern models export killed killed
ok 'killed and resumed' sh -c "[ $kills -gt 0 ] && grep -q 'resumed at step' $spool/done/$killed/log"
ok 'the same bytes as undisturbed' cmp calm/model.safetensors killed/model.safetensors

sed 's/"score"/"place":[1,2],"score"/' in.jsonl >pairs.jsonl

# a loss of nothing is one, too; pairs that stand alone say nothing
quern train -q -j 1 out=./sure tokenizer=./wp.json $sizes objective=classify label=any labels=ONE valid=corpus:valid steps=3 eval_every=1 <in.jsonl
ok 'a loss of exactly 0 is the best' grep -q '"best_valid_loss":0,"best_step":1,' sure/train.json
for k in 1 2 3; do
	head -n $k in.jsonl >some$k.jsonl
	job "pipeline some$k
  ingest @DIR@/some$k.jsonl
  save   some$k" | quern submit >/dev/null
done
once
for k in 1 2 3; do
	quern train -j 1 out=./of$k base=./near objective=contrast text=asked context=32 batch=2 lr=0 steps=1 valid=some$k <in.jsonl 2>told$k
done
best() { sed -n 's/.*"best_valid_loss":\([-0-9.e]*\).*/\1/p' "$1/train.json"; }
ok 'a pair that is left over does not count' is "$(best of3)" "$(best of2)"
ok 'one alone is not held back' grep -q "'some1' has one pair, and nothing to tell it from" told1

# refusals
told() {
	words=$1
	shift
	"$@" <in.jsonl >told 2>&1
	grep -q -- "$words" told || { cat told; return 1; }
}
ok 'no next token' told "is an encoder (BertForMaskedLM): it has no next token" quern train -q out=./x base=./gaps context=32
ok 'nor to be measured' told 'has no next token' quern evaluate -q ./gaps
ok 'labels that nobody named' told "'labels' is missing" quern train -q out=./x tokenizer=./wp.json $sizes objective=classify
ok 'a head without labels' told 'no such labels: they are to be named' quern train -q out=./x base=./gaps objective=tag context=32
ok 'another kind of labels' told 'one for objective=classify; for this one labels= are to be named' quern train -q out=./x base=./kind objective=classify multi=yes label=both context=32
ok 'numbers of a head for labels' told 'one for objective=classify with multi=yes; ' quern train -q out=./x base=./both objective=regress label=score context=32
ok 'labels of a head for numbers' told 'one for objective=regress; ' quern train -q out=./x base=./much objective=classify context=32
quern train -q -j 1 out=./two base=./gaps objective=regress label=place labels=x,y context=32 steps=1 <pairs.jsonl
quern train -q -j 1 out=./again base=./two objective=regress label=place context=32 steps=1 <pairs.jsonl
ok 'as many numbers as the base has' grep -q '"id2label": {"0": "x", "1": "y"}' again/config.json
ok 'no room between special tokens' told 'of 2 tokens (context=, or the most that the model has) tokenizer.json puts 2 around a text' quern train -q out=./x base=./gaps objective=masked context=2
ok 'a pair of which one is missing' told "it has no 'second'" quern infer ./kind pair=second
ok 'nor is it learnt' told "of the first record: it has no 'second'" quern train -q out=./x base=./kind objective=classify context=32 pair=second
# a bias that is no number
mkdir nan
cp kind/* nan
at=$(grep -ao '"classifier.bias":{[^}]*' nan/model.safetensors | sed 's/.*data_offsets": *\[\([0-9]*\),.*/\1/')
len=$(od -An -tu4 -N4 nan/model.safetensors)
printf '\377\377\377\377' | dd of=nan/model.safetensors bs=1 seek=$((8 + len + at)) conv=notrunc 2>/dev/null
ok 'what is no number is not said' told 'the model says what is no number' quern infer ./nan
ok 'a label that is none' told "'label' is none of the labels" quern train -q out=./x tokenizer=./wp.json $sizes objective=classify labels=A,B
ok 'a pair in a micro-batch by itself' told 'batch=2 or more' quern train -q out=./x base=./gaps context=32 objective=contrast text=asked batch=1
ok 'texts in a row' told 'packing=bfd or none' quern train -q out=./x base=./gaps objective=masked packing=wrapped
sed 's/"model_type": "bert"/"model_type": "deberta"/' gaps/config.json >config.json
mkdir mp
cp gaps/* mp/
mv config.json mp/config.json
ok 'what it does not read' told 'beta=0.2 has no effect with objective=masked; it is for dpo' quern train -q out=./x base=./gaps objective=masked beta=0.2
ok "a decoder's" told 'kv_heads=2 has no effect with objective=masked' quern train -q out=./x tokenizer=./wp.json $sizes objective=masked kv_heads=2
ok 'nor searched for' told "space: 'arch' has no effect with objective=masked" quern train -q out=./x tokenizer=./wp.json $sizes objective=masked valid=corpus:valid search=grid space=arch:gpt2/llama
ok 'another family' told "'model_type' is \"deberta\"" quern train -q out=./x base=./mp objective=masked
done_testing
