// SPDX-License-Identifier: Apache-2.0
// Recorded runs of the reference (tests/data/text and tests/data/vision), and how close we must come to them. The
// scripts there tell the names.
#pragma once

#include <doctest/doctest.h>

#include <qwen35/core/tensor.hpp>
#include <qwen35/io/mapped_file.hpp>
#include <qwen35/weights/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace oracle {

inline constexpr double layer_bar = 1e-5;  // relative L2, of a layer fed with what the reference fed it
inline constexpr double model_bar =
    3.2e-5;  // relative L2, inside a whole run: what an error of logits_bar is in this measure
inline constexpr double logits_bar = 1e-9;  // normalised square error
inline constexpr double loss_bar = 1e-6;    // relative

// A recorded tensor: a view into the mapped file.
struct Recorded {
  qwen35::Shape shape;
  const std::byte* bytes = nullptr;
  template <class T>
  qwen35::TensorView<T> view() const {
    return {reinterpret_cast<const T*>(bytes), shape};
  }
  std::int32_t number() const { return view<std::int32_t>()[0]; }
};

using Fields = std::map<std::string, Recorded>;

// Scenario -> field ("step.name") -> tensor, for the runs of one model.
class Case {
 public:
  explicit Case(const std::string& name, const std::string& kind = "text")
      : folder_(std::string(QWEN35_TEST_DATA) + "/" + kind + "/" + name), file_(folder_ + "/cases.safetensors") {
    for (const qwen35::TensorInfo& tensor : qwen35::read_safetensors(file_.bytes(), "cases.safetensors")) {
      const std::size_t dot = tensor.name.find('.');
      qwen35::Shape shape;
      for (const std::size_t extent : tensor.shape) {
        shape.push_back(extent);
      }
      REQUIRE(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % (tensor.dtype == "U8" ? 1 : 4) == 0);
      scenarios_[tensor.name.substr(0, dot)][tensor.name.substr(dot + 1)] = {shape, tensor.bytes.data()};
    }
  }
  const std::string& folder() const { return folder_; }
  const std::map<std::string, Fields>& scenarios() const { return scenarios_; }
  const Fields& operator[](const std::string& scenario) const { return scenarios_.at(scenario); }
  bool has(const std::string& scenario) const { return scenarios_.count(scenario) != 0; }

 private:
  std::string folder_;
  qwen35::MappedFile file_;
  std::map<std::string, Fields> scenarios_;
};

// The field of a step, or null.
inline const Recorded* find(const Fields& fields, std::size_t step, const std::string& name) {
  const auto found = fields.find(std::to_string(step) + "." + name);
  return found == fields.end() ? nullptr : &found->second;
}

// Of the distribution of `other` from that of `exact`, two rows of logits, in nats.
inline double kl_divergence(std::span<const float> exact, std::span<const float> other) {
  const auto log_sum = [](std::span<const float> row) {
    const double top = static_cast<double>(*std::max_element(row.begin(), row.end()));
    double sum = 0.0;
    for (const float value : row) {
      sum += std::exp(static_cast<double>(value) - top);
    }
    return top + std::log(sum);
  };
  const double a = log_sum(exact), b = log_sum(other);
  double out = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double p = static_cast<double>(exact[i]) - a;
    out += std::exp(p) * (p - (static_cast<double>(other[i]) - b));
  }
  return out;
}

struct Difference {
  double error = 0.0;  // sum of squares of a - b
  double size = 0.0;   // sum of squares of b
  double relative_l2() const { return size == 0.0 ? std::sqrt(error) : std::sqrt(error / size); }
  double nmse() const { return size == 0.0 ? error : error / size; }
};

inline Difference difference(const float* ours, const float* theirs, std::size_t count) {
  Difference out;
  for (std::size_t i = 0; i < count; ++i) {
    const double a = static_cast<double>(ours[i]);
    const double b = static_cast<double>(theirs[i]);
    out.error += (a - b) * (a - b);
    out.size += b * b;
  }
  return out;
}

// `value <= bar`, said with what was measured. A NaN fails.
inline void check_within(double value, double bar, const std::string& what) {
  CHECK_MESSAGE(value <= bar, what, ": ", value, " is above the bar ", bar);
}

// The bar of a recorded field: the usual one, or the wider one recorded beside it.
inline double bar_of(const Fields& fields, const std::string& field, double usual) {
  const auto found = fields.find(field + ".bar");
  return found == fields.end() ? usual : std::max(usual, static_cast<double>(found->second.view<float>()[0]));
}

inline void check_same_shape(const qwen35::Shape& ours, const qwen35::Shape& theirs, const std::string& what) {
  REQUIRE_MESSAGE(ours == theirs, what, ": shape ", qwen35::to_string(ours), ", recorded ", qwen35::to_string(theirs));
}

// One tensor against a recorded field.
inline void check_tensor(const Fields& fields, const std::string& field, const float* ours, std::size_t count,
                         const std::string& where, double usual = layer_bar) {
  const Recorded& theirs = fields.at(field);
  REQUIRE(theirs.shape.size() == count);
  const Difference d = difference(ours, theirs.view<float>().data(), count);
  const bool logits = field.size() >= 7 && field.compare(field.size() - 7, 7, ".logits") == 0;
  if (logits) {
    check_within(d.nmse(), bar_of(fields, field, logits_bar), where + "." + field);
  } else {
    check_within(d.relative_l2(), bar_of(fields, field, usual), where + "." + field);
  }
}

// Tensors of a whole run that were recorded stacked: each alone.
inline void check_stack(const Fields& fields, const std::string& field, const std::vector<qwen35::Tensor<float>>& ours,
                        const std::string& where) {
  const Recorded& theirs = fields.at(field);
  REQUIRE_MESSAGE(ours.size() == theirs.shape[0], where, ".", field, ": ", ours.size(), " tensors, recorded ",
                  theirs.shape[0]);
  const double bar = bar_of(fields, field, model_bar);
  const std::size_t each = theirs.shape.size() / theirs.shape[0];
  for (std::size_t i = 0; i < ours.size(); ++i) {
    REQUIRE_MESSAGE(ours[i].size() == each, where, ".", field, "[", i, "]: shape ", qwen35::to_string(ours[i].shape()));
    const Difference d = difference(ours[i].data(), theirs.view<float>().data() + i * each, each);
    check_within(d.relative_l2(), bar, where + "." + field + "[" + std::to_string(i) + "]");
  }
}

inline void check_loss(float ours, float theirs, const std::string& what) {
  if (std::isnan(theirs)) {
    CHECK_MESSAGE(std::isnan(ours), what, ": ", ours, ", recorded NaN");
  } else {
    check_within(
        std::abs(static_cast<double>(ours) - static_cast<double>(theirs)) / std::abs(static_cast<double>(theirs)),
        loss_bar, what);
  }
}

inline bool same_bits(const qwen35::Tensor<float>& a, const qwen35::Tensor<float>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Row `b` of `[batch, ...]` values.
template <class T>
qwen35::Tensor<T> batch_row(qwen35::TensorView<T> values, std::size_t b) {
  qwen35::Shape shape{1};
  for (std::size_t axis = 1; axis < values.shape().rank(); ++axis) {
    shape.push_back(values.shape()[axis]);
  }
  qwen35::Tensor<T> out(shape);
  std::copy_n(values.data() + b * out.size(), out.size(), out.data());
  return out;
}

// Columns [begin, end) of `[batch, length]` values.
template <class T>
qwen35::Tensor<T> columns(qwen35::TensorView<T> values, std::size_t begin, std::size_t end) {
  const std::size_t batch = values.shape()[0];
  const std::size_t length = values.shape()[1];
  qwen35::Tensor<T> out({batch, end - begin});
  for (std::size_t b = 0; b < batch; ++b) {
    std::copy_n(values.data() + b * length + begin, end - begin, out.data() + b * (end - begin));
  }
  return out;
}

}  // namespace oracle
