"""A corpus for bench/tokenizer_peer.sh out of what a Debian system has: python3 tokenizer_corpus.py [FOLDER...] > corpus.jsonl

10 MB as documents of 1 to 100 KB, one JSON string a line: a quarter each of prose, code, Chinese and JSON. Looks through /usr and the given folders;
for enough Chinese, install debian-reference-zh-cn and manpages-zh or unpack them somewhere. The sizes and the order of the documents do not depend
on the machine, their text does.
"""
import gzip, json, os, random, re, sys

roots = ["/usr/share/doc", "/usr/share/man", "/usr/include", "/usr/lib/python3", "/usr/share", "/usr/lib", *sys.argv[1:]]
quarter = 10_000_000 // 4
kinds = {"prose": [], "code": [], "chinese": [], "json": []}
chinese = re.compile("[\u4e00-\u9fff]")
tags = re.compile(r"<[^>]*>|^\.\w+.*$", re.M)


def kind_of(path):
    name = path.removesuffix(".gz")
    if "zh" in path and (re.search(r"\.(txt|html|[1-8])$", name)):
        return "chinese"
    if name.endswith(".json"):
        return "json"
    if re.search(r"\.(c|h|cpp|hpp|cc|py|js|sh|pl|go|rs)$", name):
        return "code"
    if path.startswith("/usr/share/doc") and re.search(r"(\.(txt|md|rst|html)|README[^/]*|NEWS[^/]*|copyright)$", name):
        return "prose"
    return None


def read(path):
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            return file.read(4_000_000).decode("utf-8")
    except (OSError, UnicodeDecodeError, EOFError):
        return ""


seen = set()
for root in reversed(roots):
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            kind = kind_of(path)
            if kind is None or path in seen or sum(map(len, kinds[kind])) > 6 * quarter:
                continue
            seen.add(path)
            text = read(path)
            if kind == "chinese":
                text = tags.sub("", text)
                if len(chinese.findall(text)) * 4 < len(text):
                    continue
            if len(text) > 1000:
                kinds[kind].append(text)

rng = random.Random(1)
documents = []
for kind, texts in kinds.items():
    total = 0
    rng.shuffle(texts)
    for text in texts:
        at = 0
        while at < len(text) and total < quarter:
            size = int(1000 * 100 ** rng.random())  # bytes, 1 to 100 KB
            document = text[at:at + size].encode()[:size].decode("utf-8", "ignore")
            at += len(document)
            if len(document.encode()) >= 1000:
                documents.append(document)
                total += len(document.encode())
    print(f"{kind}: {total / 1e6:.2f} MB", file=sys.stderr)
rng.shuffle(documents)
for document in documents:
    print(json.dumps(document, ensure_ascii=False))
