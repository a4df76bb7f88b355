// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/point_file.hpp>
#include <qwen35/io/available_memory.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <vector>

#include "support/message_of.hpp"
#include "support/point_files.hpp"
#include "support/small_layout.hpp"

namespace {

using namespace qwen35;
using test_support::contains;
using test_support::message_of;
using test_support::small_layout;

constexpr std::uint64_t model = 77;

std::string file_name(const char* name) {
  return (std::filesystem::temp_directory_path() / (std::string("qwen35_point_file_") + name)).string();
}

// Fills `tokens` more slots, and states, with bytes that depend on the place and on `salt`.
void run(SequenceCache& cache, std::size_t tokens, unsigned salt) {
  const std::size_t begin = cache.tokens();
  cache.begin(tokens, model);
  std::vector<TokenId> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i) {
    ids[i] = static_cast<TokenId>(begin + i + salt);
  }
  const std::size_t head = small_layout.head_bytes();
  for (std::size_t slot = begin; slot < begin + tokens; ++slot) {
    for (std::size_t block = 0; block < small_layout.full_layers * 2 * small_layout.kv_heads; ++block) {
      std::byte* const at =
          cache.page_data()[slot / kv_page_slots] + (block * kv_page_slots + slot % kv_page_slots) * head;
      std::memset(at, static_cast<int>((slot * 31 + block * 7 + salt) & 255), head);
    }
  }
  for (float& state : cache.states()) {
    state += static_cast<float>(begin + salt + 1);
  }
  cache.commit(tokens, ids.data());
}

void check_equal(const SequenceCache& a, const SequenceCache& b) {
  CHECK(a.tokens() == b.tokens());
  CHECK(begins_with(a, b));
  CHECK(a.rope_delta() == b.rope_delta());
  CHECK(std::equal(a.states().begin(), a.states().end(), b.states().begin(), b.states().end()));
}

}  // namespace

TEST_CASE("points come back as they were, with shared pages, and go on alone") {
  const std::string path = file_name("whole");
  SequenceCache cache(small_layout);
  std::vector<SequencePoint> points;
  for (const std::size_t tokens : {std::size_t{3}, kv_page_slots, std::size_t{20}}) {
    run(cache, tokens, 0);
    points.push_back(cache.point());
  }
  cache.set_rope_delta(-9);
  points.push_back(cache.point());
  save_points("{\"a\": 1}", points, path);
  const PointFile file = load_points(path, small_layout, model);
  CHECK(file.text == "{\"a\": 1}");
  REQUIRE(file.points.size() == points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    check_equal(file.points[i].cache(), points[i].cache());
  }
  CHECK(file.points[0].cache().page_data()[0] == file.points[3].cache().page_data()[0]);
  SequenceCache again(small_layout), kept(small_layout);
  again.back_to(file.points[0]);
  kept.back_to(points[0]);
  run(again, 5, 40);
  run(kept, 5, 40);
  check_equal(again, kept);
  check_equal(file.points[3].cache(), points[3].cache());
  CHECK_FALSE(begins_with(file.points[3].cache(), again));

  save_points("nothing else", {}, path);
  CHECK(load_points(path, small_layout, model).points.empty());
  CHECK(load_points(path, small_layout, model).text == "nothing else");
  CHECK(test_support::file_contents(path) == test_support::point_file_of("nothing else"));
  std::filesystem::remove(path);
}

TEST_CASE("points that do not follow each other are refused") {
  const std::string path = file_name("order");
  SequenceCache cache(small_layout), other(small_layout), masked(small_layout);
  run(cache, 4, 0);
  run(other, 4, 1);
  const SequencePoint before = cache.point();
  run(cache, 4, 0);
  CHECK_THROWS_AS(save_points("", std::vector{cache.point(), before}, path), CacheError);
  CHECK_THROWS_AS(save_points("", std::vector{other.point(), cache.point()}, path), CacheError);
  CHECK_THROWS_AS(save_points("", std::vector{SequenceCache(small_layout).point()}, path), CacheError);
  // Equal ids whose keys differ by a bit.
  SequenceCache copy = before.cache().copy();
  CHECK(begins_with(cache, copy));
  copy.page_data()[0][0] ^= std::byte{1};
  CHECK_FALSE(begins_with(cache, copy));
  const std::uint8_t valid[2] = {0, 1};
  masked.begin(2, model, valid);
  masked.commit(2, nullptr);
  CHECK_THROWS_AS(save_points("", std::vector{masked.point()}, path), CacheError);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a file of another model, cut or changed is an error, and asks for no more memory than it has bytes") {
  const std::string path = file_name("bad");
  SequenceCache cache(small_layout);
  run(cache, 2, 0);
  std::vector<SequencePoint> points{cache.point()};
  run(cache, 9, 0);
  points.push_back(cache.point());
  save_points("some text", points, path);
  const std::string good = test_support::file_contents(path);
  CHECK(contains(message_of<CacheError>([&] { load_points(path, small_layout, model + 1); }),
                 "a conversation of another model, or damaged: its fingerprint is "));
  CacheLayout layout = small_layout;
  layout.kv_dtype = DType::f32;
  CHECK(contains(message_of<CacheError>([&] { load_points(path, layout, model); }),
                 concat("another format than asked for: ", name(small_layout.kv_dtype), ", expected f32")));
  layout = small_layout;
  ++layout.kv_heads;
  ++layout.linear_layers;
  CHECK(message_of<CacheError>([&] { load_points(path, layout, model); }) ==
        concat(path, ": of a model of another shape, or damaged: ", small_layout.linear_layers,
               " linear layers, expected ", layout.linear_layers, ", ", small_layout.kv_heads,
               " key/value heads, expected ", layout.kv_heads));
  for (std::size_t size = 0; size < good.size(); ++size) {
    test_support::put_file(path, good.substr(0, size));
    CHECK_THROWS_AS(load_points(path, small_layout, model), CacheError);
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    test_support::put_file(path, changed);
    CHECK_THROWS_AS(load_points(path, small_layout, model), CacheError);
  }
  // Counts that wrap around, or ask for gigabytes.
  for (const std::uint64_t count : {std::uint64_t{1} << 33, ~std::uint64_t{0}, ~std::uint64_t{0} / 2}) {
    for (const std::size_t at :
         {offsetof(qwen35::detail::PointFileHeader, text_bytes), offsetof(qwen35::detail::PointFileHeader, points),
          sizeof(qwen35::detail::PointFileHeader) + 9,
          sizeof(qwen35::detail::PointFileHeader) + 9 + sizeof(qwen35::detail::PointFileRow)}) {
      std::string changed = good;
      std::memcpy(changed.data() + at, &count, sizeof(count));
      test_support::put_file(path, changed);
      CHECK(contains(message_of<CacheError>([&] { load_points(path, small_layout, model); }), "cut or damaged"));
    }
  }
  // A file of any size takes no room on the disk.
  const auto refused = [&](std::uint64_t text_bytes, std::uint64_t size) {
    std::string changed = good;
    std::memcpy(changed.data() + offsetof(qwen35::detail::PointFileHeader, text_bytes), &text_bytes,
                sizeof(text_bytes));
    test_support::put_file(path, changed);
    std::filesystem::resize_file(path, size);
    return message_of<CacheError>([&] { load_points(path, small_layout, model); });
  };
  CHECK(contains(refused(std::uint64_t{1} << 31, std::uint64_t{1} << 32),
                 ": a conversation of 2147483648 bytes, the limit is 1073741824"));
  if (available_memory()) {
    CHECK(contains(refused(9, std::uint64_t{1} << 42), " takes 4398046511104 bytes, and "));
  }
  test_support::put_file(path, good);
  CHECK(contains(message_of<CacheError>([&] { load_points(path, small_layout, model, 10); }),
                 ": a conversation of 11 tokens, the model takes 10"));
  CHECK(load_points(path, small_layout, model, 11).points.size() == 2);
  std::filesystem::remove(path);
}
