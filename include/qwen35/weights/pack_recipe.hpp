// SPDX-License-Identifier: Apache-2.0
// Which format each tensor gets when a model is packed: a short text of rules.
#pragma once

#include <qwen35/weights/tensor_info.hpp>
#include <qwen35/weights/tensor_part.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/weights/block_fit.hpp>

#include <algorithm>
#include <array>
#include <utility>
#endif

QWEN35_BEGIN_NAMESPACE

// A line is a rule: what it is for, then formats, of which a tensor gets the first whose blocks its rows are whole
// numbers of. "#" begins a remark.
//
//   experts            q4_k q4_1 copy
//   *.layers.0.*       q8_0
//   *                  copy
//
// What a rule is for is a part (see TensorPart), or a pattern for the names in the file, with * for any characters and
// ? for one. The first rule that is for a tensor counts; one that no rule is for stays as it is, as with `copy`. So
// does, whatever the rule, a vector, and what takes no more bits already: nothing is gained by writing it larger.
class PackRecipe {
 public:
  // Raises InputError, with the line, for what is no recipe.
  static PackRecipe parse(std::string_view text, const std::string& source);
  // "copy"; "q8"; "q4"; "q4-mixed": experts and dense feed-forwards in 4 bits, the rest in 8, the head in 6.
  static std::optional<PackRecipe> named(std::string_view name);
  // Their names, for messages.
  static std::string names();

  const std::string& text() const { return text_; }
  // Has it a rule at all? A text of remarks and blanks is a recipe too.
  bool has_rules() const { return !rules_.empty(); }
  // Does it leave everything as it is?
  bool is_copy() const;
  // Raises InputError with the rules whose pattern no name of a tensor has: what was mistyped would stay as it is, and
  // nobody would know. Patterns of the named recipes, which are for folders and GGUF files at once, may be for nothing.
  void require_matches(std::span<const std::string_view> names) const;
  // The format that a tensor gets, nothing: it stays. Raises InputError when the rule has no format for it.
  std::optional<Format> format_of(const TensorInfo& tensor, TensorPart part) const;

 private:
  struct Rule {
    std::size_t line = 0;
    std::string pattern;
    std::optional<TensorPart> part;
    std::vector<std::optional<Format>> formats;  // nothing: copy
  };

  static bool matches(std::string_view pattern, std::string_view name);
  static bool is_of_named(std::string_view pattern);

  std::string source_;
  std::string text_;
  std::vector<Rule> rules_;
};

#if QWEN35_BODIES

namespace detail {

inline constexpr std::string_view kept_small =
    "# small, and sensitive: what chooses experts, decays and steps of linear attention, taps, places of patches\n"
    "router copy\n"
    "*.mlp.gate.weight copy\n"
    "*.shared_expert_gate.weight copy\n"
    "*.ffn_gate_inp* copy\n"
    "*.in_proj_a.weight copy\n"
    "*.in_proj_b.weight copy\n"
    "*.ssm_alpha.weight copy\n"
    "*.ssm_beta.weight copy\n"
    "*conv1d* copy\n"
    "*pos_embed* copy\n"
    "*position_embd* copy\n"
    "*patch_emb* copy\n";

inline constexpr std::array<std::pair<std::string_view, std::string_view>, 4> recipes = {{
    {"copy", "* copy\n"},
    {"q8", "* q8_0 copy\n"},
    {"q4",
     "vision q8_0 copy\n"
     "* q4_k q4_1 copy\n"},
    {"q4-mixed",
     "experts q4_k q4_1 copy\n"
     "mlp q4_k q4_1 copy\n"
     "head q6_k q8_0 copy\n"
     "* q8_0 copy\n"},
}};

}  // namespace detail

QWEN35_BODY PackRecipe PackRecipe::parse(std::string_view text, const std::string& source) {
  PackRecipe out;
  out.source_ = source;
  out.text_ = text;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    rest = rest.substr(0, rest.find('#'));
    std::vector<std::string_view> words;
    constexpr std::string_view spaces = " \t\r";
    for (std::size_t at = rest.find_first_not_of(spaces); at != std::string_view::npos;
         at = rest.find_first_not_of(spaces)) {
      rest.remove_prefix(at);
      words.push_back(rest.substr(0, rest.find_first_of(spaces)));
      rest.remove_prefix(words.back().size());
    }
    if (words.empty()) {
      continue;
    }
    Rule rule{.line = line, .pattern = std::string(words[0]), .part = tensor_part(words[0]), .formats = {}};
    require<InputError>(rule.part || rule.pattern.find_first_of("*?.") != std::string::npos, source, ": line ", line,
                        ": \"", shortened(words[0]), "\" is no part of a model and no pattern");
    require<InputError>(words.size() > 1, source, ": line ", line, ": expected formats behind \"", shortened(words[0]),
                        "\"");
    for (std::size_t i = 1; i < words.size(); ++i) {
      std::optional<Format> format;
      for (std::size_t f = 0; f < format_count; ++f) {
        const auto known = static_cast<Format>(f);
        format = name(known) == words[i] && (is_fitted(known) || is_encodable(known)) ? known : format;
      }
      require<InputError>(format || words[i] == "copy", source, ": line ", line, ": \"", shortened(words[i]),
                          "\" is no format that this program writes, nor \"copy\"");
      rule.formats.push_back(format);
    }
    out.rules_.push_back(std::move(rule));
  }
  return out;
}

QWEN35_BODY std::optional<PackRecipe> PackRecipe::named(std::string_view name) {
  for (const auto& [known, text] : detail::recipes) {
    if (known == name) {
      return parse(concat(known == "copy" ? "" : detail::kept_small, text), std::string(name));
    }
  }
  return std::nullopt;
}

QWEN35_BODY std::string PackRecipe::names() {
  std::string out;
  for (const auto& [known, text] : detail::recipes) {
    out += concat(out.empty() ? "" : ", ", known);
  }
  return out;
}

QWEN35_BODY bool PackRecipe::is_copy() const {
  for (const Rule& rule : rules_) {
    for (const std::optional<Format>& format : rule.formats) {
      if (format) {
        return false;
      }
    }
  }
  return true;
}

QWEN35_BODY bool PackRecipe::is_of_named(std::string_view pattern) {
  const auto begins_a_line = [&](std::string_view text) {
    for (std::size_t at = text.find(pattern); at != std::string_view::npos; at = text.find(pattern, at + 1)) {
      if ((at == 0 || text[at - 1] == '\n') && text.substr(at + pattern.size()).starts_with(' ')) {
        return true;
      }
    }
    return false;
  };
  return begins_a_line(detail::kept_small) ||
         std::any_of(detail::recipes.begin(), detail::recipes.end(),
                     [&](const auto& recipe) { return begins_a_line(recipe.second); });
}

QWEN35_BODY void PackRecipe::require_matches(std::span<const std::string_view> names) const {
  std::string lines;
  for (const Rule& rule : rules_) {
    const bool used =
        rule.part || is_of_named(rule.pattern) ||
        std::any_of(names.begin(), names.end(), [&](std::string_view name) { return matches(rule.pattern, name); });
    lines += used ? "" : concat("\n  line ", rule.line, ": \"", shortened(rule.pattern), "\"");
  }
  require<InputError>(lines.empty(), source_, ": patterns that no tensor of this checkpoint has the name for:", lines);
}

QWEN35_BODY std::optional<Format> PackRecipe::format_of(const TensorInfo& tensor, TensorPart part) const {
  const std::optional<Format> stored = stored_format(tensor.dtype);
  if (!stored || tensor.shape.size() < 2 || tensor.bytes.empty()) {
    return std::nullopt;
  }
  for (const Rule& rule : rules_) {
    if (rule.part ? rule.part != part : !matches(rule.pattern, tensor.name)) {
      continue;
    }
    for (const std::optional<Format>& format : rule.formats) {
      if (!format) {
        return std::nullopt;
      }
      if (tensor.shape.back() % format_info(*format).block_values == 0) {
        const FormatInfo &from = format_info(*stored), to = format_info(*format);
        const bool smaller = to.block_bytes * from.block_values < from.block_bytes * to.block_values;
        return smaller ? format : std::nullopt;
      }
    }
    raise<InputError>(concat(source_, ": line ", rule.line, ": none of its formats has blocks for rows of ",
                             tensor.shape.back(), " values, which ", shortened(tensor.name),
                             " has: end the line with another, or with copy"));
  }
  return std::nullopt;
}

QWEN35_BODY bool PackRecipe::matches(std::string_view pattern, std::string_view name) {
  // Where the last * stands, and what it has taken so far.
  std::size_t star = std::string_view::npos, taken = 0, p = 0, n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
