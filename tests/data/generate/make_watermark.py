# SPDX-License-Identifier: Apache-2.0
# Writes watermark.json: what the reference's WatermarkDetector says of random texts and of texts with many green tokens; and the transition scores of
# random scores. Run with transformers 5.12 installed: python3 make_watermark.py
import json
import random

import torch
import transformers
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel, WatermarkDetector, WatermarkingConfig

random.seed(3)
torch.manual_seed(3)
VOCAB = 131
config = PretrainedConfig(vocab_size=VOCAB)
config.bos_token_id = 1
cases = []
for settings in (
    {},
    dict(greenlist_ratio=0.5, hashing_key=77),
    dict(context_width=3),
    dict(seeding_scheme="selfhash"),
    dict(seeding_scheme="selfhash", context_width=4, greenlist_ratio=0.4, hashing_key=123456789012345),
):
    full = WatermarkingConfig(**settings)
    detector = WatermarkDetector(config, "cpu", full)
    for kind in range(4):
        ids = torch.randint(2, VOCAB, (3, 30))
        if kind in (1, 2):  # rows 1 and 2 take green tokens where they can
            for row in range(1, 3):
                for i in range(full.context_width, ids.shape[1]):
                    scores = torch.randn(1, VOCAB)
                    marked = detector.processor(ids[row : row + 1, :i], scores.clone())
                    green = (marked != scores).nonzero()[:, 1]
                    if len(green):
                        ids[row, i] = green[random.randrange(len(green))]
        if kind == 2:
            ids[:, 0] = 1
        out = detector(ids, z_threshold=2.0, return_dict=True)
        cases.append(
            dict(
                config={k: v for k, v in settings.items()},
                input_ids=ids.tolist(),
                num_tokens_scored=out.num_tokens_scored.tolist(),
                num_green_tokens=out.num_green_tokens.tolist(),
                green_fraction=out.green_fraction.tolist(),
                z_score=out.z_score.tolist(),
                p_value=out.p_value.tolist(),
                prediction=out.prediction.tolist(),
                confidence=out.confidence.tolist(),
            )
        )


class Nothing(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.unused = torch.nn.Linear(1, 1)

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        raise NotImplementedError


model = Nothing(PretrainedConfig(vocab_size=9))
transitions = []
for beams in (False, True):
    for normalize in (False, True):
        rows, steps, running = (3, 4, 3) if not beams else (2, 5, 6)
        scores = tuple(torch.randn(running, 9) * 2 for _ in range(steps))
        sequences = torch.randint(0, 9, (rows, 6 + steps - beams))
        indices = None
        if beams:  # the longest has steps - 1 tokens
            indices = torch.randint(0, running, (rows, steps))
            indices[0, 2:] = -1
            indices[1, 4:] = -1
        out = model.compute_transition_scores(sequences, scores, indices, normalize_logits=normalize)
        transitions.append(
            dict(
                sequences=sequences.tolist(),
                scores=[s.tolist() for s in scores],
                beam_indices=None if indices is None else indices.tolist(),
                normalize_logits=normalize,
                expected=out.tolist(),
            )
        )
with open("watermark.json", "w") as f:
    json.dump(dict(transformers=transformers.__version__, vocab_size=VOCAB, cases=cases, transition_scores=transitions), f, separators=(",", ":"))
    f.write("\n")
