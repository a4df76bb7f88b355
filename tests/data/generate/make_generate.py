# SPDX-License-Identifier: Apache-2.0
# Writes generate.json: what the reference's generate() makes of a toy language model that tests/generate/toy_model.hpp computes too, in
# integers, so that sequences can be compared token by token. Run with transformers 5.12 installed: python3 make_generate.py
import json
import random

import torch
import transformers
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel, StoppingCriteria, StoppingCriteriaList
from transformers.modeling_outputs import CausalLMOutputWithPast

random.seed(2)
MASK = (1 << 32) - 1


def mix(x):
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & MASK
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & MASK
    return x ^ (x >> 16)


class ToyConfig(PretrainedConfig):
    model_type = "toy"


class Toy(PreTrainedModel, GenerationMixin):
    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        self.unused = torch.nn.Linear(1, 1)

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, return_dict=True, use_cache=False, logits_to_keep=0, **kwargs):
        rows, length = input_ids.shape
        logits = torch.zeros(rows, 1, self.config.vocab_size)
        for r in range(rows):
            state = self.config.seed
            for i in range(length):
                if attention_mask is None or attention_mask[r, i] != 0:
                    position = int(position_ids[min(r, position_ids.shape[0] - 1), i])
                    state = mix((state * 31 + int(input_ids[r, i]) * 7 + position + 1) & MASK)
            for v in range(self.config.vocab_size):
                x = (mix((state + v * 0x9E3779B9) & MASK) >> 8) / (1 << 21)  # [0, 8), 24 bits
                logits[r, 0, v] = x + (self.config.eos_bonus if v in self.config.bonus_ids else 0.0)
        return CausalLMOutputWithPast(logits=logits)


class StopAt(StoppingCriteria):
    def __init__(self, token):
        self.token = token

    def __call__(self, input_ids, scores, **kwargs):
        return input_ids[:, -1] == self.token


cases = []


# stop_at: a token that ends sequences without being an eos id.
def add(name, settings, batch=1, length=4, vocab=23, padded=False, bonus=0.0, seed=None, stop_at=None):
    seed = random.randrange(1 << 30) if seed is None else seed
    eos = settings.get("eos_token_id")
    bonus_ids = eos if isinstance(eos, list) else [] if eos is None else [eos]
    model = Toy(ToyConfig(vocab_size=vocab, seed=seed, eos_bonus=bonus, bonus_ids=bonus_ids))
    ids = torch.tensor([[random.randrange(6, vocab) for _ in range(length)] for _ in range(batch)])
    mask = torch.ones_like(ids)
    if padded:
        for b in range(batch):
            pads = b % length
            ids[b, :pads] = settings.get("pad_token_id", 1)
            mask[b, :pads] = 0
    full = dict(pad_token_id=1, use_cache=False, top_k=0)
    full.update(settings)
    out = model.generate(
        input_ids=ids,
        attention_mask=mask,
        stopping_criteria=StoppingCriteriaList([] if stop_at is None else [StopAt(stop_at)]),
        generation_config=GenerationConfig(return_dict_in_generate=True, output_scores=True, output_logits=True, **full),
    )
    case = dict(name=name, vocab=vocab, seed=seed, eos_bonus=bonus, input_ids=ids.tolist(), attention_mask=mask.tolist(), config={k: v for k, v in full.items() if k != "use_cache"})
    if stop_at is not None:
        case["stop_at"] = stop_at
    case["sequences"] = out.sequences.tolist()
    case["steps"] = len(out.scores)
    if settings.get("num_beams", 1) > 1:
        case["sequences_scores"] = [float("%.9g" % x) for x in out.sequences_scores.tolist()]
        case["beam_indices"] = out.beam_indices.tolist()
    # The first row's processed scores of the last step; null is -inf.
    case["last_scores"] = [None if x == -float("inf") else float("%.9g" % x) for x in out.scores[-1][0].tolist()]
    cases.append(case)


E3 = [3, 4, 5]
for i in range(12):
    add("greedy %d" % i, dict(max_new_tokens=random.choice([1, 6, 15]), eos_token_id=random.choice([3, E3, None])), batch=1 + i % 3, bonus=random.choice([0.0, 2.0]), padded=i % 2 == 1)
add("greedy, max_length", dict(max_length=9, eos_token_id=3), length=5)
add("greedy, neither length", dict(eos_token_id=3), length=5)
add("greedy, min_new_tokens", dict(max_new_tokens=12, min_new_tokens=6, eos_token_id=E3), batch=3, bonus=6.0)
add("greedy, min_length", dict(max_length=20, min_length=9, eos_token_id=E3), batch=3, bonus=6.0)
add("greedy, penalties", dict(max_new_tokens=12, repetition_penalty=1.7, no_repeat_ngram_size=2, eos_token_id=3), batch=2)
add("greedy, forced eos", dict(max_new_tokens=7, forced_eos_token_id=5, eos_token_id=E3), batch=2)
add("greedy, begin suppress", dict(max_new_tokens=5, begin_suppress_tokens=list(range(6, 20)), suppress_tokens=[20, 21], eos_token_id=3), batch=2)
for i in range(110):
    beams = random.choice([2, 3, 4, 5])
    settings = dict(
        num_beams=beams,
        num_return_sequences=random.randrange(1, beams + 1),
        max_new_tokens=random.choice([1, 2, 5, 9, 14]),
        length_penalty=random.choice([1.0, 1.0, 0.0, 0.5, 2.0, -1.0]),
        early_stopping=random.choice([False, True, "never"]),
        eos_token_id=random.choice([3, [3, 4], E3, None]),
    )
    if i % 4 == 0:
        settings["repetition_penalty"] = 1.3
    if i % 5 == 0:
        settings["no_repeat_ngram_size"] = 2
    if i % 6 == 0:
        settings["min_new_tokens"] = 3
    if i % 7 == 0:
        settings["renormalize_logits"] = True
        settings["bad_words_ids"] = [[7], [8, 9]]
    if i % 3 == 1:  # padded: there the reference's penalties count the padding in, ours do not
        settings.pop("repetition_penalty", None)
        settings.pop("no_repeat_ngram_size", None)
    if settings["eos_token_id"] is None:
        settings.pop("min_new_tokens", None)
    add("beams %d" % i, settings, batch=random.choice([1, 1, 2, 3]), length=random.choice([1, 3, 5]), bonus=random.choice([0.0, 1.5, 3.0, 5.0]), padded=i % 3 == 1)
# What fills the ends of beams: an eos id where the pad id is 0, and -1 without eos ids, whatever the pad id is.
for i in range(4):
    shape = dict(num_beams=3, num_return_sequences=3, max_new_tokens=9, early_stopping=[False, True][i % 2])
    add("beams, pad 0, %d" % i, dict(shape, pad_token_id=0, eos_token_id=[3, E3][i // 2]), batch=2, bonus=3.0)
    add("beams, no eos, %d" % i, dict(shape, pad_token_id=[0, 1][i // 2], eos_token_id=None), batch=2, stop_at=7)

with open("generate.json", "w") as f:
    f.write(json.dumps(dict(transformers=transformers.__version__, cases=[])).replace("[]}", "[\n"))
    f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
