// SPDX-License-Identifier: Apache-2.0
// The rows of a generation behind another prompt: what classifier-free guidance compares with.
#pragma once

#include <qwen35/generate/generate_input.hpp>
#include <qwen35/generate/sequence_model.hpp>

#include <vector>

QWEN35_BEGIN_NAMESPACE

// Row r begins with its negative prompt, or without one with the last token of its prompt, and goes on with the tokens
// that are chosen for row r of the generation. As in the reference a beam search does not reorder them, and they are
// text alone.
template <class M>
class UnconditionalRows {
 public:
  // For `rows` rows, which belong to `batch` prompts in turn. Raises InputError for negative prompts that do not fit,
  // or without any where the prompt is embeddings alone.
  UnconditionalRows(const M& model, const GenerateInput<M>& input, std::size_t batch, std::size_t rows, bool use_cache)
      : model_(model), ids_(rows), mask_(rows), use_cache_(use_cache) {
    const TensorView<TokenId>& ids = input.negative_prompt_ids;
    const AttentionMask& mask = input.negative_prompt_attention_mask;
    require<InputError>(ids || (input.input_ids && !mask),
                        "generate: guidance_scale needs negative_prompt_ids beside inputs_embeds or a mask of them");
    if (!ids) {
      return;
    }
    const std::size_t vocab_size = vocab_size_of(model);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      require<InputError>(is_token_id(ids[i], vocab_size), "generate: negative_prompt_ids[", i, "] is ", ids[i], ", ",
                          expected_token_ids(vocab_size));
    }
    const Shape& shape = ids.shape();
    require<InputError>(shape.rank() == 2 && shape.size() > 0 && (shape[0] == batch || shape[0] == rows),
                        "generate: negative_prompt_ids of shape ", to_string(shape), ", expected [", batch,
                        ", columns], not empty", rows == batch ? std::string() : concat(", or [", rows, ", columns]"));
    require<InputError>(!mask || (!mask.is_additive() && mask.shape() == shape),
                        "generate: negative_prompt_attention_mask of shape ", to_string(mask.shape()), ", expected ",
                        to_string(shape));
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t from = r * shape[0] / rows * shape[1];
      for (std::size_t i = from; i < from + shape[1]; ++i) {
        ids_[r].push_back(ids[i]);
        mask_[r].push_back(!mask || mask.visible(i) ? 1 : 0);
        masked_ = masked_ || mask_[r].back() == 0;
      }
      require<InputError>(mask_[r].back() == 1, "generate: negative prompt ", r * shape[0] / rows,
                          " is padded on the right; pad on the left");
    }
  }

  // One forward of all rows. `newest` [rows]: their newest tokens, before the first one the last of their prompts.
  // Raises what the model raises.
  void forward(std::span<const TokenId> newest) {
    for (std::size_t r = 0; r < ids_.size(); ++r) {
      if (begun_ || ids_[r].empty()) {
        ids_[r].push_back(newest[r]);
        mask_[r].push_back(1);
      }
    }
    std::vector<TokenId> ids(newest.begin(), newest.end());
    if (!begun_ || !use_cache_) {
      ids = joined(ids_);
    }
    const std::vector<std::int32_t> mask = masked_ ? joined(mask_) : std::vector<std::int32_t>();
    const std::size_t rows = ids_.size();
    ForwardInput input;
    input.input_ids = TensorView<TokenId>(ids.data(), {rows, ids.size() / rows});
    if (masked_) {
      input.attention_mask = AttentionMask(TensorView<std::int32_t>(mask.data(), {rows, mask.size() / rows}));
    }
    input.past_key_values = use_cache_ ? &cache_ : nullptr;
    input.use_cache = use_cache_;
    input.logits_to_keep = 1;
    logits_ = model_.forward(input).logits;
    begun_ = true;
  }
  // Of the last forward, [vocab_size].
  std::span<const float> logits(std::size_t row) const {
    const std::size_t vocab_size = logits_.size() / ids_.size();
    return {logits_.data() + row * vocab_size, vocab_size};
  }

 private:
  template <class T>
  static std::vector<T> joined(const std::vector<std::vector<T>>& rows) {
    std::vector<T> out;
    for (const std::vector<T>& row : rows) {
      out.insert(out.end(), row.begin(), row.end());
    }
    return out;
  }

  const M& model_;
  std::vector<std::vector<TokenId>> ids_;        // of each row, all so far
  std::vector<std::vector<std::int32_t>> mask_;  // the same, 0 for padding
  bool masked_ = false;                          // is any token padding?
  bool use_cache_;
  bool begun_ = false;
  RectangleCache cache_;
  Tensor<float> logits_;  // [rows, 1, vocab_size]
};

QWEN35_END_NAMESPACE
