// SPDX-License-Identifier: Apache-2.0
// What a call of a tokenizer can be asked for.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

QWEN35_BEGIN_NAMESPACE

// What becomes of added tokens such as <|im_end|> in a text: they are their ids; or plain characters (text from
// outside); or plain characters where they are special, ids where not (the reference's split_special_tokens).
enum class added_tokens : std::uint8_t { parse, none, split_special };

// May the added token at [begin, end) of text number `text` act? Else it is plain characters.
using AddedTokenFilter = std::function<bool(std::size_t text, std::size_t begin, std::size_t end)>;

enum class Padding : std::uint8_t { none, longest, max_length };
enum class PaddingSide : std::uint8_t { left, right };
enum class TruncationSide : std::uint8_t { left, right };

// Of all rows together, the padding counted: 1 GB of ids.
inline constexpr std::size_t max_padded_tokens = std::size_t{1} << 28;

// The arguments of the reference's `tokenizer(texts, ...)`, under its names. (return_overflowing_tokens is none of
// them: offset_mapping says where a long text can be cut.)
struct TokenizerOptions {
  Padding padding = Padding::none;
  // Nothing: true where max_length stands without padding.
  std::optional<bool> truncation{};
  std::optional<std::size_t> max_length{};  // nothing: the tokenizer's model_max_length, where one is needed
  bool return_offsets_mapping = false;
  std::optional<PaddingSide> padding_side{};        // nothing: the tokenizer's
  std::optional<TruncationSide> truncation_side{};  // which end is cut off; nothing: the tokenizer's
  std::size_t pad_to_multiple_of = 0;  // with padding, lengths are rounded up to a multiple; 0: they are not
  bool add_special_tokens = true;      // this family has none to add
  bool split_special_tokens = false;
  bool return_attention_mask = true;
  bool return_special_tokens_mask = false;
};

QWEN35_END_NAMESPACE
