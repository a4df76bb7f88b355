# SPDX-License-Identifier: Apache-2.0
# Writes the inputs that fuzzing begins with into <folder>/<driver>/: python3 make_seeds.py <folder>. The folders beside this file hold them
# and what fuzzing found in addition, minimised (libFuzzer's -merge=1) and thinned out.
import base64, json, os, struct, sys

here = os.path.dirname(os.path.abspath(__file__))
data = os.path.dirname(here)
shapes = os.path.join(os.path.dirname(os.path.dirname(data)), "examples", "shapes")
out = sys.argv[1]
counts = {}


def put(driver, content):
    os.makedirs(os.path.join(out, driver), exist_ok=True)
    number = counts[driver] = counts.get(driver, 0) + 1
    content = content if isinstance(content, bytes) else content.encode()
    with open(os.path.join(out, driver, f"seed{number:02}"), "wb") as file:
        file.write(content)


def dump(value):
    return json.dumps(value, ensure_ascii=False)


def load(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return json.load(file)


def lines(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return [json.loads(line) for line in file][1:]


# --- JSON and settings ---
put("json_fuzz_json", dump({"a": [1, -2.5e300, True, None, "\u00e9\u2028\ud83d\ude42".encode("utf-16", "surrogatepass").decode("utf-16"), {}],
                            "b": 12345678901234567890123, "c": [[[[]]]]}))
put("json_fuzz_json", '{"a":"\\ud83d\\ude42\\u0000","a":1e-400,"n":-0.0}')
config = load(shapes, "config.json")
put("config_fuzz_config", dump(config))
put("config_fuzz_config", dump(config["text_config"]))
put("config_fuzz_config", dump(config["vision_config"]))
put("config_fuzz_config", dump(load(data, "config", "moe_odd.json")))
put("sampling_fuzz_generation_config", dump(load(shapes, "generation_config.json")))
put("sampling_fuzz_generation_config", dump({
    "do_sample": True, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05, "top_h": 0.4, "typical_p": 0.95, "epsilon_cutoff": 1e-4,
    "eta_cutoff": 1e-4, "repetition_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": 0.25, "no_repeat_ngram_size": 2,
    "encoder_repetition_penalty": 1.2, "encoder_no_repeat_ngram_size": 2, "bad_words_ids": [[3], [4, 5]], "sequence_bias": [[[6], -2.5]],
    "renormalize_logits": True, "suppress_tokens": [1], "begin_suppress_tokens": [2], "num_return_sequences": 3, "max_new_tokens": 5,
    "eos_token_id": [0, 22], "pad_token_id": 0, "seed": 7}))
put("sampling_fuzz_generation_config", dump({
    "num_beams": 3, "num_return_sequences": 2, "early_stopping": "never", "length_penalty": 0.8, "forced_bos_token_id": 4,
    "forced_eos_token_id": 2, "min_length": 3, "min_new_tokens": 2, "max_length": 12, "exponential_decay_length_penalty": [2, 1.5],
    "remove_invalid_values": True, "output_scores": True, "output_logits": True, "eos_token_id": 0, "pad_token_id": 0}))
put("sampling_fuzz_generation_config", dump({
    "watermarking_config": {"greenlist_ratio": 0.25, "bias": 2.0, "hashing_key": 15485863, "context_width": 1, "seeding_scheme": "lefthash"},
    "max_new_tokens": 4, "stop_strings": ["a"], "max_time": 2.0, "guidance_scale": 1.0}))
files = {name: load(shapes, name) for name in ("preprocessor_config.json", "video_preprocessor_config.json")}
put("media_fuzz_preprocessor_config", dump(files))
put("media_fuzz_preprocessor_config", dump({"processor_config.json": {"image_processor": files["preprocessor_config.json"],
                                                                      "video_processor": files["video_preprocessor_config.json"]}}))

# --- text ---
small = load(shapes, "tokenizer.json")
small["model"]["merges"] = small["model"]["merges"][:12]
kept = {name: id for name, id in small["model"]["vocab"].items() if id < 256}
for merge in small["model"]["merges"]:
    name = "".join(merge if isinstance(merge, list) else merge.split(" "))
    kept[name] = small["model"]["vocab"][name]
small["model"]["vocab"] = kept
put("text_fuzz_tokenizer_file", dump({"tokenizer.json": small, "tokenizer_config.json": load(shapes, "tokenizer_config.json")}))
small["model"]["merges"] = [merge if isinstance(merge, list) else merge.split(" ") for merge in small["model"]["merges"]]
small["added_tokens"] = [dict(small["added_tokens"][0], special=False, normalized=True, lstrip=True, rstrip=True, single_word=True)]
put("text_fuzz_tokenizer_file", dump({"tokenizer.json": small, "chat_template.jinja": "{% for m in messages %}{{ m.content }}{% endfor %}"}))
for number, case in enumerate(lines(data, "tokenizer", "encodings.jsonl")[:24]):
    put("text_fuzz_encode", bytes([number % 2]) + "".join(case["texts"]).encode()[:400])
for number, case in enumerate(lines(data, "chat_template", "cases.jsonl")[:20]):
    put("text_fuzz_chat_template", bytes([(number * 37) % 128]) + dump(case["m"]).encode())
for case in lines(data, "chat_template", "jinja.jsonl")[:40]:
    put("text_fuzz_jinja_template", case["s"])
for number, case in enumerate(lines(data, "output_parser", "streams.jsonl")[:24]):
    put("text_fuzz_output_parser", bytes([(number * 37) % 256]) + case["s"].encode()[:1500])

# --- caches and sessions: see point_file.hpp and cache_file.hpp for what the numbers are ---
layout = (1, 2, 6, 10, 2, 4)
state, slot = 64, 2 * 2 * 2 * 8
for kv in range(0, 8):
    words = struct.pack("<7Q", *layout, kv)
    header = b"qw35kvst" + struct.pack("<Q", 3) + words
    put("cache_fuzz_cache_file", header + struct.pack("<3Q", 77, 1, 2) + struct.pack("<3Qq", 0, 0, 1, -3) + struct.pack("<2i", 5, 6)
        + b"\x3c" * (2 * slot) + b"\0" * state)
    put("cache_fuzz_cache_file", header + struct.pack("<3Q", 77, 2, 2) + struct.pack("<3Qq", 1, 1, 0, 0) + struct.pack("<3Qq", 0, 0, 0, 0)
        + struct.pack("<4i", 5, 6, 7, 8) + b"\1" + b"\x3c" * slot + b"\0" * state + b"\x3c" * (2 * slot) + b"\0" * state)
    put("cache_fuzz_cache_file", b"qw35chat" + struct.pack("<4Q", 1, 2, 2, 77) + words + b"{}" + struct.pack("<2Qq", 1, 0, 0)
        + struct.pack("<2Qq", 2, 1, -2) + struct.pack("<2i", 5, 6) + b"\x3c" * (2 * slot) + b"\0" * (2 * state))
put("cache_fuzz_cache_file", b"qw35chat" + struct.pack("<4Q", 1, 5, 0, 0) + bytes(56) + b"hello")
session = {"format": "qwen35-session", "version": 2, "system": "Answer well.", "enable_thinking": None, "preserve_thinking": False,
           "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}}],
           "messages": [{"role": "user", "content": "There is a red circle."},
                        {"role": "assistant", "content": "yes", "reasoning_content": "well",
                         "tool_calls": [{"type": "function", "id": "c", "function": {"name": "f", "arguments": {"a": "b"}}}]},
                        {"role": "tool", "content": "done", "tool_call_id": "c"}],
           "attempt": 0, "media": [], "held": [], "points": ["snapshot", "cache"]}
put("session_fuzz_session_file", dump(session))
pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs="
session["messages"] = [{"role": "user", "content": [{"type": "image", "image": pixel}, {"type": "text", "text": "What is it?"}]},
                       {"role": "assistant", "content": "a circle"}]
session["media"] = [{"type": "image", "grid_thw": [1, 4, 4], "merge_size": 2, "content_hash": "12345", "timestamps": []}]
session["held"] = [[3, 4, 0, "12345"]]
session["points"] = []
put("session_fuzz_session_file", dump(session))
put("session_fuzz_session_file", dump(dict(session, version=1, cache=True, turn=True)))
put("session_fuzz_session_file", dump({"format": "qwen35-session", "version": 2, "system": "", "enable_thinking": False, "preserve_thinking": True,
                                       "tools": [], "messages": [], "attempt": 1, "media": [], "held": [], "points": ["system"]}))

# --- weights ---
with open(os.path.join(shapes, "model.safetensors"), "rb") as file:
    size = struct.unpack("<Q", file.read(8))[0]
    header = json.loads(file.read(size))
put("model_fuzz_checkpoint", dump({"config.json": config, "model.safetensors": header}))
put("model_fuzz_checkpoint", dump({"config.json": config["text_config"], "model.safetensors": {
    name.replace("language_model.", ""): entry for name, entry in header.items() if "visual" not in name}}))
tensor = lambda begin, end: {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]}
put("weights_fuzz_shard_index", dump({
    "config.json": {}, "model.safetensors.index.json": {"metadata": {"total_size": 64},
                                                        "weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "./b.safetensors"}},
    "a.safetensors": {"__metadata__": {"format": "pt"}, "x": tensor(0, 64)}, "b.safetensors": {"y": tensor(0, 32), "z": tensor(32, 64)}}))
put("weights_fuzz_shard_index", dump({
    "config.json": {}, "model.safetensors.index.json": {"weight_map": {"x": "a.safetensors"}},
    "a.safetensors": {"x": tensor(0, 16), "y": tensor(16, 64)}, "b.safetensors": {"x": tensor(0, 64)}}))
for text in (dump({"x": tensor(0, 8)}) + " ", dump({"__metadata__": {"a": "b"}, "e": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [0, 0]},
                                                    "s": {"dtype": "F16", "shape": [], "data_offsets": [0, 2]}})):
    put("weights_fuzz_safetensors", struct.pack("<Q", len(text)) + text.encode() + bytes(8 if "x" in text[:4] else 2))

# Indexes of packed files, which the driver puts a right sum around; a recipe; a file whose sum is wrong.
entry = lambda name, offset, size, **more: {"name": name, **more, "offset": offset, "bytes": size, "sum": "0" * 16}
put("weights_fuzz_packed", dump({"dialect": "huggingface", "recipe": "* copy", "files": [entry("config.json", 64, 10)], "tensors": [
    entry("x", 128, 32, format="F32", shape=[2, 4]), entry("y", 192, 34, format="Q8_0", shape=[1, 32])]}))
put("weights_fuzz_packed", dump({"dialect": "gguf", "recipe": "", "files": [], "tensors": []}))
put("weights_fuzz_packed", "experts q4_k q4_1 copy # a remark\n*.layers.?.* q8_0\n")
put("weights_fuzz_packed", b"QWEN35PK" + struct.pack("<I", 1) + bytes(52) + b"{}" + b"QWEN35PK" + struct.pack("<QQQ", 64, 2, 0) + bytes(32))


def gguf(pairs, tensors):
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    body = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, kind, value in pairs:
        body += text(key) + struct.pack("<I", kind) + (text(value) if kind == 8 else value)
    for name, shape, kind, offset, _ in tensors:
        body += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
    body += bytes(-len(body) % 32)
    return body + b"".join(content + bytes(-len(content) % 32) for *_, content in tensors)


put("weights_fuzz_gguf", gguf([("general.architecture", 8, "qwen35moe"), ("general.alignment", 4, struct.pack("<I", 32)),
                               ("qwen35moe.block_count", 4, struct.pack("<I", 4)), ("qwen35moe.embedding_length", 4, struct.pack("<I", 128)),
                               ("tokenizer.ggml.model", 8, "gpt2"), ("tokenizer.ggml.pre", 8, "qwen35"),
                               ("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 1) + struct.pack("<Q", 1) + b"a"),
                               ("b", 7, b"\1"), ("f", 6, struct.pack("<f", 1e-6)), ("d", 12, struct.pack("<d", 2.0))],
                              [("output_norm.weight", [16], 0, 0, bytes(64)), ("blk.0.attn_q.weight", [32, 2], 8, 64, bytes(68))]))
with open(os.path.join(data, "gguf", "c04-split-00001-of-00003.gguf"), "rb") as file:
    put("weights_fuzz_gguf", file.read())

# Method, rows and columns, what the method asks for, no change, the config is there; the tensors' bytes follow from there on.
for head in ((0, 6, 7, 5, 6, 0), (0, 6, 7, 5, 6, 9), (0, 3, 7, 5, 6, 22), (1, 6, 7, 6, 0, 5), (1, 4, 8, 6, 1, 0), (1, 4, 9, 9, 16, 7), (2, 4, 7, 6, 5),
             (2, 5, 9, 9, 7), (3, 6, 7, 6, 64 + 128 + 8, 5), (3, 6, 7, 6, 8 + 1, 5), (3, 4, 7, 6, 32 + 64 + 8, 5, 1), (3, 6, 7, 6, 64 + 0, 5, 0)):
    put("weights_fuzz_quantised", bytes(head) + bytes((0, 0, 0x3c, 0x12, 0x3b, 0x85)))

# --- media ---
names = ["alpha.avif", "bits1_fax.tif", "bits16_565.bmp", "cmyk.jpg", "colour420.jpg", "dispose.gif", "exif.webp", "exif6.jpg", "exif_and_xmp.png",
         "grey16.png", "interlaced.gif", "interlaced.png", "lossless.webp", "lossy.webp", "moving.gif", "animated.webp", "one_pixel.png"]
for name in names:
    with open(os.path.join(data, "media", "files", name), "rb") as file:
        content = file.read()
    if len(content) < 6000:
        put("media_fuzz_media", content)
        if len(content) < 400:
            put("media_fuzz_media", b"data:image/png;base64," + base64.b64encode(content))
            put("media_fuzz_base64", b"data:image/png;base64," + base64.b64encode(content))
for text in ("", "QUJD", "QUI=", "QQ==", " Q U\nJ D", "_-_-", "data:;base64,QQ", "DATA:IMAGE/GIF;BASE64,QUJD", "A" * 40):
    put("media_fuzz_base64", text)
for order, mark in ((">", b"MM\0*"), ("<", b"II*\0")):
    for kind, value in ((3, struct.pack(order + "HH", 6, 0)), (4, struct.pack(order + "I", 8)), (3, struct.pack(order + "HH", 9, 0))):
        put("media_fuzz_exif", mark + struct.pack(order + "I", 8) + struct.pack(order + "H", 2) + struct.pack(order + "HHI", 0x0100, 4, 1)
            + bytes(4) + struct.pack(order + "HHI", 0x0112, kind, 1) + value + bytes(4))
put("media_fuzz_exif", b"Exif\0\0II*\0\x08\0\0\0\0\0")
put("media_fuzz_exif", '<x:xmpmeta><rdf:Description tiff:Orientation="3"/><tiff:Orientation>7</tiff:Orientation></x:xmpmeta>')
