// SPDX-License-Identifier: Apache-2.0
// Builds a value from the events of a reading.
#pragma once

#include <qwen35/core/name_list.hpp>
#include <qwen35/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace json {

// An EventHandler. The reading costs heap, not stack, whatever the depth; the limit keeps the (recursive) destructor of
// the value safe.
class Builder {
 public:
  explicit Builder(std::size_t deepest = usual_depth) : deepest_(deepest) {}

  bool null() { return add(Value()); }
  bool boolean(bool value) { return add(Value(value)); }
  bool integer(std::int64_t value) { return add(Value(value)); }
  bool big_integer(std::string_view digits) { return add(Value::integer(digits)); }
  bool number(double value) { return add(Value(value)); }
  bool string(std::string_view text) { return add(Value(text)); }
  bool begin_array() { return open(Value::array()); }
  bool end_array() { return close(); }
  bool begin_object() { return open(Value::object()); }
  bool key(std::string_view text) {
    keys_.back().assign(text);
    return true;
  }
  bool end_object() { return close(); }

  // The value that was read.
  Value take() { return std::move(root_); }
  // The keys that stand in one object more than once: "hidden_size", "text_config.hidden_size".
  const NameList& repeated() const { return repeated_; }

 private:
  bool open(Value container) {
    if (stack_.size() == deepest_) {
      return false;
    }
    stack_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(stack_.back());
    if (done.is_object()) {
      keep_last(done.members());
    }
    stack_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }
  bool add(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (stack_.back().is_array()) {
      stack_.back().items().push_back(std::move(value));
    } else {
      stack_.back().members().emplace_back(std::move(keys_.back()), std::move(value));
    }
    return true;
  }

  // Of members with the same key the last value stays, at the first one's place, as Python's json does.
  void keep_last(std::vector<Value::Member>& members) {
    std::unordered_map<std::string_view, std::size_t> place;
    std::vector<bool> repeated(members.size(), false);
    bool any = false;
    place.reserve(members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto [found, fresh] = place.try_emplace(members[i].first, i);
      if (!fresh) {
        members[found->second].second = std::move(members[i].second);
        repeated[i] = true;
        any = true;
        tell(members[i].first);
      }
    }
    place.clear();
    if (any) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (!repeated[i]) {
          if (kept != i) {
            members[kept] = std::move(members[i]);
          }
          ++kept;
        }
      }
      members.resize(kept);
    }
  }

  void tell(const std::string& key) {
    std::string path;
    if (repeated_.count < NameList::shown) {
      for (std::size_t i = 0; i + 1 < keys_.size(); ++i) {
        path += keys_[i].empty() ? "" : keys_[i] + '.';  // a list has none
      }
    }
    path += key;
    if (repeated_.names.empty() || repeated_.names.back() != path) {
      repeated_.add(path);
    }
  }

  std::size_t deepest_;
  Value root_;
  NameList repeated_;
  std::vector<Value> stack_;
  std::vector<std::string> keys_;
};

}  // namespace json
QWEN35_END_NAMESPACE
