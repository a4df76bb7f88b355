// SPDX-License-Identifier: Apache-2.0
#include "shapes_tokenizer.hpp"

#include <qwen35/text/tokenizer_chat.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

const std::vector<Message> question{Message::user("What is red?")};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The shapes tokenizer in memory beside a chat template.
Tokenizer with_template(std::string_view jinja) {
  const NamedBytes files[] = {{"tokenizer.json", bytes_of(shapes::tokenizer_json())},
                              {"chat_template.jinja", bytes_of(jinja)}};
  return Tokenizer::from_pretrained(ModelFolder::from_bytes(files));
}

}  // namespace

TEST_CASE("a conversation becomes the text and the ids of the tokenizer's own template") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const std::string text = "<|im_start|>user\nWhat is red?<|im_end|>\n<|im_start|>assistant\n<think>\n";
  CHECK(tokenizer.render(question, {.add_generation_prompt = true}).text == text);
  CHECK(tokenizer.apply_chat_template(question, {.add_generation_prompt = true}).input_ids ==
        std::vector<std::vector<TokenId>>{tokenizer.encode(text)});
  CHECK(tokenizer
            .apply_chat_template(json::parse(R"([{"role": "user", "content": "What is red?"}])"),
                                 {.add_generation_prompt = true})
            .input_ids == std::vector<std::vector<TokenId>>{tokenizer.encode(text)});
  const Tokenizer own = with_template("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}");
  CHECK(own.render(question).text == "[user] What is red?\n");
  CHECK(own.apply_chat_template(question).input_ids ==
        std::vector<std::vector<TokenId>>{tokenizer.encode("[user] What is red?\n")});
  CHECK(tokenizer.render(question, {.chat_template = own.chat_template()}).text == "[user] What is red?\n");
}

TEST_CASE("conversations of different lengths, padded together") {
  const Tokenizer& tokenizer = shapes::tokenizer();
  const std::vector<std::vector<Message>> conversations{question, {Message::user("a")}};
  const BatchEncoding out =
      tokenizer.apply_chat_template(conversations, {.tokenizer_kwargs = {.padding = Padding::longest}});
  REQUIRE(out.input_ids.size() == 2);
  CHECK(out.ids().shape()[1] == out.lengths[0]);
  CHECK(out.lengths[1] < out.lengths[0]);
  CHECK(tokenizer.batch_decode(out.input_ids, true)[1].find("a") != std::string::npos);
}

TEST_CASE("a template that is not there or cannot be rendered is an error of the call, not of the tokenizer") {
  Tokenizer bare = Tokenizer::from_bytes(shapes::tokenizer_json());
  CHECK_THROWS_WITH_AS(bare.render(question), doctest::Contains("no chat template"), TextError);
  bare.set_chat_template(chat_templates::qwen3_5_thinking_off);
  CHECK(bare.render(question, {.add_generation_prompt = true}).text.ends_with("<think>\n\n</think>\n\n"));
  const Tokenizer broken = with_template("{% for m in %}");
  CHECK(broken.encode("a").size() == 1);
  CHECK_THROWS_AS(broken.render(question), TextError);
}
