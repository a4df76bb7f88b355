// SPDX-License-Identifier: Apache-2.0
// Under which names, and in which form, a checkpoint keeps the parameters that a walk meets.
#pragma once

#include <qwen35/layers/mlp.hpp>
#include <qwen35/layers/norm.hpp>  // the body of ParameterVisitor::norm
#include <qwen35/layers/parameter.hpp>
#include <qwen35/weights/binder.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

enum class ModelPart : std::uint8_t { text, vision };

// One part of a model is bound through one dialect, in the order of the walk.
class Dialect {
 public:
  Dialect() = default;
  Dialect(const Dialect&) = delete;
  Dialect& operator=(const Dialect&) = delete;
  virtual ~Dialect() = default;

  // The file's name of a parameter.
  virtual std::string file_name(const std::string& name) const = 0;
  // Belongs a tensor of the file to none of the parameters of this part?
  virtual bool passes_over(std::string_view name) const = 0;
  // Are the value heads of linear attention in tiled order, see GatedDeltaNetWeights?
  virtual bool tiled_value_heads() const { return false; }

  virtual void bind(Binder& binder, const Parameter& parameter, Matrix& out) = 0;
  virtual void bind(Binder& binder, const Parameter& parameter, const float*& out) = 0;
  virtual void bind(Binder& binder, const ExpertsParameter& experts, std::vector<MlpWeights>& out) = 0;
};

// The visitor that binds.
class DialectBinding final : public ParameterVisitor {
 public:
  DialectBinding(Dialect& dialect, Binder& binder) : dialect_(dialect), binder_(binder) {}
  void operator()(const Parameter& parameter, Matrix& out) override { dialect_.bind(binder_, parameter, out); }
  void operator()(const Parameter& parameter, const float*& out) override { dialect_.bind(binder_, parameter, out); }
  void operator()(const ExpertsParameter& experts, std::vector<MlpWeights>& out) override {
    dialect_.bind(binder_, experts, out);
  }

 private:
  Dialect& dialect_;
  Binder& binder_;
};

QWEN35_END_NAMESPACE
