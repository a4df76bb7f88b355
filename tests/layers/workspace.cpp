// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/workspace.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("an arena gives aligned memory, takes it back, and ends with an error") {
  Arena arena(Arena::cost<float>(3) + Arena::cost<double>(9));
  {
    const Arena::Scope scope(arena);
    float* const a = arena.take<float>(3);
    double* const b = arena.take<double>(9);
    CHECK(reinterpret_cast<std::uintptr_t>(a) % 64 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(b) % 64 == 0);
    a[2] = 1.0f;
    b[8] = 2.0;
    CHECK_THROWS_WITH_AS(arena.take<char>(1), doctest::Contains("too small"), InputError);
  }
  CHECK_NOTHROW(arena.take<double>(9));
  alignas(64) std::byte memory[129];
  CHECK_THROWS_AS(Arena(std::span<std::byte>(memory + 1, 128)), InputError);
  Arena own(std::span<std::byte>(memory, 128));
  CHECK(reinterpret_cast<std::byte*>(own.take<int>(20)) == memory);
}
