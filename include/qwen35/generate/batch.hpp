// SPDX-License-Identifier: Apache-2.0
// Many sequences of one model that are read and continued together, each as if it were alone.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/fwd.hpp>
#include <qwen35/generate/batch_entry.hpp>
#include <qwen35/generate/drafter.hpp>
#include <qwen35/generate/generation_defaults.hpp>
#include <qwen35/generate/sequence_input.hpp>
#include <qwen35/generate/sequence_model.hpp>

#include <algorithm>
#include <optional>
#include <utility>

QWEN35_BEGIN_NAMESPACE

struct BatchOptions {
  std::size_t max_sequences = 32;   // that are in the batch at once
  std::size_t prefill_chunk = 512;  // tokens of a prompt that one step reads
  DType kv_dtype = DType::f32;
  std::size_t max_pages = 0;  // of the keys and values of all sequences that begin here, see KvPool; 0: no limit
  ForwardWorkspace* workspace = nullptr;  // the caller's, instead of one of its own
};

// Sequences come and go between steps. A step is one ragged forward of the newest token of each sequence and of pieces
// of the prompts that are still being read, and the choice of the next tokens. Prompts are cut at the same tokens as
// they are alone, so that each sequence's logits and tokens are bit-equal to those that it gets in a batch of its own.
// A finished sequence stays, and is not run, until it is removed.
//
// When a step raises, go on with the next one: CacheError at the limit of memory leaves every sequence as it was, so
// remove one; an error of a processor, criterion or streamer has cancelled its sequence, and no other. One thread at a
// time; nothing is global.
template <class M, class D>
class Batch {
  static_assert(SequenceModel<M>, "Batch: the model has to be a SequenceModel");
  static_assert(std::same_as<D, NoDraft>, "Batch: a cache cannot take drafts back yet, so that there is only NoDraft");

 public:
  using Handle = BatchEntry::Handle;  // never 0, never used twice
  struct Event {
    Handle handle;
    TokenId token;
    FinishReason reason;  // none: the sequence goes on
  };
  // A sequence that has left.
  struct Removed {
    Sequence sequence;
    SequenceCache cache;  // of its tokens but those that were not run, as a rule the last; empty if it was borrowed
  };

  // The model must outlive the batch. Raises InputError.
  explicit Batch(const M& model QWEN35_LIFETIMEBOUND, const BatchOptions& options = {});
  explicit Batch(const M&& temporary, const BatchOptions& options = {}) = delete;

  // A new sequence; with num_return_sequences its siblings' handles follow. Raises InputError for an input that
  // contradicts itself or a batch that is full, with nothing changed.
  Handle add(SequenceInput input);
  // A row that has been read, whose logits [vocab_size] wait for a choice in the caller's memory. Rows of one rectangle
  // have one largest position.
  Handle add_row(Sequence sequence, const RectangleRow& row, std::span<float> logits);
  // Ends a sequence between steps; it stays until it is removed, and no event tells of it.
  void cancel(Handle handle) {
    drop_waiting(handle);
    find(handle).sequence.cancel();
  }
  // Takes a sequence out; one that has not finished is cancelled. Raises InputError for a handle that is none.
  Removed remove(Handle handle);

  // False: nothing was to be done, every sequence has finished.
  bool step() {
    if (waiting_.empty() && !forward()) {
      return false;
    }
    choose();
    return true;
  }
  // The new tokens of the last step: none of one that did nothing, or raised before the first choice.
  std::span<const Event> events() const QWEN35_LIFETIMEBOUND { return events_; }

  std::size_t size() const { return entries_.size(); }
  std::size_t running() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return !entry.sequence.finished(); }));
  }
  const Sequence& sequence(Handle handle) const QWEN35_LIFETIMEBOUND { return find(handle).sequence; }
  // Between steps, to take a fork or a point of.
  const SequenceCache& cache(Handle handle) const QWEN35_LIFETIMEBOUND { return find(handle).cache(); }
  // Tokens of its prompt that are still to be run.
  bool is_reading(Handle handle) const {
    const Entry& entry = find(handle);
    return entry.cache().tokens() < entry.slot(entry.sequence.prompt_length);
  }

  // --- the halves of a step, for who wants to look or choose between them ---

  // Runs what is to be run. False: nothing was. Raises InputError while logits of the last forward wait.
  bool forward();
  // Chooses for every sequence whose logits wait. When it raises, the sequence at fault is cancelled, and those behind
  // it still wait.
  void choose();
  // The logits [vocab_size] that wait for a choice; empty: none do.
  std::span<float> logits(Handle handle);
  // Tokens that follow, given instead of chosen, up to one that ends the sequence. Its waiting logits are dropped.
  void push(Handle handle, std::span<const TokenId> tokens);
  // Other logits [vocab_size] to wait for a choice, in the caller's memory.
  void offer(Handle handle, std::span<float> logits);
  // A beam: the row is now another one with one token more, in another cache. Its waiting logits are dropped.
  void replace_row(Handle handle, const std::vector<TokenId>& ids, SequenceCache* cache);

 private:
  using Entry = BatchEntry;
  struct Waiting {
    Handle handle;
    float* logits;
  };

  const Entry& find(Handle handle) const {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.handle == handle; });
    require<InputError>(found != entries_.end(), "Batch: no sequence has the handle ", handle);
    return *found;
  }
  Entry& find(Handle handle) { return const_cast<Entry&>(std::as_const(*this).find(handle)); }
  // Tokens of a step: a piece of a prompt always fits beside the newest of all sequences.
  std::size_t room() const { return options_.prefill_chunk + options_.max_sequences; }
  static BatchOptions checked(const BatchOptions& options);
  void select();
  void fork_siblings();
  void drop_waiting(Handle handle) {
    std::erase_if(waiting_, [&](const Waiting& item) { return item.handle == handle; });
  }

  const M* model_;
  BatchOptions options_;
  std::shared_ptr<KvPool> pool_;
  ForwardWorkspace workspace_;
  std::vector<Entry> entries_;  // in the order of their handles
  Handle next_handle_ = 1;
  std::vector<SequenceSlice> slices_;
  std::vector<std::size_t> running_;  // the entry of each slice
  std::vector<Waiting> waiting_;
  std::vector<Event> events_;
  std::size_t vocab_size_ = 0;
  std::vector<std::vector<float>> sibling_logits_;
  ChooserScratch scratch_;
};

QWEN35_END_NAMESPACE

#include <qwen35/generate/batch_impl.hpp>
