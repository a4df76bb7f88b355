// SPDX-License-Identifier: Apache-2.0
// A sequence that is being generated, apart from the model and its cache: the ids, how the next one is chosen, and why
// it ended.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/generate/usage.hpp>
#include <qwen35/sampling/token_chooser.hpp>

#include <functional>
#include <memory>
#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct Sequence {
  std::vector<TokenId> ids{};     // columns: padding, prompt, generated
  std::size_t prompt_length = 0;  // columns of the prompt, its padding included
  std::size_t padding = 0;        // columns at the front that hold no token
  std::size_t batch_id = 0;       // which prompt
  std::size_t row = 0;            // which of the sequences that run together
  DrawKey key{};                  // of the first token to be drawn; each later one stands one position further
  std::shared_ptr<const TokenChooser> chooser{};
  std::function<bool(TokenId)> streamer{};  // told each new token; false ends the sequence
  FinishReason finish_reason = FinishReason::none;
  Usage usage{};

  bool finished() const { return finish_reason != FinishReason::none; }
  std::span<const TokenId> generated() const QWEN35_LIFETIMEBOUND {
    return std::span<const TokenId>(ids).subspan(prompt_length, usage.completion_tokens);
  }
  // As processors and criteria see it.
  SequenceRow view(Scratch& scratch) const;
  DrawKey next_key() const;

  // The next token, from the logits [vocab_size] of the last one, which become its processed scores. Raises InputError,
  // as processors do; the sequence is then as it was.
  TokenId choose(std::span<float> logits, ChooserScratch& scratch);
  // A token that was not chosen but given, under the same criteria.
  void push(TokenId id, ChooserScratch& scratch);
  // Where it has not ended for another reason.
  void cancel();

 private:
  void accept(TokenId id, FinishReason reason);
};

#if QWEN35_BODIES

QWEN35_BODY SequenceRow Sequence::view(Scratch& scratch) const {
  return {.input_ids = ids,
          .prompt_length = prompt_length,
          .padding = padding,
          .batch_id = batch_id,
          .row = row,
          .scratch = &scratch};
}

QWEN35_BODY DrawKey Sequence::next_key() const {
  DrawKey out = key;
  out.position += static_cast<std::uint32_t>(usage.completion_tokens);
  return out;
}

QWEN35_BODY TokenId Sequence::choose(std::span<float> logits, ChooserScratch& scratch) {
  const ChosenToken chosen = chooser->choose(view(scratch.processors), ids, logits, next_key(), scratch);
  accept(chosen.id, chosen.reason);
  return chosen.id;
}

QWEN35_BODY void Sequence::push(TokenId id, ChooserScratch& scratch) {
  ids.push_back(id);
  accept(id, chooser->finish_reason(view(scratch.processors)));
}

QWEN35_BODY void Sequence::cancel() {
  if (!finished()) {
    finish_reason = FinishReason::cancelled;
  }
}

QWEN35_BODY void Sequence::accept(TokenId id, FinishReason reason) {
  ++usage.completion_tokens;
  finish_reason = reason;
  if (streamer && !streamer(id)) {
    cancel();
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
