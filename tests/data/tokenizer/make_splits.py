"""Where the reference's split patterns cut: python3 make_splits.py > splits.jsonl

The first line gives the versions. Then [text, ends of the pieces in bytes by the Qwen3.5 pattern, the same by the Qwen2 pattern if they differ].
"""
import json, random
import tokenizers, transformers
from tokenizers import Regex, pre_tokenizers

QWEN35 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
splitters = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in (QWEN35, QWEN2)]

rng = random.Random(3)
# Few characters of each kind, so that all orders of kinds come up.
alphabet = list("aZ9.'' \t\n\r") + ["é", "中", "\u0301", "\u094d", "क", "½", "٣", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\x1c", "😀", "ſ", "\u0903", "\U0001d7d8", "\u20dd"]
common = list("  \n\n\r''aa..")
contractions = ["'s", "'S", "'t", "'re", "'RE", "'rE", "'ve", "'VE", "'m", "'ll", "'Ll", "'d", "'D", "'ſ", "'r", "'l", "'v", "'x"]


def ends(splitter, text):
    out, at = [], 0
    for piece, _ in splitter.pre_tokenize_str(text):
        at += len(piece.encode())
        out.append(at)
    return out


print(json.dumps({"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}))
for _ in range(5000):
    text = "".join(rng.choice(rng.choice([alphabet, alphabet, common, contractions])) for _ in range(rng.randint(1, 12)))
    new, old = (ends(splitter, text) for splitter in splitters)
    print(json.dumps([text, new] if new == old else [text, new, old], ensure_ascii=False, separators=(",", ":")))
