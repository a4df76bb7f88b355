# SPDX-License-Identifier: Apache-2.0
"""Makes the GGUF files beside this file with llama.cpp's own tools, from checkpoints of this repository:

  c02, c04, c12        text models of tests/data/text (dense and tied; tiled value heads; one tap)
  c04-split            c04 in three files (llama-gguf-split)
  c25                  another with a layer that predicts further tokens, gate and up experts in one tensor, q, k and v in one
  v05                  a dense model of tests/data/vision with tiled value heads
  v01/v01, mmproj-v01  a model of tests/data/vision and its picture tower
  shapes-q8_0          examples/shapes, quantised (llama-quantize)
  shapes-q8_0.kld      not made here: what llama-perplexity -c 32 -b 32 --chunks 1 --kl-divergence-base records of it and an English sentence

Run in a folder that has `repository` (this one), and converter's convert_hf_to_gguf.py and conversion/ (llama.cpp 0.7), with llama-quantize and
llama-gguf-split on the path:  python3 repository/tests/data/gguf/make_gguf.py OUT [--large]
--large makes, beside them, a random MoE and a random dense model whose dimensions are multiples of 256, for the checks that are too large to keep: in every
quantised type (those of few bits with an importance matrix), with a layer that predicts further tokens, and split. llama-imatrix makes the matrix.

The published tokenizers are known to the converter by a hash; ours is none of them, so its name is given. The tiny models have no tokenizer.
"""
import json, os, shutil, subprocess, sys
import torch
from safetensors.torch import load_file, save_file

REPOSITORY = 'repository'


def convert(folder, out, *options, vocab=False):
    """In a process of its own: the converter keeps its options in its classes."""
    run(sys.executable, __file__, '--convert', 'vocab' if vocab else 'plain', folder, '--outfile', out, *options)


def convert_here(vocab, *arguments):
    sys.path.insert(0, os.getcwd())
    import convert_hf_to_gguf
    from conversion import base, qwen
    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: 'qwen35'
    if vocab == 'plain':
        for model in (qwen.Qwen3_5TextModel, qwen.Qwen3_5MoeTextModel):
            model.set_vocab = lambda self: self._set_vocab_none()
    sys.argv = ['convert', *arguments]
    convert_hf_to_gguf.main()


def prepared(case, mtp=False):
    """The checkpoint with what a published one has besides: architectures, and a layer that predicts further tokens."""
    folder = os.path.join('prepared', os.path.basename(case) + ('-mtp' if mtp else ''))
    shutil.copytree(case, folder, dirs_exist_ok=True)
    path = os.path.join(folder, 'config.json')
    config = json.load(open(path))
    text = config.get('text_config', config)
    kind = 'Moe' if 'moe' in text['model_type'] else ''
    config['architectures'] = ['Qwen3_5%sFor%s' % (kind, 'ConditionalGeneration' if 'text_config' in config else 'CausalLM')]
    text.setdefault('partial_rotary_factor', text.get('rope_parameters', {}).get('partial_rotary_factor', 0.25))
    if mtp:
        text['mtp_num_hidden_layers'] = 1
        add_mtp(folder, text)
    json.dump(config, open(path, 'w'))
    if 'vision_config' in config:
        settings = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3, size=dict(shortest_edge=65536, longest_edge=16777216))
        json.dump(settings, open(os.path.join(folder, 'preprocessor_config.json'), 'w'))
    os.path.exists(os.path.join(folder, 'cases.safetensors')) and os.remove(os.path.join(folder, 'cases.safetensors'))
    return folder


def add_mtp(folder, text):
    generator = torch.Generator().manual_seed(5)
    names = sorted(n for n in os.listdir(folder) if n.startswith('model') and n.endswith('.safetensors'))
    tensors = {}
    for name in names:
        tensors.update(load_file(os.path.join(folder, name)))
        os.remove(os.path.join(folder, name))
    index = os.path.join(folder, 'model.safetensors.index.json')
    os.path.exists(index) and os.remove(index)
    last = max(i for i, t in enumerate(text['layer_types']) if t == 'full_attention')
    fresh = lambda like: torch.randn(like.shape, generator=generator).mul(0.2).to(like.dtype)
    for name, value in list(tensors.items()):
        marker = 'layers.%d.' % last
        if marker in name:
            tensors['mtp.layers.0.' + name.split(marker)[1]] = fresh(value)
    hidden = text['hidden_size']
    dtype = next(iter(tensors.values())).dtype
    for name in ('pre_fc_norm_embedding', 'pre_fc_norm_hidden', 'norm'):
        tensors['mtp.%s.weight' % name] = fresh(torch.zeros(hidden, dtype=dtype))
    tensors['mtp.fc.weight'] = fresh(torch.zeros(hidden, 2 * hidden, dtype=dtype))
    save_file(tensors, os.path.join(folder, 'model.safetensors'), metadata={'format': 'pt'})


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


TYPES = ['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q2_K', 'Q3_K_M', 'Q4_K_M', 'Q5_K_M', 'Q6_K', 'IQ4_NL', 'IQ4_XS', 'IQ3_S', 'MXFP4_MOE',
         'IQ3_XXS', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ1_S', 'IQ1_M']


def large(out):
    """Random models of the family with tokens of the shapes checkpoint."""
    from transformers import Qwen3_5ForCausalLM, Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig, Qwen3_5TextConfig
    common = dict(vocab_size=512, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
                  linear_key_head_dim=64, linear_value_head_dim=64, linear_num_key_heads=2, linear_num_value_heads=4, max_position_embeddings=4096,
                  eos_token_id=435, pad_token_id=433, bos_token_id=None,
                  rope_parameters=dict(rope_type='default', rope_theta=1e4, partial_rotary_factor=0.25, mrope_section=[3, 3, 2]))
    moe = Qwen3_5MoeTextConfig(num_experts=8, num_experts_per_tok=2, moe_intermediate_size=256, shared_expert_intermediate_size=256, **common)
    dense = Qwen3_5TextConfig(intermediate_size=512, **common)
    for name, kind, config in (('moe', Qwen3_5MoeForCausalLM, moe), ('dense', Qwen3_5ForCausalLM, dense)):
        torch.manual_seed(7)
        model = kind(config).float()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if key.endswith('linear_attn.norm.weight'): p.normal_(1, 0.2)
                elif 'norm' in key: p.normal_(0, 0.2)
                elif 'A_log' in key: p.uniform_(-3, 1.5)
                elif 'dt_bias' in key: p.normal_(0, 0.7)
                elif 'conv1d' in key: p.normal_(0, 0.5)
                elif 'embed_tokens' in key: p.normal_(0, 0.5)
                elif 'lm_head' in key: p.normal_(0, 2 / p.shape[-1] ** 0.5)
                else: p.normal_(0, 1.2 / p.shape[-1] ** 0.5)
        folder = os.path.join(out, 'random-' + name)
        model.to(torch.bfloat16).save_pretrained(folder)
        for file in ('tokenizer.json', 'tokenizer_config.json'):
            shutil.copy(os.path.join(REPOSITORY, 'examples/shapes', file), folder)
        made = lambda kind: os.path.join(out, 'random-%s-%s.gguf' % (name, kind))
        for dtype in ('bf16', 'f32', 'f16'):
            convert(folder, made(dtype), '--no-mtp', '--outtype', dtype, vocab=True)
        run('llama-imatrix', '-m', made('f32'), '-f', __file__, '-o', made('imatrix'), '-c', '128', '-b', '128', '--chunks', '8')
        for quant in TYPES:
            importance = ['--imatrix', made('imatrix')] if quant.startswith(('IQ1', 'IQ2', 'IQ3')) else []
            run('llama-quantize', *importance, made('f32'), made(quant), quant, '2')
        predicting = prepared(folder, mtp=True)
        convert(predicting, made('mtp'), '--outtype', 'f32', vocab=True)
        convert(predicting, made('draft'), '--mtp', '--outtype', 'f32', vocab=True)
        for kind in ('f32', 'Q4_K_M', 'mtp'):
            run('llama-gguf-split', '--split', '--split-max-tensors', '12', made(kind), made(kind)[:-5])


def main(out, also_large):
    os.makedirs(out, exist_ok=True)
    at = lambda name: os.path.join(out, name)
    for case, dtype in (('c02', 'f32'), ('c04', 'f16'), ('c12', 'f16')):
        convert(prepared(REPOSITORY + '/tests/data/text/' + case), at(case + '.gguf'), '--no-mtp', '--outtype', dtype)
    convert(prepared(REPOSITORY + '/tests/data/text/c25', mtp=True), at('c25.gguf'), '--outtype', 'f32', '--fuse-gate-up-exps', '--fuse-qkv')
    run('llama-gguf-split', '--split', '--split-max-tensors', '25', at('c04.gguf'), at('c04-split'))
    convert(prepared(REPOSITORY + '/tests/data/vision/v05'), at('v05.gguf'), '--no-mtp', '--outtype', 'f32')
    vision = prepared(REPOSITORY + '/tests/data/vision/v01')
    os.makedirs(at('v01'), exist_ok=True)
    convert(vision, at('v01/v01.gguf'), '--no-mtp', '--outtype', 'f32')
    convert(vision, at('v01/mmproj-v01.gguf'), '--mmproj', '--outtype', 'f32')
    convert(os.path.join(REPOSITORY, 'examples/shapes'), 'shapes.gguf', '--no-mtp', '--outtype', 'f32', vocab=True)
    run('llama-quantize', 'shapes.gguf', at('shapes-q8_0.gguf'), 'Q8_0', '2')
    if also_large:
        large(out)


convert_here(*sys.argv[2:]) if sys.argv[1] == '--convert' else main(sys.argv[1], '--large' in sys.argv[2:])
