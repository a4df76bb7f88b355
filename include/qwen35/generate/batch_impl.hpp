// SPDX-License-Identifier: Apache-2.0
// Bodies of Batch. Include batch.hpp.
#pragma once

#include <qwen35/generate/batch.hpp>

QWEN35_BEGIN_NAMESPACE

template <class M, class D>
Batch<M, D>::Batch(const M& model, const BatchOptions& options)
    : model_(&model),
      options_(checked(options)),
      // In whole chunks of the delta rule, so that a longer piece is cut between two of them.
      workspace_((options.prefill_chunk + options.max_sequences + 63) / 64 * 64, options.max_sequences) {
  pool_ = std::make_shared<KvPool>(model.cache_layout(options.kv_dtype), options.max_pages);
  entries_.reserve(options.max_sequences);
  slices_.reserve(options.max_sequences);
  running_.reserve(options.max_sequences);
  waiting_.reserve(options.max_sequences);
  events_.reserve(options.max_sequences);
}

template <class M, class D>
BatchOptions Batch<M, D>::checked(const BatchOptions& options) {
  require_within<std::size_t>("BatchOptions: max_sequences", options.max_sequences, 1, GenerationLimits::max_sequences);
  require_within<std::size_t>("BatchOptions: prefill_chunk", options.prefill_chunk, 1, GenerationLimits::prefill_chunk);
  return options;
}

template <class M, class D>
typename Batch<M, D>::Handle Batch<M, D>::add(SequenceInput input) {
  refuse_step_outputs(input.config, "Batch");
  GenerationConfig config = complete_config(*model_, input.config);
  require<InputError>(*config.num_beams == 1, "Batch: no beams, found num_beams ", *config.num_beams);
  const auto siblings = static_cast<std::size_t>(*config.num_return_sequences);
  require<InputError>(entries_.size() + siblings <= options_.max_sequences, "Batch: ", entries_.size(),
                      " sequences are there and ", siblings, " more do not fit, max_sequences is ",
                      options_.max_sequences);
  input.check(siblings, vocab_size_of(*model_));
  check_token_ids(config, vocab_size_of(*model_), 1);
  const std::size_t prompt = input.input_ids.size();
  set_lengths(defaults_of(*model_), prompt, prompt, config);
  const SequenceCache* const given = input.given_cache();
  const KvPool& pool = given != nullptr && given->pool() != nullptr ? *given->pool() : *pool_;
  hold_to_capacity(prompt, pool.max_pages() * kv_page_slots, "max_pages of its pool", prompt, config);
  log_beyond_positions(defaults_of(*model_), prompt, prompt, config);
  const auto chooser = std::make_shared<const TokenChooser>(config, prompt, input.extras);
  // No memory is asked for while tokens are chosen, unless the answer is very long.
  constexpr std::size_t usual = 1 << 16;
  const std::size_t room = std::min(static_cast<std::size_t>(*config.max_length), prompt + usual);

  std::vector<Entry> fresh(siblings);
  for (std::size_t i = 0; i < siblings; ++i) {
    Entry& entry = fresh[i];
    entry.handle = next_handle_ + i;
    entry.reader = i == 0 ? 0 : next_handle_;
    entry.sequence.ids.reserve(room);
    entry.sequence.ids = input.input_ids;
    entry.sequence.prompt_length = prompt;
    entry.sequence.batch_id = input.sequence_id;
    entry.sequence.row = i;
    entry.sequence.key = {.seed = *config.seed,
                          .sequence = input.sequence_id,
                          .sibling = static_cast<std::uint32_t>(i),
                          .position = static_cast<std::uint32_t>(prompt)};
    entry.sequence.chooser = chooser;
    entry.sequence.streamer = input.streamer;
    entry.sequence.usage.prompt_tokens = prompt;
    entry.own_cache = SequenceCache(pool_);
  }
  Entry& first = fresh[0];
  if (input.past_key_values) {
    first.own_cache = std::move(*input.past_key_values);
  }
  first.borrowed_cache = input.borrowed_cache;
  first.first_row = first.cache().tokens();
  for (Entry& entry : fresh) {
    entry.sequence.usage.cached_tokens = first.first_row;
    entry.sequence.usage.processed_tokens = prompt - first.first_row;
  }
  first.rows = std::move(input.rows);
  first.piece_ends = std::move(input.piece_ends);
  std::move(fresh.begin(), fresh.end(), std::back_inserter(entries_));
  return std::exchange(next_handle_, next_handle_ + siblings);
}

template <class M, class D>
typename Batch<M, D>::Removed Batch<M, D>::remove(Handle handle) {
  Entry& entry = find(handle);
  // Its siblings still want the prompt to be read: the next one takes that over.
  const auto heir =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& other) { return other.reader == handle; });
  if (heir != entries_.end()) {
    heir->own_cache = std::move(entry.own_cache);
    entry.own_cache = SequenceCache(pool_);
    heir->rows = std::move(entry.rows);
    heir->piece_ends = std::move(entry.piece_ends);
    heir->first_row = entry.first_row;
    heir->reader = 0;
    for (Entry& other : entries_) {
      other.reader = other.reader == handle ? heir->handle : other.reader;
    }
    for (Waiting& item : waiting_) {
      item.handle = item.handle == handle ? heir->handle : item.handle;
    }
  }
  drop_waiting(handle);
  entry.sequence.cancel();
  Removed out{std::move(entry.sequence), std::move(entry.own_cache)};
  entries_.erase(entries_.begin() + (&entry - entries_.data()));
  return out;
}

// The newest tokens, then pieces of prompts in the order in which they came, as far as the workspace takes them whole.
// A piece that is longer goes through alone.
template <class M, class D>
void Batch<M, D>::select() {
  slices_.clear();
  running_.clear();
  std::size_t tokens = 0;
  const auto add = [&](std::size_t index, std::size_t count) {
    slices_.push_back(entries_[index].slice(count));
    running_.push_back(index);
    tokens += count;
  };
  std::size_t newest = 0;
  for (const Entry& entry : entries_) {
    newest += entry.runs() && entry.pending() == 1 ? 1u : 0u;
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].runs() && entries_[i].pending() > 1) {
      if (const std::size_t count = entries_[i].piece(options_.prefill_chunk); count + newest > room()) {
        return add(i, count);
      }
      break;
    }
  }
  for (const bool whole : {false, true}) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].runs() && (entries_[i].pending() > 1) == whole) {
        if (const std::size_t count = entries_[i].piece(options_.prefill_chunk); tokens + count <= room()) {
          add(i, count);
        }
      }
    }
  }
  std::int32_t largest = 0;
  for (const std::size_t index : running_) {
    if (entries_[index].row) {
      for (const std::int32_t position : entries_[index].positions) {
        largest = std::max(largest, position);
      }
    }
  }
  for (SequenceSlice& slice : slices_) {
    slice.max_position = largest;
  }
}

template <class M, class D>
bool Batch<M, D>::forward() {
  require<InputError>(waiting_.empty(), "Batch: logits of ", waiting_.size(), " sequences wait for a choice");
  events_.clear();
  if (running() == 0) {
    return false;
  }
  select();
  if (slices_.empty()) {
    return false;
  }
  const SliceRows rows = model_->forward(slices_, options_.workspace != nullptr ? *options_.workspace : workspace_);
  std::size_t row = 0;
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    Entry& entry = entries_[running_[i]];
    entry.went_on(slices_[i]);
    if (slices_[i].wanted > 0) {
      waiting_.push_back({entry.handle, rows.logits + row++ * rows.vocab_size});
    }
  }
  vocab_size_ = rows.vocab_size;
  return true;
}

// The prompt has been read: its siblings go on from there, from logits of their own.
template <class M, class D>
void Batch<M, D>::fork_siblings() {
  for (std::size_t w = 0; w < waiting_.size(); ++w) {
    const Waiting item = waiting_[w];
    for (Entry& entry : entries_) {
      if (entry.reader != item.handle) {
        continue;
      }
      std::vector<float>& logits = sibling_logits_.emplace_back(item.logits, item.logits + vocab_size_);
      entry.own_cache = find(item.handle).cache().fork();
      waiting_.push_back({entry.handle, logits.data()});
      entry.reader = 0;
    }
  }
}

template <class M, class D>
void Batch<M, D>::choose() {
  // Forgets the sequences whose turn has been, also when one raises.
  struct Turns {
    Batch& batch;
    std::size_t begun = 0;
    std::size_t done = 0;
    ~Turns() {
      if (begun > done) {
        batch.find(batch.waiting_[done].handle).sequence.cancel();
      }
      batch.waiting_.erase(batch.waiting_.begin(), batch.waiting_.begin() + static_cast<std::ptrdiff_t>(begun));
    }
  };
  events_.clear();
  fork_siblings();
  Turns turns{*this};
  for (const Waiting& item : waiting_) {
    ++turns.begun;
    Entry& entry = find(item.handle);
    Sequence& sequence = entry.sequence;
    if (sequence.finished()) {  // a row that goes on because others do
      sequence.ids.push_back(entry.row->pad_token_id);
      ++turns.done;
      continue;
    }
    const TokenId token = sequence.choose({item.logits, vocab_size_}, scratch_);
    ++turns.done;
    events_.push_back({item.handle, token, sequence.finish_reason});
  }
}

template <class M, class D>
std::span<float> Batch<M, D>::logits(Handle handle) {
  for (const Waiting& item : waiting_) {
    if (item.handle == handle) {
      return {item.logits, vocab_size_};
    }
  }
  return {};
}

template <class M, class D>
void Batch<M, D>::push(Handle handle, std::span<const TokenId> tokens) {
  Sequence& sequence = find(handle).sequence;
  drop_waiting(handle);
  for (std::size_t i = 0; i < tokens.size() && !sequence.finished(); ++i) {
    sequence.push(tokens[i], scratch_);
  }
}

template <class M, class D>
typename Batch<M, D>::Handle Batch<M, D>::add_row(Sequence sequence, const RectangleRow& row, std::span<float> logits) {
  require<InputError>(entries_.size() < options_.max_sequences, "Batch: ", entries_.size(),
                      " sequences are there, max_sequences is ", options_.max_sequences);
  Entry entry;
  entry.handle = next_handle_;
  entry.sequence = std::move(sequence);
  entry.borrowed_cache = row.cache;
  entry.row = row;
  if (row.cache != nullptr) {
    entry.offset =
        static_cast<std::ptrdiff_t>(row.cache->tokens()) - static_cast<std::ptrdiff_t>(entry.sequence.ids.size());
  }
  entries_.push_back(std::move(entry));
  offer(next_handle_, logits);
  return next_handle_++;
}

template <class M, class D>
void Batch<M, D>::offer(Handle handle, std::span<float> logits) {
  vocab_size_ = logits.size();
  waiting_.push_back({handle, logits.data()});
}

template <class M, class D>
void Batch<M, D>::replace_row(Handle handle, const std::vector<TokenId>& ids, SequenceCache* cache) {
  Entry& entry = find(handle);
  drop_waiting(handle);
  entry.sequence.ids = ids;
  ++entry.sequence.usage.completion_tokens;
  entry.borrowed_cache = cache;
}

QWEN35_END_NAMESPACE
