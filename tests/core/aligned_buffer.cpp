// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/aligned_buffer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

using namespace qwen35;

TEST_CASE("a buffer is aligned, zero-filled, and counts in values and bytes") {
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 3, 64, 1000}) {
    AlignedBuffer<double> buffer(size);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    CHECK(buffer.size() == size);
    CHECK(buffer.bytes() == 8 * size);
    CHECK(std::all_of(buffer.begin(), buffer.end(), [](double value) { return value == 0.0; }));
    buffer[size - 1] = 2.0;
    CHECK(std::span<const double>(buffer).back() == 2.0);
  }
  const AlignedBuffer<float> large = AlignedBuffer<float>::uninitialised(100);
  CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % 64 == 0);
  CHECK(large.size() == 100);
}

TEST_CASE("an empty buffer has no memory") {
  for (const AlignedBuffer<int>& empty : {AlignedBuffer<int>(), AlignedBuffer<int>(0)}) {
    CHECK(empty.empty());
    CHECK(empty.data() == nullptr);
    CHECK(empty.begin() == empty.end());
    CHECK(empty.copy().empty());
  }
}

TEST_CASE("a buffer moves with its memory and copies only when told to") {
  static_assert(!std::is_copy_constructible_v<AlignedBuffer<int>> && !std::is_copy_assignable_v<AlignedBuffer<int>>);
  static_assert(std::is_nothrow_move_constructible_v<AlignedBuffer<int>>);
  AlignedBuffer<int> first(3);
  first[1] = 5;
  const int* const memory = first.data();
  const AlignedBuffer<int> copy = first.copy();
  AlignedBuffer<int> second = std::move(first);
  CHECK(second.data() == memory);
  CHECK(first.empty());  // NOLINT: moved from, and empty
  first = std::move(second);
  CHECK(first.data() == memory);
  first[1] = 6;
  CHECK(copy[1] == 5);
  CHECK(copy.data() != memory);
}

TEST_CASE("where there is no memory the error says how many bytes, and what for") {
  volatile std::size_t size = SIZE_MAX / 2 - 63;
  const auto said = [](const auto& make) -> std::string {
    try {
      make();
    } catch (const std::bad_alloc& error) {
      return error.what();
    }
    return {};
  };
  CHECK(said([&] { AlignedBuffer<char>::uninitialised(size, "a workspace"); }) ==
        concat("there is not enough memory: ", SIZE_MAX / 2 - 63, " bytes for a workspace"));
  CHECK(said([&] { const AlignedBuffer<char> buffer(size); }).ends_with(" bytes for a buffer"));
  CHECK_FALSE(AlignedBuffer<char>::if_there_is_memory(size).has_value());
}

TEST_CASE("more bytes than a number holds are an error, not a small buffer") {
  volatile std::size_t size = SIZE_MAX;  // not known to the compiler, which would warn
  CHECK_THROWS_AS(AlignedBuffer<double>::uninitialised(size), InputError);
  CHECK_THROWS_AS(AlignedBuffer<double>(size / 8 + 1), InputError);
}
