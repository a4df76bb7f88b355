# SPDX-License-Identifier: Apache-2.0
# Makes processor.json with the reference's processor (transformers, torchvision) on the shapes checkpoint's files. Run it in a folder that has
# them as shapes/, tests/data/media/files as media/, and the family's published template as chat_template.jinja; it writes into that folder.
# Patch rows are recorded as the CRC-32 of their bytes. Frames are the pictures that make_media_cases.py makes.
import json, warnings, zlib
import numpy as np
import torch, torchvision, transformers
from transformers import AutoTokenizer
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.video_utils import VideoMetadata

warnings.filterwarnings("ignore")
processor = Qwen3VLProcessor(image_processor=Qwen2VLImageProcessor.from_pretrained("shapes"), tokenizer=AutoTokenizer.from_pretrained("shapes"),
                             video_processor=Qwen3VLVideoProcessor.from_pretrained("shapes"), chat_template=open("chat_template.jinja").read())


def noise(width, height, seed):
    i = np.arange(height * width * 3, dtype=np.uint32)
    with np.errstate(over="ignore"):
        x = (i + np.uint32(seed * 7919)) * np.uint32(2654435761)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(2246822519)
        x = x ^ (x >> np.uint32(13))
    return (x & 255).astype(np.uint8).reshape(height, width, 3)


def user(*parts):
    return {"role": "user", "content": [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]}


def image(name):
    return {"type": "image", "image": "media/" + name}


VIDEO = {"type": "video"}
ask = "What is in this image?"
shown = {"role": "assistant", "content": "A red circle."}
system = {"role": "system", "content": "You look at shapes and answer questions about them."}
# name, conversations, clips as (width, height, frames, seed of the first, fps), options of the template, of the processor
CASES = [
    ("one", [[user(image("rgb.png"), ask)]], [], {"add_generation_prompt": True}, {}),
    ("sizes", [[system, user(image("rgb.png"), image("noise.jpg"), "Compare: ", image("large.jpg")), shown, user("And ", image("grey.png"), " this?")]], [],
     {"add_generation_prompt": True, "enable_thinking": False, "add_vision_id": True}, {}),
    ("video", [[user(VIDEO, "Which way does the star move?")]], [(64, 64, 6, 3, 2)], {"add_generation_prompt": True}, {}),
    ("odd video", [[user(VIDEO, "Describe this video.")]], [(100, 70, 9, 4, 7.5)], {}, {"do_sample_frames": False}),
    ("no rate", [[user(VIDEO, "Describe this video.")]], [(64, 48, 30, 5, None)], {}, {}),
    ("frames", [[user(VIDEO, "Describe this video.")]], [(64, 48, 30, 6, 10)], {}, {"num_frames": 5, "fps": None}),
    ("rate", [[user(VIDEO, "Describe this video.")]], [(64, 48, 30, 6, 10)], {}, {"fps": 3}),
    ("left", [[user(image("rgb.png"), ask)], [user("How many shapes are there?")], [user(VIDEO, "Then ", image("noise.jpg"), VIDEO)]],
     [(64, 64, 4, 7, 1), (96, 64, 5, 8, 2)], {"add_generation_prompt": True}, {"padding": True, "padding_side": "left"}),
    ("right", [[user("Hello")], [user(image("grey.png"), image("rgb.png"), "?")]], [], {}, {"padding": True, "padding_side": "right"}),
    ("max_length", [[user("Hello")], [user("There is a red circle.")]], [], {}, {"padding": "max_length", "max_length": 40, "padding_side": "left"}),
    ("pixels", [[user(image("large.jpg"), ask)]], [], {}, {"images_kwargs": {"min_pixels": 1024, "max_pixels": 4096}}),
    ("unscaled", [[user(image("noise.jpg"), ask)]], [], {}, {"images_kwargs": {"do_normalize": False, "size": {"shortest_edge": 1024, "longest_edge": 2048}}}),
]

out = {"versions": {"transformers": transformers.__version__, "torch": torch.__version__, "torchvision": torchvision.__version__}, "cases": []}
for name, conversations, clips, template, options in CASES:
    texts = [processor.apply_chat_template(c, **template) for c in conversations]
    images = [[p["image"] for m in c if isinstance(m["content"], list) for p in m["content"] if p["type"] == "image"] for c in conversations]
    videos = [np.stack([noise(w, h, seed + k) for k in range(n)]) for w, h, n, seed, _ in clips]
    metadata = [VideoMetadata(total_num_frames=n, fps=fps, frames_indices=list(range(n))) for _, _, n, _, fps in clips]
    got = processor(text=texts, images=images if any(images) else None, videos=[torch.from_numpy(v).permute(0, 3, 1, 2) for v in videos] or None,
                    **({"video_metadata": metadata} if clips else {}), **options)
    case = {"name": name, "conversations": conversations, "clips": clips, "template": template, "options": options, "texts": texts,
            "input_ids": [list(map(int, r)) for r in got["input_ids"]], "attention_mask": [list(map(int, r)) for r in got["attention_mask"]],
            "mm_token_type_ids": [list(map(int, r)) for r in got["mm_token_type_ids"]]}
    for key, grid in (("pixel_values", "image_grid_thw"), ("pixel_values_videos", "video_grid_thw")):
        if key in got:
            values = np.concatenate([np.asarray(v, dtype=np.float32).reshape(-1, 1536) for v in got[key]]) if isinstance(got[key], list) else np.asarray(got[key], dtype=np.float32)
            case[key] = {"shape": list(values.shape), "crc": zlib.crc32(np.ascontiguousarray(values).tobytes()), "first": [float(v) for v in values[0, :3]]}
            case[grid] = [[int(x) for x in row] for row in got[grid]]
    # The same through apply_chat_template, where it loads the pictures itself.
    if not clips and name != "max_length":
        again = processor.apply_chat_template(conversations, tokenize=True, return_dict=True, processor_kwargs=dict(options), **template)
        assert [list(map(int, r)) for r in again["input_ids"]] == case["input_ids"], name
    out["cases"].append(case)
with open("processor.json", "w") as file:
    file.write("{\"versions\": " + json.dumps(out["versions"]) + ",\n\"cases\": [\n" + ",\n".join(json.dumps(c) for c in out["cases"]) + "\n]}\n")
print(len(out["cases"]), "cases")
