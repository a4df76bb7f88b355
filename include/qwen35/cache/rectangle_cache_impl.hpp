// SPDX-License-Identifier: Apache-2.0
// Bodies of RectangleCache.
#pragma once

#include <qwen35/cache/rectangle_cache.hpp>

#if QWEN35_BODIES

QWEN35_BEGIN_NAMESPACE

QWEN35_BODY RectangleCache::RectangleCache(const CacheOptions& options) : options_(options) {
  require<InputError>(options.storage.empty() || options.capacity > 0, "CacheOptions: storage needs a fixed capacity");
  require<InputError>(options.capacity <= max_cache_tokens, "CacheOptions: capacity is ", options.capacity,
                      ", expected at most ", max_cache_tokens);
  require_holds_keys(options.kv_dtype, "CacheOptions: kv_dtype");
}

QWEN35_BODY RectangleCache RectangleCache::of(std::vector<SequenceCache> sequences, std::vector<std::size_t> pads) {
  const std::size_t batch = sequences.size();
  require<InputError>(batch > 0 && (pads.empty() || pads.size() == batch), "a cache of ", batch, " sequences with ",
                      pads.size(), " pads");
  pads.resize(batch, 0);
  const SequenceCache& first = sequences[0];
  const bool deltas = first.rope_delta().has_value();
  RectangleCache out({.kv_dtype = first.layout().kv_dtype, .capacity = 0, .storage = {}});
  out.length_ = pads[0] + first.tokens();
  out.fingerprint_ = first.fingerprint();
  for (std::size_t b = 0; b < batch; ++b) {
    const SequenceCache& sequence = sequences[b];
    require<InputError>(pads[b] + sequence.tokens() == out.length_ && sequence.layout() == first.layout() &&
                            sequence.fingerprint() == out.fingerprint_ && sequence.rope_delta().has_value() == deltas,
                        "a cache of sequences that do not fit together: sequence ", b, " differs from the first");
    if (deltas) {
      out.rope_deltas_.push_back(*sequence.rope_delta());
    }
  }
  out.ids_.reserve(out.length_ * batch);
  for (std::size_t s = 0; s < out.length_; ++s) {
    for (std::size_t b = 0; b < batch; ++b) {
      out.ids_.push_back(s < pads[b] ? -1 : sequences[b].ids()[s - pads[b]]);
    }
  }
  out.sequences_ = std::move(sequences);
  out.pads_ = std::move(pads);
  return out;
}

QWEN35_BODY std::size_t RectangleCache::capacity() const {
  std::size_t slots = options_.capacity;
  for (std::size_t b = 0; b < sequences_.size() && options_.capacity == 0; ++b) {
    slots = std::max(slots, pads_[b] + sequences_[b].pages() * kv_page_slots);
  }
  return slots;
}

QWEN35_BODY std::size_t RectangleCache::bytes() const {
  std::size_t sum = 0;
  for (const SequenceCache& sequence : sequences_) {
    sum += sequence.bytes();
  }
  return sum;
}

QWEN35_BODY void RectangleCache::set_rope_deltas(std::vector<std::int32_t> deltas) {
  require<InputError>(deltas.empty() || deltas.size() == sequences_.size(), "set_rope_deltas: ", deltas.size(),
                      " offsets for ", sequences_.size(), " sequences");
  for (std::size_t b = 0; b < sequences_.size(); ++b) {
    sequences_[b].set_rope_delta(deltas.empty() ? std::optional<std::int32_t>() : deltas[b]);
  }
  rope_deltas_ = std::move(deltas);
}

QWEN35_BODY std::vector<std::uint8_t> RectangleCache::valid(std::size_t row) const {
  std::vector<std::uint8_t> out(length_, 1);
  std::fill_n(out.begin(), pads_[row], std::uint8_t{0});
  const std::span<const std::uint8_t> own = sequences_[row].valid();
  std::copy(own.begin(), own.end(), out.begin() + static_cast<std::ptrdiff_t>(pads_[row]));
  return out;
}

QWEN35_BODY std::vector<SequenceCache> RectangleCache::take_sequences() {
  std::vector<SequenceCache> out = std::move(sequences_);
  reset();
  return out;
}

QWEN35_BODY std::vector<SequenceCache> RectangleCache::make_rows(std::size_t count, const CacheLayout& layout) const {
  std::vector<SequenceCache> rows;
  rows.reserve(count);
  if (options_.storage.empty()) {
    const auto pool = std::make_shared<KvPool>(layout);
    pool->reserve(count * pages_for(options_.capacity));
    for (std::size_t b = 0; b < count; ++b) {
      rows.emplace_back(pool);
    }
    return rows;
  }
  check_storage(count, layout);
  const std::size_t pages = KvPool::bytes(layout, count * pages_for(options_.capacity));
  const auto pool = std::make_shared<KvPool>(layout, options_.storage.first(pages));
  for (std::size_t b = 0; b < count; ++b) {
    std::byte* const state = options_.storage.data() + pages + b * layout.state_bytes();
    rows.emplace_back(pool, std::span(reinterpret_cast<float*>(state), layout.state_floats()));
  }
  return rows;
}

QWEN35_BODY void RectangleCache::begin(std::size_t batch_size, std::size_t tokens, const CacheLayout& layout,
                                       std::uint64_t fingerprint) {
  const bool fresh = sequences_.empty() || (length_ == 0 && batch_size != sequences_.size());
  const std::size_t needed = length_ + tokens;
  if (!holds<InputError>(fresh || batch_size == sequences_.size(), "past_key_values holds ", sequences_.size(),
                         " sequences, the input has ", batch_size) ||
      !holds<CacheError>(fingerprint_ == 0 || fingerprint == fingerprint_,
                         "past_key_values was filled by another model") ||
      !holds<CacheError>(options_.capacity == 0 || needed <= options_.capacity, "the cache holds ", options_.capacity,
                         " tokens; ", length_, " are used and ", tokens, " more do not fit")) {
    return;
  }
  if (needed * batch_size > ids_.capacity()) {
    ids_.reserve(std::max(pages_for(needed) * kv_page_slots * batch_size, 2 * ids_.capacity()));
  }
  if (fresh) {
    CacheLayout own = layout;
    own.kv_dtype = options_.kv_dtype;
    std::vector<SequenceCache> rows = make_rows(batch_size, own);
    pads_.assign(batch_size, 0);
    sequences_ = std::move(rows);
  }
}

QWEN35_BODY void RectangleCache::commit(std::size_t tokens, const TokenId* ids, const std::size_t* pads) {
  const std::size_t batch = sequences_.size();
  for (std::size_t s = 0; s < tokens; ++s) {
    for (std::size_t b = 0; b < batch; ++b) {
      ids_.push_back(ids != nullptr ? ids[b * tokens + s] : -1);
    }
  }
  for (std::size_t b = 0; pads != nullptr && b < batch; ++b) {
    pads_[b] += pads[b];
  }
  length_ += tokens;
  fingerprint_ = sequences_[0].fingerprint();
}

QWEN35_BODY RectangleCache RectangleCache::with_rows(std::vector<SequenceCache> rows) const {
  CacheOptions options = options_;
  options.storage = {};
  RectangleCache out(options);
  out.length_ = length_;
  out.fingerprint_ = fingerprint_;
  out.sequences_ = std::move(rows);
  out.pads_ = pads_;
  out.ids_ = ids_;
  out.rope_deltas_ = rope_deltas_;
  return out;
}

QWEN35_BODY RectangleCache RectangleCache::fork() const {
  std::vector<SequenceCache> rows;
  for (const SequenceCache& sequence : sequences_) {
    rows.push_back(sequence.fork());
  }
  return with_rows(std::move(rows));
}

QWEN35_BODY RectangleCache RectangleCache::copy() const {
  std::vector<SequenceCache> rows;
  for (const SequenceCache& sequence : sequences_) {
    rows.push_back(sequence.copy());
  }
  return with_rows(std::move(rows));
}

QWEN35_BODY RectangleSnapshot RectangleCache::snapshot() const {
  return RectangleSnapshot(std::make_shared<const RectangleCache>(fork()));
}

QWEN35_BODY void RectangleCache::restore(const RectangleSnapshot& snapshot) {
  const RectangleCache& from = *snapshot.cache_;
  if (from.sequences_.empty()) {
    reset();
    return;
  }
  const CacheLayout& layout = from.sequences_[0].layout();
  require<CacheError>(layout.kv_dtype == options_.kv_dtype, "restore: the snapshot holds ", name(layout.kv_dtype),
                      " keys, this cache ", name(options_.kv_dtype));
  require<CacheError>(options_.capacity == 0 || from.length_ <= options_.capacity, "restore: the snapshot holds ",
                      from.length_, " tokens, this cache at most ", options_.capacity);
  require<CacheError>(fingerprint_ == 0 || from.fingerprint_ == 0 || fingerprint_ == from.fingerprint_,
                      "restore: the snapshot is of another model");
  std::vector<TokenId> ids = from.ids_;
  std::vector<std::size_t> pads = from.pads_;
  std::vector<std::int32_t> deltas = from.rope_deltas_;
  const std::size_t count = from.sequences_.size();
  std::vector<SequenceCache> rows;
  if (!options_.storage.empty()) {
    check_storage(count, layout);
    reset();  // its pages are wanted for what comes back
    rows = make_rows(count, layout);
    for (std::size_t b = 0; b < count; ++b) {
      rows[b].back_to(from.sequences_[b]);
    }
    if (declined()) {
      return;
    }
  } else if (count == 1 && sequences_.size() == 1) {
    sequences_[0].back_to(from.sequences_[0]);  // in the memory of its states
    if (declined()) {
      return;
    }
    rows = std::move(sequences_);
  } else {
    rows.reserve(count);
    for (const SequenceCache& sequence : from.sequences_) {
      rows.push_back(sequence.fork());
    }
  }
  sequences_ = std::move(rows);
  length_ = from.length_;
  fingerprint_ = from.fingerprint_;
  ids_ = std::move(ids);
  pads_ = std::move(pads);
  rope_deltas_ = std::move(deltas);
}

QWEN35_BODY void RectangleCache::reorder(std::span<const std::size_t> rows) {
  require<InputError>(!rows.empty(), "reorder: no rows");
  bool same = rows.size() == sequences_.size();
  std::vector<std::size_t> last_use(sequences_.size(), rows.size());
  for (std::size_t b = 0; b < rows.size(); ++b) {
    require<InputError>(rows[b] < sequences_.size(), "reorder: row ", rows[b], " of a cache of ", sequences_.size(),
                        " sequences");
    same = same && rows[b] == b;
    last_use[rows[b]] = b;
  }
  if (same) {
    return;
  }
  require<InputError>(options_.storage.empty(),
                      "reorder: a cache in the caller's storage keeps its sequences where they are");
  std::vector<SequenceCache> sequences(rows.size());
  std::vector<std::size_t> pads;
  std::vector<TokenId> ids;
  std::vector<std::int32_t> deltas;
  ids.reserve(length_ * rows.size());
  for (std::size_t s = 0; s < length_; ++s) {
    for (const std::size_t row : rows) {
      ids.push_back(ids_[s * sequences_.size() + row]);
    }
  }
  for (std::size_t b = 0; b < rows.size(); ++b) {
    pads.push_back(pads_[rows[b]]);
    if (!rope_deltas_.empty()) {
      deltas.push_back(rope_deltas_[rows[b]]);
    }
    if (last_use[rows[b]] != b) {
      sequences[b] = sequences_[rows[b]].fork();
    }
  }
  for (std::size_t b = 0; b < rows.size(); ++b) {
    if (last_use[rows[b]] == b) {
      sequences[b] = std::move(sequences_[rows[b]]);
    }
  }
  sequences_ = std::move(sequences);
  pads_ = std::move(pads);
  ids_ = std::move(ids);
  rope_deltas_ = std::move(deltas);
}

QWEN35_BODY void RectangleCache::reset() {
  length_ = 0;
  fingerprint_ = 0;
  sequences_.clear();
  pads_.clear();
  ids_.clear();
  rope_deltas_.clear();
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
