// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/cancellation.hpp>
#include <qwen35/core/error.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <thread>
#include <vector>

using namespace qwen35;
using test_support::message_of;

TEST_CASE("a condition that holds costs nothing, one that does not raises what was asked for") {
  CHECK(message_of<Error>([] { require(true, "never"); }) == "");
  CHECK(message_of<CacheError>([] { require<CacheError>(false, "slot ", 3, ": full"); }) == "slot 3: full");
  CHECK(message_of<MediaError>([] { raise<MediaError>("cut"); }) == "cut");
  CHECK_THROWS_AS(require(false), Error);
}

TEST_CASE("every error is an Error and a std::runtime_error, and no other kind") {
  static_assert(std::is_base_of_v<std::runtime_error, Error>);
  const auto caught_as = []<class E>(const E* /*kind*/) {
    try {
      raise<E>("x");
    } catch (const Error& error) {
      return dynamic_cast<const E*>(&error) != nullptr;
    }
  };
  CHECK(caught_as(static_cast<const ConfigError*>(nullptr)));
  CHECK(caught_as(static_cast<const CheckpointError*>(nullptr)));
  CHECK(caught_as(static_cast<const InputError*>(nullptr)));
  CHECK(caught_as(static_cast<const CacheError*>(nullptr)));
  CHECK(caught_as(static_cast<const TextError*>(nullptr)));
  CHECK(caught_as(static_cast<const MediaError*>(nullptr)));
  CHECK_THROWS_AS(message_of<CacheError>([] { raise<InputError>("other"); }), InputError);
}

TEST_CASE("scopes of calls: each is told and obeyed, of its own thread alone") {
  qwen35::CallScope::step("alone", 1, 2);  // nobody listens
  CHECK_FALSE(qwen35::CallScope::any());
  qwen35::Cancellation outer, inner;
  std::vector<std::string> told;
  const auto note = [&](const char* name) {
    return [&told, name](std::string_view what, std::size_t done, std::size_t total) {
      told.push_back(qwen35::concat(name, " ", what, " ", done, "/", total));
    };
  };
  const qwen35::CallScope first(outer, note("outer"));
  {
    const qwen35::CallScope second(inner, note("inner"));
    const qwen35::CallScope third(note("third"));
    qwen35::CallScope::step("load", 1, 3);
    CHECK(told == std::vector<std::string>{"third load 1/3", "inner load 1/3", "outer load 1/3"});
    outer.cancel();
    CHECK(qwen35::CallScope::cancelled());
    CHECK_THROWS_WITH_AS(qwen35::CallScope::step("load", 2, 3), "load: cancelled at 2 of 3", qwen35::CancelledError);
    outer.reset();
    CHECK(qwen35::run_unless_cancelled([] { qwen35::CallScope::step("load", 2, 3); }));
    inner.cancel();
    CHECK_FALSE(qwen35::run_unless_cancelled([] { qwen35::CallScope::step("load", 2, 3); }));
    bool elsewhere = true;
    std::thread([&] { elsewhere = qwen35::CallScope::any() || qwen35::CallScope::cancelled(); }).join();
    CHECK_FALSE(elsewhere);
  }
  CHECK_FALSE(qwen35::CallScope::cancelled());
}
