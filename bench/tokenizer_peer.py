"""The reference library's side of bench/tokenizer_peer.sh: python3 tokenizer_peer.py TOKENIZER_JSON CORPUS.jsonl, with `tokenizers` installed.

One thread, `encode` document by document, after one pass to warm it up; the best of three passes. Processor time, as in our bench: on a busy machine the clock
measures the neighbours.
"""
import json, os, sys, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers

start = time.process_time()
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
load = time.process_time() - start
with open(sys.argv[2], encoding="utf-8") as file:
    documents = [json.loads(line) for line in file]
size = sum(len(document.encode()) for document in documents)
best = None
for i in range(4):
    start = time.process_time()
    ids = sum(len(tokenizer.encode(document, add_special_tokens=False)) for document in documents)
    seconds = time.process_time() - start
    if i > 0:
        best = seconds if best is None else min(best, seconds)
print(f"tokenizers {tokenizers.__version__}: load {load * 1e3:.0f} ms, {size / 1e6:.2f} MB, {ids} ids, encode {size / best / 1e6:.2f} MB/s")
