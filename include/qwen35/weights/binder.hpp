// SPDX-License-Identifier: Apache-2.0
// Takes tensors of a checkpoint by name and shape, and collects everything that does not fit into one error.
#pragma once

#include <qwen35/core/cancellation.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/problem_list.hpp>

#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#if QWEN35_BODIES
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// Column block number `block` of a matrix.
struct ColumnBlock {
  const Matrix* matrix = nullptr;
  std::size_t block = 0;
};

// One part of a model is bound by one binder: ask for every tensor, then finish(). What a call returns is only to be
// used after finish() has returned: a tensor that does not fit is empty or null until then.
class Binder {
 public:
  Binder(const Checkpoint& checkpoint, BoundStorage& storage) : checkpoint_(checkpoint), storage_(storage) {}

  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }
  // Does anything that was handed out look at the checkpoint's own bytes?
  bool uses_checkpoint() const { return uses_checkpoint_; }

  // A tensor [rows, a, b, ...] as the matrix [rows, a * b * ...]; in the file, where it has the format.
  Matrix matrix(const std::string& name, const Shape& shape) {
    return view(name, shape, shape[0], checkpoint_.dtype());
  }
  // Matrices in one tensor [count, rows, cols], as one matrix [count * rows, cols].
  Matrix stacked(const std::string& name, const Shape& shape) {
    return view(name, shape, shape[0] * shape[1], checkpoint_.dtype());
  }
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
  void complain(const std::string& name, const std::string& what);

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
      if (note_left_over) {
        left_over.add(tensor.name);
      } else {
        complain(tensor.name, "not part of the model");
      }
    }
    if (left_over.count > 0) {
      checkpoint_.note(concat("passed over, because they are not part of the model: ", left_over.text()));
    }
    require<CheckpointError>(problems_.count() == 0, checkpoint_.name(), ": does not hold this model, ",
                             problems_.count(), problems_.count() == 1 ? " problem:" : " problems:", problems_.text());
  }

 private:
  // Are the extents the same? Of GGUF files: apart from those of 1, which they leave out or add as they like.
  bool has_shape(const TensorInfo& tensor, const Shape& shape) const;

  // The tensor, if it is there, of that shape and of a known format.
  const TensorInfo* take(const std::string& name, const Shape& shape);

  Matrix view(const std::string& name, const Shape& shape, std::size_t rows, std::optional<Format> dtype);

  const Checkpoint& checkpoint_;
  BoundStorage& storage_;
  bool uses_checkpoint_ = false;
  std::unordered_set<std::string_view> taken_;  // names of the checkpoint's own table
  ProblemList problems_;
};

#if QWEN35_BODIES

QWEN35_BODY const float* Binder::vector(const std::string& name, const Shape& shape, Meaning meaning, bool meant) {
  const Matrix stored = view(name, shape, shape[0], meant ? std::nullopt : vector_format(checkpoint_.dtype()));
  return stored.empty() ? nullptr : meant ? storage_.keep_meant(stored) : storage_.keep(stored, meaning);
}

QWEN35_BODY Matrix Binder::columns(std::span<const ColumnBlock> blocks, std::size_t width) {
  const Matrix& first = *blocks[0].matrix;
  const std::size_t bytes = row_bytes(first.format, width);
  AlignedBuffer<std::byte> copy = AlignedBuffer<std::byte>::uninitialised(first.rows * blocks.size() * bytes);
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

QWEN35_BODY void Binder::complain(const std::string& name, const std::string& what) {
  problems_.add(std::string_view(name).substr(0, 300), what);
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
    complain(name, "dtype " + tensor->dtype + ", expected one of " + dtype_names());
    fits = false;
  }
  return fits ? tensor : nullptr;
}

QWEN35_BODY Matrix Binder::view(const std::string& name, const Shape& shape, std::size_t rows,
                                std::optional<Format> dtype) {
  const TensorInfo* const tensor = take(name, shape);
  if (tensor == nullptr) {
    return {};
  }
  const Format format = *stored_format(tensor->dtype);
  const Format wanted = dtype.value_or(format);
  const bool aligned = reinterpret_cast<std::uintptr_t>(tensor->bytes.data()) % alignment(format) == 0;
  Matrix out{tensor->bytes.data(), format, rows, shape.size() / rows};
  if (aligned && wanted == format) {
    uses_checkpoint_ = true;
    return out;
  }
  AlignedBuffer<std::byte> copy;
  if (!aligned) {
    copy = AlignedBuffer<std::byte>::uninitialised(tensor->bytes.size());
    std::memcpy(copy.data(), tensor->bytes.data(), tensor->bytes.size());
    out.data = copy.data();
  }
  if (wanted != format) {
    return storage_.make(wanted, rows, out.cols, [&](std::size_t i, std::size_t j, std::size_t count, float* values) {
      kernels::decode_row({format, out.row(i) + row_bytes(format, j), count, values});
    });
  }
  storage_.copies.push_back(std::move(copy));
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
