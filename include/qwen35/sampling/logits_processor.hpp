// SPDX-License-Identifier: Apache-2.0
// What changes the scores of the next token, and lists of it.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Memory that processors share; reused from token to token, so that nothing of the vocabulary's size is allocated in
// the loop.
struct Scratch {
  std::vector<float> values;
  std::vector<std::uint64_t> ranked;
  std::vector<TokenId> ids;
  std::vector<std::uint32_t> live;  // indices of the scores that are not masked
  std::vector<float> live_scores;

  // Room for any of a vocabulary's tokens: how many a processor leaves differs from token to token.
  void reserve(std::size_t vocab_size);
};

// A sequence that is being generated.
struct SequenceRow {
  std::span<const TokenId> input_ids{};  // every column: padding, prompt, generated
  std::size_t prompt_length = 0;         // columns of the prompt, its padding included
  std::size_t padding = 0;               // masked columns at the front
  std::size_t batch_id = 0;              // which prompt
  std::size_t row = 0;                   // which row of the running batch (with beams: prompt * num_beams + beam)
  Scratch* scratch = nullptr;            // for the processors of the library

  // The sequence itself. The penalties read this: a prompt gives the same tokens padded or not (the reference counts
  // the padding in).
  std::span<const TokenId> tokens() const { return input_ids.subspan(padding); }
  std::span<const TokenId> prompt() const { return input_ids.subspan(padding, prompt_length - padding); }
  std::span<const TokenId> generated() const { return input_ids.subspan(prompt_length); }
};

// Derive from it, or wrap a function with `make_logits_processor`. Const and free of state of its own: rows may be
// processed in any order.
class LogitsProcessor {
 public:
  virtual ~LogitsProcessor() = default;
  // scores: [vocab_size]; a score of -inf cannot be chosen.
  virtual void process(const SequenceRow& row, std::span<float> scores) const = 0;
  // Names the class: a processor of yours that has the name of an automatic one takes its place.
  virtual std::string_view name() const = 0;

 protected:
  LogitsProcessor() = default;
  LogitsProcessor(const LogitsProcessor&) = default;
  LogitsProcessor& operator=(const LogitsProcessor&) = default;
};

using LogitsProcessorList = std::vector<std::shared_ptr<const LogitsProcessor>>;

namespace detail {

class FunctionProcessor final : public LogitsProcessor {
 public:
  using Function = std::function<void(const SequenceRow&, std::span<float>)>;
  FunctionProcessor(std::string name, Function function) : name_(std::move(name)), function_(std::move(function)) {}
  void process(const SequenceRow& row, std::span<float> scores) const override { function_(row, scores); }
  std::string_view name() const override { return name_; }

 private:
  std::string name_;
  Function function_;
};

}  // namespace detail

// Puts an item of the library's at the end. (std::make_shared would compile a class that counts owners for each kind of
// item: a fifth of the functions of a first program.)
template <class T>
inline void add_owned(std::vector<std::shared_ptr<const T>>& list,
                      std::type_identity_t<std::unique_ptr<const T>> item) {
  list.push_back(std::move(item));
}

// Spec of the reference's `_merge_criteria_processor_list`: the first of the user's with an automatic one's name takes
// its place, the others follow.
template <class T>
inline std::vector<std::shared_ptr<const T>> merge_with_users(std::vector<std::shared_ptr<const T>> automatic,
                                                              const std::vector<std::shared_ptr<const T>>& users) {
  std::vector<bool> used(users.size());
  for (auto& item : automatic) {
    for (std::size_t i = 0; i < users.size(); ++i) {
      if (users[i]->name() == item->name()) {
        item = users[i];
        used[i] = true;
        break;
      }
    }
  }
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (!used[i]) {
      automatic.push_back(users[i]);
    }
  }
  return automatic;
}

template <class T>
inline void require_all(const std::vector<std::shared_ptr<const T>>& list, const char* what) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    require<InputError>(list[i] != nullptr, what, "[", i, "] is null");
  }
}

// A processor from a function or lambda.
std::shared_ptr<const LogitsProcessor> make_logits_processor(std::string name,
                                                             detail::FunctionProcessor::Function function);

void process(const LogitsProcessorList& list, const SequenceRow& row, std::span<float> scores);

#if QWEN35_BODIES

QWEN35_BODY void Scratch::reserve(std::size_t vocab_size) {
  values.reserve(vocab_size);
  ranked.reserve(vocab_size);
  live.reserve(vocab_size);
  live_scores.reserve(vocab_size);
}

QWEN35_BODY std::shared_ptr<const LogitsProcessor> make_logits_processor(std::string name,
                                                                         detail::FunctionProcessor::Function function) {
  return std::make_shared<detail::FunctionProcessor>(std::move(name), std::move(function));
}

QWEN35_BODY void process(const LogitsProcessorList& list, const SequenceRow& row, std::span<float> scores) {
  for (const auto& processor : list) {
    processor->process(row, scores);
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
