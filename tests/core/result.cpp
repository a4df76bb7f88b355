// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/result.hpp>

#include <doctest/doctest.h>

#include <memory>

using namespace qwen35;

TEST_CASE("a result is a value or a failure that value() raises as its exception") {
  Result<std::string> good = std::string("yes");
  REQUIRE(good);
  CHECK(good.value() == "yes");
  CHECK(std::move(good).value() == "yes");

  const Result<std::string> bad = Failure{ErrorKind::cache, "full"};
  CHECK_FALSE(bad);
  CHECK(bad.failure().kind == ErrorKind::cache);
  CHECK_THROWS_WITH_AS(bad.value(), "full", CacheError);

  Result<std::unique_ptr<int>> moved = std::make_unique<int>(3);
  CHECK(*std::move(moved).value() == 3);
}

TEST_CASE("an attempt gives back what its call gave or raised, kind and message") {
  CHECK(attempt([] { return 3; }).value() == 3);
  const auto kind_of = [](auto&& call) {
    const Result<int> result = attempt(call);
    CHECK_FALSE(result);
    CHECK(result.failure().message == "why");
    return result.failure().kind;
  };
  CHECK(kind_of([]() -> int { raise<ConfigError>("why"); }) == ErrorKind::config);
  CHECK(kind_of([]() -> int { raise<CheckpointError>("why"); }) == ErrorKind::checkpoint);
  CHECK(kind_of([]() -> int { raise<InputError>("why"); }) == ErrorKind::input);
  CHECK(kind_of([]() -> int { raise<CacheError>("why"); }) == ErrorKind::cache);
  CHECK(kind_of([]() -> int { raise<TextError>("why"); }) == ErrorKind::text);
  CHECK(kind_of([]() -> int { raise<MediaError>("why"); }) == ErrorKind::media);
  CHECK(kind_of([]() -> int { raise<Error>("why"); }) == ErrorKind::other);
  for (const ErrorKind kind : {ErrorKind::other, ErrorKind::config, ErrorKind::checkpoint, ErrorKind::input,
                               ErrorKind::cache, ErrorKind::text, ErrorKind::media}) {
    CHECK(kind_of([&]() -> int { raise(Failure{kind, "why"}); }) == kind);
  }
  // What is none of the library's is not caught.
  CHECK_THROWS_AS(static_cast<void>(attempt([]() -> int { throw 3; })), int);
}

TEST_CASE("with exceptions what is declined is raised") {
  CHECK(holds<InputError>(true, "why"));
  CHECK_THROWS_WITH_AS(static_cast<void>(holds<InputError>(false, "why ", 3)), "why 3", InputError);
  CHECK_THROWS_WITH_AS(decline<MediaError>("why"), "why", MediaError);
  CHECK_FALSE(attempt([] { return holds(false, "why"); }));
  CHECK_FALSE(declined());
}

TEST_CASE("a place stands before the message of what was raised there, whose kind stays") {
  CHECK(with_place([] { return "here"; }, [] { return 7; }) == 7);
  CHECK_THROWS_WITH_AS(with_place([] { return "here"; }, []() -> int { raise<MediaError>("damaged"); }),
                       "here: damaged", MediaError);
}
