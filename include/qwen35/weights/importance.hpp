// SPDX-License-Identifier: Apache-2.0
// How much each input of a matrix matters: llama.cpp's importance matrices (imatrix), in GGUF.
#pragma once

#include <qwen35/io/mapped_file.hpp>
#include <qwen35/weights/checkpoint.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/weights/dialect_gguf.hpp>
#include <qwen35/weights/dialect_huggingface.hpp>

#include <charconv>
#include <cmath>
#include <utility>
#endif

QWEN35_BEGIN_NAMESPACE

// For a matrix that stood in a run over some text, the mean square of each of its inputs. Matrices have the names of
// GGUF files, experts of a layer one name.
class Importance {
 public:
  // Raises CheckpointError for a file that cannot be read or is no importance matrix.
  static Importance open(const std::string& path);
  static Importance read(std::span<const std::byte> file, const std::string& source);

  std::size_t size() const { return matrices_.size(); }
  // Of a tensor of the checkpoint, [matrices, columns]: a tensor of experts has several matrices, or all the same.
  // Nothing when the file has none for it. Raises CheckpointError when it has one of other sizes.
  std::optional<std::vector<float>> of(const Checkpoint& checkpoint, const TensorInfo& tensor) const;

 private:
  struct Means {
    std::size_t count = 0;
    std::size_t columns = 0;
    std::vector<float> values;  // [count, columns]
  };

  std::string source_;
  std::map<std::string, Means, std::less<>> matrices_;
};

#if QWEN35_BODIES

namespace detail {

// What an importance matrix calls a tensor.
struct ImportanceName {
  std::vector<std::string> names;     // of which the first that is there counts
  std::optional<std::size_t> expert;  // a tensor of this one alone
  bool tiled_columns = false;         // they are in tiled order there, and not in the tensor
};

inline ImportanceName importance_name(const Checkpoint& checkpoint, const std::string& tensor) {
  if (checkpoint.is_gguf()) {
    return {{tensor}, std::nullopt, false};
  }
  const HuggingFaceNames folder = HuggingFaceNames::of(checkpoint);
  const GgufDialect gguf(checkpoint, ModelPart::text);
  if (tensor == folder.lm_head) {
    return {{gguf.file_name("lm_head.weight")}, std::nullopt, false};
  }
  if (!tensor.starts_with(folder.text) || HuggingFaceNames::is_multi_token_prediction(tensor) ||
      HuggingFaceNames::is_visual(tensor)) {
    return {};
  }
  std::string name = tensor.substr(folder.text.size());
  constexpr std::string_view experts = ".mlp.experts.";
  const std::size_t at = name.find(experts);
  if (at == std::string::npos) {
    return {{gguf.file_name(name)}, std::nullopt, name.ends_with(".linear_attn.out_proj.weight")};
  }
  const std::string layer = name.substr(0, at + experts.size());
  std::string_view rest = std::string_view(name).substr(layer.size());
  std::size_t expert = 0;
  const std::from_chars_result number = std::from_chars(rest.data(), rest.data() + rest.size(), expert);
  const bool single = number.ec == std::errc();
  if (single) {  // "3.gate_proj.weight"
    rest.remove_prefix(static_cast<std::size_t>(number.ptr - rest.data()));
    rest = rest.substr(1, rest.find('.', 1) - 1);
  }
  // Gate and up read the same inputs.
  ImportanceName out{{gguf.file_name(concat(layer, rest))}, single ? std::optional(expert) : std::nullopt, false};
  if (rest != "down_proj") {
    for (const char* const same : {"gate_up_proj", "gate_proj"}) {
      out.names.push_back(gguf.file_name(layer + same));
    }
  }
  return out;
}

}  // namespace detail

QWEN35_BODY Importance Importance::open(const std::string& path) {
  const MappedFile file = MappedFile::as_used(path);
  return read(file.bytes(), path);
}

QWEN35_BODY Importance Importance::read(std::span<const std::byte> bytes, const std::string& source) {
  constexpr std::string_view sums = ".in_sum2", counts = ".counts";
  const GgufFile file = read_gguf(bytes, source);
  require<CheckpointError>(gguf_text(file, "general.type") == "imatrix", source,
                           ": not an importance matrix: general.type is \"", shortened(gguf_text(file, "general.type")),
                           "\", expected \"imatrix\"");
  const auto floats = [&](const TensorInfo& tensor) {
    require<CheckpointError>(tensor.dtype == "F32", source, ": ", shortened(tensor.name), ": ", tensor.dtype,
                             ", expected F32");
    std::vector<float> out(tensor.bytes.size() / sizeof(float));
    std::memcpy(out.data(), tensor.bytes.data(), out.size() * sizeof(float));
    const std::string name = shortened(tensor.name);
    for (const float value : out) {
      require<CheckpointError>(std::isfinite(value) && value >= 0.0f, source, ": ", name,
                               ": a value that is no sum of squares and no count");
    }
    return out;
  };
  Importance out;
  out.source_ = source;
  for (const TensorInfo& tensor : file.tensors) {
    if (!tensor.name.ends_with(sums)) {
      continue;
    }
    const std::string name = tensor.name.substr(0, tensor.name.size() - sums.size());
    const TensorInfo* const count = file.tensor(concat(name, counts));
    require<CheckpointError>(count != nullptr, source, ": ", shortened(tensor.name), ": no ", shortened(name), counts,
                             " beside it");
    Means means{.count = 0, .columns = tensor.shape.back(), .values = floats(tensor)};
    const std::vector<float> seen = floats(*count);
    means.count = means.values.size() / means.columns;
    require<CheckpointError>(seen.size() == means.count, source, ": ", shortened(name), ": ", seen.size(),
                             " counts for ", means.count, " matrices");
    for (std::size_t i = 0; i < means.values.size(); ++i) {
      // An expert that was never chosen: all its inputs alike.
      const float of = seen[i / means.columns];
      means.values[i] = of > 0.0f ? means.values[i] / of : 1.0f;
    }
    out.matrices_.insert_or_assign(name, std::move(means));
  }
  require<CheckpointError>(!out.matrices_.empty(), source, ": an importance matrix without any matrix in it");
  return out;
}

QWEN35_BODY std::optional<std::vector<float>> Importance::of(const Checkpoint& checkpoint,
                                                             const TensorInfo& tensor) const {
  const detail::ImportanceName place = detail::importance_name(checkpoint, tensor.name);
  auto found = matrices_.end();
  for (const std::string& name : place.names) {
    found = found == matrices_.end() ? matrices_.find(name) : found;
  }
  if (found == matrices_.end()) {
    return std::nullopt;
  }
  const Means& means = found->second;
  const std::size_t columns = tensor.shape.back(), matrices = tensor.shape.size() > 2 ? tensor.shape[0] : 1;
  const bool fits = means.columns == columns &&
                    (place.expert ? *place.expert < means.count : means.count == 1 || means.count == matrices);
  require<CheckpointError>(fits, source_, ": ", shortened(found->first), ": ", means.count, " matrices of ",
                           means.columns, " columns do not belong to ", shortened(tensor.name), " of shape ",
                           shape_text(tensor.shape));
  std::vector<float> out = means.values;
  if (place.expert) {
    const auto begin = means.values.begin() + static_cast<std::ptrdiff_t>(*place.expert * columns);
    out.assign(begin, begin + static_cast<std::ptrdiff_t>(columns));
  }
  if (place.tiled_columns) {
    std::size_t keys = 1, values = 1;
    read_config(checkpoint, [&](const json::Value& config) {
      const json::Value* const inner = config.find("text_config");
      const JsonFields text(inner == nullptr ? &config : inner, "config");
      keys = text.size("linear_num_key_heads", 1);
      values = text.size("linear_num_value_heads", 1);
    });
    require<CheckpointError>(keys > 0 && values % keys == 0 && values > 0 && columns % values == 0, checkpoint.name(),
                             ": linear_num_key_heads and linear_num_value_heads do not fit ", shortened(tensor.name));
    const std::size_t width = columns / values, tiles = values / keys;
    for (std::size_t column = 0; column < columns; ++column) {
      const std::size_t head = column / width, tiled = head % tiles * keys + head / tiles;
      out[column] = means.values[tiled * width + column % width];
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
