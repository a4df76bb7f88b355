# SPDX-License-Identifier: Apache-2.0
# Makes blocks.json beside it with the Python package gguf (gguf-py of llama.cpp): what the blocks of each format decode to. Run it here:
#   python3 make_blocks.py
# Of 1280 blocks of each format, which the test makes again (every byte the same, for each of the 256; then hashed bytes), the hash of all
# values, every NaN alike, in the order of core/hash.hpp; and one block with its values, to look at.
import json
import numpy as np
from importlib.metadata import PackageNotFoundError, version
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

FORMATS = ("q8_0 q4_0 q4_1 q5_0 q5_1 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs iq3_xxs iq3_s iq2_xxs iq2_xs iq2_s iq1_s iq1_m mxfp4").split()
MASK = (1 << 64) - 1
BLOCKS = 1280


def mixed(x):
    x = np.asarray(x, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def blocks_of(size):
    same = np.repeat(np.arange(256, dtype=np.uint8)[:, None], size, axis=1)
    words = mixed(np.arange(256, BLOCKS)[:, None] * 64 + np.arange((size + 7) // 8)[None, :])
    return np.concatenate([same, np.ascontiguousarray(words).astype("<u8").view(np.uint8)[:, :size]])


def hash_of(bits):
    value = 0x9E3779B97F4A7C15
    for word in np.ascontiguousarray(bits).view("<u8").ravel().tolist():
        value = ((value ^ word) * 0xD6E8FEB86659FD93) & MASK
        value ^= value >> 32
    return f"{value:016x}"


out = {}
for name in FORMATS:
    kind = GGMLQuantizationType[name.upper()]
    blocks = blocks_of(GGML_QUANT_SIZES[kind][1])
    with np.errstate(all="ignore"):
        values = quants.dequantize(blocks, kind).astype(np.float32).reshape(BLOCKS, -1)
    bits = np.where(np.isnan(values), np.uint32(0x7FC00000), values.view(np.uint32))
    shown = next(n for n in range(256, BLOCKS) if np.isfinite(values[n]).all() and 1 < np.abs(values[n]).max() < 1000)
    out[name] = dict(hash=hash_of(bits), shown=shown, block=blocks[shown].tobytes().hex(), values=[float(v) for v in values[shown]])
try:
    made_with = "gguf " + version("gguf")
except PackageNotFoundError:
    made_with = "gguf of llama.cpp 0.7"
with open("blocks.json", "w") as file:
    file.write('{"made_with": "%s", "formats": {\n' % made_with)
    file.write(",\n".join(f'"{name}": {json.dumps(entry)}' for name, entry in out.items()) + "\n}}\n")
