// SPDX-License-Identifier: Apache-2.0
// Norms of rows: weights and eps together, and all rows on the threads.
#pragma once

#include <qwen35/layers/parameter.hpp>

#if QWEN35_BODIES
#include <qwen35/math/norms.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

struct RmsNormWeights {
  const float* weight = nullptr;  // [size]: what it means, such as 1 + w
  float eps = 1e-6f;              // rms_norm_eps
};

struct LayerNormWeights {
  const float* weight = nullptr;  // [size]
  const float* bias = nullptr;    // [size]
  float eps = 1e-6f;
};

// A visitor with a member `norm` is called with the whole norm, others with its parameter.
template <class Norm, class Visitor>
void visit_rms_norm(const Parameter& parameter, Norm& norm, Visitor& visitor) {
  if constexpr (requires { visitor.norm(norm); }) {
    visitor.norm(norm);
  } else {
    visitor(parameter, norm.weight);
  }
}

template <class Weights, class Visitor>
void visit_layer_norm(Weights& weights, std::size_t size, const std::string& name, Visitor& visitor) {
  visitor(Parameter{name, ".weight", {size}, Initial::ones}, weights.weight);
  visitor(Parameter{name, ".bias", {size}, Initial::zeros}, weights.bias);
}

// Sets the eps of each RMS norm that a walk meets.
struct RmsNormEps {
  float eps;
  void norm(RmsNormWeights& weights) const { weights.eps = eps; }
  template <class P, class Member>
  void operator()(const P&, Member&) const {}
};

// y = x / rms(x) * weight, row by row: x, y `[rows, size]`; y may be x.
void rms_norm_rows(const RmsNormWeights& norm, const float* x, std::size_t rows, std::size_t size, float* y);

// y = LayerNorm(x), row by row: x, y `[rows, size]`; y may be x.
void layer_norm_rows(const LayerNormWeights& norm, const float* x, std::size_t rows, std::size_t size, float* y);

#if QWEN35_BODIES

QWEN35_BODY void rms_norm_rows(const RmsNormWeights& norm, const float* x, std::size_t rows, std::size_t size,
                               float* y) {
  parallel_ranges(rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      math::rms_norm(x + i * size, norm.weight, size, norm.eps, y + i * size);
    }
  });
}

QWEN35_BODY void layer_norm_rows(const LayerNormWeights& norm, const float* x, std::size_t rows, std::size_t size,
                                 float* y) {
  parallel_ranges(rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      math::layer_norm(x + i * size, norm.weight, norm.bias, size, norm.eps, y + i * size);
    }
  });
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
