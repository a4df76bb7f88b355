// SPDX-License-Identifier: Apache-2.0
// Bodies of Tokenizer.
#pragma once

#include <qwen35/text/tokenizer.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// Ids of short words seen by this thread, direct mapped: text repeats its words, and a hit costs a hash and a compare.
class WordCache {
 public:
  static constexpr std::size_t longest = 24;
  static constexpr std::size_t most_ids = 6;
  struct Entry {
    std::uint64_t serial = 0;
    char bytes[longest] = {};
    std::uint8_t size = 0;
    std::uint8_t count = 0;
    TokenId ids[most_ids] = {};
  };
  Entry& entry(std::string_view word) { return entries_[hash_bytes(word) & (entries_.size() - 1)]; }

 private:
  std::vector<Entry> entries_ = std::vector<Entry>(std::size_t{1} << 15);
};

inline WordCache& word_cache() {
  thread_local WordCache cache;
  return cache;
}

inline std::uint64_t next_tokenizer_serial() {
  static std::atomic<std::uint64_t> serial{0};
  return ++serial;
}

inline std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  require<TextError>(file.good(), path, ": cannot be opened");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  require<TextError>(!file.bad(), path, ": cannot be read");
  return text;
}

}  // namespace detail

inline Tokenizer::Tokenizer(const TokenizerParts& parts) : splitter_(parts.pattern), nfc_(parts.nfc), serial_(detail::next_tokenizer_serial()) {
  constexpr TokenId id_limit = 1 << 24;
  bytes_.reserve(parts.tokens.size() + parts.added.size());
  const ByteAlphabet& alphabet = ByteAlphabet::instance();
  for (const auto& [token, id] : parts.tokens) {
    require<TextError>(id >= 0 && id < id_limit, "tokenizer: token \"", token, "\" has id ", id);
    const std::optional<std::string> bytes = alphabet.bytes_of(token);
    if (!bytes_.add(id, bytes ? std::string_view(*bytes) : std::string_view(token))) {
      require<TextError>(!bytes_.contains(id), "tokenizer: two tokens have id ", id);
      hidden_.emplace_back(id, token);
    }
  }
  base_size_ = parts.tokens.size();
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    byte_ids_[byte] = bytes_.find(std::string_view(&text, 1));
    require<TextError>(byte_ids_[byte] >= 0, "tokenizer: the vocabulary has no token for byte ", byte);
  }
  merges_.reserve(parts.merges.size() + 1);
  std::uint32_t rank = 0;
  for (const auto& [left, right] : parts.merges) {
    const std::optional<std::string> a = alphabet.bytes_of(left);
    const std::optional<std::string> b = alphabet.bytes_of(right);
    const TokenId left_id = a ? bytes_.find(*a) : -1;
    const TokenId right_id = b ? bytes_.find(*b) : -1;
    const TokenId merged = left_id >= 0 && right_id >= 0 ? bytes_.find(*a + *b) : -1;
    require<TextError>(merged >= 0, "tokenizer: merge ", rank, " (\"", left, "\", \"", right, "\") names a token that the vocabulary does not have");
    merges_.add(left_id, right_id, rank++, merged);
  }
  for (const AddedToken& token : parts.added) {
    require<TextError>(token.id >= 0 && token.id < id_limit, "tokenizer: added token \"", token.content, "\" has id ", token.id);
    require<TextError>(!token.content.empty(), "tokenizer: an added token has no content");
    add_token(token);
  }
  std::stable_sort(added_.begin(), added_.end(), [](const AddedToken& a, const AddedToken& b) { return a.content.size() > b.content.size(); });
  for (std::uint32_t i = 0; i < added_.size(); ++i) {
    added_by_first_[static_cast<unsigned char>(added_[i].content[0])].push_back(i);
  }
}

inline void Tokenizer::add_token(const AddedToken& token) {
  const auto index = static_cast<std::size_t>(token.id);
  if (!bytes_.add(token.id, token.content)) {
    require<TextError>(bytes_[token.id] == token.content, "tokenizer: added token \"", token.content, "\" has the id or the text of another token");
  }
  special_.resize(std::max(special_.size(), index + 1), 0);
  is_added_.resize(special_.size(), 0);
  special_[index] = token.special ? 1 : 0;
  is_added_[index] = 1;
  added_.push_back(token);
}

inline const AddedToken* Tokenizer::added_at(std::string_view text, std::size_t i) const {
  for (const std::uint32_t index : added_by_first_[static_cast<unsigned char>(text[i])]) {
    if (text.substr(i, added_[index].content.size()) == added_[index].content) {
      return &added_[index];
    }
  }
  return nullptr;
}

inline std::vector<TokenId> Tokenizer::encode(std::string_view text, added_tokens added) const {
  const std::size_t bad = unicode::find_ill_formed(text);
  require<TextError>(bad == std::string_view::npos, "encode: the text is not UTF-8 at byte ", bad);
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 4);
  std::size_t start = 0;
  for (std::size_t i = 0; added == added_tokens::parse && i < text.size(); ++i) {
    if (added_by_first_[static_cast<unsigned char>(text[i])].empty()) {
      continue;
    }
    if (const AddedToken* const token = added_at(text, i)) {
      encode_plain(text.substr(start, i - start), out);
      out.push_back(token->id);
      start = i + token->content.size();
      i = start - 1;
    }
  }
  encode_plain(text.substr(start), out);
  return out;
}

inline void Tokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  std::string normal;
  if (nfc_ && unicode::find_nfc_active(text) != std::string_view::npos) {
    normal = unicode::nfc(text);
    text = normal;
  }
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = splitter_.piece_end(text, i);
    encode_piece(text.substr(i, end - i), out);
    i = end;
  }
}

inline void Tokenizer::encode_piece(std::string_view piece, std::vector<TokenId>& out) const {
  thread_local BpeMerger merger;
  if (piece.size() == 1) {
    out.push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
    return;
  }
  if (piece.size() > detail::WordCache::longest) {
    merger.encode(piece, byte_ids_, merges_, out);
    return;
  }
  detail::WordCache::Entry& entry = detail::word_cache().entry(piece);
  if (entry.serial == serial_ && entry.size == piece.size() && std::memcmp(entry.bytes, piece.data(), piece.size()) == 0) {
    out.insert(out.end(), entry.ids, entry.ids + entry.count);
    return;
  }
  const std::size_t before = out.size();
  merger.encode(piece, byte_ids_, merges_, out);
  if (const std::size_t count = out.size() - before; count <= detail::WordCache::most_ids) {
    entry.serial = serial_;
    entry.size = static_cast<std::uint8_t>(piece.size());
    entry.count = static_cast<std::uint8_t>(count);
    std::memcpy(entry.bytes, piece.data(), piece.size());
    std::copy(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), entry.ids);
  }
}

inline std::vector<std::vector<TokenId>> Tokenizer::encode_batch(std::span<const std::string> texts, added_tokens added) const {
  std::vector<std::vector<TokenId>> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) {
    out.push_back(encode(text, added));
  }
  return out;
}

inline std::string Tokenizer::decode_bytes(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::string out;
  for (const TokenId id : ids) {
    if (!skip_special_tokens || !is_special(id)) {
      out += bytes_[id];
    }
  }
  return out;
}

inline std::vector<std::string> Tokenizer::batch_decode(std::span<const std::vector<TokenId>> sequences, bool skip_special_tokens) const {
  std::vector<std::string> out;
  for (const std::vector<TokenId>& ids : sequences) {
    out.push_back(decode(ids, skip_special_tokens));
  }
  return out;
}

inline TokenId Tokenizer::convert_tokens_to_ids(std::string_view token) const {
  const TokenId verbatim = bytes_.find(token);
  if (verbatim >= 0 && static_cast<std::size_t>(verbatim) < is_added_.size() && is_added_[static_cast<std::size_t>(verbatim)] != 0) {
    return verbatim;
  }
  const std::optional<std::string> bytes = ByteAlphabet::instance().bytes_of(token);
  return bytes ? bytes_.find(*bytes) : -1;
}

inline std::string Tokenizer::convert_ids_to_tokens(TokenId id) const {
  if (id >= 0 && static_cast<std::size_t>(id) < is_added_.size() && is_added_[static_cast<std::size_t>(id)] != 0) {
    return std::string(bytes_[id]);
  }
  return ByteAlphabet::instance().printable_of(bytes_[id]);
}

inline void Tokenizer::load_config(const json::Value& config) {
  const auto named = [&](std::string_view key) -> TokenId {
    const json::Value* value = config.find(key);
    if (value != nullptr && value->is_object()) {
      value = value->find("content");
    }
    return value != nullptr && value->is_string() ? convert_tokens_to_ids(value->as_string()) : -1;
  };
  eos_token_id_ = named("eos_token");
  pad_token_id_ = named("pad_token");
  bos_token_id_ = named("bos_token");
}

namespace detail {

// Reads the pre-tokenizer: a Split on one of the two known patterns, then ByteLevel without its own pattern.
inline SplitPattern read_split_pattern(const json::Value& root, const std::string& source) {
  const json::Value* const pre = root.find("pre_tokenizer");
  require<TextError>(pre != nullptr && pre->is_object(), source, ": no pre_tokenizer");
  std::vector<const json::Value*> steps;
  if (const json::Value* const list = pre->find("pretokenizers")) {
    for (const json::Value& step : list->items()) {
      steps.push_back(&step);
    }
  } else {
    steps.push_back(pre);
  }
  const auto type = [](const json::Value& step) {
    const json::Value* const name = step.find("type");
    return name != nullptr && name->is_string() ? name->as_string() : std::string();
  };
  const auto flag = [](const json::Value& step, std::string_view key) {
    const json::Value* const value = step.find(key);
    return value != nullptr && value->is_bool() && value->as_bool();
  };
  require<TextError>(steps.size() == 2 && type(*steps[0]) == "Split" && type(*steps[1]) == "ByteLevel", source,
                     ": pre_tokenizer must be a Split followed by ByteLevel");
  require<TextError>(!flag(*steps[1], "use_regex") && !flag(*steps[1], "add_prefix_space"), source,
                     ": ByteLevel with its own pattern or a prefix space is not of this family");
  const json::Value* const pattern = steps[0]->find("pattern");
  const json::Value* const regex = pattern == nullptr ? nullptr : pattern->find("Regex");
  const json::Value* const behavior = steps[0]->find("behavior");
  require<TextError>(regex != nullptr && regex->is_string() && behavior != nullptr && behavior->is_string() && behavior->as_string() == "Isolated" &&
                         !flag(*steps[0], "invert"),
                     source, ": pre_tokenizer must split on an isolated pattern");
  if (regex->as_string() == qwen35_split_regex) {
    return SplitPattern::qwen35;
  }
  require<TextError>(regex->as_string() == qwen2_split_regex, source, ": unknown split pattern: ", regex->as_string());
  return SplitPattern::qwen2;
}

inline TokenizerParts read_tokenizer(const json::Value& root, const std::string& source) {
  TokenizerParts parts;
  require<TextError>(root.is_object(), source, ": expected an object");
  const json::Value* const normalizer = root.find("normalizer");
  parts.nfc = normalizer != nullptr && !normalizer->is_null();
  if (parts.nfc) {
    const json::Value* const type = normalizer->find("type");
    require<TextError>(type != nullptr && type->is_string() && type->as_string() == "NFC", source, ": the only normalizer of this family is NFC");
  }
  parts.pattern = read_split_pattern(root, source);

  const json::Value* const model = root.find("model");
  require<TextError>(model != nullptr && model->is_object(), source, ": no model");
  const json::Value* const type = model->find("type");
  require<TextError>(type == nullptr || (type->is_string() && type->as_string() == "BPE"), source, ": the model is not BPE");
  for (const std::string_view key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const json::Value* const value = model->find(key);
    require<TextError>(value == nullptr || value->is_null() || (value->is_string() && value->as_string().empty()), source, ": model.", key,
                       " is not of this family");
  }
  for (const std::string_view key : {"byte_fallback", "ignore_merges", "fuse_unk"}) {
    const json::Value* const value = model->find(key);
    require<TextError>(value == nullptr || (value->is_bool() && !value->as_bool()), source, ": model.", key, " is not of this family");
  }
  const json::Value* const vocab = model->find("vocab");
  require<TextError>(vocab != nullptr && vocab->is_object(), source, ": no model.vocab");
  parts.tokens.reserve(vocab->size());
  for (const auto& [token, id] : vocab->members()) {
    require<TextError>(id.is_integer() && id.as_integer() >= 0 && id.as_integer() < (1 << 24), source, ": token \"", token, "\": expected an id");
    parts.tokens.emplace_back(token, static_cast<TokenId>(id.as_integer()));
  }
  const json::Value* const merges = model->find("merges");
  require<TextError>(merges != nullptr && merges->is_array(), source, ": no model.merges");
  parts.merges.reserve(merges->size());
  for (const json::Value& merge : merges->items()) {
    if (merge.is_array() && merge.size() == 2 && merge.items()[0].is_string() && merge.items()[1].is_string()) {
      parts.merges.emplace_back(merge.items()[0].as_string(), merge.items()[1].as_string());
      continue;
    }
    const std::size_t space = merge.is_string() ? merge.as_string().find(' ') : std::string::npos;
    require<TextError>(space != std::string::npos, source, ": merge ", parts.merges.size(), ": expected two tokens");
    parts.merges.emplace_back(merge.as_string().substr(0, space), merge.as_string().substr(space + 1));
  }
  if (const json::Value* const added = root.find("added_tokens"); added != nullptr && !added->is_null()) {
    for (const json::Value& token : added->items()) {
      for (const std::string_view key : {"single_word", "lstrip", "rstrip", "normalized"}) {
        const json::Value* const value = token.find(key);
        require<TextError>(value == nullptr || (value->is_bool() && !value->as_bool()), source, ": added token with ", key, " is not of this family");
      }
      const std::int64_t id = token.at("id").as_integer();
      require<TextError>(id >= 0 && id < (1 << 24), source, ": added token with id ", id);
      const json::Value* const special = token.find("special");
      parts.added.push_back({static_cast<TokenId>(id), token.at("content").as_string(), special != nullptr && special->is_bool() && special->as_bool()});
    }
  }
  return parts;
}

}  // namespace detail

inline Tokenizer Tokenizer::from_bytes(std::string_view json, std::string_view source_name) {
  return Tokenizer(detail::read_tokenizer(json::parse(json, source_name), std::string(source_name)));
}

inline Tokenizer Tokenizer::from_file(const std::string& path) { return from_bytes(detail::read_text_file(path), path); }

inline Tokenizer Tokenizer::from_pretrained(const std::string& folder) {
  Tokenizer out = from_file(folder + "/tokenizer.json");
  const std::string config = folder + "/tokenizer_config.json";
  if (std::ifstream(config).good()) {
    out.load_config(json::parse(detail::read_text_file(config), config));
  }
  return out;
}

QWEN35_END_NAMESPACE
