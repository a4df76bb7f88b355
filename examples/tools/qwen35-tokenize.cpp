// SPDX-License-Identifier: Apache-2.0
// qwen35-tokenize TOKENIZER_JSON [FILE]: the token ids of a text, or the text of token ids.
#include <qwen35/text/tokenizer.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <iostream>
#include <sstream>

namespace {

std::vector<qwen35::TokenId> read_ids(const std::string& text) {
  std::vector<qwen35::TokenId> ids;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    if (*p == ' ' || *p == ',' || *p == '\n' || *p == '\r' || *p == '\t' || *p == '[' || *p == ']') {
      ++p;
      continue;
    }
    qwen35::TokenId id = 0;
    const auto [next, error] = std::from_chars(p, end, id);
    qwen35::require<qwen35::InputError>(error == std::errc(), "--decode: not a number at byte ", static_cast<std::size_t>(p - text.data()));
    ids.push_back(id);
    p = next;
  }
  return ids;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Token ids of a text, one line of numbers.");
  std::string tokenizer_path;
  std::string file;
  bool decode = false;
  bool count = false;
  bool lossy = false;
  bool jsonl = false;
  bool plain = false;
  app.add_option("tokenizer", tokenizer_path, "tokenizer.json")->required();
  app.add_option("file", file, "text to read; standard input without it");
  app.add_flag("--decode", decode, "read ids, print their text");
  app.add_flag("--count", count, "print the number of tokens");
  app.add_flag("--lossy", lossy, "replace ill-formed UTF-8 by U+FFFD instead of failing");
  app.add_flag("--jsonl", jsonl, "read one JSON string a line, print one JSON array of ids a line");
  app.add_flag("--plain", plain, "read added tokens as plain characters");
  CLI11_PARSE(app, argc, argv);
  std::ios::sync_with_stdio(false);
  try {
    const qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_file(tokenizer_path);
    const auto added = plain ? qwen35::added_tokens::none : qwen35::added_tokens::parse;
    const auto encode = [&](const std::string& text) { return lossy ? tokenizer.encode_lossy(text, added) : tokenizer.encode(text, added); };
    std::ifstream input;
    if (!file.empty()) {
      input.open(file, std::ios::binary);
      qwen35::require<qwen35::InputError>(input.good(), file, ": cannot be opened");
    }
    std::istream& in = file.empty() ? std::cin : input;
    if (jsonl) {
      std::string line;
      for (std::size_t number = 1; std::getline(in, line); ++number) {
        const qwen35::json::Value text = qwen35::json::parse(line, qwen35::concat("line ", number));
        if (count) {
          std::cout << encode(text.as_string()).size() << '\n';
          continue;
        }
        qwen35::json::Value ids = qwen35::json::Value::array();
        for (const qwen35::TokenId id : encode(text.as_string())) {
          ids.push_back(id);
        }
        std::cout << qwen35::json::dump(ids) << '\n';
      }
      return 0;
    }
    std::ostringstream all;
    all << in.rdbuf();
    if (decode) {
      std::cout << tokenizer.decode(read_ids(all.str()));
      return 0;
    }
    const std::vector<qwen35::TokenId> ids = encode(all.str());
    if (count) {
      std::cout << ids.size() << '\n';
      return 0;
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::cout << (i == 0 ? "" : " ") << ids[i];
    }
    std::cout << '\n';
    return 0;
  } catch (const qwen35::Error& error) {
    std::cerr << "qwen35-tokenize: " << error.what() << '\n';
    return 1;
  }
}
