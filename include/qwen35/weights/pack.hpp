// SPDX-License-Identifier: Apache-2.0
// A checkpoint is packed: one file, in the formats that a recipe says.
#pragma once

#include <qwen35/weights/checkpoint_config.hpp>
#include <qwen35/weights/importance.hpp>
#include <qwen35/weights/pack_recipe.hpp>
#include <qwen35/weights/pack_source.hpp>
#include <qwen35/weights/packed_writer.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/config/json_fields.hpp>
#include <qwen35/config/text_defaults.hpp>
#include <qwen35/core/cancellation.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/weights/block_fit.hpp>
#include <qwen35/weights/problem_list.hpp>
#include <qwen35/weights/quantization_config.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#endif

QWEN35_BEGIN_NAMESPACE

struct PackOptions {
  PackRecipe recipe = *PackRecipe::named("copy");
  const Importance* importance = nullptr;
  // Told the bytes of the checkpoint's tensors that are done, of all, as a CallScope is. What it raises ends the
  // packing, and nothing is written.
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

// What became of some tensors.
struct PackSum {
  std::size_t tensors = 0;
  std::size_t values = 0;
  std::size_t source_bytes = 0;
  std::size_t bytes = 0;
  double squares = 0.0;  // of the values of tensors that were written in another format
  double errors = 0.0;   // squares of their differences from the source

  void add(const PackSum& other);
  double bits_per_value() const;
  // The root of the mean square of the differences, of that of the values; 0 for what was copied.
  double relative_error() const;
};

struct PackReport {
  std::array<PackSum, tensor_part_count> parts;
  std::size_t file_bytes = 0;
  std::size_t with_importance = 0;  // tensors

  PackSum all() const;
};

// Writes the packed file, whose name must end in ".qwen35". It holds the checkpoint's tensors under their names, and
// the files beside them: config, tokenizer, chat templates, settings of processors and of generation. Until all is on
// the disk the path keeps what it has. Values are decoded, and written by fit_row(), where the recipe asks for another
// format: those of quantised modules too (FP8, GPTQ, AWQ, compressed-tensors), of which one tensor then stands for all.
// The result does not depend on the number of threads. Raises CheckpointError for a file that cannot be written, for
// values that are not finite, and for modules whose tensors do not fit each other; ConfigError for a folder that is
// quantised in a way that is not read; InputError for a recipe or a name that does not do; CancelledError within 64
// MiB.
PackReport pack(const Checkpoint& checkpoint, const std::string& path, const PackOptions& options = {});

// Decodes every weight of a checkpoint, of which opening it reads none: also the factors in the blocks of GGUF files.
// `progress`: told the bytes that are done, of all. Raises CheckpointError with the tensors that have values that are
// infinite or no numbers, or with the first module whose tensors do not fit each other, CancelledError between two
// tensors.
void verify_values(const Checkpoint& checkpoint,
                   const std::function<void(std::size_t done, std::size_t total)>& progress = {});

namespace detail {

// The first row with a value that is not finite, or the number of rows.
std::size_t first_bad_row(const Matrix& matrix);

// The names of a checkpoint's files that are packed.
std::vector<std::string> packed_file_names(const ModelFolder& files);

// Writes one weight in another format.
class WeightPacking {
 public:
  WeightPacking(const TensorInfo& weight, const Matrix& from, Format to, const std::vector<float>* importance)
      : weight_(weight), from_(from), to_(to), importance_(importance) {}

  // `progress`: told the rows that are done.
  void write(PackedWriter& writer, const std::function<void(std::size_t)>& progress, PackSum& sum);

 private:
  std::size_t cols() const { return from_.cols; }
  std::size_t rows() const { return from_.rows; }
  // Of a row.
  const float* weights(std::size_t row) const;

  const TensorInfo& weight_;
  const Matrix& from_;
  Format to_;
  const std::vector<float>* importance_;
};

}  // namespace detail

#if QWEN35_BODIES

QWEN35_BODY void PackSum::add(const PackSum& other) {
  tensors += other.tensors;
  values += other.values;
  source_bytes += other.source_bytes;
  bytes += other.bytes;
  squares += other.squares;
  errors += other.errors;
}

QWEN35_BODY double PackSum::bits_per_value() const {
  return values == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(values);
}

QWEN35_BODY double PackSum::relative_error() const {
  return squares > 0.0 ? std::sqrt(errors / squares) : 0.0;
}

QWEN35_BODY PackSum PackReport::all() const {
  PackSum out;
  for (const PackSum& part : parts) {
    out.add(part);
  }
  return out;
}

namespace detail {

QWEN35_BODY std::size_t first_bad_row(const Matrix& matrix) {
  constexpr std::size_t together = 16;
  std::atomic<std::size_t> first{matrix.rows};
  parallel_for((matrix.rows + together - 1) / together, [&](std::size_t piece) {
    std::vector<float> values(matrix.cols);
    for (std::size_t row = piece * together; row < std::min((piece + 1) * together, matrix.rows); ++row) {
      kernels::decode_row({matrix, row, values.data()});
      if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
        for (std::size_t seen = first; row < seen && !first.compare_exchange_weak(seen, row);) {
        }
      }
    }
  });
  return first;
}

QWEN35_BODY std::vector<std::string> packed_file_names(const ModelFolder& files) {
  std::vector<std::string> out;
  for (const char* const name :
       {"config.json", "hf_quant_config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json", "chat_template.jinja",
        "chat_template.json", "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json"}) {
    if (files.has_file(name)) {
      out.emplace_back(name);
    }
  }
  const std::string templates = "additional_chat_templates";
  for (const std::string& name : files.names_in(templates)) {
    out.push_back(concat(templates, "/", name));
  }
  return out;
}

QWEN35_BODY const float* WeightPacking::weights(std::size_t row) const {
  if (importance_ == nullptr) {
    return nullptr;
  }
  const std::size_t matrices = importance_->size() / cols();
  return importance_->data() + row / (rows() / matrices) * cols();
}

QWEN35_BODY void WeightPacking::write(PackedWriter& writer, const std::function<void(std::size_t)>& progress,
                                      PackSum& sum) {
  constexpr std::size_t piece_values = std::size_t{1} << 22;
  const std::size_t piece = std::max<std::size_t>(piece_values / cols(), 1);
  const std::size_t to_bytes = row_bytes(to_, cols());
  std::vector<std::byte> out(std::min(piece, rows()) * to_bytes);
  std::vector<double> squares(std::min(piece, rows())), errors(squares.size());
  const std::string weight = shortened(weight_.name);
  for (std::size_t first = 0; first < rows(); first += piece) {
    const std::size_t count = std::min(piece, rows() - first);
    parallel_for((count + 15) / 16, [&](std::size_t sixteen) {
      std::vector<float> values(cols()), written(cols());
      for (std::size_t i = 16 * sixteen; i < std::min(16 * sixteen + 16, count); ++i) {
        std::byte* const to = out.data() + i * to_bytes;
        kernels::decode_row({from_, first + i, values.data()});
        if (is_fitted(to_)) {
          fit_row(to_, values.data(), weights(first + i), cols(), to);
        } else {
          kernels::encode_row({to_, values.data(), cols(), to});
        }
        kernels::decode_row({to_, to, cols(), written.data()});
        squares[i] = errors[i] = 0.0;
        for (std::size_t j = 0; j < cols(); ++j) {
          const double value = values[j], rest = value - written[j];
          squares[i] += value * value;
          errors[i] += rest * rest;
          // It has no infinity: what is larger than its largest value, 448, and would not be rounded to it.
          errors[i] +=
              to_ == Format::f8_e4m3 && std::fabs(value) > 464.0 ? std::numeric_limits<double>::infinity() : 0.0;
        }
      }
    });
    for (std::size_t i = 0; i < count; ++i) {
      require<CheckpointError>(std::isfinite(squares[i]) && std::isfinite(errors[i]), weight_.file, ": ", weight,
                               ": row ", first + i, " has values that ", name(to_),
                               " cannot hold: only copy keeps them");
      sum.squares += squares[i];
      sum.errors += errors[i];
    }
    writer.write({out.data(), count * to_bytes});
    progress(first + count);
  }
}

}  // namespace detail

QWEN35_BODY void verify_values(const Checkpoint& checkpoint,
                               const std::function<void(std::size_t done, std::size_t total)>& progress) {
  const std::vector<PackSource> sources = pack_sources(checkpoint);
  std::size_t done = 0, total = 0;
  for (const PackSource& source : sources) {
    total += source.bytes();
  }
  ProblemList bad;
  for (const PackSource& source : sources) {
    const TensorInfo& weight = source.weight;
    if (stored_format(weight.dtype) && !weight.shape.empty() && !weight.bytes.empty()) {
      BoundStorage storage;
      const Matrix matrix = pack_matrix(checkpoint, source, storage);
      const std::size_t row = detail::first_bad_row(matrix);
      if (row < matrix.rows) {
        bad.add(shortened(weight.name), concat("row ", row, " has values that are infinite or no numbers"));
      }
    }
    done += source.bytes();
    CallScope::step("verify", done, total);
    if (progress) {
      progress(done, total);
    }
  }
  require<CheckpointError>(bad.count() == 0, checkpoint.name(), ": damaged weights:", bad.text());
}

QWEN35_BODY PackReport pack(const Checkpoint& checkpoint, const std::string& path, const PackOptions& options) {
  require<InputError>(is_packed_name(path), path, ": expected a name that ends in \".qwen35\"");
  require_text_model(checkpoint);
  std::size_t layers = 0;
  read_config(checkpoint, [&](const json::Value& config) {
    const json::Value* const inner = config.find("text_config");
    layers = JsonFields(inner == nullptr ? &config : inner, "config")
                 .size("num_hidden_layers", MoeTextDefaults::num_hidden_layers);
  });
  // All that can be said beforehand is said before anything is written.
  quantization_of(checkpoint);
  const std::vector<PackSource> sources = pack_sources(checkpoint);
  std::vector<std::string_view> names;
  for (const PackSource& source : sources) {
    names.push_back(source.weight.name);
  }
  options.recipe.require_matches(names);
  require<InputError>(options.importance == nullptr || !options.recipe.is_copy(), checkpoint.name(),
                      ": an importance matrix is given, and a recipe that writes no weight anew");
  std::vector<std::optional<Format>> formats;
  std::size_t done = 0, total = 0;
  for (const PackSource& source : sources) {
    require<CheckpointError>(!source.weight.shape.empty() || !source.is_module() || options.recipe.is_copy(),
                             checkpoint.name(), ": ", shortened(source.weight.name),
                             ": the tensors of this module do not say its sizes, only the recipe copy keeps them");
    formats.push_back(options.recipe.format_of(source.weight, part_of_tensor(source.weight.name, layers)));
    total += source.bytes();
  }
  if (options.importance != nullptr) {
    bool any = false;
    for (std::size_t i = 0; i < sources.size() && !any; ++i) {
      any = formats[i] && options.importance->of(checkpoint, sources[i].weight);
    }
    require<InputError>(any, checkpoint.name(),
                        ": the importance matrix that is given has nothing for a weight that "
                        "the recipe writes anew: it is of another model");
  }
  PackedWriter writer(path);
  for (const std::string& name : detail::packed_file_names(checkpoint.files())) {
    writer.add_file(name, checkpoint.text(name));
  }
  PackReport report;
  const auto progress = [&](std::size_t bytes) {
    CallScope::step("pack", bytes, total);
    if (options.progress) {
      options.progress(bytes, total);
    }
  };
  const auto report_for = [&](const TensorInfo& tensor) -> PackSum& {
    return report.parts[static_cast<std::size_t>(part_of_tensor(tensor.name, layers))];
  };
  for (std::size_t i = 0; i < formats.size(); ++i) {
    const PackSource& source = sources[i];
    if (!formats[i]) {
      std::size_t values = source.values();
      for (const TensorInfo* const tensor : source.parts) {
        constexpr std::size_t piece = std::size_t{64} << 20;
        writer.begin_tensor(tensor->name, tensor->dtype, tensor->shape, tensor->bytes.size());
        for (std::size_t at = 0; at < tensor->bytes.size(); at += piece) {
          const std::size_t count = std::min(piece, tensor->bytes.size() - at);
          writer.write(tensor->bytes.subspan(at, count));
          done += count;
          progress(done);
        }
        writer.end_tensor();
        report_for(*tensor).add({.tensors = 1,
                                 .values = std::exchange(values, 0),
                                 .source_bytes = tensor->bytes.size(),
                                 .bytes = tensor->bytes.size()});
      }
      continue;
    }
    const TensorInfo& weight = source.weight;
    PackSum sum{.tensors = 1, .values = source.values(), .source_bytes = source.bytes()};
    sum.bytes = sum.values / weight.shape.back() * row_bytes(*formats[i], weight.shape.back());
    std::optional<std::vector<float>> importance;
    if (options.importance != nullptr) {
      importance = options.importance->of(checkpoint, weight);
      report.with_importance += importance ? 1u : 0u;
    }
    BoundStorage storage;
    const Matrix from = pack_matrix(checkpoint, source, storage);
    writer.begin_tensor(weight.name, dtype_name(*formats[i]), weight.shape, sum.bytes);
    detail::WeightPacking(weight, from, *formats[i], importance ? &*importance : nullptr)
        .write(
            writer, [&](std::size_t rows) { progress(done + sum.source_bytes / from.rows * rows); }, sum);
    done += sum.source_bytes;
    progress(done);
    writer.end_tensor();
    report_for(weight).add(sum);
  }
  writer.commit(checkpoint.is_gguf(), options.recipe.text());
  report.file_bytes = writer.bytes();
  return report;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
