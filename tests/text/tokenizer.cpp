// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/text/tokenizer_file.hpp>
#include <qwen35/unicode/nfc.hpp>

#include "shapes_tokenizer.hpp"

#include <doctest/doctest.h>

#include "support/message_of.hpp"

#include <thread>

using namespace qwen35;
using Ids = std::vector<TokenId>;

namespace {

std::string digest(const Ids& ids) {
  std::uint64_t value = 0xCBF29CE484222325u;
  for (const TokenId id : ids) {
    for (int shift = 0; shift < 32; shift += 8) {
      value = (value ^ (static_cast<std::uint32_t>(id) >> shift & 255)) * 0x100000001B3u;
    }
  }
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(value));
  return hex;
}

const std::vector<json::Value>& strings() {
  static const std::vector<json::Value> cases = shapes::recorded("strings.jsonl");
  REQUIRE(cases.size() == 20000);
  return cases;
}

TokenizerParts shapes_parts() {
  return read_tokenizer_file(shapes::tokenizer_json(), "shapes");
}

// Source: the family's pipeline. NFC of each stretch between added tokens.
std::string normal_form(const std::string& text) {
  AddedVocabulary added;
  for (const AddedToken& token : shapes_parts().added) {
    added.add(token.content, token);
  }
  std::string out;
  std::size_t start = 0;
  for (auto match = added.find(text, 0); match.start != std::string_view::npos; match = added.find(text, start)) {
    out +=
        unicode::nfc(std::string_view(text).substr(start, match.start - start)) + text.substr(match.start, match.size);
    start = match.start + match.size;
  }
  return out + unicode::nfc(std::string_view(text).substr(start));
}

}  // namespace

TEST_CASE("20,000 recorded strings have the reference's ids, with and without added tokens") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  int wrong = 0;
  for (const json::Value& entry : strings()) {
    const std::string& text = entry.items()[0].as_string();
    const std::string& with = entry.items()[1].as_string();
    const std::string& without = entry.items().back().as_string();
    if ((digest(tokenizer.encode(text)) != with || digest(tokenizer.encode(text, added_tokens::none)) != without) &&
        ++wrong <= 3) {
      CAPTURE(text);
      CHECK(digest(tokenizer.encode(text)) == with);
      CHECK(digest(tokenizer.encode(text, added_tokens::none)) == without);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("round trip is the text in NFC between added tokens") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  int wrong = 0;
  for (std::size_t i = 0; i < 5000; ++i) {
    const std::string& text = strings()[i].items()[0].as_string();
    const Ids ids = tokenizer.encode(text);
    wrong += tokenizer.decode(ids) != normal_form(text);
    wrong += tokenizer.count(text) != ids.size();
    wrong += tokenizer.decode(tokenizer.encode(text, added_tokens::none)) != unicode::nfc(text);
  }
  CHECK(wrong == 0);
}

TEST_CASE("1,200 recorded lists of ids have the reference's text") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const std::vector<json::Value> cases = shapes::recorded("decode.jsonl");
  REQUIRE(cases.size() == 1200);
  for (const json::Value& entry : cases) {
    const Ids ids = shapes::ids_of(entry.items()[0]);
    CHECK(tokenizer.decode(ids) == entry.items()[1].as_string());
    CHECK(tokenizer.decode(ids, true) == entry.items()[2].as_string());
  }
}

TEST_CASE("skipped special tokens do not separate bytes; ids without a token give nothing") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const Ids euro = tokenizer.encode("\xE2\x82\xAC");
  REQUIRE(euro.size() == 3);
  const TokenId end = tokenizer.eos_token_id();
  const Ids ids{euro[0], euro[1], end, 1000000, -5, euro[2]};
  CHECK(tokenizer.decode(ids, true) == "\xE2\x82\xAC");
  CHECK(tokenizer.decode(ids) == "\xEF\xBF\xBD<|im_end|>\xEF\xBF\xBD");
  CHECK(tokenizer.decode_bytes(Ids{euro[0]}) == "\xE2");
  CHECK(tokenizer.decode(Ids{}) == "");
}

TEST_CASE("added tokens of the text, or plain characters") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const Ids parsed = tokenizer.encode("a<|im_end|>\xCC\x81");
  CHECK(parsed.size() == 4);
  CHECK(parsed[1] == tokenizer.eos_token_id());
  const Ids plain = tokenizer.encode("a<|im_end|>\xCC\x81", added_tokens::none);
  for (const TokenId id : plain) {
    CHECK(!tokenizer.is_added(id));
  }
  CHECK(tokenizer.decode(plain) == "a<|im_end|>\xCC\x81");
  CHECK(tokenizer.encode("").empty());
  CHECK(tokenizer.encode("<|im_end|>").size() == 1);
  CHECK(tokenizer.encode("<|im_end|").size() > 1);
}

TEST_CASE("ill-formed UTF-8: an error with the offset, or replaced") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  CHECK_THROWS_WITH_AS(tokenizer.encode("abc\xFFz"), "encode: the text is not UTF-8 at byte 3", TextError);
  CHECK_THROWS_WITH_AS(tokenizer.encode("<|im_end|>\xE4\xB8"), "encode: the text is not UTF-8 at byte 10", TextError);
  CHECK_THROWS_AS(tokenizer.encode("\xED\xA0\x80"), TextError);
  CHECK_THROWS_AS(tokenizer.count("\x80"), TextError);
  CHECK(tokenizer.encode_lossy("abc\xE4\xB8z") == tokenizer.encode("abc\xEF\xBF\xBDz"));
  CHECK(tokenizer.encode_lossy("\xED\xA0\x80") == tokenizer.encode("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
  CHECK(tokenizer.encode_lossy("fine") == tokenizer.encode("fine"));
  CHECK_THROWS_WITH_AS(tokenizer.encode(std::vector<std::string>{"a", "b", "c\xC0"}),
                       "tokenizer: text 2 is not UTF-8 at byte 1", TextError);
}

TEST_CASE("a batch of texts is encoded as each alone") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 300; ++i) {
    texts.push_back(strings()[i].items()[0].as_string());
  }
  const std::vector<Ids> batch = tokenizer.encode(texts);
  const std::vector<std::string> back = tokenizer.batch_decode(batch, true);
  REQUIRE(batch.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK(batch[i] == tokenizer.encode(texts[i]));
    CHECK(back[i] == tokenizer.decode(batch[i], true));
  }
  CHECK(tokenizer.encode(std::vector<std::string>{}).empty());
}

TEST_CASE("tokens by name") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  CHECK(tokenizer.vocab_size() == 433);
  CHECK(tokenizer.size() == 446);
  CHECK(tokenizer.id_end() == 446);
  CHECK(tokenizer.eos_token_id() == 435);
  CHECK(tokenizer.pad_token_id() == 433);
  CHECK(tokenizer.bos_token_id() == -1);
  CHECK(tokenizer.unk_token_id() == -1);
  CHECK(tokenizer.convert_tokens_to_ids("<|im_start|>") == 434);
  CHECK(tokenizer.convert_tokens_to_ids("\xC4\xA0"
                                        "a") == 257);
  CHECK(tokenizer.convert_tokens_to_ids(" a") == -1);
  CHECK(tokenizer.convert_tokens_to_ids("no such token") == -1);
  CHECK(tokenizer.convert_ids_to_tokens(257) ==
        "\xC4\xA0"
        "a");
  CHECK(tokenizer.convert_ids_to_tokens(435) == "<|im_end|>");
  CHECK(tokenizer.convert_ids_to_tokens(446) == "");
  CHECK(tokenizer.token_bytes(257) == " a");
  CHECK(tokenizer.is_special(435));
  CHECK(!tokenizer.is_special(444));
  CHECK(tokenizer.is_added(444));
  CHECK(!tokenizer.is_added(257));
  CHECK(!tokenizer.is_special(-1));
  CHECK(!tokenizer.is_special(1 << 30));
  const std::vector<std::string> names{"<think>", "?"};
  CHECK(tokenizer.convert_ids_to_tokens(tokenizer.convert_tokens_to_ids(names)) == names);
  for (TokenId id = 0; static_cast<std::size_t>(id) < tokenizer.id_end(); ++id) {
    CHECK(tokenizer.convert_tokens_to_ids(tokenizer.convert_ids_to_tokens(id)) == id);
  }
}

TEST_CASE("two tokenizers on one thread, and one on many threads") {
  TokenizerParts older = shapes_parts();
  older.pattern = SplitPattern::qwen2;
  older.merges.resize(60);
  const Tokenizer second(older);
  const Tokenizer& first = shapes::tokenizer();
  std::vector<Ids> first_ids;
  std::vector<Ids> second_ids;
  const auto text = [](std::size_t i) -> const std::string& { return strings()[i].items()[0].as_string(); };
  for (std::size_t i = 0; i < 1000; ++i) {
    first_ids.push_back(first.encode(text(i)));
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    second_ids.push_back(second.encode(text(i)));
  }
  CHECK(first_ids != second_ids);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < 1000; ++i) {
        wrong[t] += first.encode(text(i)) != first_ids[i];
        wrong[t] += second.encode(text(i)) != second_ids[i];
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("a copy and a moved tokenizer encode as the first") {
  Tokenizer first(shapes_parts());
  const std::string text = "There is a red circle. <|im_end|>";
  const Ids ids = first.encode(text);
  const Tokenizer copy = first;
  CHECK(copy.encode(text) == ids);
  const Tokenizer moved = std::move(first);
  CHECK(moved.encode(text) == ids);
}

TEST_CASE("a tokenizer out of parts") {
  TokenizerParts parts = shapes_parts();
  const std::string text = "the red circle \xCC\x81";
  parts.nfc = false;
  CHECK(Tokenizer(parts).decode(Tokenizer(parts).encode("e\xCC\x81")) == "e\xCC\x81");
  parts = shapes_parts();
  parts.merges.clear();
  CHECK(Tokenizer(parts).encode(" the").size() == 4);
  parts.ignore_merges = true;
  CHECK(Tokenizer(parts).encode(" the").size() == 1);
}

// Checked with the reference: an added token with normalized=true is looked for in the normalised stretches, by its own
// normalised content.
TEST_CASE("added tokens that are looked for after normalisation") {
  TokenizerParts parts = shapes_parts();
  parts.added.push_back({446, "zz", false, true});
  parts.added.push_back({447, "e\xCC\x81q", true, true});
  const Tokenizer tokenizer(parts);
  CHECK(tokenizer.encode("zz") == Ids{446});
  CHECK(tokenizer.encode("\xC3\xA9q<think>e\xCC\x81q") == Ids{447, 444, 447});
  CHECK(tokenizer.encode("zz", added_tokens::none) == shapes::tokenizer().encode("zz"));
  CHECK(tokenizer.is_special(447));
}

// Checked with the reference: names of added tokens go through the byte alphabet in decoding.
TEST_CASE("added tokens outside ASCII") {
  TokenizerParts parts = shapes_parts();
  const TokenId latin = Tokenizer(parts).convert_tokens_to_ids("\xC3\xA9");
  parts.added.push_back({latin, "\xC3\xA9", false, false});
  parts.added.push_back({446,
                         "a\xC4\xA0"
                         "b",
                         false, false});
  parts.added.push_back({447, "\xE4\xB8\xAD\xC3\xA9", false, false});
  parts.added.push_back({448, "x y", false, false});
  parts.added.push_back({449, "", false, false});
  const Tokenizer tokenizer(parts);
  CHECK(tokenizer.encode("\xC3\xA9") == Ids{latin});
  CHECK(tokenizer.decode(Ids{latin}) == "\xEF\xBF\xBD");
  CHECK(tokenizer.encode("a\xC4\xA0"
                         "b\xE4\xB8\xAD\xC3\xA9x y") == Ids{446, 447, 448});
  CHECK(tokenizer.decode(Ids{446, 447, 448}) == "a b\xE4\xB8\xAD\xC3\xA9x y");
  CHECK(tokenizer.convert_ids_to_tokens(446) ==
        "a\xC4\xA0"
        "b");
  CHECK(!tokenizer.contains(449));
}

TEST_CASE("added tokens that strip, stand alone or are normalised, as the reference reads them") {
  json::Value file = json::parse(shapes::tokenizer_json());
  const json::Value published = file.at("added_tokens");
  std::optional<Tokenizer> tokenizer;
  std::string added;
  int wrong = 0, count = 0;
  for (const json::Value& line : shapes::recorded("added_flags.jsonl")) {
    if (line.is_object()) {
      file["added_tokens"] = published;
      for (const json::Value& token : line.at("added").items()) {
        file["added_tokens"].push_back(token);
      }
      tokenizer = Tokenizer::from_bytes(json::dump(file));
      added = json::dump(line);
      continue;
    }
    ++count;
    const std::string& text = line.items()[0].as_string();
    const BatchEncoding out = (*tokenizer)(text, {.return_offsets_mapping = true});
    CHECK(tokenizer->encode(text) == out.input_ids[0]);
    Ids places;
    for (const CharSpan& span : out.offset_mapping[0]) {
      places.push_back(static_cast<TokenId>(span.start));
      places.push_back(static_cast<TokenId>(span.end));
    }
    if ((out.input_ids[0] != shapes::ids_of(line.items()[1]) || places != shapes::ids_of(line.items()[2])) &&
        ++wrong <= 5) {
      std::string got;
      for (const Ids& list : {out.input_ids[0], places}) {
        for (const TokenId id : list) {
          got += " " + std::to_string(id);
        }
        got += ";";
      }
      MESSAGE(added, "\n", json::dump(line), "\ngives", got);
    }
  }
  CHECK(wrong == 0);
  CHECK(count > 500);
}

TEST_CASE("a tokenizer saved again by the reference, with steps that change nothing") {
  json::Value file = json::parse(shapes::tokenizer_json());
  const json::Value original = file;
  const auto problem = [&](const char* key, const char* text) {
    file = original;
    file[key] = json::parse(text);
    return test_support::message_of<TextError>([&] { Tokenizer::from_bytes(json::dump(file)); });
  };
  constexpr const char* bytes =
      R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})";
  constexpr const char* nothing =
      R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {}})";
  const std::string both = concat(R"({"type": "Sequence", "processors": [)", bytes, ", ", nothing, "]}");
  for (const std::string_view post :
       {std::string_view("null"), std::string_view(bytes), std::string_view(nothing), std::string_view(both)}) {
    CHECK(problem("post_processor", std::string(post).c_str()).empty());
  }
  CHECK(problem("normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFC"}]})").empty());
  CHECK(problem("normalizer", R"({"type": "Sequence", "normalizers": []})").empty());
  CHECK(problem("decoder", R"({"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "Fuse"}]})").empty());
  const std::string wrong =
      R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]})";
  CHECK(problem("post_processor", wrong.c_str())
            .starts_with("tokenizer.json: post_processor: {\"type\": \"TemplateProcessing\""));
  CHECK(problem("normalizer", R"({"type": "Lowercase"})") ==
        R"(tokenizer.json: normalizer: expected NFC or none, found {"type": "Lowercase"})");
  CHECK(problem("decoder", R"({"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "Strip"}]})") ==
        R"(tokenizer.json: decoder: {"type": "Strip"} is not of this family of tokenizers)");
}

TEST_CASE("parts that contradict each other are errors") {
  const auto refused = [](std::string_view part, void (*change)(TokenizerParts&)) {
    TokenizerParts parts = shapes_parts();
    change(parts);
    std::string error = "no error";
    try {
      const Tokenizer tokenizer(parts);
    } catch (const TextError& caught) {
      error = caught.what();
    }
    CAPTURE(error);
    CHECK(error.find(part) != std::string::npos);
  };
  refused("no error", [](TokenizerParts&) {});
  refused("no token for byte", [](TokenizerParts& p) { p.tokens.erase(p.tokens.begin()); });
  refused("both have id 5", [](TokenizerParts& p) { p.tokens[300].second = 5; });
  refused("has the ids", [](TokenizerParts& p) { p.tokens.emplace_back(p.tokens[5].first, 500); });
  refused("has id -1", [](TokenizerParts& p) { p.tokens[300].second = -1; });
  refused("expected 0 to", [](TokenizerParts& p) { p.tokens[300].second = token_id_limit; });
  refused("merge 177 (\"z\", \"z\")", [](TokenizerParts& p) { p.merges.emplace_back("z", "z"); });
  refused("does not have", [](TokenizerParts& p) { p.merges.emplace_back("zq", "z"); });
  refused("does not have", [](TokenizerParts& p) { p.merges.emplace_back(" ", "z"); });
  refused("both have id 434", [](TokenizerParts& p) { p.added[0].id = 434; });
  refused("both have id 3", [](TokenizerParts& p) { p.added[0].id = 3; });
  refused("has the ids 444 and 450", [](TokenizerParts& p) { p.added.push_back({450, "<think>", false, false}); });
  refused("not UTF-8", [](TokenizerParts& p) { p.added[0].content = "\xFF"; });
}

TEST_CASE("tokenizer_config.json") {
  Tokenizer tokenizer(shapes_parts());
  CHECK(tokenizer.eos_token_id() == -1);
  tokenizer.load_config(json::parse(
      R"({"eos_token": {"content": "<|im_end|>", "special": true}, "pad_token": "<|endoftext|>", "bos_token": null, "unk_token": "<think>",
      "added_tokens_decoder": {"435": {"content": "<|im_end|>", "special": true}, "450": {"content": "<new>", "special": true, "normalized": false}}})"));
  CHECK(tokenizer.eos_token_id() == 435);
  CHECK(tokenizer.pad_token_id() == 433);
  CHECK(tokenizer.bos_token_id() == -1);
  CHECK(tokenizer.unk_token_id() == 444);
  CHECK(tokenizer.encode("<new>") == Ids{450});
  CHECK(tokenizer.is_special(450));
  const auto load = [&](const char* text) { tokenizer.load_config(json::parse(text)); };
  CHECK_THROWS_WITH_AS(load(R"({"eos_token": "<none>"})"),
                       doctest::Contains("eos_token: the tokenizer has no token \"<none>\""), TextError);
  CHECK_THROWS_AS(load(R"({"pad_token": 5})"), TextError);
  CHECK_THROWS_AS(load("[]"), TextError);
  CHECK_THROWS_AS(load(R"({"added_tokens_decoder": {"x": {"content": "<y>"}}})"), TextError);
  CHECK_THROWS_AS(load(R"({"added_tokens_decoder": {"460": {}}})"), TextError);
  CHECK_THROWS_AS(load(R"({"added_tokens_decoder": {"460": {"content": "<think>"}}})"), TextError);
}

TEST_CASE("files that are not there") {
  CHECK_THROWS_WITH_AS(Tokenizer::from_file("/no/such/tokenizer.json"),
                       "/no/such/tokenizer.json: cannot be opened: No such file or directory", TextError);
  CHECK_THROWS_AS(Tokenizer::from_pretrained("/no/such"), TextError);
  CHECK_THROWS_AS(Tokenizer::from_file(shapes::folder), TextError);
}

// Quadratic ways of splitting or merging take hours here.
TEST_CASE("a million bytes without a break") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  for (const std::string& unit : {std::string("a"), std::string(" "), std::string("the"), std::string("\n \n"),
                                  std::string("\xCC\x81"), std::string("=<"), std::string("\xE4\xB8\xAD")}) {
    std::string text;
    while (text.size() < 1000000) {
      text += unit;
    }
    CAPTURE(unit);
    CHECK((tokenizer.decode(tokenizer.encode(text)) == text));
  }
}
