// SPDX-License-Identifier: Apache-2.0
// The tree that a Jinja template is parsed to, and what reads tokens into it.
#pragma once

#include <qwen35/text/jinja_lexer.hpp>
#include <qwen35/text/jinja_value.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

enum class Op : std::uint8_t {
  // Expressions. `text` is a name; kids are operands.
  constant,
  variable,
  list,
  dict,
  attribute,
  item,
  slice,
  call,
  filter,
  test,
  negate,
  plus,
  logical_not,
  logical_and,
  logical_or,
  choice,
  binary,
  absent,
  // Statements.
  block,
  data,
  print,
  if_,
  for_,
  set,
  set_block,
  macro,
  break_,
  continue_,
  scope
};

struct Node {
  Op op = Op::absent;
  std::size_t line = 0;
  std::string text{};
  Value value{};
  std::vector<Node> kids{};
  std::vector<std::string> names{};  // of a call's last kids, a macro's parameters, a loop's or set's targets
  std::size_t depth = 1;
};

// A place in the tokens, and the making of nodes.
class TokenReader {
 protected:
  explicit TokenReader(std::string_view source) : tokens_(Lexer(source).run()) {}

  static constexpr std::size_t deepest = 150;

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  std::size_t line() const { return peek().line; }
  bool at(TokenKind kind) const { return peek().kind == kind; }
  bool at_sign(std::string_view sign) const { return at(TokenKind::sign) && peek().text == sign; }
  bool at_name(std::string_view name) const { return at(TokenKind::name) && peek().text == name; }
  bool skip_sign(std::string_view sign) {
    const bool there = at_sign(sign);
    at_ += there ? 1u : 0u;
    return there;
  }
  bool skip_name(std::string_view name) {
    const bool there = at_name(name);
    at_ += there ? 1u : 0u;
    return there;
  }
  [[noreturn]] void unexpected(std::string_view expected) const {
    fail(line(), at(TokenKind::end) ? concat("the template ends, expected ", expected)
                                    : concat("found \"", peek().text.substr(0, 40), "\", expected ", expected));
  }
  void expect_sign(std::string_view sign) {
    if (!skip_sign(sign)) {
      unexpected(sign);
    }
  }
  std::string take_name() {
    if (!at(TokenKind::name)) {
      unexpected("a name");
    }
    return tokens_[at_++].text;
  }
  void end_tag() {
    if (!at(TokenKind::block_end)) {
      unexpected("the end of the tag");
    }
    ++at_;
  }
  Node make(Op op, std::size_t where, std::string text = {}, std::vector<Node> kids = {}) const {
    Node node{.op = op, .line = where, .text = std::move(text), .kids = std::move(kids)};
    for (const Node& kid : node.kids) {
      node.depth = std::max(node.depth, kid.depth + 1);
    }
    if (node.depth > deepest) {
      fail(where, "nested too deeply");
    }
    return node;
  }
  // Guards the parser's own recursion.
  struct Level {
    explicit Level(TokenReader& reader) : reader_(reader) {
      if (++reader_.level_ > deepest) {
        fail(reader_.line(), "nested too deeply");
      }
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --reader_.level_; }
    TokenReader& reader_;
  };

  Node pair(Op op, std::string text, std::size_t where, Node left, Node right) const {
    std::vector<Node> kids;
    kids.push_back(std::move(left));
    kids.push_back(std::move(right));
    return make(op, where, std::move(text), std::move(kids));
  }
  Node single(Op op, std::size_t where, Node kid, std::string text = {}) const {
    std::vector<Node> kids;
    kids.push_back(std::move(kid));
    return make(op, where, std::move(text), std::move(kids));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t level_ = 0;
};

}  // namespace jinja
QWEN35_END_NAMESPACE
