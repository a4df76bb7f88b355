// SPDX-License-Identifier: Apache-2.0
// Takes tensors of a checkpoint by name and shape, and collects everything that does not fit into one error.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/core/matrix.hpp>
#include <qwen35/weights/checkpoint.hpp>

#include <cstring>
#include <initializer_list>
#include <string>
#include <unordered_set>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Memory behind the views that a binder hands out. Moving it leaves the views valid.
struct BoundStorage {
  std::vector<AlignedBuffer<float>> vectors;
  std::vector<AlignedBuffer<std::byte>> copies;  // tensors whose place in the file is not aligned to their element
};

// One part of a model is bound by one binder: ask for every tensor, then finish(). What a call returns is only to be
// used after finish() has returned: a tensor that does not fit is empty or null until then.
class Binder {
 public:
  Binder(const Checkpoint& checkpoint, BoundStorage& storage) : checkpoint_(checkpoint), storage_(storage) {}

  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }

  // A matrix [rows, cols] as the file stores it: a view.
  Matrix matrix(const std::string& name, std::size_t rows, std::size_t cols) {
    return view(name, {rows, cols}, rows, cols);
  }
  // `count` matrices [rows, cols] in one tensor [count, rows, cols], as one matrix [count * rows, cols].
  Matrix stacked(const std::string& name, std::size_t count, std::size_t rows, std::size_t cols) {
    return view(name, {count, rows, cols}, count * rows, cols);
  }
  // A tensor [rows, a, b, ...] as the matrix [rows, a * b * ...]: the weight of a convolution whose kernel covers its
  // input.
  Matrix flattened(const std::string& name, std::initializer_list<std::size_t> shape) {
    std::size_t cols = 1;
    for (const std::size_t* axis = shape.begin() + 1; axis < shape.end(); ++axis) {
      cols *= *axis;
    }
    return view(name, shape, *shape.begin(), cols);
  }

  // A vector [size] converted to f32; `convert` maps each stored value.
  template <class Convert>
  const float* vector(const std::string& name, std::size_t size, const Convert& convert) {
    const TensorInfo* const tensor = take(name, {size});
    return tensor == nullptr ? nullptr : values(*tensor, size, 1, convert);
  }
  const float* vector(const std::string& name, std::size_t size) { return vector(name, size, unchanged); }

  // The weight [channels, 1, taps] of a depthwise convolution, as f32 [taps, channels].
  const float* depthwise(const std::string& name, std::size_t channels, std::size_t taps) {
    const TensorInfo* const tensor = take(name, {channels, 1, taps});
    return tensor == nullptr ? nullptr : values(*tensor, channels, taps, unchanged);
  }

  // Notes a tensor that does not fit, for the list of finish().
  void complain(const std::string& name, const std::string& what) {
    if (problems_++ < shown) {
      text_ += "\n  " + name.substr(0, 300) + ": " + what;
    }
  }

  // Raises one CheckpointError with all tensors that are missing, misshapen, of a format that is no matrix format here,
  // or left over. Left-over tensors whose names `ignored` accepts are fine.
  template <class Ignored>
  void finish(const Ignored& ignored) {
    for (const TensorInfo& tensor : checkpoint_.tensors()) {
      if (!taken_.contains(tensor.name) && !ignored(tensor.name)) {
        complain(tensor.name, "not part of the model");
      }
    }
    require<CheckpointError>(problems_ == 0, checkpoint_.folder().empty() ? "checkpoint" : checkpoint_.folder(),
                             ": does not hold this model, ", problems_,
                             problems_ == 1 ? " problem:" : " problems:", text_,
                             problems_ > shown ? concat("\n  and ", problems_ - shown, " more") : std::string());
  }

 private:
  static constexpr std::size_t shown = 50;

  static float unchanged(float value) { return value; }

  // The tensor, if it is there, of that shape and of a known format.
  const TensorInfo* take(const std::string& name, std::initializer_list<std::size_t> shape) {
    const TensorInfo* const tensor = checkpoint_.find(name);
    if (tensor == nullptr) {
      complain(name, "missing, expected shape " + shape_text({shape.begin(), shape.size()}));
      return nullptr;
    }
    if (!taken_.insert(tensor->name).second) {
      complain(name, "taken twice");
      return nullptr;
    }
    bool fits = true;
    if (!std::equal(shape.begin(), shape.end(), tensor->shape.begin(), tensor->shape.end())) {
      complain(name, "shape " + shape_text(tensor->shape) + ", expected " + shape_text({shape.begin(), shape.size()}));
      fits = false;
    }
    if (!dtype_of(tensor->dtype)) {
      complain(name, "dtype " + tensor->dtype + ", expected F32, F16 or BF16");
      fits = false;
    }
    return fits ? tensor : nullptr;
  }

  Matrix view(const std::string& name, std::initializer_list<std::size_t> shape, std::size_t rows, std::size_t cols) {
    const TensorInfo* const tensor = take(name, shape);
    if (tensor == nullptr) {
      return {};
    }
    const DType dtype = *dtype_of(tensor->dtype);
    return {aligned(*tensor, dtype), dtype, rows, cols};
  }

  const std::byte* aligned(const TensorInfo& tensor, DType dtype) {
    if (reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % row_bytes(dtype, 1) == 0) {
      return tensor.bytes.data();
    }
    AlignedBuffer<std::byte> copy = AlignedBuffer<std::byte>::uninitialised(tensor.bytes.size());
    std::memcpy(copy.data(), tensor.bytes.data(), tensor.bytes.size());
    storage_.copies.push_back(std::move(copy));
    return storage_.copies.back().data();
  }

  static float value_at(const TensorInfo& tensor, DType dtype, std::size_t index) {
    if (dtype == DType::f32) {
      float value = 0.0f;
      std::memcpy(&value, tensor.bytes.data() + index * 4, 4);
      return value;
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, tensor.bytes.data() + index * 2, 2);
    return dtype == DType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
  }

  // [rows, cols] as f32, transposed to [cols, rows].
  template <class Convert>
  const float* values(const TensorInfo& tensor, std::size_t rows, std::size_t cols, const Convert& convert) {
    const DType dtype = *dtype_of(tensor.dtype);
    AlignedBuffer<float> out = AlignedBuffer<float>::uninitialised(rows * cols);
    for (std::size_t i = 0; i < rows * cols; ++i) {
      out[i % cols * rows + i / cols] = convert(value_at(tensor, dtype, i));
    }
    storage_.vectors.push_back(std::move(out));
    return storage_.vectors.back().data();
  }

  const Checkpoint& checkpoint_;
  BoundStorage& storage_;
  std::unordered_set<std::string_view> taken_;  // names of the checkpoint's own table
  std::string text_;
  std::size_t problems_ = 0;
};

QWEN35_END_NAMESPACE
