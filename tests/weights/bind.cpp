// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/core/log.hpp>
#include <qwen35/weights/bind.hpp>

#include "text_tensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace qwen35;
using namespace weights_test;

namespace {

// Sizes without common factors, value heads 4 x key heads, layers out of the usual order.
struct Experts : MoeTextDefaults {
  static constexpr std::size_t vocab_size = 11;
  static constexpr std::size_t hidden_size = 6;
  static constexpr std::size_t num_hidden_layers = 3;
  static constexpr std::array<LayerType, 3> layer_types = {LayerType::full_attention, LayerType::linear_attention,
                                                           LayerType::linear_attention};
  static constexpr std::size_t num_attention_heads = 3;
  static constexpr std::size_t num_key_value_heads = 1;
  static constexpr std::size_t head_dim = 10;
  static constexpr std::size_t linear_num_key_heads = 1;
  static constexpr std::size_t linear_num_value_heads = 4;
  static constexpr std::size_t linear_key_head_dim = 3;
  static constexpr std::size_t linear_value_head_dim = 5;
  static constexpr std::size_t linear_conv_kernel_dim = 3;
  static constexpr std::size_t num_experts = 4;
  static constexpr std::size_t num_experts_per_tok = 2;
  static constexpr std::size_t moe_intermediate_size = 7;
  static constexpr std::size_t shared_expert_intermediate_size = 9;
};
struct OneExpert : Experts {
  static constexpr std::size_t num_experts = 1;
  static constexpr std::size_t num_experts_per_tok = 1;
};
struct Multimodal : CompositeDefaults {
  using text_config = Experts;
  using vision_config = VisionDefaults;
};
struct Dense : DenseTextDefaults {
  static constexpr std::size_t vocab_size = 11;
  static constexpr std::size_t hidden_size = 6;
  static constexpr std::size_t num_hidden_layers = 2;
  static constexpr auto layer_types = hybrid_layer_types<2>(2);
  static constexpr std::size_t num_attention_heads = 2;
  static constexpr std::size_t num_key_value_heads = 2;
  static constexpr std::size_t head_dim = 10;
  static constexpr std::size_t linear_num_key_heads = 2;
  static constexpr std::size_t linear_num_value_heads = 2;
  static constexpr std::size_t linear_key_head_dim = 3;
  static constexpr std::size_t linear_value_head_dim = 5;
  static constexpr std::size_t intermediate_size = 13;
  static constexpr bool attention_bias = true;
  static constexpr bool tie_word_embeddings = true;
};

const Bytes config = bytes_of("{}");

Checkpoint in_memory(const Bytes& file, const CheckpointOptions& options = {}) {
  return Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}, options);
}

const TestTensor& named(const std::vector<TestTensor>& tensors, const std::string& name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const TestTensor& tensor) { return tensor.name == name; });
  REQUIRE_MESSAGE(found != tensors.end(), name);
  return *found;
}

// Appends every bound value, as stored or as converted, in a fixed order.
struct Dump {
  std::vector<Bytes> matrices;
  std::vector<std::vector<float>> vectors;

  void operator()(const Matrix& matrix) {
    Bytes bytes(matrix.data, matrix.data + matrix.bytes());
    bytes.push_back(static_cast<std::byte>(matrix.format));
    matrices.push_back(std::move(bytes));
  }
  void operator()(const float* data, std::size_t size) { vectors.emplace_back(data, data + size); }
  friend bool operator==(const Dump&, const Dump&) = default;
};

template <class Config>
Dump dump(const TextWeights<Config>& weights) {
  using C = text_config_t<Config>;
  using Linear = typename LayersOf<Config>::Linear;
  Dump out;
  out(weights.embed_tokens);
  out(weights.lm_head);
  out(weights.norm.weight, C::hidden_size);
  const auto mlp = [&](const MlpWeights& part) {
    out(part.gate_proj);
    out(part.up_proj);
    out(part.down_proj);
  };
  const auto rest = [&](const auto& layer) {
    out(layer.input_layernorm.weight, C::hidden_size);
    out(layer.post_attention_layernorm.weight, C::hidden_size);
    if constexpr (is_moe<C>) {
      out(layer.mlp.gate);
      out(layer.mlp.shared_expert_gate);
      mlp(layer.mlp.shared_expert);
      for (std::size_t e = 0; e < C::num_experts; ++e) {
        mlp(layer.mlp.experts[e]);
      }
    } else {
      mlp(layer.mlp);
    }
  };
  for (const auto& layer : weights.linear_layers) {
    for (const Matrix* matrix : {&layer.mixer.in_proj_qkv, &layer.mixer.in_proj_z, &layer.mixer.in_proj_b,
                                 &layer.mixer.in_proj_a, &layer.mixer.out_proj}) {
      out(*matrix);
    }
    out(layer.mixer.conv1d, Linear::conv_channels * C::linear_conv_kernel_dim);
    out(layer.mixer.dt_bias, C::linear_num_value_heads);
    out(layer.mixer.a, C::linear_num_value_heads);
    out(layer.mixer.norm.weight, C::linear_value_head_dim);
    rest(layer);
  }
  for (const auto& layer : weights.full_layers) {
    for (const Matrix* matrix : {&layer.mixer.q_proj, &layer.mixer.k_proj, &layer.mixer.v_proj, &layer.mixer.o_proj}) {
      out(*matrix);
    }
    out(layer.mixer.q_norm.weight, C::head_dim);
    out(layer.mixer.k_norm.weight, C::head_dim);
    rest(layer);
  }
  return out;
}

template <class Config>
std::string problem(const std::vector<TestTensor>& tensors, const CheckpointOptions& options = {}) {
  const Bytes file = write_safetensors(tensors);
  return message_of<CheckpointError>([&] { bind_text<Config>(in_memory(file, options)); });
}

void check_matrix(const Matrix& matrix, const TestTensor& tensor) {
  CAPTURE(tensor.name);
  CHECK(matrix.rows == tensor.shape[0]);
  CHECK(matrix.cols == tensor.values.size() / tensor.shape[0]);
  CHECK(name(matrix.format) == (tensor.dtype == "F32" ? "f32" : tensor.dtype == "F16" ? "f16" : "bf16"));
  CHECK(Bytes(matrix.data, matrix.data + matrix.bytes()) == encode(tensor.values, tensor.dtype));
}

void check_vector(const float* data, const TestTensor& tensor, const std::function<float(float)>& convert) {
  CAPTURE(tensor.name);
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    CHECK(data[i] == convert(tensor.values[i]));
  }
}

float same(float value) {
  return value;
}
float plus_one(float value) {
  return 1.0f + value;
}

}  // namespace

TEST_CASE("every tensor of a model with experts stands at its place") {
  const std::vector<TestTensor> tensors = text_tensors<Multimodal>({});
  CHECK(tensors.size() == 3 + 18 * 2 + 15 * 1);
  const Bytes file = write_safetensors(tensors);
  const TextWeights<Multimodal> weights = bind_text<Multimodal>(in_memory(file));
  const std::string root = "model.language_model.";
  const auto get = [&](const std::string& name) -> const TestTensor& { return named(tensors, name); };
  check_matrix(weights.embed_tokens, get(root + "embed_tokens.weight"));
  check_matrix(weights.lm_head, get("lm_head.weight"));
  check_vector(weights.norm.weight, get(root + "norm.weight"), plus_one);
  REQUIRE(weights.full_layers.size() == 1);
  REQUIRE(weights.linear_layers.size() == 2);

  const auto& full = weights.full_layers[0];
  const std::string first = root + "layers.0.";
  check_matrix(full.mixer.q_proj, get(first + "self_attn.q_proj.weight"));
  check_matrix(full.mixer.k_proj, get(first + "self_attn.k_proj.weight"));
  check_matrix(full.mixer.v_proj, get(first + "self_attn.v_proj.weight"));
  check_matrix(full.mixer.o_proj, get(first + "self_attn.o_proj.weight"));
  check_vector(full.mixer.q_norm.weight, get(first + "self_attn.q_norm.weight"), plus_one);
  check_vector(full.mixer.k_norm.weight, get(first + "self_attn.k_norm.weight"), plus_one);
  CHECK((full.mixer.q_bias == nullptr && full.mixer.k_bias == nullptr && full.mixer.v_bias == nullptr &&
         full.mixer.o_bias == nullptr));

  const auto& linear = weights.linear_layers[1];
  const std::string last = root + "layers.2.";
  check_matrix(linear.mixer.in_proj_qkv, get(last + "linear_attn.in_proj_qkv.weight"));
  check_matrix(linear.mixer.in_proj_z, get(last + "linear_attn.in_proj_z.weight"));
  check_matrix(linear.mixer.in_proj_b, get(last + "linear_attn.in_proj_b.weight"));
  check_matrix(linear.mixer.in_proj_a, get(last + "linear_attn.in_proj_a.weight"));
  check_matrix(linear.mixer.out_proj, get(last + "linear_attn.out_proj.weight"));
  check_vector(linear.mixer.dt_bias, get(last + "linear_attn.dt_bias"), same);
  check_vector(linear.mixer.a, get(last + "linear_attn.A_log"), [](float value) { return -std::exp(value); });
  check_vector(linear.mixer.norm.weight, get(last + "linear_attn.norm.weight"), same);
  const TestTensor& conv = get(last + "linear_attn.conv1d.weight");  // [channels, 1, 3]
  for (std::size_t channel = 0; channel < conv.shape[0]; ++channel) {
    for (std::size_t tap = 0; tap < 3; ++tap) {
      CHECK(linear.mixer.conv1d[tap * conv.shape[0] + channel] == conv.values[channel * 3 + tap]);
    }
  }
  check_vector(linear.input_layernorm.weight, get(last + "input_layernorm.weight"), plus_one);
  check_vector(linear.post_attention_layernorm.weight, get(last + "post_attention_layernorm.weight"), plus_one);
  check_matrix(linear.mlp.gate, get(last + "mlp.gate.weight"));
  check_matrix(linear.mlp.shared_expert.gate_proj, get(last + "mlp.shared_expert.gate_proj.weight"));
  check_matrix(linear.mlp.shared_expert.up_proj, get(last + "mlp.shared_expert.up_proj.weight"));
  check_matrix(linear.mlp.shared_expert.down_proj, get(last + "mlp.shared_expert.down_proj.weight"));
  check_matrix(linear.mlp.shared_expert_gate, get(last + "mlp.shared_expert_gate.weight"));
  const TestTensor& gate_up = get(last + "mlp.experts.gate_up_proj");
  const TestTensor& down = get(last + "mlp.experts.down_proj");
  const auto piece = [](const TestTensor& from, std::size_t begin, std::size_t rows, std::size_t cols) {
    const auto first_value = from.values.begin() + static_cast<std::ptrdiff_t>(begin * cols);
    return TestTensor{
        from.name, {rows, cols}, {first_value, first_value + static_cast<std::ptrdiff_t>(rows * cols)}, from.dtype};
  };
  for (std::size_t e = 0; e < 4; ++e) {
    check_matrix(linear.mlp.experts[e].gate_proj, piece(gate_up, 14 * e, 7, 6));
    check_matrix(linear.mlp.experts[e].up_proj, piece(gate_up, 14 * e + 7, 7, 6));
    check_matrix(linear.mlp.experts[e].down_proj, piece(down, 6 * e, 6, 7));
  }
}

TEST_CASE("a single expert, fused, is that expert") {
  const Bytes fused = write_safetensors(text_tensors<OneExpert>({}));
  const Bytes single = write_safetensors(text_tensors<OneExpert>({.per_expert = true}));
  CHECK(dump(bind_text<OneExpert>(in_memory(fused))) == dump(bind_text<OneExpert>(in_memory(single))));
}

TEST_CASE("names with and without a level, fused or single experts, one file or shards: the same model") {
  const Bytes reference_file = write_safetensors(text_tensors<Multimodal>({}));
  const Dump reference = dump(bind_text<Multimodal>(in_memory(reference_file)));
  CHECK(reference.matrices.size() == 2 + 2 * (5 + 5 + 12) + (4 + 5 + 12));
  for (const char* root : {"model.", "language_model.model.", "language_model.", ""}) {
    CAPTURE(root);
    for (const bool per_expert : {false, true}) {
      const Bytes file = write_safetensors(text_tensors<Multimodal>({.root = root, .per_expert = per_expert}), 1);
      CHECK(dump(bind_text<Multimodal>(in_memory(file))) == reference);
      CHECK(dump(bind_text<Experts>(in_memory(file))) == reference);  // the text part as a type of its own
    }
  }
  const Bytes other_head = write_safetensors(
      text_tensors<Multimodal>({.root = "language_model.model.", .lm_head = "language_model.lm_head.weight"}));
  CHECK(dump(bind_text<Multimodal>(in_memory(other_head))) == reference);

  std::vector<TestTensor> tensors = text_tensors<Multimodal>({.per_expert = true});
  std::mt19937 random(9);
  std::shuffle(tensors.begin(), tensors.end(), random);
  const std::span<const TestTensor> all(tensors);
  const TempFolder folder;
  std::string map;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t begin = i * all.size() / 3, end = (i + 1) * all.size() / 3;
    const std::string name = "model-0000" + std::to_string(i + 1) + "-of-00003.safetensors";
    folder.write(name, write_safetensors(all.subspan(begin, end - begin), i));
    for (std::size_t t = begin; t < end; ++t) {
      map += (t == 0 ? "\"" : ",\"") + all[t].name + "\":\"" + name + "\"";
    }
  }
  folder.write("model.safetensors.index.json", "{\"metadata\":{},\"weight_map\":{" + map + "}}");
  folder.write("config.json", "{}");
  const TextWeights<Multimodal> bound =
      bind_text<Multimodal>(Checkpoint::open(folder.path()));  // the mapping outlives the checkpoint
  CHECK(dump(bound) == reference);
}

TEST_CASE("a dense model with biases and a tied head") {
  const std::vector<TestTensor> tensors = text_tensors<Dense>({.root = "model.", .dtype = "F16", .small_dtype = "F16"});
  CHECK(tensors.size() == 2 + 14 + 11 + 4);
  const Bytes file = write_safetensors(tensors);
  const TextWeights<Dense> weights = bind_text<Dense>(in_memory(file));
  CHECK(weights.lm_head.data == weights.embed_tokens.data);
  REQUIRE(weights.full_layers.size() == 1);
  const auto& mixer = weights.full_layers[0].mixer;
  check_vector(mixer.q_bias, named(tensors, "model.layers.1.self_attn.q_proj.bias"), same);
  check_vector(mixer.k_bias, named(tensors, "model.layers.1.self_attn.k_proj.bias"), same);
  check_vector(mixer.v_bias, named(tensors, "model.layers.1.self_attn.v_proj.bias"), same);
  check_vector(mixer.o_bias, named(tensors, "model.layers.1.self_attn.o_proj.bias"), same);
  check_matrix(weights.linear_layers[0].mlp.gate_proj, named(tensors, "model.layers.0.mlp.gate_proj.weight"));
  check_matrix(weights.linear_layers[0].mlp.up_proj, named(tensors, "model.layers.0.mlp.up_proj.weight"));
  check_matrix(weights.linear_layers[0].mlp.down_proj, named(tensors, "model.layers.0.mlp.down_proj.weight"));
  // Some exports write the tied matrix a second time; the embedding counts.
  const Bytes twice = write_safetensors(
      text_tensors<Dense>({.root = "model.", .store_tied_head = true, .dtype = "F16", .small_dtype = "F16"}));
  CHECK(dump(bind_text<Dense>(in_memory(twice))) == dump(weights));
}

TEST_CASE("every format gives the same vectors") {
  std::vector<TestTensor> tensors = text_tensors<Experts>({.dtype = "BF16", .small_dtype = "BF16"});
  const Bytes bf16 = write_safetensors(tensors);
  for (TestTensor& tensor : tensors) {
    tensor.dtype = "F32";  // every bf16 value is an f32 value
  }
  const Bytes f32 = write_safetensors(tensors, 2);
  const Dump first = dump(bind_text<Experts>(in_memory(bf16)));
  const Dump second = dump(bind_text<Experts>(in_memory(f32)));
  CHECK(first.vectors == second.vectors);
  CHECK(first.matrices != second.matrices);
}

TEST_CASE("tensors of other parts are passed over") {
  std::vector<TestTensor> tensors = text_tensors<Multimodal>({});
  std::mt19937 random(2);
  for (const char* name :
       {"model.visual.patch_embed.proj.weight", "model.visual.merger.norm.bias", "mtp.fc.weight",
        "mtp.layers.0.mlp.gate.weight", "model.language_model.layers.0.self_attn.rotary_emb.inv_freq"}) {
    tensors.push_back(random_tensor(name, {3}, random));
  }
  CHECK(problem<Multimodal>(tensors) == "");
  CHECK(problem<Experts>(tensors) == "");
}

TEST_CASE("a missing tensor is named, whichever it is") {
  const std::vector<TestTensor> tensors = text_tensors<Multimodal>({});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::vector<TestTensor> fewer = tensors;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(problem<Multimodal>(fewer) == "checkpoint: does not hold this model, 1 problem:\n  " + tensors[i].name +
                                            ": missing, expected shape " + shape_text(tensors[i].shape));
  }
}

TEST_CASE("a misshapen tensor is named, whichever it is") {
  const std::vector<TestTensor> tensors = text_tensors<Multimodal>({.per_expert = true});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::vector<TestTensor> other = tensors;
    const Extents right = other[i].shape;
    other[i].shape[i % right.size()] += 1;
    std::size_t size = 1;
    for (const std::size_t extent : other[i].shape) {
      size *= extent;
    }
    other[i].values.resize(size);
    CHECK(problem<Multimodal>(other) == "checkpoint: does not hold this model, 1 problem:\n  " + tensors[i].name +
                                            ": shape " + shape_text(other[i].shape) + ", expected " +
                                            shape_text(right));
  }
}

TEST_CASE("tensors that the model has not") {
  std::mt19937 random(2);
  std::vector<TestTensor> tensors = text_tensors<Multimodal>({});
  const std::string root = "model.language_model.";
  for (const std::string& name : {root + "layers.3.input_layernorm.weight", root + "layers.0.self_attn.q_proj.bias",
                                  root + "layers.0.mlp.experts.9.gate_proj.weight",
                                  std::string("model.embed_tokens.weight"), std::string("score.weight")}) {
    tensors.push_back(random_tensor(name, {3}, random));
    const std::string said = problem<Multimodal>(tensors, {.strict = true});
    CHECK(contains(said, "\n  " + name + ": not part of the model"));
    CHECK(contains(said, std::to_string(std::count(said.begin(), said.end(), '\n')) + " problem"));
    CHECK(problem<Multimodal>(tensors).empty());
  }
  const Bytes file = write_safetensors(tensors);
  const Checkpoint checkpoint = in_memory(file);
  bind_text<Multimodal>(checkpoint);
  REQUIRE(checkpoint.notes().size() == 1);
  CHECK(checkpoint.notes()[0].starts_with("checkpoint: passed over 5 tensors that are no part of the model: "));
  CHECK(checkpoint.notes()[0].ends_with(", model.embed_tokens.weight, score.weight"));
  // Who listens is told; of many the first.
  tensors.push_back(random_tensor("other", {3}, random));
  std::vector<std::string> logged;
  const LogCallback before = set_log_callback([&](LogLevel level, std::string_view message) {
    CHECK(level == LogLevel::warning);
    logged.emplace_back(message);
  });
  const Bytes more = write_safetensors(tensors);
  bind_text<Multimodal>(in_memory(more));
  set_log_callback(before);
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].starts_with("checkpoint: passed over 6 tensors that are no part of the model: "));
  CHECK(logged[0].ends_with("score.weight and 1 more"));
}

TEST_CASE("a look finds what binding finds, and reads no values") {
  for (const bool per_expert : {false, true}) {
    std::vector<TestTensor> tensors = text_tensors<Multimodal>({.per_expert = per_expert});
    const auto said = [&](Binding binding) {
      const Bytes file = write_safetensors(tensors, 1);
      return message_of<CheckpointError>([&] { bind_text<Multimodal>(in_memory(file), Head::required, binding); });
    };
    CHECK(said(Binding::look) == "");
    tensors.front().name += "x";
    tensors.back().shape[0] -= 1;
    tensors.back().values.resize(tensors.back().values.size() / (tensors.back().shape[0] + 1) *
                                 tensors.back().shape[0]);
    CHECK(said(Binding::look) == said(Binding::whole));
    CHECK(contains(said(Binding::look), "problems:"));
  }
  const Bytes file = write_safetensors(text_tensors<Multimodal>({}), 1);
  CHECK(bind_text<Multimodal>(in_memory(file), Head::required, Binding::look).storage.copies.empty());
}

TEST_CASE("experts that are there in two forms") {
  std::vector<TestTensor> tensors = text_tensors<Experts>({.root = "model."});
  std::mt19937 random(3);
  tensors.push_back(random_tensor("model.layers.1.mlp.experts.0.up_proj.weight", {7, 6}, random));
  CHECK(contains(
      problem<Experts>(tensors),
      "\n  model.layers.1.mlp.experts.: these experts have several weights, fused, single, expected one form"));
}

TEST_CASE("experts: single ones with gaps, and too many") {
  std::vector<TestTensor> tensors = text_tensors<Experts>({.root = "model.", .per_expert = true});
  std::erase_if(
      tensors, [](const TestTensor& tensor) { return tensor.name == "model.layers.1.mlp.experts.0.gate_proj.weight"; });
  CHECK(problem<Experts>(tensors) ==
        "checkpoint: does not hold this model, 1 problem:\n  model.layers.1.mlp.experts.0.gate_proj.weight: missing, "
        "expected shape [7, 6]");
  std::mt19937 random(2);
  std::vector<TestTensor> more = text_tensors<Experts>({.root = "model.", .per_expert = true});
  more.push_back(random_tensor("model.layers.1.mlp.experts.4.up_proj.weight", {7, 6}, random));
  CHECK(problem<Experts>(more).empty());
  CHECK(problem<Experts>(more, {.strict = true}) ==
        "checkpoint: does not hold this model, 1 problem:\n  model.layers.1.mlp.experts.4.up_proj.weight: not part of "
        "the model");
}

TEST_CASE("everything that is wrong stands in one error") {
  std::vector<TestTensor> tensors = text_tensors<Experts>({.root = "model."});
  std::erase_if(tensors, [](const TestTensor& tensor) {
    return tensor.name == "lm_head.weight" || tensor.name == "model.norm.weight";
  });
  for (TestTensor& tensor : tensors) {
    if (tensor.name == "model.layers.2.linear_attn.conv1d.weight") {
      tensor.shape = {tensor.shape[0], tensor.shape[2]};
    }
  }
  tensors.push_back({"model.layers.7.mlp.gate.weight", {1}, {0.0f}, "F32"});
  CHECK(problem<Experts>(tensors) ==
        "checkpoint: does not hold this model, 4 problems:\n"
        "  model.norm.weight: missing, expected shape [6]\n"
        "  lm_head.weight: missing, expected shape [11, 6]\n"
        "  model.layers.2.linear_attn.conv1d.weight: shape [26, 3], expected [26, 1, 3]\n"
        "  model.layers.7.mlp.gate.weight: not part of the model");
  // The tensors of another family.
  CHECK(contains(problem<Dense>(text_tensors<Experts>({.root = "model."})),
                 "model.layers.0.mlp.gate_proj.weight: missing"));
  CHECK(contains(problem<Experts>({}), "does not hold this model, 54 problems:"));
}

TEST_CASE("quantised checkpoints are refused with their format") {
  // The form of a published FP8 file: experts of F8_E4M3 beside scales.
  std::vector<TestTensor> tensors = text_tensors<Experts>({.root = "model."});
  Bytes file = write_safetensors(tensors);
  std::string text(reinterpret_cast<const char*>(file.data()), file.size());
  const std::string from = "\"model.layers.0.mlp.experts.down_proj\":{\"dtype\":\"BF16\"";
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at + from.size() - 6, 6, "\"I16\" ");
  const Bytes changed = bytes_of(text);
  CHECK(message_of<CheckpointError>([&] { bind_text<Experts>(in_memory(changed)); }) ==
        "checkpoint: does not hold this model, 1 problem:\n  model.layers.0.mlp.experts.down_proj: dtype I16, expected "
        "one of F32, F16, BF16, F8_E4M3");
}

TEST_CASE("the shapes checkpoint") {
  const Checkpoint checkpoint = Checkpoint::open(QWEN35_SOURCE_DIR "/examples/shapes");
  const TextWeights<configs::Shapes> weights = bind_text<configs::Shapes>(checkpoint);
  CHECK(weights.linear_layers.size() == 3);
  CHECK(weights.full_layers.size() == 1);
  CHECK(weights.embed_tokens.format == DType::bf16);
  CHECK(weights.storage.copies.empty());
  CHECK_THROWS_AS(bind_text<configs::Qwen35_0_8B>(checkpoint), CheckpointError);
}
