// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: the `rope_parameters` entry of a config, as a compile-time value.
#pragma once

#include <qwen35/core/error.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

enum class RopeType { default_, linear, dynamic, yarn, longrope, llama3 };

constexpr std::string_view name(RopeType type) {
  constexpr std::array<std::string_view, 6> names = {"default", "linear", "dynamic", "yarn", "longrope", "llama3"};
  return names[static_cast<std::size_t>(type)];
}

// One factor for each rotary frequency (`short_factor`, `long_factor` of longrope); at most 256 of them.
class FactorList {
 public:
  static constexpr std::size_t capacity = 256;

  constexpr FactorList() = default;
  constexpr FactorList(std::initializer_list<double> values) {
    for (const double value : values) {
      push_back(value);
    }
  }
  constexpr void push_back(double value) {
    if (size_ == capacity) {
      raise<ConfigError>("a list of rope factors has at most 256 entries");
    }
    values_[size_++] = value;
  }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr double operator[](std::size_t i) const { return values_[i]; }
  constexpr const double* begin() const { return values_.data(); }
  constexpr const double* end() const { return values_.data() + size_; }
  friend constexpr bool operator==(const FactorList& a, const FactorList& b) {
    for (std::size_t i = 0; i < a.size_ && i < b.size_; ++i) {
      if (a.values_[i] != b.values_[i]) {
        return false;
      }
    }
    return a.size_ == b.size_;
  }

 private:
  std::array<double, capacity> values_{};
  std::size_t size_ = 0;
};

// Fields as in `config.json`. An empty optional is an absent key; which keys a type needs is checked where the
// frequencies are computed.
struct RopeParameters {
  RopeType rope_type = RopeType::default_;
  double rope_theta = 10000.0;
  double partial_rotary_factor = 0.25;
  std::array<std::size_t, 3> mrope_section = {11, 11, 10};  // temporal, height, width; the layout is always interleaved
  std::optional<double> factor{};
  std::optional<std::size_t> original_max_position_embeddings{};
  std::optional<double> attention_factor{};
  std::optional<double> beta_fast{};
  std::optional<double> beta_slow{};
  std::optional<double> mscale{};
  std::optional<double> mscale_all_dim{};
  std::optional<double> low_freq_factor{};
  std::optional<double> high_freq_factor{};
  bool truncate = true;
  FactorList short_factor{};
  FactorList long_factor{};

  friend constexpr bool operator==(const RopeParameters&, const RopeParameters&) = default;
};

QWEN35_END_NAMESPACE
