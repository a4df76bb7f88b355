# SPDX-License-Identifier: Apache-2.0
"""Makes beams.safetensors beside this file: beam search of the reference on the recorded models and their prompts with pictures and videos.

Run with transformers 5.12 and PyTorch on the CPU, after make_vision_cases.py:  python3 make_beam_cases.py
Names are `vNN.SCENARIO.field`: the prompt is that of the scenario in vNN/cases.safetensors; sequences [prompts * returned, prompt + new] and
sequences_scores [prompts * returned]. NUM_BEAMS beams, NUM_RETURN sequences for each prompt, NEW_TOKENS new tokens, no eos.

Only what f32 and f64 agree on is recorded, so that no case hangs on rounding.
"""
import os, sys
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_vision_cases as cases

NUM_BEAMS, NUM_RETURN, NEW_TOKENS = 3, 2, 4
INPUTS = ('input_ids', 'attention_mask', 'mm_token_type_ids', 'pixel_values', 'pixel_values_videos', 'image_grid_thw', 'video_grid_thw')

record = {}
for index in range(len(cases.VISION)):
    folder = os.path.join(HERE, f'v{index:02d}')
    tensors = load_file(os.path.join(folder, 'cases.safetensors'))
    reference = cases.VisionReference(folder, cases.make_config(index)['model_type'] == 'qwen3_5')
    double = cases.DoubleVisionReference(reference)
    for scenario in ('generate', 'generate_video'):
        step = {name: tensors[f'{scenario}.0.{name}'] for name in INPUTS if f'{scenario}.0.{name}' in tensors}
        step = {k: v.long() if k != 'mm_token_type_ids' and not v.is_floating_point() else v for k, v in step.items()}
        outputs = []
        for run in (reference, double):
            run.begin(64, False)
            run.model.model.rope_deltas = None
            inputs = {k: v.double() if run is double and v.is_floating_point() else v for k, v in step.items()}
            outputs.append(run.model.generate(**inputs, do_sample=False, num_beams=NUM_BEAMS, num_return_sequences=NUM_RETURN, max_new_tokens=NEW_TOKENS,
                                              eos_token_id=None, pad_token_id=0, output_scores=True, return_dict_in_generate=True))
        same = torch.equal(outputs[0].sequences, outputs[1].sequences)
        error = (outputs[0].sequences_scores - outputs[1].sequences_scores).abs().max().item()
        print(f'v{index:02d} {scenario}: f64 has the same sequences: {same}, scores differ by {error:.1e}', flush=True)
        if same:
            record[f'v{index:02d}.{scenario}.sequences'] = outputs[0].sequences.int().contiguous()
            record[f'v{index:02d}.{scenario}.sequences_scores'] = outputs[0].sequences_scores.float().contiguous()
save_file(record, os.path.join(HERE, 'beams.safetensors'), metadata={'made_by': f'transformers {transformers.__version__}, torch {torch.__version__}'})
