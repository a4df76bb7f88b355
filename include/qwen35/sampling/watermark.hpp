// SPDX-License-Identifier: Apache-2.0
// Marks generated text: the reference's `WatermarkLogitsProcessor`.
#pragma once

#include <qwen35/sampling/logits_processor.hpp>
#include <qwen35/sampling/watermarking_config.hpp>

#include <algorithm>

#if QWEN35_BODIES
#include <qwen35/core/log.hpp>
#include <qwen35/sampling/mersenne_twister.hpp>
#include <qwen35/sampling/ranking.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// The green tokens of a position. The same as the reference's on the CPU.
class Greenlist {
 public:
  // Raises InputError for values out of range.
  explicit Greenlist(const WatermarkingConfig& config);
  const WatermarkingConfig& config() const { return config_; }
  std::size_t context_width() const { return static_cast<std::size_t>(config_.context_width); }

  // The green list after `tokens` (with selfhash, the token in question is the last of them), of which context_width
  // are there; it is the front of `memory`.
  std::span<const TokenId> after(std::span<const TokenId> tokens, std::size_t vocab_size,
                                 std::vector<TokenId>& memory) const;
  static bool holds(std::span<const TokenId> list, TokenId id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  }

 private:
  static constexpr std::size_t table_size = 1'000'003;

  // The reference counts modulo 2^64 - 1 and seeds with the lowest 32 bits.
  std::uint32_t seed(std::span<const TokenId> context) const;
  std::uint64_t entry(std::uint64_t id) const { return static_cast<std::uint64_t>(table_[id % table_size]) + 1; }

  WatermarkingConfig config_;
  std::vector<TokenId> table_;  // of selfhash
};

// Adds the bias to the scores of green tokens; with selfhash, to those of the 40 best tokens that are green. A sequence
// of fewer tokens than context_width stays as it is, which is logged.
class WatermarkLogitsProcessor final : public LogitsProcessor {
 public:
  explicit WatermarkLogitsProcessor(const WatermarkingConfig& config) : green_(config) {}
  std::string_view name() const override { return "WatermarkLogitsProcessor"; }

  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  Greenlist green_;
};

#if QWEN35_BODIES

QWEN35_BODY Greenlist::Greenlist(const WatermarkingConfig& config) : config_(config) {
  config.validate();
  if (config.seeding_scheme == SeedingScheme::selfhash) {
    random_permutation(MersenneTwister(static_cast<std::uint32_t>(config.hashing_key)), table_size, table_size, table_);
  }
}

QWEN35_BODY std::span<const TokenId> Greenlist::after(std::span<const TokenId> tokens, std::size_t vocab_size,
                                                      std::vector<TokenId>& memory) const {
  const auto size = static_cast<std::size_t>(static_cast<double>(vocab_size) * config_.greenlist_ratio);
  random_permutation(MersenneTwister(seed(tokens.last(context_width()))), vocab_size, size, memory);
  return {memory.data(), size};
}

QWEN35_BODY std::uint32_t Greenlist::seed(std::span<const TokenId> context) const {
  const auto key = static_cast<std::uint64_t>(config_.hashing_key);
  const auto last = static_cast<std::uint64_t>(context.back());
  if (config_.seeding_scheme == SeedingScheme::lefthash) {
    const std::uint64_t low = (key & 0xFFFFFFFFu) * last;
    const std::uint64_t high = (key >> 32) * last + (low >> 32);
    const std::uint64_t sum = (high << 32 | (low & 0xFFFFFFFFu)) + (high >> 32);  // 2^64 is 1
    const std::uint64_t folded = sum + (sum < (high >> 32) ? 1 : 0);
    return static_cast<std::uint32_t>(folded == UINT64_MAX ? 0 : folded);
  }
  std::int64_t least = INT64_MAX;
  for (const TokenId id : context) {  // products wrap, as in the reference
    least = std::min(least, static_cast<std::int64_t>(key * entry(static_cast<std::uint64_t>(id)) * entry(last)));
  }
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(least) - (least < 0 ? 1 : 0));
}

QWEN35_BODY void WatermarkLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  const std::span<const TokenId> tokens = row.tokens();
  if (tokens.size() < green_.context_width()) {
    log_warning("watermark: a sequence of ", tokens.size(), " tokens, context_width is ", green_.context_width(),
                ": its next token is not marked");
    return;
  }
  Scratch own;
  Scratch& scratch = row.scratch != nullptr ? *row.scratch : own;
  const auto bias = static_cast<float>(green_.config().bias);
  if (green_.config().seeding_scheme == SeedingScheme::lefthash) {
    for (const TokenId id : green_.after(tokens, scores.size(), scratch.ids)) {
      scores[static_cast<std::size_t>(id)] += bias;
    }
    return;
  }
  std::vector<TokenId> context(tokens.end() - static_cast<std::ptrdiff_t>(green_.context_width() - 1), tokens.end());
  context.push_back(-1);
  select_largest(scores, 40, scratch.ranked);
  for (const std::uint64_t ranked : scratch.ranked) {
    const std::size_t id = Ranked::index(ranked);
    context.back() = static_cast<TokenId>(id);
    if (Greenlist::holds(green_.after(context, scores.size(), scratch.ids), context.back())) {
      scores[id] += bias;
    }
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
