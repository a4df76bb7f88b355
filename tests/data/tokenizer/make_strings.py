"""Random and adversarial strings and what the reference library makes of them.

  python3 make_strings.py compare TOKENIZER_JSON COUNT SEED STRINGS.jsonl IDS.jsonl [CORPUS.jsonl]
      COUNT strings, one JSON string a line, and their ids, one JSON array a line: compare IDS with the output of
      qwen35-tokenize TOKENIZER_JSON STRINGS.jsonl --jsonl. A corpus (bench/tokenizer_corpus.py) gives stretches of real text as well.
  python3 make_strings.py record TOKENIZER_JSON strings.jsonl decode.jsonl
      the recorded cases of the tests. The first line of each file gives the versions.
      strings.jsonl: [text, digest of its ids, digest of its ids without added tokens if they differ]; a digest is FNV-1a (64 bits) over the ids as
      little-endian 32-bit words. decode.jsonl: [ids, text, text without special tokens].
  python3 make_strings.py qwen35 TOKENIZER_JSON OUT_JSON
      the same vocabulary with the Qwen3.5 split pattern put in.
"""
import json, random, sys, unicodedata
import tokenizers, transformers

QWEN35 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
VERSIONS = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}

words = ("the There is a red circle and blue star. What left of don't I'LL we've they'RE it'ſ can'T HTTP://x.y/z?a=1&b=2 naïve café "
         "Straße São 中文字符 日本語 한국어 ไทยภาษา ภาษาไทยไม่มีช่องว่าง हिन्दी क्षत्रिय বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල မြန်မာ ខ្មែរ བོད་ཡིག አማርኛ "
         "عربى العَرَبِيَّة עברית עִבְרִית ελληνικά Ἀθῆναι кириллица й ё 1234567890 ½ Ⅷ ٣٤ 𝟘 𐍈 😀 👩‍👩‍👧 🇩🇪 👍🏽 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 "
         "e\u0301 A\u030a q\u0323\u0307 \u1100\u1161\u11a8 \u212b \u2126 \u0958 \U0001d15e \U00011935\U00011930 \U0001e08f def f(x): return {'a':1} <div> </div>").split(" ")
spaces = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\r\n\t", "\u00a0", "\u3000", "\u2028", "\u0085", "\x0b", "\x1c", "\u180e", "\u200b",
          "\ufeff", "\u1680"]
marks = [chr(c) for c in list(range(0x300, 0x370)) + list(range(0x900, 0x904)) + [0x93c, 0x94d, 0xe31, 0xe48, 0x1dc0, 0x20d0, 0xfe20, 0x1e8d0, 0x11f41]]
ranges = [(0x20, 0x7e), (0x20, 0x7e), (0, 0x1f), (0xa0, 0x24f), (0x250, 0x36f), (0x370, 0x58f), (0x590, 0x8ff), (0x900, 0xdff), (0xe00, 0x109f), (0x10a0, 0x1fff),
          (0x2000, 0x2bff), (0x2c00, 0x33ff), (0x3400, 0x9fff), (0xa000, 0xabff), (0xac00, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x1ffff), (0x20000, 0x323af),
          (0xe0000, 0x10ffff)]
scripts = [(0x900, 0x97f), (0x980, 0x9ff), (0xb80, 0xbff), (0xe01, 0xe5b), (0x1000, 0x109f), (0x1780, 0x17f9), (0x4e00, 0x5fff), (0x3041, 0x30ff), (0xac00, 0xb000),
           (0x5d0, 0x5ea), (0x621, 0x652), (0x400, 0x4ff), (0x1f300, 0x1f64f)]


class Strings:
    def __init__(self, seed, added, corpus=()):
        self.rng = random.Random(seed)
        self.added = added
        self.corpus = corpus

    def piece(self):
        rng = self.rng
        k = rng.random()
        if k < 0.27: return rng.choice(words)
        if k < 0.40: return rng.choice(spaces)
        if k < 0.41: return rng.choice(spaces[:9]) * rng.randint(2, 12) + rng.choice(["", "\n", " ", "\r\n", "x"])
        if k < 0.415: return " " * rng.randint(10, 130)
        if k < 0.50: return "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEF") for _ in range(rng.randint(1, 12)))
        if k < 0.505: return "".join(rng.choice("etaoinshr") for _ in range(rng.randint(30, 90)))
        if k < 0.55: return str(rng.randint(0, 10 ** rng.randint(1, 12)))
        if k < 0.65:
            pool = [chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 4))]
            return "".join(c for c in pool if not 0xD800 <= ord(c) < 0xE000)
        if k < 0.70:
            low, high = rng.choice(scripts)
            return "".join(chr(rng.randint(low, high)) for _ in range(rng.choice([1, 2, 3, 5, 8, 20])))
        if k < 0.77: return rng.choice(marks) * rng.randint(1, 3)
        if k < 0.84: return rng.choice("'’\"!?.,;:-_/\\()[]{}<>|@#$%^&*+=~`") * rng.randint(1, 4)
        if k < 0.89: return rng.choice(self.added)
        if k < 0.92: return rng.choice(self.added)[:rng.randint(1, 8)]
        if k < 0.95: return "'" + rng.choice(["s", "S", "t", "re", "RE", "rE", "ve", "m", "ll", "LL", "lL", "d", "ſ", "x", "", "r", "l"])
        if k < 0.97 and self.corpus:
            text = rng.choice(self.corpus)
            start = rng.randint(0, len(text))
            return text[start:start + rng.randint(1, 120)]
        return unicodedata.normalize(rng.choice(["NFD", "NFKD", "NFC"]), rng.choice(words))

    def text(self, longest):
        return "".join(self.piece() for _ in range(self.rng.randint(1, longest)))


def digest(ids):
    value = 0xCBF29CE484222325
    for id in ids:
        for byte in id.to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def dump(file, value):
    file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    mode, path = sys.argv[1], sys.argv[2]
    parts = json.load(open(path, encoding="utf-8"))
    added = [token["content"] for token in parts["added_tokens"]]
    tokenizer = tokenizers.Tokenizer.from_file(path)
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids

    if mode == "compare":
        count, seed = int(sys.argv[3]), int(sys.argv[4])
        corpus = [json.loads(line) for line in open(sys.argv[7], encoding="utf-8")] if len(sys.argv) > 7 else ()
        source = Strings(seed, added, corpus)
        with open(sys.argv[5], "w", encoding="utf-8") as strings, open(sys.argv[6], "w") as ids:
            for _ in range(count):
                text = source.text(14)
                strings.write(json.dumps(text, ensure_ascii=False) + "\n")
                ids.write(json.dumps(encode(text)) + "\n")
    elif mode == "record":
        plain = tokenizers.Tokenizer.from_str(json.dumps({**parts, "added_tokens": []}))
        source = Strings(20260, added)
        with open(sys.argv[3], "w", encoding="utf-8") as out:
            dump(out, VERSIONS)
            for _ in range(20000):
                text = source.text(7)
                digests = [digest(encode(text)), digest(plain.encode(text, add_special_tokens=False).ids)]
                dump(out, [text, *(digests if digests[0] != digests[1] else digests[:1])])
        rng = random.Random(7)
        with open(sys.argv[4], "w", encoding="utf-8") as out:
            dump(out, VERSIONS)
            last = tokenizer.get_vocab_size() - 1
            for i in range(1200):
                if i % 2 == 0:  # any ids: mostly not UTF-8; some beyond the vocabulary
                    ids = [rng.randint(0, last + 3) for _ in range(rng.randint(0, 12))]
                else:  # the ids of a text, with some left out and added tokens put in
                    ids = [id for id in encode(source.text(5)) if rng.random() < 0.9][:40]
                    for _ in range(rng.randint(0, 2)):
                        ids.insert(rng.randint(0, len(ids)), rng.choice(parts["added_tokens"])["id"])
                dump(out, [ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids, skip_special_tokens=True)])
    elif mode == "qwen35":
        parts["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = QWEN35
        json.dump(parts, open(sys.argv[3], "w", encoding="utf-8"), ensure_ascii=False)
