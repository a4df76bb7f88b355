# SPDX-License-Identifier: Apache-2.0
"""Times the reference's vision tower in fp32 on random patches of a 768 x 768 picture: python3 vision_peer.py FOLDER THREADS prints milliseconds."""
import sys
import time

import torch
from transformers import Qwen3_5MoeForConditionalGeneration

torch.set_num_threads(int(sys.argv[2]))
torch.set_grad_enabled(False)
tower = Qwen3_5MoeForConditionalGeneration.from_pretrained(sys.argv[1], dtype=torch.float32).model.visual.eval()
patches, grid = torch.rand(2304, 1536) * 2 - 1, torch.tensor([[1, 48, 48]])
for _ in range(4):
    begun = time.perf_counter()
    tower(patches, grid_thw=grid)
    print(round(1000 * (time.perf_counter() - begun)), flush=True)
