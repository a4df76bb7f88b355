// SPDX-License-Identifier: Apache-2.0
// Text out of ids as they are generated.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/text/tokenizer.hpp>

QWEN35_BEGIN_NAMESPACE

// Turns a stream of ids into text that never ends inside a character: all but a tail of 1 to 3 bytes that could still
// become one. The pieces together are the full decoding. The tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer QWEN35_LIFETIMEBOUND, bool skip_special_tokens = false)
      : tokenizer_(&tokenizer), skip_(skip_special_tokens) {}
  explicit StreamDecoder(const Tokenizer&& temporary, bool skip_special_tokens = false) = delete;

  // The text that is complete with this token.
  std::string push(TokenId id);
  // What is left at the end: an incomplete character is U+FFFD. The decoder is then as new.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool skip_;
  std::string tail_;
};

#if QWEN35_BODIES

QWEN35_BODY std::string StreamDecoder::push(TokenId id) {
  if (!skip_ || !tokenizer_->is_special(id)) {
    tail_ += tokenizer_->token_bytes(id);
  }
  std::size_t used = 0;
  std::string out = unicode::repair_utf8(tail_, true, &used);
  tail_.erase(0, used);
  return out;
}

QWEN35_BODY std::string StreamDecoder::finish() {
  std::string out = unicode::repair_utf8(tail_);
  tail_.clear();
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
