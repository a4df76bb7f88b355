// SPDX-License-Identifier: Apache-2.0
#include "cache_test.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>

#include "support/point_files.hpp"

using namespace cache_test;
using namespace qwen35;

namespace {

std::string file_name(const char* name) {
  return (std::filesystem::temp_directory_path() / (std::string("qwen35_cache_file_") + name)).string();
}

}  // namespace

TEST_CASE("a saved cache continues bit for bit") {
  const std::string path = file_name("continue");
  Cache cache;
  logits(prompt(33, 1), cache);
  cache.set_rope_deltas({-4});
  save_cache(cache, path);
  const std::vector<float> expected = logits(prompt(9, 2), cache);
  Cache loaded = load_cache<Config>(path, model().fingerprint());
  CHECK(loaded.seq_length() == 33);
  CHECK(loaded.rope_deltas()[0] == -4);
  CHECK(Ids(loaded.ids().begin(), loaded.ids().end()) == prompt(33, 1));
  CHECK(logits(prompt(9, 2), loaded) == expected);
  Cache half({.kv_dtype = DType::f16});
  logits(prompt(33, 1), half);
  save_cache(half, path);
  const std::vector<float> half_expected = logits(prompt(9, 2), half);
  Cache half_loaded = load_cache<Config>(path, model().fingerprint(), {.kv_dtype = DType::f16});
  CHECK(logits(prompt(9, 2), half_loaded) == half_expected);
  CHECK_THROWS_WITH_AS(
      load_cache<Config>(path, model().fingerprint()),
      doctest::Contains(
          "another format than asked for: f16, expected f32; CacheOptions::kv_dtype (--cache-type) has to be"),
      CacheError);
  std::remove(path.c_str());
}

TEST_CASE("a file of another model, cut or changed, is an error") {
  const std::string path = file_name("bad");
  Cache cache;
  logits(prompt(12, 3), cache);
  save_cache(cache, path);
  const std::string good = test_support::file_contents(path);
  CHECK_THROWS_WITH_AS(load_cache<Config>(path, model().fingerprint() ^ 1),
                       doctest::Contains("a cache of another model, or damaged: its fingerprint is "), CacheError);
  CHECK_THROWS_WITH_AS(load_cache<Config>(path, model().fingerprint() ^ 1),
                       doctest::Contains("; it goes on with the weights that it was saved with alone, in the formats"),
                       CacheError);
  for (std::size_t size = 0; size < good.size(); size += size < 200 ? 7 : good.size() / 23) {
    test_support::put_file(path, good.substr(0, size));
    CHECK_THROWS_AS(load_cache<Config>(path, model().fingerprint()), CacheError);
  }
  test_support::put_file(path, good + "x");
  CHECK_THROWS_AS(load_cache<Config>(path, model().fingerprint()), CacheError);
  for (std::size_t at = 0; at < good.size(); at += at < 120 ? 1 : good.size() / 41) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    test_support::put_file(path, changed);
    CHECK_THROWS_AS(load_cache<Config>(path, model().fingerprint()), CacheError);
  }
  test_support::put_file(path, good);
  CHECK_NOTHROW(load_cache<Config>(path, model().fingerprint()));
  CHECK_THROWS_AS(load_cache<Config>(path + ".absent", model().fingerprint()), CacheError);
  CHECK_THROWS_AS(save_cache(Cache(), path), CacheError);
  std::remove(path.c_str());
}
