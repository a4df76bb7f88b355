// SPDX-License-Identifier: Apache-2.0
// Where in a text the tokens of an encoding stand.
#pragma once

#include <qwen35/text/batch_encoding.hpp>
#include <qwen35/text/vocabulary.hpp>

#include <algorithm>

#if QWEN35_BODIES
#include <qwen35/unicode/nfc_alignment.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Takes the tokens of a text as Tokenizer::encode finds them, stretch by stretch, and notes the characters of each.
// Source: offsets of the reference's `tokenizers`. A token that ends or starts inside a character spans the whole
// character; one of a character that normalisation composed spans the first of its parts.
class OffsetSink {
 public:
  OffsetSink(std::string_view text, const TokenTable& tokens, std::vector<TokenId>& ids, std::vector<CharSpan>& spans)
      : original_(text.substr(0, 0)), tokens_(tokens), ids_(ids), spans_(spans) {}

  // The tokens that follow are those of `normal`, which is `original`, a part of the text, or its normalised form.
  void stretch(std::string_view original, std::string_view normal);
  // The next token of the stretch.
  void add(TokenId id) { added(id, at_, at_ + tokens_.bytes(id).size()); }
  void add(const TokenId* first, std::size_t count);
  // A token that stands for bytes [begin, end) of the stretch. Like a stretch, it may begin before the last one's end.
  void added(TokenId id, std::size_t begin, std::size_t end);

 private:
  static bool is_lead(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }
  static std::size_t leads(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_lead));
  }
  // Of the stretch's code point `number`, which counts from 1.
  std::size_t position(std::size_t number) const {
    return base_ + (aligned_.empty() ? number - 1 : aligned_[number - 1]);
  }

  std::string_view original_;
  const TokenTable& tokens_;
  std::vector<TokenId>& ids_;
  std::vector<CharSpan>& spans_;
  std::string_view normal_;
  std::vector<std::size_t> aligned_;
  std::size_t base_ = 0;   // code points before the stretch
  std::size_t at_ = 0;     // bytes of `normal` up to the end of the last token
  std::size_t leads_ = 0;  // code points that begin in them
};

#if QWEN35_BODIES

QWEN35_BODY void OffsetSink::stretch(std::string_view original, std::string_view normal) {
  if (original.data() >= original_.data()) {
    base_ += leads({original_.data(), static_cast<std::size_t>(original.data() - original_.data())});
  } else {
    base_ -= leads({original.data(), static_cast<std::size_t>(original_.data() - original.data())});
  }
  original_ = original;
  aligned_ = original.data() == normal.data() ? std::vector<std::size_t>() : unicode::nfc_alignment(original);
  normal_ = normal;
  at_ = 0;
  leads_ = 0;
}

QWEN35_BODY void OffsetSink::add(const TokenId* first, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    add(first[i]);
  }
}

QWEN35_BODY void OffsetSink::added(TokenId id, std::size_t begin, std::size_t end) {
  if (begin < at_) {
    leads_ -= leads(normal_.substr(begin, at_ - begin));
  }
  const std::size_t first = leads_ + (is_lead(normal_[begin]) ? 1 : 0);
  leads_ += leads(normal_.substr(begin, end - begin));
  at_ = end;
  ids_.push_back(id);
  spans_.push_back({position(first), position(leads_) + 1});
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
