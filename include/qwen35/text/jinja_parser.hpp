// SPDX-License-Identifier: Apache-2.0
// The tokens of a Jinja template to a tree.
#pragma once

#include <qwen35/text/jinja_lexer.hpp>
#include <qwen35/text/jinja_value.hpp>

#include <algorithm>
#include <charconv>
#include <initializer_list>

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

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(Lexer(source).run()) {}

  Node run() {
    Node root = body({});
    if (!at(TokenKind::end)) {
      fail(line(), "a tag that ends nothing");
    }
    return root;
  }

 private:
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
    explicit Level(Parser& parser) : parser_(parser) {
      if (++parser_.level_ > deepest) {
        fail(parser_.line(), "nested too deeply");
      }
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --parser_.level_; }
    Parser& parser_;
  };

  // Statements up to a tag whose name is one of `ends`; its opening token and name are still to be read.
  Node body(std::initializer_list<std::string_view> ends) {
    const Level level(*this);
    const std::size_t where = line();
    std::vector<Node> out;
    while (!at(TokenKind::end)) {
      if (at(TokenKind::data)) {
        out.push_back(make(Op::data, line()));
        out.back().value = Text(tokens_[at_++].text);
      } else if (at(TokenKind::print_begin)) {
        const std::size_t print_line = tokens_[at_++].line;
        out.push_back(single(Op::print, print_line, tuple()));
        if (!at(TokenKind::print_end)) {
          unexpected("the end of the expression");
        }
        ++at_;
      } else {
        const std::string_view tag = peek(1).text;
        if (peek(1).kind == TokenKind::name && std::find(ends.begin(), ends.end(), tag) != ends.end()) {
          break;
        }
        ++at_;
        out.push_back(statement());
      }
    }
    return make(Op::block, where, {}, std::move(out));
  }
  // The rest of a statement's body: what stands up to `{% end %}`.
  Node body_to(std::string_view end) {
    end_tag();
    Node out = body({end});
    close(end);
    return out;
  }
  void close(std::string_view end) {
    if (!at(TokenKind::block_begin) || peek(1).text != end) {
      unexpected(concat("{% ", end, " %}"));
    }
    at_ += 2;
    end_tag();
  }

  Node statement() {
    const std::size_t where = line();
    const std::string tag = take_name();
    if (tag == "if") {
      return if_statement(where);
    }
    if (tag == "for") {
      return for_statement(where);
    }
    if (tag == "set") {
      return set_statement(where);
    }
    if (tag == "macro") {
      return macro_statement(where);
    }
    if (tag == "generation") {  // marks the assistant's tokens for training
      return single(Op::scope, where, body_to("endgeneration"));
    }
    if (tag == "with") {
      std::vector<Node> kids;
      while (!at(TokenKind::block_end)) {
        Node set = make(Op::set, line());
        set.names = {take_name()};
        expect_sign("=");
        set.kids.push_back(expression());
        kids.push_back(std::move(set));
        if (!skip_sign(",")) {
          break;
        }
      }
      kids.push_back(body_to("endwith"));
      return make(Op::scope, where, {}, std::move(kids));
    }
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) {
        fail(where, concat("{% ", tag, " %} outside of a loop"));
      }
      end_tag();
      return make(tag == "break" ? Op::break_ : Op::continue_, where);
    }
    fail(where, concat("the tag {% ", tag, " %} is not supported"));
  }
  Node if_statement(std::size_t where) {
    std::vector<Node> kids;  // condition, body, ..., perhaps a last body
    kids.push_back(tuple());
    while (true) {
      end_tag();
      kids.push_back(body({"elif", "else", "endif"}));
      if (!at(TokenKind::block_begin)) {
        unexpected("{% endif %}");
      }
      ++at_;
      if (skip_name("elif")) {
        kids.push_back(tuple());
        continue;
      }
      if (skip_name("else")) {
        kids.push_back(body_to("endif"));
      } else {
        ++at_;
        end_tag();
      }
      return make(Op::if_, where, {}, std::move(kids));
    }
  }
  // kids: what is gone through, the condition, the body, the body without any.
  Node for_statement(std::size_t where) {
    std::vector<std::string> targets = target_names();
    if (!skip_name("in")) {
      unexpected("in");
    }
    std::vector<Node> kids;
    kids.push_back(tuple(false));
    kids.push_back(skip_name("if") ? expression() : make(Op::absent, where));
    if (at_name("recursive")) {
      fail(where, "recursive loops are not supported");
    }
    end_tag();
    ++loops_;
    kids.push_back(body({"endfor", "else"}));
    --loops_;
    if (at(TokenKind::block_begin) && peek(1).text == "else") {
      at_ += 2;
      kids.push_back(body_to("endfor"));
    } else {
      close("endfor");
      kids.push_back(make(Op::block, where));
    }
    Node out = make(Op::for_, where, {}, std::move(kids));
    out.names = std::move(targets);
    return out;
  }
  std::vector<std::string> target_names() {
    const bool brackets = skip_sign("(");
    std::vector<std::string> out{take_name()};
    while (skip_sign(",")) {
      out.push_back(take_name());
    }
    if (brackets) {
      expect_sign(")");
    }
    return out;
  }
  Node set_statement(std::size_t where) {
    std::vector<std::string> targets = target_names();
    std::string attribute;
    if (targets.size() == 1 && skip_sign(".")) {
      attribute = take_name();
    }
    std::vector<Node> kids;
    const bool assigns = skip_sign("=");
    if (assigns) {
      kids.push_back(tuple());
      end_tag();
    } else {
      Node filters = make(Op::absent, where);
      while (at_sign("|")) {
        filters = filter(std::move(filters));
      }
      kids.push_back(body_to("endset"));
      kids.push_back(std::move(filters));
    }
    Node out = make(assigns ? Op::set : Op::set_block, where, std::move(attribute), std::move(kids));
    out.names = std::move(targets);
    return out;
  }
  // kids: the default values of the last parameters, then the body.
  Node macro_statement(std::size_t where) {
    std::string name = take_name();
    std::vector<std::string> parameters;
    std::vector<Node> kids;
    expect_sign("(");
    while (!skip_sign(")")) {
      parameters.push_back(take_name());
      if (skip_sign("=")) {
        kids.push_back(expression());
      } else if (!kids.empty()) {
        unexpected("a default value");
      }
      if (!at_sign(")")) {
        expect_sign(",");
      }
    }
    const std::size_t loops = std::exchange(loops_, 0);
    kids.push_back(body_to("endmacro"));
    loops_ = loops;
    Node out = make(Op::macro, where, std::move(name), std::move(kids));
    out.names = std::move(parameters);
    return out;
  }

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
        if (std::from_chars(token.text.data(), token.text.data() + token.text.size(), value).ec != std::errc()) {
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

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t level_ = 0;
  std::size_t loops_ = 0;
};

}  // namespace jinja
QWEN35_END_NAMESPACE
