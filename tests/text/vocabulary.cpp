// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/vocabulary.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace qwen35;

TEST_CASE("the printable alphabet is a bijection of the 256 bytes") {
  const ByteAlphabet& alphabet = ByteAlphabet::instance();
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    std::string back;
    CHECK(alphabet.append_bytes(alphabet.printable(bytes), back));
    CHECK(back == bytes);
  }
  CHECK(alphabet.printable(" the\n") == "\xC4\xA0the\xC4\x8A");
  CHECK(alphabet.printable("\xC3\xA9") == "\xC3\x83\xC2\xA9");
  CHECK(alphabet.printable(std::string("\0\xAD\x7F", 3)) == "\xC4\x80\xC5\x83\xC4\xA1");
}

TEST_CASE("what is not of the alphabet") {
  const ByteAlphabet& alphabet = ByteAlphabet::instance();
  for (const char* text : {" ", "a b", "\n", "\xC2\xAD", "\xC5\x84", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80", "\xC4", "\xFF",
                           "a\x80", "\xC4\x20"}) {
    std::string out = "x";
    CHECK(!alphabet.append_bytes(text, out));
    CHECK(out == "x");
  }
}

TEST_CASE("tokens by id, by bytes and by name") {
  TokenTable table;
  table.add(7, "\xC4\xA0the");
  table.add(0, "a b");
  table.add(3, "\xE4\xB8\xAD");
  table.add(4,
            "a\xC4\xA0"
            "b");
  CHECK(table.size() == 4);
  CHECK(table.id_end() == 8);
  CHECK(table.find(" the") == 7);
  CHECK(table.find("the") == -1);
  CHECK(table.find("a b") == 4);
  CHECK(table.find_name("a b") == 0);
  CHECK(table.find_name("a\xC4\xA0"
                        "b") == 4);
  CHECK(table.find_name("\xE4\xB8\xAD") == 3);
  CHECK(table.find("\xE4\xB8\xAD") ==
        -1);  // the name of token 3 is outside the alphabet, it is no text of the base vocabulary
  CHECK(table.bytes(7) == " the");
  CHECK(table.bytes(3) == "\xE4\xB8\xAD");
  CHECK(table.token(7) == "\xC4\xA0the");
  CHECK(table.token(3) == "\xE4\xB8\xAD");
  CHECK(table.token(0) == "a b");
  for (const TokenId absent : {-1, 1, 8, 1 << 30}) {
    CHECK(!table.contains(absent));
    CHECK(table.bytes(absent).empty());
    CHECK(table.token(absent).empty());
  }
  CHECK(TokenTable().find("a") == -1);
}

TEST_CASE("an id or a name twice is an error") {
  TokenTable table;
  table.add(1, "a");
  table.add(1, "a");
  CHECK(table.size() == 1);
  CHECK_THROWS_WITH_AS(table.add(1, "b"), "tokenizer: tokens \"a\" and \"b\" both have id 1", TextError);
  CHECK_THROWS_WITH_AS(table.add(2, "a"), "tokenizer: token \"a\" has the ids 1 and 2", TextError);
  CHECK_THROWS_AS(table.add(-1, "c"), TextError);
  CHECK_THROWS_AS(table.add(token_id_limit, "c"), TextError);
  CHECK(table.find("b") == -1);
  CHECK(table.bytes(1) == "a");
}

TEST_CASE("many tokens") {
  TokenTable table;
  std::mt19937 random(1);
  std::vector<std::string> names;
  for (int i = 0; i < 20000; ++i) {
    std::string name = std::to_string(i);
    for (std::size_t k = random() % 30; k > 0; --k) {
      name += static_cast<char>('a' + random() % 26);
    }
    names.push_back(name);
    table.add(3 * i, name);
  }
  int wrong = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string& name = names[static_cast<std::size_t>(i)];
    wrong += table.find(name) != 3 * i || table.bytes(3 * i) != name || table.contains(3 * i + 1) ||
             table.find(name + "!") != -1;
  }
  CHECK(wrong == 0);
}
