# SPDX-License-Identifier: Apache-2.0
"""Fresh scenes of the shapes world, the reference's answers to questions about them, and whether ours are the same.

  python3 check_scenes.py make COUNT SEED OUT    COUNT scenes each of text, picture and clip: OUT/requests.jsonl for qwen35-describe --jsonl, their
                                                 files, and OUT/answers.jsonl, the reference's greedy answers (fp32 on the upcast weights, thinking off)
  qwen35-describe --jsonl < OUT/requests.jsonl > OUT/ours.jsonl
  python3 check_scenes.py compare OUT [FILE]     counts equal answers (in ours.jsonl, or another file of OUT); for each that differs, how near the reference was
                                                 to the other token
A packed or GGUF file is held against the reference in the same way: qwen35-pack shapes q4.qwen35 -r q4, then qwen35-describe -m q4.qwen35 --jsonl.

Run it in a folder that has the checkpoint as shapes/, the drawing of its scenes as scenes.py, and the family's published template as chat_template.jinja.
"""
import json, os, random, sys


def make(count, seed, out):
    import numpy as np
    import torch
    import warnings
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
    torch.set_num_threads(1)  # the model is tiny
    rng = random.Random(seed)
    os.makedirs(out, exist_ok=True)
    requests, answers = open(f"{out}/requests.jsonl", "w"), open(f"{out}/answers.jsonl", "w")
    for index in range(3 * count):
        kind = ("text", "image", "video")[index % 3]
        images, videos, metadata, request = None, None, {}, {}
        if kind == "video":
            frames, question, wanted, _ = world.clip(rng)
            rate = rng.choice([1, 2])
            folder = f"{out}/clip{index}"
            os.makedirs(folder, exist_ok=True)
            for k, frame in enumerate(frames):
                frame.save(f"{folder}/{k}.png")
            videos = [torch.from_numpy(np.stack([np.array(f) for f in frames])).permute(0, 3, 1, 2)]
            metadata = {"video_metadata": [VideoMetadata(total_num_frames=len(frames), fps=rate)]}
            request = {"video": folder, "fps": rate}
        else:
            image, objects = world.scene(rng)
            question, wanted = world.question(objects, rng)
            if kind == "image":
                image.save(f"{out}/{index}.png")
                images, request = [image], {"images": [f"{out}/{index}.png"]}
            else:
                while question.startswith(("Describe", "What is in")):
                    question, wanted = world.question(objects, rng)
                listed = world.listing(objects)
                question = f"There {'is' if len(objects) == 1 else 'are'} {listed}. {question}"
        request["question"] = question
        content = [{"type": kind, kind: "-"}] if kind != "text" else []
        messages = [{"role": "user", "content": content + [{"type": "text", "text": question}]}]
        prompt = processor.apply_chat_template(messages, add_generation_prompt=True, enable_thinking=False)
        inputs = processor(text=[prompt], images=images, videos=videos, return_tensors="pt", **metadata)
        done = model.generate(**inputs, do_sample=False, max_new_tokens=80, output_logits=True, return_dict_in_generate=True)
        ids = done.sequences[0, inputs["input_ids"].shape[1]:].tolist()
        best = [step[0].topk(2) for step in done.logits]
        gap = min((b.values[0] - b.values[1]).item() for b in best)
        text = processor.decode([i for i in ids if i != 435])
        requests.write(json.dumps(request) + "\n")
        answers.write(json.dumps({"kind": kind, "answer": text, "wanted": wanted, "smallest_gap": gap}) + "\n")
        answers.flush()


def compare(out, file="ours.jsonl"):
    theirs = [json.loads(line) for line in open(f"{out}/answers.jsonl")]
    ours = [json.loads(line) for line in open(f"{out}/{file}")]
    assert len(ours) == len(theirs), f"{len(ours)} answers of ours, {len(theirs)} of the reference"
    equal, right = {}, {}
    for index, (mine, reference) in enumerate(zip(ours, theirs)):
        text = mine.get("answer", "(" + mine.get("error", "") + ")") if isinstance(mine, dict) else mine
        kind = reference["kind"]
        same = text.strip() == reference["answer"].strip()
        equal[kind] = equal.get(kind, 0) + same
        right[kind] = right.get(kind, 0) + (text.strip() == reference["wanted"])
        if not same:
            print(f"{index} ({kind}): {text!r}, the reference {reference['answer']!r}; its smallest gap between two tokens {reference['smallest_gap']:.1e}")
    print("equal to the reference:", equal, "right:", right, "of", len(theirs) // 3, "each")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        compare(*sys.argv[2:])
