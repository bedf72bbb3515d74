# SPDX-License-Identifier: Apache-2.0
"""jinja.py make CASES [SEED [N]] | same CASES OURS: random chats through chat
templates, as transformers renders them, beside what tests/jinja_test gives.

Templates are the *.jinja below $QUERN_TEST_DATA, those in *.json files there
(chat_template), our own (tests/peer/templates) and small random expressions."""
import datetime
import glob
import json
import os
import random
import sys
import warnings

import jinja2
from transformers.utils import chat_template_utils as chat

warnings.simplefilter("ignore")
NOW = datetime.datetime(2026, 11, 25, 9, 5)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat.datetime = Clock

WORDS = ["hello", "Hällo wörld", "日本語 です", "it's", 'say "x"', "a\nb", " pad ", "\t", "",
         "<|im_end|>", "{{ x }}", "{% if %}", "<think>one</think>two", "😀 ok", "null", "</s>",
         "x\\n", "line\r\n", "\u2028", "a & b < c > d", "[INST]", "<tool_call>", "É", "&#39;"]


def words(r, most=5):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(0, most)))


def value(r, depth=0):
    k = r.randrange(9 if depth < 3 else 6)
    if k == 0:
        return None
    if k == 1:
        return r.choice([True, False])
    if k == 2:
        return r.choice([0, 1, -3, 17, 2**40, 1.5, 1e20, -0.25, 1e-7, 100.0])
    if k < 6:
        return words(r, 2)
    if k == 6:
        return [value(r, depth + 1) for _ in range(r.randint(0, 3))]
    return {words(r, 1) or "k": value(r, depth + 1) for _ in range(r.randint(0, 3))}


def schema(r, depth=0):
    t = r.choice(["string", "integer", "number", "boolean", "array", "object"])
    s = {"type": t if r.random() < .9 else [t, "null"]}
    if r.random() < .7:
        s["description"] = words(r, 3) + r.choice(["", "."])
    if r.random() < .2:
        s["enum"] = [words(r, 1) for _ in range(r.randint(1, 3))]
    if r.random() < .2:
        s["default"] = value(r, 2)
    if t == "array" and r.random() < .8:
        s["items"] = schema(r, depth + 1) if depth < 2 else {"type": "string"}
    if t == "object" and depth < 2:
        s["properties"] = {n: schema(r, depth + 1) for n in r.sample(["a", "b", "type", "items"], r.randint(0, 3))}
        if r.random() < .5:
            s["required"] = [n for n in s["properties"] if r.random() < .5]
    return s


def tool(r):
    if r.random() < .08:
        return {"type": "code_interpreter"}
    p = {"type": "object", "properties": {n: schema(r) for n in r.sample(["city", "unit", "count", "when"], r.randint(0, 3))}}
    if r.random() < .8:
        p["required"] = [n for n in p["properties"] if r.random() < .6]
    f = {"name": r.choice(["get_weather", "add", "f"]), "parameters": p}
    if r.random() < .9:
        f["description"] = words(r, 3)
    if r.random() < .2:
        f["return"] = schema(r)
    return {"type": "function", "function": f} if r.random() < .9 else f


def messages(r):
    out = []
    if r.random() < .5:
        out.append({"role": "system", "content": words(r)})
    for _ in range(r.randint(0, 4)):
        text = words(r)
        content = text if r.random() < .85 else [{"type": "text", "text": words(r)}]
        out.append({"role": "user", "content": content})
        k = r.random()
        if k < .25:
            calls = [{"id": r.choice(["call_1", "abcdefghi", "x"]), "type": "function",
                      "function": {"name": r.choice(["get_weather", "add"]),
                                   "arguments": value(r, 2) if r.random() < .2 else
                                   {n: value(r, 1) for n in ["city", "unit"][:r.randint(0, 2)]}}}
                     for _ in range(r.randint(1, 2))]
            out.append({"role": "assistant", "content": r.choice([None, "", words(r)]), "tool_calls": calls})
            for c in calls:
                out.append({"role": "tool", "name": c["function"]["name"], "tool_call_id": c["id"],
                            "content": r.choice([words(r), value(r, 1)])})
        if r.random() < .8:
            out.append({"role": "assistant", "content": words(r)})
            if r.random() < .2:
                out[-1]["reasoning_content"] = words(r)
    if r.random() < .05:
        out.append({"role": r.choice(["critic", "system", "tool"]), "content": words(r)})
    return out


def variables(r):
    v = {"messages": messages(r), "bos_token": "<s>", "eos_token": "</s>",
         "add_generation_prompt": r.random() < .5}
    if r.random() < .4:
        v["tools"] = [tool(r) for _ in range(r.randint(1, 3))]
    elif r.random() < .5:
        v["tools"] = None
    if r.random() < .15:
        v["documents"] = [{"title": words(r, 1), "text": words(r)} for _ in range(2)]
    if r.random() < .1:
        v["builtin_tools"] = r.sample(["code_interpreter", "brave_search"], r.randint(0, 2))
    if r.random() < .1:
        v["date_string"] = "1 Jan 2026"
    if r.random() < .2:
        v["functions"] = r.choice(["[]", '[{"name": "f"}]'])
        v["datetime"] = "now"
    if r.random() < .3:
        v["enable_thinking"] = r.random() < .5
    return v


# small templates: one value through operators, filters and tests
FILTERS = ["trim", "upper", "lower", "title", "capitalize", "length", "string", "list", "first", "last", "join", "join(', ')",
           "tojson", "tojson(indent=2)", "tojson(sort_keys=true)", "items|list", "default('d')", "default('d', true)",
           "reverse|list", "sort|list", "unique|list", "safe", "e", "int", "float", "abs", "round", "round(1)", "indent",
           "indent(2, true)", "replace('a', 'b')", "replace('', '-')", "map('string')|list", "map('upper')|join('|')",
           "select('string')|list", "reject('none')|list", "select|list", "min", "max", "sum", "dictsort", "count",
           "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "batch(2)"]
TESTS = ["defined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true",
         "false", "odd", "divisibleby 3", "eq 1", "equalto('a')", "in [1, 'a', none]", "lower", "upper", "callable"]
METHODS = ["strip()", "strip('a ')", "lstrip()", "rstrip('\\n')", "split()", "split(' ')", "split('a', 1)", "rsplit(' ', 1)",
           "rsplit(none, 1)", "startswith('a')", "endswith(('a', 'o'))", "upper()", "lower()", "title()", "replace('a', 'xx')",
           "replace('a', 'xx', 1)", "find('l')", "count('l')", "splitlines()", "isdigit()", "isalpha()", "isspace()",
           "items()", "keys()|list", "values()|list", "get('a')", "get('a', 'no')", "content", "x.y", "removeprefix('he')",
           "zfill(8)", "center(9)", "join(['a', 'b'])", "index('a')", "capitalize()", "isupper()", "append(1)", "islower()"]
NAMES = ["s", "t", "n", "f", "l", "d", "none", "true", "missing", "'a'", '"é\\n"', "12", "0.5", "[1, 'b']", "{'a': 1}", "(1, 's')",
         "ns.a", "m(1)", "m('x', b=s)", "l2", "range(3)"]


def expression(r, depth=0):
    k = r.randrange(14 if depth < 3 else 3)
    if k < 3:
        return r.choice(NAMES)
    a = expression(r, depth + 1)
    if k < 6:
        return "%s|%s" % (a if depth else "(" + a + ")", r.choice(FILTERS))
    if k == 6:
        return "(%s is %s%s)" % (a, r.choice(["", "not "]), r.choice(TESTS))
    if k == 7:
        return "(%s).%s" % (a, r.choice(METHODS))
    if k == 8:
        at = r.choice(["0", "-1", "1:", ":2", "::-1", "1:-1", "'a'", "::2", "-2:", "5", "3:1:-1", "n"])
        # a part of a constant that has none is undefined, of a variable an error
        return "(%s)[%s]" % (r.choice(["s", "t", "l", "l2", "d", "n"]) if ":" in at else a, at)
    b = expression(r, depth + 1)
    if k < 12:
        return r.choice(["%s %s %s", "(%s %s %s)"]) % (a, r.choice(
            ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "and", "or", "in", "not in", "<= 3 <", "**"]), b)
    if k == 12:
        return "(%s if %s else %s)" % (a, b, expression(r, depth + 1))
    return r.choice(["not %s", "-%s", "(%s)", "[%s]", "{'k': %s}"]) % a


def statement(r, depth=0):
    sign = lambda: r.choice(["", "", "", "-", "+"])
    tag = lambda s: "{%%%s %s %s%%}" % (sign(), s, sign())
    gap = lambda: r.choice(["", " ", "\n", "  \n  ", "x", "\n\n  y \n", "\t"])
    k = r.randrange(12 if depth < 3 else 5)
    if k < 2:
        return gap() + "{{%s %s %s}}" % (r.choice(["", "-"]), expression(r, 1), r.choice(["", "-"])) + gap()
    if k == 2:
        return gap() + "{#%s c %s#}" % (sign(), sign()) + gap()
    if k == 3:
        # not the names of variables: to Jinja's inner blocks one that is set
        # further below is undefined, to ours it is still the variable
        return gap() + tag("set %s = %s" % (r.choice(["z", "y", "ns.a"]), expression(r, 2))) + gap()
    if k == 4:
        return gap()
    body = lambda: gap() + "".join(statement(r, depth + 1) for _ in range(r.randint(1, 2))) + gap()
    if k < 7:
        return tag("if " + expression(r, 2)) + body() + (tag("elif " + expression(r, 2)) + body() if r.random() < .3 else "") + (
            tag("else") + body() if r.random() < .5 else "") + tag("endif")
    if k < 10:
        return tag("for z in " + r.choice(["l", "s", "range(3)", "l2", "d", expression(r, 2)]) + r.choice(["", "", " if z"])) + body() + (
            "{{ loop.index }}{{ loop.last }}{{ loop.previtem }}" if r.random() < .4 else "") + (
            tag(r.choice(["break", "continue"])) if r.random() < .1 else "") + (
            tag("else") + body() if r.random() < .2 else "") + tag("endfor")
    if k == 10:
        return tag(r.choice(["set w", "filter upper", "generation", "filter trim|title", "set w | trim", "with q = 1"])) + body() + "@"
    return tag("macro q(a, b=s)") + body() + tag("endmacro") + "{{ q(%s) }}" % expression(r, 2)


def small(r):
    s = "".join(statement(r) for _ in range(r.randint(1, 3)))
    out, opened = "", []
    while "@" in s:                     # each @ ends what was opened last before it
        head, s = s.split("@", 1)
        out += head
        at = max((out.rfind(" " + t, 0), t) for t in ["set w", "filter ", "generation ", "with q"])
        out += "{% end" + at[1].split()[0] + " %}"
        # mark it as ended
        i = at[0]
        out = out[:i] + "\0" + out[i + 1:]
    s = out.replace("\0", " ") + s
    return ("{% set ns = namespace(a=1) %}{% macro m(x, b=2) %}<{{ x }}{{ b }}>{% endmacro %}") + s


def small_vars(r):
    return {"s": words(r), "t": words(r, 1), "n": r.choice([0, 1, -2, 7]), "f": r.choice([1.5, -0.0, 1e16, 3.0]),
            "l": [value(r, 2) for _ in range(r.randint(0, 4))], "l2": [words(r, 1) for _ in range(r.randint(0, 4))],
            "d": {k: value(r, 1) for k in r.sample(["a", "content", "b", "items"], r.randint(0, 4))}}


def sources():
    found = []
    data = os.environ.get("QUERN_TEST_DATA", "")
    for path in sorted(glob.glob(data + "/**/*.jinja", recursive=True)) if data else []:
        found.append(open(path, newline="").read())
    for path in sorted(glob.glob(data + "/**/tokenizer_config.json", recursive=True)) if data else []:
        t = json.load(open(path)).get("chat_template")
        found += [t] if isinstance(t, str) else [x["template"] for x in t or []]
    for path in sorted(glob.glob(os.path.join(os.path.dirname(__file__), "..", "..", "appliance/text/templates/*.jinja"))):
        found.append(open(path, newline="").read())
    return found


def make(path, seed=1, n=20000):
    r = random.Random(int(seed))
    known = sources()
    with open(path, "w") as f:
        for i in range(int(n)):
            if known and i % 2:
                case = {"template": known[i // 2 % len(known)], "vars": variables(r)}
            else:
                case = {"template": small(r), "vars": small_vars(r)}
            f.write(json.dumps(case, ensure_ascii=False) + "\n")
    print(len(known), "templates of others")


def theirs(case):
    try:
        compiled = chat._compile_jinja_template(case["template"])
        return compiled.render(**case["vars"])
    except Exception as e:          # Jinja's, Python's: all mean that it is refused
        return e


# what is refused by name on purpose, and texts that a template cannot want
REFUSED = ["is not supported", "has no text", "may not; make a new one", "too large", "formatting with", "generator"]
THEIRS = ["<generator", "<jinja2", "<Macro", "dict_items", "dict_keys", "dict_values", "range(", "<built-in", "<bound", "<function", "<class"]


def same(cases, ours):
    n = wrong = refused = failed = 0
    for line, got in zip(open(cases, newline="\n"), open(ours, newline="\n")):
        case, got = json.loads(line), json.loads(got)
        want = theirs(case)
        n += 1
        if "error" in got and isinstance(want, Exception):
            failed += 1
            continue
        if "error" in got and any(w in got["error"] for w in REFUSED):
            refused += 1
            continue
        if not isinstance(want, Exception) and (got.get("text") == want or any(w in want for w in THEIRS)):
            continue
        wrong += 1
        if wrong <= int(os.environ.get("SHOW", 5)):
            print(json.dumps(case, ensure_ascii=False)[:3000])
            print("want", repr(want)[:1500])
            print("got ", repr(got.get("text", got))[:1500])
    print(n, "cases:", wrong, "differ,", failed, "refused by both,", refused, "by us alone")
    assert n > 1000 and wrong == 0


if __name__ == "__main__":
    {"make": make, "same": same}[sys.argv[1]](*sys.argv[2:])
