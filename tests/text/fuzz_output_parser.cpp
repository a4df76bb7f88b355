// SPDX-License-Identifier: Apache-2.0
// Any bytes: the parser raises nothing, and gives the same at every cut. The first byte chooses the options and how the
// text is cut.
#include <qwen35/text/output_parser.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  if (size < 2) {
    return 0;
  }
  static const std::vector<json::Value> tools = {json::parse(
      R"({"name": "f", "parameters": {"properties": {"s": {"type": "string"}, "i": {"type": "integer"}, "o": {"type": "object"}, "x": {"$ref": "#"}}}})")};
  const unsigned mode = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  OutputParserOptions options{(mode & 1) != 0, {}};
  if ((mode & 2) != 0) {
    options.tools = tools;
  }
  const ParsedOutput whole = parse_output(text, options);
  OutputParser parser(options);
  std::size_t step = 1 + (mode >> 2) % 17;
  for (std::size_t at = 0; at < text.size(); at += step) {
    parser.push(text.substr(at, step));
  }
  parser.finish();
  if (!(parser.output() == whole)) {
    std::abort();
  }
  return 0;
}
