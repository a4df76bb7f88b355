// SPDX-License-Identifier: Apache-2.0
// What a tokenizer makes of texts: a row of ids for each, with its mask and where in the text each token stands.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/text/tokenizer_options.hpp>

#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

// Characters [start, end) of a text, counted in code points of the text as it was given.
struct CharSpan {
  std::size_t start = 0;
  std::size_t end = 0;
  friend bool operator==(const CharSpan&, const CharSpan&) = default;
};

// Rows are as long as their texts unless they were padded. Of those that were not asked for there are none.
struct BatchEncoding {
  std::vector<std::vector<TokenId>> input_ids{};                 // [texts][tokens]
  std::vector<std::vector<std::int32_t>> attention_mask{};       // 0 for padding
  std::vector<std::vector<CharSpan>> offset_mapping{};           // (0, 0) for padding
  std::vector<std::vector<std::int32_t>> special_tokens_mask{};  // 1 for what the tokenizer added itself: the padding
  std::vector<std::size_t> lengths{};                            // [texts]: tokens, padding not counted

  // The rows as [texts, tokens], for the model. Raises InputError when they differ in length.
  Tensor<TokenId> ids() const { return rectangular(input_ids, "input_ids"); }
  Tensor<std::int32_t> mask() const { return rectangular(attention_mask, "attention_mask"); }

  // Brings rows that are shorter to `length` tokens.
  void pad(std::size_t length, PaddingSide side, TokenId pad_token_id);
  // The longest row.
  std::size_t columns() const;

 protected:
  template <class T>
  static void fill(std::vector<std::vector<T>>& rows, std::size_t length, PaddingSide side, T value) {
    for (std::vector<T>& row : rows) {
      if (row.size() < length) {
        row.insert(side == PaddingSide::left ? row.begin() : row.end(), length - row.size(), value);
      }
    }
  }
  template <class T>
  static Tensor<T> rectangular(const std::vector<std::vector<T>>& rows, std::string_view name) {
    std::vector<T> values;
    for (const std::vector<T>& row : rows) {
      require<InputError>(row.size() == rows[0].size(), name, ": rows of ", rows[0].size(), " and ", row.size(),
                          " tokens; ask for padding");
      values.insert(values.end(), row.begin(), row.end());
    }
    return Tensor<T>({rows.size(), rows.empty() ? 0 : rows[0].size()}, std::move(values));
  }
};

#if QWEN35_BODIES

QWEN35_BODY void BatchEncoding::pad(std::size_t length, PaddingSide side, TokenId pad_token_id) {
  fill(input_ids, length, side, pad_token_id);
  fill(attention_mask, length, side, 0);
  fill(offset_mapping, length, side, CharSpan());
  fill(special_tokens_mask, length, side, 1);
}

QWEN35_BODY std::size_t BatchEncoding::columns() const {
  std::size_t out = 0;
  for (const std::vector<TokenId>& row : input_ids) {
    out = std::max(out, row.size());
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
