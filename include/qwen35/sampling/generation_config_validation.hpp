// SPDX-License-Identifier: Apache-2.0
// Which values the fields of a GenerationConfig may have. Include generation_config.hpp.
#pragma once

#include <qwen35/json/number.hpp>
#include <qwen35/sampling/generation_config.hpp>

#if QWEN35_BODIES

#include <cmath>
#include <iterator>
#include <limits>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The values that a setting may have, its bounds among them.
struct NumberRange {
  const char* name;
  std::optional<double> GenerationConfig::*field;
  double least;
  double most;
  const char* expected;
};

inline constexpr double least_divisor = GenerationLimits::least_divisor;
inline constexpr double most_divisor = GenerationLimits::most_divisor;
inline constexpr double any_number = std::numeric_limits<double>::infinity();
inline constexpr double any_float = static_cast<double>(std::numeric_limits<float>::max());

inline constexpr NumberRange number_ranges[] = {
    {"repetition_penalty", &GenerationConfig::repetition_penalty, least_divisor, any_number, "at least 1e-30"},
    {"encoder_repetition_penalty", &GenerationConfig::encoder_repetition_penalty, least_divisor, most_divisor,
     "1e-30 to 1e+30"},
    {"presence_penalty", &GenerationConfig::presence_penalty, -any_float, any_float, "a finite float"},
    {"frequency_penalty", &GenerationConfig::frequency_penalty, -any_float, any_float, "a finite float"},
    {"guidance_scale", &GenerationConfig::guidance_scale, -any_float, any_float, "a finite float"}};

inline constexpr NumberRange beam_ranges[] = {
    {"length_penalty", &GenerationConfig::length_penalty, -any_float, any_float, "a finite float"}};

inline constexpr NumberRange sampling_ranges[] = {
    {"temperature", &GenerationConfig::temperature, least_divisor, any_number,
     "at least 1e-30; for greedy search unset do_sample"},
    {"top_p", &GenerationConfig::top_p, 0.0, any_number, "0 to 1"},
    {"min_p", &GenerationConfig::min_p, 0.0, 1.0, "0 to 1"},
    {"top_h", &GenerationConfig::top_h, std::numeric_limits<double>::denorm_min(), 1.0, "above 0 and at most 1"},
    {"typical_p", &GenerationConfig::typical_p, std::numeric_limits<double>::denorm_min(), any_number,
     "above 0 and at most 1"}};

}  // namespace detail

QWEN35_LAZY_BODY
std::string GenerationConfig::fields_without_effect() const {
  std::string found;
  const auto note = [&](bool idle, const char* name, const char* why) {
    if (idle) {
      found += concat(found.empty() ? "" : "; ", name, " ", why);
    }
  };
  if (do_sample.value_or(false)) {
    // Where the reference leaves the step out.
    note(top_p.value_or(1.0) > 1.0, "top_p", "is above 1");
    note(typical_p.value_or(1.0) > 1.0, "typical_p", "is above 1");
    const auto no_fraction = [](double value) { return value < 0.0 || value >= 1.0; };
    note(no_fraction(epsilon_cutoff.value_or(0.0)), "epsilon_cutoff", "is not between 0 and 1");
    note(no_fraction(eta_cutoff.value_or(0.0)), "eta_cutoff", "is not between 0 and 1");
  } else {
    constexpr const char* why = "needs do_sample";
    note(temperature.value_or(1.0) != 1.0, "temperature", why);
    note(top_p.value_or(1.0) != 1.0, "top_p", why);
    note(min_p.has_value(), "min_p", why);
    note(top_h.has_value(), "top_h", why);
    note(typical_p.value_or(1.0) != 1.0, "typical_p", why);
    note(top_k.value_or(50) != 50, "top_k", why);
    note(epsilon_cutoff.value_or(0.0) != 0.0, "epsilon_cutoff", why);
    note(eta_cutoff.value_or(0.0) != 0.0, "eta_cutoff", why);
  }
  if (num_beams.value_or(1) == 1) {
    note(early_stopping.value_or(EarlyStopping::no) != EarlyStopping::no, "early_stopping", "needs num_beams > 1");
    note(length_penalty.value_or(1.0) != 1.0, "length_penalty", "needs num_beams > 1");
  }
  return found;
}

QWEN35_LAZY_BODY
void GenerationConfig::validate(bool strict) const {
  using Limits = GenerationLimits;
  const auto within = [](const std::optional<std::int64_t>& field, const char* name, std::int64_t least,
                         std::int64_t most = Limits::tokens) {
    if (field) {
      require_within(concat("generation config: ", name).c_str(), *field, least, most);
    }
  };
  within(max_length, "max_length", 1);
  within(max_new_tokens, "max_new_tokens", 1);
  within(min_length, "min_length", 0);
  within(min_new_tokens, "min_new_tokens", 0);
  within(num_beams, "num_beams", 1, Limits::num_beams);
  within(num_return_sequences, "num_return_sequences", 1, Limits::num_return_sequences);
  within(no_repeat_ngram_size, "no_repeat_ngram_size", 0);
  within(encoder_no_repeat_ngram_size, "encoder_no_repeat_ngram_size", 0);
  within(top_k, "top_k", 0);

  const auto is_number = [](double value, const char* name) {
    if (std::isnan(value)) {
      decline<InputError>(concat("generation config: ", name, " is NaN, expected a number"));
    }
  };
  const auto in_range = [](double value, const char* name, double least, double most, const char* expected) {
    if (!(value >= least && value <= most)) {
      decline<InputError>(
          concat("generation config: ", name, " is ", json::python_repr_number(value), ", expected ", expected));
    }
  };
  const auto in_ranges = [&](const auto& ranges) {
    for (const detail::NumberRange& range : ranges) {
      in_range((this->*range.field).value_or(range.most), range.name, range.least, range.most, range.expected);
    }
  };
  for_each_field([&](const char* name, auto field) {
    if constexpr (std::is_same_v<decltype(field), std::optional<double> GenerationConfig::*>) {
      is_number((this->*field).value_or(0.0), name);
    }
  });
  in_ranges(detail::number_ranges);
  const bool samples = do_sample.value_or(false);
  const bool beams = num_beams.value_or(1) > 1;
  if (samples) {
    in_ranges(detail::sampling_ranges);
  }
  if (beams) {
    in_ranges(detail::beam_ranges);
  }
  for (std::size_t i = 0; sequence_bias && i < sequence_bias->size(); ++i) {
    const double bias = (*sequence_bias)[i].bias;
    is_number(bias, "sequence_bias");
    // A draw has no probability of an infinite score; greedy search takes it.
    in_range(bias, "sequence_bias", -detail::any_number, samples || beams ? detail::any_float : detail::any_number,
             "a finite float, or -inf");
  }
  if (exponential_decay_length_penalty) {
    constexpr const char* name = "exponential_decay_length_penalty";
    is_number(exponential_decay_length_penalty->decay_factor, name);
    in_range(exponential_decay_length_penalty->decay_factor, name, -detail::any_float, detail::any_float,
             "a finite float");
  }
  if (watermarking_config) {
    watermarking_config->validate();
  }
  if (num_return_sequences.value_or(1) > 1) {
    if (num_beams.value_or(1) == 1 && !samples) {
      decline<InputError>(concat("generation config: num_return_sequences is ", *num_return_sequences,
                                 ", but greedy search finds one; set do_sample or num_beams"));
    } else if (num_beams.value_or(1) != 1 && *num_return_sequences > *num_beams) {
      decline<InputError>(concat("generation config: num_return_sequences is ", *num_return_sequences,
                                 ", expected at most num_beams, ", *num_beams));
    }
  }
  if (strict) {
    if (const std::string idle = fields_without_effect(); !idle.empty()) {
      decline<InputError>(concat("generation config: fields without effect: ", idle));
    }
  }
}

QWEN35_END_NAMESPACE

#endif  // QWEN35_BODIES
