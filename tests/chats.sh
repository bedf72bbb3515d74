#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# chats.sh - chats are trained by the model's template: the assistant's turns and
# what ends them, nothing of what others say, and that is shown beforehand.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
awk 'BEGIN { srand(6)
    n = split("miller corn wheel water stone bread dawn", w, " ")
    for (i = 0; i < 200; i++) {
	a = w[int(rand() * n) + 1]
	b = w[int(rand() * n) + 1]
	printf "{\"id\":\"q%d\",\"messages\":[{\"role\":\"user\",\"content\":\"say %s %s\"},{\"role\":\"assistant\",\"content\":\"%s %s\"},", i, a, b, b, a
	printf "{\"role\":\"user\",\"content\":\"again <|im_end|>\"},{\"role\":\"assistant\",\"content\":\"%s %s\"}]}\n", b, a
    } }' >"$dir/chats.jsonl"
cd "$dir" || exit 1
sed 's/.*"content":"\(say [a-z ]*\)".*/{"text":"\1 user assistant again\\n"}/' chats.jsonl >texts.jsonl
quern tokenize -q learn ./bpe.json vocab=320 'special=<|endoftext|>,<|im_start|>,<|im_end|>' <texts.jsonl
tune() { quern train -j 2 tokenizer=./bpe.json layers=1 channels=32 heads=4 context=96 "$@"; }

tune out=./m template=chatml steps=20 example=./example.txt <chats.jsonl 2>told
first=$(sed -n 's/.*"content":"say \([a-z]*\) \([a-z]*\)".*/\2 \1/p; q' chats.jsonl)
ok 'an answer and the token that ends it' grep -qxF "[[$first<|im_end|>]]" example.txt
ok 'twice, and nothing else' is "$(grep -c '^\[\[' example.txt)" 2
ok 'what a user writes is no special token' sh -c "grep -qx 'again <|im_end|><|im_end|>' example.txt && grep -c '^ *2  ' example.txt | grep -qx 4"
ok 'token by token' sh -c "grep -q '^ *2  yes     \"<|im_end|>\"$' example.txt && grep -q '^ *1          \"<|im_start|>\"$' example.txt"
masks() { quern tokenize -q encode text=messages with=./bpe.json template=chatml mask=yes <chats.jsonl | sed 's/.*"mask":\[\([01,]*\).*/\1/' | tr -dc "$1" | wc -c; }
ok 'as many are learnt as the mask has' grep -q " $(masks 1) of them learnt" told
ok 'and read' grep -q "^quern: $(masks 01) tokens" told
ok 'what ends answers is told' grep -q 'ends with "<|im_end|>", 400 times of 400' told
ok 'and then ends texts' grep -q '"eos_token_id": \[0, 2\]' m/config.json
ok 'the template stays with the model' grep -q im_start m/chat_template.jinja
tune out=./all template=chatml steps=1 loss=all <chats.jsonl 2>told
ok 'all of it is learnt if asked for' grep -q " $(masks 01) of them learnt" told

# asked by the same template, as a record and as a line of a batch file
ids() { printf '{"text":"%s"}\n' "$1" | quern tokenize -q with=./bpe.json | sed 's/.*"ids":\[\([^]]*\)\].*/\1/' | tr , '\n' | wc -l; }
ask() { printf '{"id":"a","messages":[{"role":"user","content":%s}]}\n' "$1" | quern infer -q ./m max_tokens=8 temperature=1 "${@:2}" 2>&1; }
want=$((4 + $(ids 'user\nsay corn') + $(ids '\n') + $(ids 'assistant\n') - 1))
ask '"say corn"' >said
ok "a chat is asked by the model's template" grep -q "\"prompt_tokens\":$want," said
want=$((4 + $(ids 'user\nsay <|im_end|>') + $(ids '\n') + $(ids 'assistant\n') - 1))
ask '"say <|im_end|>"' >hostile
ok 'in which what a user writes is no special token' grep -q "\"prompt_tokens\":$want," hostile
echo '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":[{"type":"text","text":"say "},{"type":"text","text":"corn"}]}],"max_tokens":8,"temperature":1}}' | quern infer -q ./m >line
ok 'a line of a batch file has the same answer, from parts' is "$(sed 's/.*"content":\(".*"\),"refusal.*/\1/' line)" "$(sed 's/.*"completion":\("[^}]*"\),"finish.*/\1/' said)"
sed 's/"messages":/"prompt":/' chats.jsonl | head -n 1 >listed
ok 'which is none that is empty' grep -q '"completion":"..*","finish' said
ok 'a list as a prompt is a chat' sh -c "quern infer -q ./m max_tokens=1 <listed >a && head -n 1 chats.jsonl | quern infer -q ./m max_tokens=1 >b && sed 's/.*\"completion\"//' a >c && sed 's/.*\"completion\"//' b | cmp c -"
# tools are the template's to tell
printf '<|im_start|>{%% for t in tools or [] %%}{{ t.function.name }} {%% endfor %%}{%% for m in messages %%}{{ m.name or "" }}{{ m.content }}{%% endfor %%}<|im_end|>' >tools.jinja
tool='"tools":[{"type":"function","function":{"name":"corn"}}]'
said_with() { printf '{"custom_id":"a","body":{"messages":[{"role":"user","content":"%s"}],"temperature":1%s}}\n' "$1" "$2" | quern infer -q ./m max_tokens=8 chat_template=./tools.jinja; }
said_with 'corn water' '' | sed 's/.*"body"//; s/"id":"[^"]*"//' >want
said_with water ",$tool" | sed 's/.*"body"//; s/"id":"[^"]*"//' >have
ok 'tools are put to the model by its template' sh -c 'grep -q completion_tokens want && cmp want have'
printf '{"id":"a","messages":[{"content":[{"type":"text","text":"water"}],"name":"corn ","role":"user"}]}\n' | quern infer -q ./m max_tokens=8 temperature=1 chat_template=./tools.jinja >named
ok 'a message of parts keeps what else it has' is "$(sed 's/.*"completion":\(".*"\),"finish.*/\1/' named)" "$(sed 's/.*"content":\(".*"\),"refusal.*/\1/' want)"
printf '{"id":"a","messages":[{"role":"user","content":"water"}],%s}\n' "$tool" | quern infer -q ./m max_tokens=8 temperature=1 chat_template=./tools.jinja >record
ok 'a record has them as well' is "$(sed 's/.*"completion":\(".*"\),"finish.*/\1/' record)" "$(sed 's/.*"content":\(".*"\),"refusal.*/\1/' have)"
# and what calls them is taken out of an answer
call='<tool_call>\n{\"name\": \"corn\", \"arguments\": {\"n\": 1}}\n</tool_call>'
for i in 1 2 3 4; do
	printf '{"messages":[{"role":"user","content":"call"},{"role":"assistant","content":"%s"}]}\n' "$call"
done >calls.jsonl
tune out=./caller template=chatml steps=60 lr=0.02 warmup=2 batch=4 packing=none <calls.jsonl 2>/dev/null
called() { printf '{"id":"a","messages":[{"role":"user","content":"call"}]%s}\n' "$1" | quern infer ./caller max_tokens=${2:-80}; }
called ",$tool" >with 2>told
ok 'a tool is called' grep -qE '"completion":"","tool_calls":\[\{"id":"[0-9a-f]{9}","type":"function","function":\{"name":"corn","arguments":"\{\\"n\\": 1\}"\}\}\],"finish_reason":"tool_calls"' with
called '' >without 2>told
ok 'not without tools' grep -q '<tool_call>.*"finish_reason":"stop"' without
called ",$(echo "$tool" | sed s/corn/rye/)" >other 2>told
ok 'nor one that is not there: text' grep -q '<tool_call>.*"finish_reason":"stop"' other
ok 'which is told' grep -q '1 answers began a call of a tool that cannot be read' told
called ",$tool" 20 >cut 2>&1
ok 'nor one that was cut off' grep -q '<tool_call>.*"finish_reason":"length"' cut
printf '{"custom_id":"a","body":{"messages":[{"role":"user","content":"call"}],%s,"max_tokens":80}}\n' "$tool" | quern infer -q ./caller >line
ok 'a line of a batch file likewise' grep -qE '"content":null,"refusal":null,"tool_calls":\[\{"id":"[0-9a-f]{9}".*"finish_reason":"tool_calls"' line
said_with water ",$tool,\"tool_choice\":\"none\"" | sed 's/.*"body"//; s/"id":"[^"]*"//' >have
said_with water '' | sed 's/.*"body"//; s/"id":"[^"]*"//' >want
ok 'tool_choice none: as without' cmp want have
ok 'that one is called is not seen to' sh -c "echo '{\"custom_id\":\"a\",\"body\":{\"messages\":[],$tool,\"tool_choice\":\"required\"}}' | quern infer -q ./m | grep -q \"'tool_choice' must be auto or none\""
ask '"say corn"' chat_template=gemma >other
ok 'another template may be asked for' sh -c "! cmp -s said other && grep -q completion other"
ok 'a message without its role is a fault of its record' sh -c "echo '{\"id\":\"a\",\"messages\":[{\"content\":\"x\"}]}' | quern infer ./m 2>&1 | grep -q \"a message has no 'role'\""

# the same in other words: the template beside the model, prompts as lists
sed 's/"messages":\(\[{[^}]*},{[^}]*},{[^}]*}\),\(.*\)]}$/"prompt":\1],"completion":[\2]}/' chats.jsonl >asked.jsonl
for in in chats asked; do
	quern train -q -j 2 out=./on-$in base=./m context=96 batch=4 steps=6 example=./$in.txt <$in.jsonl
done
ok 'a base brings its template' cmp example.txt chats.txt
ok 'answers to a list of messages: only they are learnt' sh -c "grep -c '^\[\[' asked.txt | grep -qx 1 && cut -c1-8,18- asked.txt | sed -n '/ id /,\$p' >a; cut -c1-8,18- chats.txt | sed -n '/ id /,\$p' | cmp - a"
sed 's/"prompt":\[.*/"prompt":"say corn","completion":[{"role":"assistant","content":"corn"}]}/' asked.jsonl >mixed.jsonl
quern train -q out=./on-mixed base=./m context=96 steps=1 example=./mixed.txt <mixed.jsonl
ok 'a text before a list is what a user says' sh -c "sed -n 4p mixed.txt | grep -qx 'say corn<|im_end|>'"

# adapters stop where their base does
quern train -j 2 out=./fresh tokenizer=./bpe.json layers=1 channels=32 heads=4 context=96 steps=1 <texts.jsonl 2>/dev/null
quern train -j 2 out=./lora base=./fresh adapter=lora template=chatml steps=1 <chats.jsonl 2>told
ok 'a base that stops elsewhere is told of' grep -q 'the base does not stop at "<|im_end|>": what uses the adapter must' told

# what cannot be
ok 'no template: a chat is a fault of its record' sh -c "head -n 1 chats.jsonl | quern infer ./fresh 2>&1 | grep -q 'there is no chat template: give template='"
ok 'no template: refused, naming those there are' sh -c "quern train out=./x base=./fresh <chats.jsonl 2>&1 | grep -q 'nothing is left to learn from; of the first record: there is no chat template: give template=, a file or one of chatml'"
printf '{%% for m in messages %%}{{ m.role }}: {{ m.content }}\n{%% endfor %%}' >open.jinja
ok 'a template that ends no turn: refused' sh -c "quern train out=./x base=./fresh template=./open.jinja <chats.jsonl 2>&1 | grep -q 'of the first record: no special token ends the answer'"
ok 'one marker of two: refused' sh -c "quern train out=./x base=./m turn=a <chats.jsonl 2>&1 | grep -q \"'turn' is two markers\""
ok 'a word the option lacks: those it has' sh -c "quern train out=./x base=./m loss=mine <chats.jsonl 2>&1 | grep -q 'assistant|all'"

# in a job: the example lies in its results, and no log has it
job=$(job 'pipeline tune
  ingest @DIR@/chats.jsonl
  train  tokenizer=@DIR@/bpe.json template=chatml layers=1 channels=32 context=96 steps=3
  save   talker' | quern submit)
once
ok 'a job is done' status 0 quern wait "$job"
ok 'its example is among its results' cmp example.txt "$spool/done/$job/result/tune.example.txt"
ok 'with the rights of what holds texts' is "$(stat -c %a "$spool/done/$job/result/tune.example.txt")" 640
ok 'no log has it' sh -c "! grep -rl 'say ' $spool/done/$job/log*"
done_testing
