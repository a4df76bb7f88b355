#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records the ids and their offsets that tokenizers gives with added tokens that strip, stand alone or are normalised.

Usage: make_added_flags.py SHAPES_TOKENIZER_JSON [SEED] > added_flags.jsonl

The first line tells the version. A line {"added": [...]} begins a tokenizer: the shapes model's file with those added tokens more. The lines
after it are texts with their ids, and the characters that each spans. (A text at which tokenizers gives up is left out: white space that two
tokens take.)
"""
import json
import random
import sys

import tokenizers
from tokenizers import Tokenizer

SPACES = [" ", "  ", "\n", "\t ", "\u00a0", "\u3000", "\u2028", "\x1c", "\x85", "\u200b", ""]
WORDS = ["a", "red", "_", "-", ".", "é", "e\u0301", "日", "7", "½", "Ⅷ", "²", "ⓐ", "🄰", "‿", "\u200d", "🙂", "\u0301", "ª", "", "<", "zz", "z"]
FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"]


def main():
    base = json.load(open(sys.argv[1], encoding="utf-8"))
    r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 11)
    first = max(token["id"] for token in base["added_tokens"]) + 1
    print(json.dumps({"tokenizers": tokenizers.__version__}))
    for _ in range(14):
        added = []
        for i, content in enumerate(r.sample(["zz", "<t>", "red", "éé", " z", "z z", "<think>x", "日日", "_w_", "  ", " ", "\n", "\t "], 5)):
            added.append({"id": first + i, "content": content} | {flag: r.random() < 0.5 for flag in FLAGS})
        file = json.loads(json.dumps(base))
        file["added_tokens"] += added
        tokenizer = Tokenizer.from_str(json.dumps(file))
        print(json.dumps({"added": added}, ensure_ascii=False, separators=(",", ":")))
        names = [token["content"] for token in added] + ["<|im_end|>", "<think>", "e\u0301"]
        for _ in range(60):
            text = "".join(r.choice([r.choice(names), r.choice(SPACES), r.choice(WORDS), r.choice(names)]) for _ in range(r.randint(1, 7)))
            try:
                encoding = tokenizer.encode(text, add_special_tokens=False)
            except BaseException:  # a panic is no Exception
                continue
            places = [place for span in encoding.offsets for place in span]
            print(json.dumps([text, encoding.ids, places], ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
