// SPDX-License-Identifier: Apache-2.0
// Bodies of Tokenizer.
#pragma once

#include <qwen35/text/tokenizer.hpp>

#if QWEN35_BODIES
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/text/tokenizer_file.hpp>
#include <qwen35/text/word_cache.hpp>
#include <qwen35/unicode/nfc.hpp>
#include <qwen35/weights/model_files.hpp>

#include <charconv>

QWEN35_BEGIN_NAMESPACE

namespace detail {

struct IdList {
  std::vector<TokenId> ids;
  void stretch(std::string_view, std::string_view) {}
  void added(TokenId id, std::size_t, std::size_t) { ids.push_back(id); }
  void add(TokenId id) { ids.push_back(id); }
  void add(const TokenId* first, std::size_t count) { ids.insert(ids.end(), first, first + count); }
};

struct IdCount {
  std::size_t count = 0;
  void stretch(std::string_view, std::string_view) {}
  void added(TokenId, std::size_t, std::size_t) { ++count; }
  void add(TokenId) { ++count; }
  void add(const TokenId*, std::size_t more) { count += more; }
};

}  // namespace detail

QWEN35_BODY Tokenizer::Tokenizer(const TokenizerParts& parts)
    : splitter_(parts.pattern),
      nfc_(parts.nfc),
      ignore_merges_(parts.ignore_merges),
      serial_(WordCache::next_serial()) {
  tokens_.reserve(parts.tokens.size() + parts.added.size());
  for (const auto& [name, id] : parts.tokens) {
    tokens_.add(id, name, parts.tokens_place);
  }
  base_size_ = tokens_.size();
  std::array<TokenId, 256> byte_ids{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto text = static_cast<char>(static_cast<unsigned char>(byte));
    byte_ids[byte] = tokens_.find(std::string_view(&text, 1));
    if (declined() || !holds<TextError>(byte_ids[byte] >= 0, parts.tokens_place, ": no token for byte ", byte)) {
      return;
    }
  }
  merges_.reset(byte_ids, parts.merges.size());
  std::size_t rank = 0;
  std::string both;
  for (const auto& [left, right] : parts.merges) {
    both.clear();
    const bool known_left = ByteAlphabet::instance().append_bytes(left, both);
    const TokenId left_id = known_left ? tokens_.find(both) : -1;
    const std::size_t middle = both.size();
    const bool known_right = ByteAlphabet::instance().append_bytes(right, both);
    const TokenId right_id = known_right ? tokens_.find(std::string_view(both).substr(middle)) : -1;
    const TokenId merged = left_id >= 0 && right_id >= 0 ? tokens_.find(both) : -1;
    if (!holds<TextError>(merged >= 0, parts.merges_place, ": merge ", rank, " (\"", left, "\", \"", right,
                          "\") names or makes a token that the vocabulary does not have")) {
      return;
    }
    merges_.add(left_id, right_id, merged);
    ++rank;
  }
  merges_.finish();
  for (const AddedToken& token : parts.added) {
    add_token(token, parts.tokens_place);
  }
}

QWEN35_BODY void Tokenizer::add_token(const AddedToken& token, std::string_view place) {
  if (token.content.empty()) {
    return;  // as in the reference: it would match everywhere
  }
  if (!holds<TextError>(unicode::find_ill_formed(token.content) == std::string_view::npos, place,
                        ": added token with id ", token.id, " is not UTF-8")) {
    return;
  }
  const bool base = tokens_.contains(token.id) && (!is_added(token.id) || has_flag(token.id, base_flag));
  tokens_.add(token.id, token.content, place);
  if (declined()) {
    return;
  }
  const auto index = static_cast<std::size_t>(token.id);
  flags_.resize(std::max(flags_.size(), index + 1), 0);
  flags_[index] = static_cast<std::uint8_t>(added_flag | (token.special ? special_flag : 0) | (base ? base_flag : 0));
  if (token.normalized) {
    added_normalized_.add(nfc_ ? unicode::nfc(token.content) : token.content, token);
  } else {
    added_raw_.add(token.content, token);
  }
}

// `allowed(begin, end, id)`: may the added token that stands there act?
template <class Allowed, class Sink>
void Tokenizer::encode_if_to(std::string_view text, const Allowed& allowed, Sink& sink) const {
  const std::size_t bad = unicode::find_ill_formed(text);
  require<TextError>(bad == std::string_view::npos, "encode: the text is not UTF-8 at byte ", bad);
  added_raw_.split(
      text, allowed,
      [&](std::size_t begin, std::size_t end, TokenId id) {
        const std::string_view whole = text.substr(begin, end - begin);
        sink.stretch(whole, whole);
        sink.added(id, 0, whole.size());
      },
      [&](std::size_t begin, std::size_t end) {
        encode_stretch(
            text.substr(begin, end - begin), [&](TokenId id) { return allowed(begin, end, id); }, sink);
      });
}

template <class Sink>
void Tokenizer::encode_to(std::string_view text, added_tokens added, Sink& sink) const {
  if (added == added_tokens::none) {
    const std::size_t bad = unicode::find_ill_formed(text);
    require<TextError>(bad == std::string_view::npos, "encode: the text is not UTF-8 at byte ", bad);
    encode_stretch(
        text, [](TokenId) { return false; }, sink);
    return;
  }
  const bool special = added == added_tokens::parse;
  encode_if_to(
      text, [&](std::size_t, std::size_t, TokenId id) { return special || !is_special(id); }, sink);
}

// A stretch between added tokens: normalises it. `allowed(id)`: may one that is looked for only then act?
template <class Allowed, class Sink>
void Tokenizer::encode_stretch(std::string_view text, const Allowed& allowed, Sink& sink) const {
  const std::string_view original = text;
  std::string normal;
  if (nfc_ && unicode::find_nfc_active(text) != std::string_view::npos) {
    normal = unicode::nfc(text);
    text = normal;
  }
  sink.stretch(original, text);
  if (added_normalized_.empty()) {
    encode_plain(text, sink);
    return;
  }
  added_normalized_.split(
      text, [&](std::size_t, std::size_t, TokenId id) { return allowed(id); },
      [&](std::size_t begin, std::size_t end, TokenId id) { sink.added(id, begin, end); },
      [&](std::size_t begin, std::size_t end) { encode_plain(text.substr(begin, end - begin), sink); });
}

template <class Sink>
void Tokenizer::encode_plain(std::string_view text, Sink& sink) const {
  thread_local BpeMerger merger;
  WordCache& cache = WordCache::of_this_thread();
  TokenId whole = -1;
  const auto merge = [&](std::string_view piece) -> std::span<const TokenId> {
    if (ignore_merges_ && (whole = tokens_.find(piece)) >= 0) {
      return {&whole, 1};
    }
    return merger.encode(piece, merges_);
  };
  for (std::size_t i = 0, end = 0; i < text.size(); i = end) {
    end = splitter_.piece_end(text, i);
    const std::size_t size = end - i;
    if (size == 1) {
      sink.add(merges_.byte_id(static_cast<unsigned char>(text[i])));
      continue;
    }
    if (size > WordCache::longest_word) {
      const std::span<const TokenId> ids = merge(text.substr(i, size));
      sink.add(ids.data(), ids.size());
      continue;
    }
    const WordCache::Key key = WordCache::key_of(text, i, size);
    WordCache::Entry& entry = cache.entry(key);
    if (WordCache::holds(entry, key, serial_)) {
      sink.add(entry.ids, entry.count);
      continue;
    }
    const std::span<const TokenId> ids = merge(text.substr(i, size));
    WordCache::store(entry, key, serial_, ids);
    sink.add(ids.data(), ids.size());
  }
}

QWEN35_BODY std::vector<TokenId> Tokenizer::encode(std::string_view text, added_tokens added) const {
  detail::IdList list;
  list.ids.reserve(text.size() / 4 + 8);
  encode_to(text, added, list);
  return std::move(list.ids);
}

template <class Allowed>
std::vector<TokenId> Tokenizer::ids_if(std::string_view text, const Allowed& allowed) const {
  detail::IdList list;
  list.ids.reserve(text.size() / 4 + 8);
  encode_if_to(text, allowed, list);
  return std::move(list.ids);
}

QWEN35_BODY std::vector<TokenId> Tokenizer::encode_if(
    std::string_view text, const std::function<bool(std::size_t begin, std::size_t end)>& allowed) const {
  return ids_if(text, [&](std::size_t begin, std::size_t end, TokenId) { return allowed(begin, end); });
}

QWEN35_BODY std::size_t Tokenizer::count(std::string_view text, added_tokens added) const {
  detail::IdCount counter;
  encode_to(text, added, counter);
  return counter.count;
}

QWEN35_BODY std::vector<std::vector<TokenId>> Tokenizer::encode(std::span<const std::string> texts,
                                                                added_tokens added) const {
  check_utf8(texts);
  std::vector<std::vector<TokenId>> out(texts.size());
  parallel_for(texts.size(), [&](std::size_t i) { out[i] = encode(texts[i], added); });
  return out;
}

QWEN35_BODY std::string Tokenizer::decode_bytes(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::string out;
  out.reserve(ids.size() * 4);
  for (const TokenId id : ids) {
    if (!skip_special_tokens || !is_special(id)) {
      out += tokens_.bytes(id);
    }
  }
  return out;
}

QWEN35_BODY void Tokenizer::load_config(const json::Value& config, std::string_view source_name) {
  if (declined() || !holds<TextError>(config.is_object(), source_name, ": expected an object")) {
    return;
  }
  if (const json::Value* const decoder = config.find("added_tokens_decoder");
      decoder != nullptr && decoder->is_object()) {
    for (const auto& [key, token] : decoder->members()) {
      TokenId id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (!holds<TextError>(error == std::errc() && end == key.data() + key.size(), source_name,
                            ": added_tokens_decoder: \"", key, "\" is no token id")) {
        return;
      }
      if (!is_added(id)) {
        add_token(read_added_token(token, id, source_name), source_name);
      }
    }
  }
  special_tokens_ = SpecialTokens::from_json(config, source_name,
                                             [&](const std::string& token) { return convert_tokens_to_ids(token); });
  const auto side = [&]<class Side>(std::string_view key, std::optional<Side>& out) {
    out.reset();
    if (const json::Value* const value = config.find(key); value != nullptr && !value->is_null()) {
      if (!holds<TextError>(value->is_string() && (value->as_string() == "left" || value->as_string() == "right"),
                            source_name, ": ", key, ": expected \"left\" or \"right\"")) {
        return;
      }
      out = value->as_string() == "left" ? Side::left : Side::right;
    }
  };
  side("padding_side", padding_side_);
  side("truncation_side", truncation_side_);
  model_max_length_.reset();  // the reference writes 1e30 for "no limit"
  if (const json::Value* const length = config.find("model_max_length"); length != nullptr && length->is_number()) {
    const double tokens = length->as_number();
    if (tokens >= 1 && tokens <= 1e15) {
      model_max_length_ = static_cast<std::size_t>(tokens);
    }
  }
}

QWEN35_BODY Tokenizer Tokenizer::from_bytes(std::string_view json, std::string_view source_name) {
  return Tokenizer(read_tokenizer_file(json, source_name));
}

QWEN35_BODY Tokenizer Tokenizer::from_file(const std::string& path) {
  return model_file_kind<TextError>(path) == ModelFileKind::other ? from_bytes(read_text_file<TextError>(path), path)
                                                                  : from_pretrained(path);
}

QWEN35_BODY Tokenizer Tokenizer::from_pretrained(const ModelFolder& folder) {
  const ModelFolder files = model_files(folder, false);
  constexpr std::string_view tokenizer = "tokenizer.json", config = "tokenizer_config.json";
  Tokenizer out = from_bytes(files.text<TextError>(tokenizer), files.place(tokenizer));
  if (files.has_file(config)) {
    out.load_config(json::parse(files.text<TextError>(config), files.place(config)), files.place(config));
  }
  out.files_ = files.afresh();
  return out;
}

QWEN35_BODY Result<Tokenizer> Tokenizer::try_from_bytes(std::string_view json, std::string_view source_name) {
  return attempt([&] { return from_bytes(json, source_name); });
}

QWEN35_BODY Result<Tokenizer> Tokenizer::try_from_pretrained(const ModelFolder& folder) {
  return attempt([&] { return from_pretrained(folder); });
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
