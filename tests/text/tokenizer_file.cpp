// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/tokenizer_file.hpp>

#include "shapes_tokenizer.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <random>

using namespace qwen35;
using json::Value;

namespace {

std::string changed(const std::function<void(Value&)>& change) {
  Value root = json::parse(shapes::tokenizer_json());
  change(root);
  return json::dump(root);
}

std::string error_of(const std::string& text) {
  try {
    const Tokenizer tokenizer = Tokenizer::from_bytes(text, "file");
  } catch (const TextError& error) {
    return error.what();
  }
  return "no error";
}

bool refused(const char* part, const std::function<void(Value&)>& change) {
  const std::string error = error_of(changed(change));
  CAPTURE(error);
  const bool found = error.find(part) != std::string::npos && error.rfind("file: ", 0) == 0;
  CHECK(found);
  return found;
}

Value& pre_step(Value& root, std::size_t i) {
  return root["pre_tokenizer"]["pretokenizers"].items()[i];
}

}  // namespace

TEST_CASE("the shapes model's file") {
  const TokenizerParts parts = read_tokenizer_file(shapes::tokenizer_json(), "file");
  CHECK(parts.tokens.size() == 433);
  CHECK(parts.merges.size() == 177);
  CHECK(parts.added.size() == 13);
  CHECK(parts.merges[0] == std::pair<std::string, std::string>("r", "e"));
  CHECK(parts.pattern == SplitPattern::qwen35);
  CHECK(parts.nfc);
  CHECK(!parts.ignore_merges);
  CHECK(parts.added[0].content == "<|endoftext|>");
  CHECK(parts.added[0].special);
  CHECK(!parts.added.back().special);
}

TEST_CASE("forms of the same file give the same tokenizer") {
  const std::string text =
      "There's a r\xC3\xA9"
      "d e\xCC\x81 circle<|im_end|>\n";
  const auto ids = Tokenizer::from_bytes(shapes::tokenizer_json()).encode(text);
  const std::function<void(Value&)> changes[] = {
      [](Value& root) {  // merges as strings, with the old file's first line
        Value list = Value::array();
        list.push_back("#version: 0.2");
        for (const Value& merge : root["model"]["merges"].items()) {
          list.push_back(merge.items()[0].as_string() + " " + merge.items()[1].as_string());
        }
        root["model"]["merges"] = list;
      },
      [](Value& root) {  // the members in another order
        Value other = Value::object();
        for (const char* key : {"added_tokens", "decoder", "model", "normalizer", "pre_tokenizer"}) {
          other[key] = root.at(key);
        }
        Value model = Value::object();
        for (const char* key : {"merges", "vocab", "type"}) {
          model[key] = other.at("model").at(key);
        }
        other["model"] = model;
        root = other;
      },
      [](Value& root) {
        Value sequence = Value::object();
        sequence["type"] = "Sequence";
        sequence["normalizers"].push_back(root.at("normalizer"));
        root["normalizer"] = sequence;
      },
      [](Value& root) { root["post_processor"] = root.at("decoder"); },
      [](Value& root) { root["truncation"]["max_length"] = 5; },
      [](Value& root) { root["model"]["unk_token"] = ""; },
      [](Value& root) { root["something"]["model"]["vocab"] = 1; },
  };
  for (const auto& change : changes) {
    CHECK(Tokenizer::from_bytes(changed(change)).encode(text) == ids);
  }
  const std::string older = changed([](Value& root) { pre_step(root, 0)["pattern"]["Regex"] = qwen2_split_regex; });
  CHECK(Tokenizer::from_bytes(older).pattern() == SplitPattern::qwen2);
  const std::string raw = changed([](Value& root) { root["normalizer"] = nullptr; });
  CHECK(Tokenizer::from_bytes(raw).decode(Tokenizer::from_bytes(raw).encode("e\xCC\x81")) == "e\xCC\x81");
}

TEST_CASE("of a member that stands twice the last one counts") {
  std::string text = shapes::tokenizer_json();
  const std::size_t at = text.find("\"model\"");
  text.insert(at, R"("model": {"vocab": {"a": 0}, "merges": [["a", "a"]]}, )");
  CHECK(read_tokenizer_file(text, "file").tokens.size() == 433);
  CHECK(read_tokenizer_file(text, "file").merges.size() == 177);
}

TEST_CASE("what is not of this family is refused by name") {
  refused("model: expected BPE, found Unigram", [](Value& r) { r["model"]["type"] = "Unigram"; });
  refused("model.byte_fallback", [](Value& r) { r["model"]["byte_fallback"] = true; });
  refused("model.unk_token", [](Value& r) { r["model"]["unk_token"] = "<unk>"; });
  refused("model.dropout", [](Value& r) { r["model"]["dropout"] = 0.1; });
  refused("model.continuing_subword_prefix", [](Value& r) { r["model"]["continuing_subword_prefix"] = "##"; });
  refused("model.end_of_word_suffix", [](Value& r) { r["model"]["end_of_word_suffix"] = "</w>"; });
  refused("model.ignore_merges", [](Value& r) { r["model"]["ignore_merges"] = "yes"; });
  refused("normalizer: expected NFC or none", [](Value& r) { r["normalizer"]["type"] = "NFKC"; });
  refused("normalizer", [](Value& r) { r["normalizer"] = "NFC"; });
  refused("decoder: expected ByteLevel", [](Value& r) { r["decoder"] = nullptr; });
  refused("post_processor", [](Value& r) { r["post_processor"]["type"] = "TemplateProcessing"; });
  refused("pre_tokenizer: expected a sequence", [](Value& r) { r["pre_tokenizer"] = nullptr; });
  refused("pre_tokenizer: expected a sequence", [](Value& r) { r["pre_tokenizer"] = Value(pre_step(r, 1)); });
  refused("pre_tokenizer: expected a sequence",
          [](Value& r) { r["pre_tokenizer"]["pretokenizers"].items().pop_back(); });
  refused("unknown split pattern: \\w+", [](Value& r) { pre_step(r, 0)["pattern"]["Regex"] = "\\w+"; });
  refused("pattern.Regex", [](Value& r) { pre_step(r, 0)["pattern"] = "x"; });
  refused("Split.behavior", [](Value& r) { pre_step(r, 0)["behavior"] = "Removed"; });
  refused("Split.invert", [](Value& r) { pre_step(r, 0)["invert"] = true; });
  refused("ByteLevel.add_prefix_space", [](Value& r) { pre_step(r, 1)["add_prefix_space"] = true; });
  refused("ByteLevel.use_regex", [](Value& r) { pre_step(r, 1)["use_regex"] = true; });
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {  // honoured: tests/text/added_vocabulary.cpp
    CHECK(error_of(changed([&](Value& r) { r["added_tokens"].items()[2][key] = true; })) == "no error");
  }
}

TEST_CASE("damaged members are errors that say where") {
  refused("expected an object", [](Value& r) { r = Value::array(); });
  refused("no model", [](Value& r) { r["model"] = 5; });
  refused("model: no vocab", [](Value& r) { r["model"]["vocab"] = Value::array(); });
  refused("model: no merges", [](Value& r) { r["model"]["merges"] = nullptr; });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = "0"; });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = -1; });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = 1.5; });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = Value::object(); });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = Value::array(); });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = 1e30; });
  refused("token \"!\": expected an id", [](Value& r) { r["model"]["vocab"]["!"] = token_id_limit; });
  refused("merge 177: \"a b c\": expected two tokens", [](Value& r) { r["model"]["merges"].push_back("a b c"); });
  refused("merge 177: \"ab\": expected two tokens", [](Value& r) { r["model"]["merges"].push_back("ab"); });
  for (const char* bad : {R"([["a"]])", R"([["a", "b", "c"]])", R"([["a", 1]])", R"([[["a"], "b"]])", R"([{"a": "b"}])",
                          "[1]", "[null]", "[true]", "[1.5]"}) {
    refused("expected two tokens", [&](Value& r) { r["model"]["merges"] = json::parse(bad); });
  }
  refused("added_tokens: expected an array", [](Value& r) { r["added_tokens"] = Value::object(); });
  refused("expected an id", [](Value& r) { r["added_tokens"].items()[0]["id"] = "433"; });
  refused("expected an id", [](Value& r) { r["added_tokens"].items()[0]["id"] = 1LL << 40; });
  refused("expected an id", [](Value& r) { r["added_tokens"].items()[0] = "x"; });
  refused("no content", [](Value& r) { r["added_tokens"].items()[0]["content"] = 1; });
  refused("special: expected true or false", [](Value& r) { r["added_tokens"].items()[0]["special"] = 1; });
}

TEST_CASE("not JSON") {
  CHECK(error_of("").find("file: not valid JSON at byte 0") == 0);
  CHECK(error_of(shapes::tokenizer_json().substr(0, 9000)).find("file: not valid JSON at byte") == 0);
  CHECK(error_of("[1]").find("expected an object") != std::string::npos);
}

TEST_CASE("damaged bytes give a tokenizer or a TextError, never anything else") {
  std::mt19937 random(3);
  const std::string& sound = shapes::tokenizer_json();
  const std::string_view alphabet = "{}[]:,\"\\0e-1tn \xE4\xFF";
  for (int i = 0; i < 1500; ++i) {
    std::string text = sound;
    for (std::size_t k = 0; k <= random() % 3; ++k) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 40);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
      }
    }
    try {
      const Tokenizer tokenizer = Tokenizer::from_bytes(text);
      const std::string sample = "the red <think> circle";
      CHECK(!tokenizer.decode(tokenizer.encode(sample)).empty());
    } catch (const TextError&) {
    }
  }
}
