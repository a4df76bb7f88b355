// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json to the parts of a tokenizer.
#pragma once

#include <qwen35/json/builder.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/json/read.hpp>
#include <qwen35/text/tokenizer_parts.hpp>
#include <qwen35/text/vocabulary.hpp>

#if QWEN35_BODIES
#include <qwen35/config/json_fields.hpp>
#include <qwen35/json/parse.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

// A member that must be absent, null, empty or false: an option that these tokenizers do not have.
void require_unused(const json::Value& object, std::string_view key, std::string_view where);

std::string_view type_of(const json::Value& object);

}  // namespace detail

AddedToken read_added_token(const json::Value& token, TokenId id, std::string_view source);

namespace detail {

// Takes the two large members, model.vocab and model.merges, out of the stream of events and leaves the rest as a
// value.
class TokenizerFileReader {
 public:
  explicit TokenizerFileReader(TokenizerParts& parts) : parts_(parts) {}
  const std::string& problem() const { return problem_; }
  json::Value rest() { return rest_.take(); }

  bool null() { return plain() ? rest_.null() : unexpected(); }
  bool boolean(bool value) { return plain() ? rest_.boolean(value) : unexpected(); }
  bool integer(std::int64_t value) { return plain() ? rest_.integer(value) : id(value); }
  bool big_integer(std::string_view digits) { return plain() ? rest_.big_integer(digits) : unexpected(); }
  bool number(double value) { return plain() ? rest_.number(value) : unexpected(); }

  bool string(std::string_view view);
  bool key(std::string_view text);
  bool begin_object();
  bool end_object();
  bool begin_array();
  bool end_array();

 private:
  enum class Place : std::uint8_t { rest, vocab, merges, merge };

  bool plain() const { return place_ == Place::rest; }
  bool fail(std::string problem);
  bool unexpected();
  bool id(std::int64_t value);

  TokenizerParts& parts_;
  json::Builder rest_;
  std::string problem_;
  std::string keys_[2];  // of the root and of its member
  std::size_t depth_ = 0;
  std::size_t in_pair_ = 0;
  Place place_ = Place::rest;
};

// A Split on one of the two known patterns, then ByteLevel without its own pattern.
SplitPattern read_split_pattern(const json::Value& root, std::string_view source);

// The members of a list called `list`, or the object itself when it is no sequence of steps; none for null.
std::vector<const json::Value*> steps_of(const json::Value* object, std::string_view list);

// Whether there is NFC.
bool read_normalizer(const json::Value& root, std::string_view source);

// What messages call a list: the file, or where that was made from another's metadata, as "key_names" tells, its key.
std::string list_place(const json::Value& root, std::string_view list, std::string_view source);

// ByteLevel, and steps behind it that change nothing.
void check_decoder(const json::Value& root, std::string_view source);

// ByteLevel, which only moves offsets, or a template that adds no tokens.
void check_post_processor(const json::Value& root, std::string_view source);

}  // namespace detail

// Raises TextError for text that is not a tokenizer.json of this family: byte-level BPE with the Qwen2 or the Qwen3.5
// split pattern, NFC or no normalizer, nothing added at the ends. `truncation` and `padding` are not read: transformers
// sets them anew for each call.
QWEN35_LAZY
TokenizerParts read_tokenizer_file(std::string_view text, std::string_view source);

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY void require_unused(const json::Value& object, std::string_view key, std::string_view where) {
  const json::Value* const value = object.find(key);
  const bool unused = value == nullptr || value->is_null() || *value == json::Value(false) ||
                      *value == json::Value(0) || (value->is_string() && value->as_string().empty());
  if (!unused) {
    decline<TextError>(concat(where, ".", key, ": ", json::dump(*value), " is not of this family of tokenizers"));
  }
}

QWEN35_BODY std::string_view type_of(const json::Value& object) {
  const json::Value* const type = object.find("type");
  return type != nullptr && type->is_string() ? std::string_view(type->as_string()) : std::string_view();
}

}  // namespace detail

QWEN35_BODY AddedToken read_added_token(const json::Value& token, TokenId id, std::string_view source) {
  const json::Value* const content = token.find("content");
  if (!holds<TextError>(content != nullptr && content->is_string(), source, ": an added token has no content")) {
    return {};
  }
  const std::string where = concat(source, ": added token \"", content->as_string(), "\"");
  const auto flag = [&](std::string_view key) {
    const json::Value* const value = token.find(key);
    return holds<TextError>(value == nullptr || value->is_bool(), where, ": ", key, ": expected true or false") &&
           value != nullptr && value->as_bool();
  };
  return {id,
          content->as_string(),
          flag("special"),
          flag("normalized"),
          flag("single_word"),
          flag("lstrip"),
          flag("rstrip")};
}

namespace detail {

QWEN35_BODY bool TokenizerFileReader::string(std::string_view view) {
  if (plain()) {
    return rest_.string(view);
  }
  if (place_ == Place::merges) {  // "left right"
    const std::size_t space = view.find(' ');
    if (view.starts_with("#version")) {
      return true;  // the first line of an old merges.txt
    }
    if (space == std::string_view::npos || view.find(' ', space + 1) != std::string_view::npos) {
      return fail(concat("merge ", parts_.merges.size(), ": \"", view, "\": expected two tokens"));
    }
    parts_.merges.emplace_back(view.substr(0, space), view.substr(space + 1));
    return true;
  }
  if (place_ == Place::merge && in_pair_ < 2) {  // ["left", "right"]
    auto& merge = parts_.merges.back();
    (in_pair_++ == 0 ? merge.first : merge.second).assign(view);
    return true;
  }
  return unexpected();
}

QWEN35_BODY bool TokenizerFileReader::key(std::string_view text) {
  if (place_ == Place::vocab) {
    parts_.tokens.emplace_back(text, 0);
    return true;
  }
  if (depth_ <= 2) {
    keys_[depth_ - 1].assign(text);
  }
  return rest_.key(text);
}

QWEN35_BODY bool TokenizerFileReader::begin_object() {
  if (!plain()) {
    return unexpected();
  }
  if (++depth_ == 3 && keys_[0] == "model" && keys_[1] == "vocab") {
    place_ = Place::vocab;
    parts_.tokens.clear();
  } else if (depth_ == 2 && keys_[0] == "model") {
    parts_.tokens.clear();
    parts_.merges.clear();
  }
  return rest_.begin_object();
}

QWEN35_BODY bool TokenizerFileReader::end_object() {
  --depth_;
  place_ = Place::rest;
  return rest_.end_object();
}

QWEN35_BODY bool TokenizerFileReader::begin_array() {
  if (place_ == Place::merges) {
    place_ = Place::merge;
    in_pair_ = 0;
    parts_.merges.emplace_back();
    return true;
  }
  if (!plain()) {
    return unexpected();
  }
  if (++depth_ == 3 && keys_[0] == "model" && keys_[1] == "merges") {
    place_ = Place::merges;
    parts_.merges.clear();
  }
  return rest_.begin_array();
}

QWEN35_BODY bool TokenizerFileReader::end_array() {
  if (place_ == Place::merge) {
    place_ = Place::merges;
    return in_pair_ == 2 || unexpected();
  }
  --depth_;
  place_ = Place::rest;
  return rest_.end_array();
}

QWEN35_BODY bool TokenizerFileReader::fail(std::string problem) {
  problem_ = std::move(problem);
  return false;
}

QWEN35_BODY bool TokenizerFileReader::unexpected() {
  return place_ == Place::vocab
             ? fail(concat("token \"", parts_.tokens.empty() ? "" : parts_.tokens.back().first, "\": expected an id"))
             : fail(concat("merge ", parts_.merges.size(), ": expected two tokens"));
}

QWEN35_BODY bool TokenizerFileReader::id(std::int64_t value) {
  if (place_ != Place::vocab || value < 0 || value >= token_id_limit) {
    return unexpected();
  }
  parts_.tokens.back().second = static_cast<TokenId>(value);
  return true;
}

QWEN35_BODY SplitPattern read_split_pattern(const json::Value& root, std::string_view source) {
  const json::Value* const pre = root.find("pre_tokenizer");
  const json::Value* const steps = pre == nullptr ? nullptr : pre->find("pretokenizers");
  if (!holds<TextError>(steps != nullptr && steps->is_array() && steps->size() == 2 &&
                            type_of(steps->items()[0]) == "Split" && type_of(steps->items()[1]) == "ByteLevel",
                        source, pre == nullptr ? ": no pre_tokenizer" : ": pre_tokenizer",
                        ": expected a sequence of Split and ByteLevel, as the tokenizer.json of this family has")) {
    return {};
  }
  const json::Value& split = steps->items()[0];
  const json::Value& byte_level = steps->items()[1];
  const json::Value* const use_regex = byte_level.find("use_regex");
  if (use_regex == nullptr) {
    decline<TextError>(
        concat(source, ": pre_tokenizer: ByteLevel with a pattern of its own is not of this family of tokenizers"));
  }
  require_unused(byte_level, "use_regex", concat(source, ": pre_tokenizer: ByteLevel"));
  require_unused(byte_level, "add_prefix_space", concat(source, ": pre_tokenizer: ByteLevel"));
  const json::Value* const behavior = split.find("behavior");
  if (behavior == nullptr || !behavior->is_string() || behavior->as_string() != "Isolated") {
    decline<TextError>(concat(source, ": pre_tokenizer: Split.behavior: expected \"Isolated\""));
  }
  require_unused(split, "invert", concat(source, ": pre_tokenizer: Split"));
  const json::Value* const pattern = split.find("pattern");
  const json::Value* const regex = pattern == nullptr ? nullptr : pattern->find("Regex");
  if (!holds<TextError>(regex != nullptr && regex->is_string(), source,
                        ": pre_tokenizer: Split has no pattern.Regex")) {
    return {};
  }
  if (regex->as_string() == qwen35_split_regex) {
    return SplitPattern::qwen35;
  }
  if (regex->as_string() != qwen2_split_regex) {
    decline<TextError>(concat(source, ": unknown split pattern: ", regex->as_string()));
  }
  return SplitPattern::qwen2;
}

QWEN35_BODY std::vector<const json::Value*> steps_of(const json::Value* object, std::string_view list) {
  std::vector<const json::Value*> out;
  const json::Value* const steps = object == nullptr ? nullptr : object->find(list);
  if (steps != nullptr && steps->is_array() && type_of(*object) == "Sequence") {
    for (const json::Value& step : steps->items()) {
      out.push_back(&step);
    }
  } else if (object != nullptr && !object->is_null()) {
    out.push_back(object);
  }
  return out;
}

QWEN35_BODY bool read_normalizer(const json::Value& root, std::string_view source) {
  bool nfc = false;
  for (const json::Value* const step : steps_of(root.find("normalizer"), "normalizers")) {
    if (type_of(*step) != "NFC") {
      decline<TextError>(
          concat(source, ": normalizer: expected NFC or none, found ", json::dump(*step).substr(0, 200)));
    }
    nfc = true;
  }
  return nfc;
}

QWEN35_BODY std::string list_place(const json::Value& root, std::string_view list, std::string_view source) {
  const JsonFields fields(&root, source);
  return fields.mentions("key_names") ? concat(fields.place(""), ": ", fields.place(list)) : std::string(source);
}

QWEN35_BODY void check_decoder(const json::Value& root, std::string_view source) {
  const std::vector<const json::Value*> steps = steps_of(root.find("decoder"), "decoders");
  if (steps.empty() || type_of(*steps[0]) != "ByteLevel") {
    decline<TextError>(concat(source, ": decoder: expected ByteLevel"));
  }
  for (const json::Value* const step : steps) {
    if (type_of(*step) != "ByteLevel" && type_of(*step) != "Fuse") {
      decline<TextError>(
          concat(source, ": decoder: ", json::dump(*step).substr(0, 200), " is not of this family of tokenizers"));
    }
  }
}

QWEN35_BODY void check_post_processor(const json::Value& root, std::string_view source) {
  for (const json::Value* const step : steps_of(root.find("post_processor"), "processors")) {
    bool adds_nothing = type_of(*step) == "ByteLevel";
    if (const json::Value* const single = step->find("single");
        type_of(*step) == "TemplateProcessing" && single != nullptr && single->is_array() && single->size() == 1) {
      const json::Value* const sequence = single->items()[0].find("Sequence");
      adds_nothing = sequence != nullptr && sequence->find("id") != nullptr && sequence->at("id") == json::Value("A");
    }
    if (!adds_nothing) {
      decline<TextError>(concat(source, ": post_processor: ", json::dump(*step).substr(0, 200),
                                " is not of this family of tokenizers"));
    }
  }
}

}  // namespace detail

QWEN35_LAZY_BODY
TokenizerParts read_tokenizer_file(std::string_view text, std::string_view source) {
  using namespace detail;
  TokenizerParts parts;
  TokenizerFileReader reader(parts);
  const json::ReadResult result = json::try_read(text, reader);
  if (!holds<TextError>(reader.problem().empty(), source, ": ", reader.problem()) ||
      !holds<TextError>(result.ok, source, ": ", result.problem)) {
    return parts;
  }
  const json::Value root = reader.rest();
  if (!holds<TextError>(root.is_object(), source, ": expected an object")) {
    return parts;
  }
  parts.nfc = read_normalizer(root, source);
  parts.pattern = read_split_pattern(root, source);
  check_decoder(root, source);
  check_post_processor(root, source);

  const json::Value* const model = root.find("model");
  if (!holds<TextError>(model != nullptr && model->is_object(), source, ": no model") ||
      !holds<TextError>(model->find("type") == nullptr || type_of(*model) == "BPE", source,
                        ": model: expected BPE, found ", type_of(*model))) {
    return parts;
  }
  for (const std::string_view key :
       {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    require_unused(*model, key, concat(source, ": model"));
  }
  if (const json::Value* const ignore = model->find("ignore_merges")) {
    if (!holds<TextError>(ignore->is_bool(), source, ": model.ignore_merges: expected true or false")) {
      return parts;
    }
    parts.ignore_merges = ignore->as_bool();
  }
  parts.tokens_place = list_place(root, "model.vocab", source);
  parts.merges_place = list_place(root, "model.merges", source);
  const json::Value* const vocab = model->find("vocab");
  const json::Value* const merges = model->find("merges");
  if (!holds<TextError>(vocab != nullptr && vocab->is_object(), source, ": model: no vocab") ||
      !holds<TextError>(merges != nullptr && merges->is_array(), source, ": model: no merges")) {
    return parts;
  }

  if (const json::Value* const added = root.find("added_tokens"); added != nullptr && !added->is_null()) {
    if (!holds<TextError>(added->is_array(), source, ": added_tokens: expected an array")) {
      return parts;
    }
    for (const json::Value& token : added->items()) {
      const json::Value* const id = token.find("id");
      if (id == nullptr || !id->is_integer() || id->as_integer() < 0 || id->as_integer() >= token_id_limit) {
        decline<TextError>(concat(source, ": added token ", json::dump(token), ": expected an id"));
        return parts;
      }
      parts.added.push_back(read_added_token(token, static_cast<TokenId>(id->as_integer()), source));
    }
  }
  return parts;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
