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

void visit_layer_norm(LayerNormWeights& weights, std::size_t size, const std::string& name, ParameterVisitor& visitor);

// Sets the eps of each RMS norm that a walk meets.
class RmsNormEps final : public ParameterVisitor {
 public:
  explicit RmsNormEps(float eps) : eps_(eps) {}
  void operator()(const Parameter&, Matrix&) override {}
  void operator()(const Parameter&, const float*&) override {}
  void operator()(const ExpertsParameter&, std::vector<MlpWeights>&) override {}
  void norm(const Parameter&, RmsNormWeights& weights) override { weights.eps = eps_; }

 private:
  float eps_;
};

// y = x / rms(x) * weight, row by row: x, y `[rows, size]`; y may be x.
void rms_norm_rows(const RmsNormWeights& norm, const float* x, std::size_t rows, std::size_t size, float* y);

// y = LayerNorm(x), row by row: x, y `[rows, size]`; y may be x.
void layer_norm_rows(const LayerNormWeights& norm, const float* x, std::size_t rows, std::size_t size, float* y);

#if QWEN35_BODIES

QWEN35_BODY void ParameterVisitor::norm(const Parameter& parameter, RmsNormWeights& norm) {
  (*this)(parameter, norm.weight);
}

QWEN35_BODY void visit_layer_norm(LayerNormWeights& weights, std::size_t size, const std::string& name,
                                  ParameterVisitor& visitor) {
  visitor(Parameter{name, ".weight", {size}, Initial::ones}, weights.weight);
  visitor(Parameter{name, ".bias", {size}, Initial::zeros}, weights.bias);
}

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
