// SPDX-License-Identifier: Apache-2.0
// A tokenizer as the reference's two files.
#pragma once

#include <qwen35/text/tokenizer.hpp>

#include <string>
#include <utility>

#if QWEN35_BODIES
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/json/dump.hpp>

#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

// A tokenizer.json.
QWEN35_LAZY
json::Value tokenizer_json(const TokenizerParts& parts);

#if QWEN35_BODIES

QWEN35_BODY TokenizerParts Tokenizer::parts() const {
  TokenizerParts out;
  for (TokenId id = 0; static_cast<std::size_t>(id) < id_end(); ++id) {
    if (contains(id) && (!is_added(id) || has_flag(id, base_flag))) {
      out.tokens.emplace_back(tokens_.token(id), id);
    }
  }
  for (const auto& [left, right] : merges_.pairs()) {
    out.merges.emplace_back(tokens_.token(left), tokens_.token(right));
  }
  out.added = added_raw_.tokens();
  for (AddedToken& token : added_normalized_.tokens()) {
    out.added.push_back(std::move(token));
  }
  std::sort(out.added.begin(), out.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  out.pattern = splitter_.pattern();
  out.nfc = nfc_;
  out.ignore_merges = ignore_merges_;
  return out;
}

QWEN35_BODY json::Value Tokenizer::config() const {
  json::Value out = json::Value::object();
  out["tokenizer_class"] = "Qwen2Tokenizer";
  out["add_prefix_space"] = false;
  out["clean_up_tokenization_spaces"] = false;
  if (model_max_length_) {
    out["model_max_length"] = *model_max_length_;
  }
  if (padding_side_) {
    out["padding_side"] = *padding_side_ == PaddingSide::left ? "left" : "right";
  }
  if (truncation_side_) {
    out["truncation_side"] = *truncation_side_ == TruncationSide::left ? "left" : "right";
  }
  for (const char* const name : {"bos_token", "unk_token"}) {
    out[name] = nullptr;  // the reference would put its own where the key is absent
  }
  for (const auto& [name, id] : special_tokens_.named()) {
    out[name] = id < 0 ? json::Value() : json::Value(convert_ids_to_tokens(id));
  }
  for (const TokenId id : special_tokens_.extra()) {
    out["extra_special_tokens"].push_back(convert_ids_to_tokens(id));
  }
  return out;
}

QWEN35_BODY void Tokenizer::save_pretrained(const std::string& folder) const {
  make_folders<TextError>(folder);
  FileWriter<TextError> tokenizer(folder + "/tokenizer.json"), beside(folder + "/tokenizer_config.json");
  tokenizer.write(json::dump(tokenizer_json(parts())) + "\n");
  beside.write(json::dump(config()) + "\n");
  tokenizer.finish();
  beside.finish();
  // From here on a folder that is left half-way does not load.
  remove_file<TextError>(folder + "/tokenizer.json");
  beside.commit();
  tokenizer.commit();
}

QWEN35_LAZY_BODY
json::Value tokenizer_json(const TokenizerParts& parts) {
  const auto byte_level = [] {
    json::Value out = json::Value::object();
    out["type"] = "ByteLevel";
    out["add_prefix_space"] = false;
    out["trim_offsets"] = false;
    out["use_regex"] = false;
    return out;
  };
  json::Value out = json::Value::object();
  out["version"] = "1.0";
  out["truncation"] = nullptr;
  out["padding"] = nullptr;
  out["added_tokens"] = json::Value::array();
  for (const AddedToken& token : parts.added) {
    json::Value added = json::Value::object();
    added["id"] = token.id;
    added["content"] = token.content;
    added["single_word"] = token.single_word;
    added["lstrip"] = token.lstrip;
    added["rstrip"] = token.rstrip;
    added["normalized"] = token.normalized;
    added["special"] = token.special;
    out["added_tokens"].push_back(std::move(added));
  }
  out["normalizer"] = nullptr;
  if (parts.nfc) {
    out["normalizer"]["type"] = "NFC";
  }
  json::Value split = json::Value::object();
  split["type"] = "Split";
  split["pattern"]["Regex"] = parts.pattern == SplitPattern::qwen35 ? qwen35_split_regex : qwen2_split_regex;
  split["behavior"] = "Isolated";
  split["invert"] = false;
  out["pre_tokenizer"]["type"] = "Sequence";
  out["pre_tokenizer"]["pretokenizers"].push_back(std::move(split));
  out["pre_tokenizer"]["pretokenizers"].push_back(byte_level());
  out["post_processor"] = byte_level();
  out["decoder"] = byte_level();
  json::Value model = json::Value::object();
  model["type"] = "BPE";
  for (const char* const key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
    model[key] = nullptr;
  }
  model["fuse_unk"] = false;
  model["byte_fallback"] = false;
  model["ignore_merges"] = parts.ignore_merges;
  json::Value vocab = json::Value::object();
  for (const auto& [name, id] : parts.tokens) {
    vocab.members().emplace_back(name, id);
  }
  model["vocab"] = std::move(vocab);
  json::Value merges = json::Value::array();
  for (const auto& [left, right] : parts.merges) {
    json::Value pair = json::Value::array();
    pair.push_back(left);
    pair.push_back(right);
    merges.push_back(std::move(pair));
  }
  model["merges"] = std::move(merges);
  out["model"] = std::move(model);
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
