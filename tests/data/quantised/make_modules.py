# SPDX-License-Identifier: Apache-2.0
"""Makes modules.safetensors beside this file: linear layers as FP8, GPTQ, AWQ, compressed-tensors, MLX and NVFP4 keep them, and the values that they stand for.

Run with transformers 5.12 and PyTorch:  python3 make_modules.py OUT.safetensors

NAME.* are the module's tensors, NAME.expected [rows, cols] its values in f32. FP8's are what the reference's Fp8Dequantize makes of the tensors. The others
follow the formats' public descriptions: scale * (code - zero point) in f32.
"""
import sys
import torch
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

random = torch.Generator().manual_seed(11)
tensors = {}


def fp8(name, rows, cols, scale_rows, scale_cols, dtype, suffix='_scale_inv'):
    codes = torch.randint(0, 256, (rows, cols), generator=random, dtype=torch.int32)
    codes[(codes & 127) == 127] = 3  # no NaN
    weight = codes.to(torch.uint8).view(torch.float8_e4m3fn)
    scales = (torch.rand((scale_rows, scale_cols), generator=random) * 0.01).to(dtype)
    tensors[name + '.weight'] = weight
    tensors[name + '.weight' + suffix] = scales
    tensors[name + '.expected'] = Fp8Dequantize(None)._dequantize_one(weight, scales, output_dtype=torch.float32)


def words(values, bits, order=None):
    """Packs the last axis, the first value in the lowest bits (or the one that `order` puts there)."""
    each = 32 // bits
    values = torch.nn.functional.pad(values, (0, -values.shape[-1] % each)).to(torch.int64)
    values = values.reshape(*values.shape[:-1], -1, each)
    if order:
        values = values[..., order]
    packed = sum(values[..., i] << bits * i for i in range(each))
    return torch.where(packed >= 2 ** 31, packed - 2 ** 32, packed).to(torch.int32).contiguous()


def integers(bits, rows, cols, groups, dtype, symmetric=False, groups_of_columns=None):
    codes = torch.randint(0, 2 ** bits, (rows, cols), generator=random)
    zeros = torch.randint(0, 2 ** bits, (rows, groups), generator=random)
    zeros = torch.full_like(zeros, 2 ** (bits - 1)) if symmetric else zeros
    scales = (torch.rand((rows, groups), generator=random) * 0.02 + 1e-5).to(dtype)
    of_column = torch.arange(cols) // (cols // groups) if groups_of_columns is None else groups_of_columns
    values = scales.float()[:, of_column] * (codes - zeros[:, of_column]).float()
    return codes, zeros, scales, of_column, values


def gptq(name, bits, rows, cols, groups, stored_less=1, act_order=False, symmetric=False, dtype=torch.float16):
    order = torch.randperm(cols, generator=random) // (cols // groups) if act_order else None
    codes, zeros, scales, of_column, values = integers(bits, rows, cols, groups, dtype, symmetric, order)
    tensors[name + '.qweight'] = words(codes, bits).T.contiguous()
    ones = words(torch.full((groups, rows), stored_less), bits)
    tensors[name + '.qzeros'] = words(zeros.T, bits) - ones  # of words: as GPTQModel writes its older format
    tensors[name + '.scales'] = scales.T.contiguous()
    tensors[name + '.g_idx'] = of_column.to(torch.int32)
    tensors[name + '.expected'] = values


def awq(name, rows, cols, groups):
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    codes, zeros, scales, _, values = integers(4, rows, cols, groups, torch.float16)
    tensors[name + '.qweight'] = words(codes.T, 4, order)
    tensors[name + '.qzeros'] = words(zeros.T, 4, order)
    tensors[name + '.scales'] = scales.T.contiguous()
    tensors[name + '.expected'] = values


def compressed(name, bits, rows, cols, groups, symmetric=False, act_order=False, dtype=torch.bfloat16):
    order = torch.randperm(cols, generator=random) // (cols // groups) if act_order else None
    codes, zeros, scales, of_column, values = integers(bits, rows, cols, groups, dtype, symmetric, order)
    tensors[name + '.weight_packed'] = words(codes, bits)
    tensors[name + '.weight_scale'] = scales
    tensors[name + '.weight_shape'] = torch.tensor([rows, cols])
    if not symmetric:
        tensors[name + '.weight_zero_point'] = words(zeros.T, bits).T.contiguous()
    if act_order:
        tensors[name + '.weight_g_idx'] = of_column.to(torch.int32)
    tensors[name + '.expected'] = values


def mlx(name, bits, rows, cols, group, dtype=torch.bfloat16):
    codes = torch.randint(0, 2 ** bits, (rows, cols), generator=random)
    scales = ((torch.rand((rows, cols // group), generator=random) - 0.5) * 0.02).to(dtype)
    biases = (-scales.float() * torch.randint(0, 2 ** bits, scales.shape, generator=random)).to(dtype)
    stream = torch.stack([codes >> bit & 1 for bit in range(bits)], -1).reshape(rows, -1, 32)  # from the lowest bit on
    tensors[name + '.weight'] = (stream << torch.arange(32)).sum(-1).to(torch.uint32)
    tensors[name + '.scales'] = scales
    tensors[name + '.biases'] = biases
    of_column = torch.arange(cols) // group
    tensors[name + '.expected'] = scales.float()[:, of_column] * codes.float() + biases.float()[:, of_column]


def nvfp4(name, rows, cols, divides):
    values = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    codes = torch.randint(0, 16, (rows, cols), generator=random)
    codes[codes == 8] = 0  # no -0
    scales = torch.randint(0, 0x7f, (rows, cols // 16), generator=random).to(torch.uint8).view(torch.float8_e4m3fn)
    factor = torch.rand(1, generator=random) * 3000 if divides else torch.rand(1, generator=random) * 0.001
    tensors[name + ('.weight_packed' if divides else '.weight')] = (codes[:, ::2] | codes[:, 1::2] << 4).to(torch.uint8)
    tensors[name + '.weight_scale'] = scales
    tensors[name + ('.weight_global_scale' if divides else '.weight_scale_2')] = factor if divides else factor.reshape(())
    each = (scales.float() / factor if divides else scales.float() * factor).repeat_interleave(16, 1)
    tensors[name + '.expected'] = each * torch.where(codes > 7, -1, 1) * values[codes % 8]


fp8('fp8_f32', 48, 64, 3, 2, torch.float32)
fp8('fp8_bf16', 48, 64, 3, 2, torch.bfloat16)
fp8('fp8_tensor', 24, 40, 1, 1, torch.float32)
fp8('fp8_row', 24, 40, 24, 1, torch.bfloat16, '_scale')
gptq('gptq_4', 4, 16, 128, 1)
gptq('gptq_4_groups', 4, 24, 128, 4)
gptq('gptq_4_symmetric', 4, 24, 128, 2, symmetric=True, dtype=torch.bfloat16)
gptq('gptq_4_order', 4, 24, 128, 4, act_order=True)
gptq('gptq_8', 8, 24, 128, 2)
gptq('gptq_8_order', 8, 24, 64, 2, act_order=True)
gptq('gptq_v2_4', 4, 24, 128, 4, stored_less=0)
gptq('gptq_v2_8', 8, 24, 64, 2, stored_less=0)
awq('awq', 24, 128, 2)
awq('awq_row', 16, 64, 1)
compressed('compressed_4', 4, 20, 128, 4)
compressed('compressed_4_symmetric', 4, 20, 128, 1, symmetric=True)
compressed('compressed_4_order', 4, 20, 128, 4, act_order=True, dtype=torch.float16)
compressed('compressed_4_f32', 4, 20, 64, 2, dtype=torch.float32)
compressed('compressed_8', 8, 20, 128, 2)
compressed('compressed_8_symmetric', 8, 20, 64, 1, symmetric=True)
for bits in 2, 3, 4, 5, 6, 8:
    mlx(f'mlx_{bits}', bits, 12, 128, 64)
mlx('mlx_4_f16', 4, 12, 96, 32, torch.float16)
mlx('mlx_8_f32', 8, 12, 128, 128, torch.float32)
fp8('modelopt_fp8', 24, 40, 1, 1, torch.float32, '_scale')
tensors['modelopt_fp8.weight_scale'] = tensors['modelopt_fp8.weight_scale'].reshape(())
for divides in False, True:
    nvfp4(f'nvfp4_{"compressed" if divides else "modelopt"}', 12, 128, divides)
    nvfp4(f'nvfp4_{"compressed" if divides else "modelopt"}_48', 12, 48, divides)
save_file(tensors, sys.argv[1])
