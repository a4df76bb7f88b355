// SPDX-License-Identifier: Apache-2.0
// What a program calls a config, for messages.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// A string that ends in "Config = app::my_config]". (Not of typeid: that needs RTTI, and a library to read it.)
template <class Config>
constexpr const char* text_with_name() {
  return __PRETTY_FUNCTION__;
}

// Without the unnamed namespaces and functions that it is in, which compilers write differently or not at all, and
// without those up to `configs`, where the presets and configs made of files are.
constexpr std::string_view name_in(std::string_view text) {
  constexpr std::string_view before = "Config = ";
  const std::size_t begin = text.find(before) + before.size();
  std::string_view name = text.substr(begin, text.size() - 1 - begin);
  for (const std::string_view scope : {")::", "}::", "configs::"}) {
    if (const std::size_t at = name.substr(0, name.find('<')).rfind(scope); at != std::string_view::npos) {
      name.remove_prefix(at + scope.size());
    }
  }
  return name;
}

}  // namespace detail

// Shapes, Qwen35_35B_A3B::text_config, app::my_config.
template <class Config>
constexpr std::string_view config_name() {
  return detail::name_in(detail::text_with_name<Config>());
}

QWEN35_END_NAMESPACE
