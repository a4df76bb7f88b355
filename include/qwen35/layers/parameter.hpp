// SPDX-License-Identifier: Apache-2.0
// A parameter of a model as a walk over its weights meets it: name, stored shape, what the stored values mean, and how
// a fresh one begins.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/core/tensor.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

// What a layer works with where w is stored.
enum class Meaning : std::uint8_t { plain, one_plus, minus_exp };  // w, 1 + w, -exp(w)

float meant(Meaning meaning, float stored);

// The stored value that is `meant` so, for weights that never were in a file. Subtracting the 1 is exact; the logarithm
// is rounded.
float stored_value(Meaning meaning, float value);

// How the reference begins a fresh parameter (as stored): 0, 1, a normal distribution of the width initializer_range,
// the same with a row of 0 for the padding token, or the logarithm of a number between 0 and 16.
enum class Initial : std::uint8_t { zeros, ones, normal, normal_but_padding, log_uniform };

struct MlpWeights;
struct RmsNormWeights;

struct Parameter {
  std::string name;  // the reference's, below the part's own root: "layers.3.mlp.gate.weight"
  Shape shape;       // as stored
  Initial initial = Initial::normal;
  Meaning meaning = Meaning::plain;

  // Its name is `prefix` and `rest`.
  Parameter(const std::string& prefix, std::string_view rest, Shape stored, Initial begins = Initial::normal,
            Meaning means = Meaning::plain);
};

// The routed experts of a layer, met in one call with the `std::vector<MlpWeights>` that holds them: as the reference
// stores them they are two parameters, but files keep them in other ways too.
struct ExpertsParameter {
  std::string name;  // "layers.3.mlp.experts."
  std::size_t count = 0;
  std::size_t intermediate = 0;
  std::size_t hidden_size = 0;

  // Of each expert the rows of gate_proj, then those of up_proj.
  Parameter gate_up_proj() const { return {name, "gate_up_proj", {count, 2 * intermediate, hidden_size}}; }
  Parameter down_proj() const { return {name, "down_proj", {count, hidden_size, intermediate}}; }
};

// What a walk over weights calls: with a Parameter and the member that holds it, a `Matrix` or a `const float*`.
//
// - A Matrix is the stored tensor [rows, a, b, ...] as [rows, a * b * ...].
// - A `const float*` points to what the values mean, as f32. Of more than one axis (the short convolution's [channels,
//   1, taps]) it is transposed: [taps, channels].
class ParameterVisitor {
 public:
  virtual void operator()(const Parameter& parameter, Matrix& matrix) = 0;
  virtual void operator()(const Parameter& parameter, const float*& values) = 0;
  virtual void operator()(const ExpertsParameter& experts, std::vector<MlpWeights>& weights) = 0;
  // The weight of a norm and its eps.
  QWEN35_BODY virtual void norm(const Parameter& parameter, RmsNormWeights& norm);

 protected:
  ~ParameterVisitor() = default;
};

// One that changes nothing: it walks constant weights too.
class ParameterReader : public ParameterVisitor {
 public:
  virtual void read(const Parameter& parameter, const Matrix& matrix) = 0;
  virtual void read(const Parameter& parameter, const float* values) = 0;
  virtual void read(const ExpertsParameter& experts, const std::vector<MlpWeights>& weights) = 0;

  void operator()(const Parameter& parameter, Matrix& matrix) final { read(parameter, matrix); }
  void operator()(const Parameter& parameter, const float*& values) final { read(parameter, values); }
  void operator()(const ExpertsParameter& experts, std::vector<MlpWeights>& weights) final { read(experts, weights); }

 protected:
  ~ParameterReader() = default;
};

// One that calls `function(parameter, matrix)` with each matrix and passes over the rest.
template <class Function>
class MatrixVisitor final : public ParameterVisitor {
 public:
  explicit MatrixVisitor(Function function) : function_(std::move(function)) {}
  void operator()(const Parameter& parameter, Matrix& matrix) override { function_(parameter, matrix); }
  void operator()(const Parameter&, const float*&) override {}
  void operator()(const ExpertsParameter&, std::vector<MlpWeights>&) override {}

 private:
  Function function_;
};

#if QWEN35_BODIES

QWEN35_BODY float meant(Meaning meaning, float stored) {
  return meaning == Meaning::one_plus ? 1.0f + stored : meaning == Meaning::minus_exp ? -std::exp(stored) : stored;
}

QWEN35_BODY float stored_value(Meaning meaning, float value) {
  return meaning == Meaning::one_plus ? value - 1.0f : meaning == Meaning::minus_exp ? std::log(-value) : value;
}

// Out of class, and one call for each parameter of a walk: its code stood four dozen times in each visitor's walk else.
QWEN35_BODY Parameter::Parameter(const std::string& prefix, std::string_view rest, Shape stored, Initial begins,
                                 Meaning means)
    : name(prefix), shape(stored), initial(begins), meaning(means) {
  name += rest;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
