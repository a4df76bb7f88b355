// SPDX-License-Identifier: Apache-2.0
// The expressions of a Jinja template to trees.
#pragma once

#include <qwen35/core/decimal.hpp>
#include <qwen35/text/jinja_syntax.hpp>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

class ExpressionParser : protected TokenReader {
 protected:
  using TokenReader::TokenReader;

  // One expression, or several with commas.
  Node tuple(bool with_choice = true) {
    const std::size_t where = line();
    Node first = with_choice ? expression() : logical_or();
    if (!at_sign(",")) {
      return first;
    }
    std::vector<Node> items;
    items.push_back(std::move(first));
    while (skip_sign(",") && !at(TokenKind::block_end) && !at(TokenKind::print_end) && !at_sign(")")) {
      items.push_back(with_choice ? expression() : logical_or());
    }
    return make(Op::list, where, "tuple", std::move(items));
  }
  Node expression() {
    const Level level(*this);
    Node out = logical_or();
    while (at_name("if")) {
      const std::size_t where = line();
      ++at_;
      std::vector<Node> kids;
      kids.push_back(logical_or());
      kids.push_back(std::move(out));
      kids.push_back(skip_name("else") ? expression() : make(Op::absent, where));
      out = make(Op::choice, where, {}, std::move(kids));
    }
    return out;
  }
  Node logical_or() {
    Node out = logical_and();
    while (at_name("or")) {
      const std::size_t where = tokens_[at_++].line;
      out = pair(Op::logical_or, {}, where, std::move(out), logical_and());
    }
    return out;
  }
  Node logical_and() {
    Node out = logical_not();
    while (at_name("and")) {
      const std::size_t where = tokens_[at_++].line;
      out = pair(Op::logical_and, {}, where, std::move(out), logical_not());
    }
    return out;
  }
  Node logical_not() {
    const Level level(*this);
    const std::size_t where = line();
    return skip_name("not") ? single(Op::logical_not, where, logical_not()) : comparison();
  }
  Node comparison() {
    Node out = sums();
    bool chained = false;
    while (true) {
      const std::size_t where = line();
      std::string sign;
      for (const std::string_view known : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (skip_sign(known)) {
          sign = known;
          break;
        }
      }
      if (sign.empty() && skip_name("in")) {
        sign = "in";
      } else if (sign.empty() && at_name("not") && peek(1).kind == TokenKind::name && peek(1).text == "in") {
        at_ += 2;
        sign = "not in";
      }
      if (sign.empty()) {
        return out;
      }
      if (std::exchange(chained, true)) {
        fail(where, "comparisons in a chain are not supported");
      }
      out = pair(Op::binary, std::move(sign), where, std::move(out), sums());
    }
  }
  // Left to right: "+" and "-" bind loosest, then "~", then the products, then powers.
  Node sums() {
    return chain({"+", "-"}, [this] { return joins(); });
  }
  Node joins() {
    return chain({"~"}, [this] { return products(); });
  }
  Node products() {
    return chain({"*", "//", "/", "%"}, [this] { return powers(); });
  }
  Node powers() {
    return chain({"**"}, [this] { return sign(true); });
  }
  template <class Operand>
  Node chain(std::initializer_list<std::string_view> signs, const Operand& operand) {
    Node out = operand();
    while (at(TokenKind::sign) && std::find(signs.begin(), signs.end(), peek().text) != signs.end()) {
      const Token& token = tokens_[at_++];
      out = pair(Op::binary, token.text, token.line, std::move(out), operand());
    }
    return out;
  }
  Node sign(bool with_filters) {
    const Level level(*this);
    const std::size_t where = line();
    Node out;
    if (skip_sign("-")) {
      out = single(Op::negate, where, sign(false));
    } else if (skip_sign("+")) {
      out = single(Op::plus, where, sign(false));
    } else {
      out = primary();
    }
    out = postfix(std::move(out));
    while (with_filters) {
      if (at_sign("|")) {
        out = filter(std::move(out));
      } else if (at_name("is")) {
        out = test(std::move(out));
      } else if (at_sign("(")) {
        out = call(Op::call, std::move(out), {});
      } else {
        break;
      }
    }
    return out;
  }

  Node constant(Value value, std::size_t where) const {
    Node out = make(Op::constant, where);
    out.value = std::move(value);
    return out;
  }
  Node primary() {
    const std::size_t where = line();
    const Token token = peek();
    switch (token.kind) {
      case TokenKind::name:
        ++at_;
        if (token.text == "true" || token.text == "True") {
          return constant(true, where);
        }
        if (token.text == "false" || token.text == "False") {
          return constant(false, where);
        }
        if (token.text == "none" || token.text == "None") {
          return constant(Value::none(), where);
        }
        return make(Op::variable, where, token.text);
      case TokenKind::text: {
        std::string text;
        while (at(TokenKind::text)) {
          text += tokens_[at_++].text;
        }
        return constant(Text(text), where);
      }
      case TokenKind::integer: {
        ++at_;
        std::int64_t value = 0;
        if (std::from_chars(token.text.data(), token.text.data() + token.text.size(), value).ec != std::errc()) {
          fail(where, "an integer beyond 64 bits");
        }
        return constant(value, where);
      }
      case TokenKind::number: {
        ++at_;
        double value = 0.0;
        if (read_decimal(token.text.data(), token.text.data() + token.text.size(), value).ec != std::errc()) {
          fail(where, "a number that is too large or too small");
        }
        return constant(value, where);
      }
      default:
        break;
    }
    const Level level(*this);
    if (skip_sign("(")) {
      if (skip_sign(")")) {
        return make(Op::list, where, "tuple");
      }
      Node out = tuple();
      expect_sign(")");
      return out;
    }
    if (skip_sign("[")) {
      return make(Op::list, where, {}, items("]", false));
    }
    if (skip_sign("{")) {
      return make(Op::dict, where, {}, items("}", true));
    }
    unexpected("an expression");
  }
  std::vector<Node> items(std::string_view close, bool pairs) {
    std::vector<Node> out;
    while (!skip_sign(close)) {
      out.push_back(expression());
      if (pairs) {
        expect_sign(":");
        out.push_back(expression());
      }
      if (!at_sign(close)) {
        expect_sign(",");
      }
    }
    return out;
  }
  Node postfix(Node out) {
    while (true) {
      const std::size_t where = line();
      if (skip_sign(".")) {
        out = at(TokenKind::integer) ? pair(Op::item, {}, where, std::move(out), primary())
                                     : single(Op::attribute, where, std::move(out), take_name());
      } else if (skip_sign("[")) {
        out = subscript(std::move(out), where);
      } else if (at_sign("(")) {
        out = call(Op::call, std::move(out), {});
      } else {
        return out;
      }
    }
  }
  Node subscript(Node out, std::size_t where) {
    std::vector<Node> kids;
    kids.push_back(std::move(out));
    const auto bound = [&] {
      const bool none = at_sign(":") || at_sign("]");
      kids.push_back(none ? make(Op::absent, where) : expression());
    };
    bound();
    const bool slice = at_sign(":");
    for (int i = 0; i < 2 && slice; ++i) {
      if (skip_sign(":")) {
        bound();
      } else {
        kids.push_back(make(Op::absent, where));
      }
    }
    if (!slice && kids[1].op == Op::absent) {
      unexpected("an index");
    }
    expect_sign("]");
    return make(slice ? Op::slice : Op::item, where, {}, std::move(kids));
  }
  // kids: what is called, the arguments, those with names last.
  Node call(Op op, Node callee, std::string text) {
    const std::size_t where = line();
    std::vector<Node> kids;
    std::vector<std::string> names;
    kids.push_back(std::move(callee));
    expect_sign("(");
    while (!skip_sign(")")) {
      if (at_sign("*") || at_sign("**")) {
        fail(where, "unpacked arguments are not supported");
      }
      if (at(TokenKind::name) && peek(1).kind == TokenKind::sign && peek(1).text == "=") {
        names.push_back(take_name());
        ++at_;
      } else if (!names.empty()) {
        unexpected("an argument with a name");
      }
      kids.push_back(expression());
      if (!at_sign(")")) {
        expect_sign(",");
      }
    }
    Node out = make(op, where, std::move(text), std::move(kids));
    out.names = std::move(names);
    return out;
  }
  Node filter(Node subject) {
    const std::size_t where = line();
    expect_sign("|");
    std::string name = take_name();
    return at_sign("(") ? call(Op::filter, std::move(subject), std::move(name))
                        : single(Op::filter, where, std::move(subject), std::move(name));
  }
  Node test(Node subject) {
    const std::size_t where = line();
    ++at_;  // is
    const bool negated = skip_name("not");
    std::string name = take_name();
    Node out;
    const bool operand = at(TokenKind::text) || at(TokenKind::integer) || at(TokenKind::number) || at_sign("[") ||
                         at_sign("{") ||
                         (at(TokenKind::name) && !at_name("else") && !at_name("or") && !at_name("and") &&
                          !at_name("is") && !at_name("if") && !at_name("in") && !at_name("not"));
    if (at_sign("(")) {
      out = call(Op::test, std::move(subject), std::move(name));
    } else if (operand) {
      Node argument = postfix(primary());
      out = pair(Op::test, std::move(name), where, std::move(subject), std::move(argument));
    } else {
      out = single(Op::test, where, std::move(subject), std::move(name));
    }
    return negated ? single(Op::logical_not, where, std::move(out)) : std::move(out);
  }
};

}  // namespace jinja
QWEN35_END_NAMESPACE
