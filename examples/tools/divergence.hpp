// SPDX-License-Identifier: Apache-2.0
// How far a model's next-token probabilities are from recorded ones: the Kullback-Leibler divergence and how often the
// most probable token is the same.
#pragma once

#include <qwen35/io/plain_file.hpp>
#include <qwen35/model/any_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace logits_tool {

// What was recorded of one or more texts.
class Recording {
  using File = qwen35::PlainFile<qwen35::InputError>;

 public:
  // `path` holds what `-o` writes of `ids` [ids, vocab_size], or what `llama-perplexity --kl-divergence-base` writes,
  // which brings its own ids. Raises InputError.
  Recording(const std::string& path, const std::vector<qwen35::TokenId>& ids) : file_(path), size_(file_.size()) {
    char magic[8] = {};
    if (size_ >= 20) {
      File(path).read(std::as_writable_bytes(std::span(magic)));
    }
    coded_ = std::memcmp(magic, "_logits_", sizeof(magic)) == 0;
    if (!coded_) {
      qwen35::require<qwen35::InputError>(!ids.empty(), path, ": the ids of this text are needed, give --ids");
      qwen35::require<qwen35::InputError>(size_ > 0 && size_ % (ids.size() * sizeof(float)) == 0, path, ": ", size_,
                                          " bytes are not rows of f32 for ", ids.size(), " tokens");
      vocabulary_ = size_ / (ids.size() * sizeof(float));
      texts_.push_back(ids);
      return;
    }
    qwen35::require<qwen35::InputError>(ids.empty(), path, ": has its own ids, leave out --ids");
    read(magic, sizeof(magic));
    const std::uint64_t tokens = count(), vocabulary = count(), texts = count();
    vocabulary_ = vocabulary;
    const std::uint64_t row = 2 * (2 * ((vocabulary + 1) / 2) + 4);
    // (The numbers have 31 bits: no product of two of them overflows.)
    qwen35::require<qwen35::InputError>(
        tokens >= 2 && texts >= 1 && tokens <= size_ / (4 * texts) &&
            (tokens - 1 - tokens / 2) * texts <= (size_ - 20 - 4 * tokens * texts) / row,
        path, ": ", size_, " bytes cannot hold ", texts, " texts of ", tokens, " tokens and a vocabulary of ",
        vocabulary);
    first_ = tokens / 2;
    for (std::uint64_t i = 0; i < texts; ++i) {
      std::vector<std::int32_t> text(tokens);
      read(text.data(), tokens * sizeof(std::int32_t));
      texts_.emplace_back(text.begin(), text.end());
      for (const std::int32_t id : text) {
        qwen35::require<qwen35::InputError>(id >= 0 && static_cast<std::uint64_t>(id) < vocabulary, path, ": token id ",
                                            id, " in text ", i, ", expected less than ", vocabulary);
      }
    }
  }

  // Raises InputError where rows are not as wide as the model's.
  void require_width(std::size_t vocab_size) const {
    qwen35::require<qwen35::InputError>(vocabulary_ == vocab_size, file_.path(), ": ", size_, " bytes are rows of ",
                                        vocabulary_, " values for ", texts_[0].size(),
                                        " tokens, the model's vocabulary has ", vocab_size,
                                        ": recorded of other ids or another model, or no recording");
  }
  const std::vector<std::vector<qwen35::TokenId>>& texts() const { return texts_; }
  // Recorded of a text: the positions from here on, all but the last of those of llama-perplexity.
  std::size_t first() const { return first_; }
  std::size_t positions(std::size_t text) const { return texts_[text].size() - first_ - (coded_ ? 1 : 0); }

  // The natural logarithms of the next position's probabilities, text after text.
  void next(std::vector<double>& log_probabilities) {
    log_probabilities.resize(vocabulary_);
    if (!coded_) {
      row_.resize(vocabulary_);
      read(row_.data(), vocabulary_ * sizeof(float));
      log_softmax(row_.data(), log_probabilities);
      require_finite(log_probabilities, file_.path());
      return;
    }
    // 16-bit steps of a scale above a smallest value.
    float scale = 0.0f, smallest = 0.0f;
    read(&scale, sizeof(scale));
    read(&smallest, sizeof(smallest));
    codes_.resize((vocabulary_ + 1) / 2 * 2);
    read(codes_.data(), codes_.size() * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < vocabulary_; ++i) {
      log_probabilities[i] = static_cast<double>(scale) * codes_[i] + static_cast<double>(smallest);
    }
    require_finite(log_probabilities, file_.path());
  }

  static void log_softmax(const float* logits, std::vector<double>& out) {
    const double largest = static_cast<double>(*std::max_element(logits, logits + out.size()));
    double sum = 0.0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      sum += std::exp(static_cast<double>(logits[i]) - largest);
    }
    const double shift = largest + std::log(sum);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<double>(logits[i]) - shift;
    }
  }
  // Raises InputError. (One logit that is no number makes all probabilities none; one of minus infinity is impossible.)
  static void require_finite(const std::vector<double>& log_probabilities, const std::string& what) {
    const auto found = std::find_if(log_probabilities.begin(), log_probabilities.end(),
                                    [](double one) { return !std::isfinite(one); });
    qwen35::require<qwen35::InputError>(found == log_probabilities.end(), what, ": the logit of token ",
                                        found - log_probabilities.begin(), " is not finite, or one beside it");
  }

 private:
  void read(void* to, std::size_t bytes) { file_.read({static_cast<std::byte*>(to), bytes}); }
  std::uint64_t count() {
    std::int32_t number = 0;
    read(&number, sizeof(number));
    qwen35::require<qwen35::InputError>(number > 0, file_.path(), ": a count of ", number, " in its head");
    return static_cast<std::uint64_t>(number);
  }

  File file_;
  std::uint64_t size_;
  bool coded_ = false;
  std::size_t vocabulary_ = 0, first_ = 0;
  std::vector<std::vector<qwen35::TokenId>> texts_;
  std::vector<float> row_;
  std::vector<std::uint16_t> codes_;
};

struct Divergence {
  std::size_t positions = 0;
  double mean = 0.0, median = 0.0, high = 0.0;  // in nats; high: what 99 % of the positions do not exceed
  double same_top = 0.0;                        // share of positions with the same most probable token
};

// Of the model's probabilities from the recorded ones, which are taken as the truth. Raises InputError.
inline Divergence divergence(const qwen35::AnyModel& model, Recording& recording) {
  std::vector<double> each, truth, own;
  std::size_t same = 0;
  for (std::size_t i = 0; i < recording.texts().size(); ++i) {
    const std::vector<qwen35::TokenId>& ids = recording.texts()[i];
    const auto out =
        model.forward({.input_ids = ids, .logits_to_keep = static_cast<int>(ids.size() - recording.first())});
    const std::size_t width = out.logits.row(0).size();
    recording.require_width(width);
    own.resize(width);
    for (std::size_t t = 0; t < recording.positions(i); ++t) {
      recording.next(truth);
      Recording::log_softmax(out.logits.row(t).data(), own);
      Recording::require_finite(own, "the model");
      double sum = 0.0;
      for (std::size_t v = 0; v < width; ++v) {
        // (llama-perplexity records no less, and counts no less.)
        sum += truth[v] > -16.0 ? std::exp(truth[v]) * (truth[v] - own[v]) : 0.0;
      }
      each.push_back(sum);
      const auto best = std::max_element(truth.begin(), truth.end()) - truth.begin();
      same += std::max_element(own.begin(), own.end()) - own.begin() == best ? 1u : 0u;
    }
  }
  qwen35::require<qwen35::InputError>(!each.empty(), "nothing was recorded");
  std::sort(each.begin(), each.end());
  Divergence found;
  found.positions = each.size();
  for (const double one : each) {
    found.mean += one / static_cast<double>(each.size());
  }
  found.median = each[each.size() / 2];
  found.high = each[(each.size() * 99 + 99) / 100 - 1];
  found.same_top = static_cast<double>(same) / static_cast<double>(each.size());
  return found;
}

}  // namespace logits_tool
