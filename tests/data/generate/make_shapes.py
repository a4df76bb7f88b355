# SPDX-License-Identifier: Apache-2.0
# Writes shapes.json: what the reference generates from the shapes checkpoint, in f32 on the upcast weights: beams, padded batches, processors,
# classifier-free guidance.
# Run with transformers 5.12 installed: python3 make_shapes.py FOLDER_OF_THE_SHAPES_CHECKPOINT PROMPTS_JSONL
# PROMPTS_JSONL is tests/data/shapes_text/prompts.jsonl.
import json
import random
import sys

import torch
import transformers
from transformers import GenerationConfig, Qwen3_5MoeForCausalLM

transformers.logging.set_verbosity_error()
torch.set_grad_enabled(False)
torch.set_num_threads(1)
random.seed(4)
model = Qwen3_5MoeForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="eager").eval()
prompts = [json.loads(line)["ids"] for line in open(sys.argv[2]).read().splitlines()[1:]]
prompts = [p for p in prompts if len(p) < 60]
PAD, EOS = 433, [435, 433]
cases = []


def padded(chosen):
    width = max(map(len, chosen))
    ids = torch.tensor([[PAD] * (width - len(p)) + p for p in chosen])
    return ids, torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in chosen])


def add(name, chosen, settings, negative=None, masked=True):
    ids, mask = padded(chosen)
    width = ids.shape[1]
    others = {}
    if negative is not None:
        others["negative_prompt_ids"], others["negative_prompt_attention_mask"] = padded(negative)
    full = dict(pad_token_id=PAD, eos_token_id=EOS, do_sample=False)
    full.update(settings)
    if masked:
        others["attention_mask"] = mask
    out = model.generate(input_ids=ids, generation_config=GenerationConfig(return_dict_in_generate=True, output_scores=True, **full), **others)
    case = dict(name=name, prompts=chosen, config=full, generated=[s[width:] for s in out.sequences.tolist()])
    if not masked:
        case["masked"] = False
    if settings.get("num_beams", 1) > 1:
        case["sequences_scores"] = [float("%.9g" % x) for x in out.sequences_scores.tolist()]
    if "guidance_scale" in settings:
        case["negative_prompts"] = negative or []
        # Of the first row's last step, the first ids; null is -inf.
        case["last_scores"] = [None if x == -float("inf") else float("%.9g" % x) for x in out.scores[-1][0, :16].tolist()]
    cases.append(case)


for i in range(10):
    beams = random.choice([2, 3, 4])
    settings = dict(
        num_beams=beams,
        num_return_sequences=random.choice([1, beams]),
        max_new_tokens=random.choice([12, 24]),
        length_penalty=random.choice([1.0, 0.5, 0.0]),
        early_stopping=random.choice([False, True, "never"]),
    )
    add("beams %d" % i, random.sample(prompts, random.choice([1, 2])) if i % 2 else [random.choice(prompts)], settings)
for i in range(3):
    add("padded batch %d" % i, random.sample(prompts, 4), dict(max_new_tokens=24))
for i in range(4):
    add("penalties %d" % i, [random.choice(prompts)], dict(max_new_tokens=24, repetition_penalty=1.3, no_repeat_ngram_size=3, min_new_tokens=12))
one, two, three, four = random.sample(prompts, 4)
add("guidance, the last token alone", [one], dict(max_new_tokens=16, guidance_scale=1.5))
add("guidance, padded batch", [one, two], dict(max_new_tokens=16, guidance_scale=2.0), [four, three])
add("guidance without cache", [two, three], dict(max_new_tokens=6, guidance_scale=0.5, use_cache=False), [one, four])
add("guidance, penalties", [three], dict(max_new_tokens=16, guidance_scale=-0.5, repetition_penalty=1.3, min_new_tokens=12), [one])
add("guidance, sampled", [four, one], dict(max_new_tokens=12, guidance_scale=3.0, do_sample=True, top_k=1, temperature=0.7), [two, two])
add("guidance, beams, the last token alone", [two, four], dict(max_new_tokens=10, guidance_scale=1.5, num_beams=3, num_return_sequences=2))
add("guidance, beams", [one], dict(max_new_tokens=10, guidance_scale=1.5, num_beams=2), [three, three])
for eos in (435, EOS):  # padding is known by its id where that ends no sequence
    for settings in (dict(max_new_tokens=16), dict(max_new_tokens=10, num_beams=2)):
        add("without a mask, eos %s, %s" % (eos, settings), random.sample(prompts, 3), dict(settings, eos_token_id=eos), masked=False)

with open("shapes.json", "w") as f:
    f.write(json.dumps(dict(transformers=transformers.__version__, cases=[])).replace("[]}", "[\n"))
    f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
