// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back: the byte-level BPE of the family.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/added_vocabulary.hpp>
#include <qwen35/text/batch_encoding.hpp>
#include <qwen35/text/bpe.hpp>
#include <qwen35/text/special_tokens.hpp>
#include <qwen35/text/split_pattern.hpp>
#include <qwen35/text/tokenizer_chat_input.hpp>
#include <qwen35/text/tokenizer_parts.hpp>

#include <span>
#include <unordered_map>

#if QWEN35_BODIES
#include <qwen35/text/vocabulary.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Immutable once loaded; may be shared between threads. The ids and texts are those of the reference's `tokenizers`
// library.
class Tokenizer {
 public:
  // Raises TextError when the parts contradict each other: an id or a name twice, a byte without a token, a merge of
  // unknown tokens.
  explicit Tokenizer(const TokenizerParts& parts);
  // A tokenizer.json. Raises TextError for one that is damaged or asks for something outside this family.
  static Tokenizer from_bytes(std::string_view json, std::string_view source_name = "tokenizer.json");
  // The same in a file; or a GGUF file.
  static Tokenizer from_file(const std::string& path);
  // A folder with tokenizer.json and, if there, tokenizer_config.json; or a GGUF file.
  static Tokenizer from_pretrained(const ModelFolder& folder);
  // The same, with what they would raise as a failure.
  static Result<Tokenizer> try_from_bytes(std::string_view json, std::string_view source_name = "tokenizer.json");
  static Result<Tokenizer> try_from_pretrained(const ModelFolder& folder);

  // What it is made of, config aside: Tokenizer(parts()) is the same tokenizer.
  TokenizerParts parts() const;
  // The entries of tokenizer_config.json.
  json::Value config() const;
  // Writes tokenizer.json and tokenizer_config.json into a folder, which is made; from_pretrained() and the reference
  // load them. Raises TextError.
  void save_pretrained(const std::string& folder) const;

  // The reference's `tokenizer(texts, ...)`: each text's ids with their mask and, if asked for, their places; truncated
  // and padded. Raises TextError for a text that is not UTF-8, InputError for options that contradict each other or
  // need a pad token or length that the tokenizer does not have. Logs a warning for an option without effect, and for
  // texts that are longer than model_max_length. `acts`: as `allowed` of encode_if(); none: all do.
  BatchEncoding operator()(std::span<const std::string> texts, const TokenizerOptions& options = {},
                           const AddedTokenFilter& acts = {}) const;
  BatchEncoding operator()(std::initializer_list<std::string_view> texts, const TokenizerOptions& options = {}) const;
  // A batch of one.
  BatchEncoding operator()(std::string_view text, const TokenizerOptions& options = {}) const {
    return (*this)(std::initializer_list<std::string_view>{text}, options);
  }

  // The ids of a text. Raises TextError with the offset of the first ill-formed byte when it is not UTF-8.
  std::vector<TokenId> encode(std::string_view text, added_tokens added = added_tokens::parse) const;
  // The same where added tokens act only if `allowed(begin, end)`, asked for each one's bytes, says so; the others are
  // plain characters. (Those that are looked for after normalisation act where all that surrounds them is allowed.)
  std::vector<TokenId> encode_if(std::string_view text,
                                 const std::function<bool(std::size_t begin, std::size_t end)>& allowed) const;
  // The ids of encode() after each maximal ill-formed subsequence has become U+FFFD.
  std::vector<TokenId> encode_lossy(std::string_view text, added_tokens added = added_tokens::parse) const;
  // The ids of each text, in parallel. An error names the text.
  std::vector<std::vector<TokenId>> encode(std::span<const std::string> texts,
                                           added_tokens added = added_tokens::parse) const;
  [[deprecated("use encode")]] std::vector<std::vector<TokenId>> encode_batch(
      std::span<const std::string> texts, added_tokens added = added_tokens::parse) const;
  // The tokens of a text by name.
  std::vector<std::string> tokenize(std::string_view text, added_tokens added = added_tokens::parse) const;
  // The number of ids.
  std::size_t count(std::string_view text, added_tokens added = added_tokens::parse) const;

  // The text of ids. An id without a token gives nothing; bytes that are no UTF-8 give U+FFFD. As in the reference,
  // clean_up_tokenization_spaces has no effect on a byte-level BPE, whose spaces are the text's own: true is a warning.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = false,
                     bool clean_up_tokenization_spaces = false) const;
  // The text of each row: of `sequences` that generate() gave, of rows of ids.
  std::vector<std::string> batch_decode(TensorView<TokenId> sequences, bool skip_special_tokens = false,
                                        bool clean_up_tokenization_spaces = false) const;
  std::vector<std::string> batch_decode(const Tensor<TokenId>& sequences, bool skip_special_tokens = false,
                                        bool clean_up_tokenization_spaces = false) const {
    return batch_decode(TensorView<TokenId>(sequences), skip_special_tokens, clean_up_tokenization_spaces);
  }
  std::vector<std::string> batch_decode(std::span<const std::span<const TokenId>> rows,
                                        bool skip_special_tokens = false,
                                        bool clean_up_tokenization_spaces = false) const;
  std::vector<std::string> batch_decode(std::span<const std::vector<TokenId>> rows, bool skip_special_tokens = false,
                                        bool clean_up_tokenization_spaces = false) const;
  std::string decode_bytes(std::span<const TokenId> ids, bool skip_special_tokens = false) const;
  // The bytes of one token; empty for an id without one.
  std::string_view token_bytes(TokenId id) const QWEN35_LIFETIMEBOUND { return tokens_.bytes(id); }

  // By the name in the file, where "Ġ" is a space. -1 when there is no such token, an empty name when there is no such
  // id.
  TokenId convert_tokens_to_ids(std::string_view token) const { return tokens_.find_name(token); }
  std::vector<TokenId> convert_tokens_to_ids(std::span<const std::string> tokens) const;
  std::string convert_ids_to_tokens(TokenId id) const { return tokens_.token(id); }
  std::vector<std::string> convert_ids_to_tokens(std::span<const TokenId> ids, bool skip_special_tokens = false) const;
  std::string convert_tokens_to_string(std::span<const std::string> tokens) const;
  // Each token's id by its name; of the added ones alone.
  std::unordered_map<std::string, TokenId> get_vocab() const;
  std::unordered_map<std::string, TokenId> get_added_vocab() const;
  bool contains(TokenId id) const { return tokens_.contains(id); }
  bool is_special(TokenId id) const { return has_flag(id, special_flag); }
  bool is_added(TokenId id) const { return has_flag(id, added_flag); }
  std::size_t vocab_size() const { return base_size_; }    // without added tokens
  std::size_t size() const { return tokens_.size(); }      // with them
  std::size_t id_end() const { return tokens_.id_end(); }  // one more than the largest id
  SplitPattern pattern() const { return splitter_.pattern(); }

  // Reads a tokenizer_config.json: the tokens by name, the longest text, the sides, and added tokens that the tokenizer
  // did not have. Raises TextError when a named token does not exist.
  void load_config(const json::Value& config, std::string_view source_name = "tokenizer_config.json");

  // Special tokens by name, -1 and "" when nothing gave them; `name` as in the file: "image_token".
  const SpecialTokens& special_tokens() const QWEN35_LIFETIMEBOUND { return special_tokens_; }
  TokenId special_token_id(std::string_view name) const { return special_tokens_.id(name); }
  std::string special_token(std::string_view name) const { return convert_ids_to_tokens(special_token_id(name)); }
  TokenId bos_token_id() const { return special_token_id("bos_token"); }
  TokenId eos_token_id() const { return special_token_id("eos_token"); }
  TokenId unk_token_id() const { return special_token_id("unk_token"); }
  TokenId pad_token_id() const { return special_token_id("pad_token"); }
  std::string bos_token() const { return special_token("bos_token"); }
  std::string eos_token() const { return special_token("eos_token"); }
  std::string unk_token() const { return special_token("unk_token"); }
  std::string pad_token() const { return special_token("pad_token"); }
  // Those that have a name, in the reference's order: the standard names, then the file's own.
  std::vector<std::pair<std::string, std::string>> special_tokens_map() const;
  std::vector<TokenId> all_special_ids() const { return special_tokens_.ids(); }
  std::vector<std::string> all_special_tokens() const;
  // Gives a token that is there the name "pad_token" or another. Raises TextError for one that is not there.
  void set_special_token(std::string_view name, std::string_view token);

  // The template of the model's folder, as recognise_chat_template() finds it there, or the one that was set. Raises
  // TextError when there is neither, or one that cannot be rendered. This and what follows: include tokenizer_chat.hpp.
  QWEN35_LAZY
  ChatTemplate chat_template() const;
  void set_chat_template(ChatTemplate chat);
  // The text of a conversation: the reference's tokenize = False. Raises TextError.
  QWEN35_LAZY
  RenderedChat render(const std::vector<Message>& messages, const TokenizerChatInput& input = {}) const;
  // Its ids, one row for each conversation: tokenize = True. Media are placeholder tokens; a Processor reads them too.
  QWEN35_LAZY
  BatchEncoding apply_chat_template(std::span<const std::vector<Message>> conversations,
                                    const TokenizerChatInput& input = {}) const;
  QWEN35_LAZY
  BatchEncoding apply_chat_template(const json::Value& messages, const TokenizerChatInput& input = {}) const;
  QWEN35_LAZY
  BatchEncoding apply_chat_template(const std::vector<Message>& messages, const TokenizerChatInput& input = {}) const;

  // Tokens of the longest text that the model was made for, where the file says it.
  std::optional<std::size_t> model_max_length() const { return model_max_length_; }
  // What the file says, else left (unlike the reference's right): the side that generate() reads.
  PaddingSide padding_side() const { return padding_side_.value_or(PaddingSide::left); }
  TruncationSide truncation_side() const { return truncation_side_.value_or(TruncationSide::right); }
  void set_padding_side(PaddingSide side) { padding_side_ = side; }
  void set_truncation_side(TruncationSide side) { truncation_side_ = side; }

 private:
  static constexpr std::uint8_t special_flag = 1;
  static constexpr std::uint8_t added_flag = 2;
  static constexpr std::uint8_t base_flag = 4;  // of an added token that is in the vocabulary too

  void add_token(const AddedToken& token, std::string_view place);
  static void warn_of_clean_up(bool asked);
  static void check_utf8(std::span<const std::string> texts);
  bool has_flag(TokenId id, std::uint8_t flag) const;
  template <class Sink>
  void encode_to(std::string_view text, added_tokens added, Sink& sink) const;
  template <class Allowed, class Sink>
  void encode_if_to(std::string_view text, const Allowed& allowed, Sink& sink) const;
  template <class Allowed>
  std::vector<TokenId> ids_if(std::string_view text, const Allowed& allowed) const;
  template <class Allowed, class Sink>
  void encode_stretch(std::string_view text, const Allowed& allowed, Sink& sink) const;
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
  SpecialTokens special_tokens_;
  std::optional<ModelFolder> files_;  // where the chat template is looked for
  std::optional<ChatTemplate> chat_template_;
  std::optional<std::size_t> model_max_length_;
  std::optional<PaddingSide> padding_side_;
  std::optional<TruncationSide> truncation_side_;
  std::uint32_t serial_ = 0;  // tells the tokenizers apart in the word caches
};

#if QWEN35_BODIES

QWEN35_BODY std::vector<std::vector<TokenId>> Tokenizer::encode_batch(std::span<const std::string> texts,
                                                                      added_tokens added) const {
  return encode(texts, added);
}

QWEN35_BODY bool Tokenizer::has_flag(TokenId id, std::uint8_t flag) const {
  return id >= 0 && static_cast<std::size_t>(id) < flags_.size() && (flags_[static_cast<std::size_t>(id)] & flag) != 0;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE

#include <qwen35/text/stream_decoder.hpp>
#include <qwen35/text/tokenizer_call_impl.hpp>
#include <qwen35/text/tokenizer_impl.hpp>
#include <qwen35/text/tokenizer_writer.hpp>
