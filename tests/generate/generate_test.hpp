// SPDX-License-Identifier: Apache-2.0
// Reading of the recorded cases, and a toy language model whose arithmetic is exact.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/model/ragged_pass.hpp>
#include <qwen35/model/rectangle.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace generate_test {

using namespace qwen35;

inline json::Value read_json(const std::string& name) {
  const std::string path = std::string(QWEN35_TEST_DATA) + "/generate/" + name;
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return json::parse(text.str(), path);
}

// null is -inf; the other values that JSON lacks are strings.
inline float as_float(const json::Value& value) {
  if (value.is_null()) {
    return -std::numeric_limits<float>::infinity();
  }
  if (value.is_string()) {
    return value.as_string() == "inf" ? std::numeric_limits<float>::infinity()
                                      : std::numeric_limits<float>::quiet_NaN();
  }
  return static_cast<float>(value.as_number());
}

inline std::vector<float> as_floats(const json::Value& list) {
  std::vector<float> out;
  for (const json::Value& item : list.items()) {
    out.push_back(as_float(item));
  }
  return out;
}

inline std::vector<TokenId> as_ids(const json::Value& list) {
  std::vector<TokenId> out;
  for (const json::Value& item : list.items()) {
    out.push_back(static_cast<TokenId>(item.as_integer()));
  }
  return out;
}

// A list of equally long lists.
inline Tensor<std::int32_t> as_table(const json::Value& rows) {
  std::vector<std::int32_t> values;
  for (const json::Value& row : rows.items()) {
    const std::vector<TokenId> ids = as_ids(row);
    values.insert(values.end(), ids.begin(), ids.end());
  }
  return Tensor<std::int32_t>({rows.size(), values.size() / rows.size()}, values);
}

// Infinities alike, numbers to rounding.
inline bool close(float a, float b, float tolerance = 2e-6f) {
  return a == b || (std::isfinite(a) && std::isfinite(b) &&
                    std::fabs(a - b) <= tolerance * std::max(1.0f, std::max(std::fabs(a), std::fabs(b))));
}

// The state of a sequence is an integer that its tokens and positions are mixed into; the next token's logits are
// hashes of the state. It stands in the linear state of a real cache.
class ToyModel {
 public:
  using Cache = RectangleCache;
  struct Special {
    TokenIds eos_token_id{};
    TokenIds pad_token_id{};
    std::size_t max_position_embeddings = 4096;
    const Special& get_text_config() const { return *this; }
  };

  std::size_t vocab_size = 23;
  std::uint32_t seed = 1;
  float bonus = 0.0f;
  TokenIds bonus_ids{};
  Special special{};
  mutable std::size_t forwards = 0;
  mutable std::size_t rows_run = 0;
  mutable std::vector<std::size_t> slices;  // of each forward
  mutable std::vector<std::size_t> media;   // how many pixel values each forward over a rectangle was given

  const Special& config() const { return special; }
  CacheLayout cache_layout(DType kv_dtype) const {
    return {.linear_layers = 1,
            .full_layers = 0,
            .conv_floats = 0,
            .recurrent_floats = 1,
            .kv_heads = 1,
            .head_dim = 1,
            .kv_dtype = kv_dtype};
  }
  SliceRows forward(std::span<const SequenceSlice> given, ForwardWorkspace& workspace) const {
    ++forwards;
    slices.push_back(given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      qwen35::check_slice(given[i], i, 1, vocab_size);
    }
    const std::size_t count = wanted_rows(given);
    float* logits = workspace.prepare(0, vocab_size, count);
    const SliceRows rows{
        .count = count, .hidden_size = 1, .vocab_size = vocab_size, .hidden = nullptr, .logits = logits};
    qwen35::SliceForward forward(given, 1, 7);
    for (const SequenceSlice& slice : given) {
      const std::size_t tokens = qwen35::slice_tokens(slice, 1);
      rows_run += tokens;
      float& held = *slice.cache->linear_state(0).recurrent;
      std::uint32_t state = std::bit_cast<std::uint32_t>(held) ^ seed;  // a fresh one is 0
      auto counted = static_cast<std::uint32_t>(slice.cache->tokens()) +
                     static_cast<std::uint32_t>(slice.cache->rope_delta().value_or(0));
      for (std::size_t s = slice.pads; s < tokens; ++s) {
        const auto id =
            static_cast<std::uint32_t>(slice.ids.empty() ? static_cast<TokenId>(slice.embeds[s]) : slice.ids[s]);
        const auto position = slice.positions.empty() ? counted++ : static_cast<std::uint32_t>(slice.positions[s]);
        if (slice.valid.empty() || slice.valid[s] != 0) {
          state = mix(state * 31u + id * 7u + position + 1u);
        }
        if (s + slice.wanted >= tokens) {
          for (std::size_t v = 0; v < vocab_size; ++v) {
            const std::uint32_t hash = mix(state + static_cast<std::uint32_t>(v) * 0x9E3779B9u) >> 8;
            *logits++ = static_cast<float>(hash) / static_cast<float>(1 << 21) +
                        (bonus_ids.contains(static_cast<TokenId>(v)) ? bonus : 0.0f);
          }
        }
      }
      held = std::bit_cast<float>(state ^ seed);
    }
    forward.commit();
    return rows;
  }

  ForwardOutput forward(const ForwardInput& input) const {
    media.push_back(input.pixel_values.size());
    Rectangle rectangle(input, {1, vocab_size, 1}, true);
    ForwardOutput output;
    output.owned_cache = std::make_unique<RectangleCache>();
    RectangleCache& cache = input.past_key_values != nullptr ? *input.past_key_values : *output.owned_cache;
    const std::size_t batch = rectangle.batch();
    cache.begin(batch, rectangle.length(), cache_layout(DType::f32), 7);
    const std::span<const SequenceSlice> rows = rectangle.slices(cache);
    std::vector<SequenceSlice> last(rows.begin(), rows.end());
    for (SequenceSlice& slice : last) {
      slice.wanted = 1;
    }
    ForwardWorkspace workspace(batch * rectangle.length(), batch);
    const SliceRows logits = forward(last, workspace);
    rectangle.commit(cache);
    output.logits =
        Tensor<float>({batch, 1, vocab_size}, std::vector<float>(logits.logits, logits.logits + batch * vocab_size));
    if (input.output_hidden_states) {
      output.hidden_states.emplace_back(Shape{batch, rectangle.length(), 1});
      for (std::size_t b = 0; b < batch; ++b) {
        output.hidden_states[0][b * rectangle.length()] = logits.logits[b * vocab_size];
      }
    }
    return output;
  }

 private:
  static std::uint32_t mix(std::uint32_t x) {
    x = (x ^ (x >> 16)) * 0x45D9F3Bu;
    x = (x ^ (x >> 16)) * 0x45D9F3Bu;
    return x ^ (x >> 16);
  }
};

}  // namespace generate_test
