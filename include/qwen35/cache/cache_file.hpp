// SPDX-License-Identifier: Apache-2.0
// A cache on disk: of each sequence the token ids, keys and values, linear states, position offset, and the fingerprint
// of the model they belong to.
#pragma once

#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/core/result.hpp>

#include <array>
#include <string>

#if QWEN35_BODIES
#include <qwen35/core/hash.hpp>
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/plain_file.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Calls fn(bytes) for the filled slots of each head of each layer, page by page.
template <class Fn>
void each_filled_block(std::byte* const* pages, const CacheLayout& layout, std::size_t tokens, const Fn& fn) {
  const std::size_t head = layout.head_bytes();
  for (std::size_t slot = 0; slot < tokens; slot += kv_page_slots) {
    const std::size_t slots = std::min(kv_page_slots, tokens - slot);
    for (std::size_t block = 0; block < layout.full_layers * 2 * layout.kv_heads; ++block) {
      fn(std::span(pages[slot / kv_page_slots] + block * kv_page_slots * head, slots * head));
    }
  }
}

// A layout as files hold it; the KV format is the last.
using LayoutWords = std::array<std::uint64_t, 7>;
LayoutWords layout_words(const CacheLayout& of);
// Raises CacheError, which names `path` and the numbers that differ, unless a file's words are the model's.
// False: declined.
bool require_layout(const LayoutWords& found, const CacheLayout& expected, const std::string& path);
// The same for the fingerprint of the model that `what`, with "a", was saved with.
bool require_fingerprint(std::uint64_t found, std::uint64_t expected, const char* what, const std::string& path);

namespace detail {

// Everything is in the machine's byte order: the header, a row for each sequence, the ids [batch, length], each
// sequence, a checksum.
struct CacheFileHeader {
  char magic[8] = {'q', 'w', '3', '5', 'k', 'v', 's', 't'};
  std::uint64_t version = 3;
  LayoutWords layout{};
  std::uint64_t fingerprint = 0;
  std::uint64_t batch = 0;
  std::uint64_t length = 0;
};

struct CacheFileRow {
  std::uint64_t pads = 0;
  std::uint64_t has_holes = 0;  // then validity follows, [tokens]
  std::uint64_t has_rope_delta = 0;
  std::int64_t rope_delta = 0;
};

// What a sequence of `tokens` slots takes, after its row.
std::uint64_t cache_file_bytes(const CacheLayout& layout, std::uint64_t tokens, bool has_holes);

}  // namespace detail

// Raises CacheError when the file cannot be written; an older file of that name is then still there.
void save_cache(const RectangleCache& cache, const std::string& path);

// A cache that continues bit for bit where the saved one stood. `fingerprint`: of the model that will use it. Raises
// CacheError for a file that is cut, changed, of another model or of another format than `options`.
RectangleCache load_cache(const std::string& path, CacheLayout layout, std::uint64_t fingerprint,
                          const CacheOptions& options = {});

// The same for a model that is known to the compiler.
template <class Config>
HybridCache<Config> load_cache(const std::string& path, std::uint64_t fingerprint, const CacheOptions& options = {}) {
  return HybridCache<Config>(load_cache(path, cache_layout<Config>(), fingerprint, options));
}

// Both, with what they would raise as a failure.
inline Result<RectangleCache> try_load_cache(const std::string& path, const CacheLayout& layout,
                                             std::uint64_t fingerprint, const CacheOptions& options = {}) {
  return attempt([&] { return load_cache(path, layout, fingerprint, options); });
}
template <class Config>
Result<HybridCache<Config>> try_load_cache(const std::string& path, std::uint64_t fingerprint,
                                           const CacheOptions& options = {}) {
  return attempt([&] { return load_cache<Config>(path, fingerprint, options); });
}

#if QWEN35_BODIES

QWEN35_BODY LayoutWords layout_words(const CacheLayout& of) {
  return {of.linear_layers,
          of.full_layers,
          of.conv_floats,
          of.recurrent_floats,
          of.kv_heads,
          of.head_dim,
          static_cast<std::uint64_t>(of.kv_dtype)};
}

QWEN35_BODY bool require_layout(const LayoutWords& found, const CacheLayout& expected, const std::string& path) {
  constexpr const char* names[] = {"linear layers",           "full layers",
                                   "values of a convolution", "values of a linear state",
                                   "key/value heads",         "values of a head"};
  const LayoutWords words = layout_words(expected);
  std::string differences;
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (found[i] != words[i]) {
      differences += concat(differences.empty() ? "" : ", ", found[i], " ", names[i], ", expected ", words[i]);
    }
  }
  const std::uint64_t format = found.back();
  return holds<CacheError>(differences.empty(), path, ": of a model of another shape, or damaged: ", differences) &&
         holds<CacheError>(format == words.back(), path, ": its keys are stored in another format than asked for: ",
                           format < format_count ? name(static_cast<DType>(format)) : "an unknown one", ", expected ",
                           name(expected.kv_dtype), "; CacheOptions::kv_dtype (--cache-type) has to be the file's");
}

QWEN35_BODY bool require_fingerprint(std::uint64_t found, std::uint64_t expected, const char* what,
                                     const std::string& path) {
  return holds<CacheError>(found == expected && expected != 0, path, ": ", what,
                           " of another model, or damaged: its fingerprint is ", found, ", expected ", expected,
                           "; it goes on with the weights that it was saved with alone, in the formats that they had");
}

namespace detail {

QWEN35_BODY std::uint64_t cache_file_bytes(const CacheLayout& layout, std::uint64_t tokens, bool has_holes) {
  return tokens * (layout.slot_bytes() + (has_holes ? 1 : 0)) + layout.state_bytes();
}

}  // namespace detail

QWEN35_BODY void save_cache(const RectangleCache& cache, const std::string& path) {
  require<CacheError>(cache.batch_size() > 0 && cache.fingerprint() != 0, "an empty cache cannot be saved");
  const CacheLayout& layout = cache.sequence(0).layout();
  FileWriter<CacheError> file(path);
  Hasher sum;
  const auto write = [&](std::span<const std::byte> bytes) {
    file.write(bytes);
    sum.bytes(bytes.data(), bytes.size());
  };
  detail::CacheFileHeader header;
  header.layout = layout_words(layout);
  header.fingerprint = cache.fingerprint();
  header.batch = cache.batch_size();
  header.length = cache.seq_length();
  write(std::as_bytes(std::span(&header, 1)));
  for (std::size_t b = 0; b < header.batch; ++b) {
    const SequenceCache& sequence = cache.sequence(b);
    const detail::CacheFileRow row{cache.pads(b), sequence.has_holes() ? 1u : 0u, sequence.rope_delta() ? 1u : 0u,
                                   sequence.rope_delta().value_or(0)};
    write(std::as_bytes(std::span(&row, 1)));
  }
  write(std::as_bytes(cache.ids()));
  for (std::size_t b = 0; b < header.batch; ++b) {
    const SequenceCache& sequence = cache.sequence(b);
    if (sequence.has_holes()) {
      write(std::as_bytes(sequence.valid()));
    }
    each_filled_block(sequence.page_data(), layout, sequence.tokens(), write);
    write(std::as_bytes(sequence.states()));
  }
  const std::uint64_t checksum = sum.value();
  write(std::as_bytes(std::span(&checksum, 1)));
  file.commit();
}

QWEN35_BODY RectangleCache load_cache(const std::string& path, CacheLayout layout, std::uint64_t fingerprint,
                                      const CacheOptions& options) {
  layout.kv_dtype = options.kv_dtype;
  PlainFile<CacheError> file(path);
  Hasher sum;
  const auto read = [&](std::span<std::byte> bytes) {
    file.read(bytes);
    sum.bytes(bytes.data(), bytes.size());
  };
  RectangleCache cache(options);
  detail::CacheFileHeader header;
  read(std::as_writable_bytes(std::span(&header, 1)));
  const detail::CacheFileHeader own;
  const std::uint64_t size = file.size();
  // Sizes are bounded by the file's before anything is allocated from them.
  const auto check = [&](bool condition) { return holds<CacheError>(condition, path, ": the file is cut or damaged"); };
  if (declined() ||
      !holds<CacheError>(std::memcmp(header.magic, own.magic, sizeof(header.magic)) == 0, path, ": not a cache file") ||
      !holds<CacheError>(header.version == own.version, path, ": a cache of version ", header.version, ", expected ",
                         own.version) ||
      !require_layout(header.layout, layout, path) ||
      !require_fingerprint(header.fingerprint, fingerprint, "a cache", path) || !memory_holds<CacheError>(size, path) ||
      !check(header.batch > 0 && header.batch <= size / sizeof(detail::CacheFileRow) &&
             header.length <= size / sizeof(TokenId) / header.batch)) {
    return cache;
  }
  std::vector<detail::CacheFileRow> rows(header.batch);
  read(std::as_writable_bytes(std::span(rows)));
  std::uint64_t expected = sizeof(header) +
                           header.batch * (sizeof(detail::CacheFileRow) + header.length * sizeof(TokenId)) +
                           sizeof(std::uint64_t);
  std::vector<std::size_t> pads;
  std::vector<std::int32_t> deltas;
  for (const detail::CacheFileRow& row : rows) {
    if (!check(row.pads <= header.length && row.has_holes <= 1 && row.has_rope_delta == rows[0].has_rope_delta &&
               row.has_rope_delta <= 1 && header.length <= size / (layout.slot_bytes() + 2))) {
      return cache;
    }
    expected += detail::cache_file_bytes(layout, header.length - row.pads, row.has_holes != 0);
    if (!check(expected <= size)) {
      return cache;
    }
    pads.push_back(row.pads);
    if (row.has_rope_delta != 0) {
      deltas.push_back(static_cast<std::int32_t>(row.rope_delta));
    }
  }
  if (!check(expected == size)) {
    return cache;
  }
  std::vector<TokenId> ids(header.batch * header.length);  // [length, batch], as RectangleCache::ids() has them
  read(std::as_writable_bytes(std::span(ids)));
  std::vector<TokenId> by_row(ids.size());
  cache.begin(header.batch, header.length, layout, fingerprint);
  if (declined()) {
    return cache;
  }
  for (std::size_t b = 0; b < header.batch; ++b) {
    for (std::size_t s = 0; s < header.length; ++s) {
      by_row[b * header.length + s] = ids[s * header.batch + b];
    }
    SequenceCache& sequence = cache.sequence(b);
    const std::size_t tokens = header.length - pads[b];
    std::vector<std::uint8_t> valid(rows[b].has_holes != 0 ? tokens : 0);
    read(std::as_writable_bytes(std::span(valid)));
    sequence.begin(tokens, fingerprint, valid.empty() ? nullptr : valid.data());
    each_filled_block(sequence.page_data(), layout, tokens, read);
    read(std::as_writable_bytes(sequence.states()));
    sequence.commit(tokens, by_row.data() + b * header.length + pads[b]);
  }
  const std::uint64_t checksum = sum.value();
  std::uint64_t stored = 0;
  read(std::as_writable_bytes(std::span(&stored, 1)));
  if (declined() || !holds<CacheError>(checksum == stored, path, ": the file is damaged (checksum)")) {
    return RectangleCache(options);
  }
  cache.commit(header.length, by_row.data(), pads.data());
  cache.set_rope_deltas(std::move(deltas));
  return cache;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
