# SPDX-License-Identifier: Apache-2.0
# Writes stop_strings.json: where the reference's StopStringCriteria finds stop strings at the end of random rows of the shapes tokenizer's ids.
# Run with transformers 5.12 installed: python3 make_stop_strings.py FOLDER_OF_THE_SHAPES_CHECKPOINT
import json
import random
import sys

import torch
import transformers
from transformers import AutoTokenizer
from transformers.generation.stopping_criteria import StopStringCriteria

random.seed(3)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
texts = [
    "The red circle is left of the blue square.",
    "There are three stars; the yellow one is small.\n\nNo more.",
    "<|im_start|>user\nWhat color?<|im_end|>\n",
    "naïve café — 日本語 🙂🙃 ok",
    "aaaaaaaabaaaab",
]
cases = []
for text in texts:
    ids = tokenizer(text)["input_ids"]
    pieces = text.encode()
    for _ in range(50):
        strings = []
        for _ in range(random.randrange(1, 3)):
            start = random.randrange(len(text))
            strings.append(text[start : start + random.choice([1, 1, 2, 3, 5, 9])])
        if random.random() < 0.2:
            strings.append("not there")
        criteria = StopStringCriteria(tokenizer, strings)
        found = [bool(criteria(torch.tensor([ids[: n + 1]]), None)[0]) for n in range(len(ids))]
        cases.append(dict(ids=ids, stop_strings=strings, found=[i for i, x in enumerate(found) if x]))

with open("stop_strings.json", "w") as f:
    f.write(json.dumps(dict(transformers=transformers.__version__, cases=[])).replace("[]}", "[\n"))
    f.write(",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]}\n")
