# SPDX-License-Identifier: Apache-2.0
# Writes processors.json: what the reference's logits processors do with random rows, one at a time and together in generate()'s order.
# Run with transformers 5.12 installed: python3 make_processors.py
import json
import random

import torch
import transformers
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel

random.seed(1)
torch.manual_seed(1)


class Nothing(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.unused = torch.nn.Linear(1, 1)

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        raise NotImplementedError


model = Nothing(PretrainedConfig(vocab_size=61))


def numbers(row):
    # JSON has no infinities: null is -inf. Nine digits tell every f32.
    return [None if x == -float("inf") else "inf" if x == float("inf") else "nan" if x != x else float("%.9g" % x) for x in row]


def random_scores(rows, vocab, scale):
    # Different values, or the outcome of ties would be the sort's.
    scores = torch.randn(rows, vocab) * scale
    assert len(set(scores.flatten().tolist())) == rows * vocab
    return scores


cases = []


def add(name, settings, rows=2, vocab=61, length=9, prompt=5, scale=3.0, ids=None, scores=None):
    settings = dict(settings)
    full = dict(model.generation_config._get_default_generation_params())
    full.update(eos_token_id=[3, 7], pad_token_id=0, top_k=0, max_length=40)
    full.update(settings)
    config = GenerationConfig(**full)
    model._prepare_special_tokens(config, True, "cpu")
    if config.min_new_tokens is not None:
        config.min_length = config.min_new_tokens + prompt
    if ids is None:
        ids = torch.randint(0, 12 if vocab > 12 else vocab, (rows, length))  # few kinds, so that ids and n-grams repeat
    model.config.vocab_size = vocab  # the watermark's
    processors = model._get_logits_processor(
        config, input_ids_seq_length=prompt, encoder_input_ids=ids[:, :prompt], logits_processor=[], device="cpu", model_kwargs={}
    )
    if scores is None:
        scores = random_scores(ids.shape[0], vocab, scale)
    out = processors(ids, scores.clone())
    given = {k: v for k, v in full.items() if v != model.generation_config._get_default_generation_params().get(k, None)}
    given["top_k"] = full["top_k"]
    cases.append(
        dict(
            name=name,
            config=given,
            prompt_length=prompt,
            processors=[type(p).__name__ for p in processors],
            input_ids=ids.tolist(),
            scores=[numbers(r) for r in scores.tolist()],
            expected=[numbers(r) for r in out.tolist()],
        )
    )


for p in (1.3, 0.8):
    add("repetition %g" % p, dict(repetition_penalty=p))
for n in (1, 2, 3):
    add("ngram %d" % n, dict(no_repeat_ngram_size=n), length=30)
add("ngram longer than the row", dict(no_repeat_ngram_size=10), length=9)
add("bias", dict(sequence_bias=[[[5], 2.5], [[9], -1.25], [[5], 0.5], [[4, 8, 11], 7.0]]))
ids = torch.tensor([[1, 2, 4, 8], [8, 4, 9, 8]])
add("bias of sequences", dict(sequence_bias=[[[4, 8, 11], 7.0], [[8, 12], -3.0], [[8, 12, 4, 8, 9], 1.0], [[1, 2, 4, 8, 20], 1.5]]), ids=ids, prompt=3)
add("bad words", dict(bad_words_ids=[[5], [3], [4, 8, 11], [8, 12], [0]]), ids=ids, prompt=3)
add("bias of a sequence as long as the row and one", dict(sequence_bias=[[[4, 8], 7.0]]), ids=torch.tensor([[4], [5]]), prompt=1)
add("min_length", dict(min_length=10), length=9)
add("min_length reached", dict(min_length=9), length=9)
add("min_new_tokens", dict(min_new_tokens=5), length=9, prompt=5)
add("min_new_tokens reached", dict(min_new_tokens=4), length=9, prompt=5)
add("forced bos", dict(forced_bos_token_id=17), length=1, prompt=1)
add("forced bos later", dict(forced_bos_token_id=17), length=2, prompt=1)
add("forced eos", dict(forced_eos_token_id=[7, 9], max_length=10), length=9)
add("forced eos earlier", dict(forced_eos_token_id=7, max_length=10), length=8)
bad = random_scores(2, 61, 3.0)
bad[0, 5] = float("inf")
bad[0, 6] = -float("inf")
bad[1, 8] = float("nan")
add("invalid values", dict(remove_invalid_values=True), scores=bad)
add("decay", dict(exponential_decay_length_penalty=(2, 1.4)), length=12)
add("decay not yet", dict(exponential_decay_length_penalty=(4, 1.4)), length=9)
add("suppress", dict(suppress_tokens=[0, 4, 60]))
add("begin suppress", dict(begin_suppress_tokens=[1, 2]), length=5)
add("begin suppress later", dict(begin_suppress_tokens=[1, 2]), length=6)
add("begin suppress after bos", dict(begin_suppress_tokens=[1, 2], forced_bos_token_id=4), length=2, prompt=1)
add("renormalize", dict(renormalize_logits=True))
for t in (0.6, 1.7):
    add("temperature %g" % t, dict(do_sample=True, temperature=t))
for k in (1, 5, 60, 61, 500):
    add("top_k %d" % k, dict(do_sample=True, top_k=k))
for p in (0.0, 0.1, 0.5, 0.95, 0.9999):
    add("top_p %g" % p, dict(do_sample=True, top_p=p))
add("top_p of a flat row", dict(do_sample=True, top_p=0.9), vocab=300, scale=0.05, rows=1)
for p in (0.0, 0.05, 0.5, 1.0):
    add("min_p %g" % p, dict(do_sample=True, min_p=p))
for h in (0.1, 0.5, 0.9):
    add("top_h %g" % h, dict(do_sample=True, top_h=h))
add("top_h of a long row", dict(do_sample=True, top_h=0.7), vocab=300, scale=1.0, rows=1)
for m in (0.1, 0.5, 0.95):
    add("typical %g" % m, dict(do_sample=True, typical_p=m))
add("typical of a flat row", dict(do_sample=True, typical_p=0.9), vocab=300, scale=0.2, rows=1)
for e in (0.001, 0.02, 0.9):
    add("epsilon %g" % e, dict(do_sample=True, epsilon_cutoff=e))
    add("eta %g" % e, dict(do_sample=True, eta_cutoff=e))
for settings in (dict(top_k=1), dict(top_p=0.1), dict(min_p=1.0), dict(epsilon_cutoff=0.9), dict(eta_cutoff=0.9), dict(typical_p=0.01)):
    add("beams keep more than the eos ids: %s" % list(settings)[0], dict(do_sample=True, num_beams=3, **settings))
add("beams without eos keep two", dict(do_sample=True, num_beams=3, top_k=1, eos_token_id=None))

pool = dict(
    sequence_bias=lambda: [[[random.randrange(1, 61)], random.uniform(-4, 4)] for _ in range(3)],
    repetition_penalty=lambda: random.choice([1.1, 1.5, 0.7]),
    no_repeat_ngram_size=lambda: random.choice([1, 2, 3]),
    bad_words_ids=lambda: [[random.randrange(61)], [random.randrange(12), random.randrange(61)]],
    min_length=lambda: random.choice([4, 30]),
    min_new_tokens=lambda: random.choice([2, 30]),
    remove_invalid_values=lambda: True,
    exponential_decay_length_penalty=lambda: (random.randrange(8), random.uniform(1.01, 1.5)),
    suppress_tokens=lambda: [random.randrange(61) for _ in range(4)],
    begin_suppress_tokens=lambda: [random.randrange(61) for _ in range(4)],
    temperature=lambda: random.choice([0.5, 0.9, 1.6]),
    top_h=lambda: random.choice([0.5, 0.8]),
    top_k=lambda: random.choice([3, 20, 40]),
    top_p=lambda: random.choice([0.5, 0.8, 0.95]),
    min_p=lambda: random.choice([0.01, 0.1]),
    typical_p=lambda: random.choice([0.5, 0.9]),
    epsilon_cutoff=lambda: random.choice([1e-3, 1e-2]),
    eta_cutoff=lambda: random.choice([1e-3, 1e-2]),
    renormalize_logits=lambda: True,
)
for i in range(60):
    settings = {k: pool[k]() for k in random.sample(sorted(pool), random.randrange(2, 9))}
    if i % 3 != 0:
        settings["do_sample"] = True
    if i % 5 == 0:
        settings["num_beams"] = 2
    if "exponential_decay_length_penalty" in settings:  # of a masked eos id it makes NaN
        settings.pop("min_length", None)
        settings.pop("min_new_tokens", None)
        settings["suppress_tokens"] = [8]
        settings["begin_suppress_tokens"] = [9]
        settings["bad_words_ids"] = [[10], [6, 11]]
        settings.pop("no_repeat_ngram_size", None)
    prompt = random.randrange(1, 8)
    add("together %d" % i, settings, rows=1, prompt=prompt, length=prompt + random.randrange(0, 9), scale=random.choice([1.0, 4.0]))

for p in (1.3, 0.8):
    add("encoder repetition %g" % p, dict(encoder_repetition_penalty=p), length=12)
for n in (1, 2, 3, 6):
    add("encoder ngram %d" % n, dict(encoder_no_repeat_ngram_size=n), length=24, prompt=18)
add("encoder ngram longer than the row", dict(encoder_no_repeat_ngram_size=12), length=9)
add("both penalties of the prompt", dict(encoder_repetition_penalty=1.4, repetition_penalty=1.2, encoder_no_repeat_ngram_size=2, no_repeat_ngram_size=2), length=24, prompt=18)
for settings in (
    dict(),
    dict(greenlist_ratio=0.5, bias=1.25),
    dict(hashing_key=5),
    dict(hashing_key=2**61 + 12345),
    dict(context_width=3),
    dict(seeding_scheme="selfhash"),
    dict(seeding_scheme="selfhash", context_width=4, greenlist_ratio=0.4),
    dict(seeding_scheme="selfhash", context_width=2, hashing_key=987654321987),
):
    add("watermark %s" % settings, dict(watermarking_config=settings), rows=3, length=14)
add("watermark of a large vocabulary", dict(watermarking_config=dict()), rows=1, vocab=2003)
add("watermark of a row that is too short", dict(watermarking_config=dict(context_width=12)), rows=1)
add("watermark of what sampling left", dict(watermarking_config=dict(greenlist_ratio=0.5), do_sample=True, top_k=20, temperature=0.7, renormalize_logits=True))

with open("processors.json", "w") as f:
    f.write(json.dumps(dict(transformers=transformers.__version__, cases=[])).replace("[]}", "[\n"))
    f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
