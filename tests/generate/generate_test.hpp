// SPDX-License-Identifier: Apache-2.0
// Reading of the recorded cases, and a toy language model whose arithmetic is exact.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/model/attention_mask.hpp>
#include <qwen35/sampling/generation_config.hpp>

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
// hashes of the state.
class ToyModel {
 public:
  class Cache {
   public:
    std::size_t seq_length() const { return length_; }
    std::size_t batch_size() const { return states_.size(); }
    Cache fork() const { return *this; }
    void reorder(std::span<const std::size_t> rows) {
      std::vector<std::uint32_t> states;
      for (const std::size_t row : rows) {
        states.push_back(states_[row]);
      }
      states_ = states;
    }

   private:
    friend class ToyModel;
    std::size_t length_ = 0;
    std::vector<std::uint32_t> states_;
  };
  struct Input {
    TensorView<TokenId> input_ids{};
    AttentionMask attention_mask{};
    TensorView<std::int32_t> position_ids{};
    Cache* past_key_values = nullptr;
    TensorView<float> inputs_embeds{};  // one number for each token: its id
    std::optional<bool> use_cache{};
    bool output_hidden_states = false;
    bool output_attentions = false;
    int logits_to_keep = 0;
    int image = 0;
  };
  struct Output {
    Tensor<float> logits;
    std::vector<Tensor<float>> hidden_states;
    std::vector<Tensor<float>> attentions;
  };
  struct Special {
    TokenIds eos_token_id{};
    TokenIds pad_token_id{};
    std::size_t max_position_embeddings = 4096;
  };

  std::size_t vocab_size = 23;
  std::uint32_t seed = 1;
  float bonus = 0.0f;
  TokenIds bonus_ids{};
  Special special{};
  mutable std::size_t forwards = 0;
  mutable std::size_t rows_run = 0;
  mutable std::vector<int> images;

  const Special& config() const { return special; }

  Output forward(const Input& input) const {
    const bool embeds = static_cast<bool>(input.inputs_embeds);
    require<InputError>(embeds != static_cast<bool>(input.input_ids), "toy: ids or embeddings");
    const std::size_t batch = embeds ? input.inputs_embeds.shape()[0] : input.input_ids.shape()[0];
    const std::size_t length = embeds ? input.inputs_embeds.shape()[1] : input.input_ids.shape()[1];
    Cache own;
    Cache& cache = input.past_key_values != nullptr ? *input.past_key_values : own;
    if (cache.states_.empty()) {
      cache.states_.assign(batch, seed);
    }
    require<InputError>(cache.states_.size() == batch, "toy: cache of ", cache.states_.size(), " rows for ", batch);
    const std::size_t keys = cache.length_ + length;
    require<InputError>(!input.attention_mask || input.attention_mask.shape() == Shape{batch, keys},
                        "toy: mask of shape ", to_string(input.attention_mask.shape()));
    const Shape& positions = input.position_ids.shape();
    require<InputError>(positions[positions.rank() - 1] == length && positions[positions.rank() - 2] == batch,
                        "toy: positions of shape ", to_string(positions));
    ++forwards;
    rows_run += batch * length;
    images.push_back(input.image);
    Output output{Tensor<float>({batch, 1, vocab_size}), {}, {}};
    for (std::size_t b = 0; b < batch; ++b) {
      std::uint32_t& state = cache.states_[b];
      for (std::size_t s = 0; s < length; ++s) {
        if (!input.attention_mask || input.attention_mask.visible(b * keys + cache.length_ + s)) {
          const auto id = embeds ? static_cast<std::uint32_t>(input.inputs_embeds[b * length + s])
                                 : static_cast<std::uint32_t>(input.input_ids[b * length + s]);
          const auto position = static_cast<std::uint32_t>(input.position_ids[b * length + s]);
          state = mix(state * 31u + id * 7u + position + 1u);
        }
      }
      for (std::size_t v = 0; v < vocab_size; ++v) {
        const std::uint32_t hash = mix(state + static_cast<std::uint32_t>(v) * 0x9E3779B9u) >> 8;
        output.logits[b * vocab_size + v] = static_cast<float>(hash) / static_cast<float>(1 << 21) +
                                            (bonus_ids.contains(static_cast<TokenId>(v)) ? bonus : 0.0f);
      }
    }
    if (input.output_hidden_states) {
      Tensor<float> states({batch, length, 1});
      for (std::size_t b = 0; b < batch; ++b) {
        states[b * length] = static_cast<float>(cache.states_[b] >> 8);
      }
      output.hidden_states.push_back(states);
    }
    cache.length_ += length;
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
