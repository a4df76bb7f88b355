// SPDX-License-Identifier: Apache-2.0
// A number that tells models apart: two have the same only if they give the same results. What is computed by one model
// (a cache) must not be used by another.
#pragma once

#include <qwen35/config/config_file.hpp>
#include <qwen35/core/hash.hpp>
#include <qwen35/weights/named_parameters.hpp>

#include <algorithm>
#include <optional>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE

// Every parameter and every value is mixed in. Of stored bytes:
//
// - up to 64 KiB of a matrix, which holds all vectors: all of them;
// - of a larger matrix 64 pieces of 256 bytes at even distances, so a change of 1/64 of it, in one run, is always seen;
// - of an expert's larger matrix two pieces of 512 bytes;
// - all factors that stand beside a matrix.
//
// What costs time are the pages that are touched, above all in a file that does not fit into memory: of a 35B-A3B's
// 30,720 expert matrices two pages each, 0.4 % of the file.
class Fingerprint {
 public:
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void add(T value) { hasher_.bytes(&value, sizeof(value)); }
  void add(std::string_view text);
  template <class T>
  void add(const std::optional<T>& value) {
    add(value.has_value());
    add(value.value_or(T()));
  }
  void add(const FactorList& list);
  void add(const NamedParameter& parameter);
  // Not 0, which stands for none.
  std::uint64_t value() const { return std::max<std::uint64_t>(hasher_.value(), 1); }

 private:
  void add_bytes(const std::byte* data, std::size_t size, std::size_t count, std::size_t length);

  Hasher hasher_;
};

// Of a text model with its head, if it has one.
template <class Config>
std::uint64_t fingerprint(const TextWeights<Config>& weights, const TextValues& values) {
  using Text = text_config_t<Config>;
  Fingerprint out;
  for (const LayerType type : Text::layer_types) {
    out.add(type);
  }
  for (const std::size_t size :
       {Text::num_attention_heads, Text::num_key_value_heads, Text::head_dim, Text::linear_num_value_heads,
        Text::linear_num_key_heads, Text::linear_key_head_dim, Text::linear_value_head_dim}) {
    out.add(size);
  }
  out.add(Text::hidden_act);
  if constexpr (is_moe<Text>) {
    out.add(Text::num_experts_per_tok);
  }
  out.add(values.rms_norm_eps);
  out.add(values.max_position_embeddings);
  const RopeParameters& rope = values.rope_parameters;
  out.add(rope.rope_type);
  out.add(rope.rope_theta);
  out.add(rope.partial_rotary_factor);
  for (const std::size_t section : rope.mrope_section) {
    out.add(section);
  }
  out.add(rope.factor);
  out.add(rope.original_max_position_embeddings);
  for (const std::optional<double>& value : {rope.attention_factor, rope.beta_fast, rope.beta_slow, rope.mscale,
                                             rope.mscale_all_dim, rope.low_freq_factor, rope.high_freq_factor}) {
    out.add(value);
  }
  out.add(rope.truncate);
  out.add(rope.short_factor);
  out.add(rope.long_factor);
  for (const auto& layer : weights.linear_layers) {
    if (layer.mixer.tiled_heads) {  // other folders have the number that they always had
      out.add(layer.mixer.tiled_out_proj);
    }
  }
  for (const NamedParameter& parameter : named_parameters(weights, {}, !weights.lm_head.empty())) {
    out.add(parameter);
  }
  return out.value();
}

// Of a vision tower.
template <VisionConfig Vision>
std::uint64_t fingerprint(const VisionWeights& weights) {
  Fingerprint out;
  for (const std::size_t size : {Vision::num_heads, Vision::spatial_merge_size, Vision::patch_size}) {
    out.add(size);
  }
  out.add(Vision::hidden_act);
  for (const NamedParameter& parameter : named_parameters<Vision>(weights, {})) {
    out.add(parameter);
  }
  return out.value();
}

#if QWEN35_BODIES

QWEN35_BODY void Fingerprint::add(std::string_view text) {
  add(text.size());
  hasher_.bytes(text.data(), text.size());
}

QWEN35_BODY void Fingerprint::add(const FactorList& list) {
  add(list.size());
  for (const double factor : list) {
    add(factor);
  }
}

QWEN35_BODY void Fingerprint::add(const NamedParameter& parameter) {
  add(parameter.name);
  for (std::size_t axis = 0; axis < parameter.shape.rank(); ++axis) {
    add(parameter.shape[axis]);
  }
  const bool expert = parameter.pieces.size() > 1;
  for (const Matrix& piece : parameter.pieces) {
    add(piece.format);
    add_bytes(piece.data, piece.bytes(), expert ? 2 : 64, expert ? 512 : 256);
    if (const BlockScales& scales = piece.scales; !scales.empty()) {
      add(scales.first_row % scales.rows);
      add(scales.rows);
      add(scales.cols);
      const std::size_t first = scales.place(0), count = scales.place(piece.rows - 1) + scales.stride - first;
      hasher_.bytes(scales.data + first, count * sizeof(float));
      if (scales.zeros != nullptr) {
        hasher_.bytes(scales.zeros + first, count * sizeof(float));
      }
      if (scales.columns != nullptr) {
        hasher_.bytes(scales.columns, piece.cols * sizeof(std::uint32_t));
      }
    }
  }
}

QWEN35_BODY void Fingerprint::add_bytes(const std::byte* data, std::size_t size, std::size_t count,
                                        std::size_t length) {
  constexpr std::size_t whole = std::size_t{64} << 10;
  if (size <= whole) {
    hasher_.bytes(data, size);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t middle = (2 * i + 1) * (size / (2 * count));
    hasher_.bytes(data + middle / length * length, std::min(length, size - middle / length * length));
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
