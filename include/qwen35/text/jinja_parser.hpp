// SPDX-License-Identifier: Apache-2.0
// The text of a Jinja template to a tree.
#pragma once

#include <qwen35/text/jinja_expressions.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

class Parser : private ExpressionParser {
 public:
  explicit Parser(std::string_view source) : ExpressionParser(source) {}

  Node run() {
    Node root = body({});
    if (!at(TokenKind::end)) {
      fail(line(), "a tag that ends nothing");
    }
    return root;
  }

 private:
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

  std::size_t loops_ = 0;
};

}  // namespace jinja
QWEN35_END_NAMESPACE
