// SPDX-License-Identifier: Apache-2.0
// Takes tensors of a checkpoint by name and shape, and collects everything that does not fit into one error.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/core/matrix.hpp>
#include <qwen35/weights/checkpoint.hpp>

#include <cmath>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Memory behind the views that a binder hands out.
struct BoundStorage {
  std::vector<AlignedBuffer<float>> vectors;
  std::vector<AlignedBuffer<std::byte>> copies;  // tensors whose place in the file is not aligned to their element
};

class Binder {
 public:
  Binder(const Checkpoint& checkpoint, BoundStorage& storage) : checkpoint_(checkpoint), storage_(storage) {}

  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }

  // A matrix [rows, cols] as the file stores it; axes of size 1 do not count. Empty when the tensor does not fit.
  Matrix matrix(const std::string& name, std::size_t rows, std::size_t cols) { return stacked(name, 1, rows, cols); }

  // `count` matrices [rows, cols] in one tensor, as one matrix [count * rows, cols].
  Matrix stacked(const std::string& name, std::size_t count, std::size_t rows, std::size_t cols) {
    const TensorInfo* const tensor = take(name);
    if (tensor == nullptr) {
      return {};
    }
    const std::optional<DType> dtype = dtype_of(tensor->dtype);
    if (!fits(*tensor, {count, rows, cols}, dtype)) {
      return {};
    }
    return {aligned(*tensor, *dtype), *dtype, count * rows, cols};
  }

  // A vector converted to f32; `convert` maps each stored value. Null when the tensor does not fit.
  template <class Convert>
  const float* vector(const std::string& name, std::size_t size, const Convert& convert) {
    return values(name, {1, 1, size}, [&](std::size_t i) { return i; }, convert);
  }
  const float* vector(const std::string& name, std::size_t size) {
    return vector(name, size, [](float value) { return value; });
  }
  // [rows, cols] transposed to [cols, rows], as f32.
  const float* transposed(const std::string& name, std::size_t rows, std::size_t cols) {
    return values(name, {1, rows, cols}, [&](std::size_t i) { return i % cols * rows + i / cols; }, [](float value) { return value; });
  }

  // Tensors whose names `ignored` accepts may be left over.
  template <class Ignored>
  void finish(const Ignored& ignored) {
    std::size_t extra = 0;
    for (const TensorInfo& tensor : checkpoint_.tensors()) {
      if (!taken_.contains(tensor.name) && !ignored(tensor.name)) {
        ++extra;
        complain(tensor.name, "not part of the model");
      }
    }
    require<CheckpointError>(problems_ == 0, "the checkpoint does not hold this model (", problems_, problems_ == 1 ? " problem" : " problems", "):",
                             text_, problems_ > shown ? "\n  ..." : "");
  }
  void complain(const std::string& name, const std::string& what) {
    if (problems_++ < shown) {
      text_ += "\n  " + name + ": " + what;
    }
  }

 private:
  static constexpr std::size_t shown = 50;

  const TensorInfo* take(const std::string& name) {
    const TensorInfo* const tensor = checkpoint_.find(name);
    if (tensor == nullptr) {
      complain(name, "missing");
    } else {
      taken_.insert(name);
    }
    return tensor;
  }

  bool fits(const TensorInfo& tensor, std::initializer_list<std::size_t> shape, std::optional<DType> dtype) {
    const auto significant = [](auto begin, auto end) {
      std::vector<std::size_t> out;
      for (auto it = begin; it != end; ++it) {
        if (*it != 1) {
          out.push_back(*it);
        }
      }
      return out;
    };
    const std::vector<std::size_t> expected = significant(shape.begin(), shape.end());
    if (significant(tensor.shape.begin(), tensor.shape.end()) != expected) {
      complain(tensor.name, "shape " + shape_text(tensor.shape) + ", expected " + shape_text(expected));
      return false;
    }
    if (!dtype) {
      complain(tensor.name, "dtype " + tensor.dtype + ", expected F32, F16 or BF16");
      return false;
    }
    return true;
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

  template <class Place, class Convert>
  const float* values(const std::string& name, std::initializer_list<std::size_t> shape, const Place& place, const Convert& convert) {
    const TensorInfo* const tensor = take(name);
    const std::optional<DType> dtype = tensor == nullptr ? std::nullopt : dtype_of(tensor->dtype);
    if (tensor == nullptr || !fits(*tensor, shape, dtype)) {
      return nullptr;
    }
    const std::size_t size = tensor->bytes.size() / row_bytes(*dtype, 1);
    AlignedBuffer<float> out(size);
    for (std::size_t i = 0; i < size; ++i) {
      out[place(i)] = convert(value_at(*tensor, *dtype, i));
    }
    storage_.vectors.push_back(std::move(out));
    return storage_.vectors.back().data();
  }

  const Checkpoint& checkpoint_;
  BoundStorage& storage_;
  std::unordered_set<std::string> taken_;
  std::string text_;
  std::size_t problems_ = 0;
};

QWEN35_END_NAMESPACE
