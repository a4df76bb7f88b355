#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what transformers' apply_chat_template gives for generated conversations.

Usage: make_cases.py CHAT_TEMPLATE_JINJA [COUNT] [SEED] > cases.jsonl

CHAT_TEMPLATE_JINJA is the published file of Qwen3.5 (sha256 below). Its variants are made by the edits below: thinking off by default
(the small models' file) and preserve_thinking with JSON scalars (Qwen3.6's file, 7764 bytes). The first line of the output tells the versions;
every other line is one case:
  v  variant: 0 as published, 1 thinking off by default, 2 preserve_thinking
  m  messages   t  tools   o  options (those that are not false)
  x  the text, or h  its length and the first 16 hex digits of its sha256
  e  the template's error message, or "" for an error of the interpreter (its wording is not part of the interface)
  r  true: the template accepts this input by accident and the library refuses it
"""
import hashlib
import json
import random
import sys

import jinja2
import tokenizers
import transformers
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import _compile_jinja_template

BASE_SHA256 = "a4aee8afcf2e0711942cf848899be66016f8d14a889ff9ede07bca099c28f715"
EDITS = {
    1: [("{%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n"
         "    {%- else %}\n        {{- '<think>\\n' }}",
         "{%- if enable_thinking is defined and enable_thinking is true %}\n        {{- '<think>\\n' }}\n"
         "    {%- else %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}")],
    2: [("{%- if loop.index0 > ns.last_query_index %}",
         "{%- if (preserve_thinking is defined and preserve_thinking is true) or (loop.index0 > ns.last_query_index) %}"),
        ("args_value | tojson | safe if args_value is mapping or (args_value is sequence and args_value is not string) "
         "else args_value | string",
         "args_value | string if args_value is string else args_value | tojson | safe")],
}

SPACES = ["", "", "", " ", "\n", "\n\n", "\t", "\r\n", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u202f", "\u205f",
          "\u3000", "\u200b", "\ufeff", "\u180e"]
WORDS = ["hello", "a", "Wie geht's?", "日本語", "é", "e\u0301", "🙂", "x = 1\n\ny", "<b>&amp;'\"", "0", "None", "\\n", "{}", "line\r\nline", "\x7f\x01",
         "<|im_end|>", "<|im_start|>user", "<|image_pad|>", "image", "video", "CONTINUE_FINAL_MESSAGE_TAG", "system", "{{ x }}", "{% raw %}"]
MARKS = ["<think>", "</think>", "<think>\n", "\n</think>\n\n", "<tool_response>", "</tool_response>", "<tool_call>", "</tool_call>",
         "<think>\nplan\n</think>\n\n"]
NAMES = ["get_weather", "f", "a.b-c", "名前", "x y", ""]
KEYS = ["city", "n", "a<b", "", "键", "items", "role"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, p):
        return self.r.random() < p

    def text(self):
        r = self.r
        kind = r.random()
        if kind < 0.06:
            return ""
        if kind < 0.10:
            return r.choice(SPACES)
        parts = [r.choice(SPACES)]
        for _ in range(r.choice([1, 1, 1, 2, 3])):
            parts.append(r.choice(MARKS) if self.chance(0.12) else r.choice(WORDS))
            parts.append(r.choice(SPACES))
        return "".join(parts)

    def number(self):
        r = self.r
        return r.choice([0, 1, -1, 42, 2**53, -2**63, 2**63 - 1, 1.0, -0.0, 0.1, 1.5, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308,
                         r.uniform(-10, 10), r.uniform(0, 1) * 10 ** r.randint(-20, 20), float(r.randint(-10**6, 10**6))])

    def scalar(self):
        return self.r.choice([None, True, False, self.number(), self.number(), self.text(), self.text()])

    def value(self, depth=0):
        r = self.r
        if depth < 2 and self.chance(0.35):
            if self.chance(0.5):
                return [self.value(depth + 1) for _ in range(r.randint(0, 3))]
            return {r.choice(KEYS): self.value(depth + 1) for _ in range(r.randint(0, 3))}
        return self.scalar()

    def item(self, media=0.45, odd=0.02):
        r = self.r
        p = r.random()
        if p < odd:
            return r.choice([{}, {"type": "text"}, {"type": "audio", "audio": "x"}, {"type": None}, {"type": 3}, {"Image": 1}])
        if p < odd + 0.02:
            return {"type": "text", "text": r.choice([None, True, False, self.number()])}
        if p < odd + media:
            return r.choice([{"type": "image"}, {"type": "image", "image": "a.png"}, {"type": "image_url", "image_url": {"url": "u"}},
                             {"image": "a.png"}, {"image_url": None}, {"type": "image", "url": "u", "text": "t"}, {"type": "video"},
                             {"type": "video", "video": "v.mp4"}, {"video": ["f1", "f2"]}, {"type": "video", "text": "t"},
                             {"type": "image", "video": "both"}])
        item = {"type": "text", "text": self.text()}
        if self.chance(0.1):
            del item["type"]
        return item

    def content(self, media=0.45, odd=0.02):
        r = self.r
        p = r.random()
        if p < odd:
            return r.choice([{}, {"text": "x"}, 3, 1.5, True, False])
        if p < odd + 0.02:
            return None
        if p < 0.3:
            return [self.item(media, odd) for _ in range(r.choice([0, 1, 1, 2, 2, 3]))]
        return self.text()

    def tool_call(self, odd=0.03):
        r = self.r
        if self.chance(odd):
            return r.choice([None, "call", 3, {}, {"name": None}, {"name": 3, "arguments": {}}, {"function": None}, {"function": "f"},
                             {"name": "f", "arguments": None}, {"name": "f", "arguments": '{"a": 1}'}, {"name": "f", "arguments": [1]},
                             {"function": {"arguments": {}}}])
        call = {"name": r.choice(NAMES)}
        if self.chance(0.93):
            call["arguments"] = {r.choice(KEYS): self.value() for _ in range(r.randint(0, 3))}
        if self.chance(0.6):
            call = {"type": "function", "id": "c1", "function": call}
        return call

    def assistant(self, odd):
        r = self.r
        m = {"role": "assistant"}
        p = r.random()
        if p < 0.25:
            m["content"] = r.choice(SPACES) + "<think>" + r.choice(SPACES) + self.text() + r.choice(SPACES) + "</think>" + r.choice(SPACES) + self.text()
        elif p < 0.3:
            m["content"] = [{"type": "text", "text": "<think>" + self.text()}, self.item(), {"type": "text", "text": "</think>\n\n"}, self.item()]
        elif p < 0.97:
            m["content"] = self.content(0.2, odd)
        if self.chance(0.35):
            m["reasoning_content"] = r.choice([self.text(), self.text(), self.text(), "", None, 3, []])
        if self.chance(0.35):
            m["tool_calls"] = [self.tool_call(odd) for _ in range(r.choice([0, 1, 1, 2, 3]))]
        elif self.chance(odd):
            m["tool_calls"] = r.choice([None, {}, {"name": "f"}, "", "calls", 0, 3, True, False])
        return m

    def user(self, odd):
        r = self.r
        if self.chance(0.1):
            inner = r.choice(SPACES) + "<tool_response>" + self.text() + r.choice(["</tool_response>", "</tool_response>", "</tool_response> ", ""])
            return {"role": "user", "content": inner if self.chance(0.8) else [{"type": "text", "text": inner}]}
        return {"role": "user", "content": self.content(0.45, odd)}

    def messages(self):
        r = self.r
        odd = r.choice([0, 0, 0, 0.05])
        if self.chance(0.004):
            return []
        out = []
        if self.chance(0.4):
            out.append({"role": "system", "content": self.content(0.04 if self.chance(0.9) else 0.5, odd)})
        last = None
        for _ in range(r.choice([1, 1, 2, 3, 4, 5, 6, 8])):
            p = r.random()
            if last == "user":
                role = "assistant" if p < 0.85 else r.choice(["user", "tool"])
            elif last == "assistant":
                role = "tool" if p < 0.4 else "user" if p < 0.9 else "assistant"
            elif last == "tool":
                role = "tool" if p < 0.35 else "assistant" if p < 0.8 else "user"
            else:
                role = "user" if p < 0.9 else r.choice(["assistant", "tool"])
            if last and self.chance(0.006):
                out.append({"role": "system", "content": self.content(0.3, odd)})
            if self.chance(odd * 0.5):
                out.append(r.choice([{"role": "developer", "content": "x"}, {"content": "x"}, {"role": None, "content": "x"}, {},
                                     {"role": "system", "content": self.content(0.3, odd)}, {"role": "User", "content": "x"},
                                     {"role": ["user"], "content": "x"}]))
            if role == "user":
                out.append(self.user(odd))
            elif role == "assistant":
                out.append(self.assistant(odd))
            else:
                out.append({"role": "tool", "content": self.content(0.2, odd)})
                if self.chance(0.3):
                    out[-1]["tool_call_id"] = "c1"
            last = role
        return out

    def refused(self):
        """Accepted by the template by accident only."""
        item = self.r.choice(["an image here", "a video", "some text", {"type": "text", "text": ["a"]}, {"type": "text", "text": {"a": 1}}, ["image"]])
        return [{"role": "user", "content": [item]}]

    def tools(self):
        r = self.r
        p = r.random()
        if p < 0.6:
            return None
        if p < 0.65:
            return []
        if p < 0.66:
            return r.choice([{}, {"name": "f"}])
        if p < 0.67:
            return r.choice([["f"], [None], [{"name": "f"}, 3]])
        out = []
        for _ in range(r.choice([1, 1, 2])):
            f = {"name": r.choice(NAMES), "description": self.text(), "parameters": {"type": "object", "properties": {
                r.choice(KEYS): {"type": r.choice(["string", "integer"]), "default": self.value()} for _ in range(r.randint(0, 2))}}}
            out.append({"type": "function", "function": f} if self.chance(0.7) else {r.choice(KEYS): self.value()} if self.chance(0.5) else f)
        return out

    def options(self):
        r = self.r
        o = {}
        if self.chance(0.5):
            o["add_generation_prompt"] = True
        if self.chance(0.5):
            o["enable_thinking"] = r.choice([True, False, None])
        if self.chance(0.3):
            o["add_vision_id"] = True
        if self.chance(0.3):
            o["preserve_thinking"] = True
        if self.chance(0.2):
            o["continue_final_message"] = r.choice([True, True, "content", "reasoning_content"])
            if self.chance(0.95):
                o.pop("add_generation_prompt", None)
        return o


def make_tokenizer():
    return PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()))


# continue_final_message renders this behind the text to continue and cuts at its last occurrence, so a text that holds it itself is cut
# at the wrong place. The library does not do that: such texts are rendered with another word of the same length, which is then put back.
TAG, STAND_IN = "CONTINUE_FINAL_MESSAGE_TAG", "CONTINUE_FINAL_MESSAGE_TIP"


def run(tokenizer, templates, case):
    messages, tools = json.loads(json.dumps([case["m"], case.get("t")]).replace(TAG, STAND_IN))
    options = case.get("o", {})
    try:
        if isinstance(tools, dict):  # the Python layer refuses what the template itself takes for "no tools"
            options = {k: v for k, v in options.items() if k != "continue_final_message"}
            text = _compile_jinja_template(templates[case["v"]]).render(messages=messages, tools=tools, documents=None, **options)
        else:
            text = tokenizer.apply_chat_template(messages, tools=tools, chat_template=templates[case["v"]], tokenize=False, **options)
    except jinja2.exceptions.TemplateError as error:
        # raise_exception raises the base class itself; its subclasses are the interpreter's own
        case["e"] = str(error) if type(error) is jinja2.exceptions.TemplateError else ""
    except Exception as error:
        case["e"] = "No messages provided." if isinstance(error, IndexError) and not messages else ""
    else:
        text = text.replace(STAND_IN, TAG)
        if len(text.encode()) <= 200:
            case["x"] = text
        else:
            case["h"] = [len(text.encode()), hashlib.sha256(text.encode()).hexdigest()[:16]]


def main():
    base = open(sys.argv[1], encoding="utf-8").read()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2400
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 35
    assert hashlib.sha256(base.encode()).hexdigest() == BASE_SHA256, "not the published template"
    templates = [base, base, base]
    for variant, edits in EDITS.items():
        for old, new in edits:
            assert templates[variant].count(old) == 1
            templates[variant] = templates[variant].replace(old, new)
    assert len(templates[2].encode()) == 7764
    maker = Maker(seed)
    tokenizer = make_tokenizer()
    print(json.dumps({"transformers": transformers.__version__, "jinja2": jinja2.__version__, "template_sha256": BASE_SHA256, "seed": seed}))
    for index in range(count):
        case = {"v": maker.r.choice([0, 0, 0, 1, 2, 2])}
        refused = index % 100 == 99
        case["m"] = maker.refused() if refused else maker.messages()
        if not refused and (tools := maker.tools()) is not None:
            case["t"] = tools
        if options := maker.options():
            if isinstance(case.get("t"), dict):
                options.pop("continue_final_message", None)
            case["o"] = options
        run(tokenizer, templates, case)
        if refused:
            case["r"] = True
        print(json.dumps(case, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
