// SPDX-License-Identifier: Apache-2.0
// What ends a sequence, and lists of it.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/sampling/generation_config.hpp>
#include <qwen35/sampling/logits_processor.hpp>

#include <concepts>
#include <iosfwd>
#include <string_view>
#include <type_traits>

#if QWEN35_BODIES
#include <ctime>
#endif

QWEN35_BEGIN_NAMESPACE

enum class FinishReason : std::uint8_t {
  none,         // not finished
  stop,         // an end-of-sequence token
  length,       // max_length, max_new_tokens, or the model's last position
  stop_string,  // one of stop_strings; it is in the text
  max_time,     // the time is over
  criteria,     // stopping criteria of the caller's
  cancelled,    // a streamer or callback said so
  tool_calls    // a session's: an end-of-sequence token after complete tool calls
};

constexpr std::string_view name(FinishReason reason) {
  constexpr std::string_view names[] = {"none",     "stop",     "length",    "stop_string",
                                        "max_time", "criteria", "cancelled", "tool_calls"};
  return names[static_cast<std::size_t>(reason)];
}
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, FinishReason reason) {
  return out << name(reason);
}

// Derive from it, or wrap a function with `make_stopping_criteria`.
class StoppingCriteria {
 public:
  virtual ~StoppingCriteria() = default;
  // Is the sequence, its newest token included, finished?
  virtual bool is_done(const SequenceRow& row) const = 0;
  // Names the class: criteria of yours with the name of automatic ones take their place.
  virtual std::string_view name() const = 0;
  virtual FinishReason reason() const { return FinishReason::criteria; }

 protected:
  StoppingCriteria() = default;
  StoppingCriteria(const StoppingCriteria&) = default;
  StoppingCriteria& operator=(const StoppingCriteria&) = default;
};

using StoppingCriteriaList = std::vector<std::shared_ptr<const StoppingCriteria>>;

// The newest token is an eos id.
class EosTokenCriteria final : public StoppingCriteria {
 public:
  explicit EosTokenCriteria(const TokenIds& eos_token_id) : eos_(eos_token_id) {}
  bool is_done(const SequenceRow& row) const override {
    return !row.input_ids.empty() && eos_.contains(row.input_ids.back());
  }
  std::string_view name() const override { return "EosTokenCriteria"; }
  FinishReason reason() const override { return FinishReason::stop; }

 private:
  TokenIds eos_;
};

// The row, prompt included, has max_length ids.
class MaxLengthCriteria final : public StoppingCriteria {
 public:
  explicit MaxLengthCriteria(std::size_t max_length) : max_length_(max_length) {}
  bool is_done(const SequenceRow& row) const override { return row.input_ids.size() >= max_length_; }
  std::string_view name() const override { return "MaxLengthCriteria"; }
  FinishReason reason() const override { return FinishReason::length; }

 private:
  std::size_t max_length_;
};

// More than `max_time` seconds have passed since this object was made. The token that is being computed is still
// finished.
class MaxTimeCriteria final : public StoppingCriteria {
 public:
  // Not <chrono>, whose header costs 0.3 s of every compilation.
  static double now();
  explicit MaxTimeCriteria(double max_time) : max_time_(max_time), start_(now()) {}
  bool is_done(const SequenceRow&) const override { return now() - start_ > max_time_; }
  std::string_view name() const override { return "MaxTimeCriteria"; }
  FinishReason reason() const override { return FinishReason::max_time; }

 private:
  double max_time_;
  double start_;
};

// The bytes that a token adds to the text: those of a tokenizer, which must outlive it, or of a function such as
// `[&](TokenId id) { return tokenizer.token_bytes(id); }`. What that returns must live until the next call.
class TokenText {
 public:
  TokenText() = default;
  template <class F>
  requires std::is_invocable_r_v<std::string_view, F&, TokenId> TokenText(F function)
      : function_(std::move(function)) {}
  template <class Tokens>
  requires requires(const Tokens& tokens, TokenId id) {
    { tokens.token_bytes(id) } -> std::same_as<std::string_view>;
  }
  TokenText(const Tokens& tokenizer QWEN35_LIFETIMEBOUND)
      : function_([&tokenizer](TokenId id) { return tokenizer.token_bytes(id); }) {}
  template <class Tokens>
  requires requires(const Tokens& tokens, TokenId id) {
    { tokens.token_bytes(id) } -> std::same_as<std::string_view>;
  }
  TokenText(const Tokens&& temporary) = delete;

  explicit operator bool() const { return static_cast<bool>(function_); }
  std::string_view operator()(TokenId id) const { return function_(id); }

 private:
  std::function<std::string_view(TokenId)> function_;
};

// The bytes of the sequence, prompt included, hold a stop string that ends inside the newest token. It may begin in
// earlier ones, and the token may go on behind it.
class StopStringCriteria final : public StoppingCriteria {
 public:
  // Raises InputError without strings, for an empty one, or without a tokenizer.
  StopStringCriteria(std::vector<std::string> stop_strings, TokenText tokenizer);
  QWEN35_BODY bool is_done(const SequenceRow& row) const override;
  std::string_view name() const override { return "StopStringCriteria"; }
  FinishReason reason() const override { return FinishReason::stop_string; }

 private:
  std::vector<std::string> strings_;
  TokenText text_;
  std::size_t longest_ = 0;
};

namespace detail {

class FunctionCriteria final : public StoppingCriteria {
 public:
  using Function = std::function<bool(const SequenceRow&)>;
  FunctionCriteria(std::string name, Function function) : name_(std::move(name)), function_(std::move(function)) {}
  bool is_done(const SequenceRow& row) const override { return function_(row); }
  std::string_view name() const override { return name_; }

 private:
  std::string name_;
  Function function_;
};

}  // namespace detail

// Criteria from a function or lambda.
std::shared_ptr<const StoppingCriteria> make_stopping_criteria(std::string name,
                                                               detail::FunctionCriteria::Function function);

// The reason of the first criteria that hold, or none.
FinishReason finish_reason(const StoppingCriteriaList& list, const SequenceRow& row);

// `config` with all defaults filled in and its max_length counted from the first column. Raises InputError.
QWEN35_LAZY
StoppingCriteriaList criteria_of(const GenerationConfig& config, const TokenText& tokenizer = {},
                                 const StoppingCriteriaList& users = {});

#if QWEN35_BODIES

QWEN35_BODY double MaxTimeCriteria::now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

QWEN35_BODY StopStringCriteria::StopStringCriteria(std::vector<std::string> stop_strings, TokenText tokenizer)
    : strings_(std::move(stop_strings)), text_(std::move(tokenizer)) {
  require<InputError>(!strings_.empty(), "stop_strings is an empty list");
  require<InputError>(static_cast<bool>(text_), "stop_strings need a tokenizer, which gives the bytes of a token");
  for (const std::string& string : strings_) {
    require<InputError>(!string.empty(), "stop_strings holds an empty string");
    longest_ = std::max(longest_, string.size());
  }
}

QWEN35_BODY bool StopStringCriteria::is_done(const SequenceRow& row) const {
  const std::span<const TokenId> ids = row.tokens();
  if (ids.empty()) {
    return false;
  }
  // The newest token, and as many bytes before it as the longest string can have there.
  std::string tail(text_(ids.back()));
  const std::size_t newest = tail.size();
  std::size_t before = 0;
  for (std::size_t i = ids.size() - 1; i-- > 0 && before + 1 < longest_;) {
    const std::string_view piece = text_(ids[i]);
    tail.insert(0, piece);
    before += piece.size();
  }
  for (const std::string& string : strings_) {
    // Ends at the first byte of the newest token or later.
    const std::size_t from = before + 1 > string.size() ? before + 1 - string.size() : 0;
    if (newest > 0 && tail.find(string, from) != std::string::npos) {
      return true;
    }
  }
  return false;
}

QWEN35_BODY std::shared_ptr<const StoppingCriteria> make_stopping_criteria(
    std::string name, detail::FunctionCriteria::Function function) {
  return std::make_shared<detail::FunctionCriteria>(std::move(name), std::move(function));
}

QWEN35_BODY FinishReason finish_reason(const StoppingCriteriaList& list, const SequenceRow& row) {
  for (const auto& criteria : list) {
    if (criteria->is_done(row)) {
      return criteria->reason();
    }
  }
  return FinishReason::none;
}

QWEN35_LAZY_BODY
StoppingCriteriaList criteria_of(const GenerationConfig& config, const TokenText& tokenizer,
                                 const StoppingCriteriaList& users) {
  require_all(users, "stopping_criteria");
  StoppingCriteriaList list;
  if (config.eos_token_id && !config.eos_token_id->empty()) {
    add_owned(list, std::make_unique<EosTokenCriteria>(*config.eos_token_id));
  }
  if (config.stop_strings) {
    add_owned(list, std::make_unique<StopStringCriteria>(*config.stop_strings, tokenizer));
  }
  if (config.max_length) {
    add_owned(list, std::make_unique<MaxLengthCriteria>(static_cast<std::size_t>(*config.max_length)));
  }
  if (config.max_time) {
    add_owned(list, std::make_unique<MaxTimeCriteria>(*config.max_time));
  }
  return merge_with_users(std::move(list), users);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
