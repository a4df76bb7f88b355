// SPDX-License-Identifier: Apache-2.0
// The rotary embedding's entry of a config file, with the reference's rules for what stands where.
#pragma once

#include <qwen35/config/json_fields.hpp>

#include <initializer_list>

QWEN35_BEGIN_NAMESPACE

// The dict `rope_parameters`, replaced by a non-empty legacy `rope_scaling`.
JsonFields rope_fields(const JsonFields& text);

// The reference's resolution: entries that the dict lacks come from the top level of the text config, then from the
// class. For every type but "default" a second step lets the top level (0.25 when absent) win over the dict. Raises
// ConfigError for a key of the wrong kind, an unknown type, or a key that the type cannot do without.
RopeParameters read_rope(const JsonFields& text, std::size_t max_position_embeddings);

#if QWEN35_BODIES

QWEN35_BODY JsonFields rope_fields(const JsonFields& text) {
  const json::Value* const dict = text.object("rope_parameters");
  const json::Value* const legacy = text.object("rope_scaling");
  return legacy != nullptr && legacy->size() > 0 ? JsonFields(legacy, text.where() + ".rope_scaling")
                                                 : JsonFields(dict, text.where() + ".rope_parameters");
}

QWEN35_BODY RopeParameters read_rope(const JsonFields& text, std::size_t max_position_embeddings) {
  const JsonFields rope = rope_fields(text);
  RopeParameters out{};
  const std::string type = rope.text("rope_type", rope.text("type", "default"));
  bool known = false;
  for (const RopeType candidate : {RopeType::default_, RopeType::linear, RopeType::dynamic, RopeType::yarn,
                                   RopeType::longrope, RopeType::llama3}) {
    if (name(candidate) == type) {
      out.rope_type = candidate;
      known = true;
    }
  }
  if (!holds<ConfigError>(known, rope.place("rope_type"), ": \"", type,
                          "\" is none of default, linear, dynamic, yarn, longrope, llama3")) {
    return out;
  }
  const auto needs = [&](std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
      if (!rope.mentions(key)) {
        decline<ConfigError>(concat(rope.where(), ": rope_type \"", type, "\" needs the key \"", key, "\"",
                                    rope.place(key) == concat(rope.where(), ".", key) ? "" : ", " + rope.place(key)));
      }
    }
  };
  switch (out.rope_type) {
    case RopeType::default_:
      break;
    case RopeType::linear:
    case RopeType::dynamic:
    case RopeType::yarn:
      needs({"factor"});
      break;
    case RopeType::longrope:
      needs({"short_factor", "long_factor"});
      break;
    case RopeType::llama3:
      needs({"factor", "low_freq_factor", "high_freq_factor"});
      break;
  }

  out.rope_theta = rope.number("rope_theta", text.number("rope_theta", 10000.0));
  rope.expect(out.rope_theta > 0.0, "rope_theta", "a number above 0");
  const double top_factor = text.number("partial_rotary_factor", 0.25);
  out.partial_rotary_factor = rope.number("partial_rotary_factor", top_factor);
  out.factor = rope.optional_number("factor");
  out.attention_factor = rope.optional_number("attention_factor");
  out.beta_fast = rope.optional_number("beta_fast");
  out.beta_slow = rope.optional_number("beta_slow");
  out.mscale = rope.optional_number("mscale");
  out.mscale_all_dim = rope.optional_number("mscale_all_dim");
  out.low_freq_factor = rope.optional_number("low_freq_factor");
  out.high_freq_factor = rope.optional_number("high_freq_factor");
  out.truncate = rope.boolean("truncate", true);
  out.short_factor = rope.factors("short_factor");
  out.long_factor = rope.factors("long_factor");
  rope.expect(!out.factor || *out.factor > 0.0, "factor", "a number above 0");
  const bool extends =
      out.rope_type == RopeType::yarn || out.rope_type == RopeType::longrope || out.rope_type == RopeType::llama3;
  if (extends) {
    const std::size_t own = rope.size("original_max_position_embeddings", max_position_embeddings);
    out.original_max_position_embeddings = text.size("original_max_position_embeddings", own);
    rope.expect(*out.original_max_position_embeddings > 0, "original_max_position_embeddings", "a number above 0");
  } else if (rope.find("original_max_position_embeddings") != nullptr) {
    out.original_max_position_embeddings = rope.size("original_max_position_embeddings", 0);
  }
  if (out.rope_type != RopeType::default_) {
    out.partial_rotary_factor = top_factor;
  }
  if (const json::Value* const section = rope.list("mrope_section")) {
    const bool three = rope.expect(section->size() == 3, "mrope_section", "three sizes");
    for (std::size_t i = 0; three && i < 3; ++i) {
      out.mrope_section[i] = rope.as_size(section->items()[i], "mrope_section");
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
