// SPDX-License-Identifier: Apache-2.0
// Takes tensors of a checkpoint by name and shape, and collects everything that does not fit into one error.
#pragma once

#include <qwen35/core/cancellation.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/checkpoint_config.hpp>
#include <qwen35/weights/problem_list.hpp>
#include <qwen35/weights/tensor_taker.hpp>

#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/weights/affine_weight.hpp>
#include <qwen35/weights/block_scales.hpp>
#include <qwen35/weights/fp4_weight.hpp>
#include <qwen35/weights/packed_weight.hpp>

#include <cstring>
#include <map>
#endif

QWEN35_BEGIN_NAMESPACE

// Column block number `block` of a matrix.
struct ColumnBlock {
  const Matrix* matrix = nullptr;
  std::size_t block = 0;
};

// Are values brought into the form that models need, or is looked alone whether names, shapes and types fit? Then no
// weight is read, and what comes of it is no model.
enum class Binding : std::uint8_t { whole, look };

// One part of a model is bound by one binder: ask for every tensor, then finish(). What a call returns is only to be
// used after finish() has returned: a tensor that does not fit is empty or null until then.
class Binder final : private TensorTaker {
 public:
  // Raises ConfigError for a checkpoint that is quantised in a way that is not read.
  Binder(const Checkpoint& checkpoint, BoundStorage& storage, Binding binding = Binding::whole);

  // Is the parameter there, as a tensor or as several that stand for it?
  bool has(const std::string& name) const;
  // Does anything that was handed out look at the checkpoint's own bytes?
  bool uses_checkpoint() const { return uses_checkpoint_; }

  // A tensor [rows, a, b, ...] as the matrix [rows, a * b * ...]; in the file, where it has the format. With the
  // factors that the file has beside it.
  Matrix matrix(const std::string& name, const Shape& shape) { return scaled_view(name, shape, 0, shape[0]); }
  // Matrices in one tensor [count, rows, cols], as one matrix [count * rows, cols].
  Matrix stacked(const std::string& name, const Shape& shape) {
    return scaled_view(name, shape, shape[0], shape[0] * shape[1]);
  }
  // Is the parameter `name` [count, rows, cols] there as tensors of integers, each stacked?
  bool has_stacked_integers(const std::string& name) const;
  // One of its matrices.
  Matrix stacked_integers(const std::string& name, const Shape& shape, std::size_t index);
  // The same values where they are stored one by one: as f32 if they were in blocks.
  Matrix single_values(const Matrix& matrix);
  // What a tensor's values mean, as f32; one of more than one axis is transposed, see Parameter. `meant`: the file has
  // what they mean already.
  const float* vector(const std::string& name, const Shape& shape, Meaning meaning = Meaning::plain,
                      bool meant = false);
  // A matrix of its own of these blocks, each `width` columns, side by side. The matrices have one format, and one
  // number of rows; a block is whole blocks of the format.
  Matrix columns(std::span<const ColumnBlock> blocks, std::size_t width);

  // Takes a tensor without a use for it.
  void check(const std::string& name, const Shape& shape) { take(name, shape); }

  // Notes a tensor that does not fit, for the list of finish().
  QWEN35_BODY void complain(const std::string& name, const std::string& what) override;

  // Raises one CheckpointError with all tensors that are missing, misshapen or of a format that is no matrix format
  // here. Left-over tensors whose names `ignored` accepts are fine; others stand in that error too, and are one of the
  // checkpoint's notes when nothing else is wrong, unless it is strict.
  template <class Ignored>
  void finish(const Ignored& ignored) {
    const bool note_left_over = problems_.count() == 0 && !checkpoint_.strict();
    NameList left_over;
    for (const TensorInfo& tensor : checkpoint_.tensors()) {
      if (taken_.contains(tensor.name) || ignored(tensor.name)) {
        continue;
      }
      if (checkpoint_.is_gguf() && changes_results(tensor.name)) {
        complain(tensor.name, "would change what the model computes, and is not read here");
      } else if (note_left_over) {
        left_over.add(tensor.name);
      } else {
        complain(tensor.name, "not part of the model");
      }
    }
    if (left_over.count > 0) {
      checkpoint_.note(concat(checkpoint_.name(), ": passed over ", left_over.count,
                              left_over.count == 1 ? " tensor that is" : " tensors that are",
                              " no part of the model: ", left_over.text(", ", 5)));
    }
    if (problems_.count() > 0) {
      decline<CheckpointError>(concat(checkpoint_.name(), ": does not hold this model, ", problems_.count(),
                                      problems_.count() == 1 ? " problem:" : " problems:", problems_.text()));
    }
  }

 private:
  const TensorInfo* find(const std::string& name) const override { return checkpoint_.find(name); }
  QWEN35_BODY const TensorInfo* take_any(const std::string& name) override;

  // Of a GGUF file, and of no parameter: factors, biases, corrections of known modules.
  QWEN35_BODY static bool changes_results(std::string_view name);

  // Are the extents the same? Of GGUF files: apart from those of 1, which they leave out or add as they like.
  bool has_shape(const TensorInfo& tensor, const Shape& shape) const;

  // The tensor, if it is there, of that shape and of a known format.
  const TensorInfo* take(const std::string& name, const Shape& shape);

  // As it is stored, at an address that its format can be read from.
  Matrix view(const std::string& name, const Shape& shape, std::size_t rows);
  // A weight of several tensors, brought into memory.
  template <class Weight>
  Matrix kept(Weight weight) {
    if (looks_) {
      weight.look();
      return {};
    }
    return in_format(weight.read(storage_), checkpoint_.dtype());
  }
  Matrix in_format(const Matrix& stored, std::optional<Format> format) {
    return looks_ || stored.empty() || stored.format == format.value_or(stored.format)
               ? stored
               : storage_.convert(stored, *format);
  }
  // `count`: of stacked matrices, which have `rows` together; 0: one, which is not stacked.
  Matrix scaled_view(const std::string& name, const Shape& shape, std::size_t count, std::size_t rows);

  const Checkpoint& checkpoint_;
  BoundStorage& storage_;
  bool looks_;
  QuantizationConfig quantization_;
  bool uses_checkpoint_ = false;
  std::unordered_set<std::string_view> taken_;  // names of the checkpoint's own table
  ProblemList problems_;
};

#if QWEN35_BODIES

QWEN35_BODY Binder::Binder(const Checkpoint& checkpoint, BoundStorage& storage, Binding binding)
    : checkpoint_(checkpoint),
      storage_(storage),
      looks_(binding == Binding::look),
      quantization_(quantization_of(checkpoint)) {}

QWEN35_BODY bool Binder::has(const std::string& name) const {
  return checkpoint_.find(name) != nullptr || PackedWeight::is_there(*this, name);
}

QWEN35_BODY bool Binder::has_stacked_integers(const std::string& name) const {
  return PackedWeight::is_there(*this, name + ".weight");
}

QWEN35_BODY const float* Binder::vector(const std::string& name, const Shape& shape, Meaning meaning, bool meant) {
  const Matrix in_file = view(name, shape, shape[0]);
  if (looks_) {
    return nullptr;
  }
  const Matrix stored = in_format(in_file, meant ? std::nullopt : vector_format(checkpoint_.dtype()));
  return stored.empty() ? nullptr : meant ? storage_.keep_meant(stored) : storage_.keep(stored, meaning);
}

QWEN35_BODY Matrix Binder::scaled_view(const std::string& name, const Shape& shape, std::size_t count,
                                       std::size_t rows) {
  if (AffineWeight::is_there(*this, name)) {
    if constexpr (AffineWeight::is_held) {
      return kept(AffineWeight(*this, name, shape));
    }
    complain(name, unavailable_text(Format::a4_64));
    return {};
  }
  if (shape.rank() == 2 && Fp4Weight::is_there(*this, name)) {
    if constexpr (is_available(Format::nvfp4_64)) {
      return kept(Fp4Weight(*this, name, rows, shape[1]));
    }
    complain(name, unavailable_text(Format::nvfp4_64));
    return {};
  }
  if (shape.rank() == 2 && PackedWeight::is_there(*this, name)) {
    if (looks_) {
      PackedWeight::look(*this, name, rows, shape[1]);
      return {};
    }
    return in_format(PackedWeight::read(*this, storage_, quantization_, name, rows, shape[1]), checkpoint_.dtype());
  }
  Matrix out = view(name, shape, rows);
  if (out.format == Format::f8_e4m3 && !out.empty()) {
    out.scales =
        read_block_scales(*this, storage_, quantization_, name, {count, count == 0 ? rows : rows / count, out.cols});
  }
  return in_format(out, checkpoint_.dtype());
}

QWEN35_BODY Matrix Binder::single_values(const Matrix& matrix) {
  return in_format(matrix,
                   matrix.empty() || format_info(matrix.format).block_values == 1 ? matrix.format : Format::f32);
}

namespace detail {

// One of each of a module's tensors that are stacked.
class SliceTaker final : public TensorTaker {
 public:
  SliceTaker(TensorTaker& tensors, std::size_t index, std::size_t count)
      : tensors_(tensors), index_(index), count_(count) {}
  const TensorInfo* find(const std::string& name) const override { return slice(tensors_.find(name)); }
  const TensorInfo* take_any(const std::string& name) override { return slice(tensors_.take_any(name)); }
  void complain(const std::string& name, const std::string& what) override {
    tensors_.complain(name, concat("of matrix ", index_, " of ", count_, ": ", what));
  }

 private:
  // What is not stacked is given as it is, and does not fit then.
  const TensorInfo* slice(const TensorInfo* whole) const {
    if (whole == nullptr || whole->shape.size() < 2 || whole->shape[0] != count_) {
      return whole;
    }
    TensorInfo part = *whole;
    const std::size_t bytes = whole->bytes.size() / count_;
    part.shape.erase(part.shape.begin());
    part.bytes = whole->bytes.subspan(index_ * bytes, bytes);
    return &slices_.insert_or_assign(whole->name, std::move(part)).first->second;
  }

  TensorTaker& tensors_;
  std::size_t index_, count_;
  mutable std::map<std::string, TensorInfo> slices_;
};

}  // namespace detail

QWEN35_BODY Matrix Binder::stacked_integers(const std::string& name, const Shape& shape, std::size_t index) {
  detail::SliceTaker slice(*this, index, shape[0]);
  if (looks_) {
    PackedWeight::look(slice, name + ".weight", shape[1], shape[2]);
    return {};
  }
  return in_format(PackedWeight::read(slice, storage_, quantization_, name + ".weight", shape[1], shape[2]),
                   checkpoint_.dtype());
}

QWEN35_BODY const TensorInfo* Binder::take_any(const std::string& name) {
  const TensorInfo* const tensor = checkpoint_.find(name);
  if (tensor != nullptr) {
    taken_.insert(tensor->name);
  }
  return tensor;
}

QWEN35_BODY Matrix Binder::columns(std::span<const ColumnBlock> blocks, std::size_t width) {
  const Matrix& first = *blocks[0].matrix;
  const std::size_t bytes = row_bytes(first.format, width);
  if (looks_) {
    return {first.data, first.format, first.rows, blocks.size() * width};
  }
  AlignedBuffer<std::byte> copy = large_buffer(first.rows * blocks.size() * bytes);
  std::byte* to = copy.data();
  for (std::size_t i = 0; i < first.rows; ++i) {
    for (const ColumnBlock& from : blocks) {
      std::memcpy(to, from.matrix->row(i) + from.block * bytes, bytes);
      to += bytes;
    }
  }
  storage_.copies.push_back(std::move(copy));
  return {storage_.copies.back().data(), first.format, first.rows, blocks.size() * width};
}

QWEN35_BODY bool Binder::changes_results(std::string_view name) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  const bool module = name.starts_with("blk.") || name.starts_with("output") || name.starts_with("token_embd");
  return module && (!name.ends_with(".weight") || has("exp_probs_b") || has("lora_") || has("_rot."));
}

QWEN35_BODY void Binder::complain(const std::string& name, const std::string& what) {
  problems_.add(shortened(name), what);
}

QWEN35_BODY bool Binder::has_shape(const TensorInfo& tensor, const Shape& shape) const {
  std::vector<std::size_t> found = tensor.shape, expected;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    expected.push_back(shape[axis]);
  }
  if (checkpoint_.is_gguf()) {
    std::erase(found, 1u);
    std::erase(expected, 1u);
  }
  return found == expected;
}

QWEN35_BODY const TensorInfo* Binder::take(const std::string& name, const Shape& shape) {
  CallScope::step("load", taken_.size(), checkpoint_.tensors().size());
  const TensorInfo* const tensor = checkpoint_.find(name);
  if (tensor == nullptr) {
    complain(name, "missing, expected shape " + to_string(shape));
    return nullptr;
  }
  if (!taken_.insert(tensor->name).second) {
    complain(name, "taken twice");
    return nullptr;
  }
  bool fits = has_shape(*tensor, shape);
  if (!fits) {
    complain(name, "shape " + shape_text(tensor->shape) + ", expected " + to_string(shape));
  }
  if (!stored_format(tensor->dtype)) {
    complain(name, unread_dtype_text(tensor->dtype));
    fits = false;
  }
  return fits ? tensor : nullptr;
}

QWEN35_BODY Matrix Binder::view(const std::string& name, const Shape& shape, std::size_t rows) {
  const TensorInfo* const tensor = take(name, shape);
  if (tensor == nullptr) {
    return {};
  }
  const Format format = *stored_format(tensor->dtype);
  Matrix out{tensor->bytes.data(), format, rows, shape.size() / rows};
  const std::size_t values = format_info(format).block_values;
  if (out.cols % values != 0) {  // a vector, whose values are rows of one
    complain(name, concat("dtype ", tensor->dtype, ", in blocks of ", values, " values, which do not divide rows of ",
                          out.cols, ": expected single values, as F32"));
    return {};
  }
  if (looks_ || reinterpret_cast<std::uintptr_t>(out.data) % alignment(format) == 0) {
    uses_checkpoint_ = true;
    return out;
  }
  storage_.copies.push_back(large_buffer(tensor->bytes.size()));
  std::memcpy(storage_.copies.back().data(), out.data, tensor->bytes.size());
  out.data = storage_.copies.back().data();
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
