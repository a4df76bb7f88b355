# SPDX-License-Identifier: Apache-2.0
"""Makes the folders c00, c01, ... beside this file: tiny random text models of the family, and what the reference computes with them.

Run with transformers 5.12 and PyTorch on the CPU, in this folder:  python3 make_text_cases.py
The same versions give the same files; they are recorded in the metadata of each cases.safetensors.

A case folder holds
  config.json, model*.safetensors   a checkpoint as published: composite or text-only, whole or sharded, fused or per-expert names, f32, f16 or bf16
  cases.safetensors                 runs of the reference in f32 on the upcast weights of that very checkpoint

Names in cases.safetensors are `scenario.step.field`. The steps of a scenario are forward calls on one cache; without a `use_cache` field of 0
a step may keep one. Fields that are arguments: input_ids, inputs_embeds, attention_mask, mask_boolean, mask_additive, position_ids, labels, shift_labels,
num_items_in_batch, logits_to_keep (a count), logits_indices, use_cache. Fields that are results: logits, last_hidden_state, hidden_states
[layers + 1, ...], attentions [full layers, ...], router_logits [layers, ...], loss, aux_loss (both steps with labels and without). The scenario
`prompt` has more: layer.N.{mixer_in, mixer_out, mlp_in, mlp_out, out}, what enters and leaves the parts of layer N. After the last step of
`cached`: state.N.{keys, values, conv, recurrent} of layer N as the reference keeps them.

A case's weights are drawn anew until the reference in f32 is itself well within the bars of the same model in f64, so that they measure us and not it.

`FIELD.bar`: present where the reference, run at another chunk size of the delta rule (16 and 1 instead of 64), differs from itself by more than half
of the usual bar (relative L2 1e-5; for logits a normalised square error of 1e-9; for losses a relative error of 1e-6); it then holds twice that difference, the bar to use instead.
"""
import functools, importlib, itertools, json, math, os, random, shutil, sys, types
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Qwen3_5ForCausalLM, Qwen3_5MoeForCausalLM

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))

LAYER_BAR, LOGITS_BAR, LOSS_BAR = 1e-5, 1e-9, 1e-6
PRECISE = 0.6  # of a bar: how far the reference in f32 may be from itself in f64
ROUTER_GAP = 1e-4  # between the last chosen and the first unchosen router logit, at every token of every run: no expert is chosen by rounding


# ---- the configs: every pair of these levels occurs where both matter
FACTORS = {
    'heads': ['grouped', 'single'],
    'value_heads': [1, 2, 4],  # per key head
    'sizes': ['vector', 'odd'],
    'ffn': ['dense', 'top1', 'some', 'all'],
    'tied': [False, True],
    'rope': ['default', 'linear', 'dynamic', 'yarn', 'longrope', 'llama3'],
    'pattern': ['3:1', 'mixed', 'full', 'linear'],
    'dtype': ['f32', 'f16', 'bf16'],
}
NEEDS_FULL, NEEDS_LINEAR = ('heads', 'rope'), ('value_heads',)


def live(row, factor):
    """Whether a factor has an effect in a row: rotary embeddings need a full layer, value heads a linear one."""
    return not (factor in NEEDS_FULL and row['pattern'] == 'linear') and not (factor in NEEDS_LINEAR and row['pattern'] == 'full')


def pairs(row):
    return {((a, row[a]), (b, row[b])) for a, b in itertools.combinations(FACTORS, 2) if live(row, a) and live(row, b)}


def covering_rows():
    wanted = {((a, x), (b, y)) for a, b in itertools.combinations(FACTORS, 2) for x in FACTORS[a] for y in FACTORS[b]}
    meaningless = {p for p in wanted if any(f in NEEDS_FULL and ('pattern', 'linear') in p or f in NEEDS_LINEAR and ('pattern', 'full') in p
                                            for f, _ in p)}
    left, rows, rng = wanted - meaningless, [], random.Random(3)
    while left:
        best = max(({f: rng.choice(levels) for f, levels in FACTORS.items()} for _ in range(3000)), key=lambda row: len(pairs(row) & left))
        rows.append(best)
        left -= pairs(best)
    return rows


YARN = [dict(factor=4.0, original_max_position_embeddings=32),
        dict(factor=None, original_max_position_embeddings=16, beta_fast=8.0, beta_slow=0.5),
        dict(factor=4.0, original_max_position_embeddings=64, mscale=1.2, mscale_all_dim=0.6),
        dict(factor=8.0, original_max_position_embeddings=64, truncate=False),
        dict(factor=2.0, attention_factor=1.3),
        dict(factor=4.0, original_max_position_embeddings=64, truncate=False, mscale=0.7)]
PATTERNS = {'mixed': ['FL', 'LFF', 'LFLF', 'FLLFL', 'LLF', 'FFL'], 'full': ['FF', 'FFF'], 'linear': ['LL', 'LLL']}
SECTIONS = [None, [11, 11, 10], [2, 1, 1], [1, 1, 2], [1, 2, 1], [0, 3, 1]]


def make_config(index, row):
    rng = random.Random(1000 + index)
    odd, dense = row['sizes'] == 'odd', row['ffn'] == 'dense'
    pattern = 'LLLF' if row['pattern'] == '3:1' else PATTERNS[row['pattern']][index % len(PATTERNS[row['pattern']])]
    key_heads = rng.choice([1, 2, 3] if odd else [1, 2])
    kv = rng.choice([1, 2])
    dk, dv = rng.choice([(5, 9), (12, 7), (6, 6), (9, 20), (20, 6)] if odd else [(8, 8), (8, 16), (16, 8)])
    text = dict(
        model_type='qwen3_5_text' if dense else 'qwen3_5_moe_text',
        vocab_size=rng.choice([53, 61] if odd else [48, 64]),
        hidden_size=rng.choice([18, 20, 27, 33] if odd else [16, 24]),
        num_hidden_layers=len(pattern),
        num_attention_heads=kv * rng.choice([2, 3] if row['heads'] == 'grouped' else [1]),
        num_key_value_heads=kv,
        head_dim=0,
        linear_conv_kernel_dim=1 + index % 6,
        linear_key_head_dim=dk, linear_value_head_dim=dv,
        linear_num_key_heads=key_heads, linear_num_value_heads=key_heads * row['value_heads'],
        rms_norm_eps=rng.choice([1e-6, 1e-5]),
        max_position_embeddings=rng.choice([256, 1024]),
        attention_bias=rng.random() < 0.4,
        hidden_act=rng.choice(['silu'] * 5 + ['gelu_pytorch_tanh', 'gelu']),
        tie_word_embeddings=row['tied'],
        layer_types=['full_attention' if c == 'F' else 'linear_attention' for c in pattern],
        pad_token_id=rng.choice([None, 3]), eos_token_id=rng.choice([1, [1, 2]]))
    if dense:
        text.update(intermediate_size=rng.choice([19, 30] if odd else [32, 48]))
    else:
        experts = rng.choice([3, 5, 7] if odd else [4, 6])
        text.update(num_experts=experts, num_experts_per_tok={'top1': 1, 'some': rng.randint(2, experts - 1), 'all': experts}[row['ffn']],
                    moe_intermediate_size=rng.choice([7, 9, 11] if odd else [8, 16]),
                    shared_expert_intermediate_size=rng.choice([5, 13] if odd else [8, 16]),
                    router_aux_loss_coef=rng.choice([0.001, 0.05]))

    kind, least = row['rope'], 2 if row['rope'] in ('default', 'linear') else 4
    fitting = []  # a head must hold all rotated pairs; the reference cannot run yarn with an odd number of rotated entries
    for head_dim, partial in itertools.product([9, 10, 12, 14, 22] if odd else [8, 16], [0.25, 0.5, 1.0]):
        rot = int(head_dim * partial)
        if rot >= least and 2 * math.ceil(rot / 2) <= head_dim and not (kind == 'yarn' and rot % 2):
            fitting.append((head_dim, partial))
    text['head_dim'], partial = rng.choice(fitting)
    rot = int(text['head_dim'] * partial)
    rope = dict(rope_type=kind, rope_theta=rng.choice([1e4, 1e7, 500.0]), partial_rotary_factor=partial)
    section = SECTIONS[index % len(SECTIONS)]
    if section is not None:
        rope['mrope_section'] = section
    if kind != 'default':
        text['partial_rotary_factor'] = partial  # for these kinds the reference takes the outer one
    if kind == 'linear':
        rope['factor'] = rng.choice([2.0, 5.0])
    elif kind == 'dynamic':
        rope['factor'] = rng.choice([2.0, 4.0])
        text['max_position_embeddings'] = 11
    elif kind == 'yarn':
        rope.update(YARN[make_config.yarn % len(YARN)])
        make_config.yarn += 1
        text['max_position_embeddings'] = 128
    elif kind == 'longrope':
        n = math.ceil(rot / 2)
        rope.update(short_factor=[round(1 + 0.1 * j, 3) for j in range(n)], long_factor=[round(1.5 + 0.7 * j, 3) for j in range(n)],
                    original_max_position_embeddings=10)
        text['max_position_embeddings'] = 40
        rope.update([dict(factor=4.0), {}, dict(attention_factor=1.1), dict(factor=1.0)][make_config.longrope % 4])
        make_config.longrope += 1
    elif kind == 'llama3':
        rope.update(factor=rng.choice([4.0, 8.0]), low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=rng.choice([16, 64]))
    text['rope_parameters'] = rope

    # What is at its default may be absent, and older files spell some things differently.
    if index % 3 == 0:
        for key, default in (('hidden_act', 'silu'), ('attention_bias', False), ('rms_norm_eps', 1e-6), ('router_aux_loss_coef', 0.001)):
            if text.get(key) == default:
                del text[key]
    if row['pattern'] == '3:1' and index % 2 == 0:
        del text['layer_types']
    elif pattern == 'LLF' or pattern == 'LFLF':
        del text['layer_types']
        text['full_attention_interval'] = 3 if pattern == 'LLF' else 2
    if kind == 'linear' and index % 2:
        text['rope_scaling'] = dict(type='linear', factor=rope['factor'], **({'mrope_section': section} if section else {}))
        text['rope_theta'] = rope['rope_theta']
        del text['rope_parameters']

    form = dict(composite=index % 2 == 0, per_expert=not dense and index % 4 in (1, 2), shards=1 + index % 3, dtype=row['dtype'],
                wide=rng.choice([True, False]), extras=index in (2, 8))
    return text, pattern, form


make_config.yarn = make_config.longrope = 0


# ---- the checkpoint
DTYPES = {'f32': torch.float32, 'f16': torch.float16, 'bf16': torch.bfloat16}


def lively(model, generator):
    """Random weights that keep every part of the model visible in the logits."""
    for name, p in model.named_parameters():
        normal = lambda mean, std: p.normal_(mean, std, generator=generator)
        if name.endswith('linear_attn.norm.weight'): normal(1, 0.2)
        elif 'norm' in name: normal(0, 0.2)
        elif 'A_log' in name: p.uniform_(-3, 1.5, generator=generator)
        elif 'dt_bias' in name: normal(0, 0.7)
        elif 'conv1d' in name: normal(0, 0.5)
        elif name.endswith('bias'): normal(0, 0.3)
        elif 'embed_tokens' in name: normal(0, 0.5)
        elif 'in_proj_a' in name or 'in_proj_b' in name: normal(0, 1 / math.sqrt(p.shape[-1]))
        elif 'lm_head' in name: normal(0, 2 / math.sqrt(p.shape[-1]))
        else: normal(0, 1.2 / math.sqrt(p.shape[-1]))


def write_checkpoint(folder, text, form, state, index):
    dtype = DTYPES[form['dtype']]
    tensors = {}
    for name, value in state.items():
        if name == 'lm_head.weight' and text['tie_word_embeddings']:
            continue
        if form['composite'] and name.startswith('model.'):
            name = 'model.language_model.' + name[len('model.'):]
        wide = form['wide'] and name.endswith(('A_log', 'linear_attn.norm.weight'))
        value = value.contiguous() if wide else value.to(dtype).contiguous()
        if form['per_expert'] and name.endswith('.mlp.experts.gate_up_proj'):
            half = value.shape[1] // 2
            for e in range(value.shape[0]):
                tensors[f'{name[:-12]}{e}.gate_proj.weight'] = value[e, :half].contiguous()
                tensors[f'{name[:-12]}{e}.up_proj.weight'] = value[e, half:].contiguous()
        elif form['per_expert'] and name.endswith('.mlp.experts.down_proj'):
            for e in range(value.shape[0]):
                tensors[f'{name[:-9]}{e}.down_proj.weight'] = value[e].contiguous()
        else:
            tensors[name] = value
    if form['extras']:  # of other parts of the model: to be passed over
        tensors['model.visual.pos_embed.weight'] = torch.zeros(4, 8, dtype=dtype)
        tensors['mtp.norm.weight'] = torch.zeros(text['hidden_size'], dtype=dtype)
    names = sorted(tensors)
    if form['shards'] == 1:
        save_file(tensors, os.path.join(folder, 'model.safetensors'), metadata={'format': 'pt'})
    else:
        place = {name: f'model-{1 + i % form["shards"]:05d}-of-{form["shards"]:05d}.safetensors' for i, name in enumerate(names)}
        for shard in sorted(set(place.values())):
            save_file({n: tensors[n] for n in names if place[n] == shard}, os.path.join(folder, shard), metadata={'format': 'pt'})
        total = sum(t.numel() * t.element_size() for t in tensors.values())
        with open(os.path.join(folder, 'model.safetensors.index.json'), 'w') as f:
            json.dump(dict(metadata=dict(total_size=total), weight_map=place), f, indent=1)
    dense = text['model_type'] == 'qwen3_5_text'
    config = dict(text, dtype={'f32': 'float32', 'f16': 'float16', 'bf16': 'bfloat16'}[form['dtype']])
    if form['composite']:
        family = 'qwen3_5' if dense else 'qwen3_5_moe'
        config = dict(architectures=['Qwen3_5ForConditionalGeneration' if dense else 'Qwen3_5MoeForConditionalGeneration'], model_type=family,
                      text_config=config, tie_word_embeddings=text['tie_word_embeddings'],
                      image_token_id=5, video_token_id=6, vision_start_token_id=7, vision_end_token_id=8,
                      vision_config=dict(model_type=family, depth=1, hidden_size=8, num_heads=2, intermediate_size=12, patch_size=4,
                                         out_hidden_size=text['hidden_size'], num_position_embeddings=4))
    else:
        config['architectures'] = ['Qwen3_5ForCausalLM' if dense else 'Qwen3_5MoeForCausalLM']
    with open(os.path.join(folder, 'config.json'), 'w') as f:
        f.write(json.dumps(config, indent=1) + '\n')


# ---- runs
class Reference:
    """The reference on a checkpoint folder; `chunk` is the chunk size of its delta rule."""

    def __init__(self, folder, dense):
        self.model = (Qwen3_5ForCausalLM if dense else Qwen3_5MoeForCausalLM).from_pretrained(folder, dtype=torch.float32)
        self.prepare(self.model.model, self.model.config, dense)
        for layer in self.text.layers:
            if not dense and self.config.num_experts_per_tok < self.config.num_experts:
                layer.mlp.gate.register_forward_hook(self.watch_router)

    def prepare(self, text, config, dense):
        self.model.eval()
        if not dense:
            self.model.set_experts_implementation('eager')
        self.text, self.config, self.dense, self.gap = text, config, dense, math.inf
        self.linear = [layer.linear_attn for layer in text.layers if hasattr(layer, 'linear_attn')]
        self.rules = [m.chunk_gated_delta_rule for m in self.linear]

    def watch_router(self, module, given, out):
        sorted_logits = out[0].sort(-1, descending=True).values
        k = self.config.num_experts_per_tok
        self.gap = min(self.gap, (sorted_logits[:, k - 1] - sorted_logits[:, k]).min().item())

    def begin(self, chunk, eager):
        for module, rule in zip(self.linear, self.rules):
            module.chunk_gated_delta_rule = functools.partial(rule, chunk_size=chunk)
        self.model.set_attn_implementation('eager' if eager else 'sdpa')
        # Dynamic and long rope remember earlier calls; a model that is shared by many callers must not.
        self.text.rotary_emb = type(self.text.rotary_emb)(self.config)

    def record_layers(self, into):
        hooks = []

        def keep(name, module, takes_keywords=False):
            def hook(module, args, kwargs, out):
                x = kwargs['hidden_states'] if 'hidden_states' in kwargs else args[0]
                into[name + '_in'] = x.clone()
                into[name + '_out'] = (out[0] if isinstance(out, tuple) else out).clone()
            hooks.append(module.register_forward_hook(hook, with_kwargs=True))

        for i, layer in enumerate(self.text.layers):
            keep(f'layer.{i}.mixer', layer.linear_attn if hasattr(layer, 'linear_attn') else layer.self_attn)
            keep(f'layer.{i}.mlp', layer.mlp)
            hooks.append(layer.register_forward_hook(lambda m, a, out, i=i: into.__setitem__(f'layer.{i}.out', out.clone())))
        return hooks

    def run(self, scenario, chunk):
        """scenario: dict(steps=[arguments], want=[names of results], ...) -> {'step.field': tensor}"""
        from transformers import DynamicCache
        want = scenario['want']
        self.begin(chunk, 'attentions' in want)
        cached = scenario.get('cached', False)
        results, steps = {}, scenario['steps']
        if cached and 'full_attention' not in self.config.layer_types:  # the reference's cache needs a full layer: one pass says the same
            whole = dict(input_ids=torch.cat([s['input_ids'] for s in steps], 1))
            if 'attention_mask' in steps[-1]:
                whole['attention_mask'] = steps[-1]['attention_mask']
            out = self.model(**whole, use_cache=False)
            at = 0
            for i, s in enumerate(steps):
                n = s['input_ids'].shape[1]
                results[f'{i}.logits'] = out.logits[:, at:at + n]
                at += n
            return results
        cache = DynamicCache(config=self.config) if cached else None
        if cached and 'linear_attention' not in self.config.layer_types:
            cache.has_previous_state = lambda *layer: False  # raises in a cache without linear layers
        for i, step in enumerate(steps):
            args = {k: v for k, v in step.items()}
            for alias, name in (('mask_boolean', 'attention_mask'), ('mask_additive', 'attention_mask'), ('logits_indices', 'logits_to_keep')):
                if alias in args:
                    args[name] = args.pop(alias)
            if 'num_items_in_batch' in args:
                args['num_items_in_batch'] = torch.tensor(args['num_items_in_batch'])
            layers = {}
            hooks = self.record_layers(layers) if 'layers' in want else []
            out = self.model(**args, past_key_values=cache, use_cache=cached, output_hidden_states='hidden_states' in want,
                             output_attentions='attentions' in want, **({} if self.dense else {'output_router_logits': 'router_logits' in want}))
            for hook in hooks:
                hook.remove()
            results.update({f'{i}.{k}': v for k, v in layers.items()})
            if 'last_hidden_state' in want:
                results[f'{i}.last_hidden_state'] = out.hidden_states[-1]
            for name in ('logits', 'loss', 'aux_loss'):
                if name in want and getattr(out, name, None) is not None:
                    value = getattr(out, name)
                    results[f'{i}.{name}'] = value.reshape(1) if value.ndim == 0 else value
            for name in ('hidden_states', 'attentions', 'router_logits'):
                if name in want and getattr(out, name, None):
                    results[f'{i}.{name}'] = torch.stack([t for t in getattr(out, name) if t is not None])
        if 'states' in want:
            for i, kind in enumerate(self.config.layer_types):
                layer = cache.layers[i]
                if kind == 'full_attention':
                    results[f'state.{i}.keys'], results[f'state.{i}.values'] = layer.keys, layer.values
                else:
                    results[f'state.{i}.conv'], results[f'state.{i}.recurrent'] = layer.conv_states, layer.recurrent_states
        return {k: v.clone() for k, v in results.items()}


def double_module(family):
    """The reference's module with f64 wherever it says f32."""
    module = importlib.import_module(f'transformers.models.{family}.modeling_{family}')
    with open(module.__file__) as f:
        source = f.read()
    for narrow, wide in (('torch.float32', 'torch.float64'), ('.float()', '.double()'), ('dtype=torch.float,', 'dtype=torch.float64,')):
        source = source.replace(narrow, wide)
    double = types.ModuleType(module.__name__ + '_f64')
    double.__package__, double.__file__ = module.__package__, module.__file__
    sys.modules[double.__name__] = double
    exec(compile(source, module.__file__, 'exec'), double.__dict__)
    return double


double_module = functools.lru_cache(None)(double_module)


class DoubleRotary(torch.nn.Module):
    """cos and sin as in f32: they are part of the model's definition."""

    def __init__(self, rotary):
        super().__init__()
        self.rotary = rotary

    def forward(self, x, position_ids):
        return tuple(v.double() for v in self.rotary(x.float(), position_ids))


class DoubleReference(Reference):
    def __init__(self, single):
        self.single = single
        module = double_module('qwen3_5' if single.dense else 'qwen3_5_moe')
        self.model = (module.Qwen3_5ForCausalLM if single.dense else module.Qwen3_5MoeForCausalLM)(single.config).double()
        self.model.load_state_dict({k: v.double() for k, v in single.model.state_dict().items()})
        self.model.loss_function = self.loss
        self.prepare(self.model.model, single.config, single.dense)

    @staticmethod
    def loss(logits, labels, vocab_size, num_items_in_batch=None, shift_labels=None, **kwargs):
        targets = shift_labels if shift_labels is not None else torch.nn.functional.pad(labels, (0, 1), value=-100)[:, 1:]
        total = torch.nn.functional.cross_entropy(logits.reshape(-1, vocab_size), targets.reshape(-1), ignore_index=-100, reduction='sum')
        return total / ((targets != -100).sum() if num_items_in_batch is None else num_items_in_batch)

    def begin(self, chunk, eager):
        super().begin(chunk, eager)
        self.text.rotary_emb = DoubleRotary(type(self.single.text.rotary_emb)(self.config))

    def run(self, scenario, chunk):
        steps = [{k: v.double() if torch.is_tensor(v) and v.is_floating_point() else v for k, v in step.items()} for step in scenario['steps']]
        return super().run(dict(scenario, steps=steps), chunk)


def left_padded(generator, batch, length, pads):
    mask = torch.ones(batch, length, dtype=torch.long)
    for b, n in enumerate(pads):
        mask[b, :n] = 0
    return mask


def scenarios(index, config, generator, dense):
    V, H, Nq = config.vocab_size, config.hidden_size, config.num_attention_heads
    has_full = 'full_attention' in config.layer_types
    ids = lambda *shape: torch.randint(0, V, shape, generator=generator)
    ranged = lambda low, high, *shape: torch.randint(low, high, shape, generator=generator)
    length = [13, 17, 21, 15, 70, 19][index % 6]
    S = 7 + index % 4

    def labels_for(x, keep=0.7):
        out = x.clone()
        out[torch.rand(x.shape, generator=generator) > keep] = -100
        out[:, 1] = x[:, 1]  # at least one target
        return out

    routers = [] if dense else ['router_logits', 'aux_loss']
    cases = {}
    x = ids(1, length)
    long = length > 40  # these record less of the inside
    cases['prompt'] = dict(steps=[dict(input_ids=x, labels=labels_for(x))],
                           want=['logits', 'last_hidden_state', 'hidden_states', 'loss', *routers, *([] if long else ['layers'])] +
                                (['attentions'] if has_full and not long else []))
    x = ids(3, S)
    mask = left_padded(generator, 3, S, (3, 0, S - 2))
    cases['padded'] = dict(steps=[dict(input_ids=x, attention_mask=mask, labels=labels_for(x))], want=['logits', 'loss', *routers])
    mask = left_padded(generator, 3, S, (0, 2, 0))
    mask[0, 3] = mask[1, 4] = mask[1, 5] = mask[2, -2:] = 0
    cases['holes'] = dict(steps=[dict(input_ids=ids(3, S), attention_mask=mask)], want=['logits'])
    x = ids(2, S)
    cases['items'] = dict(steps=[dict(input_ids=x, labels=labels_for(x), num_items_in_batch=7)], want=['loss'])
    cases['shifted'] = dict(steps=[dict(input_ids=x, labels=labels_for(x), shift_labels=labels_for(ids(2, S)))], want=['loss'])
    cases['ignored'] = dict(steps=[dict(input_ids=x[:1, :3], labels=torch.full((1, 3), -100))], want=['loss'])
    cases['embeds'] = dict(steps=[dict(inputs_embeds=torch.randn(2, S, H, generator=generator) * 0.5)], want=['logits'])
    cases['keep_count'] = dict(steps=[dict(input_ids=x, logits_to_keep=2)], want=['logits'])
    cases['keep_indices'] = dict(steps=[dict(input_ids=x, logits_indices=torch.tensor([0, S - 1, 2]))], want=['logits'])
    if has_full:
        cases['positions1'] = dict(steps=[dict(input_ids=ids(1, S), position_ids=ranged(0, 30, 1, 1, S))], want=['logits'])
        start = ranged(0, 30, 2, 1)
        cases['positions2'] = dict(steps=[dict(input_ids=ids(2, S), position_ids=start + torch.arange(S))], want=['logits'])
        cases['positions3'] = dict(steps=[dict(input_ids=ids(2, S), position_ids=ranged(0, 30, 3, 2, S))], want=['logits'])
        planes = ranged(0, 300, 4, 2, S)
        planes[0] = torch.arange(S)
        cases['positions4'] = dict(steps=[dict(input_ids=ids(2, S), position_ids=planes)], want=['logits'])
        resets = torch.stack([torch.cat([torch.arange(3), torch.arange(S - 3)]), torch.cat([torch.arange(S - 2), torch.arange(5, 7)])])
        cases['packed2'] = dict(steps=[dict(input_ids=ids(2, S), position_ids=resets)], want=['logits'], no_cache=True)
        planes = ranged(0, 30, 4, 2, S)
        planes[0] = resets.flip(0)
        cases['packed4'] = dict(steps=[dict(input_ids=ids(2, S), position_ids=planes)], want=['logits'], no_cache=True)
        # Ready-made masks: not causal; one row of the boolean one sees nothing.
        boolean = torch.rand(2, 1, S, S, generator=generator) < 0.6
        boolean |= torch.eye(S, dtype=torch.bool)
        boolean[1, 0, 2] = False
        cases['mask_boolean'] = dict(steps=[dict(input_ids=ids(2, S), mask_boolean=boolean)], want=['logits'])
        additive = torch.randn(1, Nq, S, S, generator=generator)
        additive = additive.masked_fill(torch.triu(torch.ones(S, S, dtype=torch.bool), 2), -math.inf)
        cases['mask_additive'] = dict(steps=[dict(input_ids=ids(1, S), mask_additive=additive)], want=['logits'])
    x = ids(2, 12)
    cases['cached'] = dict(cached=True, steps=[dict(input_ids=x[:, :6]), dict(input_ids=x[:, 6:7]), dict(input_ids=x[:, 7:])],
                           want=['logits', 'states'] + ([] if dense else ['router_logits']) + (['attentions'] if has_full else []))
    x, mask = ids(3, 11), left_padded(generator, 3, 11, (2, 0, 4))
    cuts = [0, 5, 6, 7, 11]
    cases['cached_padded'] = dict(cached=True, want=['logits'],
                                  steps=[dict(input_ids=x[:, a:b], attention_mask=mask[:, :b]) for a, b in zip(cuts, cuts[1:])])
    return cases


# ---- measuring and writing
def difference(name, a, b):
    a, b = a.double(), b.double()
    if name.endswith('.logits'):
        return ((a - b).square().sum() / b.square().sum()).item(), LOGITS_BAR
    if 'loss' in name:
        return (0.0 if b.isnan() else ((a - b).abs() / b.abs()).item()), LOSS_BAR
    return ((a - b).norm() / b.norm()).item(), LAYER_BAR


def stored(value):
    if isinstance(value, bool): return torch.tensor([int(value)], dtype=torch.int32)
    if isinstance(value, int): return torch.tensor([value], dtype=torch.int32)
    if value.dtype == torch.bool: return value.to(torch.uint8)
    return (value.float() if value.is_floating_point() else value.to(torch.int32)).contiguous()


def make_case(index, row, root):
    folder = os.path.join(root, f'c{index:02d}')
    text, pattern, form = make_config(index, row)
    dense = row['ffn'] == 'dense'
    for seed in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        generator = torch.Generator().manual_seed(10000 * index + seed)
        plain = dict(text)  # the class, not the file, gives names and shapes
        kind = Qwen3_5ForCausalLM if dense else Qwen3_5MoeForCausalLM
        torch.manual_seed(0)
        model = kind(kind.config_class(**{k: v for k, v in json.loads(json.dumps(plain)).items() if k != 'model_type'}))
        lively(model, generator)
        write_checkpoint(folder, text, form, model.state_dict(), index)
        reference = Reference(folder, dense)
        assert [t[0].upper() for t in reference.config.layer_types] == list(pattern)
        for name, value in reference.model.state_dict().items():  # the file is read as it was meant
            expected = model.state_dict()[name]
            narrow = expected.to(DTYPES[form['dtype']]).float()
            assert torch.equal(value, narrow) or torch.equal(value, expected), name
        double = DoubleReference(reference)
        record, wider, largest, imprecise = {}, 0, 0.0, 0.0
        for name, scenario in scenarios(index, reference.config, generator, dense).items():
            results = reference.run(scenario, 64)
            for i, step in enumerate(scenario['steps']):
                for field, value in step.items():
                    record[f'{name}.{i}.{field}'] = stored(value)
                if scenario.get('no_cache'):
                    record[f'{name}.{i}.use_cache'] = stored(0)
            others = [reference.run(scenario, chunk) for chunk in (16, 1)] if reference.linear else []
            precise = double.run(scenario, 64)
            for field, value in results.items():
                if '.layer.' not in field:  # those are fed with the reference's own input
                    error, bar = difference(field, value, precise[field])
                    imprecise = max(imprecise, error / bar)
                record[f'{name}.{field}'] = stored(value)
                measured = [difference(field, other[field], value) for other in others]
                largest = max([largest, *(d / bar for d, bar in measured)])
                if measured and max(d for d, _ in measured) > measured[0][1] / 2:
                    record[f'{name}.{field}.bar'] = torch.tensor([2 * max(d for d, _ in measured)])
                    wider += 1
        if reference.gap > ROUTER_GAP and imprecise < PRECISE:
            break
    else:
        raise SystemExit(f'{folder}: no seed keeps the routers off ties and the reference precise')
    save_file(record, os.path.join(folder, 'cases.safetensors'),  # one entry: the library writes several in any order
              metadata={'made_by': f'transformers {transformers.__version__}, torch {torch.__version__}, seed {seed}'})
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    print(os.path.basename(folder), row, pattern, 'K', text['linear_conv_kernel_dim'], 'seed', seed, f'gap {reference.gap:.1e}', f'at other chunk sizes {largest:.2f} bars, from f64 {imprecise:.2f}', 'wider', wider,
          'of', sum(1 for k in record if not k.endswith('.bar')), f'{size / 1e3:.0f} kB', flush=True)
    return size


if __name__ == '__main__':
    rows = covering_rows()
    only = [int(a) for a in sys.argv[1:]]
    print(len(rows), 'cases')
    total = 0
    for index, row in enumerate(rows):
        if only and index not in only:
            make_config(index, row)  # keeps the choice of rope variants in step
            continue
        total += make_case(index, row, HERE)
    print(f'{total / 1e6:.2f} MB')
