// SPDX-License-Identifier: Apache-2.0
// When a row ends.
#pragma once

#include <qwen35/generate/generation_config.hpp>

#include <chrono>
#include <functional>
#include <span>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

enum class FinishReason : std::uint8_t { none, stop, length, stop_string, max_time, criterion, cancelled };

constexpr std::string_view name(FinishReason reason) {
  constexpr std::string_view names[] = {"none", "stop", "length", "stop_string", "max_time", "criterion", "cancelled"};
  return names[static_cast<std::size_t>(reason)];
}

// A criterion of the caller's: true ends the row. `scores` are those the newest token was chosen from.
using StoppingCriterion = std::function<bool(std::span<const TokenId> ids, std::span<const float> scores)>;

class StoppingCriteria {
 public:
  // token_text: the bytes of a token, needed for stop strings.
  StoppingCriteria(const GenerationConfig& config, std::size_t max_length, std::vector<StoppingCriterion> own,
                   std::function<std::string_view(TokenId)> token_text)
      : config_(config), max_length_(max_length), own_(std::move(own)), token_text_(std::move(token_text)), start_(std::chrono::steady_clock::now()) {
    require<InputError>(config.stop_strings.empty() || token_text_, "stop_strings need token_text, which gives the bytes of a token");
  }

  // Why the row ends with its newest token, or none.
  FinishReason check(std::span<const TokenId> ids, std::span<const float> scores) const {
    if (config_.eos_token_id.contains(ids.back())) {
      return FinishReason::stop;
    }
    if (ends_with_stop_string(ids)) {
      return FinishReason::stop_string;
    }
    for (const StoppingCriterion& criterion : own_) {
      if (criterion(ids, scores)) {
        return FinishReason::criterion;
      }
    }
    if (ids.size() >= max_length_) {
      return FinishReason::length;
    }
    if (config_.max_time && std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count() > *config_.max_time) {
      return FinishReason::max_time;
    }
    return FinishReason::none;
  }

 private:
  // A stop string counts when its last byte is in the newest token.
  bool ends_with_stop_string(std::span<const TokenId> ids) const {
    for (const std::string& text : config_.stop_strings) {
      const std::string_view newest = token_text_(ids.back());
      std::string tail(newest);
      for (std::size_t i = ids.size() - 1; i-- > 0 && tail.size() < newest.size() + text.size() - 1;) {
        tail.insert(0, token_text_(ids[i]));
      }
      for (std::size_t at = tail.find(text); at != std::string::npos; at = tail.find(text, at + 1)) {
        if (at + text.size() > tail.size() - newest.size()) {
          return true;
        }
      }
    }
    return false;
  }

  const GenerationConfig& config_;
  std::size_t max_length_;
  std::vector<StoppingCriterion> own_;
  std::function<std::string_view(TokenId)> token_text_;
  std::chrono::steady_clock::time_point start_;
};

QWEN35_END_NAMESPACE
