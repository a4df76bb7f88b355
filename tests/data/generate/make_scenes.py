# SPDX-License-Identifier: Apache-2.0
# Makes scenes/ and scenes.json with the reference's model, in fp32 on the upcast weights of the shapes checkpoint: pictures and a clip as PNG
# files, conversations about them, and the reference's greedy answers, each from one cold pass. Run it in a folder that has the checkpoint as
# shapes/, the drawing of its scenes as scenes.py, and the family's published template as chat_template.jinja.
import json, os, random, warnings
import numpy as np
import torch, transformers
from PIL import Image
from transformers import AutoTokenizer, Qwen3_5MoeForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.video_utils import VideoMetadata
import scenes as world

warnings.filterwarnings("ignore")
torch.set_grad_enabled(False)
processor = Qwen3VLProcessor(image_processor=Qwen2VLImageProcessor.from_pretrained("shapes"), tokenizer=AutoTokenizer.from_pretrained("shapes"),
                             video_processor=Qwen3VLVideoProcessor.from_pretrained("shapes"), chat_template=open("chat_template.jinja").read())
model = Qwen3_5MoeForConditionalGeneration.from_pretrained("shapes", dtype=torch.float32).eval()

os.makedirs("scenes/clip", exist_ok=True)
pictures, seed = {}, 0
while len(pictures) < 3:  # two of one size, one of another
    image, objects = world.scene(random.Random(seed))
    seed += 1
    if len(objects) == 2 and image.size == ((128, 96) if len(pictures) < 2 else (96, 64)):
        pictures["abc"[len(pictures)]] = image
        image.save(f"scenes/{'abc'[len(pictures) - 1]}.png")
frames = next(f for f in (world.clip(random.Random(s))[0] for s in range(100)) if len(f) == 6)
for k, frame in enumerate(frames):
    frame.save(f"scenes/clip/{k}.png")


def ask(media, text):
    return [{"type": "video" if m == "clip" else "image", ("video" if m == "clip" else "image"): m} for m in media] + [{"type": "text", "text": text}]


CASES = [
    ("one", [(["a"], "Describe this image."), ([], "How many shapes are there?")]),
    ("other", [(["b"], "Describe this image.")]),
    ("later", [(["a"], "What is in this image?"), (["c"], "How many shapes are there?"), (["b"], "Describe the picture.")]),
    ("two", [(["a", "b"], "Describe this image.")]),
    ("swapped", [(["b", "a"], "Describe this image.")]),
    ("clip", [(["clip"], "Describe this video."), (["c"], "Describe this image.")]),
]
out = []
for name, turns in CASES:
    for thinking in (False, True):
        messages, answers = [], []
        for media, text in turns:
            messages.append({"role": "user", "content": ask(media, text)})
            prompt = processor.apply_chat_template(messages, add_generation_prompt=True, enable_thinking=thinking)
            used = [p.get("image") or p.get("video") for m in messages if m["role"] == "user" for p in m["content"] if p["type"] != "text"]
            images = [pictures[u] for u in used if u != "clip"]
            videos = [torch.from_numpy(np.stack([np.array(f) for f in frames])).permute(0, 3, 1, 2) for u in used if u == "clip"]
            inputs = processor(text=[prompt], images=images or None, videos=videos or None, return_tensors="pt",
                               **({"video_metadata": [VideoMetadata(total_num_frames=len(frames), fps=2)] * len(videos)} if videos else {}))
            ids = model.generate(**inputs, do_sample=False, max_new_tokens=80)[0, inputs["input_ids"].shape[1]:].tolist()
            text = processor.decode([i for i in ids if i != 435])
            reasoning, _, content = text.rpartition("</think>")
            answers.append({"prompt_tokens": inputs["input_ids"].shape[1], "ids": ids, "answer": content.strip("\n")})
            message = {"role": "assistant", "content": content.strip("\n")}
            messages.append(message)
        out.append({"name": name, "thinking": thinking, "turns": [{"media": m, "question": t, **a} for (m, t), a in zip(turns, answers)]})
        print(name, thinking, [a["answer"] for a in answers])
with open("scenes.json", "w") as file:
    file.write("{\"versions\": " + json.dumps({"transformers": transformers.__version__, "torch": torch.__version__}) + ",\n\"fps\": 2,\n\"cases\": [\n" +
               ",\n".join(json.dumps(c) for c in out) + "\n]}\n")
