// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back: the byte-level BPE of the family, from its tokenizer.json.
#pragma once

#include <qwen35/json/parse.hpp>
#include <qwen35/text/bpe.hpp>
#include <qwen35/text/split_pattern.hpp>
#include <qwen35/text/vocabulary.hpp>
#include <qwen35/unicode/nfc.hpp>

#include <atomic>
#include <fstream>
#include <memory>
#include <span>

QWEN35_BEGIN_NAMESPACE

// Whether added tokens such as <|im_end|> in the text become their ids, or are read as plain characters (text from outside).
enum class added_tokens { parse, none };

struct AddedToken {
  TokenId id = -1;
  std::string content;
  bool special = false;
};

// What a tokenizer is made of. `tokens` are in the printable byte alphabet; merges name two of them in rank order.
struct TokenizerParts {
  std::vector<std::pair<std::string, TokenId>> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<AddedToken> added;
  SplitPattern pattern = SplitPattern::qwen35;
  bool nfc = true;
};

// Immutable; may be shared between threads.
class Tokenizer {
 public:
  // Raises TextError when the parts contradict each other.
  explicit Tokenizer(const TokenizerParts& parts);
  // A tokenizer.json. Raises TextError for one that is damaged or asks for something outside this family.
  static Tokenizer from_bytes(std::string_view json, std::string_view source_name = "tokenizer.json");
  static Tokenizer from_file(const std::string& path);
  // A folder with tokenizer.json and, if there, tokenizer_config.json.
  static Tokenizer from_pretrained(const std::string& folder);

  // The ids of a text. Raises TextError with the offset of the first ill-formed byte when it is not UTF-8.
  std::vector<TokenId> encode(std::string_view text, added_tokens added = added_tokens::parse) const;
  // The same after each maximal ill-formed subsequence has become U+FFFD.
  std::vector<TokenId> encode_lossy(std::string_view text, added_tokens added = added_tokens::parse) const { return encode(unicode::repair_utf8(text), added); }
  std::vector<std::vector<TokenId>> encode_batch(std::span<const std::string> texts, added_tokens added = added_tokens::parse) const;
  std::size_t count(std::string_view text, added_tokens added = added_tokens::parse) const { return encode(text, added).size(); }

  // The text of ids; those without a token give nothing, bytes that are no UTF-8 give U+FFFD.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = false) const { return unicode::repair_utf8(decode_bytes(ids, skip_special_tokens)); }
  std::vector<std::string> batch_decode(std::span<const std::vector<TokenId>> sequences, bool skip_special_tokens = false) const;
  std::string decode_bytes(std::span<const TokenId> ids, bool skip_special_tokens = false) const;
  // The bytes of one token; empty for an id without one.
  std::string_view token_bytes(TokenId id) const { return bytes_[id]; }

  // -1 when there is no such token. The token is in the file's printable form.
  TokenId convert_tokens_to_ids(std::string_view token) const;
  // Empty when there is no such id.
  std::string convert_ids_to_tokens(TokenId id) const;
  bool contains(TokenId id) const { return bytes_.contains(id); }
  bool is_special(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < special_.size() && special_[static_cast<std::size_t>(id)] != 0; }
  std::size_t vocab_size() const { return base_size_; }  // without added tokens
  std::size_t size() const { return bytes_.size() + hidden_.size(); }

  // Names from tokenizer_config.json; -1 when it does not give them.
  void load_config(const json::Value& config);
  TokenId eos_token_id() const { return eos_token_id_; }
  TokenId pad_token_id() const { return pad_token_id_; }
  TokenId bos_token_id() const { return bos_token_id_; }

 private:
  void add_token(const AddedToken& token);
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const;
  void encode_piece(std::string_view piece, std::vector<TokenId>& out) const;
  const AddedToken* added_at(std::string_view text, std::size_t i) const;

  Splitter splitter_;
  bool nfc_ = true;
  TokenTable bytes_;  // id <-> bytes of the token (content, for an added one)
  std::size_t base_size_ = 0;
  std::vector<std::pair<TokenId, std::string>> hidden_;  // base tokens whose bytes another token has
  MergeTable merges_;
  TokenId byte_ids_[256] = {};
  std::vector<AddedToken> added_;                      // longest content first
  std::vector<std::uint32_t> added_by_first_[256];     // indices into added_
  std::vector<std::uint8_t> special_;                  // by id
  std::vector<std::uint8_t> is_added_;                 // by id
  TokenId eos_token_id_ = -1;
  TokenId pad_token_id_ = -1;
  TokenId bos_token_id_ = -1;
  std::uint64_t serial_ = 0;  // tells the word caches of different tokenizers apart
};

// Turns a stream of ids into text that never ends inside a character. The pieces together are the full decoding.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens = false) : tokenizer_(&tokenizer), skip_(skip_special_tokens) {}
  // The text that is complete with this token.
  std::string push(TokenId id) {
    if (!skip_ || !tokenizer_->is_special(id)) {
      tail_ += tokenizer_->token_bytes(id);
    }
    std::size_t used = 0;
    std::string out = unicode::repair_utf8(tail_, true, &used);
    tail_.erase(0, used);
    return out;
  }
  // What is left at the end: an incomplete character is U+FFFD.
  std::string finish() {
    std::string out = unicode::repair_utf8(tail_);
    tail_.clear();
    return out;
  }

 private:
  const Tokenizer* tokenizer_;
  bool skip_;
  std::string tail_;
};

QWEN35_END_NAMESPACE

#include <qwen35/text/tokenizer_impl.hpp>
