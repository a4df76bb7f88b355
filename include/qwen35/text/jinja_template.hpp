// SPDX-License-Identifier: Apache-2.0
// A Jinja template, compiled and run as transformers' apply_chat_template does it.
#pragma once

#include <qwen35/text/jinja_filters.hpp>
#include <qwen35/text/jinja_parser.hpp>

#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

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
    globals->names["namespace"] = Function([this](Arguments& arguments) -> Value { return space(arguments); });
    globals->names["dict"] = Function([](Arguments& arguments) -> Value { return pairs(arguments); });
    globals->names["range"] = Function([this](Arguments& arguments) -> Value { return range(arguments); });
    globals->names["strftime_now"] = Function([](Arguments& arguments) -> Value { return time_text(arguments); });
    globals->names["raise_exception"] = Function([this](Arguments& arguments) -> Value {
      raise<TextError>(concat(to_text(needed(arguments, 0, "message")).bytes, " (chat template, line ", line_, ")"));
    });
    scope_ = std::make_shared<Scope>();
    scope_->names = std::move(variables);
    scope_->outer = std::move(globals);
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

  static Value pairs(Arguments& arguments) {
    Members members;
    for (auto& [name, value] : arguments.named) {
      members.emplace_back(Text(name), std::move(value));
    }
    if (!arguments.items.empty()) {
      wrong("dict: only arguments with names are supported");
    }
    return members;
  }
  Value space(Arguments& arguments) {
    Members members;
    if (!arguments.items.empty() && arguments.items[0].is(Kind::dict)) {
      members = arguments.items[0].members();
    }
    for (auto& [name, value] : arguments.named) {
      members.emplace_back(Text(name), std::move(value));
    }
    return Value(std::move(members), Kind::space);
  }
  Value range(Arguments& arguments) {
    std::int64_t bounds[3] = {0, 0, 1};
    if (arguments.items.empty() || arguments.items.size() > 3) {
      wrong("range: expected one to three integers");
    }
    for (std::size_t i = 0; i < arguments.items.size(); ++i) {
      bounds[arguments.items.size() == 1 ? 1 : i] = integer_of(arguments.items[i], "range");
    }
    if (bounds[2] == 0) {
      wrong("range: the step is 0");
    }
    std::vector<Value> out;
    for (std::int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1];) {
      budget_.charge(8);
      out.push_back(i);
      if (out.size() > 100000 || __builtin_add_overflow(i, bounds[2], &i)) {
        wrong("range: more than 100000 items");
      }
    }
    return out;
  }
  static Value time_text(Arguments& arguments) {
    static std::mutex one_at_a_time;  // std::localtime shares its result
    const std::string format = text_of(needed(arguments, 0, "format"), "strftime_now").bytes;
    const std::time_t now = std::time(nullptr);
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    char buffer[1024] = "";
    const std::size_t size = std::strftime(buffer, sizeof(buffer), format.c_str(), std::localtime(&now));
    return Text(std::string_view(buffer, size), TextOrigin::program);
  }

  // Counts nested evaluations, so that no template runs out of stack.
  struct Level {
    Level(Interpreter& interpreter, const Node& node) : interpreter_(interpreter) {
      interpreter_.line_ = node.line;
      interpreter_.budget_.charge(32);
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
        print(to_text(evaluate(node.kids[0])));
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
    budget_.charge(text.bytes.size() + 1);
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
      if (space == nullptr || !space->is(Kind::space)) {
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
    for (std::size_t i = 0; i < items.size(); ++i) {
      budget_.charge(512);
      const Inner inner(*this, scope_);
      scope_->names["loop"] = loop_state(items, i);
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
        return binary(node.text, left, right);
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
    if (std::find(std::begin(filter_names), std::end(filter_names), node.text) == std::end(filter_names)) {
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
      const auto size = static_cast<std::int64_t>(length_of(value));
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
    if (!value.is(Kind::list) && !value.is(Kind::text)) {
      wrong(concat("a slice of ", name(value.kind())));
    }
    const std::vector<Value> items = items_of(value, budget_);
    const auto size = static_cast<std::int64_t>(items.size());
    const std::int64_t step = bounds[2].value_or(1);
    if (step == 0) {
      wrong("a slice's step is 0");
    }
    const auto clamped = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
      const std::int64_t low = step < 0 ? -1 : 0, high = step < 0 ? size - 1 : size;
      if (!bound) {
        return otherwise;
      }
      return *bound < 0 ? (*bound < -size ? low : std::max(*bound + size, low)) : std::min(*bound, high);
    };
    const std::int64_t begin = clamped(bounds[0], step < 0 ? size - 1 : 0);
    const std::int64_t end = clamped(bounds[1], step < 0 ? -1 : size);
    std::vector<Value> out;
    for (std::int64_t i = begin; step < 0 ? i > end : i < end;) {
      out.push_back(items[static_cast<std::size_t>(i)]);
      if (__builtin_add_overflow(i, step, &i)) {
        break;
      }
    }
    return value.is(Kind::text) ? Value(joined(out, Text(), budget_)) : Value(std::move(out));
  }

  Value binary(const std::string& sign, const Value& a, const Value& b) {
    if (sign == "==" || sign == "!=") {
      return (a == b) == (sign == "==");
    }
    if (sign == "<" || sign == ">=") {
      return less(a, b) == (sign == "<");
    }
    if (sign == ">" || sign == "<=") {
      return less(b, a) == (sign == ">");
    }
    if (sign == "in" || sign == "not in") {
      budget_.charge(b.is(Kind::text) ? b.text().bytes.size() : b.is(Kind::undefined) ? 1 : length_of(b));
      return contains(b, a) == (sign == "in");
    }
    if (sign == "~") {
      Text out = to_text(a);
      add_text(b, out);
      out.markup = false;
      budget_.charge(out.bytes.size());
      return out;
    }
    if (sign == "+" && a.is(Kind::text) && b.is(Kind::text)) {
      const bool markup = a.text().markup || b.text().markup;
      Text out = markup && !a.text().markup ? escaped(a.text()) : a.text();
      out += markup && !b.text().markup ? escaped(b.text()) : b.text();
      out.markup = markup;
      budget_.charge(out.bytes.size());
      return out;
    }
    if (sign == "+" && a.is(Kind::list) && b.is(Kind::list)) {
      std::vector<Value> out = a.items();
      out.insert(out.end(), b.items().begin(), b.items().end());
      budget_.charge(out.size() * 8);
      return out;
    }
    if (sign == "*" && a.is(Kind::text) && (b.is(Kind::integer) || b.is(Kind::boolean)) && !b.is_large()) {
      Text out;
      for (std::int64_t i = 0; i < b.integer(); ++i) {
        budget_.charge(a.text().bytes.size() + 1);
        out += a.text();
      }
      return out;
    }
    if (!a.is_number() || !b.is_number() || a.is_large() || b.is_large()) {
      wrong(concat("\"", sign, "\" between ", kind_name(a), " and ", kind_name(b)));
    }
    return a.is(Kind::number) || b.is(Kind::number) || sign == "/" ? arithmetic(sign, a.number(), b.number())
                                                                   : arithmetic(sign, a.integer(), b.integer());
  }
  static std::string kind_name(const Value& value) {
    return std::string(value.is(Kind::undefined) ? std::string_view("an undefined value") : name(value.kind()));
  }
  static Value arithmetic(const std::string& sign, double a, double b) {
    if ((sign == "/" || sign == "//" || sign == "%") && b == 0.0) {
      wrong("division by zero");
    }
    const double quotient = sign == "//" || sign == "%" ? std::floor(a / b) : 0.0;
    return sign == "+"    ? a + b
           : sign == "-"  ? a - b
           : sign == "*"  ? a * b
           : sign == "/"  ? a / b
           : sign == "//" ? quotient
           : sign == "%"  ? a - quotient * b
                          : std::pow(a, b);
  }
  static Value arithmetic(const std::string& sign, std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    bool beyond = false;
    if (sign == "+" || sign == "-" || sign == "*") {
      beyond = sign == "+"   ? __builtin_add_overflow(a, b, &out)
               : sign == "-" ? __builtin_sub_overflow(a, b, &out)
                             : __builtin_mul_overflow(a, b, &out);
    } else if (sign == "//" || sign == "%") {
      if (b == 0) {
        wrong("division by zero");
      }
      beyond = b == -1 && a == std::numeric_limits<std::int64_t>::min();
      const std::int64_t quotient = beyond ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
      out = sign == "//" ? quotient : beyond ? 0 : a - quotient * b;
    } else {
      if (b < 0) {
        return std::pow(static_cast<double>(a), static_cast<double>(b));
      }
      out = 1;
      for (std::int64_t i = 0; i < b && !beyond && out != 0 && (a != 1 || i < 1) && (a != -1 || i < b % 2); ++i) {
        beyond = __builtin_mul_overflow(out, a, &out);
      }
      out = a == -1 && b > 0 ? (b % 2 == 0 ? 1 : -1) : out;
    }
    if (beyond) {
      wrong("an integer beyond 64 bits");
    }
    return out;
  }

  std::shared_ptr<Scope> scope_;
  Text* out_ = nullptr;
  std::unordered_map<const void*, char16_t> media_;  // mappings, and the origin of what is written for them
  char16_t medium_ = 0;                              // the one that is looked at
  Budget budget_;
  std::size_t line_ = 1;
  std::size_t level_ = 0;
};

}  // namespace jinja

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
