# SPDX-License-Identifier: Apache-2.0
"""Makes attentions/cases.safetensors beside this file: what the reference's vision tower returns for output_attentions on recorded models and their pictures.

Run with transformers 5.12 and PyTorch on the CPU, after make_vision_cases.py:  python3 make_attention_cases.py
Names are `vNN.0.attentions`, [blocks, patches, hidden_size], for the input of `tower` in vNN/cases.safetensors; `.bar` where twice the distance from
f64 is above the tests' usual bar.
"""
import os
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
BAR = 3.2e-5

record = {}
for name in ('v01', 'v02', 'v05'):
    folder = os.path.join(HERE, name)
    tower = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').model.visual.eval()
    inputs = load_file(os.path.join(folder, 'cases.safetensors'))
    pixels, grid = inputs['tower.0.pixel_values'].float(), inputs['tower.0.grid_thw'].long()
    with torch.no_grad():
        single = torch.stack(tower(pixels, grid_thw=grid, output_attentions=True).attentions)
        double = torch.stack(tower.double()(pixels.double(), grid_thw=grid, output_attentions=True).attentions)
    error = max(((a - b).norm() / b.norm()).item() for a, b in zip(single.double(), double))
    print(f'{name}: {tuple(single.shape)}, from f64 {error:.1e}')
    record[f'{name}.0.attentions'] = single.contiguous()
    if 2 * error > BAR:
        record[f'{name}.0.attentions.bar'] = torch.tensor([2 * error])
os.makedirs(os.path.join(HERE, 'attentions'), exist_ok=True)
save_file(record, os.path.join(HERE, 'attentions', 'cases.safetensors'),
          metadata={'made_by': f'transformers {transformers.__version__}, torch {torch.__version__}'})
