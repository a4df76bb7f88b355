// SPDX-License-Identifier: Apache-2.0
// Random bf16 weights of the 35B-A3B's layer shapes.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/core/matrix.hpp>
#include <qwen35/formats/bf16.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/weights/initialise.hpp>
#include <qwen35/weights/named_parameters.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace layer_bench {

inline constexpr std::size_t hidden_size = 2048;

// Values in (-scale, scale), stored for as long as this object lives.
class Random {
 public:
  qwen35::Matrix matrix(std::size_t rows, std::size_t cols) {
    qwen35::AlignedBuffer<std::uint16_t> values(rows * cols);
    for (std::uint16_t& value : values) {
      value = qwen35::f32_to_bf16(next() * 0.04f);
    }
    matrices_.push_back(std::move(values));
    return {reinterpret_cast<const std::byte*>(matrices_.back().data()), qwen35::DType::bf16, rows, cols};
  }
  const float* vector(std::size_t size, float mean, float scale) {
    vectors_.push_back(values(size, mean, scale));
    return vectors_.back().data();
  }
  std::vector<float> values(std::size_t size, float mean, float scale) {
    std::vector<float> out(size);
    for (float& value : out) {
      value = mean + next() * scale;
    }
    return out;
  }

 private:
  float next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(state_ >> 8) * 0x1p-23f - 1.0f;
  }
  std::uint32_t state_ = 1;
  std::vector<qwen35::AlignedBuffer<std::uint16_t>> matrices_;
  std::vector<std::vector<float>> vectors_;
};

// Fresh bf16 weights of a layer, and the memory that they look at.
template <class LayerWeights>
struct Fresh {
  LayerWeights weights;
  qwen35::BoundStorage storage;

  template <class Sizes>
  explicit Fresh(const Sizes& sizes) {
    qwen35::Initialiser initialiser(storage, {.seed = 1, .dtype = qwen35::Format::bf16}, 0.02);
    visit_parameters(weights, sizes, "", initialiser);
  }
  template <class Sizes>
  std::size_t bytes(const Sizes& sizes) {
    qwen35::ParameterList list(storage);
    visit_parameters(weights, sizes, "", list);
    return list.bytes();
  }
};

// Reports tokens a second, and the bytes of weights and state read for each pass.
inline void report(benchmark::State& state, std::size_t tokens, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(tokens));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
}

}  // namespace layer_bench
