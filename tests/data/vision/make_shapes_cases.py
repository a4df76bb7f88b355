# SPDX-License-Identifier: Apache-2.0
"""Makes shapes/cases.safetensors: what the reference computes with the shapes checkpoint's tower and whole model, in f32 on the upcast weights.

Run in a folder that has the checkpoint as shapes/, the pictures of ../generate/scenes as scenes/, and the family's published template as
chat_template.jinja. Names as in make_vision_cases.py, but pixel rows are kept as the 8-bit pixels they come from, `pixels`: v -> (v - 127.5) / 127.5.

  tower.0    pixels of three pictures and a clip, grid_thw -> patch, embedded, block.N, merged
  mixed.0    a batch of two conversations, one with two pictures and one with the clip, left-padded (their pixels are those
             of the tower's first, third and last item) -> positions, rope_deltas, logits of the last 12 tokens
"""
import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoTokenizer, Qwen3_5MoeForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.video_utils import VideoMetadata

torch.set_grad_enabled(False)
torch.set_num_threads(1)
processor = Qwen3VLProcessor(image_processor=Qwen2VLImageProcessor.from_pretrained("shapes"), tokenizer=AutoTokenizer.from_pretrained("shapes"),
                             video_processor=Qwen3VLVideoProcessor.from_pretrained("shapes"), chat_template=open("chat_template.jinja").read())
model = Qwen3_5MoeForConditionalGeneration.from_pretrained("shapes", dtype=torch.float32).eval()
visual, record = model.model.visual, {}

picture = {name: Image.open(f"scenes/{name}.png").convert("RGB") for name in "abc"}
frames = [np.array(Image.open(f"scenes/clip/{k}.png").convert("RGB")) for k in range(6)]
clip = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
metadata = [VideoMetadata(total_num_frames=6, fps=2)]


def pixels(rows):
    out = (rows * 127.5 + 127.5).round().to(torch.uint8)
    assert torch.equal((out.float() - 127.5) / 127.5, rows)
    return out


stills = processor.image_processor(images=[picture[n] for n in "abc"], return_tensors="pt")
video = processor.video_processor(videos=[clip], video_metadata=metadata, return_tensors="pt")
rows = torch.cat([stills["pixel_values"], video["pixel_values_videos"]])
grid = torch.cat([stills["image_grid_thw"], video["video_grid_thw"]])
record["tower.0.pixels"], record["tower.0.grid_thw"] = pixels(rows), grid.int()
keep = lambda name: lambda m, a, o: record.__setitem__(name, o.clone())
hooks = [visual.patch_embed.register_forward_hook(keep("tower.0.patch")),
         visual.blocks[0].register_forward_pre_hook(lambda m, a: record.__setitem__("tower.0.embedded", a[0].clone()))]
hooks += [b.register_forward_hook(keep(f"tower.0.block.{i}")) for i, b in enumerate(visual.blocks)]
record["tower.0.merged"] = visual(rows, grid_thw=grid).pooler_output.clone()
for hook in hooks:
    hook.remove()

ask = lambda media, text: [{"role": "user", "content": [{"type": m, m: "-"} for m in media] + [{"type": "text", "text": text}]}]
texts = [processor.apply_chat_template(ask(media, text), add_generation_prompt=True, enable_thinking=False)
         for media, text in ((["image", "image"], "Describe this image."), (["video"], "Which way does the triangle move?"))]
inputs = processor(text=texts, images=[picture["a"], picture["c"]], videos=[clip], video_metadata=metadata, padding=True, padding_side="left", return_tensors="pt")
out = model(**inputs)
positions, deltas = model.model.get_rope_index(inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"],
                                               video_grid_thw=inputs["video_grid_thw"], attention_mask=inputs["attention_mask"])
for name in ("input_ids", "attention_mask", "mm_token_type_ids", "image_grid_thw", "video_grid_thw"):
    record[f"mixed.0.{name}"] = inputs[name].int()
a, c = grid[0].prod(), grid[2].prod()  # the rows are those of the tower: of the first picture, of the third, of the clip
assert torch.equal(inputs["pixel_values"], torch.cat([rows[:a], rows[grid[:2].prod(1).sum():][:c]]))
assert torch.equal(inputs["pixel_values_videos"], video["pixel_values_videos"])
record["mixed.0.positions"], record["mixed.0.rope_deltas"] = positions.int(), deltas.int()
record["mixed.0.logits"] = out.logits[:, -12:]
save_file({k: v.contiguous() for k, v in record.items()}, "cases.safetensors",
          metadata={"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}"})
print({k: tuple(v.shape) for k, v in record.items()})
