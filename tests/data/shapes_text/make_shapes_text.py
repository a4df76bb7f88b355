# SPDX-License-Identifier: Apache-2.0
"""Records what the reference answers to 200 text prompts on the shapes checkpoint, in f32 on the upcast weights.

Run with transformers 5.12 and PyTorch on the CPU:  python3 make_shapes_text.py CHECKPOINT_FOLDER CHAT_TEMPLATE_JINJA
CHAT_TEMPLATE_JINJA is the published chat template of Qwen3.5. Files made beside this script:

  prompts.jsonl       first line: versions and the generation settings; then one prompt a line: messages, thinking (enable_thinking), text (as the
                      template renders it), ids, continuation (ids of the greedy answer, its end token included unless 60 tokens came first), answer (its
                      text without special tokens)
  logits.safetensors  for some prompts N (their place in the file, from 0): last.N [vocab_size], the logits after the last prompt token; all.N [tokens, vocab_size],
                      the logits of every position of prompt and continuation together

No answer hangs on rounding: along each, the best logit is at least GAP above the second.
"""
import json, os, random, sys
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoTokenizer, Qwen3_5MoeForCausalLM

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))
COUNT, GAP, MAX_NEW_TOKENS = 200, 2e-3, 60
SHAPES, COLOURS = ['circle', 'square', 'triangle', 'star'], ['red', 'green', 'blue', 'yellow', 'purple', 'orange']
SYSTEM = 'You look at shapes and answer questions about them.'
STRANGE = ['Is there a blue triangle?', 'Hello!', 'Describe this image.', 'What is in this image?', 'Wie viele Formen gibt es?', '日本語 é e\u0301 🙂', '1234 + 5678 = ?',
           'How many circles, squares, triangles and stars are there?', "I'm here.\n\nAren't you?", 'a', '   ', 'There is a pink hexagon. What color is the hexagon?',
           'red green blue ' * 20]


def named(item):
    return ('an ' if item[0] == 'orange' else 'a ') + ' '.join(item)


def listing(items):
    names = [named(i) for i in items]
    return names[0] if len(names) == 1 else ', '.join(names[:-1]) + ' and ' + names[-1]


def question(items, rng):
    kind, item = rng.randrange(4), rng.choice(items)
    if kind == 0:
        return 'How many shapes are there?'
    if kind == 1:
        return f'What color is the {item[1]}?'
    return f'What is {"left" if kind == 2 else "right"} of the {item[0]} {item[1]}?'


def conversation(rng):
    messages = []
    if rng.random() < 0.3:
        messages.append(dict(role='system', content=SYSTEM if rng.random() < 0.7 else 'Answer briefly.'))
    if rng.random() < 0.15:
        messages.append(dict(role='user', content=rng.choice(STRANGE)))
        return messages
    items = rng.sample([(c, s) for c in COLOURS for s in SHAPES], rng.choice([1, 2, 2, 3, 3, 5]))
    messages.append(dict(role='user', content=f'There is {listing(items)}. {question(items, rng)}'))
    if rng.random() < 0.25:
        messages.append(dict(role='assistant', content=f'{named(rng.choice(items)).capitalize()}.'))
        messages.append(dict(role='user', content=question(items, rng)))
    return messages


def main(folder, template):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with open(template, encoding='utf-8') as f:
        tokenizer.chat_template = f.read()
    model = Qwen3_5MoeForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with open(os.path.join(folder, 'generation_config.json')) as f:
        stops = json.load(f)['eos_token_id']
    rng, lines, seen, logits, dropped = random.Random(11), [], set(), {}, 0
    while len(lines) < COUNT:
        messages, thinking = conversation(rng), rng.random() < 0.4
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinking)
        if text in seen:
            continue
        seen.add(text)
        ids = tokenizer(text, add_special_tokens=False)['input_ids']
        prompt = torch.tensor([ids])
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=MAX_NEW_TOKENS, eos_token_id=stops,
                             pad_token_id=stops[-1])
        continuation = out[0, len(ids):].tolist()
        whole = model(out, use_cache=False).logits[0]
        best = whole[len(ids) - 1:-1].topk(2).values
        if (best[:, 0] - best[:, 1]).min() < GAP or whole[len(ids) - 1:-1].argmax(-1).tolist() != continuation:
            dropped += 1
            continue
        n = len(lines)
        if n % 10 == 0:
            logits[f'last.{n}'] = whole[len(ids) - 1].clone()
        if n in (3, 7):
            logits[f'all.{n}'] = whole.clone()
        lines.append(dict(messages=messages, thinking=thinking, text=text, ids=ids, continuation=continuation,
                          answer=tokenizer.decode(continuation, skip_special_tokens=True)))
    head = dict(transformers=transformers.__version__, torch=torch.__version__, eos_token_id=stops, max_new_tokens=MAX_NEW_TOKENS)
    with open(os.path.join(HERE, 'prompts.jsonl'), 'w', encoding='utf-8') as f:
        for line in [head, *lines]:
            f.write(json.dumps(line, ensure_ascii=False, separators=(',', ':')) + '\n')
    save_file(logits, os.path.join(HERE, 'logits.safetensors'), metadata=dict(transformers=transformers.__version__, torch=torch.__version__))
    print(len(lines), 'prompts,', dropped, 'dropped;', sum(len(x['ids']) for x in lines), 'prompt tokens,', sum(len(x['continuation']) for x in lines), 'answer tokens')
    for line in lines[:12]:
        print(line['thinking'], line['messages'][-1]['content'][:80], '->', repr(line['answer']))


main(*sys.argv[1:])
