// SPDX-License-Identifier: Apache-2.0
// What a generation gave, as JSON.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/generate/generate_output.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/model/forward_input.hpp>
#include <qwen35/sampling/stopping_criteria.hpp>

QWEN35_BEGIN_NAMESPACE

// The counts under their names.
json::Value to_json(const Usage& usage);

// {"loss": 2.5, "logits": [1, 3, 512], ...}: of the tensors their shapes, of a list of tensors the shape of each.
json::Value to_json(const ForwardOutput& output);

// The values as an array.
template <class T>
json::Value json_array(std::span<const T> values) {
  json::Value out = json::Value::array();
  for (const T value : values) {
    out.push_back(value);
  }
  return out;
}

// The rows one by one: {"prompt_length": 7, "seed": 5, "rows": [{"sequence": [...], "new_tokens": [...],
// "finish_reason": "stop", "usage": {...}}]}, with beams also "score" and "beam_indices". The tensors of the steps are
// left out.
json::Value to_json(const GenerateOutputs& output);

#if QWEN35_BODIES

QWEN35_BODY json::Value to_json(const Usage& usage) {
  json::Value out = json::Value::object();
  out["prompt_tokens"] = usage.prompt_tokens;
  out["cached_tokens"] = usage.cached_tokens;
  out["completion_tokens"] = usage.completion_tokens;
  out["processed_tokens"] = usage.processed_tokens;
  out["reasoning_tokens"] = usage.reasoning_tokens;
  out["encoded_media"] = usage.encoded_media;
  return out;
}

QWEN35_BODY json::Value to_json(const ForwardOutput& output) {
  json::Value out = json::Value::object();
  const auto shape = [](const Tensor<float>& tensor) {
    json::Value extents = json::Value::array();
    for (std::size_t axis = 0; axis < tensor.shape().rank(); ++axis) {
      extents.push_back(tensor.shape()[axis]);
    }
    return extents;
  };
  const auto add = [&](const char* name, const Tensor<float>& tensor) {
    if (tensor.size() > 0) {
      out[name] = shape(tensor);
    }
  };
  const auto add_each = [&](const char* name, const std::vector<Tensor<float>>& each) {
    if (!each.empty()) {
      out[name] = json::Value::array();
      for (const Tensor<float>& tensor : each) {
        out[name].push_back(shape(tensor));
      }
    }
  };
  if (output.loss) {
    out["loss"] = static_cast<double>(*output.loss);
  }
  if (output.aux_loss) {
    out["aux_loss"] = static_cast<double>(*output.aux_loss);
  }
  add("logits", output.logits);
  add("last_hidden_state", output.last_hidden_state);
  add_each("hidden_states", output.hidden_states);
  add_each("attentions", output.attentions);
  add_each("router_logits", output.router_logits);
  if (!output.rope_deltas.empty()) {
    out["rope_deltas"] = json_array(std::span<const std::int32_t>(output.rope_deltas));
  }
  if (output.past_key_values != nullptr) {
    out["cache_tokens"] = output.past_key_values->get_seq_length();
  }
  return out;
}

QWEN35_BODY json::Value to_json(const GenerateOutputs& output) {
  json::Value out = json::Value::object();
  out["prompt_length"] = output.prompt_length;
  out["seed"] = output.seed;
  out["rows"] = json::Value::array();
  for (std::size_t r = 0; r < output.generated.size(); ++r) {
    json::Value row = json::Value::object();
    row["sequence"] = json_array(output.sequences.row(r));
    row["new_tokens"] = json_array(output.new_tokens(r));
    row["finish_reason"] = name(output.finish_reason[r]);
    row["usage"] = to_json(output.usage[r]);
    if (!output.sequences_scores.empty()) {
      row["score"] = static_cast<double>(output.sequences_scores[r]);
      row["beam_indices"] = json_array(output.beam_indices.row(r));
    }
    out["rows"].push_back(std::move(row));
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
