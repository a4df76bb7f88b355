// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>

#include "shapes_tokenizer.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using Rows = std::vector<std::vector<std::int32_t>>;

namespace {

TokenizerOptions options_of(const json::Value& options) {
  TokenizerOptions out{.return_offsets_mapping = true, .return_special_tokens_mask = true};
  const auto find = [&](std::string_view key) { return options.find(key); };
  const json::Value& padding = options.at("padding");
  out.padding = padding.is_string() ? Padding::max_length : padding.as_bool() ? Padding::longest : Padding::none;
  out.padding_side = options.at("padding_side").as_string() == "left" ? PaddingSide::left : PaddingSide::right;
  out.truncation_side =
      options.at("truncation_side").as_string() == "left" ? TruncationSide::left : TruncationSide::right;
  if (const json::Value* const value = find("truncation")) {
    out.truncation = value->as_bool();
  }
  if (const json::Value* const value = find("max_length")) {
    out.max_length = static_cast<std::size_t>(value->as_integer());
  }
  if (const json::Value* const value = find("pad_to_multiple_of")) {
    out.pad_to_multiple_of = static_cast<std::size_t>(value->as_integer());
  }
  out.split_special_tokens = find("split_special_tokens") != nullptr;
  return out;
}

std::vector<std::string> strings_of(const json::Value& list) {
  std::vector<std::string> out;
  for (const json::Value& text : list.items()) {
    out.push_back(text.as_string());
  }
  return out;
}

Rows rows_of(const json::Value& rows) {
  Rows out;
  for (const json::Value& row : rows.items()) {
    out.push_back(shapes::ids_of(row));
  }
  return out;
}

Rows flat(const std::vector<std::vector<CharSpan>>& rows) {
  Rows out;
  for (const std::vector<CharSpan>& row : rows) {
    out.emplace_back();
    for (const CharSpan& span : row) {
      out.back().push_back(static_cast<std::int32_t>(span.start));
      out.back().push_back(static_cast<std::int32_t>(span.end));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("recorded texts with every combination of options have the reference's rows") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const std::vector<json::Value> cases = shapes::recorded("encodings.jsonl");
  REQUIRE(cases.size() >= 200);
  std::size_t wrong = 0, errors = 0;
  for (const json::Value& entry : cases) {
    const std::vector<std::string> texts = strings_of(entry.at("texts"));
    const TokenizerOptions options = options_of(entry.at("options"));
    if (entry.find("error") != nullptr) {
      CHECK_THROWS_AS(tokenizer(texts, options), InputError);
      ++errors;
      continue;
    }
    const BatchEncoding out = tokenizer(texts, options);
    const bool same = out.input_ids == rows_of(entry.at("input_ids")) &&
                      out.attention_mask == rows_of(entry.at("attention_mask")) &&
                      flat(out.offset_mapping) == rows_of(entry.at("offset_mapping")) &&
                      out.special_tokens_mask == rows_of(entry.at("special_tokens_mask"));
    if (!same && ++wrong <= 3) {
      CAPTURE(json::dump(entry));
      CHECK(out.input_ids == rows_of(entry.at("input_ids")));
      CHECK(out.attention_mask == rows_of(entry.at("attention_mask")));
      CHECK(flat(out.offset_mapping) == rows_of(entry.at("offset_mapping")));
      CHECK(out.special_tokens_mask == rows_of(entry.at("special_tokens_mask")));
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto& mask = out.attention_mask[i];
      wrong += out.lengths[i] != static_cast<std::size_t>(std::count(mask.begin(), mask.end(), 1));
    }
  }
  CHECK(wrong == 0);
  CHECK(errors > 0);
}

TEST_CASE("special tokens and the vocabulary are the reference's") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  std::ifstream file(QWEN35_TEST_DATA "/tokenizer/encodings.jsonl");
  std::string line;
  std::getline(file, line);
  const json::Value facts = json::parse(line);
  const auto named = tokenizer.special_tokens_map();
  const auto& expected = facts.at("special_tokens_map").members();
  REQUIRE(named.size() == expected.size());
  for (std::size_t i = 0; i < named.size(); ++i) {
    CHECK(named[i].first == expected[i].first);
    CHECK(named[i].second == expected[i].second.as_string());
  }
  CHECK(tokenizer.all_special_tokens() == strings_of(facts.at("all_special_tokens")));
  CHECK(tokenizer.all_special_ids() == shapes::ids_of(facts.at("all_special_ids")));
  CHECK(tokenizer.model_max_length() == static_cast<std::size_t>(facts.at("model_max_length").as_integer()));
  const auto vocab = tokenizer.get_vocab();
  CHECK(vocab.size() == static_cast<std::size_t>(facts.at("vocab_size").as_integer()));
  CHECK(vocab.at("\xC4\xA0"
                 "a") == 257);
  const auto added = tokenizer.get_added_vocab();
  CHECK(added.size() == facts.at("added_vocab").size());
  for (const auto& [name, id] : facts.at("added_vocab").members()) {
    CHECK(added.at(name) == id.as_integer());
  }
  CHECK(tokenizer.eos_token() == "<|im_end|>");
  CHECK(tokenizer.pad_token() == "<|endoftext|>");
  CHECK(tokenizer.bos_token() == "");
  CHECK(tokenizer.special_token_id("vision_bos_token") == 436);
  CHECK(tokenizer.special_token("no_such_token") == "");
}

TEST_CASE("one text, several, and a list in braces") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const auto ids = tokenizer.encode("the red circle");
  CHECK(tokenizer("the red circle").input_ids == Rows{ids});
  CHECK(tokenizer(std::string("the red circle")).input_ids == Rows{ids});
  CHECK(tokenizer({"the red circle", "x"}).input_ids == Rows{ids, tokenizer.encode("x")});
  CHECK(tokenizer(std::vector<std::string>{}).input_ids.empty());
  CHECK(tokenizer("a", {.return_attention_mask = false}).attention_mask.empty());
  CHECK(tokenizer("a").offset_mapping.empty());
  CHECK(tokenizer.tokenize("a<|im_end|> a") == std::vector<std::string>{"a", "<|im_end|>",
                                                                        "\xC4\xA0"
                                                                        "a"});
  CHECK(tokenizer.convert_tokens_to_string(tokenizer.tokenize("caf\xC3\xA9 a")) == "caf\xC3\xA9 a");
  CHECK(tokenizer.convert_ids_to_tokens(std::vector<TokenId>{435, 257}, true).size() == 1);
}

TEST_CASE("rows as tensors need one length; padding is left unless the file or the call says otherwise") {
  Tokenizer tokenizer = shapes::tokenizer();
  CHECK_THROWS_WITH_AS(tokenizer({"a", "the red circle"}).ids(), doctest::Contains("ask for padding"), InputError);
  const BatchEncoding out = tokenizer({"a", "the red circle"}, {.padding = Padding::longest});
  CHECK(out.ids().shape() == Shape{2, out.columns()});
  CHECK(out.mask()[0] == 0);
  CHECK(out.ids()[0] == tokenizer.pad_token_id());
  CHECK(out.lengths[0] == 1);
  tokenizer.set_padding_side(PaddingSide::right);
  CHECK(tokenizer({"a", "the red circle"}, {.padding = Padding::longest}).mask()[0] == 1);
  tokenizer.load_config(json::parse(R"({"padding_side": "left", "truncation_side": "left", "pad_token": "<think>"})"));
  CHECK(tokenizer.padding_side() == PaddingSide::left);
  CHECK(tokenizer.truncation_side() == TruncationSide::left);
  CHECK(tokenizer.pad_token_id() == 444);
  CHECK(!tokenizer.model_max_length());
  CHECK_THROWS_WITH_AS(tokenizer("a", {.truncation = true}), doctest::Contains("needs max_length"), InputError);
  CHECK_THROWS_AS(tokenizer.load_config(json::parse(R"({"padding_side": "up"})")), TextError);
  tokenizer.load_config(json::parse(R"({"model_max_length": 1e30})"));
  CHECK(!tokenizer.model_max_length());
  CHECK_THROWS_WITH_AS(tokenizer("a", {.padding = Padding::longest}), doctest::Contains("names no pad_token"),
                       InputError);
  tokenizer.set_special_token("pad_token", "<|endoftext|>");
  // Lengths from outside are held against a limit before anything of theirs is made.
  for (const std::size_t huge : {(std::size_t{1} << 28) + 1, std::size_t{1} << 40, ~std::size_t{0}}) {
    CHECK_THROWS_WITH_AS(tokenizer("a", {.padding = Padding::max_length, .max_length = huge}),
                         doctest::Contains("padding to max_length"), InputError);
    CHECK_THROWS_WITH_AS(tokenizer("a", {.padding = Padding::longest, .pad_to_multiple_of = huge}),
                         doctest::Contains("pad_to_multiple_of"), InputError);
  }
  CHECK_THROWS_WITH_AS(tokenizer({"a", "b", "c"}, {.padding = Padding::max_length, .max_length = std::size_t{1} << 27}),
                       "tokenizer: 3 texts padded to 134217728 tokens are more than 268435456 tokens", InputError);
  CHECK(tokenizer("a", {.padding = Padding::longest, .pad_to_multiple_of = 4}).input_ids ==
        Rows{{433, 433, 433, tokenizer.encode("a")[0]}});
  CHECK_THROWS_AS(tokenizer.set_special_token("pad_token", "<none>"), TextError);
  CHECK_THROWS_WITH_AS(tokenizer({"a", "\xFF"}), "tokenizer: text 1 is not UTF-8 at byte 0", TextError);
}

TEST_CASE("what has no effect, and texts too long for the model, are said in the log") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  LogCapture log;
  tokenizer({"a", "b"}, {.padding = Padding::longest, .max_length = 3});
  REQUIRE(log.messages.size() == 1);
  CHECK(log.messages[0].find("max_length 3 has no effect") != std::string::npos);
  const std::string text(3000, 'x');
  tokenizer(text);
  REQUIRE(log.messages.size() == 2);
  CHECK(log.messages[1].find("a text of 3000 tokens is longer than model_max_length, 2048") != std::string::npos);
  tokenizer(text, {.truncation = true});
  tokenizer(text, {.max_length = 4000});
  Tokenizer named = tokenizer;
  CHECK(log.messages.size() == 2);
  named.load_config(json::parse(R"({"image_token": "<gone>", "extra_special_tokens": ["<think>", "<away>"]})"));
  CHECK(log.messages.size() == 4);
  CHECK(named.all_special_ids() == std::vector<TokenId>{444});
}

TEST_CASE("text of what generate() gives") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const BatchEncoding rows = tokenizer({"a", "the red circle"}, {.padding = Padding::longest});
  const Tensor<TokenId> sequences = rows.ids();
  const std::vector<std::string> expected{"a", "the red circle"};
  CHECK(tokenizer.batch_decode(sequences, true) == expected);
  CHECK(tokenizer.batch_decode(rows.input_ids, true) == expected);
  const std::vector<std::span<const TokenId>> spans{sequences.row(0), sequences.row(1)};
  CHECK(tokenizer.batch_decode(spans, true) == expected);
  CHECK(tokenizer.batch_decode(Tensor<TokenId>({0, 0})).empty());
  // As in the reference, a byte-level BPE has no spaces to clean up; asking for it is a warning.
  LogCapture log;
  const std::vector<TokenId> spaced = tokenizer.encode("the red circle . It 's");
  CHECK(tokenizer.decode(spaced, true, false) == "the red circle . It 's");
  CHECK(log.messages.empty());
  CHECK(tokenizer.decode(spaced, true, true) == "the red circle . It 's");
  CHECK(tokenizer.batch_decode(rows.input_ids, true, true) == expected);
  CHECK(tokenizer.batch_decode(sequences, true, true) == expected);
  CHECK(log.messages.size() == 3);
}
