// SPDX-License-Identifier: Apache-2.0
// A cache on disk: token ids, keys and values, linear states, positions, and the fingerprint of the model they belong
// to.
#pragma once

#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/core/hash.hpp>
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/plain_file.hpp>

#include <string>

QWEN35_BEGIN_NAMESPACE

// Writes and reads one cache. Everything is in the machine's byte order; a checksum ends the file.
template <class Config>
class CacheFile {
 public:
  using Cache = HybridCache<Config>;

  // Raises CacheError when the file cannot be written; an older file of that name is then still there.
  static void save(const Cache& cache, const std::string& path) {
    Header header = header_of(cache);
    FileWriter<CacheError> file(path);
    Hasher sum;
    const auto write = [&](const void* data, std::size_t bytes) {
      file.write(std::span(static_cast<const std::byte*>(data), bytes));
      sum.bytes(data, bytes);
    };
    write(&header, sizeof(header));
    write(cache.ids_.data(), header.batch * header.length * sizeof(TokenId));
    for (const auto& row : cache.valid_) {
      write(row.data(), header.length);
    }
    write(cache.rope_deltas_.data(), header.deltas * sizeof(std::int32_t));
    if (cache.kv_) {
      for_each_block(*cache.kv_, header, [&](std::byte* block, std::size_t bytes) { write(block, bytes); });
    }
    write(cache.state_.data(), cache.state_.size_bytes());
    const std::uint64_t checksum = sum.value();
    write(&checksum, sizeof(checksum));
    file.commit();
  }

  // A cache that continues bit for bit where the saved one stood. `fingerprint`: of the model that will use it. Raises
  // CacheError for a file that is cut, changed, of another model or of another format than `options`.
  static Cache load(const std::string& path, std::uint64_t fingerprint, const CacheOptions& options = {}) {
    PlainFile<CacheError> file(path);
    Hasher sum;
    const auto read = [&](void* data, std::size_t bytes) {
      file.read(std::span(static_cast<std::byte*>(data), bytes));
      sum.bytes(data, bytes);
    };
    Header header;
    read(&header, sizeof(header));
    const Header own{};
    require<CacheError>(std::memcmp(header.magic, own.magic, sizeof(header.magic)) == 0, path, ": not a cache file");
    require<CacheError>(header.version == own.version && header.linear_layers == own.linear_layers &&
                            header.full_layers == own.full_layers && header.state_stride == own.state_stride &&
                            header.kv_heads == own.kv_heads && header.head_dim == own.head_dim,
                        path, ": a cache of another version or model shape");
    require<CacheError>(header.fingerprint == fingerprint, path, ": a cache of another model");
    require<CacheError>(header.kv_dtype == static_cast<std::uint64_t>(options.kv_dtype), path,
                        ": its keys are stored in another format than asked for (", name(options.kv_dtype), ")");
    // Sizes are bounded by the file's before anything is allocated from them.
    constexpr std::uint64_t limit = std::uint64_t{1} << 40;
    require<CacheError>(header.batch > 0 && header.batch < limit && header.length < limit &&
                            (header.deltas == 0 || header.deltas == header.batch) &&
                            header.batch * linear_bytes <= file.size() && header.length <= file.size() / header.batch &&
                            expected_size(header, options.kv_dtype) == file.size(),
                        path, ": the file is cut or damaged");
    Cache cache(options);
    cache.begin(header.batch, header.length, fingerprint);
    std::vector<TokenId> ids(header.batch * header.length);
    std::vector<std::uint8_t> valid(header.batch * header.length);
    std::vector<std::int32_t> deltas(header.deltas);
    read(ids.data(), ids.size() * sizeof(TokenId));
    read(valid.data(), valid.size());
    read(deltas.data(), deltas.size() * sizeof(std::int32_t));
    for_each_block(*cache.kv_, header, [&](std::byte* block, std::size_t bytes) { read(block, bytes); });
    read(cache.state_.data(), cache.state_.size_bytes());
    const std::uint64_t checksum = sum.value();
    std::uint64_t stored = 0;
    read(&stored, sizeof(stored));
    require<CacheError>(checksum == stored, path, ": the file is damaged (checksum)");
    cache.ids_ = std::move(ids);
    for (std::size_t b = 0; b < header.batch; ++b) {
      cache.valid_[b].assign(valid.begin() + static_cast<std::ptrdiff_t>(b * header.length),
                             valid.begin() + static_cast<std::ptrdiff_t>((b + 1) * header.length));
    }
    cache.rope_deltas_ = std::move(deltas);
    cache.length_ = header.length;
    return cache;
  }

 private:
  using Text = typename LayersOf<Config>::Text;
  static constexpr std::uint64_t linear_bytes = Cache::linear_layers * Cache::state_stride * sizeof(float);

  struct Header {
    char magic[8] = {'q', 'w', '3', '5', 'k', 'v', 's', 't'};
    std::uint64_t version = 2;
    std::uint64_t linear_layers = Cache::linear_layers;
    std::uint64_t full_layers = Cache::full_layers;
    std::uint64_t state_stride = Cache::state_stride;
    std::uint64_t kv_heads = Text::num_key_value_heads;
    std::uint64_t head_dim = Text::head_dim;
    std::uint64_t fingerprint = 0;
    std::uint64_t kv_dtype = 0;
    std::uint64_t batch = 0;
    std::uint64_t length = 0;
    std::uint64_t deltas = 0;
  };

  static Header header_of(const Cache& cache) {
    require<CacheError>(cache.batch_size() > 0, "an empty cache cannot be saved");
    Header header;
    header.fingerprint = cache.fingerprint();
    header.kv_dtype = static_cast<std::uint64_t>(cache.kv_dtype());
    header.batch = cache.batch_size();
    header.length = cache.seq_length();
    header.deltas = cache.rope_deltas().size();
    return header;
  }

  static std::uint64_t expected_size(const Header& header, DType dtype) {
    const std::uint64_t tokens = header.batch * header.length;
    return sizeof(Header) + tokens * (sizeof(TokenId) + 1 + Cache::slot_bytes(dtype)) +
           header.deltas * sizeof(std::int32_t) + header.batch * linear_bytes + sizeof(std::uint64_t);
  }

  // The filled slots of each head of each sequence, keys then values.
  template <class Fn>
  static void for_each_block(KvBuffer& kv, const Header& header, const Fn& fn) {
    const auto dtype = static_cast<DType>(header.kv_dtype);
    const std::size_t row = row_bytes(dtype, Text::head_dim);
    for (std::size_t layer = 0; layer < Cache::full_layers; ++layer) {
      for (std::size_t b = 0; b < header.batch; ++b) {
        const GatedAttentionState state = Cache::kv_state(kv, layer, b, header.batch, dtype);
        for (std::size_t h = 0; h < Text::num_key_value_heads; ++h) {
          fn(state.keys + h * state.capacity * row, header.length * row);
          fn(state.values + h * state.capacity * row, header.length * row);
        }
      }
    }
  }
};

template <class Config>
void save_cache(const HybridCache<Config>& cache, const std::string& path) {
  CacheFile<Config>::save(cache, path);
}

template <class Config>
HybridCache<Config> load_cache(const std::string& path, std::uint64_t fingerprint, const CacheOptions& options = {}) {
  return CacheFile<Config>::load(path, fingerprint, options);
}

QWEN35_END_NAMESPACE
