#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# forms.sh - answers of a form: what a model that knows nothing writes is what
# the schema says, beside others and alone, and ends with it
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
grist >in.jsonl
quern tokenize -q learn ./words.json vocab=300 <in.jsonl
quern train -q -j 2 out=./m tokenizer=./words.json layers=1 channels=32 heads=4 context=320 steps=2 <in.jsonl
form='{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"kind":{"enum":["grain","grind",7]},"n":{"$ref":"#/$defs/n"},"ok":{"type":["boolean","null"]},"list":{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":2}},"required":["kind","list"],"additionalProperties":false,"$defs":{"n":{"type":"integer"}}}}}'
line() { printf '{"custom_id":"%s","body":{"prompt":"the miller","max_tokens":%s,"temperature":%s,"response_format":%s}}\n' "$@"; }
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	line "$i" 300 1.5 "$form"
	echo "{\"custom_id\":\"f$i\",\"body\":{\"prompt\":\"the miller\",\"max_tokens\":9}}"
done >lines.jsonl
line g 300 0 "$form" >>lines.jsonl
line o 3 0 "$form" >>lines.jsonl
line p 60 1 '{"type":"json_object"}' >>lines.jsonl
quern infer -q ./m <lines.jsonl >have
number='-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?([eE][-+]?[0-9]{1,2})?'
grep -v '"custom_id":"[fop]' have | sed 's/.*"text":"\(.*\)","logprobs.*"finish_reason":"\([a-z]*\)".*/\2 \1/; s/\\n//g; s/ //g; s/\\//g' >said
ok 'every answer is what the schema says, and ends with it' is "$(grep -cEx "stop\{\"kind\":(\"grain\"|\"grind\"|7)(,\"n\":-?(0|[1-9][0-9]{0,14}))?(,\"ok\":(true|false|null))?,\"list\":\[$number(,$number)?\]\}" said)" 17
ok 'and they are not all one' test "$(sort -u said | wc -l)" -gt 8
ok 'any object' grep -q '"custom_id":"p".*"text":"{' have
ok 'an object that does not end in time says so' grep -q '"custom_id":"o".*"text":"{.*"finish_reason":"length"' have
grep '"custom_id":"f1"' lines.jsonl | quern infer -q ./m >alone
ok 'lines beside them are as ever' sh -c "grep '\"custom_id\":\"f1\"' have | cmp - alone"
sort -r lines.jsonl | quern infer -q -j 1 ./m slots=3 | sort >turned
ok 'in another order, three at once: the same' sh -c 'sort have | cmp - turned'
refuses() { line a 9 0 "$1" | quern infer -q ./m | grep -qF "$2"; }
ok 'a keyword that is not there yet is told' refuses '{"type":"json_schema","json_schema":{"schema":{"type":"string","pattern":"x"}}}' 'the schema'"'"'s keyword \"pattern\" is not supported'
ok 'nor is another form' refuses '{"type":"xml"}' 'must be text, json_object or json_schema'
ok 'a schema is needed' refuses '{"type":"json_schema"}' "has no 'json_schema' with a 'schema'"
ok 'text is any text' sh -c "$(declare -f line); line a 9 0 '{\"type\":\"text\"}' | quern infer -q ./m | grep -q '\"status_code\":200'"
done_testing
