// SPDX-License-Identifier: Apache-2.0
// The special tokens that a tokenizer knows by name: eos_token, pad_token, image_token, ...
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>
#include <qwen35/core/log.hpp>
#include <qwen35/json/value.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Named tokens in the reference's order: the standard names, then the file's own.
class SpecialTokens {
 public:
  static constexpr std::string_view standard_names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                        "pad_token", "cls_token", "mask_token"};

  // -1 where no token has that name.
  TokenId id(std::string_view name) const;
  void set(std::string_view name, TokenId id);
  const std::vector<std::pair<std::string, TokenId>>& named() const { return named_; }
  const std::vector<TokenId>& extra() const { return extra_; }

  // All of them, each once.
  std::vector<TokenId> ids() const;

  // Reads a tokenizer_config.json; `id_of` gives the id of a token, -1 when there is none. Raises TextError where a
  // standard name is no text or names a token that is not there. A token by another name that is not there is left out,
  // which is logged.
  template <class IdOf>
  static SpecialTokens from_json(const json::Value& config, std::string_view source, const IdOf& id_of) {
    SpecialTokens out;
    for (const std::string_view name : standard_names) {
      const json::Value* const value = content(config.find(name));
      if (value == nullptr || value->is_null()) {
        continue;
      }
      if (!holds<TextError>(value->is_string(), source, ": ", name, ": expected a token")) {
        return out;
      }
      const TokenId id = id_of(value->as_string());
      if (!holds<TextError>(id >= 0, source, ": ", name, ": the tokenizer has no token \"", value->as_string(), "\"")) {
        return out;
      }
      out.named_.emplace_back(name, id);
    }
    const auto known = [&](std::string_view name, const json::Value& text) {
      const TokenId id = id_of(text.as_string());
      if (id < 0) {
        log_warning(source, ": ", name, ": left out: the tokenizer has no token \"", text.as_string(), "\"");
      }
      return id;
    };
    const auto add = [&](const std::string& name, const json::Value& token) {
      const json::Value* const value = content(&token);
      if (value != nullptr && value->is_string()) {
        if (const TokenId id = known(name, *value); id >= 0) {
          out.set(name, id);
        }
      }
    };
    const auto add_members = [&](std::string_view key) {
      if (const json::Value* const tokens = config.find(key); tokens != nullptr && tokens->is_object()) {
        for (const auto& [name, token] : tokens->members()) {
          add(name, token);
        }
      }
    };
    add_members("extra_special_tokens");
    for (const auto& [name, token] : config.members()) {
      if (name.ends_with("_token") && !is_standard(name)) {
        add(name, token);
      }
    }
    add_members("model_specific_special_tokens");
    for (const std::string_view key : {"extra_special_tokens", "additional_special_tokens"}) {
      const json::Value* const tokens = config.find(key);
      if (tokens == nullptr || !tokens->is_array()) {
        continue;
      }
      for (const json::Value& token : tokens->items()) {
        const json::Value* const value = content(&token);
        if (value != nullptr && value->is_string()) {
          if (const TokenId id = known(key, *value); id >= 0) {
            out.extra_.push_back(id);
          }
        }
      }
      break;
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, TokenId>>::const_iterator find(std::string_view name) const {
    return std::find_if(named_.begin(), named_.end(), [&](const auto& entry) { return entry.first == name; });
  }
  static bool is_standard(std::string_view name) {
    return std::find(std::begin(standard_names), std::end(standard_names), name) != std::end(standard_names);
  }
  // A token is its text, or an object that holds it.
  static const json::Value* content(const json::Value* token) {
    return token != nullptr && token->is_object() ? token->find("content") : token;
  }

  std::vector<std::pair<std::string, TokenId>> named_;
  std::vector<TokenId> extra_;
};

#if QWEN35_BODIES

QWEN35_BODY TokenId SpecialTokens::id(std::string_view name) const {
  const auto found = find(name);
  return found == named_.end() ? -1 : found->second;
}

QWEN35_BODY void SpecialTokens::set(std::string_view name, TokenId id) {
  if (const auto found = find(name); found != named_.end()) {
    named_[static_cast<std::size_t>(found - named_.begin())].second = id;
  } else {
    named_.emplace_back(name, id);
  }
}

QWEN35_BODY std::vector<TokenId> SpecialTokens::ids() const {
  std::vector<TokenId> out;
  const auto add = [&](TokenId id) {
    if (id >= 0 && std::find(out.begin(), out.end(), id) == out.end()) {
      out.push_back(id);
    }
  };
  for (const auto& [name, id] : named_) {
    add(id);
  }
  for (const TokenId id : extra_) {
    add(id);
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
