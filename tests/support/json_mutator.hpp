// SPDX-License-Identifier: Apache-2.0
// A fuzz driver whose input is JSON includes this: most inputs that are tried are then JSON too, with values replaced,
// moved, repeated and left out.
#pragma once

#include <qwen35/json/parse.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#if !defined(QWEN35_REPLAY)
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

class JsonMutator {
 public:
  explicit JsonMutator(unsigned seed) : random_(seed) {}

  void mutate(qwen35::json::Value& root) {
    std::vector<qwen35::json::Value*> nodes;
    collect(root, nodes, 0);
    qwen35::json::Value& node = *nodes[below(nodes.size())];
    switch (below(8)) {
      case 0:
        node = odd_value();
        break;
      case 1: {  // what stands elsewhere
        const qwen35::json::Value other = *nodes[below(nodes.size())];
        node = other;
        break;
      }
      case 2:
        if (node.is_object() && node.size() > 0) {
          node.members().erase(node.members().begin() + static_cast<std::ptrdiff_t>(below(node.size())));
        } else if (node.is_array() && node.size() > 0) {
          node.items().erase(node.items().begin() + static_cast<std::ptrdiff_t>(below(node.size())));
        }
        break;
      case 3:
        if (node.is_array() && node.size() > 0) {
          const qwen35::json::Value item = node.items()[below(node.size())];
          for (std::size_t i = below(4) == 0 ? 50 : 1; i > 0; --i) {
            node.push_back(item);
          }
        } else if (node.is_object() && node.size() > 1) {
          std::swap(node.members()[below(node.size())].second, node.members()[below(node.size())].second);
        }
        break;
      case 4:
        if (node.is_object() && node.size() > 0) {  // another name
          mutate_text(node.members()[below(node.size())].first);
        }
        break;
      default:
        change(node);
    }
  }

  std::size_t below(std::size_t n) { return random_() % n; }

 private:
  using Value = qwen35::json::Value;

  static void collect(Value& value, std::vector<Value*>& out, std::size_t depth) {
    out.push_back(&value);
    if (depth < 64 && value.is_array()) {
      for (Value& item : value.items()) {
        collect(item, out, depth + 1);
      }
    } else if (depth < 64 && value.is_object()) {
      for (Value::Member& member : value.members()) {
        collect(member.second, out, depth + 1);
      }
    }
  }

  void mutate_text(std::string& text) {
    std::vector<std::uint8_t> bytes(text.begin(), text.end());
    bytes.resize(text.size() + 16);
    const std::size_t size = LLVMFuzzerMutate(bytes.data(), text.size(), bytes.size());
    text.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }

  void change(Value& node) {
    if (node.is_string()) {
      std::string text = node.as_string();
      mutate_text(text);
      node = Value(std::move(text));
    } else if (node.is_bool()) {
      node = Value(!node.as_bool());
    } else if (node.is_integer()) {
      const std::int64_t by = static_cast<std::int64_t>(below(17)) - 8;
      const auto value = static_cast<std::uint64_t>(node.as_integer());
      node = Value(static_cast<std::int64_t>(below(3) == 0 ? value * 2 : value + static_cast<std::uint64_t>(by)));
    } else {
      node = odd_value();
    }
  }

  Value odd_value() {
    constexpr std::int64_t integers[] = {0,
                                         1,
                                         -1,
                                         2,
                                         3,
                                         7,
                                         16,
                                         17,
                                         64,
                                         255,
                                         256,
                                         65535,
                                         65536,
                                         1000000000,
                                         2147483647,
                                         -2147483648LL,
                                         std::numeric_limits<std::int64_t>::max(),
                                         std::numeric_limits<std::int64_t>::min()};
    constexpr double numbers[] = {0.5, -0.0, 1e-300, 1e300, 1.5, -2.5, 4294967296.0, 5e-324};
    switch (below(7)) {
      case 0:
        return Value();
      case 1:
        return Value(below(2) == 0);
      case 2:
        return Value(numbers[below(std::size(numbers))]);
      case 3:
        return below(2) == 0 ? Value::array() : Value::object();
      case 4:
        return Value(below(4) == 0 ? std::string() : std::string(below(40), static_cast<char>('!' + below(90))));
      default:
        return Value(integers[below(std::size(integers))]);
    }
  }

  std::mt19937 random_;
};

}  // namespace fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::JsonMutator mutator(seed);
  std::optional<qwen35::json::Value> value = qwen35::json::try_parse({reinterpret_cast<const char*>(data), size});
  if (!value || mutator.below(20) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  for (std::size_t i = 1 + mutator.below(3); i > 0; --i) {
    mutator.mutate(*value);
  }
  const std::string text = qwen35::json::dump(*value);
  if (text.size() > max_size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
#endif  // !QWEN35_REPLAY
