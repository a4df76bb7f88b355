// SPDX-License-Identifier: Apache-2.0
// Runs the tree of a Jinja template.
#pragma once

#include <qwen35/text/jinja_filters.hpp>
#include <qwen35/text/jinja_globals.hpp>
#include <qwen35/text/jinja_methods.hpp>
#include <qwen35/text/jinja_operators.hpp>
#include <qwen35/text/jinja_syntax.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

// Names, and those around them.
struct Scope {
  std::map<std::string, Value, std::less<>> names;
  std::shared_ptr<Scope> outer;

  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer.get()) {
      if (const auto found = scope->names.find(name); found != scope->names.end()) {
        return &found->second;
      }
    }
    return nullptr;
  }
};

class Interpreter {
 public:
  Interpreter(std::map<std::string, Value, std::less<>> variables, const std::vector<Value>& media) {
    for (std::size_t i = 0; i < std::min<std::size_t>(media.size(), 60000); ++i) {
      media_[media[i].identity()] = static_cast<char16_t>(Text::first_medium + i);
    }
    auto globals = std::make_shared<Scope>();
    globals->names["namespace"] = Function([this](Arguments& arguments) -> Value {
      budget_.charge_values(4);
      spaces_.push_back(namespace_of(arguments));
      return spaces_.back();
    });
    globals->names["dict"] = Function([](Arguments& arguments) -> Value { return dict_of(arguments); });
    globals->names["range"] = Function([this](Arguments& arguments) -> Value { return range(arguments, budget_); });
    globals->names["strftime_now"] = Function([](Arguments& arguments) -> Value { return time_text(arguments); });
    globals->names["raise_exception"] = Function([this](Arguments& arguments) -> Value {
      raise<TextError>(
          concat(to_text(needed(arguments, 0, "message"), budget_).bytes, " (chat template, line ", line_, ")"));
    });
    scope_ = std::make_shared<Scope>();
    scope_->names = std::move(variables);
    scope_->outer = std::move(globals);
  }

  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;
  ~Interpreter() {
    for (const Value& space : spaces_) {
      space.members().clear();
    }
  }

  Text run(const Node& root) {
    Text out;
    out_ = &out;
    execute(root);
    return out;
  }
  // Of what is being executed.
  std::size_t line() const { return line_; }

 private:
  enum class Flow : std::uint8_t { on, break_, continue_ };
  static constexpr std::size_t deepest = 300;

  // Counts nested evaluations, so that no template runs out of stack.
  struct Level {
    Level(Interpreter& interpreter, const Node& node) : interpreter_(interpreter) {
      interpreter_.line_ = node.line;
      interpreter_.budget_.charge(64);
      if (++interpreter_.level_ > deepest) {
        fail(node.line, "nested too deeply");
      }
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --interpreter_.level_; }
    Interpreter& interpreter_;
  };
  // A scope of its own while it lives; `outer` is around it.
  struct Inner {
    Inner(Interpreter& interpreter, std::shared_ptr<Scope> outer)
        : interpreter_(interpreter), before_(std::exchange(interpreter.scope_, std::make_shared<Scope>())) {
      interpreter_.scope_->outer = std::move(outer);
    }
    Inner(const Inner&) = delete;
    Inner& operator=(const Inner&) = delete;
    ~Inner() { interpreter_.scope_ = std::move(before_); }
    Interpreter& interpreter_;
    std::shared_ptr<Scope> before_;
  };
  // What is printed while it lives goes to `text`.
  struct Captured {
    explicit Captured(Interpreter& interpreter)
        : interpreter_(interpreter), before_(std::exchange(interpreter.out_, &text)) {}
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    ~Captured() { interpreter_.out_ = before_; }
    Interpreter& interpreter_;
    Text text;
    Text* before_;
  };

  Flow execute(const Node& node) {
    const Level level(*this, node);
    switch (node.op) {
      case Op::block:
        for (const Node& kid : node.kids) {
          if (const Flow flow = execute(kid); flow != Flow::on) {
            return flow;
          }
        }
        return Flow::on;
      case Op::data:
        print(node.value.text());
        return Flow::on;
      case Op::print:
        print(to_text(evaluate(node.kids[0]), budget_));
        return Flow::on;
      case Op::if_:
        for (std::size_t i = 0; i + 1 < node.kids.size(); i += 2) {
          if (evaluate(node.kids[i]).truth()) {
            return execute(node.kids[i + 1]);
          }
        }
        return node.kids.size() % 2 == 1 ? execute(node.kids.back()) : Flow::on;
      case Op::for_:
        loop(node);
        return Flow::on;
      case Op::set:
        assign(node, evaluate(node.kids[0]));
        return Flow::on;
      case Op::set_block: {
        Value value;
        {
          Captured captured(*this);
          const Inner inner(*this, scope_);
          execute(node.kids[0]);
          value = std::move(captured.text);
        }
        assign(node, node.kids[1].op == Op::absent ? value : apply_filters(node.kids[1], value));
        return Flow::on;
      }
      case Op::macro:
        scope_->names[node.text] = macro(node);
        return Flow::on;
      case Op::scope: {
        const Inner inner(*this, scope_);
        Flow flow = Flow::on;
        for (const Node& kid : node.kids) {
          flow = execute(kid);
        }
        return flow;
      }
      case Op::break_:
        return Flow::break_;
      case Op::continue_:
        return Flow::continue_;
      default:
        fail(node.line, "not a statement");
    }
  }
  void print(const Text& text) {
    budget_.charge_text(text.bytes.size());
    *out_ += text;
    if (medium_ != 0) {
      const auto own = static_cast<char16_t>(TextOrigin::chat_template);
      std::replace(out_->origins.end() - static_cast<std::ptrdiff_t>(text.bytes.size()), out_->origins.end(), own,
                   medium_);
    }
  }
  void assign(const Node& node, Value value) {
    if (!node.text.empty()) {  // ns.name = value
      const Value* const space = scope_->find(node.names[0]);
      if (space == nullptr || !space->is_settable_space()) {
        fail(node.line, concat("\"", node.names[0], "\" is no namespace"));
      }
      for (auto& [name, member] : space->members()) {
        if (name.bytes == node.text) {
          member = std::move(value);
          return;
        }
      }
      space->members().emplace_back(Text(node.text), std::move(value));
      return;
    }
    bind(node, value);
  }
  // One name takes the value, several its items.
  void bind(const Node& node, const Value& value) {
    if (node.names.size() == 1) {
      scope_->names[node.names[0]] = value;
      return;
    }
    const std::vector<Value> items = items_of(value, budget_);
    if (items.size() != node.names.size()) {
      fail(node.line, concat(items.size(), " values for ", node.names.size(), " names"));
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      scope_->names[node.names[i]] = items[i];
    }
  }

  void loop(const Node& node) {
    std::vector<Value> items = items_of(evaluate(node.kids[0]), budget_);
    if (node.kids[1].op != Op::absent) {
      std::vector<Value> kept;
      for (const Value& item : items) {
        const Inner inner(*this, scope_);
        bind(node, item);
        if (evaluate(node.kids[1]).truth()) {
          kept.push_back(item);
        }
      }
      items = std::move(kept);
    }
    const bool with_state = !items.empty() && mentions_loop(node.kids[2]);
    for (std::size_t i = 0; i < items.size(); ++i) {
      budget_.charge(with_state ? 1024 : 256);
      const Inner inner(*this, scope_);
      if (with_state) {
        scope_->names["loop"] = loop_state(items, i);
      }
      bind(node, items[i]);
      const auto medium = items[i].is(Kind::dict) ? media_.find(items[i].identity()) : media_.end();
      const char16_t before = medium_;
      medium_ = medium == media_.end() ? before : medium->second;
      const Flow flow = execute(node.kids[2]);
      medium_ = before;
      if (flow == Flow::break_) {
        break;
      }
    }
    if (items.empty()) {
      const Inner inner(*this, scope_);
      execute(node.kids[3]);
    }
  }
  // Does what a loop does look at `loop`? Making that takes most of the time of a short one.
  bool mentions_loop(const Node& node) {
    budget_.charge(1);
    return (node.op == Op::variable && node.text == "loop") ||
           std::any_of(node.kids.begin(), node.kids.end(), [&](const Node& kid) { return mentions_loop(kid); });
  }
  Value loop_state(const std::vector<Value>& items, std::size_t i) {
    const auto number = [](std::size_t value) { return Value(static_cast<std::int64_t>(value)); };
    Members members;
    const auto add = [&](std::string_view name, Value value) { members.emplace_back(Text(name), std::move(value)); };
    add("index0", number(i));
    add("index", number(i + 1));
    add("first", i == 0);
    add("last", i + 1 == items.size());
    add("length", number(items.size()));
    add("revindex", number(items.size() - i));
    add("revindex0", number(items.size() - i - 1));
    add("depth", number(1));  // of recursive loops
    add("depth0", number(0));
    if (i > 0) {
      add("previtem", items[i - 1]);
    }
    if (i + 1 < items.size()) {
      add("nextitem", items[i + 1]);
    }
    add("cycle", Function([i](Arguments& arguments) -> Value {
          if (arguments.items.empty()) {
            wrong("cycle: no items");
          }
          return arguments.items[i % arguments.items.size()];
        }));
    return Value(std::move(members), Kind::space);
  }

  Value macro(const Node& node) {
    return Function([this, &node, home = std::weak_ptr<Scope>(scope_)](Arguments& arguments) -> Value {
      const std::shared_ptr<Scope> outer = home.lock();
      if (outer == nullptr || arguments.items.size() > node.names.size()) {
        wrong(concat(node.text, ": ", outer == nullptr ? "called outside of where it is known" : "too many arguments"));
      }
      Captured captured(*this);
      {
        const Inner inner(*this, outer);
        const std::size_t defaults = node.kids.size() - 1;
        for (std::size_t i = 0; i < node.names.size(); ++i) {
          const Value* const given = arguments.find(i, node.names[i]);
          const std::size_t missing = node.names.size() - i;  // of the last `defaults` parameters
          scope_->names[node.names[i]] = given != nullptr      ? *given
                                         : missing <= defaults ? evaluate(node.kids[defaults - missing])
                                                               : Value::undefined(node.names[i]);
        }
        for (const auto& [name, value] : arguments.named) {
          if (std::find(node.names.begin(), node.names.end(), name) == node.names.end()) {
            wrong(concat(node.text, ": no parameter called ", name));
          }
        }
        execute(node.kids.back());
      }
      return std::move(captured.text);
    });
  }

  Value evaluate(const Node& node) {
    const Level level(*this, node);
    switch (node.op) {
      case Op::absent:
        return {};
      case Op::constant:
        return node.value;
      case Op::variable: {
        const Value* const found = scope_->find(node.text);
        return found != nullptr ? *found : Value::undefined(node.text);
      }
      case Op::list: {
        std::vector<Value> items;
        for (const Node& kid : node.kids) {
          items.push_back(evaluate(kid));
        }
        return node.text == "tuple" ? Value::tuple(std::move(items)) : Value(std::move(items));
      }
      case Op::dict: {
        Members members;
        for (std::size_t i = 0; i + 1 < node.kids.size(); i += 2) {
          const Value key = evaluate(node.kids[i]);
          Value value = evaluate(node.kids[i + 1]);
          const Text& text = text_of(key, "a mapping's key");
          budget_.charge(members.size());
          budget_.charge_text(text.bytes.size());
          const auto same = std::find_if(members.begin(), members.end(),
                                         [&](const auto& member) { return member.first.bytes == text.bytes; });
          if (same != members.end()) {
            same->second = std::move(value);
          } else {
            members.emplace_back(text, std::move(value));
          }
        }
        return members;
      }
      case Op::attribute:
        return attribute(evaluate(node.kids[0]), node.text, node);
      case Op::item:
        return item(evaluate(node.kids[0]), evaluate(node.kids[1]), node);
      case Op::slice:
        return slice(node);
      case Op::call:
        return call(node);
      case Op::filter:
        return apply_filters(node, {});
      case Op::test: {
        if (std::find(std::begin(test_names), std::end(test_names), node.text) == std::end(test_names)) {
          fail(node.line, concat("the test \"", node.text, "\" is not supported"));
        }
        const Arguments arguments = arguments_of(node, evaluate(node.kids[0]));
        line_ = node.line;
        return passes(node.text, arguments, budget_);
      }
      case Op::negate:
      case Op::plus: {
        const Value x = evaluate(node.kids[0]);
        if (!x.is_number() || x.is_large() || x.integer() == std::numeric_limits<std::int64_t>::min()) {
          fail(node.line, concat("expected a number, found ", name(x.kind())));
        }
        const bool minus = node.op == Op::negate;
        return x.is(Kind::number) ? Value(minus ? -x.number() : x.number()) : Value(minus ? -x.integer() : x.integer());
      }
      case Op::logical_not:
        return !evaluate(node.kids[0]).truth();
      case Op::logical_and: {
        Value left = evaluate(node.kids[0]);
        return left.truth() ? evaluate(node.kids[1]) : left;
      }
      case Op::logical_or: {
        Value left = evaluate(node.kids[0]);
        return left.truth() ? left : evaluate(node.kids[1]);
      }
      case Op::choice:
        return evaluate(node.kids[evaluate(node.kids[0]).truth() ? 1 : 2]);
      case Op::binary: {
        const Value left = evaluate(node.kids[0]);
        const Value right = evaluate(node.kids[1]);
        line_ = node.line;
        return binary(node.text, left, right, budget_);
      }
      default:
        fail(node.line, "not an expression");
    }
  }

  // `subject`: of a chain that begins with nothing, a set block's filters.
  Value apply_filters(const Node& node, const Value& subject) {
    if (node.op == Op::absent) {
      return subject;
    }
    if (find_filter(node.text) == nullptr) {
      fail(node.line, concat("the filter \"", node.text, "\" is not supported"));
    }
    const bool chained = node.kids[0].op == Op::filter || node.kids[0].op == Op::absent;
    Arguments arguments = arguments_of(node, chained ? apply_filters(node.kids[0], subject) : evaluate(node.kids[0]));
    line_ = node.line;
    return filtered(node.text, arguments, budget_);
  }
  // The arguments of a filter, a test or a call; the first is `subject`.
  Arguments arguments_of(const Node& node, Value subject) {
    Arguments out;
    out.items.push_back(std::move(subject));
    const std::size_t named = node.kids.size() - node.names.size();
    for (std::size_t i = 1; i < node.kids.size(); ++i) {
      Value value = evaluate(node.kids[i]);
      if (i < named) {
        out.items.push_back(std::move(value));
      } else {
        out.named.emplace_back(node.names[i - named], std::move(value));
      }
    }
    return out;
  }
  Value call(const Node& node) {
    Value callee = evaluate(node.kids[0]);
    if (!callee.is(Kind::function)) {
      fail(node.line, callee.is(Kind::undefined) && node.kids[0].op == Op::variable
                          ? concat("\"", node.kids[0].text, "\" is undefined")
                          : concat(name(callee.kind()), " cannot be called"));
    }
    Arguments arguments = arguments_of(node, {});
    arguments.items.erase(arguments.items.begin());
    line_ = node.line;
    return callee.function()(arguments);
  }

  Value attribute(const Value& value, const std::string& key, const Node& node) {
    if (value.is(Kind::undefined)) {
      fail(node.line, concat("\"", undefined_name(node.kids[0]), "\" is undefined"));
    }
    if (value.is(Kind::space)) {
      const Value* const found = value.find(key);
      return found != nullptr ? *found : Value::undefined(key);
    }
    if (Value method = method_of(value, key, budget_); method.is(Kind::function)) {
      return method;
    }
    return member(value, key);
  }
  Value member(const Value& value, const std::string& key) {
    budget_.charge(value.is(Kind::dict) ? value.members().size() : 1);
    const Value* const found = value.is(Kind::dict) ? value.find(key) : nullptr;
    return found != nullptr ? *found : Value::undefined(key);
  }
  static std::string undefined_name(const Node& node) {
    return node.op == Op::variable || node.op == Op::attribute ? node.text : std::string("a value");
  }
  Value item(const Value& value, const Value& key, const Node& node) {
    if (value.is(Kind::undefined)) {
      fail(node.line, concat("\"", undefined_name(node.kids[0]), "\" is undefined"));
    }
    if (key.is(Kind::text)) {
      if (value.is(Kind::dict)) {
        Value found = member(value, key.text().bytes);
        if (!found.is(Kind::undefined)) {
          return found;
        }
      }
      return attribute(value, key.text().bytes, node);
    }
    if ((value.is(Kind::list) || value.is(Kind::text)) && (key.is(Kind::integer) || key.is(Kind::boolean)) &&
        !key.is_large()) {
      const auto size = static_cast<std::int64_t>(length_of(value, budget_));
      const std::int64_t index = key.integer() < 0 ? key.integer() + size : key.integer();
      if (index >= 0 && index < size) {
        if (value.is(Kind::list)) {
          return value.items()[static_cast<std::size_t>(index)];
        }
        budget_.charge(value.text().bytes.size() * 8);
        const std::vector<std::size_t> starts = character_starts(value.text().bytes);
        const auto i = static_cast<std::size_t>(index);
        return value.text().part(starts[i], starts[i + 1] - starts[i]);
      }
    }
    return Value::undefined("an item");
  }
  Value slice(const Node& node) {
    const Value value = evaluate(node.kids[0]);
    std::optional<std::int64_t> bounds[3];
    for (std::size_t i = 0; i < 3; ++i) {
      const Value bound = evaluate(node.kids[i + 1]);
      if (!bound.is(Kind::none) && node.kids[i + 1].op != Op::absent) {
        bounds[i] = integer_of(bound, "a slice");
      }
    }
    line_ = node.line;
    const Value out = sliced(value, bounds, budget_);
    return value.is_tuple() ? Value::tuple(out.items()) : out;
  }

  std::shared_ptr<Scope> scope_;
  Text* out_ = nullptr;
  std::unordered_map<const void*, char16_t> media_;  // mappings, and the origin of what is written for them
  char16_t medium_ = 0;                              // the one that is looked at
  Budget budget_;
  std::vector<Value> spaces_;  // of the template; their members may hold one another
  std::size_t line_ = 1;
  std::size_t level_ = 0;
};

}  // namespace jinja
QWEN35_END_NAMESPACE
