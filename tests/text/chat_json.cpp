// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/chat_json.hpp>

#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/output_parser.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include <string>

using namespace qwen35;

namespace {

std::vector<Message> read(const std::string& text) {
  return messages_from_json(json::parse(text), SourcePolicy::everything());
}
ContentPart part(const std::string& item) {
  const auto messages = read(R"([{"role": "user", "content": [)" + item + "]}]");
  return messages.at(0).content.parts()->at(0);
}
std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const TextError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("reads the chat-completions form") {
  const auto messages = read(R"([
    {"role": "system", "content": "s", "name": "ignored"},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
    {"role": "assistant", "content": null, "reasoning_content": "r", "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1, \"y\": [true]}"}},
      {"name": "g", "arguments": {"z": null}}, {"name": "h"}, {"name": "i", "arguments": ""}]},
    {"role": "tool", "content": "t", "tool_call_id": "c1"},
    {"role": "assistant", "reasoning_content": null, "tool_calls": null}])");
  REQUIRE(messages.size() == 5);
  CHECK(messages[0] == Message::system("s"));
  CHECK(messages[1] == Message::user(std::vector<ContentPart>{ContentPart::text("a"), ContentPart::image("u")}));
  CHECK(messages[2].content == MessageContent::null());
  CHECK(messages[2].reasoning_content == "r");
  REQUIRE(messages[2].tool_calls.size() == 4);
  CHECK(messages[2].tool_calls[0] == ToolCall{"f", json::parse(R"({"x": 1, "y": [true]})"), "c1"});
  CHECK(messages[2].tool_calls[1] == ToolCall{"g", json::parse(R"({"z": null})")});
  CHECK(messages[2].tool_calls[2].arguments == json::Value::object());
  CHECK(messages[2].tool_calls[3].arguments == json::Value::object());
  CHECK(messages[3].tool_call_id == "c1");
  CHECK_FALSE(messages[4].reasoning_content.has_value());
  CHECK(messages_from_json(messages_to_json(messages), SourcePolicy::everything()) == messages);
  CHECK(messages_from_json(json::parse(json::dump(messages_to_json(messages))), SourcePolicy::everything()) ==
        messages);
}

TEST_CASE("null is no empty text") {
  const char* const list = R"([{"role": "assistant", "content": null}, {"role": "assistant", "content": ""}])";
  const std::vector<Message> messages = messages_from_json(json::parse(list));
  CHECK(messages[0].content.is_null());
  CHECK(messages[0].content.text()->empty());
  CHECK_FALSE(messages[1].content.is_null());
  CHECK_FALSE(messages[0] == messages[1]);
  CHECK(json::dump(messages_to_json(messages)) == list);
  CHECK(messages_from_json(json::parse(R"([{"role": "assistant"}])"))[0] == messages[0]);
}

TEST_CASE("media items in each of their forms") {
  CHECK(part(R"({"type": "image"})") == ContentPart::image());
  CHECK(part(R"({"type": "image", "image": "p"})") == ContentPart::image("p"));
  CHECK(part(R"({"type": "image", "url": "p"})") == ContentPart::image("p"));
  CHECK(part(R"({"type": "image", "path": "p"})") == ContentPart::image("p"));
  CHECK(part(R"({"type": "image", "base64": "p"})") == ContentPart::image("data:;base64,p"));
  CHECK(part(R"({"type": "image", "base64": "data:image/png;base64,p"})") ==
        ContentPart::image("data:image/png;base64,p"));
  CHECK(part(R"({"type": "image_url", "image_url": "p"})") == ContentPart::image("p"));
  CHECK(part(R"({"image_url": {"url": "p"}})") == ContentPart::image("p"));
  CHECK(part(R"({"image": null, "text": "x"})") == ContentPart::image());
  CHECK(part(R"({"type": "video", "video": "p"})") == ContentPart::video("p"));
  CHECK(part(R"({"type": "video_url", "video_url": {"url": "p"}})") == ContentPart::video("p"));
  CHECK(part(R"({"text": "x"})") == ContentPart::text("x"));
  const json::Value kept = message_to_json(Message::user(std::vector<ContentPart>{ContentPart::image("p")}));
  CHECK(json::dump(kept) == R"({"role": "user", "content": [{"type": "image", "image": "p"}]})");
  const json::Value bare =
      message_to_json(Message::user(std::vector<ContentPart>{ContentPart::image("p")}), MediaSources::leave_out);
  CHECK(json::dump(bare) == R"({"role": "user", "content": [{"type": "image"}]})");
}

TEST_CASE("each error names its place") {
  CHECK(error_of("{}") == "messages: expected a list of messages, found an object");
  CHECK(error_of(R"("[]")") == "messages: expected a list of messages, found a string (json::parse() reads a text)");
  CHECK(error_of("[3]").starts_with("messages[0]: expected a message"));
  CHECK(error_of(R"([{"role": "user"}, {"role": "developer"}])")
            .starts_with("Unexpected message role. (messages[1].role"));
  CHECK(error_of(R"([{"role": null}])").starts_with("Unexpected message role."));
  CHECK(error_of(R"([{"role": 3}])").starts_with("messages[0].role: expected a string"));
  CHECK(error_of(R"([{"role": "user", "content": 3}])").starts_with("Unexpected content type. (messages[0].content"));
  CHECK(error_of(R"([{"role": "user", "content": ["x"]}])").starts_with("messages[0].content[0]: expected an object"));
  CHECK(error_of(R"([{"role": "user", "content": [{"type": "audio"}]}])")
            .starts_with("Unexpected item type in content. (messages[0].content[0]"));
  CHECK(error_of(R"([{"role": "user", "content": [{"type": "text", "text": null}]}])")
            .starts_with("messages[0].content[0].text"));
  CHECK(error_of(R"([{"role": "user", "content": [{"type": "image", "image": 3}]}])")
            .starts_with("messages[0].content[0].image"));
  CHECK(error_of(R"([{"role": "assistant", "reasoning_content": 3}])").starts_with("messages[0].reasoning_content"));
  CHECK(
      error_of(R"([{"role": "assistant", "tool_calls": {}}])").starts_with("messages[0].tool_calls: expected a list"));
  CHECK(error_of(R"([{"role": "assistant", "tool_calls": [3]}])")
            .starts_with("messages[0].tool_calls[0]: expected an object"));
  CHECK(error_of(R"([{"role": "assistant", "tool_calls": [{"function": null}]}])")
            .starts_with("messages[0].tool_calls[0].function"));
  CHECK(error_of(R"([{"role": "assistant", "tool_calls": [{"name": ""}]}])")
            .starts_with("messages[0].tool_calls[0].name"));
  CHECK(error_of(R"([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": "[1]"}]}])")
            .starts_with("messages[0].tool_calls[0].arguments: expected"));
  CHECK(error_of(R"([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{"}]}])")
            .find("messages[0].tool_calls[0].arguments") != std::string::npos);
  CHECK_THROWS_AS(tools_from_json(json::parse("{}")), TextError);
  CHECK_THROWS_AS(tools_from_json(json::parse("[{}, 3]")), TextError);
  CHECK(tools_from_json(json::Value()).empty());
  CHECK(tools_from_json(json::parse(R"([{"name": "f"}])")).size() == 1);
}

TEST_CASE("numbers keep their digits from schema and history into the prompt, and out of the answer") {
  const std::string big = "18446744073709551616";
  const json::Value tools = json::parse(R"([{"name": "f", "parameters": {"properties": {"n": {"type": "integer",
    "maximum": )" + big + R"(, "step": 1e16, "low": 1e-5}}}}])");
  const json::Value messages = json::parse(R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "",
    "tool_calls": [{"name": "f", "arguments": "{\"n\": -)" +
                                           big + R"(, \"x\": 1E16, \"l\": [0.00001, )" + big + R"(]}"}]}])");
  const std::string prompt = render_chat(messages_from_json(messages), tools_from_json(tools)).text;
  CHECK(prompt.find("\"maximum\": " + big + ", \"step\": 1e+16, \"low\": 1e-05}") != std::string::npos);
  CHECK(prompt.find("<parameter=n>\n-" + big +
                    "\n</parameter>\n<parameter=x>\n1e+16\n</parameter>\n<parameter=l>\n[1e-05, " + big +
                    "]\n</parameter>") != std::string::npos);
  const ParsedOutput out =
      parse_output("<tool_call><function=f><parameter=n>" + big + "</parameter></function></tool_call>",
                   {false, tools_from_json(tools)});
  CHECK(out.tool_calls.at(0).call.arguments.at("n") == json::Value::integer(big));
  CHECK(out.tool_calls.at(0).arguments.at(0).conversion == Conversion::converted);
  CHECK(json::dump(messages_to_json({out.to_message()})).find("{\"n\": " + big + "}") != std::string::npos);
}

TEST_CASE("sources of media: bytes alone, folders, everything; an error tells nothing of what is there") {
  namespace fs = std::filesystem;
  struct Place {
    fs::path root =
        fs::canonical(fs::temp_directory_path()) / ("qwen35_sources_" + std::to_string(std::random_device()()));
    Place() {
      fs::create_directories(root / "open" / "clip");
      fs::create_directories(root / "opened");
      for (const char* const name : {"open/a.png", "open/clip/1.png", "opened/b.png", "secret.png"}) {
        std::ofstream(root / name) << "x";
      }
      fs::create_symlink(root / "secret.png", root / "open" / "link.png");
      fs::create_symlink("a.png", root / "open" / "inner.png");
      fs::create_directories(root / "open" / "leak");
      fs::create_symlink(root / "secret.png", root / "open" / "leak" / "1.png");
    }
    ~Place() {
      std::error_code ignored;
      fs::remove_all(root, ignored);
    }
  } const place;
  const std::string root = place.root.string();
  const auto with = [](const std::string& source, bool video) {
    const std::vector<ContentPart> parts{video ? ContentPart::video(source) : ContentPart::image(source)};
    return messages_to_json({Message::user(parts)});
  };
  const auto found = [&](const std::string& source, const SourcePolicy& policy, bool video = false) {
    return (*messages_from_json(with(source, video), policy)[0].content.parts())[0].value;
  };
  const auto refusal = [&](const std::string& source, const SourcePolicy& policy, bool video = false) {
    try {
      messages_from_json(with(source, video), policy);
    } catch (const TextError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const SourcePolicy folders = SourcePolicy::folders({root + "/open"});
  for (const SourcePolicy& policy : {SourcePolicy(), folders, SourcePolicy::everything()}) {
    CHECK(found("data:image/png;base64,AAAA", policy) == "data:image/png;base64,AAAA");
    CHECK(found("DATA:image/png;base64,AAAA", policy) == "DATA:image/png;base64,AAAA");
    CHECK(found("", policy).empty());
  }
  CHECK(messages_from_json(with("data:,", false)).size() == 1);
  CHECK_THROWS_AS(messages_from_json(with("a.png", false)), TextError);
  const std::string none = refusal("/etc/passwd", {});
  CHECK(none == "messages[0].content[0]: names a file that is not to be opened: SourcePolicy admits data: URLs alone");
  for (const char* const name : {"/no/such", "a.png", ".", "AAAA", "http://example.org/a.png"}) {
    CHECK(refusal(name, {}) == none);
    CHECK(found(name, SourcePolicy::everything()) == name);
  }
  CHECK(found(root + "/open/a.png", folders) == root + "/open/a.png");
  CHECK(found(root + "/opened/../open/a.png", folders) == root + "/open/a.png");
  CHECK(found(root + "/open/inner.png", folders) == root + "/open/a.png");
  CHECK(found(root + "/open/clip", folders, true) == root + "/open/clip");
  const std::string outside = refusal(root + "/secret.png", folders);
  CHECK(outside.find("data: URLs and what is in its folders") != std::string::npos);
  CHECK(outside.find("secret") == std::string::npos);
  for (const char* const name : {"/open/../secret.png", "/open/link.png", "/open/absent.png", "/absent",
                                 "/opened/b.png", "/opened", "/open/a.png/", "/open/clip/../../secret.png"}) {
    CAPTURE(name);
    CHECK(refusal(root + name, folders) == outside);
  }
  CHECK(refusal(root + "/open/leak", folders, true) == outside);
  std::string longer = root + "/open";  // leads to a.png, in more bytes than a system takes
  while (longer.size() < 100'000) {
    longer += "/.";
  }
  CHECK(refusal(longer + "/a.png", folders) == outside);
  CHECK_THROWS_AS(SourcePolicy::folders({root + "/absent"}), InputError);
  CHECK_THROWS_AS(SourcePolicy::folders({root + "/secret.png"}), InputError);
}
