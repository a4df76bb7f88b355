// SPDX-License-Identifier: Apache-2.0
// What a sequence of a batch begins with.
#pragma once

#include <qwen35/cache/sequence_cache.hpp>
#include <qwen35/model/prompt_rows.hpp>
#include <qwen35/sampling/token_chooser.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct SequenceInput {
  std::vector<TokenId> input_ids{};  // the prompt, not padded, not empty
  GenerationConfig config{};         // no beams; with num_return_sequences the prompt is read once for all
  ChooserExtras extras{};            // processors and criteria beside the config's
  // A draw depends on the config's seed, this number, which of the prompt's sequences it is for, and how many tokens
  // stand before it.
  std::uint32_t sequence_id = 0;
  std::function<bool(TokenId)> streamer{};  // told each new token; false ends the sequence
  // Holds the first tokens of the prompt, all but one at most: it goes on there.
  std::optional<SequenceCache> past_key_values{};
  // The same in a cache of the caller's, which must outlive the sequence's time in the batch. Not with siblings.
  SequenceCache* borrowed_cache = nullptr;
  PromptRows rows{};  // of the tokens that no cache holds, as the model's prompt_rows() gives them
  // Where in the prompt a step stops reading, ascending, the last at its end. None: after every prefill_chunk tokens.
  std::vector<std::size_t> piece_ends{};

  const SequenceCache* given_cache() const { return past_key_values ? &*past_key_values : borrowed_cache; }
  // For so many sequences of one prompt; vocab_size 0: unknown. Raises InputError for an input that contradicts itself.
  QWEN35_LAZY
  void check(std::size_t siblings, std::size_t vocab_size) const;
};

#if QWEN35_BODIES

QWEN35_LAZY_BODY
void SequenceInput::check(std::size_t siblings, std::size_t vocab_size) const {
  const std::vector<TokenId>& ids = input_ids;
  require<InputError>(!ids.empty(), "Batch: input_ids are empty");
  for (const TokenId id : ids) {
    require<InputError>(is_token_id(id, vocab_size), "Batch: token ", id, ", ", expected_token_ids(vocab_size));
  }
  require<InputError>(borrowed_cache == nullptr || (!past_key_values && siblings == 1),
                      "Batch: a borrowed cache is for one sequence, which has no other");
  const SequenceCache* const cache = given_cache();
  const std::size_t past = cache != nullptr ? cache->tokens() : 0;
  require<InputError>(past < ids.size(), "Batch: the cache holds ", past, " tokens and the prompt ", ids.size(),
                      "; at least one more is needed");
  for (std::size_t i = 0; i < past; ++i) {
    const TokenId held = cache->ids()[i];  // -1: it was an embedding
    require<InputError>(held < 0 || held == ids[i], "Batch: the cache holds token ", held, " at ", i,
                        ", input_ids have ", ids[i]);
  }
  const std::size_t fresh = ids.size() - past;
  require<InputError>((rows.replaced_rows.empty() || rows.replaced_rows.size() == fresh) &&
                          (rows.positions.empty() || rows.positions.size() == 3 * fresh),
                      "Batch: rows of ", rows.replaced_rows.size(), " tokens with ", rows.positions.size(),
                      " positions for ", fresh, " new tokens");
  require<InputError>(
      piece_ends.empty() || (std::is_sorted(piece_ends.begin(), piece_ends.end()) && piece_ends.back() == ids.size()),
      "Batch: piece_ends must ascend to the prompt's length");
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
