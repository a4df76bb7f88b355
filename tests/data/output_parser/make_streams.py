#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Composes outputs of a model with their right values.

Usage: make_streams.py > streams.jsonl

Each stream is put together from parts whose meaning is known - reasoning, answer, calls and what departs from the form - so the right value
follows from how it was composed and not from any parser. The first line holds the tools; every other line is one stream:
  s  the stream        t  true: the prompt opened the think block        o  false: no tools were offered
  r  reasoning  a  answer  closed  whether the reasoning was closed
  c  calls: [name, known, complete, recovery, arguments], an argument as [name, text, value, conversion, complete, recovery]
"""
import json

TOOLS = [
    {"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {
        "query": {"type": "string"}, "limit": {"type": "integer"}, "safe": {"type": "boolean"}, "ratio": {"type": "number"},
        "filter": {"type": "object"}, "tags": {"type": "array"}, "note": {"type": ["string", "null"]}}}}},
    {"name": "write", "parameters": {"properties": {"path": {"type": "string"}, "content": {"type": "string"}}}},
    {"name": "now"},
    {"name": "book", "parameters": {"properties": {"day": {"type": "integer"}, "hour": {"type": "integer"}}, "required": ["day", "hour"]}}]
KNOWN = {"search", "write", "now", "book"}
ORDER = ["inside_thinking", "withdrawn", "missing_open", "missing_close", "loose_name", "json_call", "json_arguments", "arguments_as_text",
         "code_fence", "python_literal", "control_characters", "letter_case", "extra_close", "loose_scalar",
         "stray_text", "extra_open", "parameter_tag", "behind_open_value", "missing_argument"]
BLANKS = " \t\n\v\f\r"


def names(*groups):
    """Recoveries in one text, each once, in the library's order."""
    given = {name for group in groups for name in group.split(", ") if name}
    assert given <= set(ORDER), given
    return ", ".join(name for name in ORDER if name in given)


class Arg:
    def __init__(self, name, text, value=None, conversion="text", recovery=""):
        self.name, self.text, self.conversion, self.recovery = name, text, conversion, recovery
        self.value = text if value is None and conversion in ("text", "failed", "untyped") else value

    def tags(self):
        return "<parameter=%s>\n%s\n</parameter>\n" % (self.name, self.text)


class Call:
    def __init__(self, name, *arguments):
        self.name, self.arguments = name, arguments

    def tags(self):
        """As the chat template writes it."""
        return "<tool_call>\n<function=%s>\n%s</function>\n</tool_call>" % (self.name, "".join(a.tags() for a in self.arguments))

    def object(self):
        return {a.name: a.value for a in self.arguments}

    def expected(self, recovery="", complete=True, whole=None, arguments_complete=True):
        """The right value; of `whole` arguments only, if given."""
        arguments = [[a.name, a.text, a.value, a.conversion, arguments_complete, names(a.recovery)] for a in self.arguments[:whole]]
        own = [a.recovery for a in self.arguments[:whole]]
        return [self.name, self.name in KNOWN, complete, names(recovery, *own), arguments]


RED = Call("search", Arg("query", "red"), Arg("limit", "3", 3, "converted"))
NOW = Call("now")
WRITE = Call("write", Arg("path", "a.txt"), Arg("content", "one\n\ntwo  "))
OTHER = Call("other", Arg("x", "1", None, "untyped"))
BOOK = [Call("book", *[Arg(name, str(i + 1), i + 1, "converted") for i, name in enumerate(["day", "hour"][:n])]) for n in (1, 2)]
CALLS = [RED, NOW, WRITE, OTHER]

streams = []


def add(stream, thinking, calls=(), reasoning="", answer="", closed=True, tools=True):
    streams.append({"s": stream, "t": thinking, "o": tools, "r": reasoning, "a": answer, "closed": closed, "c": list(calls)})


def behind_thinking(text):
    """An answer as it is told behind a think block or a call."""
    return text.strip(BLANKS)


# How the reasoning may be closed: (stream, reasoning).
CLOSED = [("plan\n</think>\n\n", "plan"), ("\n plan </think>", "plan"), ("</think>\n\n", ""), ("a\n\nb < c\n</think>\n", "a\n\nb < c"),
          ("<think>\nplan\n</think>\n\n", "plan"), ("plan\n</think>\n\n</think>\n\n", "plan"), ("plan</think></think></think>", "plan"),
          ("plan <tool_call> or <function=now> or </tool_call>\n</think>\n\n", "plan <tool_call> or <function=now> or </tool_call>"),
          ("é 日本 </thin\n</think>\n\n", "é 日本 </thin")]

# 1. Reasoning, then an answer without calls; a later </think> never shows.
ANSWERS = [("Hello.", "Hello."), ("", ""), ("a < b </parameter> {x}\n", "a < b </parameter> {x}"), ("Hel</think>lo.", "Hello."),
           ("One.\n</think>\n\nTwo.</think>", "One.\n\n\nTwo."), ("Use <tool_call> and <function=now>.", "Use <tool_call> and <function=now>."),
           ('```json\n{"a": [1, 2]}\n```', '```json\n{"a": [1, 2]}\n```'), ('{"name": "now", "arguments": {}}', '{"name": "now", "arguments": {}}')]
for opened, reasoning in CLOSED:
    for written, answer in ANSWERS:
        add(opened + written, True, [], reasoning, answer)
for written in ["Hello.", " \n Hello.", "The tags <think> and </think> are text.", "a <tool_call> b", "<function=unknown>\n</function>"]:
    add(written, False, [], "", written)
for written in ["plan", "plan\n", "\n plan </thin", "plan <tool_call> of nothing"]:
    add(written, True, [], written.strip(BLANKS), "", closed=False)

# 2. Calls that the model only thought about.
HALF = "<tool_call>\n<function=search>\n<parameter=query>\nre"
DRAFTS = [RED.tags(), NOW.tags() + "\n" + RED.tags(), HALF, "<tool_call>\n<function=sea", "<tool_call>\n<function=search>\n", "<tool_call>",
          "<function=now>\n</function>", HALF + "d\n</parameter>\n", '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
          '<tool_call>{"name": "search", "arguments": {"que', RED.tags() + "\nno, rather " + NOW.tags() + " or so",
          "<tool_call>\n```json\n[", "<tool_call>\n<function=write>\n<parameter=content>\n<tool_call>\n<function=now>\n"]
for draft in DRAFTS:
    for before, after in [("", ""), ("I could call\n", "\nBut no.")]:
        reasoning = behind_thinking(before + draft + after)
        add(before + draft + after + "\n</think>\n\nThe answer.", True, [], reasoning, "The answer.")
        add(before + draft + after + "</think>" + RED.tags(), True, [RED.expected()], reasoning, "")
        add("<think>" + before + draft + after + "</think>\n\nSo: 4.\n", False, [], reasoning, "So: 4.")

# 3. Calls in a reasoning that is never closed are real, and end it.
INSIDE = "inside_thinking"
for before in ["", "I should look.\n"]:
    for end in ["", "\n", "<|im_end|>", "\n<|im_end|>\n"]:
        for call in CALLS:
            add(before + call.tags() + end, True, [call.expected(INSIDE)], before.strip(BLANKS), "")
        add(before + NOW.tags() + "\n" + RED.tags() + end, True, [NOW.expected(INSIDE), RED.expected(INSIDE)], before.strip(BLANKS), "")
    add(before + '<tool_call>{"name": "now", "arguments": {}}</tool_call>', True, [NOW.expected(INSIDE + ", json_call")], before.strip(BLANKS), "")
    add(before + RED.tags() + "\nDone.", True, [RED.expected(INSIDE)], before.strip(BLANKS), "Done.")
add('maybe <tool_call>{"name": "other"}</tool_call>', True, [], 'maybe <tool_call>{"name": "other"}</tool_call>', "", closed=False)

# 4. Calls in the answer, in the template's form.
MODES = [(True, "plan\n</think>\n\n", "plan"), (True, "plan</think>\n</think>\n\n", "plan"), (False, "", ""), (False, "<think>\nplan\n</think>\n\n", "plan")]
for thinking, opened, reasoning in MODES:
    for calls in [[RED], [WRITE, NOW], [NOW, NOW, RED], [OTHER]]:
        text = "\n".join(call.tags() for call in calls)
        expected = [call.expected() for call in calls]
        add(opened + text, thinking, expected, reasoning, "")
        add(opened + "Let me look.\n\n" + text + "\n", thinking, expected, reasoning, "Let me look.")
        add(opened + text + "\n\nDone.", thinking, expected, reasoning, "Done.")
        add(opened + "One." + text + "Two." + "<|im_end|>", thinking, expected, reasoning, "One." + "\n" * (len(calls) - 1) + "Two.")

# 5. A </think> behind calls of the answer: they were drafts after all.
for calls in [[RED], [NOW, WRITE]]:
    text = "\n".join(call.tags() for call in calls)
    expected = [call.expected("withdrawn", complete=False) for call in calls]
    for thinking, opened, reasoning in MODES:
        add(opened + text + "\n</think>\n\nThe answer.", thinking, expected, reasoning, "The answer.")
        add(opened + text + "</think>" + RED.tags(), thinking, expected + [RED.expected()], reasoning, "")
        add(opened + text + "\n" + HALF + "</think>", thinking,
            expected + [["search", True, False, "withdrawn", [["query", "re</think>", "re</think>", "failed", False, ""]]]], reasoning, "")
        add(opened + text + "\n<tool_call>\n<function=now>\n</think>Well.", thinking, expected + [NOW.expected("withdrawn", complete=False)],
            reasoning, "Well.")

# 6. Values that hold tags. A call quoted in a value stays in it; a tag that stands alone is text.
QUOTED = [RED.tags(), "See:\n" + NOW.tags() + "\nand\n" + RED.tags() + "\nThat is all.", "<function=x>\n<parameter=a>\n1\n</parameter>\n</function>",
          "<parameter=a>\n1\n</parameter>\n<parameter=b>\n2\n</parameter>", "<tool_call>\n<function=now>\n</function>\n</tool_call>",
          '<tool_call>\n{"name": "now"}\n</tool_call>', "a </parameter> b", "a </function> b\n</tool_call> c", "<tool_call>", "<parameter=zzz>",
          "<function=now>", "<think>\nhm\n</think>\n", "<tool_call>\n<function=now>\n", "if (a < b && c > d) { </b> }", "</parameter", "</", "<",
          "<tool_call>\n<function=write>\n<parameter=content>\n" + RED.tags() + "\n</parameter>\n</function>\n</tool_call>", "```\n" + RED.tags() + "\n```"]
for quoted in QUOTED:
    content = Arg("content", quoted)
    for thinking, opened, reasoning in MODES[1:3]:
        for call in [Call("write", content), Call("write", content, Arg("path", "x.md")), Call("write", Arg("path", "x.md"), content)]:
            add(opened + call.tags(), thinking, [call.expected()], reasoning, "")
        call = Call("write", content)
        add(opened + call.tags() + "\n" + RED.tags() + "\nDone.", thinking, [call.expected(), RED.expected()], reasoning, "Done.")

# 7. Calls as JSON, for offered tools.
DATA = {"query": "red", "limit": 3}
JSONS = [({"name": "search", "arguments": DATA}, [RED], ""), ({"name": "search", "parameters": DATA}, [RED], ""),
         ({"arguments": DATA, "name": "search"}, [RED], ""), ({"name": "search", "arguments": json.dumps(DATA)}, [RED], "arguments_as_text"),
         ({"type": "function", "function": {"name": "search", "arguments": DATA}}, [RED], ""), ({"name": "now"}, [NOW], ""),
         ([{"name": "now", "arguments": {}}, {"name": "search", "arguments": DATA}], [NOW, RED], "")]
# (before, behind, recovery)
WRAPPERS = [("<tool_call>\n", "\n</tool_call>", ""), ("<tool_call>", "</tool_call>", ""), ("<tool_call>\n", "\n", "missing_close"),
            ("<tool_call>\n```json\n", "\n```\n</tool_call>", "code_fence"), ("<tool_call>```", "```</tool_call>", "code_fence"),
            ("```json\n<tool_call>\n", "\n</tool_call>\n```", "code_fence"), ("```json\n", "\n```", "code_fence, missing_open"),
            ("```\n", "\n```\n", "code_fence, missing_open")]
for value, calls, recovery in JSONS:
    for before, behind, more in WRAPPERS:
        expected = [call.expected(names("json_call", recovery, more)) for call in calls]
        for indent in [None, 2]:
            text = before + json.dumps(value, indent=indent) + behind
            add("plan\n</think>\n\n" + text, True, expected, "plan", "")
        add(text, False, expected, "", "")
    tagged = "<tool_call>" + json.dumps(value) + "</tool_call>"
    expected = [call.expected(names("json_call", recovery)) for call in calls]
    add("Let me look.\n" + tagged + "\n" + NOW.tags() + "\nDone.", False, expected + [NOW.expected()], "", "Let me look.\n\n\nDone.")
PYTHON = "<tool_call>\n{'name': 'search', 'arguments': {'query': \"it's\", 'safe': True, 'note': None}}\n</tool_call>"
add(PYTHON, False, [Call("search", Arg("query", "it's"), Arg("safe", "true", True, "converted"), Arg("note", "null", None, "converted")).expected(
    "json_call, python_literal")])
add('<tool_call>\n{"name": "write", "arguments": {"content": "a\n\tb"}}\n</tool_call>', False,
    [Call("write", Arg("content", "a\n\tb")).expected("json_call, control_characters")])
add('<tool_call>\n{"name": "search", "arguments": {"query": "red", "limit": 3}\n</tool_call>', False, [RED.expected("json_call, missing_close")])
add('<tool_call>\n{"name": "search", "arguments": {"query": "</tool_call> <", "limit": 3}}\n</tool_call>', False,
    [Call("search", Arg("query", "</tool_call> <"), RED.arguments[1]).expected("json_call")])
ONE, TWO = json.dumps({"name": "search", "arguments": DATA}), json.dumps({"name": "now", "arguments": {}})
for behind in ["}", "}}\n", "]", "\n</function>", "}\n</function>"]:
    add("<tool_call>\n" + ONE + behind + "\n</tool_call>", False, [RED.expected("json_call, extra_close")])
    add("plan</think><tool_call>\n" + ONE + behind + "\n</tool_call>\n" + NOW.tags(), True, [RED.expected("json_call, extra_close"), NOW.expected()], "plan")
for between in ["", "\n", "\n\n  "]:
    both = ONE + between + TWO
    for before, behind, more in WRAPPERS[:6]:
        add(before + both + behind, False, [RED.expected(names("json_call", more)), NOW.expected(names("json_call", more))])
    add("<tool_call>\n" + both + between + ONE + "\n</tool_call>Done.", False, [call.expected("json_call") for call in (RED, NOW, RED)], "", "Done.")
    add("<tool_call>\n" + both + between + '{"na', False, [call.expected("json_call", complete=False, arguments_complete=False) for call in (RED, NOW)])
    add("<tool_call>\n" + both + between + '{"colour": 1}\n</tool_call>', False, [], "",
        "<tool_call>\n" + both + between + '{"colour": 1}\n</tool_call>')
BIG = "18446744073709551616"
add('<tool_call>{"name": "search", "arguments": {"limit": %s, "ratio": 1e16}}</tool_call>' % BIG, False,
    [Call("search", Arg("limit", BIG, int(BIG), "converted"), Arg("ratio", "1e+16", 1e16, "converted")).expected("json_call")])
# What looks like one and is text.
for text in ['<tool_call>{"name": "other", "arguments": {}}</tool_call>', '<tool_call>{"colour": "red"}</tool_call>', "<tool_call>[1, 2]</tool_call>",
             '<tool_call>{"name": "now", "arguments": {}} and so on', '<tool_call>{"name": now}</tool_call>', "<tool_call>{</tool_call>",
             '```json\n{"name": "now", "arguments": {}}\n```\nis how it is called.', 'So:\n```json\n{"name": "now", "arguments": {}}\n```',
             '```json\n{"colour": "red"}\n```', '{"name": "now", "arguments": {}}', '```json\n{"name": "now", "arguments": {}}']:
    add(text, False, [], "", text)
    add("plan\n</think>\n\n" + text, True, [], "plan", text)
for value, calls, recovery in JSONS:
    text = "<tool_call>\n" + json.dumps(value) + "\n</tool_call>"
    add(text, False, [], "", text, tools=False)

# 8. How values are read: (parameter, as written, value, conversion, recovery).
VALUES = [("limit", "7", 7, "converted", ""), ("limit", " -7\n", -7, "converted", ""), ("limit", "7.0", 7, "converted", ""),
          ("limit", BIG, int(BIG), "converted", ""), ("limit", "-" + BIG, -int(BIG), "converted", ""), ("limit", "seven", "seven", "failed", ""),
          ("limit", "7.5", "7.5", "failed", ""), ("ratio", "1e16", 1e16, "converted", ""), ("ratio", "0.00001", 1e-05, "converted", ""),
          ("ratio", "3", 3, "converted", ""), ("safe", "true", True, "converted", ""), ("safe", "True", True, "converted", ""),
          ("safe", "TRUE", True, "converted", "letter_case"), ("safe", "false", False, "converted", ""), ("safe", "False", False, "converted", ""),
          ("safe", "FALSE", False, "converted", "letter_case"), ("safe", "yes", "yes", "failed", ""), ("note", "None", None, "converted", ""),
          ("note", "null", None, "converted", ""), ("note", "NULL", None, "converted", "letter_case"), ("note", "nothing", "nothing", "text", ""),
          ("query", "7", "7", "text", ""), ("query", "True", "True", "text", ""), ("query", " a\n\n", " a\n\n", "text", ""),
          ("query", "{'a': 1}", "{'a': 1}", "text", ""), ("free", "7", "7", "untyped", ""), ("filter", '{"a": {"b": [1, null]}}', None, "converted", ""),
          ("filter", "{'a': {'b': [1, None]}}", {"a": {"b": [1, None]}}, "converted", "python_literal"),
          ("filter", "{'a': \"it's\", \"b\": 'say \"x\"'}", {"a": "it's", "b": 'say "x"'}, "converted", "python_literal"),
          ("filter", '{"a": True, "b": FALSE, "c": None}', {"a": True, "b": False, "c": None}, "converted", "python_literal"),
          ("filter", '{"a": "x\ny\tz"}', {"a": "x\ny\tz"}, "converted", "control_characters"),
          ("filter", "{'a': 'x\ny'}", {"a": "x\ny"}, "converted", "control_characters, python_literal"),
          ("filter", "{'p': '\\d+ \\'q\\' \\x41'}", {"p": "\\d+ 'q' A"}, "converted", "python_literal"),
          ("filter", "{'a': 1", "{'a': 1", "failed", ""), ("filter", "[1]", "[1]", "failed", ""), ("filter", "a: 1", "a: 1", "failed", ""),
          ("tags", "['a', \"b\", ['c', ('d', 1)]]", ["a", "b", ["c", ["d", 1]]], "converted", "python_literal"),
          ("limit", "007", 7, "converted", "loose_scalar"), ("limit", "(7)", 7, "converted", "python_literal"),
          ("ratio", "-.5", -0.5, "converted", "loose_scalar"), ("safe", "0", False, "converted", "loose_scalar"),
          ("tags", "[(1), (2,), ((3)), ()]", [1, [2], 3, []], "converted", "python_literal"),
          ("tags", "('a', 'b')", ["a", "b"], "converted", "python_literal"), ("tags", "('a')", "('a')", "failed", ""),
          ("tags", "[1, 2,]", [1, 2], "converted", "python_literal"), ("tags", "[]", [], "converted", ""), ("tags", "a, b", "a, b", "failed", ""),
          ("tags", '["<tool_call>", "</parameter"]', ["<tool_call>", "</parameter"], "converted", ""),
          ("tags", "[%s, 1e16]" % BIG, [int(BIG), 1e16], "converted", "")]
for parameter, written, value, conversion, recovery in VALUES:
    value = json.loads(written) if value is None and parameter == "filter" else value
    argument = Arg(parameter, written, value, conversion, recovery)
    argument.value = value
    call = Call("search", argument)
    add("plan</think>\n" + call.tags(), True, [call.expected()], "plan", "")
    add("hm\n" + call.tags(), True, [call.expected(INSIDE)], "hm", "")
    if not written.endswith("\n") and not written.startswith(" "):
        add("<tool_call><function=search><parameter=%s>%s</parameter></function></tool_call>" % (parameter, written), False, [call.expected()])

# 9. Tags that are missing or written otherwise: (stream, calls).
Q, L = RED.arguments[0].tags(), RED.arguments[1].tags()
closeless = Call("search", Arg("query", "red"), Arg("limit", "3", 3, "converted", "missing_close"))
first_closeless = Call("search", Arg("query", "red", None, "text", "missing_close"), RED.arguments[1])
loose = Call("search", Arg("query", "red", None, "text", "loose_name"), Arg("limit", "3", 3, "converted", "loose_name"))
own_tags = Call("search", Arg("query", "red", None, "text", "parameter_tag"), Arg("limit", "3", 3, "converted", "parameter_tag"))
open_value = Call("search", Arg("query", "red", None, "text", "missing_close"))
named_first = Call("search", Arg("query", "red", None, "text", "loose_name"), RED.arguments[1])
Q_ONLY, Q_NAMED = Call("search", RED.arguments[0]), Call("search", named_first.arguments[0])
BOOKLESS = Call("book")
BEHIND = "behind_open_value"
LOOSE = [("<tool_call>\n<function=search>\n" + Q + L + "</function>", [RED.expected("missing_close")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "</tool_call>", [RED.expected("missing_close")]),
         ("<tool_call>\n<function=search>\n" + Q + "<parameter=limit>\n3\n</function>\n</tool_call>", [closeless.expected()]),
         ("<tool_call>\n<function=search>\n" + Q + "<parameter=limit>\n3\n</tool_call>", [closeless.expected()]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n" + L + "</function>\n</tool_call>", [first_closeless.expected()]),
         ("<function=search>\n" + Q + L + "</function>\n</tool_call>", [RED.expected("missing_open")]),
         ("<function=search>\n" + Q + L + "</function>", [RED.expected("missing_open")]),
         ("<tool_call>\n<function=\"search\">\n" + Q + L + "</function>\n</tool_call>", [RED.expected("loose_name")]),
         ("<tool_call>\n<function=search\n" + Q + L + "</function>\n</tool_call>", [RED.expected("loose_name")]),
         ("<tool_call>\n<function=search>\n<parameter='query'>\nred\n</parameter>\n<parameter=limit\n3\n</parameter>\n</function>\n</tool_call>",
          [loose.expected()]),
         ('<tool_call>\n<function=search>\n{"query": "red", "limit": 3}\n</function>\n</tool_call>', [RED.expected("json_arguments")]),
         ('<tool_call>\n<function=search>\n{"query": "red", "limit": "3"}\n</tool_call>', [RED.expected("json_arguments, missing_close")]),
         ("<tool_call>\n<function=search>\n{'query': 'red', 'limit': 3}\n</function>\n</tool_call>", [RED.expected("json_arguments, python_literal")]),
         ('<tool_call>\n<function=write>\n{"content": "</function> </think>"}\n</function>\n</tool_call>',
          [Call("write", Arg("content", "</function> </think>")).expected("json_arguments")]),
         ("<tool_call><function=now></function><function=search>" + Q + L + "</function></tool_call>",
          [NOW.expected("missing_close"), RED.expected("missing_open")]),
         ("<tool_call><function=now><tool_call><function=search>" + Q + L + "</function></tool_call>",
          [NOW.expected("missing_close"), RED.expected()]),
         ("<tool_call> \r\n <function=search>\t" + Q + "\n\n" + L + "\n </function>\n\n</tool_call>\n", [RED.expected()]),
         # Neither is closed: whole where the last parameter is, or where the tool takes none.
         ("<tool_call>\n<function=search>\n" + Q + L, [RED.expected("missing_close")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "</func", [RED.expected("missing_close")]),
         ("<function=search>\n" + Q + L, [RED.expected("missing_open, missing_close")]),
         ("<tool_call>\n<function=now>\n", [NOW.expected("missing_close")]),
         ("<tool_call>\n<function=now>\n</tool", [NOW.expected("missing_close")]),
         ("<tool_call>\n<function=now>\nhm", [NOW.expected("stray_text", complete=False)]),
         ("<tool_call>\n<function=search>\n", [Call("search").expected("", complete=False)]),
         ("<tool_call>\n<function=search>\n" + Q + L + "<para", [RED.expected("stray_text", complete=False)]),
         ('<tool_call>\n<function=now>\n<parameter name="x">\n1\n</parameter>\n</function>\n</tool_call>', [NOW.expected("stray_text")]),
         ("<tool_call>\n<function=search>\nfirst\n" + Q + L + "</function>\n</tool_call>", [RED.expected("stray_text")]),
         ('<tool_call>\n<function=search>\n{"query": "red", "limit": 3}\n', [RED.expected("json_arguments, missing_close")]),
         (NOW.tags() + "\n<tool_call>\n<function=other>\n" + OTHER.arguments[0].tags(), [NOW.expected(), OTHER.expected("missing_close")]),
         ("<tool_call>\n<function=other>\n", [Call("other").expected("", complete=False)]),
         ("<tool_call>\n<function=book>\n<parameter=day>\n1\n</parameter>\n", [BOOK[0].expected("", complete=False)]),
         ("<tool_call>\n<function=book>\n<parameter=day>\n1\n</parameter>\n<parameter=hour>\n2\n</parameter>\n", [BOOK[1].expected("missing_close")]),
         ("```xml\n" + RED.tags() + "\n```", [RED.expected("code_fence")]),
         ("```\n" + NOW.tags() + "\n" + RED.tags() + "\n```\n", [NOW.expected("code_fence"), RED.expected("code_fence")]),
         # Tags that open or close more than there is.
         ("<tool_call><tool_call>\n" + RED.tags()[len("<tool_call>\n"):], [RED.expected("extra_open")]),
         ("<tool_call>\n<tool_call>\n<tool_call>" + NOW.tags()[len("<tool_call>"):] + "\n" + RED.tags(), [NOW.expected("extra_open"), RED.expected()]),
         ('<tool_call>\n<tool_call>\n{"name": "search", "arguments": {"query": "red", "limit": 3}}\n</tool_call>',
          [RED.expected("extra_open, json_call")]),
         (RED.tags() + "</tool_call>", [RED.expected("extra_close")]), (RED.tags() + "\n</function>\n</tool_call>\n", [RED.expected("extra_close")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "</tool_call>\n</function>", [RED.expected("missing_close, extra_close")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "</function>\n</tool_c", [RED.expected("missing_close")]),
         # A parameter or a name that is written otherwise; only those of the tool are read so.
         ("<tool_call>\n<function=search>\n<query>red</query>\n<limit>\n3\n</limit>\n</function>\n</tool_call>", [own_tags.expected()]),
         ("<tool_call>\n<function=search>\n<query>\nred\n</query>\n<limit>3\n</function>\n</tool_call>",
          [Call("search", own_tags.arguments[0], Arg("limit", "3", 3, "converted", "parameter_tag, missing_close")).expected()]),
         ("<tool_call>\n<function=search>\n<colour>red</colour>\n" + Q + L + "</function>\n</tool_call>", [RED.expected("stray_text")]),
         ('<tool_call>\n<function name="search">\n<parameter name="query">\nred\n</parameter>\n<parameter = limit>\n3\n</parameter>\n</function>\n</tool_call>',
          [loose.expected("loose_name")]),
         ("<tool_call>\n<function = search >\n<parameter=\"query\">\nred\n</parameter>\n<parameter =limit >\n3\n</parameter>\n</function>\n</tool_call>",
          [loose.expected("loose_name")]),
         ('<function name="search">\n' + Q + L + "</function>", [RED.expected("missing_open, loose_name")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "<colour>red</colour>\n</function>\n</tool_call>", [RED.expected("stray_text")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "That is all.\n</function>\n</tool_call>", [RED.expected("stray_text")]),
         ('<tool_call>\n<function=search>\n<parameter=filter>\n{"a": "</parameter> b"}\n</parameter>\nhm\n</function>\n</tool_call>',
          [Call("search", Arg("filter", '{"a": "</parameter> b"}', {"a": "</parameter> b"}, "converted")).expected("stray_text")]),
         ("<tool_call>\n<function=search>\n<parameter=note>\nnull</parameter> b\n</parameter>\n</function>\n</tool_call>",
          [Call("search", Arg("note", "null</parameter> b")).expected()]),
         # Closing tags that name what they close.
         (RED.tags().replace("</function>", "</function=search>"), [RED.expected("loose_name")]),
         ("<tool_call>\n<function=search>\n" + Q + L + "</function=search>", [RED.expected("loose_name, missing_close")]),
         (NOW.tags().replace("</function>", "</function=now>") + "\n" + RED.tags(), [NOW.expected("loose_name"), RED.expected()]),
         ("<tool_call>\n<function=search>\n" + Q + "<parameter=limit>\n3\n</function=search>\n</tool_call>", [closeless.expected("loose_name")]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n</parameter>\n</function=search>\n</tool_call>", [Q_ONLY.expected("loose_name")]),
         (RED.tags().replace("red\n</parameter>", "red\n</query>"), [named_first.expected()]),
         (RED.tags().replace("red\n</parameter>", "red\n</parameter=query>"), [named_first.expected()]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n</query>\n<parameter=limit>3</limit>\n</function>\n</tool_call>", [loose.expected()]),
         ("<tool_call>\n<function=search>\n<parameter=query>red</parameter=query>\n<parameter=limit>\n3\n</parameter=limit>\n</function=search>\n</tool_call>",
          [loose.expected()]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n</query>\n</tool_call>", [Q_NAMED.expected("missing_close")]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n</query>", [Q_NAMED.expected("missing_close")]),
         ("<tool_call>\n<function=other>\n<parameter=x>\n1\n</x>\n</function=other>\n</tool_call>",
          [Call("other", Arg("x", "1", None, "untyped", "loose_name")).expected()]),
         # A value's own tags of that name, and what stands in front of a </parameter>, are its text.
         *[(Call("search", Arg("query", text)).tags(), [Call("search", Arg("query", text)).expected()])
           for text in ["<query>red</query>", '<query id="1">\nred\n</query>', "red\n</query>", "red</parameter=query>", "a </query> b", "</quer",
                        "</limit>\n<b>", "</function=search> b", "</parameter=limit>"]],
         ("<tool_call>\n<function=search>\n<parameter=query>\n<query>red</query>\n</function>\n</tool_call>",
          [Call("search", Arg("query", "<query>red</query>", None, "text", "missing_close")).expected()]),
         ("<tool_call>\n<function=search>\n<parameter=query>\n<queryx>red</query>\n</function>\n</tool_call>",
          [Call("search", Arg("query", "<queryx>red", None, "text", "loose_name")).expected()]),
         # A call without a name.
         ("<tool_call>\n<function=>\n</function>\n</tool_call>", [Call("").expected("", complete=False)]),
         ("<tool_call>\n<function= >\n</function>\n</tool_call>\n" + NOW.tags(), [Call("").expected("", complete=False), NOW.expected()]),
         ('<tool_call>\n<function="">\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>',
          [Call("", OTHER.arguments[0]).expected("loose_name", complete=False)]),
         # Lines that end as other systems end them.
         (RED.tags().replace("\n", "\r\n"), [RED.expected()]),
         ("<tool_call>\r\n<function=write>\r\n<parameter=content>\r\na\r\n\r\nb\r\n\r\n</parameter>\r\n</function>\r\n</tool_call>\r\n",
          [Call("write", Arg("content", "a\r\n\r\nb\r\n")).expected()]),
         ("<tool_call><function=write><parameter=content>\r</parameter></function></tool_call>", [Call("write", Arg("content", "\r")).expected()]),
         ("<tool_call><function=write><parameter=content>\ra\r</parameter></function></tool_call>",
          [Call("write", Arg("content", "\ra\r")).expected()]),
         # No call is complete that lacks what its tool requires.
         ('<tool_call>{"name": "book", "arguments": {}}</tool_call>', [BOOKLESS.expected("json_call, missing_argument", complete=False)]),
         ('<tool_call>{"name": "book", "arguments": null}</tool_call>', [BOOKLESS.expected("json_call, missing_argument", complete=False)]),
         ("<tool_call>\n<function=book>\n</function>\n</tool_call>", [BOOKLESS.expected("missing_argument", complete=False)]),
         ("<tool_call>\n<function=book>\n{}\n</function>\n</tool_call>", [BOOKLESS.expected("json_arguments, missing_argument", complete=False)]),
         (BOOK[0].tags(), [BOOK[0].expected("missing_argument", complete=False)]), (BOOK[1].tags(), [BOOK[1].expected()]),
         # The next call begins where the last one closes nothing.
         ("<tool_call>\n<function=search>\n<tool_call>\n" + NOW.tags()[len("<tool_call>\n"):],
          [Call("search").expected("missing_close", complete=False), NOW.expected()]),
         ("<tool_call>\n<function=search>\n" + Q + RED.tags(), [Call("search", RED.arguments[0]).expected("missing_close"), RED.expected()]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n" + RED.tags(), [open_value.expected(), RED.expected(BEHIND)]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n<function=now>\n</function>\n</tool_call>",
          [open_value.expected(), NOW.expected("missing_open, " + BEHIND)]),
         ('<tool_call>\n<function=search>\n<parameter=query>\nred\n<tool_call>\n{"name": "now"}\n</tool_call>',
          [open_value.expected(), NOW.expected("json_call, " + BEHIND)]),
         ("<tool_call>\n<function=search>\n<parameter=query>\nred\n<tool_call>\n<function=search>\n<parameter=query>\nred\n" + NOW.tags() + "\n" + RED.tags(),
          [open_value.expected(), open_value.expected(BEHIND), NOW.expected(BEHIND), RED.expected(BEHIND)]),
         ("<tool_call>\n<function=book>\n<parameter=day>\n1\n" + NOW.tags(),
          [Call("book", Arg("day", "1", 1, "converted", "missing_close")).expected("", complete=False), NOW.expected(BEHIND)]),
         # Arguments that JSON cannot hold, and forms of JSON calls.
         ('<tool_call>\n{"name": "search", "arguments": {"filter": {"a": NaN, "b": [Infinity, -Infinity]}}}\n</tool_call>',
          [Call("search", Arg("filter", '{"a": "NaN", "b": ["Infinity", "-Infinity"]}', {"a": "NaN", "b": ["Infinity", "-Infinity"]}, "converted")).expected(
              "json_call, python_literal")]),
         ('<tool_call>\n{"name": "search", "arguments": {"ratio": NaN, "limit": -Infinity}}\n</tool_call>',
          [Call("search", Arg("ratio", "NaN", None, "failed"), Arg("limit", "-Infinity", None, "failed")).expected("json_call, python_literal")]),
         ('<tool_call>\n{"name": "now", "arguments": []}\n</tool_call>', [NOW.expected("json_call")]),
         ('<tool_call>\n{"id": "call_1", "name": "now"}\n</tool_call>', [NOW.expected("json_call")]),
         ("<tool_call>\n" + ONE + ",\n" + TWO + "\n</tool_call>", [RED.expected("json_call"), NOW.expected("json_call")]),
         ("<tool_call>\n<function=search>\n" + ONE + "\n</function>\n</tool_call>", [RED.expected("json_call, json_arguments")]),
         ("<tool_call>\n<function=now>\n" + ONE + "\n</function>\n</tool_call>",
          [Call("now", Arg("name", "search", None, "untyped"), Arg("arguments", json.dumps(DATA), DATA, "untyped")).expected("json_arguments")]),
         ('<tool_call>\n<function=search>\n```json\n{"query": "red", "limit": 3}\n```\n</function>\n</tool_call>',
          [RED.expected("json_arguments, code_fence")]),
         ("<tool_call>\n<function=search>\n```json\n{query}\n```\n</function>\n</tool_call>", [Call("search").expected("stray_text")]),
         ("<tool_call>\n" + ONE + "\n</tool_ca", [RED.expected("json_call, missing_close")]),
         ('<tool_call>\n{"function": "search", "arguments": {"query": "red", "limit": 3}}\n</tool_call>', [RED.expected("json_call")])]
for stream, calls in LOOSE:
    add(stream, False, calls)
    add("plan\n</think>\n\n" + stream, True, calls, "plan", "")
    add("plan\n</think>\n\n" + stream + "<|im_end|>", True, calls, "plan", "")

# A fence around a call stays in the answer where text stands before it, and marks the call.
for language in ["", "xml", "c++", "tool_code"]:
    add("So:\n```%s\n" % language + RED.tags() + "\n```\n" + NOW.tags(), False, [RED.expected("code_fence"), NOW.expected()], "",
        "So:\n```%s\n\n```" % language)
    add("So:\n```%s\n" % language + RED.tags() + "\n```", True, [RED.expected("inside_thinking, code_fence")], "So:\n```%s" % language, "")
    add("```%s\n" % language + RED.tags() + "\n```", False, [RED.expected("code_fence")])
add("Write `" + RED.tags() + "` for that.", False, [RED.expected("code_fence")], "", "Write `` for that.")
add("Use `x` and ```y```.\n" + RED.tags(), False, [RED.expected()], "", "Use `x` and ```y```.")
# A second call that was only thought about, behind a value that was never closed.
add("<tool_call>\n<function=search>\n<parameter=query>\nred\n" + NOW.tags() + "\n</think>\n\nThe answer.", False,
    [open_value.expected("withdrawn", complete=False), NOW.expected("withdrawn, " + BEHIND, complete=False)], "", "The answer.")

# 10. Outputs that stop inside a call.
for call in [RED, WRITE]:
    text = call.tags()
    for length in range(len("<tool_call>\n<function=x"), text.index("</function>") + 5, 7):
        cut = text[:length]
        parts = cut.split("<parameter=")
        name = parts[0].split("<function=")[1].split(">")[0].rstrip("\n")
        whole = cut.count("</parameter>\n<") + (1 if cut.endswith(("</parameter>", "</parameter>\n")) else 0)
        expected = Call(call.name, *call.arguments[:whole]).expected("" if ">" in parts[0].split("<function=")[1] else "loose_name", complete=False)
        expected[0], expected[1] = name, name in KNOWN
        if len(parts) - 1 > whole:
            key, closed, value = parts[-1].partition(">")
            value = value[1:] if value.startswith("\n") else value
            value = value[:-1] if value.endswith("\n") else value
            recovery = "" if closed else "loose_name"
            expected[4].append([key, value, value, "failed", False, recovery])
            expected[3] = names(expected[3], recovery)
        else:
            rest = (cut.rsplit("</parameter>", 1)[1] if whole else parts[0].split("<function=")[1].partition(">")[2]).strip()
            if whole and (rest == "" or (len(rest) > 1 and "</function>".startswith(rest))):
                expected[2], expected[3] = True, names(expected[3], "missing_close")
            elif rest:
                expected[3] = names(expected[3], "stray_text")
        add("plan</think>" + cut, True, [expected], "plan", "")
for cut, whole in [('{"name": "search", "arguments": {"query": "red", "li', 1), ('{"name": "search", "argu', 0),
                   ('{"name": "search", "arguments": {"query": "red", "limit": 3', 1), ('[{"name": "search", "arguments": {"query": "red", "x": "', 1)]:
    expected = Call("search", *RED.arguments[:whole]).expected("json_call", complete=False, arguments_complete=False)
    add("<tool_call>\n" + cut, False, [expected])
    add("hm <tool_call>\n" + cut, True, [expected[:3] + [names(expected[3], INSIDE)] + expected[4:]], "hm", "")
for cut in ['{"name": "sea', "{", '{"na', '{"name": "other", "arguments": {"query": "red", "li']:
    add("<tool_call>\n" + cut, False, [], "", "<tool_call>\n" + cut)

# 11. The end of the turn.
for thinking, opened, reasoning in MODES:
    for end in ["<|im_end|>", "<|im_end|>\n"]:
        add(opened + "Hello." + end, thinking, [], reasoning, "Hello.")
        add(opened + "It ends with <|im_end|> as text." + end, thinking, [], reasoning, "It ends with <|im_end|> as text.")
        add(opened + RED.tags() + "\n" + end, thinking, [RED.expected()], reasoning, "")
add("plan<|im_end|>", True, [], "plan", "", closed=False)
for end in ["<|im_end|><|endoftext|>", "<|endoftext|>", "<|im_end|>\n<|endoftext|><|endoftext|>\n", "<|im_end|>" + " " * 99 + "\n<|im_end|>"]:
    add("Hello." + end, False, [], "", "Hello.")
    add("a <|im_end|><|endoftext|> b <|im_ < " + end, False, [], "", "a <|im_end|><|endoftext|> b <|im_ <")
    add(RED.tags() + end, False, [RED.expected()])
add("Hello.<|im_end|><|im_e", False, [], "", "Hello.")
add("Hello.<|im_e", False, [], "", "Hello.<|im_e")

print(json.dumps({"tools": TOOLS}))
seen = set()
for stream in streams:
    line = json.dumps(stream, ensure_ascii=False)
    if line not in seen:
        seen.add(line)
        print(line)
