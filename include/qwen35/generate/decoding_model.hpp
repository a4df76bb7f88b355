// SPDX-License-Identifier: Apache-2.0
// A model as generate() sees it.
#pragma once

#include <qwen35/generate/generation_defaults.hpp>
#include <qwen35/generate/generative_model.hpp>

#include <functional>

QWEN35_BEGIN_NAMESPACE

// What a GenerativeModel has, behind one type: the steps of generate() are compiled once, for all models. Looks at a
// model of the caller's.
class DecodingModel {
 public:
  virtual ForwardOutput forward(const ForwardInput& input) const = 0;
  virtual SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace) const = 0;
  virtual CacheLayout cache_layout(DType kv_dtype) const = 0;
  virtual std::size_t vocab_size() const = 0;  // 0: unknown
  virtual ModelDefaults defaults() const = 0;
  // Empty from a model without these.
  virtual Tensor<std::int32_t> prepare_position_ids_for_generation(const ForwardInput& first) const = 0;
  virtual std::function<void(ForwardInput&)> repeat_media_for_generation(const ForwardInput& prompt) const = 0;

 protected:
  ~DecodingModel() = default;
};

inline ModelDefaults defaults_of(const DecodingModel& model) {
  return model.defaults();
}

template <GenerativeModel M>
class DecodingModelOf final : public DecodingModel {
 public:
  explicit DecodingModelOf(const M& model) : model_(model) {}

  ForwardOutput forward(const ForwardInput& input) const override { return model_.forward(input); }
  SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace) const override {
    return model_.forward(slices, workspace);
  }
  CacheLayout cache_layout(DType kv_dtype) const override { return model_.cache_layout(kv_dtype); }
  std::size_t vocab_size() const override { return vocab_size_of(model_); }
  ModelDefaults defaults() const override { return defaults_of(model_); }
  Tensor<std::int32_t> prepare_position_ids_for_generation(const ForwardInput& first) const override {
    if constexpr (requires { model_.prepare_position_ids_for_generation(first); }) {
      return model_.prepare_position_ids_for_generation(first);
    } else {
      return {};
    }
  }
  std::function<void(ForwardInput&)> repeat_media_for_generation(const ForwardInput& prompt) const override {
    if constexpr (requires { model_.repeat_media_for_generation(prompt); }) {
      return model_.repeat_media_for_generation(prompt);
    } else {
      return {};
    }
  }

 private:
  const M& model_;
};

QWEN35_END_NAMESPACE
