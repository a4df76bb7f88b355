# Writes published.json and rope.json: configs as the reference (transformers) resolves them. Run in this folder, where transformers is installed.
#
# published.json: for each preset, the config.json that the reference writes for its sizes, all defaults spelt out.
# rope.json: text configs as a user may write them, and what `rope_parameters` the model ends up with, or which error.
import json

import torch
import transformers
from transformers.models.qwen3_5.configuration_qwen3_5 import Qwen3_5Config
from transformers.models.qwen3_5_moe.configuration_qwen3_5_moe import Qwen3_5MoeConfig, Qwen3_5MoeTextConfig
from transformers.models.qwen3_5_moe.modeling_qwen3_5_moe import Qwen3_5MoeTextRotaryEmbedding

ROPE = {"rope_type": "default", "rope_theta": 10000000, "partial_rotary_factor": 0.25, "mrope_section": [11, 11, 10], "mrope_interleaved": True}
COMMON = {"max_position_embeddings": 262144, "rope_parameters": ROPE, "eos_token_id": 248044}


def moe(hidden_size, layers, heads, value_heads, experts, per_tok, intermediate, shared):
    text = dict(COMMON, hidden_size=hidden_size, num_hidden_layers=layers, num_attention_heads=heads, linear_num_value_heads=value_heads,
                num_experts=experts, num_experts_per_tok=per_tok, moe_intermediate_size=intermediate, shared_expert_intermediate_size=shared)
    return Qwen3_5MoeConfig(text_config=text, vision_config={"out_hidden_size": hidden_size})


def dense(hidden_size, layers, heads, kv_heads, intermediate, value_heads, tied, depth, width, vision_intermediate, vision_heads):
    text = dict(COMMON, hidden_size=hidden_size, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
                intermediate_size=intermediate, linear_num_value_heads=value_heads, tie_word_embeddings=tied)
    vision = {"depth": depth, "hidden_size": width, "intermediate_size": vision_intermediate, "num_heads": vision_heads,
              "out_hidden_size": hidden_size}
    return Qwen3_5Config(text_config=text, vision_config=vision, tie_word_embeddings=tied)


published = {
    "Qwen35_35B_A3B": moe(2048, 40, 16, 32, 256, 8, 512, 512),
    "Qwen36_35B_A3B": moe(2048, 40, 16, 32, 256, 8, 512, 512),
    "Qwen35_122B_A10B": moe(3072, 48, 32, 64, 256, 8, 1024, 1024),
    "Qwen35_397B_A17B": moe(4096, 60, 32, 64, 512, 10, 1024, 1024),
    "Qwen35_0_8B": dense(1024, 24, 8, 2, 3584, 16, True, 12, 768, 3072, 12),
    "Qwen35_2B": dense(2048, 24, 8, 2, 6144, 16, True, 24, 1024, 4096, 16),
    "Qwen35_4B": dense(2560, 32, 16, 4, 9216, 32, True, 24, 1024, 4096, 16),
    "Qwen35_9B": dense(4096, 32, 16, 4, 12288, 32, False, 27, 1152, 4304, 16),
    "Qwen35_27B": dense(5120, 64, 24, 4, 17408, 48, False, 27, 1152, 4304, 16),
}
NOISE = {"id2label", "label2id", "architectures", "_name_or_path", "problem_type", "return_dict", "chunk_size_feed_forward", "is_encoder_decoder",
         "output_hidden_states", "output_attentions", "transformers_version", "dtype"}


def clean(value):
    return {k: clean(v) for k, v in value.items() if k not in NOISE} if isinstance(value, dict) else value


with open("published.json", "w") as out:
    rows = ",\n".join(f' {json.dumps(name)}: {json.dumps(clean(config.to_dict()))}' for name, config in published.items())
    defaults = {"MoeDefaults": clean(Qwen3_5MoeConfig().to_dict()), "DenseDefaults": clean(Qwen3_5Config().to_dict())}
    rows += ",\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(config)}" for name, config in defaults.items())
    out.write("{\n" + f' "transformers": "{transformers.__version__}",\n' + rows + "\n}\n")

SMALL = {"head_dim": 16, "max_position_embeddings": 64}
HALF = 4  # rotary pairs of head_dim 16 at factor 0.5
cases = {
    "nothing": {},
    "theta at the top": {"rope_theta": 5e5},
    "theta in both places": {"rope_theta": 5e5, "rope_parameters": {"rope_theta": 7e5}},
    "factor at the top": {"partial_rotary_factor": 0.5},
    "factor in the dict": {"rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 100}},
    "factor in both places": {"partial_rotary_factor": 0.75, "rope_parameters": {"partial_rotary_factor": 0.5}},
    "sections": {"rope_parameters": {"mrope_section": [2, 1, 1], "rope_theta": 1e7}},
    "legacy dict": {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 1e6},
    "legacy dict replaces": {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}, "rope_parameters": {"rope_theta": 123.0, "mrope_section": [1, 2, 3]}},
    "empty legacy dict": {"rope_scaling": {}, "rope_parameters": {"rope_theta": 123.0}},
    "legacy type key": {"rope_parameters": {"type": "linear", "factor": 3}},
    "both type keys": {"rope_parameters": {"type": "dynamic", "rope_type": "linear", "factor": 3}},
    "linear, factor in the dict only": {"rope_parameters": {"rope_type": "linear", "factor": 2.5, "partial_rotary_factor": 0.5}},
    "linear, both": {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "linear", "factor": 2.5, "partial_rotary_factor": 0.25}},
    "linear without factor": {"rope_parameters": {"rope_type": "linear"}},
    "dynamic": {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}, "partial_rotary_factor": 0.5},
    "dynamic without factor": {"rope_parameters": {"rope_type": "dynamic"}},
    "yarn": {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}},
    "yarn, original at the top": {"original_max_position_embeddings": 16, "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}},
    "yarn, no original": {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
    "yarn, null factor": {"rope_parameters": {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 32}},
    "yarn, every key": {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "yarn", "factor": 8, "original_max_position_embeddings": 16, "attention_factor": 1.5,
                        "beta_fast": 20, "beta_slow": 2, "mscale": 0.7, "mscale_all_dim": 0.9, "truncate": False, "partial_rotary_factor": 0.5}},
    "yarn without factor": {"rope_parameters": {"rope_type": "yarn"}},
    "longrope": {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "longrope", "factor": 2.0, "original_max_position_embeddings": 32,
                 "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1, 2, 3, 4.5]}},
    "longrope, no original": {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "longrope", "short_factor": [1.0] * HALF, "long_factor": [2.0] * HALF}},
    "longrope without a list": {"partial_rotary_factor": 0.5, "rope_parameters": {"rope_type": "longrope", "long_factor": [2.0] * HALF}},
    "llama3": {"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}},
    "llama3, original at the top": {"original_max_position_embeddings": 16, "rope_parameters": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}},
    "llama3 without low_freq_factor": {"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "high_freq_factor": 4.0}},
    "unknown type": {"rope_parameters": {"rope_type": "spiral"}},
    "mrope has no implementation": {"rope_parameters": {"rope_type": "mrope"}},
}
result = {"transformers": transformers.__version__, "cases": []}
for name, fields in cases.items():
    config = dict(SMALL, **fields)
    case = {"name": name, "config": json.loads(json.dumps(config))}
    try:
        built = Qwen3_5MoeTextConfig(**json.loads(json.dumps(config)))
        with torch.no_grad():
            Qwen3_5MoeTextRotaryEmbedding(built)
        case["rope_parameters"] = {k: v for k, v in built.rope_parameters.items() if k not in ("type", "mrope_interleaved")}
    except Exception as error:
        case["error"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    result["cases"].append(case)
with open("rope.json", "w") as out:
    out.write("{\n" + f' "transformers": "{transformers.__version__}",\n "cases": [\n'
              + ",\n".join("  " + json.dumps(case) for case in result["cases"]) + "\n]}\n")
