// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/cancellation.hpp>
#include <qwen35/core/error.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <thread>
#include <vector>

using namespace qwen35;
using test_support::message_of;

TEST_CASE("pieces of a message are put together as they are written") {
  const std::string text = "text";
  CHECK(concat() == "");
  CHECK(concat("a", text, std::string_view("view"), 'c', true, false, -3, 7u, std::size_t{1} << 40) ==
        "atextviewctruefalse-371099511627776");
  CHECK(concat("[", 0.5f, "]") == "[0.500000]");
}

TEST_CASE("a condition that holds costs nothing, one that does not raises what was asked for") {
  CHECK(message_of<Error>([] { require(true, "never"); }) == "");
  CHECK(message_of<CacheError>([] { require<CacheError>(false, "slot ", 3, ": full"); }) == "slot 3: full");
  CHECK(message_of<MediaError>([] { raise<MediaError>("cut"); }) == "cut");
  CHECK_THROWS_AS(require(false), Error);
}

TEST_CASE("no message is longer than a screen, whatever it quotes, and each can be shown") {
  const std::string long_name(100000, 'x');
  const std::string message =
      message_of<TextError>([&] { raise<TextError>("begin " + long_name + " expected a name"); });
  CHECK(message.size() < 1000);
  CHECK(message.starts_with("begin xxx"));
  CHECK(message.ends_with("xxx expected a name"));
  CHECK(message.find(" ... (99072 bytes) ... ") != std::string::npos);
  std::string wide;
  for (int i = 0; i < 3000; ++i) {
    wide += "\xE2\x82\xAC";  // cut between characters alone
  }
  const std::string cut = shown_message("a" + wide);
  CHECK(cut.substr(0, 749).ends_with("\xE2\x82\xAC "));
  CHECK((cut.size() - std::string(" ... (8052 bytes) ... ").size()) % 3 == 1);
  std::string list;  // of many lines all stay, of too many the first and the last
  for (int i = 0; i < 61; ++i) {
    list += "line " + std::string(120, 'y') + "\n";
  }
  CHECK(shown_message(list) == list);
  CHECK(shown_message(list + list).size() < 8000);
  CHECK(shown_message(std::string("a\0b\x1B[2J\n\tc\x7F", 11)) == "a?b?[2J\n\tc?");
}

TEST_CASE("what is shown commands no terminal, and a name in it ends no line") {
  // CSI as C1, an override, an isolate, no width, an Arabic mark, ends of a line and a paragraph, a mark of byte order.
  CHECK(shown_text("\u009B2J \u202Ea\u2066b\u200Bc\u061Cd\u2028e\u2029f\uFEFFg\u2060") == "?2J ?a?b?c?d?e?f?g?");
  // What borders on them, joiners, what is cut or no UTF-8 at all.
  const std::string shown =
      "\u00A0\u00E4\u200A\u200C\u200D\u2010\u2027\u202F\u205F\u2070\uFEFE\U0001F600 \xE2\x80 \xC2 \x9B";
  CHECK(shown_text(shown) == shown);
  CHECK(shown_message("two\nlines\u202E") == "two\nlines?");
  CHECK(shortened("a\nnote: b\u0085") == "a?note: b?");
  CHECK(shortened(std::string(299, 'x') + "\u20AC\n") == std::string(299, 'x') + "... (303 bytes)");
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
