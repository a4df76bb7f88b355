// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/arena.hpp>

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

namespace {

template <class A>
struct Two {
  typename A::Scope scope;
  float* first;
  std::uint16_t* second;

  constexpr Two(A& arena, std::size_t size)
      : scope(arena), first(arena.template take<float>(size)), second(arena.template take<std::uint16_t>(size)) {}
};

// A buffer of 20 bytes, beside it the two buffers for 3, then those for 40 values.
constexpr std::size_t bytes() {
  ArenaMeter meter;
  meter.take<std::byte>(20);
  Two<ArenaMeter>(meter, 3);
  Two<ArenaMeter>(meter, 40);
  return meter.peak();
}

}  // namespace

TEST_CASE("a meter counts at compile time what an arena of that size can hold, and the largest of what follows") {
  static_assert(scratch_bytes<Two<ArenaMeter>>(std::size_t{40}) == 192 + 128);
  static_assert(bytes() == 64 + 192 + 128);
  Arena arena(bytes());
  arena.take<std::byte>(20);
  { const Two<Arena> small(arena, 3); }
  {
    const Two<Arena> large(arena, 40);
    CHECK(reinterpret_cast<std::byte*>(large.second) - reinterpret_cast<std::byte*>(large.first) == 192);
    CHECK_THROWS_AS(arena.take<char>(1), InputError);
  }
  CHECK_THROWS_AS(Two<Arena>(arena, 49), InputError);
}
