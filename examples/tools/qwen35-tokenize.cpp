// SPDX-License-Identifier: Apache-2.0
// qwen35-tokenize DIR_OR_FILE [FILE]: the token ids of a text, or the text of token ids.
#include <qwen35/io/folder.hpp>
#include <qwen35/io/plain_file.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <array>
#include <charconv>
#include <iostream>
#include <memory>
#include <span>
#include <streambuf>

#include "tool_options.hpp"

namespace {

using qwen35::TokenId;

struct Options {
  std::string tokenizer;
  std::string file;
  bool decode = false;
  bool skip_special_tokens = false;
  bool count = false;
  bool lossy = false;
  bool jsonl = false;
  bool plain = false;
};

// A plain file as a stream: what cannot be read is an error, not its end.
class PlainInput : public std::streambuf {
 public:
  explicit PlainInput(const std::string& path) : file_(path) {
    qwen35::require<qwen35::InputError>(file_.size() <= tool::max_input_bytes, file_.path(), ": ", file_.size(),
                                        " bytes, longer than the limit of ", tool::max_input_bytes, " bytes");
  }

 private:
  int_type underflow() override {
    const std::size_t got = file_.read_some(std::as_writable_bytes(std::span(buffer_)));
    setg(buffer_.data(), buffer_.data(), buffer_.data() + got);
    return got == 0 ? traits_type::eof() : traits_type::to_int_type(buffer_[0]);
  }

  qwen35::PlainFile<qwen35::InputError> file_;
  std::array<char, 65536> buffer_{};
};

// Numbers between white space, commas and brackets.
std::vector<TokenId> read_ids(std::string_view text) {
  std::vector<TokenId> ids;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    if (std::string_view(" \t\r\n,[]").find(*p) != std::string_view::npos) {
      ++p;
      continue;
    }
    TokenId id = 0;
    const auto [next, error] = std::from_chars(p, end, id);
    qwen35::require<qwen35::InputError>(error == std::errc(), "--decode: expected a token id at byte ",
                                        static_cast<std::size_t>(p - text.data()));
    ids.push_back(id);
    p = next;
  }
  return ids;
}

std::string joined(const std::vector<TokenId>& ids, const char* separator) {
  std::string out;
  for (const TokenId id : ids) {
    out += out.empty() ? "" : separator;
    out += std::to_string(id);
  }
  return out;
}

void run(const Options& options, std::istream& in, std::ostream& out) {
  const qwen35::Tokenizer tokenizer = qwen35::is_folder(options.tokenizer)
                                          ? qwen35::Tokenizer::from_pretrained(options.tokenizer)
                                          : qwen35::Tokenizer::from_file(options.tokenizer);
  const auto encode = [&](std::string_view text) {
    const auto added = options.plain ? qwen35::added_tokens::none : qwen35::added_tokens::parse;
    return options.lossy ? tokenizer.encode_lossy(text, added) : tokenizer.encode(text, added);
  };
  const auto decode = [&](std::string_view text) {
    const std::vector<TokenId> ids = read_ids(text);
    for (const TokenId id : ids) {
      qwen35::require<qwen35::InputError>(static_cast<std::size_t>(id) < tokenizer.size(), "--decode: token id ", id,
                                          ", expected 0 to ", tokenizer.size() - 1);
    }
    return tokenizer.decode(ids, options.skip_special_tokens);
  };
  if (!options.jsonl) {
    const std::string text = tool::read_all(in);
    if (options.decode) {
      out << decode(text);
      return;
    }
    const std::vector<TokenId> ids = encode(text);
    out << (options.count ? std::to_string(ids.size()) : joined(ids, " ")) << '\n';
    return;
  }
  std::string line;
  tool::NextLine next = tool::NextLine::read;
  for (std::size_t number = 1; (next = tool::read_line(in, line)) != tool::NextLine::none; ++number) {
    tool::require_whole(next);
    const std::string where = qwen35::concat("line ", number);
    const qwen35::json::Value value = qwen35::json::parse(line, where);
    if (options.decode) {
      qwen35::require<qwen35::InputError>(value.is_array(), where, ": expected a JSON array of token ids");
      out << qwen35::json::dump(decode(line)) << '\n';
      continue;
    }
    qwen35::require<qwen35::InputError>(value.is_string(), where, ": expected a JSON string");
    const std::vector<TokenId> ids = encode(value.as_string());
    out << (options.count ? std::to_string(ids.size()) : "[" + joined(ids, ", ") + "]") << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Token ids of a text, or the text of token ids.");
  Options options;
  app.add_option("DIR_OR_FILE", options.tokenizer,
                 "the checkpoint's folder, its tokenizer.json, a GGUF or a packed file")
      ->required();
  app.add_option("FILE", options.file, "what to read, a plain file; standard input without it");
  CLI::Option* const decode = app.add_flag("--decode", options.decode, "read ids, print their text");
  app.add_flag("--skip-special-tokens", options.skip_special_tokens, "with --decode: leave special tokens out")
      ->needs(decode);
  app.add_flag("--count", options.count, "print the number of tokens")->excludes(decode);
  app.add_flag("--lossy", options.lossy, "replace ill-formed UTF-8 by U+FFFD instead of failing");
  app.add_flag("--jsonl", options.jsonl,
               "read one JSON string a line, print one JSON array of ids a line; with --decode the other way round");
  app.add_flag("--plain", options.plain, "read <|im_end|> and other added tokens as plain characters");
  return tool::run(app, argc, argv, [&] {
    const tool::Warnings warnings(tool::print_note);
    std::unique_ptr<std::streambuf> file;
    if (!options.file.empty()) {
      file = std::make_unique<PlainInput>(options.file);
    }
    std::istream in(file ? file.get() : std::cin.rdbuf());
    run(options, in, std::cout);
    return 0;
  });
}
