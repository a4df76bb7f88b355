// SPDX-License-Identifier: Apache-2.0
// Bodies of Tokenizer that work on batches and on the vocabulary as a whole.
#pragma once

#include <qwen35/text/tokenizer.hpp>

#if QWEN35_BODIES
#include <qwen35/core/log.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/text/offset_sink.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// What the options come to for a tokenizer.
struct TokenizerCall {
  std::optional<std::size_t> truncate_to{};
  Padding padding = Padding::none;
  std::size_t pad_to = 0;  // of Padding::max_length
  std::size_t multiple = 1;

  TokenizerCall(const TokenizerOptions& options, std::optional<std::size_t> model_max_length, TokenId pad_token_id)
      : padding(options.padding), multiple(std::max<std::size_t>(options.pad_to_multiple_of, 1)) {
    const bool pads = padding != Padding::none;
    const bool truncates = options.truncation.value_or(options.max_length.has_value() && !pads);
    if (truncates || padding == Padding::max_length) {
      const std::optional<std::size_t> length = options.max_length ? options.max_length : model_max_length;
      require<InputError>(length.has_value(), "tokenizer: ", truncates ? "truncation" : "padding to max_length",
                          " needs max_length: tokenizer_config.json says no model_max_length");
      require<InputError>(!truncates || !pads || *length % multiple == 0,
                          "tokenizer: truncation and padding are both asked for, but max_length ", *length,
                          " is no multiple of pad_to_multiple_of ", multiple);
      truncate_to = truncates ? length : std::nullopt;
      pad_to = *length;
    } else if (padding == Padding::longest && options.max_length) {
      log_warning("tokenizer: max_length ", *options.max_length,
                  " has no effect with padding to the longest and without truncation; padding to it is "
                  "Padding::max_length");
    }
    require<InputError>(!pads || (pad_to <= max_padded_tokens && multiple <= max_padded_tokens),
                        "tokenizer: padding to max_length ", pad_to, " and pad_to_multiple_of ", multiple,
                        ": expected at most ", max_padded_tokens, " tokens");
    require<InputError>(!pads || pad_token_id >= 0, "tokenizer: padding, but tokenizer_config.json names no pad_token");
  }
  // The length of `rows` rows of which the longest has `longest` tokens.
  std::size_t padded(std::size_t longest, std::size_t rows) const {
    const std::size_t length = padding == Padding::longest ? longest : pad_to;
    const std::size_t out = (length + multiple - 1) / multiple * multiple;
    require<InputError>(out <= max_padded_tokens / std::max<std::size_t>(rows, 1), "tokenizer: ", rows,
                        " texts padded to ", out, " tokens are more than ", max_padded_tokens, " tokens");
    return out;
  }
};

template <class T>
void truncate_row(std::vector<T>& row, std::size_t length, TruncationSide side) {
  if (row.size() > length) {
    const auto cut = static_cast<std::ptrdiff_t>(row.size() - length);
    const auto first = side == TruncationSide::left ? row.begin() : row.end() - cut;
    row.erase(first, first + cut);
  }
}

}  // namespace detail

QWEN35_BODY void Tokenizer::warn_of_clean_up(bool asked) {
  if (asked) {
    log_warning("tokenizer: clean_up_tokenization_spaces has no effect: the spaces of a byte-level BPE are the text's");
  }
}

QWEN35_BODY void Tokenizer::check_utf8(std::span<const std::string> texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t bad = unicode::find_ill_formed(texts[i]);
    require<TextError>(bad == std::string_view::npos, "tokenizer: text ", i, " is not UTF-8 at byte ", bad);
  }
}

QWEN35_BODY BatchEncoding Tokenizer::operator()(std::span<const std::string> texts, const TokenizerOptions& options,
                                                const AddedTokenFilter& acts) const {
  const detail::TokenizerCall call(options, model_max_length_, pad_token_id());
  check_utf8(texts);
  BatchEncoding out;
  out.input_ids.resize(texts.size());
  if (options.return_offsets_mapping) {
    out.offset_mapping.resize(texts.size());
  }
  parallel_for(texts.size(), [&](std::size_t i) {
    const auto allowed = [&](std::size_t begin, std::size_t end, TokenId id) {
      return !(options.split_special_tokens && is_special(id)) && (!acts || acts(i, begin, end));
    };
    if (options.return_offsets_mapping) {
      OffsetSink sink(texts[i], tokens_, out.input_ids[i], out.offset_mapping[i]);
      encode_if_to(texts[i], allowed, sink);
    } else {
      out.input_ids[i] = ids_if(texts[i], allowed);
    }
  });
  if (const std::size_t longest = out.columns();
      !call.truncate_to && !options.max_length && longest > model_max_length_.value_or(longest)) {
    log_warning("tokenizer: a text of ", longest, " tokens is longer than model_max_length, ", *model_max_length_,
                ": the model was not made for it");
  }
  const TruncationSide side = options.truncation_side.value_or(truncation_side());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (call.truncate_to) {
      detail::truncate_row(out.input_ids[i], *call.truncate_to, side);
      if (options.return_offsets_mapping) {
        detail::truncate_row(out.offset_mapping[i], *call.truncate_to, side);
      }
    }
    const std::size_t length = out.input_ids[i].size();
    out.lengths.push_back(length);
    if (options.return_attention_mask) {
      out.attention_mask.emplace_back(length, 1);
    }
    if (options.return_special_tokens_mask) {
      out.special_tokens_mask.emplace_back(length, 0);
    }
  }
  if (call.padding != Padding::none) {
    out.pad(call.padded(out.columns(), texts.size()), options.padding_side.value_or(padding_side()), pad_token_id());
  }
  return out;
}

QWEN35_BODY std::vector<std::string> Tokenizer::batch_decode(std::span<const std::span<const TokenId>> rows,
                                                             bool skip_special_tokens,
                                                             bool clean_up_tokenization_spaces) const {
  warn_of_clean_up(clean_up_tokenization_spaces);
  std::vector<std::string> out(rows.size());
  parallel_for(rows.size(), [&](std::size_t i) { out[i] = decode(rows[i], skip_special_tokens); });
  return out;
}

QWEN35_BODY std::vector<std::string> Tokenizer::batch_decode(std::span<const std::vector<TokenId>> rows,
                                                             bool skip_special_tokens,
                                                             bool clean_up_tokenization_spaces) const {
  const std::vector<std::span<const TokenId>> views(rows.begin(), rows.end());
  return batch_decode(std::span(views), skip_special_tokens, clean_up_tokenization_spaces);
}

QWEN35_BODY std::vector<std::string> Tokenizer::batch_decode(TensorView<TokenId> sequences, bool skip_special_tokens,
                                                             bool clean_up_tokenization_spaces) const {
  const std::size_t rank = sequences.shape().rank();
  require<InputError>(rank > 0, "batch_decode: expected rows of ids");
  const std::size_t width = sequences.shape()[rank - 1];
  std::vector<std::span<const TokenId>> rows;
  for (std::size_t i = 0; i < (width == 0 ? 0 : sequences.size() / width); ++i) {
    rows.emplace_back(sequences.data() + i * width, width);
  }
  return batch_decode(std::span(std::as_const(rows)), skip_special_tokens, clean_up_tokenization_spaces);
}

QWEN35_BODY std::vector<TokenId> Tokenizer::convert_tokens_to_ids(std::span<const std::string> tokens) const {
  std::vector<TokenId> out;
  for (const std::string& token : tokens) {
    out.push_back(convert_tokens_to_ids(token));
  }
  return out;
}

QWEN35_BODY std::vector<std::string> Tokenizer::convert_ids_to_tokens(std::span<const TokenId> ids,
                                                                      bool skip_special_tokens) const {
  std::vector<std::string> out;
  for (const TokenId id : ids) {
    if (!skip_special_tokens || !is_special(id)) {
      out.push_back(convert_ids_to_tokens(id));
    }
  }
  return out;
}

QWEN35_BODY std::unordered_map<std::string, TokenId> Tokenizer::get_vocab() const {
  std::unordered_map<std::string, TokenId> out;
  out.reserve(size());
  for (TokenId id = 0; static_cast<std::size_t>(id) < id_end(); ++id) {
    if (contains(id)) {
      out.emplace(convert_ids_to_tokens(id), id);
    }
  }
  return out;
}

QWEN35_BODY std::unordered_map<std::string, TokenId> Tokenizer::get_added_vocab() const {
  std::unordered_map<std::string, TokenId> out;
  for (TokenId id = 0; static_cast<std::size_t>(id) < flags_.size(); ++id) {
    if (is_added(id)) {
      out.emplace(convert_ids_to_tokens(id), id);
    }
  }
  return out;
}

QWEN35_BODY BatchEncoding Tokenizer::operator()(std::initializer_list<std::string_view> texts,
                                                const TokenizerOptions& options) const {
  return (*this)(std::vector<std::string>(texts.begin(), texts.end()), options);
}

QWEN35_BODY std::vector<TokenId> Tokenizer::encode_lossy(std::string_view text, added_tokens added) const {
  return encode(unicode::repair_utf8(text), added);
}

QWEN35_BODY std::vector<std::string> Tokenizer::tokenize(std::string_view text, added_tokens added) const {
  return convert_ids_to_tokens(encode(text, added));
}

QWEN35_BODY std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens,
                                          bool clean_up_tokenization_spaces) const {
  warn_of_clean_up(clean_up_tokenization_spaces);
  return unicode::repair_utf8(decode_bytes(ids, skip_special_tokens));
}

QWEN35_BODY std::string Tokenizer::convert_tokens_to_string(std::span<const std::string> tokens) const {
  return decode(convert_tokens_to_ids(tokens));
}

QWEN35_BODY std::vector<std::string> Tokenizer::all_special_tokens() const {
  return convert_ids_to_tokens(special_tokens_.ids());
}

QWEN35_BODY void Tokenizer::set_chat_template(ChatTemplate chat) {
  chat_template_ = std::move(chat);
}

QWEN35_BODY std::vector<std::pair<std::string, std::string>> Tokenizer::special_tokens_map() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, id] : special_tokens_.named()) {
    out.emplace_back(name, convert_ids_to_tokens(id));
  }
  return out;
}

QWEN35_BODY void Tokenizer::set_special_token(std::string_view name, std::string_view token) {
  const TokenId id = convert_tokens_to_ids(token);
  require<TextError>(id >= 0, "set_special_token: ", name, ": the tokenizer has no token \"", token, "\"");
  special_tokens_.set(name, id);
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
