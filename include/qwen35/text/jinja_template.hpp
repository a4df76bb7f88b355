// SPDX-License-Identifier: Apache-2.0
// A Jinja template, compiled and run as transformers' apply_chat_template does it.
#pragma once

#include <qwen35/text/jinja_interpreter.hpp>
#include <qwen35/text/jinja_parser.hpp>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Compiled once, rendered any number of times, from several threads. Source: Jinja's language with trim_blocks,
// lstrip_blocks and loop controls, and the functions that transformers adds; what is not supported is an error with its
// name.
class JinjaTemplate {
 public:
  static constexpr std::size_t max_bytes = std::size_t{1} << 20;

  // Raises TextError with the line for a template that is ill formed or has what is not supported.
  explicit JinjaTemplate(std::string_view source) : source_(checked(source)), root_(jinja::Parser(source_).run()) {}

  const std::string& source() const { return source_; }

  // `media`: mappings among the variables; see Text::origins. Raises TextError: the template's own error, or what went
  // wrong, with the line.
  jinja::Text render(std::map<std::string, jinja::Value, std::less<>> variables,
                     const std::vector<jinja::Value>& media = {}) const {
    return jinja::Interpreter(std::move(variables), media).run(root_);
  }

 private:
  static std::string_view checked(std::string_view source) {
    require<TextError>(source.size() <= max_bytes, "chat template: ", source.size(), " bytes, the limit is ",
                       max_bytes);
    require<TextError>(unicode::find_ill_formed(source) == std::string_view::npos, "chat template: not UTF-8");
    return source;
  }

  std::string source_;
  jinja::Node root_;
};

QWEN35_END_NAMESPACE
