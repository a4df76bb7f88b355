"""Normalisation form C as the reference library does it (with the tables of Unicode 9.0): python3 make_nfc.py > nfc.jsonl

The first line gives the library's version and a digest over every code point alone: FNV-1a (64 bits) of the UTF-8 of NFC(c) + U+000A, in order.
Each following line is [text, NFC(text), places] for random texts of marks, letters that compose, Hangul, and code points of all ages. The places are
where in the text each code point of NFC(text) starts, as the library aligns them (its end is one more).
"""
import json, random, unicodedata
import tokenizers, transformers

nfc = tokenizers.normalizers.NFC().normalize_str
characters = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
characters.normalizer = tokenizers.normalizers.NFC()
characters.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")


def places(text):
    offsets = characters.encode(text).offsets
    assert len(offsets) == len(nfc(text)) and all(end == start + 1 for start, end in offsets), (text, offsets)
    return [start for start, _ in offsets]


digest = 0xCBF29CE484222325
for point in range(0x110000):
    if not 0xD800 <= point < 0xE000:
        for byte in (nfc(chr(point)) + "\n").encode():
            digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
print(json.dumps({"tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "every_code_point": f"{digest:016x}"}))

rng = random.Random(5)
everything = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs", "Co")]
marks = [c for c in everything if unicodedata.combining(c)]
changed = [c for c in everything if unicodedata.normalize("NFC", c) != c or unicodedata.normalize("NFD", c) != c]
parts = sorted({p for c in changed for p in unicodedata.normalize("NFD", c)})
hangul = [chr(c) for c in (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3), 0xAC00, 0xAC01, 0xD788, 0xD7A3)]
late = [chr(c) for c in (0x11935, 0x11930, 0x11938, 0x1E08F, 0x1E4EC, 0x10EFD, 0x16129, 0x1611E, 0x16121, 0x113C5, 0x113C2, 0x8D3, 0x1DF5, 0x1ACF, 0xC3C, 0x1715)]
pools = [marks, marks, changed, parts, parts, hangul, late, everything, list("aeiouAEIOU cnz\n")]
for _ in range(1500):
    text = "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 14)))
    print(json.dumps([text, nfc(text), places(text)], ensure_ascii=False))
