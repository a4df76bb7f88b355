// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back: the byte-level BPE of the family.
#pragma once

#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/added_vocabulary.hpp>
#include <qwen35/text/bpe.hpp>
#include <qwen35/text/split_pattern.hpp>
#include <qwen35/text/tokenizer_parts.hpp>
#include <qwen35/text/vocabulary.hpp>

#include <span>

QWEN35_BEGIN_NAMESPACE

// Whether added tokens such as <|im_end|> in the text become their ids, or are read as plain characters (text from
// outside).
enum class added_tokens : std::uint8_t { parse, none };

// Immutable once loaded; may be shared between threads. The ids and texts are those of the reference's `tokenizers`
// library.
class Tokenizer {
 public:
  // Raises TextError when the parts contradict each other: an id or a name twice, a byte without a token, a merge of
  // unknown tokens.
  explicit Tokenizer(const TokenizerParts& parts);
  // A tokenizer.json. Raises TextError for one that is damaged or asks for something outside this family.
  static Tokenizer from_bytes(std::string_view json, std::string_view source_name = "tokenizer.json");
  static Tokenizer from_file(const std::string& path);
  // A folder with tokenizer.json and, if there, tokenizer_config.json.
  static Tokenizer from_pretrained(const ModelFolder& files);

  // The ids of a text. Raises TextError with the offset of the first ill-formed byte when it is not UTF-8.
  std::vector<TokenId> encode(std::string_view text, added_tokens added = added_tokens::parse) const;
  // The same after each maximal ill-formed subsequence has become U+FFFD.
  std::vector<TokenId> encode_lossy(std::string_view text, added_tokens added = added_tokens::parse) const {
    return encode(unicode::repair_utf8(text), added);
  }
  // The ids of each text, in parallel. An error names the text.
  std::vector<std::vector<TokenId>> encode_batch(std::span<const std::string> texts,
                                                 added_tokens added = added_tokens::parse) const;
  // The number of ids.
  std::size_t count(std::string_view text, added_tokens added = added_tokens::parse) const;

  // The text of ids. An id without a token gives nothing; bytes that are no UTF-8 give U+FFFD.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = false) const {
    return unicode::repair_utf8(decode_bytes(ids, skip_special_tokens));
  }
  std::vector<std::string> batch_decode(std::span<const std::vector<TokenId>> sequences,
                                        bool skip_special_tokens = false) const;
  std::string decode_bytes(std::span<const TokenId> ids, bool skip_special_tokens = false) const;
  // The bytes of one token; empty for an id without one.
  std::string_view token_bytes(TokenId id) const { return tokens_.bytes(id); }

  // By the name in the file, where "Ġ" is a space. -1 when there is no such token, an empty name when there is no such
  // id.
  TokenId convert_tokens_to_ids(std::string_view token) const { return tokens_.find_name(token); }
  std::vector<TokenId> convert_tokens_to_ids(std::span<const std::string> tokens) const;
  std::string convert_ids_to_tokens(TokenId id) const { return tokens_.token(id); }
  std::vector<std::string> convert_ids_to_tokens(std::span<const TokenId> ids) const;
  bool contains(TokenId id) const { return tokens_.contains(id); }
  bool is_special(TokenId id) const { return has_flag(id, special_flag); }
  bool is_added(TokenId id) const { return has_flag(id, added_flag); }
  std::size_t vocab_size() const { return base_size_; }    // without added tokens
  std::size_t size() const { return tokens_.size(); }      // with them
  std::size_t id_end() const { return tokens_.id_end(); }  // one more than the largest id
  SplitPattern pattern() const { return splitter_.pattern(); }

  // Reads a tokenizer_config.json: the tokens by name, and added tokens that the tokenizer did not have. Raises
  // TextError when a named token does not exist.
  void load_config(const json::Value& config, std::string_view source_name = "tokenizer_config.json");
  // -1 when nothing gave them.
  TokenId eos_token_id() const { return eos_token_id_; }
  TokenId pad_token_id() const { return pad_token_id_; }
  TokenId bos_token_id() const { return bos_token_id_; }
  TokenId unk_token_id() const { return unk_token_id_; }

 private:
  static constexpr std::uint8_t special_flag = 1;
  static constexpr std::uint8_t added_flag = 2;

  void add_token(const AddedToken& token);
  bool has_flag(TokenId id, std::uint8_t flag) const {
    return id >= 0 && static_cast<std::size_t>(id) < flags_.size() &&
           (flags_[static_cast<std::size_t>(id)] & flag) != 0;
  }
  template <class Sink>
  void encode_to(std::string_view text, added_tokens added, Sink& sink) const;
  template <class Sink>
  void encode_stretch(std::string_view text, added_tokens added, Sink& sink) const;
  template <class Sink>
  void encode_plain(std::string_view text, Sink& sink) const;

  Splitter splitter_;
  bool nfc_ = true;
  bool ignore_merges_ = false;
  TokenTable tokens_;
  std::size_t base_size_ = 0;
  MergeTable merges_;
  AddedVocabulary added_raw_;
  AddedVocabulary added_normalized_;
  std::vector<std::uint8_t> flags_;  // by id, up to the largest added one
  TokenId eos_token_id_ = -1;
  TokenId pad_token_id_ = -1;
  TokenId bos_token_id_ = -1;
  TokenId unk_token_id_ = -1;
  std::uint32_t serial_ = 0;  // tells the tokenizers apart in the word caches
};

QWEN35_END_NAMESPACE

#include <qwen35/text/stream_decoder.hpp>
#include <qwen35/text/tokenizer_impl.hpp>
