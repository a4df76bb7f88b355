"""What the reference's tokenizer(texts, ...) gives for random texts and options: python3 make_encodings.py TOKENIZER_FOLDER COUNT SEED > encodings.jsonl

The recorded cases: COUNT 200, SEED 1, the folder examples/shapes. The first line gives the versions, the special tokens by name and all of them. Then a
case a line: {"texts": [...], "options": {...}, "input_ids": [rows], "attention_mask": [rows], "offset_mapping": [rows of start, end, start, end, ...],
"special_tokens_mask": [rows]}, or {"texts", "options", "error"}. TokenizersBackend reads the file's own split pattern; the class that AutoTokenizer
chooses for this family puts an older pattern in its place (5.12).
"""
import json, random, sys
import tokenizers, transformers
from transformers import TokenizersBackend
from make_strings import Strings

folder, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(folder + "/tokenizer_config.json") as file:
    config = json.load(file)
tokenizer = TokenizersBackend(tokenizer_file=folder + "/tokenizer.json", **config)
with open(folder + "/tokenizer.json") as file:
    added = [token["content"] for token in json.load(file)["added_tokens"]]
print(json.dumps({"tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "special_tokens_map": tokenizer.special_tokens_map,
                  "all_special_tokens": tokenizer.all_special_tokens, "all_special_ids": tokenizer.all_special_ids,
                  "added_vocab": tokenizer.get_added_vocab(), "vocab_size": len(tokenizer.get_vocab()), "model_max_length": tokenizer.model_max_length}))
strings = Strings(seed, added)
rng = random.Random(seed)
for _ in range(count):
    texts = [strings.text(5)[:rng.choice([0, 5, 20, 40, 80])] for _ in range(rng.choice([1, 1, 2, 3, 4]))]
    options = {"padding": rng.choice([False, False, True, True, True, "max_length"]), "padding_side": rng.choice(["left", "right"])}
    truncation_side = rng.choice(["left", "right"])
    if rng.random() < 0.5:
        options["truncation"] = rng.random() < 0.7
    if rng.random() < 0.6 or options["padding"] == "max_length":
        options["max_length"] = rng.choice([0, 1, 3, 6, 8, 12, 24, 64])
    if rng.random() < 0.3:
        options["pad_to_multiple_of"] = rng.choice([1, 2, 3, 8])
    if rng.random() < 0.3:
        options["split_special_tokens"] = True
    tokenizer.truncation_side = truncation_side
    case = {"texts": texts, "options": {**options, "truncation_side": truncation_side}}
    try:
        out = tokenizer(texts, return_offsets_mapping=True, return_special_tokens_mask=True, **options)
        case["input_ids"] = out["input_ids"]
        case["attention_mask"] = out["attention_mask"]
        case["offset_mapping"] = [[place for span in row for place in span] for row in out["offset_mapping"]]
        case["special_tokens_mask"] = out["special_tokens_mask"]
    except ValueError as error:
        case["error"] = str(error)
    print(json.dumps(case, ensure_ascii=False, separators=(",", ":")))
