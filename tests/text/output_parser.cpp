// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/output_parser.hpp>

#include <qwen35/text/chat_template.hpp>
#include "output_check.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace qwen35;

namespace {

const std::vector<json::Value>& tools() {
  static const std::vector<json::Value> list = {
      json::parse(
          R"({"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {
        "query": {"type": "string"}, "limit": {"type": "integer"}, "safe": {"type": "boolean"}, "filter": {"type": "object"}}}}})"),
      json::parse(R"({"name": "now"})")};
  return list;
}

// The sanitizers make this ten times as long: there every 20th cut is tried, and long texts are shorter.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t cut_step = 20, shorter = 10;
#else
constexpr std::size_t cut_step = 1, shorter = 1;
#endif

// Every cut in two, one character at a time, and random cuts give the same events and the same whole; how many ways
// differ, or contradict themselves.
int differences_between_cuts(const std::string& text, const OutputParserOptions& options, bool every_cut = true) {
  const output_check::Stream expected = output_check::parse(text, {}, options);
  const std::string problem = output_check::contradiction(expected);
  CHECK_MESSAGE(problem.empty(), text << ": " << problem);
  int wrong = output_check::survives_think_close(text, options) ? 1 : 0;
  const auto compare = [&](const std::vector<std::size_t>& cuts) {
    const output_check::Stream other = output_check::parse(text, cuts, options);
    wrong += other.problem.empty() && other.events == expected.events && other.whole == expected.whole ? 0 : 1;
  };
  std::vector<std::size_t> all;
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    if (every_cut && cut % cut_step == 0) {
      compare({cut});
    }
    all.push_back(cut);
  }
  compare(all);
  std::mt19937 random(static_cast<unsigned>(text.size()));
  for (int round = 0; round < 3; ++round) {
    std::vector<std::size_t> cuts;
    for (const std::size_t cut : all) {
      if (random() % 7 == 0) {
        cuts.push_back(cut);
      }
    }
    compare(cuts);
  }
  return wrong;
}

ParsedOutput parse(const std::string& text, bool thinking = false) {
  const OutputParserOptions options{thinking, tools()};
  CHECK_MESSAGE(differences_between_cuts(text, options) == 0, text);
  return parse_output(text, options);
}

const std::string search_call =
    "<tool_call>\n<function=search>\n<parameter=query>\nred\n</parameter>\n<parameter=limit>\n3\n</parameter>\n</"
    "function>\n</tool_call>";

void check_search(const ParsedOutput& out) {
  REQUIRE(out.tool_calls.size() == 1);
  const ParsedToolCall& call = out.tool_calls[0];
  CHECK(call.call.name == "search");
  CHECK(call.known_tool);
  CHECK(call.complete);
  CHECK(json::dump(call.call.arguments) == R"({"query": "red", "limit": 3})");
  CHECK(call.stray_text.empty());
}

}  // namespace

TEST_CASE("whether a prompt leaves the model thinking") {
  CHECK(opens_thinking("<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n<think>\n"));
  CHECK_FALSE(opens_thinking("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
  CHECK_FALSE(opens_thinking("<|im_start|>user\n<think><|im_end|>\n<|im_start|>assistant\n"));
  CHECK(opens_thinking("<|im_start|>assistant\n<think>\nstarted to"));
  CHECK_FALSE(opens_thinking(""));
}

TEST_CASE("reasoning, then the answer") {
  for (const std::string text :
       {"plan\n</think>\n\nHello.", "\n plan </think>Hello.", "<think>\nplan</think>\nHello.\n",
        "plan</think>\n</think>\n\nHello. \n", "plan</think>\n<think>\n\n</think>\n\nHello."}) {
    const ParsedOutput out = parse(text, true);
    CHECK(out.reasoning == "plan");
    CHECK(out.content == "Hello.");
    CHECK(out.thinking_closed);
    CHECK(out.tool_calls.empty());
  }
  const ParsedOutput cut = parse("still th", true);
  CHECK(cut.reasoning == "still th");
  CHECK_FALSE(cut.thinking_closed);
  CHECK(parse("a <b> </thin </think", true).reasoning == "a <b> </thin </think");
  CHECK(parse("a <think> b</think>c", true).reasoning == "a <think> b");
  CHECK(parse("a</think>\n<think>b</think>c", true).reasoning == "a\nb");
}

TEST_CASE("an answer without reasoning") {
  CHECK(parse("Hello.").content == "Hello.");
  CHECK(parse(" world\n").content == " world");  // a continued message: the blank at its beginning counts
  const ParsedOutput out = parse("<think>\nplan\n</think>\n\nHello.");
  CHECK(out.reasoning == "plan");
  CHECK(out.content == "Hello.");
  CHECK(parse("\n<think>\n\n</think>\n\nHello.").content == "Hello.");
  CHECK(parse("</think>\n\nHello.").content == "Hello.");
  CHECK(parse("The tags <think> and </think> are text.").content == "The tags <think> and </think> are text.");
  CHECK(parse("A <tool_call> without a function, <function=x> too").content ==
        "A <tool_call> without a function, <function=x> too");
  CHECK(parse("1 < 2 </tool_call> <").content == "1 < 2 </tool_call> <");
  CHECK(parse("").content.empty());
  CHECK(parse(" \n").content.empty());
}

TEST_CASE("a tool call in each place") {
  check_search(parse(search_call));
  check_search(parse("think\n</think>\n\n" + search_call, true));
  const ParsedOutput inside = parse("I should search.\n" + search_call + "\n", true);
  check_search(inside);
  CHECK(inside.reasoning == "I should search.");
  CHECK(inside.content.empty());
  CHECK(inside.thinking_closed);
  const ParsedOutput drafted = parse("x" + search_call + "\n</think>\n\nDone.", true);
  CHECK(drafted.tool_calls.empty());
  CHECK(drafted.reasoning == "x" + search_call);
  CHECK(drafted.content == "Done.");
  const ParsedOutput before = parse("Let me look.\n\n" + search_call);
  check_search(before);
  CHECK(before.content == "Let me look.");
  CHECK(parse("Let me look.\n\n" + search_call + "\nDone.").content == "Let me look.\n\n\nDone.");
  CHECK(parse("a" + search_call + "b<tool_call> c").content == "ab<tool_call> c");
}

TEST_CASE("deviations from the form") {
  // White space, quotes, missing tags.
  check_search(
      parse("<tool_call><function=search><parameter=query>red</parameter><parameter=limit>3</parameter></function></"
            "tool_call>"));
  check_search(
      parse("<tool_call> \r\n <function= \"search\" >\n\n<parameter='query'>\nred\n</parameter>\n\n<parameter=limit> 3 "
            "</parameter>\t</function>\n\n</tool_call>\n"));
  check_search(
      parse("<tool_call>\n<function=search>\n<parameter=query>\nred\n</parameter>\n<parameter=limit>\n3\n</"
            "parameter>\n</tool_call>"));
  check_search(
      parse("<tool_call>\n<function=search>\n<parameter=query>\nred\n</parameter>\n<parameter=limit>\n3\n</"
            "function>\n</tool_call>"));
  check_search(parse(
      "<tool_call>\n<function=search>\n<parameter=query>\nred\n</parameter>\n<parameter=limit>\n3\n</tool_call>"));
  check_search(
      parse("<tool_call>\n<function=search>\n<parameter=query>\nred\n<parameter=limit>\n3\n</parameter>\n</"
            "function>\n</tool_call>"));
  check_search(
      parse("<tool_call>\n<function=search>\n<parameter=query>\nred\n</parameter>\n<parameter=limit>\n3\n</"
            "parameter>\n</function>"));
  check_search(
      parse("<tool_call>\n<function=search\n<parameter=query\nred\n</parameter>\n<parameter=limit>\n3\n</parameter>\n</"
            "function>\n</tool_call>"));
  check_search(
      parse("<function=search>\n<parameter=query>\nred\n</parameter>\n<parameter=limit>\n3\n</parameter>\n</"
            "function>\n</tool_call>"));
  check_search(parse("<tool_call>\n<function=search>\n{\"query\": \"red\", \"limit\": 3}\n</function>\n</tool_call>"));
  const ParsedOutput bare = parse("Text first.\n<function=now>\n</function>");
  REQUIRE(bare.tool_calls.size() == 1);
  CHECK(bare.content == "Text first.");
  CHECK(parse("<function=unknown>\n</function>").tool_calls.empty());
  CHECK(parse("In a line <function=now>").tool_calls.empty());
  const ParsedOutput stray = parse("<tool_call><function=now>what <is> this</function></tool_call>");
  CHECK(stray.tool_calls.at(0).stray_text == "what <is> this");
  CHECK(stray.tool_calls.at(0).recovery == Recovery::stray_text);
  // The order of parameters is free, the last of equal ones counts.
  const ParsedOutput order = parse(
      "<tool_call><function=search><parameter=limit>1</parameter><parameter=query>a</parameter><parameter=limit>2</"
      "parameter></function></tool_call>");
  CHECK(json::dump(order.tool_calls.at(0).call.arguments) == R"({"limit": 2, "query": "a"})");
  CHECK(order.tool_calls.at(0).arguments.size() == 3);
  // Far apart is text.
  CHECK(parse("<tool_call>" + std::string(64, ' ') + "<function=now></function>").tool_calls.size() == 1);
  CHECK(parse("<tool_call>" + std::string(65, ' ') + "<function=now></function>").tool_calls.empty());
}

TEST_CASE("several calls") {
  const ParsedOutput out = parse(search_call + "\n" + search_call + "<tool_call><function=now></function></tool_call>");
  REQUIRE(out.tool_calls.size() == 3);
  CHECK(out.tool_calls[0] == out.tool_calls[1]);
  CHECK(out.tool_calls[2].call == ToolCall{"now"});
  CHECK(parse("<tool_call><function=now></function><function=search></function></tool_call>").tool_calls.size() == 2);
  CHECK(parse("<tool_call><function=now><tool_call><function=search></function></tool_call>").tool_calls.size() == 2);
  CHECK(parse("<tool_call><function=now>\n<function=search></function></tool_call>").tool_calls.size() == 2);
}

TEST_CASE("values keep everything but one newline at either end") {
  const auto value_of = [](const std::string& inner) {
    return parse("<tool_call>\n<function=search>\n<parameter=query>" + inner +
                 "</parameter>\n</function>\n</tool_call>")
        .tool_calls.at(0)
        .call.arguments.at("query")
        .as_string();
  };
  CHECK(value_of("\nx\n") == "x");
  CHECK(value_of("\n\n x \n\n") == "\n x \n");
  CHECK(value_of("x") == "x");
  CHECK(value_of("") == "");
  CHECK(value_of("\n") == "");
  CHECK(value_of("\n\n") == "");
  CHECK(value_of("\n\n\n") == "\n");
  CHECK(value_of("\na </parameter> b </function> c\n</tool_call> d\n<parameter=zzz>\n") ==
        "a </parameter> b </function> c\n</tool_call> d\n<parameter=zzz>");
  CHECK(value_of("\n<tool_call>\n<function=now>\n") == "<tool_call>\n<function=now>");
  CHECK(value_of("\n<<<</param\n</think>\n") == "<<<</param\n</think>");
}

TEST_CASE("types, and marks where one does not fit") {
  const ParsedOutput out = parse(
      "<tool_call><function=search><parameter=limit>many</parameter><parameter=safe>True</"
      "parameter><parameter=filter>{\"a\": [1]}</parameter>"
      "<parameter=query>7</parameter><parameter=other>7</parameter></function></tool_call>");
  const ParsedToolCall& call = out.tool_calls.at(0);
  CHECK(json::dump(call.call.arguments) ==
        R"({"limit": "many", "safe": true, "filter": {"a": [1]}, "query": "7", "other": "7"})");
  REQUIRE(call.arguments.size() == 5);
  CHECK(call.arguments[0].conversion == Conversion::failed);
  CHECK(call.arguments[0].text == "many");
  CHECK(call.arguments[1].conversion == Conversion::converted);
  CHECK(call.arguments[2].conversion == Conversion::converted);
  CHECK(call.arguments[3].conversion == Conversion::text);
  CHECK(call.arguments[4].conversion == Conversion::untyped);
  const ParsedOutput unknown = parse("<tool_call><function=missing><parameter=a>1</parameter></function></tool_call>");
  CHECK_FALSE(unknown.tool_calls.at(0).known_tool);
  CHECK(unknown.tool_calls.at(0).complete);
}

TEST_CASE("what an output's end would decide is open where the output was cut off") {
  const auto calls = [](const std::string& text, bool starts_in_thinking, OutputEnd end) {
    return parse_output(text, {starts_in_thinking, tools()}, end).tool_calls;
  };
  // In the reasoning: the next word might have been </think>.
  for (const std::string& drafted : {search_call, std::string("<tool_call>{\"name\": \"search\", \"arguments\": "
                                                              "{\"query\": \"a\"}}</tool_call>")}) {
    const std::string text = "I could call " + drafted + " or not";
    REQUIRE(calls(text, true, OutputEnd::cut_off).size() == 1);
    CHECK(!calls(text, true, OutputEnd::cut_off)[0].complete);
    CHECK(calls(text, true, OutputEnd::stopped)[0].complete);
    CHECK(calls(text, false, OutputEnd::cut_off)[0].complete);
  }
  // In a value: a closing tag with nothing behind it might have been quoted.
  const std::string value = "<tool_call>\n<function=search>\n<parameter=query>\na </function>";
  CHECK(!calls(value, false, OutputEnd::cut_off).at(0).complete);
  CHECK(calls(value, false, OutputEnd::stopped).at(0).complete);
  const std::string named = "<tool_call>\n<function=search>\n<parameter=query>\na\n</query>";
  CHECK(calls(named, false, OutputEnd::cut_off).at(0).arguments.at(0).text == "a\n</query>");
  CHECK(!calls(named, false, OutputEnd::cut_off).at(0).complete);
  CHECK(calls(named, false, OutputEnd::stopped).at(0).arguments.at(0).text == "a");
  // A fence might have been an example.
  const std::string fenced = "```json\n{\"name\": \"search\", \"arguments\": {\"query\": \"a\"}}\n```";
  CHECK(!calls(fenced, false, OutputEnd::cut_off).at(0).complete);
  CHECK(calls(fenced, false, OutputEnd::stopped).at(0).complete);
}

TEST_CASE("an output cut off inside a call") {
  const ParsedOutput whole = parse(search_call);
  for (std::size_t length = 0; length < search_call.size(); ++length) {
    const ParsedOutput out = parse_output(search_call.substr(0, length), {false, tools()}, OutputEnd::cut_off);
    const bool closed = length >= search_call.find("</function>") + 11;
    CHECK(out.tool_calls.size() == (length >= 22 ? 1U : 0U));
    if (!out.tool_calls.empty()) {
      // Where the model stopped by itself, a call is whole behind a parameter too.
      if (search_call.substr(0, length).ends_with("</parameter>")) {
        const ParsedToolCall real = parse(search_call.substr(0, length)).tool_calls.at(0);
        CHECK(real.complete);
        CHECK(real.recovery == Recovery::missing_close);
      }
      ParsedToolCall call = out.tool_calls[0];
      CHECK(call.complete == closed);
      CHECK((call.recovery == Recovery::missing_close) == closed);
      call.recovery = Recovery::none;
      CHECK((call == whole.tool_calls[0]) == closed);
    }
  }
  const ParsedOutput out = parse("<tool_call><function=search><parameter=limit>12");
  CHECK_FALSE(out.tool_calls.at(0).arguments.at(0).complete);
  CHECK(out.tool_calls.at(0).call.arguments.at("limit") == json::Value("12"));
}

TEST_CASE("the events of a stream, one by one") {
  const OutputParserOptions options{true, tools()};
  OutputParser parser(options);
  CHECK(parser.push("\nhm").at(0).text == "hm");
  CHECK(parser.push(" \n</thi").empty());
  CHECK(parser.push("nk>\n\nLook").at(0) == OutputEvent{.type = OutputEventType::content, .text = "Look"});
  CHECK(parser.push("\n<tool_call>\n<function=sea").empty());
  const auto begin = parser.push("rch>");
  REQUIRE(begin.size() == 1);
  CHECK(begin[0] == OutputEvent{.type = OutputEventType::tool_call_begin, .text = "search"});
  const auto delta = parser.push("\n<parameter=limit>\n1");
  REQUIRE(delta.size() == 1);
  CHECK(delta[0] == OutputEvent{.type = OutputEventType::argument_delta, .text = "1", .name = "limit"});
  const auto rest = parser.push("2\n</parameter>");  // an integer holds no tag: it ends here, whatever follows
  REQUIRE(rest.size() == 2);
  CHECK(rest[0].text == "2");
  CHECK(rest[1] == OutputEvent{.type = OutputEventType::argument,
                               .text = "12",
                               .name = "limit",
                               .value = json::Value(12),
                               .conversion = Conversion::converted});
  CHECK(parser.push("\n</function>\n</tool_call>").empty());
  CHECK_FALSE(parser.output().tool_calls.at(0).complete);  // a </think> may follow
  const auto end = parser.finish();
  REQUIRE(end.size() == 1);
  CHECK(end[0] == OutputEvent{.type = OutputEventType::tool_call_end, .text = "search"});
  CHECK(parser.output().tool_calls.at(0).complete);
  CHECK(parser.finish().empty());
  CHECK(parser.push("more").empty());
  const OutputParser copy = parser;
  CHECK(copy.output() == parser.output());
}

TEST_CASE("while a call in the reasoning is provisional, nothing of it is told") {
  const OutputParserOptions options{true, tools()};
  OutputParser draft(options);
  CHECK(draft.push("Maybe\n").at(0) == OutputEvent{.type = OutputEventType::reasoning, .text = "Maybe"});
  CHECK(draft.push(search_call).empty());
  CHECK(draft.output().tool_calls.empty());
  OutputParser real = draft;
  const auto closed = draft.push("\n</think>\n\nNo");
  REQUIRE(closed.size() == 2);
  CHECK(closed[0] == OutputEvent{.type = OutputEventType::reasoning, .text = "\n" + search_call});
  CHECK(closed[1] == OutputEvent{.type = OutputEventType::content, .text = "No"});
  CHECK(draft.finish().empty());
  CHECK(real.push("<|im_end|>").empty());
  const auto ended = real.finish();
  REQUIRE_FALSE(ended.empty());
  CHECK(ended.front() ==
        OutputEvent{.type = OutputEventType::tool_call_begin, .text = "search", .recovery = Recovery::inside_thinking});
  CHECK(ended.back() ==
        OutputEvent{.type = OutputEventType::tool_call_end, .text = "search", .recovery = Recovery::inside_thinking});
}

TEST_CASE("of a call in a value nothing is told before the value is closed") {
  const std::string begin = "<tool_call>\n<function=search>\n<parameter=query>\nred\n";
  const std::string now = "<tool_call>\n<function=now>\n</function>\n</tool_call>";
  OutputParser quoted({false, tools()});
  CHECK(quoted.push(begin).back().text == "red");
  CHECK(quoted.push(now + "\nblue").empty());
  OutputParser next = quoted;
  const auto closed = quoted.push("\n</parameter>\n</function>");
  REQUIRE(closed.size() == 2);
  CHECK(closed[0] ==
        OutputEvent{.type = OutputEventType::argument_delta, .text = "\n" + now + "\nblue", .name = "query"});
  CHECK(closed[1].text == "red\n" + now + "\nblue");
  // Where the model stops instead it was the next call; where it was cut off, nobody knows.
  OutputParser cut = next;
  next.finish();
  REQUIRE(next.output().tool_calls.size() == 2);
  CHECK(next.output().tool_calls[0].arguments.at(0).text == "red");
  CHECK(next.output().tool_calls[0].recovery == Recovery::missing_close);
  CHECK(next.output().tool_calls[1].complete);
  CHECK(next.output().tool_calls[1].recovery == Recovery::behind_open_value);
  CHECK(next.output().content == "blue");
  cut.finish(OutputEnd::cut_off);
  REQUIRE(cut.output().tool_calls.size() == 1);
  CHECK_FALSE(cut.output().tool_calls[0].complete);
  CHECK(cut.output().tool_calls[0].arguments.at(0).text == "red\n" + now + "\nblue");
}

TEST_CASE("an answer that is some other JSON does not wait for its end") {
  OutputParser parser({false, tools()});
  CHECK(parser.push("```json\n{").empty());
  CHECK(parser.push("\"colour\": ").at(0).text == "```json\n{\"colour\":");
  CHECK(parser.push("\"red\",").at(0).text == " \"red\",");
}

TEST_CASE("a withdrawn call is not part of the message") {
  const ParsedOutput out = parse(search_call + "\n</think>\n\n<tool_call><function=now></function></tool_call>");
  REQUIRE(out.tool_calls.size() == 2);
  CHECK(out.tool_calls[0].recovery == Recovery::withdrawn);
  CHECK_FALSE(out.tool_calls[0].complete);
  CHECK(out.to_message().tool_calls == std::vector<ToolCall>{{"now"}});
}

TEST_CASE("a parser copied in the middle of a call goes on by itself") {
  auto first = std::make_unique<OutputParser>(OutputParserOptions{false, tools()});
  first->push("<tool_call><function=search><parameter=limit>4");
  OutputParser second = *first;
  first.reset();
  second.push("2</parameter></function></tool_call>");
  second.finish();
  CHECK(second.output().tool_calls.at(0).call.arguments.at("limit") == json::Value(42));
}

TEST_CASE("what the chat template writes is read back") {
  std::mt19937 random(5);
  const auto pick = [&random](std::vector<std::string> list) { return list[random() % list.size()]; };
  int wrong = 0;
  for (int round = 0; round < 400; ++round) {
    Message message = Message::assistant(pick({"", "Hello.", "a\n\nb < c", "é 日本", "x </tool> <b>"}));
    message.reasoning_content = pick({"", "hm", "two\n\nlines", "a <think> b"});
    for (std::size_t calls = random() % 4; calls > 0; --calls) {
      ToolCall call{pick({"search", "now", "other"})};
      for (const char* name : {"query", "limit", "safe", "filter", "free"}) {
        if (random() % 2 == 0) {
          const std::string text = pick({"", "x", "\n", " two\nlines \n", "<b>", "</parameter", "7"});
          call.arguments[name] = name[0] == 'q' || call.name != "search" || std::string(name) == "free"
                                     ? json::Value(text)
                                 : name[0] == 'l' ? json::Value(static_cast<int>(random() % 100))
                                 : name[0] == 's' ? json::Value(random() % 2 == 0)
                                                  : json::parse(R"({"a": [1.5, null, "<\n>"]})");
        }
      }
      message.tool_calls.push_back(call);
    }
    const std::vector<Message> messages = {Message::user("x"), message};
    for (const ChatTemplateRules& variant : {chat_templates::qwen3_5, chat_templates::qwen3_6}) {
      ChatTemplateOptions options;
      options.chat_template = variant;
      const RenderedChat chat = render_chat(messages, tools(), options);
      const std::string header = "<|im_start|>assistant\n<think>\n";
      std::string text = chat.text.substr(chat.message_ends[0] + header.size());
      text.resize(text.size() - std::string("<|im_end|>\n").size());
      const OutputParserOptions parser_options{true, tools()};
      Message back = parse_output(text, parser_options).to_message();
      back.reasoning_content = back.reasoning_content.value_or("");
      wrong += back == message ? 0 : 1;
      wrong += differences_between_cuts(text, parser_options, round < 20);
    }
  }
  CHECK(wrong == 0);
}

// streams.jsonl: outputs that make_streams.py composed, with what they are composed of.
TEST_CASE("recorded outputs, at every cut") {
  std::ifstream file(std::string(QWEN35_TEST_DATA) + "/output_parser/streams.jsonl");
  std::string line;
  REQUIRE(std::getline(file, line));
  const std::vector<json::Value> offered = json::parse(line).at("tools").items();
  const char* conversions[] = {"text", "converted", "untyped", "failed"};
  int count = 0;
  for (; std::getline(file, line); ++count) {
    const json::Value record = json::parse(line);
    const std::string& text = record.at("s").as_string();
    const OutputParserOptions options{record.at("t").as_bool(),
                                      record.at("o").as_bool() ? offered : std::vector<json::Value>()};
    const ParsedOutput out = parse_output(text, options);
    json::Value calls = json::Value::array();
    for (const ParsedToolCall& call : out.tool_calls) {
      json::Value arguments = json::Value::array();
      for (const ParsedArgument& one : call.arguments) {
        json::Value item = json::Value::array();
        item.push_back(one.name);
        item.push_back(one.text);
        item.push_back(call.call.arguments.at(one.name));
        item.push_back(conversions[static_cast<int>(one.conversion)]);
        item.push_back(one.complete);
        item.push_back(name(one.recovery));
        arguments.push_back(std::move(item));
      }
      json::Value item = json::Value::array();
      item.push_back(call.call.name);
      item.push_back(call.known_tool);
      item.push_back(call.complete);
      item.push_back(name(call.recovery));
      item.push_back(std::move(arguments));
      calls.push_back(std::move(item));
    }
    CHECK_MESSAGE(json::dump(calls) == json::dump(record.at("c")), text);
    CHECK_MESSAGE(out.reasoning == record.at("r").as_string(), text);
    CHECK_MESSAGE(out.content == record.at("a").as_string(), text);
    CHECK_MESSAGE(out.thinking_closed == record.at("closed").as_bool(), text);
    CHECK_MESSAGE(differences_between_cuts(text, options) == 0, text);
  }
  CHECK(count >= 400);
}

TEST_CASE("tags in any order never make a difference between cuts") {
  const std::vector<std::string> pieces = {"<think>",
                                           "</think>",
                                           "<tool_call>",
                                           "</tool_call>",
                                           "<function=search>",
                                           "<function=now>",
                                           "<function=",
                                           "</function>",
                                           "<parameter=query>",
                                           "<parameter=limit>",
                                           "<parameter=",
                                           "</parameter>",
                                           ">",
                                           "\n",
                                           "\n",
                                           " ",
                                           "text",
                                           "5",
                                           "<",
                                           "</",
                                           "{\"a\": 1}",
                                           "é",
                                           "{\"name\": \"now\"}",
                                           "{\"name\": \"search\", \"arguments\": {",
                                           "```",
                                           "```json\n",
                                           "\"}}",
                                           "<query>",
                                           "</query>",
                                           "</parameter=query>",
                                           "</limit>",
                                           "</function=search>",
                                           "<function=>",
                                           "\r\n",
                                           "\r",
                                           "<function name=\"now\">",
                                           "<parameter name=\"limit\">",
                                           "<tool_call>\n<function=search>\n<parameter=query>\nx\n",
                                           "<|im_end|>",
                                           "<|endoftext|>",
                                           "```json\n{\"a\": 1}"};
  std::mt19937 random(7);
  int wrong = 0;
  for (std::size_t round = 0; round < 6000 / shorter; ++round) {
    std::string text;
    for (std::size_t count = 1 + random() % 24; count > 0; --count) {
      text += pieces[random() % pieces.size()];
    }
    OutputParserOptions options{random() % 2 == 0, {}};
    if (random() % 4 != 0) {
      options.tools = tools();
    }
    wrong += differences_between_cuts(text, options, round < 300);
  }
  CHECK(wrong == 0);
}

TEST_CASE("long outputs are read in linear time") {
  // A million characters, one by one: quadratic work would take minutes.
  for (const std::string unit : {"<tool_call> ", "<tool_call><function=now>", "\r\n", "\n", "<", "a </parameter> ",
                                 "<parameter=limit>\n", "</query>\n<", "<querys></query>"}) {
    OutputParser parser({false, tools()});
    parser.push("<tool_call><function=search><parameter=query>");
    std::string text;
    while (text.size() < 1000000 / shorter / unit.size() / 4 * unit.size()) {
      text += unit;
    }
    for (const char c : text) {
      parser.push({&c, 1});
    }
    parser.finish();
    CHECK(parser.output().tool_calls.size() >= 1);
  }
  for (const std::string unit : {"<|im_end|>", "<", "<|im_", "<tool_call>"}) {
    OutputParser parser({false, tools()});
    for (std::size_t i = 0; i < 200000 / shorter; ++i) {
      parser.push({&unit[i % unit.size()], 1});
    }
    parser.finish();
  }
  // Calls that close nothing, each in the value of the one before.
  std::string text;
  while (text.size() < 500000) {
    text += "<tool_call><function=search><parameter=query>x\n";
  }
  CHECK(parse_output(text, {false, tools()}).tool_calls.size() == 65);
}

TEST_CASE("a JSON call with what Python's json reads and JSON cannot hold is not lost") {
  const ParsedOutput out = parse(R"(<tool_call>
{"name": "search", "arguments": {"query": "cut \ud83d", "limit": 1e400, "safe": true}}
</tool_call>)");
  REQUIRE(out.tool_calls.size() == 1);
  CHECK(out.tool_calls[0].complete);
  CHECK(json::dump(out.tool_calls[0].call.arguments) ==
        "{\"query\": \"cut \xEF\xBF\xBD\", \"limit\": \"1e400\", \"safe\": true}");
  CHECK(out.tool_calls[0].recovery == (Recovery::json_call | Recovery::python_literal));
  CHECK(out.tool_calls[0].arguments[1].conversion == Conversion::failed);
}

TEST_CASE("a function's tag that closes itself names an offered tool") {
  for (const std::string tag : {"<function=now/>", "<function=now />", "<function=\"now\"/>"}) {
    const ParsedOutput out = parse("<tool_call>\n" + tag + "\n</tool_call>");
    REQUIRE(out.tool_calls.size() == 1);
    CHECK(out.tool_calls[0].call.name == "now");
    CHECK(out.tool_calls[0].known_tool);
    CHECK(out.tool_calls[0].complete);
    CHECK(has(out.tool_calls[0].recovery, Recovery::loose_name));
  }
  CHECK(parse("<tool_call>\n<function=search/>\n</tool_call>").tool_calls.at(0).call.name == "search");
  CHECK(parse("<tool_call>\n<function=other/>\n</tool_call>").tool_calls.at(0).call.name == "other/");
}
