#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# adapters.sh - several adapters on one base at inference: each record's answer
# is that of its adapter alone, to the byte, whatever stands beside it
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
grist >in.jsonl
quern tokenize -q learn ./words.json vocab=300 <in.jsonl
quern train -q -j 2 out=./m tokenizer=./words.json arch=llama layers=2 tied=no \
    channels=64 heads=4 kv_heads=2 hidden=128 context=64 steps=60 batch=8 lr=0.01 <in.jsonl
# each says something else: texts of two words
while read -r name one two words; do
	awk -v a="$one" -v b="$two" 'BEGIN { srand(8); for (i = 0; i < 60; i++) { t = ""
	    for (k = 0; k < 20; k++) t = t (rand() < 0.7 ? a : b) " "
	    printf "{\"text\":\"%s\"}\n", t } }' >said.jsonl
	quern train -q -j 2 out=./$name base=./m adapter=lora rank=4 context=48 batch=8 steps=20 \
	    $words <said.jsonl
done <<-END
	a stone water target_modules=q_proj,v_proj,k_proj,o_proj lr=0.04
	b wheel over target_modules=all-linear use_dora=yes lr=0.02 rank_pattern=q_proj:7,down_proj:3
	c corn and target_modules=up_proj,o_proj,lm_head use_rslora=yes lr=0.02 alpha_pattern=up_proj:9
END
# every prompt for every adapter and for none, adapters in turn; they begin with
# whole pages that are alike, of which only those of one adapter may be shared
begun | awk '{ sub(/"prompt":"/, "&the stone turns the corn and the water turns the stone ")
    for (k = 0; k < 4; k++) { s = $0; sub(/"id":"/, "&" k, s)
    sub(/}$/, k == 3 ? "}" : ",\"adapter\":\"" substr("abc", k + 1, 1) "\"}", s); print s } }' >all.jsonl
unset QUERN_ROOT		# a shell without a store
export XDG_CACHE_HOME=$dir/cache
many='adapters=./a,./b,./c'
answers() { quern infer -q ./m "$@" max_tokens=12; }

for w in f32 q8 q4; do
	: >alone
	for k in a b c; do
		grep "\"adapter\":\"$k\"" all.jsonl | answers adapters=./$k weights=$w slots=1 -j 1 >$k.$w
		cat $k.$w >>alone
	done
	grep -v '"adapter"' all.jsonl | answers weights=$w -j 1 >base.$w
	sort alone base.$w >want
	answers $many weights=$w slots=7 -j 2 <all.jsonl | sort >have
	ok "$w: each as with its adapter alone, to the byte; the base as without any" cmp want have
	sort -r all.jsonl | answers $many weights=$w slots=64 | sort >have
	ok "$w: in another order and all at once" cmp want have
	answers $many weights=$w temperature=1 <all.jsonl | sort >want
	sort -k 2 all.jsonl | answers $many weights=$w temperature=1 slots=3 | sort >have
	ok "$w: drawn, likewise" cmp want have
	said=$(for k in a b c base; do sed 's/.*"completion"/"completion"/' $k.$w | sort -u | cksum; done | sort -u | wc -l)
	ok "$w: and every adapter says something else" is "$said" 4
done
ok 'the quantised base stays one image' is "$(ls cache/quern | grep -c quernpak)" 2

# greedy words of the merged model
for k in a b c; do
	quern models merge ./m ./$k merged.$k >/dev/null
	grep "\"adapter\":\"$k\"" all.jsonl | quern infer -q ./merged.$k max_tokens=12 >have
	ok "$k: the words of the merged model" cmp $k.f32 have
done

# lines of OpenAI's files name an adapter, or the base, as their model
line() { printf '{"custom_id":"%s","method":"POST","url":"/v1/completions","body":{%s"prompt":"the miller grinds","max_tokens":6}}\n' "$1" "$2"; }
{
	line 1 '"model":"a",'
	line 2 '"model":"two",'
	line 3 '"model":"m",'
	line 4 ''
	line 5 '"model":"gpt-x",'
	line 6 '"model":5,'
} >lines.jsonl
answers adapters=./a,two=./b <lines.jsonl >have
ok 'lines: as the adapter is called' sh -c "grep -c '\"model\":\"a\"' have | grep -qx 1 && grep -c '\"model\":\"two\"' have | grep -qx 1"
ok 'lines: the base' is "$(grep -c '"model":"./m"' have)" 2
ok 'lines: a name that nobody has is an error of that line' grep -q "\"5\",.*\"status_code\":400.*there is no adapter 'gpt-x': only a, two, and the base './m'" have
ok 'lines: nor is a number a name' grep -q "\"6\",.*\"status_code\":400.*'model' must be an adapter's name" have
says() { grep "\"custom_id\":\"$1\"" "${2:-have}" | sed 's/.*"text":"\([^"]*\)".*/\1/'; }
line 1 '' | answers adapter=./a >one
ok 'lines: the words of the adapter' is "$(says 1)" "$(says 1 one)"
ok 'lines: and not those of the base' test "$(says 1)" != "$(says 3)"
ok 'without adapters any model will do' sh -c 'grep gpt-x lines.jsonl | quern infer -q ./m | grep -q "\"status_code\":200"'
echo '{"id":"x","prompt":"the","who":"b"}' | answers adapters=./a,./b choose=who >have
echo '{"id":"x","prompt":"the","who":"b"}' | answers adapter=./b >want
ok 'the field that chooses' cmp want have
ok 'a record with a name that nobody has is a fault' sh -c "echo '{\"prompt\":\"the\",\"adapter\":\"x\"}' | quern infer ./m adapters=./a 2>&1 | grep -q \"there is no adapter 'x'\""

# what cannot be
ok 'one for all and some to choose from' sh -c "quern infer ./m adapter=./a adapters=./b <all.jsonl 2>&1 | grep -q 'give one of the two'"
ok 'two of one name' sh -c "mkdir x && cp -r a x/a && quern infer ./m adapters=./a,x/a <all.jsonl 2>&1 | grep -q \"two adapters are called 'a': NAME=x/a gives one\""
quern train -q out=./saves base=./m adapter=lora steps=1 modules_to_save=norm context=48 <in.jsonl
ok 'parts saved whole: quern models merge' sh -c "quern infer ./m adapters=./saves <all.jsonl 2>&1 | grep -q \"'./saves': the adapter saves 'model.layers.0.input_layernorm.weight' whole.*quern models merge\""
quern train -q out=./wide tokenizer=./words.json arch=llama layers=2 channels=32 heads=4 context=64 steps=1 <in.jsonl
ok 'another base, naming the module' sh -c "quern infer ./wide adapters=./a <all.jsonl 2>&1 | grep -q \"'./a': 'model.layers.0.self_attn.[qk]_proj': the adapter is for 64 in and [0-9]* out, the base has 32 and [0-9]*; it was made for './m'\""

# a job: adapters of the store are edges, and known by what they are
export QUERN_ROOT="$dir/q"
quern models import ./m base >/dev/null
quern models import ./b second >/dev/null
id=$(printf '%s\n' 'pipeline tune' "  ingest $dir/said.jsonl" \
    '  train  base=base adapter=lora rank=2 steps=2 context=48' '  save   first' \
    'pipeline ask' "  ingest $dir/all.jsonl" "  infer  base adapters=first,b=second,c=$dir/c max_tokens=3" \
    '  write  answers.jsonl' | sed 's/"adapter":"a"/"adapter":"first"/' | quern submit)
once
ok 'a job waits for the adapter that it trains' is "$(grep -c completion "$spool/done/$id/result/answers.jsonl")" 36
ok 'and the name that is none is told of each record' grep -q "there is no adapter 'a': only first, b, c" "$spool/done/$id/result/rejects.jsonl"
printf '%s\n' 'pipeline x' "  ingest $dir/all.jsonl" '  infer base adapters=first,b=nobody' '  write  y' | quern submit >/dev/null
once
ok 'one that nobody saves, and is not there, is told first' sh -c "cat $spool/failed/*/error | grep -q \"adapters=: there is no model 'nobody' in the store\""
done_testing
