// SPDX-License-Identifier: Apache-2.0
// The filters that Jinja templates have, and the arguments that each takes.
#pragma once

#include <qwen35/text/jinja_functions.hpp>

#include <algorithm>
#include <array>
#include <string_view>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

// The filters, with the names of their arguments in order; those of map and the selections are another filter's or a
// test's.
struct FilterSignature {
  std::string_view name;
  std::array<std::string_view, 4> keys{};  // behind the last: ""
  bool takes_others = false;

  std::size_t count() const {
    return static_cast<std::size_t>(std::find(keys.begin(), keys.end(), std::string_view()) - keys.begin());
  }
  // The place among the arguments, of which the first is the filtered value; 0: there is none.
  std::size_t place(std::string_view key) const {
    const auto* const found = std::find(keys.begin(), keys.end(), key);
    return found == keys.end() || key.empty() ? 0 : static_cast<std::size_t>(found - keys.begin()) + 1;
  }
};
inline constexpr FilterSignature filter_signatures[] = {
    {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"trim", {"chars"}},
    {"length"},
    {"count"},
    {"string"},
    {"safe"},
    {"upper"},
    {"lower"},
    {"title"},
    {"capitalize"},
    {"replace", {"old", "new", "count"}},
    {"join", {"d", "attribute"}},
    {"first"},
    {"last"},
    {"default", {"default_value", "boolean"}},
    {"d", {"default_value", "boolean"}},
    {"items"},
    {"list"},
    {"map", {}, true},
    {"select", {}, true},
    {"reject", {}, true},
    {"selectattr", {}, true},
    {"rejectattr", {}, true},
    {"int", {"default", "base"}},
    {"float", {"default"}},
    {"abs"},
    {"sort", {"reverse", "case_sensitive", "attribute"}},
    {"reverse"},
    {"unique", {"case_sensitive", "attribute"}},
    {"dictsort", {"case_sensitive", "by", "reverse"}},
    {"sum", {"attribute", "start"}},
    {"min", {"case_sensitive", "attribute"}},
    {"max", {"case_sensitive", "attribute"}},
    {"indent", {"width", "first", "blank"}},
    {"escape"},
    {"e"}};

// Null for a filter that there is not.
inline const FilterSignature* find_filter(std::string_view filter) {
  const auto* const found = std::find_if(std::begin(filter_signatures), std::end(filter_signatures),
                                         [&](const FilterSignature& known) { return known.name == filter; });
  return found == std::end(filter_signatures) ? nullptr : found;
}

// The argument of a filter; null when it is not given.
inline const Value* argument(std::string_view filter, const Arguments& arguments, std::string_view key) {
  return arguments.find(find_filter(filter)->place(key), key);
}
inline bool is_set(std::string_view filter, const Arguments& arguments, std::string_view key) {
  const Value* const found = argument(filter, arguments, key);
  return found != nullptr && found->truth();
}

// None is passed over.
inline void check_arguments(const FilterSignature& filter, const Arguments& arguments) {
  if (filter.takes_others) {
    return;
  }
  if (arguments.items.size() > filter.count() + 1) {
    wrong(concat(filter.name, ": ", arguments.items.size() - 1, " arguments, it takes ", filter.count()));
  }
  for (const auto& [key, value] : arguments.named) {
    if (filter.place(key) == 0) {
      wrong(concat(filter.name, ": there is no argument \"", key.substr(0, 40), "\""));
    }
  }
}

}  // namespace jinja
QWEN35_END_NAMESPACE
