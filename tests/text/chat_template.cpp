// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/chat_template.hpp>

#include <qwen35/json/parse.hpp>
#include <qwen35/text/chat_json.hpp>
#include <qwen35/text/chat_template_continue.hpp>
#include <qwen35/text/chat_template_text.hpp>
#include <qwen35/text/sha256.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

using namespace qwen35;

namespace {

ChatTemplateOptions options_of(const json::Value& record) {
  ChatTemplateOptions options;
  const ChatTemplate variants[] = {chat_templates::qwen3_5, chat_templates::qwen3_5_thinking_off,
                                   chat_templates::qwen3_6};
  options.chat_template = variants[record.at("v").as_integer()];
  const json::Value* given = record.find("o");
  if (given == nullptr) {
    return options;
  }
  for (const auto& [name, value] : given->members()) {
    if (name == "add_generation_prompt") {
      options.add_generation_prompt = value.as_bool();
    } else if (name == "enable_thinking") {
      options.enable_thinking = value.is_null() ? std::nullopt : std::optional<bool>(value.as_bool());
    } else if (name == "add_vision_id") {
      options.add_vision_id = value.as_bool();
    } else if (name == "preserve_thinking") {
      options.preserve_thinking = value.as_bool();
    } else if (name == "continue_final_message") {
      options.continue_final_message = true;
      options.continued_field = value.is_string() && value.as_string() == "reasoning_content"
                                    ? ContinuedField::reasoning_content
                                    : ContinuedField::content;
    } else {
      FAIL("unknown option ", name);
    }
  }
  return options;
}

// The rendered chat, or the error's text in `error`.
template <class Messages, class Tools>
RenderedChat try_render(const Messages& messages, const Tools& tools, const ChatTemplateOptions& options,
                        std::string& error) {
  error.clear();
  try {
    return render_chat(messages, tools, options);
  } catch (const TextError& caught) {
    error = caught.what();
    return {};
  }
}

bool as_recorded(const std::string& text, const json::Value& record) {
  if (const json::Value* whole = record.find("x")) {
    return text == whole->as_string();
  }
  const json::Value* digest = record.find("h");
  return digest != nullptr && static_cast<std::int64_t>(text.size()) == digest->items()[0].as_integer() &&
         sha256_hex(text).substr(0, 16) == digest->items()[1].as_string();
}

// What must hold of every rendered chat.
void check_structure(const RenderedChat& chat, std::size_t message_count) {
  REQUIRE(chat.message_ends.size() == message_count);
  std::size_t before = chat.preamble_end;
  for (const std::size_t end : chat.message_ends) {
    REQUIRE(end >= before);
    before = end;
  }
  REQUIRE(before <= chat.text.size());
  std::size_t last_offset = 0;
  for (const RenderedMedium& medium : chat.media) {
    const std::string pad = medium.type == PartType::image ? "<|image_pad|>" : "<|video_pad|>";
    REQUIRE(chat.text.compare(medium.text_offset, pad.size(), pad) == 0);
    REQUIRE(medium.text_offset > last_offset);
    REQUIRE(medium.text_offset < chat.message_ends[medium.message_index]);
    REQUIRE((medium.message_index == 0 || medium.text_offset > chat.message_ends[medium.message_index - 1]));
    last_offset = medium.text_offset;
  }
}

std::string error_of(const std::string& messages, const std::string& tools = "null",
                     const ChatTemplateOptions& options = {}) {
  std::string error;
  try_render(json::parse(messages), json::parse(tools), options, error);
  return error;
}

}  // namespace

TEST_CASE("renders as the reference's apply_chat_template does") {
  std::ifstream file(QWEN35_TEST_DATA "/chat_template/cases.jsonl");
  REQUIRE(file.good());
  std::string line;
  std::getline(file, line);
  REQUIRE(json::parse(line).find("transformers") != nullptr);
  int count = 0;
  int errors = 0;
  int typed = 0;
  int wrong = 0;
  while (std::getline(file, line)) {
    ++count;
    const json::Value record = json::parse(line);
    const json::Value& messages = record.at("m");
    const json::Value tools = record.find("t") != nullptr ? record.at("t") : json::Value();
    const ChatTemplateOptions options = options_of(record);
    std::string error;
    const RenderedChat chat = try_render(messages, tools, options, error);
    bool right;
    if (const json::Value* expected = record.find("e"); expected != nullptr || record.find("r") != nullptr) {
      ++errors;
      right = !error.empty() && (expected == nullptr || error.starts_with(expected->as_string()));
    } else {
      right = error.empty() && as_recorded(chat.text, record);
    }
    if (right && error.empty()) {
      check_structure(chat, messages.size());
      try {
        const std::vector<Message> list = messages_from_json(messages, SourcePolicy::everything());
        const std::vector<json::Value> tool_list = tools_from_json(tools);
        const RenderedChat again = render_chat(list, tool_list, options);
        right = again.text == chat.text && again.media == chat.media && again.message_ends == chat.message_ends;
        right = right && messages_from_json(messages_to_json(list), SourcePolicy::everything()) == list;
        ++typed;
      } catch (const TextError&) {
        // The typed form is stricter (a number as reasoning_content, ...).
      }
    }
    if (!right && ++wrong <= 5) {
      MESSAGE("case ", count, ": ", line, "\ngives ", error.empty() ? chat.text : error);
    }
  }
  MESSAGE(count, " conversations, ", errors, " of them errors; ", typed, " also typed");
  CHECK(wrong == 0);
  CHECK(count >= 2000);
  CHECK(errors >= count / 10);
  CHECK(typed >= count / 2);
}

TEST_CASE("the fixed usage paragraph is the published one") {
  CHECK(sha256_hex(tools_closing.substr(std::string_view("\n</tools>").size())) ==
        "c618bf70de036a3337fbf9cfaf7171d7b700d3e116d61b6f4a40511e1ab4e25b");
}

TEST_CASE("a conversation with everything, by hand") {
  std::vector<Message> messages = {Message::system("Be brief."),
                                   Message::user(std::vector<ContentPart>{
                                       ContentPart::text("See "), ContentPart::image("a.png"), ContentPart::video()}),
                                   Message::assistant(" Look up. "),
                                   Message::tool("sunny"),
                                   Message::tool("warm"),
                                   Message::assistant("Fine.")};
  messages[2].reasoning_content = "hm";
  messages[2].tool_calls.push_back(
      {"weather", json::parse(R"({"city": "Kyōto", "days": 2, "raw": true, "opt": {"a": [1.0, null]}})"), "id1"});
  ChatTemplateOptions options;
  options.add_generation_prompt = true;
  options.add_vision_id = true;
  const RenderedChat chat = render_chat(messages, {}, options);
  const std::string parts[] = {"<|im_start|>system\nBe brief.<|im_end|>\n",
                               "<|im_start|>user\nSee Picture 1: <|vision_start|><|image_pad|><|vision_end|>Video 1: "
                               "<|vision_start|><|video_pad|><|vision_end|><|im_end|>\n",
                               "<|im_start|>assistant\n<think>\nhm\n</think>\n\nLook "
                               "up.\n\n<tool_call>\n<function=weather>\n<parameter=city>\nKyōto\n</parameter>\n"
                               "<parameter=days>\n2\n</parameter>\n<parameter=raw>\nTrue\n</"
                               "parameter>\n<parameter=opt>\n{\"a\": [1.0, null]}\n</parameter>\n"
                               "</function>\n</tool_call><|im_end|>\n",
                               "<|im_start|>user\n<tool_response>\nsunny\n</tool_response>",
                               "\n<tool_response>\nwarm\n</tool_response><|im_end|>\n",
                               "<|im_start|>assistant\n<think>\n\n</think>\n\nFine.<|im_end|>\n",
                               "<|im_start|>assistant\n<think>\n"};
  std::string whole;
  for (std::size_t i = 0; i < 6; ++i) {
    whole += parts[i];
    CHECK(chat.message_ends[i] == whole.size());
  }
  CHECK(chat.text == whole + parts[6]);
  CHECK(chat.preamble_end == 0);
  REQUIRE(chat.media.size() == 2);
  CHECK(chat.media[0] == RenderedMedium{PartType::image, 1, 1, chat.text.find("<|image_pad|>")});
  CHECK(chat.media[1] == RenderedMedium{PartType::video, 1, 2, chat.text.find("<|video_pad|>")});
  CHECK(apply_chat_template(messages, {}, options) == chat.text);

  SUBCASE("another query drops the reasoning of the turns before") {
    messages.push_back(Message::user("More"));
    const std::string text = apply_chat_template(messages);
    CHECK(text.find("<think>") == std::string::npos);
    options.preserve_thinking = true;
    CHECK(apply_chat_template(messages, {}, options).find("\nhm\n") == std::string::npos);
    options.chat_template = chat_templates::qwen3_6;
    CHECK(apply_chat_template(messages, {}, options).find("<think>\nhm\n</think>") != std::string::npos);
    CHECK(apply_chat_template(messages, {}, options).find("\ntrue\n") != std::string::npos);
  }
  SUBCASE("the tools block is the preamble unless a system message shares it") {
    const std::vector<json::Value> tools = {json::parse(R"({"name": "<f>", "x": "é\u2028\u007f"})")};
    const RenderedChat with_system = render_chat(messages, tools);
    CHECK(with_system.preamble_end == 0);
    CHECK(with_system.text.find("<tools>\n{\"name\": \"<f>\", \"x\": \"é\u2028\x7f\"}\n</tools>") != std::string::npos);
    CHECK(with_system.text.compare(0, with_system.message_ends[0],
                                   with_system.text.substr(0, with_system.text.find("<|im_start|>user"))) == 0);
    messages.erase(messages.begin());
    const RenderedChat without = render_chat(messages, tools);
    CHECK(without.preamble_end == without.text.find("<|im_start|>user"));
  }
}

TEST_CASE("the generation prompt of each variant") {
  const std::vector<Message> messages = {Message::user("x")};
  const auto tail = [&messages](ChatTemplate variant, std::optional<bool> thinking) {
    ChatTemplateOptions options;
    options.add_generation_prompt = true;
    options.enable_thinking = thinking;
    options.chat_template = variant;
    const RenderedChat chat = render_chat(messages, {}, options);
    return chat.text.substr(chat.message_ends.back());
  };
  const std::string open = "<|im_start|>assistant\n<think>\n";
  const std::string closed = "<|im_start|>assistant\n<think>\n\n</think>\n\n";
  CHECK(tail(chat_templates::qwen3_5, std::nullopt) == open);
  CHECK(tail(chat_templates::qwen3_5, true) == open);
  CHECK(tail(chat_templates::qwen3_5, false) == closed);
  CHECK(tail(chat_templates::qwen3_5_thinking_off, std::nullopt) == closed);
  CHECK(tail(chat_templates::qwen3_5_thinking_off, true) == open);
  CHECK(tail(chat_templates::qwen3_5_thinking_off, false) == closed);
}

TEST_CASE("a message left open is continued") {
  ChatTemplateOptions options;
  options.continue_final_message = true;
  std::vector<Message> messages = {Message::user("x"), Message::assistant("The answer is")};
  CHECK(apply_chat_template(messages, {}, options) ==
        "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nThe answer is");
  const std::string marker = "CONTINUE_FINAL_MESSAGE_TAG";
  CHECK(
      apply_chat_template({Message::user("x"), Message::assistant("a " + marker + " b " + marker + "_ c")}, {}, options)
          .ends_with("a " + marker + " b " + marker + "_ c"));
  CHECK(apply_chat_template({Message::user("x " + marker), Message::assistant("a")},
                            {json::parse("{\"" + marker + "\": 1}")}, options)
            .ends_with("\na"));
  messages[1] = Message::assistant("");
  CHECK(apply_chat_template(messages, {}, options).ends_with("</think>"));
  messages[1].reasoning_content = "because";
  options.continued_field = ContinuedField::reasoning_content;
  const RenderedChat chat = render_chat(messages, {}, options);
  CHECK(chat.text.ends_with("<think>\nbecause"));
  CHECK(chat.message_ends.back() == chat.text.size());
  messages[1].reasoning_content.reset();
  CHECK_THROWS_AS(render_chat(messages, {}, options), TextError);
  // As the reference: an empty text can be continued, null and what has no text cannot.
  options.continued_field = ContinuedField::content;
  for (const char* content : {"null", "[]", R"([{"type": "image"}])", "3"}) {
    const json::Value list = json::parse(R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": )" +
                                         std::string(content) + "}]");
    CHECK_THROWS_AS(render_chat(list, {}, options), TextError);
    if (content[0] != '3') {
      CHECK_THROWS_AS(render_chat(messages_from_json(list), {}, options), TextError);
    }
  }
  options.continued_field = ContinuedField::content;
  options.add_generation_prompt = true;
  CHECK_THROWS_AS(render_chat(messages, {}, options), TextError);
}

TEST_CASE("an image in a dropped think block is not listed") {
  const auto list = json::parse(R"([{"role": "user", "content": "a"},
    {"role": "assistant", "content": [{"type": "text", "text": "<think>"}, {"type": "image"}, {"type": "text", "text": "</think>"}, {"type": "image"}]},
    {"role": "user", "content": "typed <|image_pad|>"}])");
  const RenderedChat chat = render_chat(list);
  REQUIRE(chat.media.size() == 1);
  CHECK(chat.media[0].part_index == 3);
  CHECK(chat.text.compare(chat.media[0].text_offset, 13, "<|image_pad|>") == 0);
}

TEST_CASE("errors begin with the template's words and name the place") {
  CHECK(error_of("[]") == "No messages provided.");
  CHECK(error_of("{}").starts_with("messages: expected a list"));
  CHECK(error_of(R"([{"role": "assistant", "content": "x"}])").starts_with("No user query found in messages."));
  CHECK(error_of(R"([{"role": "user", "content": "<tool_response>x</tool_response>"}])")
            .starts_with("No user query found in messages."));
  const std::string user = R"({"role": "user", "content": "x"})";
  CHECK(error_of("[" + user + R"(, {"role": "system", "content": "x"}])") ==
        "System message must be at the beginning. (messages[1].role)");
  CHECK(error_of("[" + user + R"(, {"role": "developer", "content": "x"}])")
            .starts_with("Unexpected message role. (messages[1].role"));
  CHECK(error_of("[" + user + R"(, "x"])").starts_with("Unexpected message role. (messages[1].role"));
  CHECK(error_of(R"([{"role": "user", "content": {"text": "x"}}])") ==
        "Unexpected content type. (messages[0].content)");
  CHECK(error_of(R"([{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "audio"}]}])") ==
        "Unexpected item type in content. (messages[0].content[1])");
  CHECK(error_of(R"([{"role": "system", "content": [{"type": "image"}]}, )" + user + "]") ==
        "System message cannot contain images. (messages[0].content[0])");
  CHECK(error_of(R"([{"role": "system", "content": [{"type": "video"}]}, )" + user + "]") ==
        "System message cannot contain videos. (messages[0].content[0])");
  CHECK(error_of(R"([{"role": "user", "content": ["an image"]}])")
            .starts_with("messages[0].content[0]: expected an object"));
  CHECK(error_of("[" + user + R"(, {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{}"}]}])")
            .starts_with("messages[1].tool_calls[0].arguments"));
  CHECK(error_of("[" + user + R"(, {"role": "assistant", "tool_calls": [{"function": null}]}])")
            .starts_with("messages[1].tool_calls[0].name"));
  CHECK(error_of("[" + user + "]", "[3]") == "tools[0]: expected a JSON schema object, found an integer");
  const std::string text = ", found a string (json::parse() reads a text)";
  CHECK(error_of("[" + user + "]", R"(["{}"])") == "tools[0]: expected a JSON schema object" + text);
  CHECK(error_of("[" + user + "]", R"("[{}]")") == "tools: expected a list of JSON schema objects" + text);
  CHECK(error_of(R"("[]")") == "messages: expected a list of messages" + text);
  CHECK(error_of("[" + user + "]", "{}").empty());
}
