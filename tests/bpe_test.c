/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-level vocabularies: pieces, classes, files that are read or refused, and
 * published ids where QUERN_TEST_DATA has them */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/bpe.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/utf8.h"

#include <fcntl.h>
#include <unistd.h>

/* pieces as the expression finds them; a bar between, its own are doubled */
static const struct {
	const char *pattern, *in, *want;
} piece_cases[] = {
	{ "gpt2",
	    "I'M he'lloween DON\xe2\x80\x99T don't IT'S",
	    "I|'|M| he|'ll|oween| DON|\xe2\x80\x99|T| don|'t| IT|'|S" },
	{ "gpt2",
	    "a'\xc5\xbf" "b A'\xc5\xbf 'tis 'RE 're",
	    "a|'|\xc5\xbf" "b| A|'|\xc5\xbf| '|tis| '|RE| '|re" },
	{ "gpt2",
	    "(foo ((foo  (foo [x]=y//\r\n/z",
	    "(|" "foo| ((|" "foo| | (|" "foo| [|x|]=|y|//|\r|\n|/|z" },
	{ "gpt2",
	    "one  two \n  three\t\tfour \r\n\n x\xc2\xa0 y  ",
	    "one| | two| \n | three|\t|\t|" "four| \r\n\n| x|\xc2\xa0| y|  " },
	{ "gpt2",
	    "1234567 \xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4 x12\xc2\xbd\xe2\x85"
	    "\xa7",
	    "1234567| \xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4| x|" "12\xc2\xbd\xe2"
	    "\x85\xa7" },
	{ "gpt2",
	    "e\xcc\x81te\xcc\x81 \xcc\x81" "A \xcc\x81" "a a\xe2\x80\x8d" ""
	    "b",
	    "e|\xcc\x81|te|\xcc\x81| \xcc\x81|" "A| \xcc\x81|" "a| a|\xe2"
	    "\x80\x8d|" "b" },
	{ "gpt2",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC ABCdef HTMLParser \xca\xb0" "Ab"
	    " A\xe6\xbc\xa2" "B\xe5\xad\x97" "c \xc7\x85ix",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC| ABCdef| HTMLParser| \xca\xb0"
	    "Ab| A\xe6\xbc\xa2" "B\xe5\xad\x97" "c| \xc7\x85ix" },
	{ "gpt2",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0 \xe1\xb2\x89\xe1\xb2\x8a \xf0"
	    "\xae\xaf\xb0 \xf0\x90\xb5\x80\xf0\x90\xb5\x81 x\xe0\xa2\x97y",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0| \xe1\xb2\x89\xe1\xb2\x8a| "
	    "\xf0\xae\xaf\xb0| \xf0\x90\xb5\x80\xf0\x90\xb5\x81| x|\xe0\xa2"
	    "\x97|y" },
	{ "gpt2",
	    "\n",
	    "\n" },
	{ "gpt2",
	    " ",
	    " " },
	{ "gpt2",
	    "a \n ",
	    "a| \n " },
	{ "gpt2",
	    "\xc2\x85\xe2\x80\xa8" "a \xe3\x80\x80" "b",
	    "\xc2\x85|\xe2\x80\xa8|" "a| |\xe3\x80\x80|" "b" },
	{ "gpt2",
	    "<|endoftext|>'s,'ll!'d",
	    "<|||" "endoftext|||>'|s|,'|ll|!'|" "d" },
	{ "llama3",
	    "I'M he'lloween DON\xe2\x80\x99T don't IT'S",
	    "I|'M| he|'ll|oween| DON|\xe2\x80\x99T| don|'t| IT|'S" },
	{ "llama3",
	    "a'\xc5\xbf" "b A'\xc5\xbf 'tis 'RE 're",
	    "a|'\xc5\xbf|" "b| A|'\xc5\xbf| '|tis| '|RE| '|re" },
	{ "llama3",
	    "(foo ((foo  (foo [x]=y//\r\n/z",
	    "(foo| ((|" "foo| | (|" "foo| [|x|]=|y|//\r\n|/z" },
	{ "llama3",
	    "one  two \n  three\t\tfour \r\n\n x\xc2\xa0 y  ",
	    "one| | two| \n| | three|\t|\tfour| \r\n\n| x|\xc2\xa0| y|  " },
	{ "llama3",
	    "1234567 \xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4 x12\xc2\xbd\xe2\x85"
	    "\xa7",
	    "123|" "456|" "7| |\xd9\xa1\xd9\xa2\xd9\xa3|\xd9\xa4| x|" "12"
	    "\xc2\xbd|\xe2\x85\xa7" },
	{ "llama3",
	    "e\xcc\x81te\xcc\x81 \xcc\x81" "A \xcc\x81" "a a\xe2\x80\x8d" ""
	    "b",
	    "e|\xcc\x81te|\xcc\x81| \xcc\x81|" "A| \xcc\x81|" "a| a|\xe2"
	    "\x80\x8d" "b" },
	{ "llama3",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC ABCdef HTMLParser \xca\xb0" "Ab"
	    " A\xe6\xbc\xa2" "B\xe5\xad\x97" "c \xc7\x85ix",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC| ABCdef| HTMLParser| \xca\xb0"
	    "Ab| A\xe6\xbc\xa2" "B\xe5\xad\x97" "c| \xc7\x85ix" },
	{ "llama3",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0 \xe1\xb2\x89\xe1\xb2\x8a \xf0"
	    "\xae\xaf\xb0 \xf0\x90\xb5\x80\xf0\x90\xb5\x81 x\xe0\xa2\x97y",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0| \xe1\xb2\x89\xe1\xb2\x8a| "
	    "\xf0\xae\xaf\xb0| |\xf0\x90\xb5\x80\xf0\x90\xb5\x81| x|\xe0"
	    "\xa2\x97y" },
	{ "llama3",
	    "\n",
	    "\n" },
	{ "llama3",
	    " ",
	    " " },
	{ "llama3",
	    "a \n ",
	    "a| \n| " },
	{ "llama3",
	    "\xc2\x85\xe2\x80\xa8" "a \xe3\x80\x80" "b",
	    "\xc2\x85|\xe2\x80\xa8" "a| |\xe3\x80\x80" "b" },
	{ "llama3",
	    "<|endoftext|>'s,'ll!'d",
	    "<|||" "endoftext|||>'|s|,'|ll|!'|" "d" },
	{ "qwen2",
	    "I'M he'lloween DON\xe2\x80\x99T don't IT'S",
	    "I|'M| he|'ll|oween| DON|\xe2\x80\x99T| don|'t| IT|'S" },
	{ "qwen2",
	    "a'\xc5\xbf" "b A'\xc5\xbf 'tis 'RE 're",
	    "a|'\xc5\xbf|" "b| A|'\xc5\xbf| '|tis| '|RE| '|re" },
	{ "qwen2",
	    "(foo ((foo  (foo [x]=y//\r\n/z",
	    "(foo| ((|" "foo| | (|" "foo| [|x|]=|y|//\r\n|/z" },
	{ "qwen2",
	    "one  two \n  three\t\tfour \r\n\n x\xc2\xa0 y  ",
	    "one| | two| \n| | three|\t|\tfour| \r\n\n| x|\xc2\xa0| y|  " },
	{ "qwen2",
	    "1234567 \xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4 x12\xc2\xbd\xe2\x85"
	    "\xa7",
	    "1|" "2|" "3|" "4|" "5|" "6|" "7| |\xd9\xa1|\xd9\xa2|\xd9\xa3|"
	    "\xd9\xa4| x|" "1|" "2|\xc2\xbd|\xe2\x85\xa7" },
	{ "qwen2",
	    "e\xcc\x81te\xcc\x81 \xcc\x81" "A \xcc\x81" "a a\xe2\x80\x8d" ""
	    "b",
	    "e|\xcc\x81te|\xcc\x81| \xcc\x81|" "A| \xcc\x81|" "a| a|\xe2"
	    "\x80\x8d" "b" },
	{ "qwen2",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC ABCdef HTMLParser \xca\xb0" "Ab"
	    " A\xe6\xbc\xa2" "B\xe5\xad\x97" "c \xc7\x85ix",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC| ABCdef| HTMLParser| \xca\xb0"
	    "Ab| A\xe6\xbc\xa2" "B\xe5\xad\x97" "c| \xc7\x85ix" },
	{ "qwen2",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0 \xe1\xb2\x89\xe1\xb2\x8a \xf0"
	    "\xae\xaf\xb0 \xf0\x90\xb5\x80\xf0\x90\xb5\x81 x\xe0\xa2\x97y",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0| \xe1\xb2\x89\xe1\xb2\x8a| "
	    "\xf0\xae\xaf\xb0| |\xf0\x90\xb5\x80|\xf0\x90\xb5\x81| x|\xe0"
	    "\xa2\x97y" },
	{ "qwen2",
	    "\n",
	    "\n" },
	{ "qwen2",
	    " ",
	    " " },
	{ "qwen2",
	    "a \n ",
	    "a| \n| " },
	{ "qwen2",
	    "\xc2\x85\xe2\x80\xa8" "a \xe3\x80\x80" "b",
	    "\xc2\x85|\xe2\x80\xa8" "a| |\xe3\x80\x80" "b" },
	{ "qwen2",
	    "<|endoftext|>'s,'ll!'d",
	    "<|||" "endoftext|||>'|s|,'|ll|!'|" "d" },
	{ "o200k",
	    "I'M he'lloween DON\xe2\x80\x99T don't IT'S",
	    "I'M| he'll|oween| DON|\xe2\x80\x99T| don't| IT'S" },
	{ "o200k",
	    "a'\xc5\xbf" "b A'\xc5\xbf 'tis 'RE 're",
	    "a'\xc5\xbf|" "b| A'\xc5\xbf| '|tis| '|RE| '|re" },
	{ "o200k",
	    "(foo ((foo  (foo [x]=y//\r\n/z",
	    "(foo| ((|" "foo| | (|" "foo| [|x|]=|y|//\r\n/|z" },
	{ "o200k",
	    "one  two \n  three\t\tfour \r\n\n x\xc2\xa0 y  ",
	    "one| | two| \n| | three|\t|\tfour| \r\n\n| x|\xc2\xa0| y|  " },
	{ "o200k",
	    "1234567 \xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4 x12\xc2\xbd\xe2\x85"
	    "\xa7",
	    "123|" "456|" "7| |\xd9\xa1\xd9\xa2\xd9\xa3|\xd9\xa4| x|" "12"
	    "\xc2\xbd|\xe2\x85\xa7" },
	{ "o200k",
	    "e\xcc\x81te\xcc\x81 \xcc\x81" "A \xcc\x81" "a a\xe2\x80\x8d" ""
	    "b",
	    "e\xcc\x81te\xcc\x81| \xcc\x81|" "A| \xcc\x81" "a| a|\xe2\x80"
	    "\x8d" "b" },
	{ "o200k",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC ABCdef HTMLParser \xca\xb0" "Ab"
	    " A\xe6\xbc\xa2" "B\xe5\xad\x97" "c \xc7\x85ix",
	    "\xe6\xbc\xa2\xe5\xad\x97|" "ABC| ABCdef| HTMLParser| \xca\xb0"
	    "Ab| A\xe6\xbc\xa2" "B\xe5\xad\x97" "c| \xc7\x85ix" },
	{ "o200k",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0 \xe1\xb2\x89\xe1\xb2\x8a \xf0"
	    "\xae\xaf\xb0 \xf0\x90\xb5\x80\xf0\x90\xb5\x81 x\xe0\xa2\x97y",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0| \xe1\xb2\x89\xe1\xb2\x8a| "
	    "\xf0\xae\xaf\xb0| |\xf0\x90\xb5\x80\xf0\x90\xb5\x81| x\xe0\xa2"
	    "\x97y" },
	{ "o200k",
	    "\n",
	    "\n" },
	{ "o200k",
	    " ",
	    " " },
	{ "o200k",
	    "a \n ",
	    "a| \n| " },
	{ "o200k",
	    "\xc2\x85\xe2\x80\xa8" "a \xe3\x80\x80" "b",
	    "\xc2\x85|\xe2\x80\xa8" "a| |\xe3\x80\x80" "b" },
	{ "o200k",
	    "<|endoftext|>'s,'ll!'d",
	    "<|||" "endoftext|||>'|s|,'|ll|!'|" "d" },
	{ "tekken",
	    "I'M he'lloween DON\xe2\x80\x99T don't IT'S",
	    "I|'M| he|'lloween| DON|\xe2\x80\x99T| don|'t| IT|'S" },
	{ "tekken",
	    "a'\xc5\xbf" "b A'\xc5\xbf 'tis 'RE 're",
	    "a|'\xc5\xbf" "b| A|'\xc5\xbf| '|tis| '|RE| '|re" },
	{ "tekken",
	    "(foo ((foo  (foo [x]=y//\r\n/z",
	    "(foo| ((|" "foo| | (|" "foo| [|x|]=|y|//\r\n/|z" },
	{ "tekken",
	    "one  two \n  three\t\tfour \r\n\n x\xc2\xa0 y  ",
	    "one| | two| \n| | three|\t|\tfour| \r\n\n| x|\xc2\xa0| y|  " },
	{ "tekken",
	    "1234567 \xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4 x12\xc2\xbd\xe2\x85"
	    "\xa7",
	    "1|" "2|" "3|" "4|" "5|" "6|" "7| |\xd9\xa1|\xd9\xa2|\xd9\xa3|"
	    "\xd9\xa4| x|" "1|" "2|\xc2\xbd|\xe2\x85\xa7" },
	{ "tekken",
	    "e\xcc\x81te\xcc\x81 \xcc\x81" "A \xcc\x81" "a a\xe2\x80\x8d" ""
	    "b",
	    "e\xcc\x81te\xcc\x81| \xcc\x81|" "A| \xcc\x81" "a| a|\xe2\x80"
	    "\x8d" "b" },
	{ "tekken",
	    "\xe6\xbc\xa2\xe5\xad\x97" "ABC ABCdef HTMLParser \xca\xb0" "Ab"
	    " A\xe6\xbc\xa2" "B\xe5\xad\x97" "c \xc7\x85ix",
	    "\xe6\xbc\xa2\xe5\xad\x97|" "ABC| ABCdef| HTMLParser| \xca\xb0"
	    "Ab| A\xe6\xbc\xa2" "B\xe5\xad\x97" "c| \xc7\x85ix" },
	{ "tekken",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0 \xe1\xb2\x89\xe1\xb2\x8a \xf0"
	    "\xae\xaf\xb0 \xf0\x90\xb5\x80\xf0\x90\xb5\x81 x\xe0\xa2\x97y",
	    "\xf0\x90\xb5\x90\xf0\x90\xb5\xb0| \xe1\xb2\x89\xe1\xb2\x8a| "
	    "\xf0\xae\xaf\xb0| |\xf0\x90\xb5\x80|\xf0\x90\xb5\x81| x\xe0"
	    "\xa2\x97y" },
	{ "tekken",
	    "\n",
	    "\n" },
	{ "tekken",
	    " ",
	    " " },
	{ "tekken",
	    "a \n ",
	    "a| \n| " },
	{ "tekken",
	    "\xc2\x85\xe2\x80\xa8" "a \xe3\x80\x80" "b",
	    "\xc2\x85|\xe2\x80\xa8" "a| |\xe3\x80\x80" "b" },
	{ "tekken",
	    "<|endoftext|>'s,'ll!'d",
	    "<|||" "endoftext|||>'|s|,'|ll|!'|" "d" },
	{ "cl100k", "a \n ", "a| \n " },
	{ "cl100k", "a \n b", "a| \n| b" },
	{ "cl100k", "1234 'LL x", "123|4| '|LL| x" },
};

static void
test_pieces(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(piece_cases); i++) {
		struct view v = view_of(piece_cases[i].in);
		struct buf *b = buf_new(a, 4096);
		size_t len;

		for (size_t at = 0; at < v.n; at += len) {
			len = bpe_piece(bpe_pattern(piece_cases[i].pattern),
			    v.p + at, v.n - at);
			if (at > 0)
				buf_char(b, '|');
			for (size_t k = at; k < at + len; k++) {
				buf_char(b, v.p[k]);
				if (v.p[k] == '|')
					buf_char(b, '|');
			}
		}
		tap_str(buf_cstr(b), piece_cases[i].want,
		    arena_printf(a, "%s: text %zu", piece_cases[i].pattern, i));
	}
}

static void
test_classes(struct arena *a)
{
	static const struct {
		unsigned class;
		int want;
	} counts[] = {			/* Unicode 16.0 */
		{ UTF8_UPPER, 1858 + 31 }, { UTF8_LOWER, 2258 },
		{ UTF8_LETTER, 404 + 136477 }, { UTF8_MARK, 2501 },
		{ UTF8_NUMBER, 1911 }, { UTF8_SPACE, 25 },
	};
	int n[64] = { 0 };

	for (uint32_t c = 0; c < 0x110000; c++)
		if (c < 0xd800 || c >= 0xe000)
			n[utf8_class(c) & 63]++;
	for (size_t i = 0; i < BASE_COUNT(counts); i++)
		tap(n[counts[i].class] == counts[i].want, "class %u has %d",
		    counts[i].class, counts[i].want);
	tap(view_is(utf8_nfc9(a, VIEW("\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0"
	    "e\xcc\x81")), "\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0\xc3\xa9"),
	    "what composes since 13.0 does not");
	tap(view_is(utf8_nfc9(a, VIEW("a\xe0\xa3\x8a\xcc\xa3")),
	    "a\xe0\xa3\x8a\xcc\xa3"), "a mark of 14.0 stays in its place");
	tap(view_is(utf8_nfc9(a, VIEW("a\xcc\x81\xcc\xa3")),
	    "\xe1\xba\xa1\xcc\x81"), "older marks do not");
}

#define PLAIN	"\"pre_tokenizer\":{\"type\":\"ByteLevel\"}"
#define BLANK	"\"pre_tokenizer\":{\"type\":\"ByteLevel\"," \
    "\"add_prefix_space\":true}"
#define CUT(regex)	"\"pre_tokenizer\":{\"type\":\"Sequence\"," \
    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex \
    "\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\"," \
    "\"add_prefix_space\":false,\"use_regex\":false}]}"
#define QWEN	CUT("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}" \
    "\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*" \
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+")
#define ADD(id, text, more)	"\"added_tokens\":[{\"id\":" id \
    ",\"content\":\"" text "\"," more "}],"
#define FREE	"\"special\":false,\"normalized\":false"

/*
 * Files of 256 bytes, "ab" 256, "abc" 257, "ABC" 258 and the rule a b; ids
 * above 255 are shown as numbers, bytes as they are.  err: what is said
 */
static const struct {
	const char *pipe, *model, *in, *want, *err;
} file_cases[] = {
	{ PLAIN, "", "xabc", "x<256>c", NULL },
	{ PLAIN, "", "ABC", "ABC", NULL },
	{ PLAIN, "\"ignore_merges\":true,", "ABC ABC", "<258> ABC", NULL },
	{ BLANK, "", "ab", " <256>", NULL },
	{ BLANK, "", " ab", " <256>", NULL },
	{ BLANK, "", "\tab", " \t<256>", NULL },
	{ BLANK, "", "", "", NULL },
	{ QWEN, "", "abab", "<256><256>", NULL },
	{ "\"normalizer\":{\"type\":\"NFC\"}," PLAIN, "", "e\xcc\x81",
	    "\xc3\xa9", NULL },
	{ "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]}," PLAIN,
	    "", "e\xcc\x81", "e\xcc\x81", NULL },
	{ ADD("259", "<x>", FREE) PLAIN, "", "a<x>b", "a<259>b", NULL },
	{ ADD("259", "<x>", FREE) BLANK, "", "a<x>b", " a<259> b", NULL },
	{ ADD("259", "<x>", "\"special\":true") PLAIN, "", "a<x>b", "a<x>b",
	    NULL },
	{ ADD("259", "<x>", FREE ",\"lstrip\":true") PLAIN, "",
	    "a \xe3\x80\x80<x> b", "a<259> b", NULL },
	{ ADD("259", "<x>", FREE ",\"rstrip\":true") PLAIN, "",
	    "a <x> \n<x>b", "a <259><259>b", NULL },
	{ "\"added_tokens\":[{\"id\":256,\"content\":\"ab\"," FREE "},"
	    "{\"id\":257,\"content\":\"abc\"," FREE "},{\"id\":259,"
	    "\"content\":\"bcd\"," FREE "}]," PLAIN, "", "abcdbcd",
	    "<257>d<259>", NULL },
	{ "\"added_tokens\":[{\"id\":259,\"content\":\"<s>x\",\"special\":true}"
	    ",{\"id\":260,\"content\":\"s>\"," FREE "}]," PLAIN, "",
	    "<s>x <s>", "<s>x <<260>", NULL },
	{ ADD("9", "<x>", FREE) PLAIN, "", NULL, NULL, "added token '<x>' has "
	    "id 9, where the library would count 259" },
	{ "\"added_tokens\":[{\"id\":259,\"content\":\"<x>\"," FREE "},"
	    "{\"id\":260,\"content\":\"<x>\"," FREE "}]," PLAIN, "", NULL,
	    NULL, "added token '<x>' is there twice" },
	{ ADD("259", "<x>", FREE ",\"single_word\":true") PLAIN, "", NULL,
	    NULL, "added token '<x>' is single_word, which is not read" },
	{ "\"normalizer\":{\"type\":\"NFKC\"}," PLAIN, "", NULL, NULL,
	    "its normalizer \"NFKC\" is not read: only NFC is" },
	{ CUT("\\\\w+"), "", NULL, NULL, "its pattern is not known: \\w+" },
	{ "\"pre_tokenizer\":{\"type\":\"Metaspace\"}", "", NULL, NULL,
	    "its pre-tokenizer \"Metaspace\" is not ByteLevel" },
	{ PLAIN, "\"dropout\":0.1,", NULL, NULL, "its BPE has dropout: ids "
	    "would be random" },
	{ PLAIN, "\"end_of_word_suffix\":\"</w>\",", NULL, NULL, "its BPE has "
	    "a subword prefix or suffix, which is not read" },
};

/* file_make - tokenizer.json around a case */
static struct view
file_make(struct arena *a, const char *pipe, const char *model)
{
	struct buf *b = buf_new(a, 1 << 20);
	char c[4];

	buf_printf(b, "{%s,\"model\":{\"type\":\"BPE\",%s\"vocab\":{", pipe,
	    model);
	for (unsigned i = 0; i < 256; i++) {
		buf_json(b, (struct view){ c,
		    utf8_put(bpe_byte_char((unsigned char)i), c) });
		buf_printf(b, ":%u,", i);
	}
	buf_str(b, "\"ab\":256,\"abc\":257,\"ABC\":258},\"merges\":[[\"a\","
	    "\"b\"]]}}");
	return buf_get(b);
}

static void
test_files(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(file_cases); i++) {
		struct buf *b = buf_new(a, 4096);
		struct tokenizer *t;
		struct err e = { 0 };
		uint32_t *ids;
		size_t n;

		/* what bpe.h refuses hf.h may read */
		if (file_cases[i].err != NULL) {
			tap_str(bpe_open(a, file_make(a, file_cases[i].pipe,
			    file_cases[i].model), &e) == NULL ? e.text :
			    "it was read", file_cases[i].err, "a file is "
			    "refused");
			continue;
		}
		t = tokenizer_open(a, file_make(a, file_cases[i].pipe,
		    file_cases[i].model), &e);
		if (t == NULL || file_cases[i].err != NULL) {
			tap_str(t == NULL ? e.text : "it was read",
			    file_cases[i].err != NULL ? file_cases[i].err :
			    "it is read", "a file is refused");
			continue;
		}
		n = tokenizer_encode(t, a, view_of(file_cases[i].in), &ids);
		for (size_t k = 0; k < n; k++)
			if (ids[k] < 256)
				buf_char(b, (char)ids[k]);
			else
				buf_printf(b, "<%u>", ids[k]);
		tap_str(buf_cstr(b), file_cases[i].want,
		    arena_printf(a, "file %zu", i));
	}
}

static const struct {
	const char *in, *err;
} rank_cases[] = {
	{ "YQ== 0\n*** 1\n", "line 2: no token in base64 and its rank" },
	{ "YQ== 0\n\nYg==\n", "line 3: no token in base64 and its rank" },
	{ "YQ== -1\n", "line 1: no token in base64 and its rank" },
	{ "YQ= 0\n", "line 1: no token in base64 and its rank" },
	{ "YR== 0\n", "line 1: no token in base64 and its rank" },
	{ "YQ== 0\n=== 1\n", "line 2: no token in base64 and its rank" },
	{ "YQ== 0\n==== 1\n", "line 2: no token in base64 and its rank" },
	{ "YQ== 0\r\nYg== 0\r\n", "line 2: rank 0 is taken or too large" },
	{ "YQ== 99999999\n", "line 1: rank 99999999 is taken or too large" },
	{ "YQ== 0\nYQ== 1\n", "tokens 0 and 1 are the same" },
	{ "YQ== 0\nYg== 1\n", "the vocabulary lacks byte 0: no byte-level "
	    "vocabulary" },
	{ "# patern a\nYQ== 0\n", "line 1: neither '# pattern REGEX' nor "
	    "'# special ID TOKEN'" },
	{ "# special x\nYQ== 0\n", "line 1: neither '# pattern REGEX' nor "
	    "'# special ID TOKEN'" },
	{ "YQ== 0\n# pattern a\n", "line 2: no token in base64 and its rank" },
	{ "# pattern cl10k\nYQ== 0\n", "line 1: 'cl10k' is no expression, and "
	    "no name of one: gpt2, llama3, cl100k, qwen2, o200k and tekken "
	    "are" },
	{ "# special 5 x\n", "a rank file without a token" },
	{ "# pattern (a\nYQ== 0\n", "line 1: its pattern '(a': a group is not "
	    "closed" },
	{ "# pattern (?m)^a\nYQ== 0\n", "line 1: its pattern '(?m)^a': the "
	    "group (?m)^a is not read" },
	{ "# pattern [[:alpha:]]\nYQ== 0\n", "line 1: its pattern "
	    "'[[:alpha:]]': the class [:alpha:] is not read" },
	{ "# pattern [a--b]\nYQ== 0\n", "line 1: its pattern '[a--b]': the "
	    "class operation -- is not read" },
};

static void
test_ranks(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(rank_cases); i++) {
		struct err e = { 0 };

		tap_str(tokenizer_open(a, view_of(rank_cases[i].in), &e) ==
		    NULL ? e.text : "it was read", rank_cases[i].err,
		    "a rank file is refused");
	}
}

/* rank files of 256 bytes, "ab" 256 and "abc" 257, after head lines */
static const struct {
	const char *head, *in, *want;
} head_cases[] = {
	{ "# pattern gpt2\n", "ab abc x", "<256> <257> x" },
	{ "# pattern [ab]+|c\n", "abc ab", "<256>c<256>" },
	{ "# pattern .{1,2}+\r\n", "abc", "<256>c" },
	{ "# pattern \\w+$|\\W\n", "ab\nab", "\n<256>" },
	{ "# pattern (?s).b\n", "ab\nb", "<256>\nb" },
	{ "# pattern x*\n", "xabx", "xx" },
	{ "# special 300 <|endoftext|>\n# pattern .\n", "ab<|endoftext|>",
	    "ab<|endoftext|>" },
	{ "# pattern [\\w&&[^b]]+|b\n", "a\xcc\x81" "b", "a\xcc\x81" "b" },
};

/* base64 of up to three bytes, which is all that is needed here */
static void
put_rank(struct buf *b, const char *p, size_t n, unsigned rank)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
	    "klmnopqrstuvwxyz0123456789+/";
	uint32_t x = 0;

	for (size_t i = 0; i < 3; i++)
		x = x << 8 | (i < n ? (unsigned char)p[i] : 0);
	for (size_t i = 0; i < 4; i++)
		buf_char(b, i > n ? '=' : digit[x >> (18 - 6 * i) & 63]);
	buf_printf(b, " %u\n", rank);
}

static void
test_heads(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(head_cases); i++) {
		struct buf *file = buf_new(a, 1 << 16), *b = buf_new(a, 4096);
		struct err e = { 0 };
		struct tokenizer *t;
		uint32_t *ids;
		size_t n;

		buf_str(file, head_cases[i].head);
		for (unsigned k = 0; k < 256; k++) {
			char c = (char)k;

			put_rank(file, &c, 1, k);
		}
		put_rank(file, "ab", 2, 256);
		put_rank(file, "abc", 3, 257);
		t = tokenizer_open(a, buf_get(file), &e);
		if (t == NULL) {
			tap(false, "%s: %s", head_cases[i].head, e.text);
			continue;
		}
		n = tokenizer_encode(t, a, view_of(head_cases[i].in), &ids);
		for (size_t k = 0; k < n; k++)
			if (ids[k] < 256)
				buf_char(b, (char)ids[k]);
			else
				buf_printf(b, "<%u>", ids[k]);
		tap_str(buf_cstr(b), head_cases[i].want, "a rank file that "
		    "says its pattern");
		tap(t->end == (strstr(head_cases[i].head, "300") == NULL ? -1 :
		    300), "and its special token, if it has one");
	}
}

/* published ids: the model's name in the collection, the file that it has */
static const struct {
	const char *model, *file;
} golden[] = {
	{ "EleutherAI/gpt-j-6b", "hf/gpt2.json" },
	{ "EleutherAI/gpt-neo-1.3B", "hf/gpt2.json" },
	{ "distilbert/distilgpt2", "hf/gpt2.json" },
	{ "EleutherAI/gpt-neox-20b", "hf/gpt_neox.json" },
	{ "EleutherAI/pythia-1.4b", "hf/gpt_neox.json" },
	{ "EleutherAI/pythia-6.9b", "hf/gpt_neox.json" },
	{ "FacebookAI/roberta-base", "hf/roberta-base.json" },
	{ "FacebookAI/roberta-large", "hf/roberta-base.json" },
	{ "microsoft/codebert-base", "hf/roberta-base.json" },
	{ "allenai/longformer-base-4096", "hf/roberta-base.json" },
	{ "allenai/biomed_roberta_base", "hf/roberta-base.json" },
	{ "sentence-transformers/stsb-roberta-base-v2",
	    "hf/roberta-base.json" },
	{ "studio-ousia/luke-base", "hf/roberta-base.json" },
	{ "NousResearch/Meta-Llama-3-8B", "hf/llama-3.2.json" },
	{ "NousResearch/Meta-Llama-3.1-8B", "hf/llama-3.2.json" },
	{ "unsloth/Llama-3.2-3B", "hf/llama-3.2.json" },
	{ "Qwen/Qwen2-7B", "hf/qwen2.5.json" },
	{ "Qwen/Qwen2.5-3B-Instruct", "hf/qwen2.5.json" },
	{ "Qwen/Qwen2.5-7B", "hf/qwen2.5.json" },
	{ "openai/whisper-tiny", "hf/whisper.tiny.json" },
	{ "openai/whisper-base", "hf/whisper.tiny.json" },
	{ "openai/whisper-large", "hf/whisper.tiny.json" },
	{ "openai/whisper-large-v2", "hf/whisper.tiny.json" },
	{ "tiktoken/cl100k_base", "tiktoken/cl100k_base.tiktoken" },
	{ "tiktoken/r50k_base", "tiktoken/r50k_base.tiktoken" },
};

/* special_is - is an id that of a special token of the file, or does the text
 * hold one */
static bool
special_is(struct arena *a, struct view file, int64_t id, struct view text)
{
	struct json_iter it;
	struct view list, one, v;
	int64_t x;
	bool on;

	if (file.p[0] != '{')
		return memmem(text.p, text.n, "<|endoftext|>", 13) != NULL;
	if (!json_get(file, "added_tokens", &list) ||
	    !json_open(&it, list, '['))
		return false;
	while (json_element(&it, &one)) {
		if (!json_get(one, "special", &v) || !json_bool(v, &on) || !on)
			continue;
		if (json_get(one, "id", &v) && json_integer(v, &x) && x == id)
			return true;
		if (json_get(one, "content", &v) && json_string(a, v, &v) &&
		    memmem(text.p, text.n, v.p, v.n) != NULL)
			return true;
	}
	return false;
}

/* golden_one - one text with its ids, those of special tokens around it left
 * out; 1: it holds a special token, which stays text here on purpose */
static int
golden_one(struct arena *a, const struct tokenizer *t, struct view file,
    struct view test)
{
	static const struct view none = { "", 0 };
	struct view raw, text, v;
	struct json_iter it;
	uint32_t *ids;
	size_t n, k = 0;
	int64_t id;

	if (!json_get(test, "input", &raw) || !json_string(a, raw, &text) ||
	    !json_get(test, "golden_ids", &raw) || !json_open(&it, raw, '['))
		return -1;
	if (special_is(a, file, -1, text))
		return 1;
	n = tokenizer_encode(t, a, text, &ids);
	while (json_element(&it, &v)) {
		if (!json_integer(v, &id))
			return -1;
		if (k < n && ids[k] == id)
			k++;
		else if (!special_is(a, file, id, none))
			return -1;
	}
	return k == n ? 0 : -1;
}

/* golden_model - all texts of one model */
static void
golden_model(struct arena *a, int dir, struct view tests, const char *model,
    const char *name)
{
	struct tokenizer *t;
	struct json_iter it;
	struct view file, test;
	int good = 0, bad = 0, special = 0, rc;
	struct err e;

	if (!file_exists(dir, name) || file_read(a, dir, name, TOKENIZER_MAX,
	    &file, &e) == -1) {
		tap(true, "%s # SKIP no file '%s'", model, name);
		return;
	}
	t = tokenizer_open(a, file, &e);
	if (t == NULL || !json_open(&it, tests, '[')) {
		tap(false, "%s: %s", model, e.text);
		return;
	}
	while (json_element(&it, &test)) {
		rc = golden_one(a, t, file, test);
		good += rc == 0;
		special += rc == 1;
		if (rc == -1) {
			printf("# %.*s\n", test.n < 300 ? (int)test.n : 300,
			    test.p);
			bad++;
		}
	}
	tap(bad == 0 && good > 0, "%s: %d published texts, and %d with special "
	    "tokens in them", model, good, special);
}

static void
test_golden(struct arena *a)
{
	const char *data = getenv("QUERN_TEST_DATA");
	struct view json, root, models, one, tests;
	struct err e;
	int dir = data == NULL ? -1 : open(arena_printf(a, "%s/tokenizers",
	    data), O_RDONLY | O_DIRECTORY);

	if (dir == -1 || file_read(a, dir, "vectors/golden_ids.json",
	    TOKENIZER_MAX, &json, &e) == -1 ||
	    json_value(json, &root, &e) == -1 ||
	    !json_get(root, "models", &models)) {
		tap(true, "published ids # SKIP QUERN_TEST_DATA does not name "
		    "a folder with test data");
		return;
	}
	for (size_t i = 0; i < BASE_COUNT(golden); i++)
		if (json_get(models, golden[i].model, &one) &&
		    json_get(one, "tests", &tests))
			golden_model(a, dir, tests, golden[i].model,
			    golden[i].file);
		else
			tap(false, "%s has no texts", golden[i].model);
	close(dir);
}

int
main(void)
{
	struct arena *a = arena_new();

	test_pieces(a);
	test_classes(a);
	test_files(a);
	test_ranks(a);
	test_heads(a);
	test_golden(a);
	arena_free(a);
	return tap_done();
}
