// SPDX-License-Identifier: Apache-2.0
// Any bytes: the parser raises nothing, its events never contradict each other, they are the same at every cut, and no
// call is complete before a later </think>. The first byte chooses the options and how the text is cut; a byte below 32
// stands for a piece of the form, since those are hard to find by chance.
#include <qwen35/text/output_parser.hpp>

#include "output_check.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view pieces[32] = {"<s>",
                                         "<think>",
                                         "</think>",
                                         "<tool_call>",
                                         "</tool_call>",
                                         "<function=f>",
                                         "</function>",
                                         "<parameter=s>",
                                         "<parameter=o>",
                                         "\t",
                                         "\n",
                                         "</parameter>",
                                         "\n</parameter>\n",
                                         "\r",
                                         "{\"name\": \"f\", \"arguments\": {",
                                         "}}",
                                         "{\"name\": \"f\"}",
                                         "```json\n",
                                         "\n```",
                                         "<|im_end|>",
                                         "{\"s\": \"",
                                         "\"}",
                                         "{'o': {'a': [True, (1,), None]}}",
                                         "\\\"",
                                         "<function=",
                                         "<parameter=",
                                         "</function>\n</tool_call>",
                                         "<tool_call>\n<function=f>\n<parameter=s>\n",
                                         "</",
                                         "[",
                                         "]",
                                         "</s>"};

void fail(const char* what, const std::string& text) {
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  if (size < 2 || size > 4096) {
    return 0;
  }
  static const std::vector<json::Value> tools = {json::parse(
      R"({"name": "f", "parameters": {"properties": {"s": {"type": "string"}, "i": {"type": "integer"}, "o": {"type": "object"}, "x": {"$ref": "#"}}}})")};
  const unsigned mode = data[0];
  std::string text;
  for (std::size_t i = 1; i < size; ++i) {
    if (data[i] < 32 && (mode & 4) != 0) {
      text += pieces[data[i]];
    } else {
      text += static_cast<char>(data[i]);
    }
  }
  OutputParserOptions options{(mode & 1) != 0, {}};
  if ((mode & 2) != 0) {
    options.tools = tools;
  }
  const output_check::Stream whole = output_check::parse(text, {}, options);
  if (const std::string problem = output_check::contradiction(whole); !problem.empty()) {
    fail(problem.c_str(), text);
  }
  std::vector<std::size_t> cuts;
  for (std::size_t at = 1 + (mode >> 3) % 31; at < text.size(); at += 1 + (mode >> 3) % 31) {
    cuts.push_back(at);
  }
  const output_check::Stream pieces_of_it = output_check::parse(text, cuts, options);
  if (!pieces_of_it.problem.empty() || pieces_of_it.events != whole.events || !(pieces_of_it.whole == whole.whole)) {
    fail("another cut, other events", text);
  }
  if (output_check::survives_think_close(text, options)) {
    fail("a call is complete before a later </think>", text);
  }
  return 0;
}
