// SPDX-License-Identifier: Apache-2.0
// Where in a text the tokens of an encoding stand.
#pragma once

#include <qwen35/text/batch_encoding.hpp>
#include <qwen35/text/vocabulary.hpp>

#if QWEN35_BODIES
#include <qwen35/unicode/nfc_alignment.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Takes the tokens of a text as Tokenizer::encode finds them, stretch by stretch, and notes the characters of each.
// Source: offsets of the reference's `tokenizers`. A token that ends or starts inside a character spans the whole
// character; one of a character that normalisation composed spans the first of its parts.
class OffsetSink {
 public:
  OffsetSink(const TokenTable& tokens, std::vector<TokenId>& ids, std::vector<CharSpan>& spans)
      : tokens_(tokens), ids_(ids), spans_(spans) {}

  // The tokens that follow are those of `normal`, which is `original` or its normalised form.
  void stretch(std::string_view original, std::string_view normal);
  void add(TokenId id) { added(id, tokens_.bytes(id).size()); }
  void add(const TokenId* first, std::size_t count);
  // A token that stands for `size` bytes of the stretch.
  void added(TokenId id, std::size_t size);

 private:
  static bool is_lead(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }
  // Of the stretch's code point `number`, which counts from 1.
  std::size_t position(std::size_t number) const {
    return base_ + (aligned_.empty() ? number - 1 : aligned_[number - 1]);
  }

  const TokenTable& tokens_;
  std::vector<TokenId>& ids_;
  std::vector<CharSpan>& spans_;
  std::string_view rest_;
  std::vector<std::size_t> aligned_;
  std::size_t base_ = 0;    // code points before the stretch
  std::size_t points_ = 0;  // of the stretch, as it was given
  std::size_t leads_ = 0;   // code points of `normal` up to and with the one that is being read
};

#if QWEN35_BODIES

QWEN35_BODY void OffsetSink::stretch(std::string_view original, std::string_view normal) {
  base_ += points_;
  points_ = 0;
  for (const char byte : original) {
    points_ += is_lead(byte);
  }
  aligned_ = original.data() == normal.data() ? std::vector<std::size_t>() : unicode::nfc_alignment(original);
  rest_ = normal;
  leads_ = 0;
}

QWEN35_BODY void OffsetSink::add(const TokenId* first, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    add(first[i]);
  }
}

QWEN35_BODY void OffsetSink::added(TokenId id, std::size_t size) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < size; ++i) {
    leads_ += is_lead(rest_[i]);
    first = i == 0 ? leads_ : first;
  }
  rest_.remove_prefix(size);
  ids_.push_back(id);
  spans_.push_back({position(first), position(leads_) + 1});
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
