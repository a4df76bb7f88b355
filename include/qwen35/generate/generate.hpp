// SPDX-License-Identifier: Apache-2.0
// Generation: greedy search, sampling and beam search. Source: the reference's `generate`.
#pragma once

#include <qwen35/generate/beam_search.hpp>
#include <qwen35/generate/processor_list.hpp>
#include <qwen35/generate/sampler.hpp>
#include <qwen35/generate/stepper.hpp>
#include <qwen35/generate/stopping_criteria.hpp>
#include <qwen35/model/attention_mask.hpp>

QWEN35_BEGIN_NAMESPACE

// Called after each step with the newest token of every row (padding for rows that have ended); false ends the generation.
using Streamer = std::function<bool(std::span<const TokenId> tokens)>;

template <class Model>
struct GenerateInput {
  TensorView<TokenId> input_ids{};            // [batch, sequence]; with a cache that holds tokens, those come first
  TensorView<std::int32_t> attention_mask{};  // [batch, sequence]; pad on the left
  TensorView<float> inputs_embeds{};          // [batch, sequence, hidden_size] instead of ids; `sequences` then holds new tokens only
  typename Model::Cache* past_key_values = nullptr;
  LogitsProcessorList logits_processor{};
  PrefixConstrained::Function prefix_allowed_tokens_fn{};
  std::vector<StoppingCriterion> stopping_criteria{};
  std::function<std::string_view(TokenId)> token_text{};  // for stop_strings: the bytes of a token
  Streamer streamer{};
};

namespace detail {

// The model's own ids and lengths where the config has none.
template <class Model>
GenerationConfig complete(const Model& model, GenerationConfig config) {
  if (config.eos_token_id.empty()) {
    config.eos_token_id = model.config().eos_token_id;
  }
  if (config.pad_token_id.empty()) {
    config.pad_token_id = model.config().pad_token_id;
  }
  config.validate();
  return config;
}

template <class Model>
std::vector<std::vector<TokenId>> prompt_rows(const GenerateInput<Model>& input) {
  const Shape& shape = input.input_ids ? input.input_ids.shape() : input.inputs_embeds.shape();
  require<InputError>(shape.rank() >= 2 && shape.size() > 0, "generate: the prompt is empty");
  std::vector<std::vector<TokenId>> rows(shape[0]);
  for (std::size_t b = 0; input.input_ids && b < shape[0]; ++b) {
    rows[b].assign(input.input_ids.data() + b * shape[1], input.input_ids.data() + (b + 1) * shape[1]);
  }
  return rows;
}

inline void process_rows(const LogitsProcessorList& processors, const std::vector<std::vector<TokenId>>& rows, std::size_t prompt_length,
                         std::size_t rows_per_prompt, Tensor<float>& scores) {
  parallel_for(rows.size(), [&](std::size_t r) {
    const ProcessedRow row{r / rows_per_prompt, rows[r], prompt_length};
    for (const auto& processor : processors) {
      processor->process(row, scores.row(r));
    }
  });
}

}  // namespace detail

// Raises InputError for a prompt or config that contradicts itself, CacheError when the cache is full.
template <class Model>
GenerateOutput<Model> generate(const Model& model, const GenerateInput<Model>& input, const GenerationConfig& given) {
  static_assert(GenerativeModel<Model>, "generate(model, ...): the model needs forward() and a Cache, see GenerativeModel");
  const GenerationConfig config = detail::complete(model, given);
  std::vector<std::vector<TokenId>> rows = detail::prompt_rows(input);
  const std::size_t prompt_length = rows[0].size();
  const std::size_t prompt_tokens = input.input_ids ? prompt_length : input.inputs_embeds.shape()[1];
  std::size_t limit = config.max_new_tokens ? *config.max_new_tokens : 0;
  if (!config.max_new_tokens) {
    // A maximal length counts the prompt, also one of embeddings.
    const std::size_t max_length = config.max_length ? *config.max_length : std::min(prompt_tokens + 20, model.config().max_position_embeddings);
    require<InputError>(max_length > prompt_tokens, "max_length is ", max_length, ", the prompt has ", prompt_tokens, " tokens");
    limit = max_length - prompt_tokens;
  }
  const std::size_t max_length = prompt_length + limit;
  const LogitsProcessorList processors = make_processors(config, prompt_length, max_length, input.logits_processor, input.prefix_allowed_tokens_fn);
  const StoppingCriteria criteria(config, max_length, input.stopping_criteria, input.token_text);
  Stepper<Model> stepper(model, input);

  GenerateOutput<Model> output;
  output.prompt_length = prompt_length;
  if (config.num_beams > 1) {
    beam_search(stepper, rows, config, processors, criteria, max_length, input.streamer, output);
  } else {
    const std::size_t copies = config.num_return_sequences;
    if (copies > 1) {
      std::vector<std::size_t> expansion;
      std::vector<std::vector<TokenId>> expanded;
      for (std::size_t r = 0; r < rows.size() * copies; ++r) {
        expansion.push_back(r / copies);
        expanded.push_back(rows[r / copies]);
      }
      rows = std::move(expanded);
      stepper.select(expansion);
    }
    const TokenId pad = !config.pad_token_id.empty() ? config.pad_token_id[0] : !config.eos_token_id.empty() ? config.eos_token_id[0] : 0;
    output.finish_reason.assign(rows.size(), FinishReason::none);
    output.generated.assign(rows.size(), 0);
    std::vector<TokenId> tokens(rows.size(), pad);
    std::vector<FinishReason>& reason = output.finish_reason;
    for (std::size_t step = 0;; ++step) {
      Tensor<float> scores = stepper.logits();
      if (config.output_logits) {
        output.logits.push_back(scores);
      }
      detail::process_rows(processors, rows, prompt_length, copies, scores);
      bool open = false;
      for (std::size_t r = 0; r < rows.size(); ++r) {
        tokens[r] = pad;
        if (reason[r] == FinishReason::none) {
          tokens[r] = config.do_sample ? sampled_token(scores.row(r), uniform_draw(config.seed, r, rows[r].size())) : greedy_token(scores.row(r));
          rows[r].push_back(tokens[r]);
          ++output.generated[r];
          reason[r] = criteria.check(rows[r], scores.row(r));
          open = open || reason[r] == FinishReason::none;
        } else {
          rows[r].push_back(pad);
        }
      }
      if (config.output_scores) {
        output.scores.push_back(std::move(scores));
      }
      if (input.streamer && !input.streamer(tokens)) {
        for (FinishReason& r : reason) {
          r = r == FinishReason::none ? FinishReason::cancelled : r;
        }
        break;
      }
      if (!open) {
        break;
      }
      stepper.step(tokens);
    }
    detail::fill_sequences(rows, pad, output);
  }
  output.past_key_values = &stepper.cache();
  output.owned_cache = stepper.take_cache();
  return output;
}

// With the checkpoint's own generation_config.json.
template <class Model>
GenerateOutput<Model> generate(const Model& model, const GenerateInput<Model>& input) {
  return generate(model, input, model.generation_config().is_object() ? GenerationConfig::from_json(model.generation_config()) : GenerationConfig{});
}

// What a model's member generate() calls.
template <class Model, class... Config>
auto run_generation(const Model& model, const GenerateInput<Model>& input, const Config&... config) {
  return generate(model, input, config...);
}

template <class Model>
Stepper<Model>::Stepper(const Model& model, const GenerateInput<Model>& input) : model_(model), cache_(input.past_key_values) {
  require<InputError>(static_cast<bool>(input.input_ids) != static_cast<bool>(input.inputs_embeds), "generate: give exactly one of input_ids and inputs_embeds");
  const Shape& shape = input.input_ids ? input.input_ids.shape() : input.inputs_embeds.shape();
  const std::size_t batch = shape[0];
  if (cache_ == nullptr) {
    own_cache_ = std::make_unique<typename Model::Cache>();
    cache_ = own_cache_.get();
  }
  const std::size_t past = input.input_ids ? cache_->seq_length() : 0;
  require<InputError>(input.input_ids || cache_->seq_length() == 0, "generate: inputs_embeds need an empty cache");
  require<InputError>(shape[1] > past, "generate: the cache holds ", past, " tokens, input_ids has ", shape[1], "; give the whole sequence, at least one more");
  require<InputError>(!input.attention_mask || (input.attention_mask.shape().rank() == 2 && input.attention_mask.shape()[0] == batch &&
                                                input.attention_mask.shape()[1] == shape[1]),
                      "attention_mask of shape ", to_string(input.attention_mask.shape()), ", expected [", batch, ", ", shape[1], "]");
  const std::size_t length = shape[1] - past;
  mask_.assign(batch, std::vector<std::int32_t>(shape[1], 1));
  std::vector<std::int32_t> positions(batch * length);
  std::vector<TokenId> ids(input.input_ids ? batch * length : 0);
  for (std::size_t b = 0; b < batch; ++b) {
    std::int32_t next = 0;
    for (std::size_t s = 0; s < shape[1]; ++s) {
      if (input.attention_mask) {
        mask_[b][s] = input.attention_mask[b * shape[1] + s];
      }
      const bool token = mask_[b][s] != 0;
      padded_ = padded_ || !token;
      if (s >= past) {
        positions[b * length + s - past] = token ? next : 0;
        if (input.input_ids) {
          ids[b * length + s - past] = input.input_ids[b * shape[1] + s];
        }
      } else {
        require<InputError>(cache_->batch_size() == batch && cache_->ids()[s * batch + b] == input.input_ids[b * shape[1] + s],
                            "generate: the cache holds other tokens than input_ids, first at row ", b, ", token ", s);
      }
      next += token ? 1 : 0;
    }
    require<InputError>(next > 0, "generate: row ", b, " of attention_mask has no token");
    require<InputError>(mask_[b].back() != 0, "generate: row ", b, " is padded on the right; pad on the left");
    position_.push_back({next - 1});
  }
  std::vector<std::int32_t> flat;
  for (const auto& row : mask_) {
    flat.insert(flat.end(), row.begin(), row.end());
  }
  output_ = model.forward({.input_ids = input.input_ids ? TensorView<TokenId>(ids.data(), {batch, length}) : TensorView<TokenId>(),
                           .attention_mask = padded_ ? AttentionMask(TensorView<std::int32_t>(flat.data(), {batch, shape[1]})) : AttentionMask(),
                           .position_ids = TensorView<std::int32_t>(positions.data(), {batch, length}),
                           .past_key_values = cache_,
                           .inputs_embeds = input.inputs_embeds,
                           .logits_to_keep = 1});
  keep_logits();
}

template <class Model>
void Stepper<Model>::keep_logits() {
  const Shape& shape = output_.logits.shape();
  logits_ = Tensor<float>({shape[0], shape[2]}, std::vector<float>(output_.logits.begin(), output_.logits.end()));
}

template <class Model>
void Stepper<Model>::select(std::span<const std::size_t> chosen) {
  cache_->reorder(chosen);
  std::vector<std::vector<std::int32_t>> mask;
  std::vector<std::vector<std::int32_t>> position;
  Tensor<float> logits({chosen.size(), logits_.shape()[1]});
  for (std::size_t r = 0; r < chosen.size(); ++r) {
    mask.push_back(mask_[chosen[r]]);
    position.push_back(position_[chosen[r]]);
    std::copy(logits_.row(chosen[r]).begin(), logits_.row(chosen[r]).end(), logits.row(r).begin());
  }
  mask_ = std::move(mask);
  position_ = std::move(position);
  logits_ = std::move(logits);
}

template <class Model>
void Stepper<Model>::step(std::span<const TokenId> tokens) {
  const std::size_t count = rows();
  const std::size_t planes = position_[0].size();
  std::vector<std::int32_t> flat;
  std::vector<std::int32_t> positions(planes * count);
  for (std::size_t r = 0; r < count; ++r) {
    mask_[r].push_back(1);
    if (padded_) {
      flat.insert(flat.end(), mask_[r].begin(), mask_[r].end());
    }
    for (std::size_t plane = 0; plane < planes; ++plane) {
      positions[plane * count + r] = ++position_[r][plane];
    }
  }
  output_ = model_.forward({.input_ids = TensorView<TokenId>(tokens.data(), {count, 1}),
                            .attention_mask = padded_ ? AttentionMask(TensorView<std::int32_t>(flat.data(), {count, mask_[0].size()})) : AttentionMask(),
                            .position_ids = planes == 1 ? TensorView<std::int32_t>(positions.data(), {count, 1})
                                                        : TensorView<std::int32_t>(positions.data(), {planes, count, 1}),
                            .past_key_values = cache_,
                            .logits_to_keep = 1});
  keep_logits();
}

QWEN35_END_NAMESPACE
