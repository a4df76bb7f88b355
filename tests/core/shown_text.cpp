// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/error.hpp>
#include <qwen35/core/shown_text.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

using namespace qwen35;
using test_support::message_of;

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
