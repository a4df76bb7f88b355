#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records how transformers' apply_chat_template writes numbers into a prompt.

Usage: make_numbers.py CHAT_TEMPLATE_JINJA [COUNT] > numbers.jsonl

Each line is [the number as JSON text, as it stands in a tool's schema (tojson), as it stands as a call's argument (str)].
"""
import json
import random
import struct
import sys

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

FIXED = """0 -0 1 -1 9 10 2147483647 -2147483648 2147483648 4294967295 4294967296 9007199254740991 9007199254740993 9223372036854775807
9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616 -18446744073709551615
99999999999999999999 123456789012345678901234567890 0.0 -0.0 1.0 -1.0 0.1 0.2 0.3 1e0 1E5 1e15 1e16 1e+16 123e14 1e17 1e21 1e22 1e23 1e-4 1e-5
0.0001 0.00001 0.00012345 1.5e-7 1e100 1e-100 1.7976931348623157e308 -1.7976931348623157e308 5e-324 2.2250738585072014e-308 1e-400 -1e-400
0.30000000000000004 100.0 100.50 1000000.0 123456789.125 9999999999999998.0 9007199254740993.0 12345678901234567.0 3.141592653589793
2.5e-05 1.0e-10 6.02214076e23 1e05 1E+2 1e-0""".split()


def numbers(count):
    rng = random.Random(20)
    out = list(FIXED)
    for _ in range(count):
        kind = rng.randrange(6)
        if kind == 0:
            text = str(rng.randrange(-10 ** rng.randrange(1, 60), 10 ** rng.randrange(1, 60)))
        elif kind == 1:
            text = str(rng.choice([2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, 10 ** 19]) * rng.choice([-1, 1]) + rng.randrange(-3, 4))
        elif kind == 2:
            value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
            text = repr(value) if value - value == 0.0 else "0.5"
        elif kind == 3:
            text = "%.*g" % (rng.randrange(1, 18), rng.uniform(-1, 1) * 10.0 ** rng.randrange(-8, 20))
        elif kind == 4:
            text = "%d.%s" % (rng.randrange(-10 ** 6, 10 ** 6), str(rng.randrange(10 ** 9))[:rng.randrange(1, 9)])
        else:
            text = "%de%d" % (rng.randrange(-9999, 9999), rng.randrange(-30, 30))
        out.append(text)
    return out


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"x": 0}, unk_token="x")))
    tokenizer.chat_template = open(sys.argv[1], encoding="utf-8").read()
    texts = numbers(int(sys.argv[2]) if len(sys.argv) > 2 else 1200)
    for begin in range(0, len(texts), 200):
        part = texts[begin:begin + 200]
        values = json.loads("[" + ", ".join(part) + "]")
        keys = ["n%d" % i for i in range(len(values))]
        tool = {"name": "f", "numbers": [[value] for value in values]}
        call = {"name": "f", "arguments": dict(zip(keys, values))}
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]}],
            tools=[tool], tokenize=False)
        schema = prompt.split('"numbers": [[', 1)[1].split("]]", 1)[0].split("], [")
        for key, text, written in zip(keys, part, schema, strict=True):
            argument = prompt.split("<parameter=%s>\n" % key, 1)[1].split("\n</parameter>", 1)[0]
            print(json.dumps([text, written, argument]))


main()
