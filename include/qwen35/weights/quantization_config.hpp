// SPDX-License-Identifier: Apache-2.0
// What config.json says of a quantised folder: "quantization_config".
#pragma once

#include <qwen35/config/json_fields.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#include <iterator>
#endif

QWEN35_BEGIN_NAMESPACE

// Only what the tensors do not say themselves: which modules are quantised, how many bits their values have and how
// many share a scale is read from the tensors' names, types and shapes.
struct QuantizationConfig {
  enum class Method : std::uint8_t { none, fp8, gptq, awq, compressed_tensors, modelopt, mlx };

  Method method = Method::none;
  std::size_t group_size = 0;    // 0: not said, or whole rows
  std::size_t block_rows = 128;  // of FP8's factors
  std::size_t block_cols = 128;
  bool in_blocks = false;       // "fp8": weight_scale_inv has a factor for each block, and nothing else
  bool ordered = false;         // columns are put into groups by their activations: each module says which
  bool asymmetric = false;      // compressed-tensors: each module of integers has zero points
  bool zeros_minus_one = true;  // GPTQ: a zero point is stored as one less, unless the file says "gptq_v2"
  bool symmetric = false;       // GPTQ: each module's zero points are the middle code, unless it is one of "dynamic"

  std::vector<std::pair<std::string, std::size_t>> group_sizes{};  // MLX: of modules that have one of their own

  std::size_t group_size_of(std::string_view module) const;

  // Raises ConfigError for a method that is not read here, or a variant of one; it names what is.
  static QuantizationConfig of(const json::Value& config);

 private:
  static QuantizationConfig of_object(const json::Value& object);
  static std::string method_of(const JsonFields& fields);
  static std::size_t read_group_size(const JsonFields& fields);
  void read_gptq(const JsonFields& fields);
  void read_awq(const JsonFields& fields);
  void read_mlx(const json::Value& object, std::string_view where);
  void read_modelopt(const JsonFields& fields);
  void read_block_size(const JsonFields& fields, std::string_view key);
  void read_compressed_tensors(const JsonFields& fields);
  void read_group(const JsonFields& group, std::string_view format);
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY void refuse_quantization(std::string_view method) {
  decline<ConfigError>(concat(
      "quantization_config: weights quantised by ", method,
      " are not read. What is: folders in FP8 (e4m3), also ModelOpt's, NVFP4, GPTQ and AWQ (gemm) of 4 and GPTQ of 8 "
      "bits, "
      "compressed-tensors of 4 and 8 bits (pack-quantized, int-quantized, float-quantized, naive-quantized), MLX "
      "(affine), what AutoRound packs like GPTQ or AWQ, and GGUF files; or a folder in bf16"));
}

QWEN35_BODY std::string compressed_format(const JsonFields& fields) {
  constexpr std::string_view read[] = {"",
                                       "pack-quantized",
                                       "int-quantized",
                                       "float-quantized",
                                       "naive-quantized",
                                       "mixed-precision",
                                       "nvfp4-pack-quantized",
                                       "dense"};
  const std::string format = fields.text("format", "");
  if (std::find(std::begin(read), std::end(read), format) == std::end(read)) {
    refuse_quantization("compressed-tensors as " + format.substr(0, 100));
  }
  return format;
}

// Rotations that are part of the stored weights need nothing; those of activations would have to be made in each layer.
QWEN35_BODY void refuse_rotated_activations(const JsonFields& group) {
  const json::Value* const places = group.list("apply");
  for (std::size_t i = 0; places != nullptr && i < places->size(); ++i) {
    const std::string location = JsonFields(&places->items()[i], group.where() + ".apply").text("location", "");
    if (!location.starts_with("weight")) {
      refuse_quantization("compressed-tensors with rotated activations (transform_config, location " +
                          location.substr(0, 100) + ")");
    }
  }
}

// Calls fn(JsonFields) for each object in the object `key`.
template <class Fn>
inline void each_group(const JsonFields& fields, std::string_view key, const Fn& fn) {
  if (const json::Value* const groups = fields.object(key)) {
    for (const auto& [name, value] : groups->members()) {
      fn(JsonFields(&value, concat(fields.where(), ".", key, ".", name)));
    }
  }
}

}  // namespace detail

QWEN35_BODY QuantizationConfig QuantizationConfig::of(const json::Value& config) {
  const JsonFields root(&config, "config");
  const JsonFields text(root.object("text_config"), "text_config");
  for (const JsonFields* const fields : {&root, &text}) {
    for (const char* const key : {"quantization_config", "compression_config"}) {
      if (const json::Value* const object = fields->object(key)) {
        return of_object(*object);
      }
    }
    if (const json::Value* const object = fields->object("quantization")) {
      QuantizationConfig out;
      out.read_mlx(*object, "quantization");
      return out;
    }
  }
  return {};
}

QWEN35_BODY void QuantizationConfig::read_block_size(const JsonFields& fields, std::string_view key) {
  if (const json::Value* const block = fields.list(key)) {
    if (!fields.expect(block->size() == 2, key, "two sizes")) {
      return;
    }
    block_rows = fields.as_size(block->items()[0], key);
    block_cols = fields.as_size(block->items()[1], key);
    fields.expect(block_rows > 0 && block_cols > 0, key, "two sizes above 0");
  }
}

QWEN35_BODY void QuantizationConfig::read_compressed_tensors(const JsonFields& fields) {
  const std::string format = detail::compressed_format(fields);
  detail::compressed_format({fields.object("sparsity_config"), "quantization_config.sparsity_config"});
  detail::each_group({fields.object("transform_config"), "quantization_config.transform_config"}, "config_groups",
                     detail::refuse_rotated_activations);
  std::size_t groups = 0, in_order = 0, with_zeros = 0;
  detail::each_group(fields, "config_groups", [&](const JsonFields& group) {
    read_group(group, format);
    const JsonFields weights(group.object("weights"), group.where() + ".weights");
    const json::Value* const order = weights.find("actorder");
    with_zeros += weights.boolean("symmetric", true) ? 0u : 1u;
    in_order += order != nullptr && (*order == json::Value("group") || *order == json::Value(true)) ? 1u : 0u;
    ++groups;
  });
  ordered = groups > 0 && in_order == groups;
  asymmetric = groups > 0 && with_zeros == groups;
}

// `format`: of all groups, unless they have their own.
QWEN35_BODY void QuantizationConfig::read_group(const JsonFields& group, std::string_view format) {
  const std::string own = detail::compressed_format(group);
  const JsonFields weights(group.object("weights"), group.where() + ".weights");
  const std::size_t bits = weights.size("num_bits", 8);
  if (bits != 4 && bits != 8 && (own.empty() ? format : own) == "pack-quantized") {
    detail::refuse_quantization(concat("compressed-tensors of ", bits, " bits"));
  }
  read_block_size(weights, "block_structure");
  if (weights.find("group_size") != nullptr) {
    group_size = read_group_size(weights);
    block_cols = weights.text("type", "") == "float" && bits == 8 && group_size > 0 ? group_size : block_cols;
  }
}

QWEN35_BODY std::size_t QuantizationConfig::read_group_size(const JsonFields& fields) {
  const json::Value* const size = fields.find("group_size");
  return size != nullptr && JsonFields::plain(*size) == json::Value(-1) ? 0 : fields.size("group_size", 0);
}

QWEN35_BODY std::string QuantizationConfig::method_of(const JsonFields& fields) {
  std::string method = fields.text("quant_method", "");
  if (method.empty()) {
    // GPTQ's and AWQ's settings have these too, and others beside them.
    bool is_mlx = fields.mentions("group_size") && fields.mentions("bits");
    for (const char* const key : {"desc_act", "sym", "checkpoint_format", "damp_percent", "zero_point", "version"}) {
      is_mlx = is_mlx && !fields.mentions(key);
    }
    return fields.boolean("load_in_4bit", false) || fields.boolean("load_in_8bit", false) ? "bitsandbytes"
           : fields.mentions("config_groups")                                             ? "compressed-tensors"
           : is_mlx                                                                       ? "MLX"
                    : "an unnamed method (quant_method is missing)";
  }
  if (method != "auto-round") {
    return method;
  }
  const std::string packing = fields.text("packing_format", "");
  return packing == "auto_round:auto_gptq"  ? "gptq"
         : packing == "auto_round:auto_awq" ? "awq"
                                            : concat("auto-round as ", packing.empty() ? "nothing said" : packing);
}

QWEN35_BODY void QuantizationConfig::read_gptq(const JsonFields& fields) {
  method = Method::gptq;
  const std::string format = fields.text("checkpoint_format", fields.text("format", "gptq"));
  if (format != "gptq" && format != "gptq_v2") {
    detail::refuse_quantization("gptq as " + format.substr(0, 100));
  }
  zeros_minus_one = format == "gptq";
  symmetric = fields.boolean("sym", false);
  const std::size_t bits = fields.size("bits", 4);
  if (bits != 4 && bits != 8) {
    detail::refuse_quantization(concat("gptq of ", bits, " bits"));
  }
  group_size = read_group_size(fields);
  ordered = fields.boolean("desc_act", false);
}

QWEN35_BODY void QuantizationConfig::read_awq(const JsonFields& fields) {
  method = Method::awq;
  for (const char* const key : {"version", "format", "checkpoint_format"}) {  // of AutoAWQ, transformers, GPTQModel
    const std::string layout = fields.text(key, "gemm");
    if (layout != "gemm" && layout != "GEMM") {
      detail::refuse_quantization("awq as " + layout.substr(0, 100));
    }
  }
  if (fields.text("backend", "") == "llm-awq") {
    detail::refuse_quantization("awq as llm-awq");
  }
  const std::size_t bits = fields.size("bits", 4);
  if (bits != 4) {
    detail::refuse_quantization(concat("awq of ", bits, " bits"));
  }
  group_size = read_group_size(fields);
}

// Bits are read from the tensors, as those of groups where the model says how long rows are.
QWEN35_BODY void QuantizationConfig::read_mlx(const json::Value& object, std::string_view where) {
  method = Method::mlx;
  const JsonFields fields(&object, where);
  const auto group_size_in = [](const JsonFields& module) {
    const std::string mode = module.text("mode", "affine");
    if (mode != "affine") {
      detail::refuse_quantization("MLX as " + mode.substr(0, 100));
    }
    return module.size("group_size", 64);
  };
  group_size = group_size_in(fields);
  for (const auto& [name, value] : object.members()) {
    if (value.is_object()) {
      group_sizes.emplace_back(name, group_size_in(JsonFields(&value, concat(where, ".", shortened(name)))));
    } else {
      fields.expect(!value.is_array(), name, "an object of a module's settings");
    }
  }
}

QWEN35_BODY std::size_t QuantizationConfig::group_size_of(std::string_view module) const {
  for (const auto& [name, size] : group_sizes) {
    if (name == module) {
      return size;
    }
  }
  return group_size;
}

// Each module's tensors tell which of the methods it is in.
QWEN35_BODY void QuantizationConfig::read_modelopt(const JsonFields& fields) {
  method = Method::modelopt;
  const auto read = [](const JsonFields& module) {
    const std::string algorithm = module.text("quant_algo", "nothing said");
    constexpr std::string_view read_here[] = {"FP8", "FP8_PER_CHANNEL_PER_TOKEN", "NVFP4", "W4A16_NVFP4"};
    if (std::find(std::begin(read_here), std::end(read_here), algorithm) == std::end(read_here)) {
      detail::refuse_quantization("modelopt as " + algorithm.substr(0, 100));
    }
  };
  if (fields.text("quant_algo", "") != "MIXED_PRECISION") {
    read(fields);
  }
  detail::each_group(fields, "quantized_layers", read);
}

QWEN35_BODY QuantizationConfig QuantizationConfig::of_object(const json::Value& object) {
  QuantizationConfig out;
  const JsonFields fields(&object, "quantization_config");
  const std::string method = method_of(fields);
  if (method == "fp8") {
    out.method = Method::fp8;
    const std::string kind = fields.text("fmt", "e4m3");
    if (kind != "e4m3" && kind != "float8_e4m3fn") {
      detail::refuse_quantization("fp8 as " + kind.substr(0, 100));
    }
    out.read_block_size(fields, "weight_block_size");
    out.in_blocks = !fields.mentions("weight_block_size") || fields.find("weight_block_size") != nullptr;
  } else if (method == "gptq") {
    out.read_gptq(fields);
  } else if (method == "awq") {
    out.read_awq(fields);
  } else if (method == "compressed-tensors") {
    out.method = Method::compressed_tensors;
    out.read_compressed_tensors(fields);
  } else if (method == "MLX") {
    out.read_mlx(object, fields.where());
  } else if (method == "modelopt" || method == "modelopt_fp4") {
    const json::Value* const inner = fields.object("quantization");  // as hf_quant_config.json has it
    out.read_modelopt(inner == nullptr ? fields : JsonFields(inner, "quantization_config.quantization"));
  } else {
    detail::refuse_quantization(method.substr(0, 100));
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
