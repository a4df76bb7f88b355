// SPDX-License-Identifier: Apache-2.0
#include "shapes_tokenizer.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using Ids = std::vector<TokenId>;

TEST_CASE("the pieces are the whole decoding, and each is well formed") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  int wrong = 0;
  for (const json::Value& entry : shapes::recorded("decode.jsonl")) {
    const Ids ids = shapes::ids_of(entry.items()[0]);
    for (const bool skip : {false, true}) {
      StreamDecoder stream(tokenizer, skip);
      std::string text;
      for (const TokenId id : ids) {
        const std::string piece = stream.push(id);
        wrong += unicode::find_ill_formed(piece) != std::string_view::npos;
        text += piece;
      }
      text += stream.finish();
      wrong += text != entry.items()[skip ? 2 : 1].as_string();
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a character comes with its last byte") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const Ids face = tokenizer.encode("\xF0\x9F\x98\x80");
  REQUIRE(face.size() == 4);
  StreamDecoder stream(tokenizer);
  CHECK(stream.push(face[0]) == "");
  CHECK(stream.push(face[1]) == "");
  CHECK(stream.push(face[2]) == "");
  CHECK(stream.push(face[3]) == "\xF0\x9F\x98\x80");
  CHECK(stream.finish() == "");
}

TEST_CASE("an incomplete character at the end or before other text") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const Ids face = tokenizer.encode("\xF0\x9F\x98\x80");
  const TokenId x = tokenizer.encode("x")[0];
  StreamDecoder stream(tokenizer, true);
  CHECK(stream.push(face[0]) == "");
  CHECK(stream.push(face[1]) == "");
  CHECK(stream.finish() == "\xEF\xBF\xBD");
  CHECK(stream.finish() == "");
  CHECK(stream.push(face[0]) == "");
  CHECK(stream.push(tokenizer.eos_token_id()) == "");
  CHECK(stream.push(100000) == "");
  CHECK(stream.push(x) == "\xEF\xBF\xBDx");
  CHECK(stream.push(face[3]) == "\xEF\xBF\xBD");
}
