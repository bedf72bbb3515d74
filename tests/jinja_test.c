/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what they write, what is refused; with a file of cases as the
 * argument, what each gives as a line of JSON, for tests/peer/jinja.py */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/jinja.h"

#include <fcntl.h>

/* what is written, or ! and the error */
static const struct {
	const char *name, *template, *vars, *want;
} jinja_cases[] = {
	{ "a block alone on its line leaves no line",
	    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
	    "{}",
	    "a\n  b\nc" },
	{ "signs take white space or keep it",
	    "a  {%- if 1 -%}  b  {%- endif +%}\n c {#- x -#}  d\n  {%+ if 1"
	    " %}e{% endif %}",
	    "{}",
	    "ab\n cd\n  e" },
	{ "a printed value keeps the blanks of its line",
	    "  {{ 1 }}\n\t{{- 2 -}}\n  3",
	    "{}",
	    "  123" },
	{ "raw text",
	    "{% raw %}{{ a }}{% b %}{# c #}{% endraw %}\n!",
	    "{}",
	    "{{ a }}{% b %}{# c #}!" },
	{ "newlines of all kinds are one",
	    "a\r\nb\rc\n\n",
	    "{}",
	    "a\nb\nc\n" },
	{ "braces in a dict do not end a print",
	    "{{ {'a': {'b': 1}}['a']['b'] }}",
	    "{}",
	    "1" },
	{ "escapes of strings",
	    "{{ 'a\\n\\x41\\u00e9\\'\\q' ~ \"it's\" 'x' }}",
	    "{}",
	    "a\nA\303\251'\\qit'sx" },
	{ "precedence",
	    "{{ 1 + 2 * 3 - 4 // 3 ** 2 }} {{ 'a' ~ 1 * 2 }} {{ not 1 == 2 "
	    "and 3 in [3] or x }} {{ -2|abs }} {{ 7 % -3 }} {{ -7 // 2 }}",
	    "{}",
	    "7 a2 True 2 -2 -4" },
	{ "odd and even are what is left over of 2",
	    "{{ 3 is odd }}{{ -1 is odd }}{{ 1.5 is odd }}{{ 1.5 is even }}"
	    "{{ 2.0 is even }}{{ true is odd }}",
	    "{}",
	    "TrueTrueFalseFalseTrueTrue" },
	{ "chained comparison",
	    "{{ 1 < 2 <= 2 != 3 }} {{ 1 < 2 > 2 }}",
	    "{}",
	    "True False" },
	{ "if else in an expression",
	    "{{ 'a' if x is defined else 'b' if y else 'c' }}{{ 'z' if 0 }}",
	    "{\"y\":0}",
	    "c" },
	{ "numbers as Python shows them",
	    "{{ 1.0 }} {{ 1e16 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 7 / 2 }} {{"
	    " 2 ** 62 }} {{ -0.0 }} {{ 1_000 }}",
	    "{}",
	    "1.0 1e+16 0.30000000000000004 1e-05 3.5 4611686018427387904 -0"
	    ".0 1000" },
	{ "values as Python shows them",
	    "{{ [1, 'a\\'b', none, true, {'k': '\303\251\\n'}, (1,), 1.5] }"
	    "}",
	    "{}",
	    "[1, \"a'b\", None, True, {'k': '\303\251\\n'}, (1,), 1.5]" },
	{ "what is not there",
	    "[{{ a }}{{ a|length }}{{ a|join }}{{ a is defined }}{{ b.c is "
	    "defined }}{{ 'x' in a }}]",
	    "{\"b\":{}}",
	    "[0FalseFalseFalse]" },
	{ "names of methods come before keys",
	    "{{ d.items()|list }} {{ d['items'] }} {{ d.get('k', 'no') }} {"
	    "{ d.keys()|list }} {{ d.x.y }}",
	    "{\"d\":{\"items\":1,\"x\":{\"y\":2}}}",
	    "[('items', 1), ('x', {'y': 2})] 1 no ['items', 'x'] 2" },
	{ "slices",
	    "{{ l[1:] }}{{ l[-1] }}{{ l[::-1] }}{{ l[:-5] }}{{ 'a\303\261b'"
	    "[1:] }}{{ 'a\303\261b'[::-1] }}{{ l[7] }}",
	    "{\"l\":[1,2,3]}",
	    "[2, 3]3[3, 2, 1][]\303\261bb\303\261a" },
	{ "a loop",
	    "{% for x in l %}{{ loop.index }}/{{ loop.length }}{{ x }}{{ lo"
	    "op.previtem }}{{ loop.nextitem }}{% if not loop.last %},{% end"
	    "if %}{% else %}none{% endfor %}",
	    "{\"l\":[\"a\",\"b\"]}",
	    "1/2ab,2/2ba" },
	{ "a loop over what meets a condition",
	    "{% for x in l if x % 2 %}{{ loop.first }}{{ x }}{{ loop.revind"
	    "ex0 }} {% else %}none{% endfor %}",
	    "{\"l\":[1,2,3]}",
	    "True11 False30 " },
	{ "break and continue",
	    "{% for x in range(9) %}{% if x == 1 %}{% continue %}{% endif %"
	    "}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
	    "{}",
	    "023" },
	{ "pairs",
	    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% set "
	    "a, b = [1, 2] %}{{ a }}{{ b }}",
	    "{\"d\":{\"x\":1,\"y\":null}}",
	    "x=1;y=None;12" },
	{ "names of a loop stay in it",
	    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}"
	    "{% endfor %}{{ x }}{% if 1 %}{% set x = 9 %}{% endif %}{{ x }}",
	    "{}",
	    "2319" },
	{ "a namespace goes out of a loop",
	    "{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n "
	    "= ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.missing is defined }}",
	    "{}",
	    "3False" },
	{ "a macro",
	    "{% macro f(a, b='x') %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{%"
	    " set c = 3 %}{{ f(1) }}{{ f(a=1, b=2) }}{{ f('q')|length }}",
	    "{}",
	    "<1x3><123>5" },
	{ "a macro that calls itself",
	    "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% e"
	    "ndmacro %}{{ f(3) }}",
	    "{}",
	    "3210" },
	{ "caller",
	    "{% macro f(x) %}[{{ caller(x + 1) }}]{% endmacro %}{% call(y) "
	    "f(1) %}{{ y }}{% endcall %}",
	    "{}",
	    "[2]" },
	{ "blocks that set and filter",
	    "{% set s %} a {% endset %}{{ s|length }}{% filter trim|upper %"
	    "} b {% endfilter %}{% set t | trim %} c {% endset %}{{ t }}",
	    "{}",
	    "3Bc" },
	{ "with",
	    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
	    "{}",
	    "12" },
	{ "tojson",
	    "{{ v|tojson }}\n{{ v|tojson(indent=2) }}\n{{ v|tojson(sort_key"
	    "s=true, separators=(',', ':')) }}",
	    "{\"v\":{\"b\":[1,1.5,null,true,\"<\303\251'\\\"\\n\\u0001\\u00"
	    "7f>\"],\"a\":{},\"c\":[]}}",
	    "{\"b\": [1, 1.5, null, true, \"<\303\251'\\\"\\n\\u0001\177>\""
	    "], \"a\": {}, \"c\": []}\n{\n  \"b\": [\n    1,\n    1.5,\n   "
	    " null,\n    true,\n    \"<\303\251'\\\"\\n\\u0001\177>\"\n  ],"
	    "\n  \"a\": {},\n  \"c\": []\n}\n{\"a\":{},\"b\":[1,1.5,null,tr"
	    "ue,\"<\303\251'\\\"\\n\\u0001\177>\"],\"c\":[]}" },
	{ "tojson in ASCII",
	    "{{ '\303\251\360\237\230\200'|tojson(ensure_ascii=true) }}",
	    "{}",
	    "\"\\u00e9\\ud83d\\ude00\"" },
	{ "safe text escapes what is added",
	    "{{ \"it's \"|safe + v + ' <' }}{{ (v|e)|e }}{{ 'a'|safe ~ '<' "
	    "}}",
	    "{\"v\":\"a & b\"}",
	    "it's a &amp; b &lt;a &amp; ba<" },
	{ "filters of lists",
	    "{{ l|map(attribute='r')|join('|') }} {{ l|selectattr('r', 'equ"
	    "alto', 'u')|list|length }} {{ l|rejectattr('n', 'defined')|map"
	    "(attribute='r')|list }} {{ [3,1,2]|sort(reverse=true) }} {{ ['"
	    "b','A','a']|unique|list }} {{ ['b','A']|sort }}",
	    "{\"l\":[{\"r\":\"u\",\"n\":1},{\"r\":\"a\"}]}",
	    "u|a 1 ['a'] [3, 2, 1] ['b', 'A'] ['A', 'b']" },
	{ "filters of texts",
	    "{{ ' aB '|trim|lower }}{{ 'ab cd-ef'|title }}{{ 'x\\ny\\n\\nz'"
	    "|indent(2) }}{{ 'aaa'|replace('a', 'b', 2) }}{{ 'AB'|capitaliz"
	    "e }}",
	    "{}",
	    "abAb Cd-Efx\n  y\n\n  zbbaAb" },
	{ "numbers from texts",
	    "{{ '12'|int + 1 }} {{ 'x'|int(7) }} {{ '1.5'|float }} {{ 2.5|r"
	    "ound }} {{ 2.567|round(2) }} {{ 2.1|round(method='ceil') }} {{"
	    " 3.9|int }}",
	    "{}",
	    "13 7 1.5 2.0 2.57 3.0 3" },
	{ "more of lists",
	    "{{ [1,2]|sum }} {{ [2,1]|min }} {{ []|first is defined }} {{ ["
	    "1,2]|last }} {{ 'abc'|reverse }} {{ d|dictsort }} {{ d|items|l"
	    "ist }}",
	    "{\"d\":{\"b\":1,\"a\":2}}",
	    "3 1 False 2 cba [('a', 2), ('b', 1)] [('b', 1), ('a', 2)]" },
	{ "methods of texts",
	    "{{ ' a,b '.strip().split(',') }} {{ 'a b  c'.split() }} {{ 'ab"
	    "c'.startswith(('x', 'ab')) }} {{ 'x</t>y</t>z'.split('</t>')[-"
	    "1] }} {{ 'aXbX'.rstrip('X') }} {{ '-'.join(['a', 'b']) }} {{ '"
	    "hello'.find('l') }}",
	    "{}",
	    "['a', 'b'] ['a', 'b', 'c'] True z aXb a-b 2" },
	{ "tests",
	    "{{ 1 is number }}{{ 'a' is string }}{{ {} is mapping }}{{ [] i"
	    "s iterable }}{{ none is none }}{{ 4 is divisibleby 2 }}{{ 3 is"
	    " odd }}{{ 1 is not eq 2 }}{{ true is boolean }}{{ 1.0 is float"
	    " }}{{ 1 is in [1] }}",
	    "{}",
	    "TrueTrueTrueTrueTrueTrueTrueTrueTrueTrueTrue" },
	{ "a clock",
	    "{{ strftime_now('%d %b %Y') }}",
	    "{}",
	    "25 Nov 2026" },
	{ "chatml by hand",
	    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m."
	    "content + '<|im_end|>' + '\\n' }}{% endfor %}{% if prompt %}{{"
	    " '<|im_start|>assistant\\n' }}{% endif %}",
	    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}"
	    ",{\"role\":\"user\",\"content\":\"Hi & <b>\"},{\"role\":\"assi"
	    "stant\",\"content\":\" Yes. \"},{\"role\":\"user\",\"content\""
	    ":\"2+2?\"}],\"own_bos\":\"<s>\",\"own_eos\":\"</s>\",\"prompt"
	    "\":true}",
	    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi "
	    "& <b><|im_end|>\n<|im_start|>assistant\n Yes. <|im_end|>\n<|im"
	    "_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n" },
	{ "inst by hand",
	    "{{ own_bos }}{% set first = messages[0].role == 'system' %}{% "
	    "for m in messages[1:] if first %}{% if m.role == 'user' %}[INS"
	    "T] {% if loop.first %}{{ messages[0].content }}\n\n{% endif %}"
	    "{{ m.content }} [/INST]{% else %} {{ m.content|trim }}{{ own_e"
	    "os }}{% endif %}{% endfor %}",
	    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}"
	    ",{\"role\":\"user\",\"content\":\"Hi & <b>\"},{\"role\":\"assi"
	    "stant\",\"content\":\" Yes. \"},{\"role\":\"user\",\"content\""
	    ":\"2+2?\"}],\"own_bos\":\"<s>\",\"own_eos\":\"</s>\",\"prompt"
	    "\":true}",
	    "<s>[INST] Be brief.\n\nHi & <b> [/INST] Yes.</s>[INST] 2+2? [/"
	    "INST]" },
	{ "turns by hand",
	    "{{ own_bos }}{% for m in messages if m.role != 'system' %}{% s"
	    "et role = 'model' if m.role == 'assistant' else m.role %}<star"
	    "t_of_turn>{{ role }}\n{{ m.content | trim }}<end_of_turn>\n{% "
	    "endfor %}",
	    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}"
	    ",{\"role\":\"user\",\"content\":\"Hi & <b>\"},{\"role\":\"assi"
	    "stant\",\"content\":\" Yes. \"},{\"role\":\"user\",\"content\""
	    ":\"2+2?\"}],\"own_bos\":\"<s>\",\"own_eos\":\"</s>\",\"prompt"
	    "\":true}",
	    "<s><start_of_turn>user\nHi & <b><end_of_turn>\n<start_of_turn>"
	    "model\nYes.<end_of_turn>\n<start_of_turn>user\n2+2?<end_of_tur"
	    "n>\n" },
	{ "headings by hand",
	    "{%- for m in messages %}\n    {%- if m['role'] == 'user' %}\n "
	    "       {{- '### Instruction:\\n' + m['content'].strip() + '\\n"
	    "\\n' }}\n    {%- elif m['role'] == 'assistant' %}\n        {{-"
	    " '### Response:\\n' ~ m['content'] }}{% generation %}{{ own_eo"
	    "s }}{% endgeneration %}\n    {%- endif %}\n{%- endfor %}",
	    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}"
	    ",{\"role\":\"user\",\"content\":\"Hi & <b>\"},{\"role\":\"assi"
	    "stant\",\"content\":\" Yes. \"},{\"role\":\"user\",\"content\""
	    ":\"2+2?\"}],\"own_bos\":\"<s>\",\"own_eos\":\"</s>\",\"prompt"
	    "\":true}",
	    "### Instruction:\nHi & <b>\n\n### Response:\n Yes. </s>### Ins"
	    "truction:\n2+2?\n\n" },
	{ "an error of the template's own",
	    "{% for m in [1] %}\n{{ raise_exception('roles must take turns'"
	    ") }}{% endfor %}",
	    "{}",
	    "!line 2 of the template: roles must take turns" },
	{ "an attribute of what is not there",
	    "a\n{{ a.b }}",
	    "{}",
	    "!line 2 of the template: 'a' is undefined, so it has no 'b'" },
	{ "a text and a number",
	    "{{ 'a' + 1 }}",
	    "{}",
	    "!line 1 of the template: '+' cannot join a str and a int" },
	{ "a tag that is not closed",
	    "{% if 1 %}a",
	    "{}",
	    "!line 1 of the template: '{% elif|else|endif %}' is missing" },
	{ "a brace that is not closed",
	    "a\n{{ 1 ",
	    "{}",
	    "!line 2 of the template: '{{' is not closed" },
	{ "a string that is not closed",
	    "{{ 'a }}",
	    "{}",
	    "!line 1 of the template: a string is not closed" },
	{ "a tag that closes nothing",
	    "a{% endif %}",
	    "{}",
	    "!line 1 of the template: '{% endif %}' closes nothing" },
	{ "a tag that is refused",
	    "{% include 'x' %}",
	    "{}",
	    "!line 1 of the template: the tag 'include' is not supported: a"
	    " chat template stands alone" },
	{ "a tag that nobody knows",
	    "{% frob %}",
	    "{}",
	    "!line 1 of the template: no tag 'frob'" },
	{ "a filter that is refused",
	    "{{ 1|xmlattr }}",
	    "{}",
	    "!line 1 of the template: the filter 'xmlattr' is not supported" },
	{ "a test that is refused",
	    "{{ 1 is odder }}",
	    "{}",
	    "!line 1 of the template: the test 'odder' is not supported so" },
	{ "a method that is refused",
	    "{{ 'a'.encode() }}",
	    "{}",
	    "!line 1 of the template: the method 'encode' of texts is not s"
	    "upported" },
	{ "a method that would change a list",
	    "{{ [1].append(2) }}",
	    "{}",
	    "!line 1 of the template: 'append' would change a list, which a"
	    " template may not; make a new one" },
	{ "recursive loops",
	    "{% for x in [] recursive %}{% endfor %}",
	    "{}",
	    "!line 1 of the template: recursive loops are not supported; us"
	    "e a macro that calls itself" },
	{ "arguments in a list",
	    "{{ f(*x) }}",
	    "{}",
	    "!line 1 of the template: arguments with '*' are not supported;"
	    " write them one by one" },
	{ "break outside a loop",
	    "{% break %}",
	    "{}",
	    "!line 1 of the template: 'break' outside a loop" },
	{ "a macro without end",
	    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
	    "{}",
	    "!line 1 of the template: nested too deeply" },
	{ "text without end",
	    "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in rang"
	    "e(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
	    "{}",
	    "!line 1 of the template: it makes more than 256 MiB of text" },
	{ "steps without end",
	    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfo"
	    "r %}{% endfor %}",
	    "{}",
	    "!line 1 of the template: it needs more than 1024 MiB of memory" },
	{ "a range without end",
	    "{{ range(1000000)|length }}",
	    "{}",
	    "!line 1 of the template: a range of more than 100000" },
	{ "division by zero",
	    "{{ 1 // 0 }}",
	    "{}",
	    "!line 1 of the template: division by zero" },
	{ "a number too large",
	    "{{ 2 ** 64 }}",
	    "{}",
	    "!line 1 of the template: a number that is too large" },
	{ "no list",
	    "{% for x in 3 %}{% endfor %}",
	    "{}",
	    "!line 1 of the template: a int cannot be gone through" },
	{ "a macro's arguments",
	    "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
	    "{}",
	    "!line 1 of the template: macro 'f' takes 1 arguments" },
	{ "JSON of what is none",
	    "{{ a|tojson }}",
	    "{}",
	    "!line 1 of the template: a undefined value cannot be JSON" },
	{ "brackets without end",
	    "{{ ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
	    "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
	    "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
	    "((((((((((((((((( }}",
	    "{}",
	    "!line 1 of the template: brackets nested too deeply" },
};

static const struct tm now = { .tm_year = 126, .tm_mon = 10, .tm_mday = 25,
    .tm_hour = 9, .tm_min = 5, .tm_wday = 3, .tm_yday = 328 };

/* render - vars: a JSON object; those whose name begins with "own_" are the
 * template's own */
static int
render(struct arena *a, struct view template, struct view vars,
    struct jinja_text *out, struct err *e)
{
	struct jinja *j = jinja_open(a, template, e);
	struct jinja_var var[32];
	struct json_iter it;
	struct view k, v;
	size_t n = 0;

	if (j == NULL)
		return -1;
	if (json_open(&it, vars, '{'))
		while (n < BASE_COUNT(var) && json_member(&it, &k, &v)) {
			var[n].name = arena_strn(a, k.p + 1, k.n - 2);
			var[n].own = strncmp(var[n].name, "own_", 4) == 0;
			var[n++].json = v;
		}
	return jinja_render(j, a, var, n, &now, out, e);
}

/* ranges - where the marks have a bit, as [[from,to],...] in bytes */
static void
ranges(struct buf *b, const struct jinja_text *t, unsigned bit)
{
	bool first = true;

	buf_char(b, '[');
	for (size_t i = 0, from; i < t->text.n; i++) {
		if ((t->mark[i] & bit) == 0)
			continue;
		for (from = i; i < t->text.n && t->mark[i] & bit; i++)
			;
		buf_printf(b, "%s[%zu,%zu]", first ? "" : ",", from, i);
		first = false;
	}
	buf_char(b, ']');
}

/* all - each line of a file: {"template":..,"vars":{..}} */
static int
all(const char *path)
{
	struct arena *a = arena_new(), *one = arena_new();
	struct buf *b = buf_new(a, (size_t)1 << 30);
	struct view file, template, vars, raw;
	struct jinja_text text;
	struct err e;
	const char *end;

	if (file_read(a, AT_FDCWD, path, (size_t)1 << 30, &file, &e) == -1)
		return 1;
	for (; file.n > 0; file.n -= (size_t)(end + 1 - file.p),
	    file.p = end + 1) {
		struct view line;

		end = memchr(file.p, '\n', file.n);
		if (end == NULL)
			break;
		arena_reset(one);
		line = (struct view){ file.p, (size_t)(end - file.p) };
		if (!json_get(line, "template", &raw) ||
		    !json_string(one, raw, &template) ||
		    !json_get(line, "vars", &vars))
			return 1;
		b->n = 0;
		if (render(one, template, vars, &text, &e) == 0) {
			buf_str(b, "{\"text\":");
			buf_json(b, text.text);
			buf_str(b, ",\"generation\":");
			ranges(b, &text, JINJA_GENERATION);
		} else {
			buf_str(b, "{\"error\":");
			buf_json_str(b, e.text);
		}
		buf_str(b, "}\n");
		fwrite(b->p, 1, b->n, stdout);
	}
	arena_free(one);
	arena_free(a);
	return 0;
}

/* table - what must come out, or the error's words */
static void
table(void)
{
	struct arena *a = arena_new();
	struct jinja_text text;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(jinja_cases); i++) {
		const char *want = jinja_cases[i].want;

		arena_reset(a);
		if (render(a, view_of(jinja_cases[i].template),
		    view_of(jinja_cases[i].vars), &text, &e) == 0)
			tap_str(arena_strn(a, text.text.p, text.text.n), want,
			    jinja_cases[i].name);
		else
			tap_str(arena_printf(a, "!%s", e.text), want,
			    jinja_cases[i].name);
	}
	arena_free(a);
}

int
main(int argc, char **argv)
{
	if (argc == 2)
		return all(argv[1]);
	table();
	return tap_done();
}
