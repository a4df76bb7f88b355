// SPDX-License-Identifier: Apache-2.0
// What a model must show on its recorded case: the reference's results within the bars, and equality to itself, bit for
// bit, where that is promised.
#pragma once

#include "model/gguf_of_folder.hpp"
#include "model/oracle_model.hpp"

#include <qwen35/parallel/parallel_for.hpp>

#include <filesystem>
#include <random>
#include <thread>

namespace oracle {

// The arguments of a recorded step, and a wish for every result that was recorded.
inline Arguments arguments_of(const Fields& fields, std::size_t step) {
  Arguments out;
  const auto given = [&](const char* name) { return find(fields, step, name); };
  if (const Recorded* r = given("input_ids")) out.input_ids = r->view<qwen35::TokenId>();
  if (const Recorded* r = given("inputs_embeds")) out.inputs_embeds = r->view<float>();
  if (const Recorded* r = given("attention_mask")) out.attention_mask = r->view<std::int32_t>();
  if (const Recorded* r = given("mask_boolean")) out.attention_mask = r->view<std::uint8_t>();
  if (const Recorded* r = given("mask_additive")) out.attention_mask = r->view<float>();
  if (const Recorded* r = given("position_ids")) out.position_ids = r->view<std::int32_t>();
  if (const Recorded* r = given("labels")) out.labels = r->view<std::int32_t>();
  if (const Recorded* r = given("shift_labels")) out.shift_labels = r->view<std::int32_t>();
  if (const Recorded* r = given("num_items_in_batch")) out.num_items_in_batch = static_cast<double>(r->number());
  if (const Recorded* r = given("use_cache")) out.use_cache = r->number() != 0;
  if (const Recorded* r = given("logits_to_keep")) out.logits_to_keep = r->number();
  if (const Recorded* r = given("logits_indices")) {
    out.logits_to_keep =
        std::vector<std::int32_t>(r->view<std::int32_t>().data(), r->view<std::int32_t>().data() + r->shape.size());
  }
  out.output_hidden_states = given("hidden_states") != nullptr;
  out.output_attentions = given("attentions") != nullptr;
  out.output_router_logits = given("router_logits") != nullptr;
  return out;
}

inline std::size_t steps_of(const Fields& fields) {
  std::size_t steps = 0;
  while (find(fields, steps, "input_ids") != nullptr || find(fields, steps, "inputs_embeds") != nullptr) {
    ++steps;
  }
  return steps;
}

inline void check_step(const Fields& fields, std::size_t step, const Result& ours, const std::string& where) {
  const std::string prefix = std::to_string(step) + ".";
  if (const Recorded* theirs = find(fields, step, "logits")) {
    check_same_shape(ours.logits.shape(), theirs->shape, where + " logits");
    check_tensor(fields, prefix + "logits", ours.logits.data(), ours.logits.size(), where);
  }
  if (find(fields, step, "last_hidden_state") != nullptr) {
    REQUIRE(!ours.hidden_states.empty());
    check_tensor(fields, prefix + "last_hidden_state", ours.hidden_states.back().data(),
                 ours.hidden_states.back().size(), where, model_bar);
  }
  if (find(fields, step, "hidden_states") != nullptr)
    check_stack(fields, prefix + "hidden_states", ours.hidden_states, where);
  if (find(fields, step, "attentions") != nullptr) check_stack(fields, prefix + "attentions", ours.attentions, where);
  if (find(fields, step, "router_logits") != nullptr)
    check_stack(fields, prefix + "router_logits", ours.router_logits, where);
  for (const char* name : {"loss", "aux_loss"}) {
    if (const Recorded* theirs = find(fields, step, name)) {
      const std::optional<float>& loss = std::string(name) == "loss" ? ours.loss : ours.aux_loss;
      REQUIRE_MESSAGE(loss.has_value(), where, ": no ", name);
      check_loss(*loss, theirs->view<float>()[0], where + " " + name);
    }
  }
}

// Every recorded scenario, its steps on one cache.
inline void check_recorded(const AnyModel& model, const Case& recorded) {
  for (const auto& [scenario, fields] : recorded.scenarios()) {
    const std::size_t steps = steps_of(fields);
    REQUIRE(steps > 0);
    const std::unique_ptr<AnyCache> cache = steps > 1 ? model.make_cache() : nullptr;
    for (std::size_t step = 0; step < steps; ++step) {
      check_step(fields, step, model.forward(arguments_of(fields, step), cache.get()), scenario);
    }
    for (const auto& [field, theirs] : fields) {
      if (field.compare(0, 6, "state.") == 0 && field.find(".bar") == std::string::npos) {
        const std::size_t dot = field.find('.', 6);
        qwen35::Tensor<float> ours = cache->state(std::stoul(field.substr(6, dot - 6)), field.substr(dot + 1));
        check_same_shape(ours.shape(), theirs.shape, scenario + " " + field);
        const std::size_t width = theirs.shape[theirs.shape.rank() - 1];
        if (field.compare(dot + 1, 4, "conv") == 0) {  // the oldest of the reference's columns is never used
          for (std::size_t i = 0; i < ours.size(); i += width) {
            ours[i] = theirs.view<float>()[i];
          }
        }
        check_tensor(fields, field, ours.data(), ours.size(), scenario, model_bar);
      }
    }
  }
}

// Two models with the same weights.
inline void check_same(const AnyModel& a, const AnyModel& b, const Case& recorded) {
  const Arguments arguments = arguments_of(recorded["prompt"], 0);
  CHECK(same_bits(a.forward(arguments).logits, b.forward(arguments).logits));
}

// Each layer and its parts, fed with what the reference fed them.
inline void check_layers(const AnyModel& model, const Case& recorded) {
  const Fields& fields = recorded["prompt"];
  if (find(fields, 0, "layer.0.out") == nullptr) {
    return;  // long prompts have no record of their inside
  }
  const Recorded& hidden_states = *find(fields, 0, "hidden_states");
  const std::size_t tokens = hidden_states.shape[2];
  for (std::size_t i = 0; i < model.layers(); ++i) {
    const std::string prefix = "0.layer." + std::to_string(i) + ".";
    for (const char* part : {"mixer", "mlp"}) {
      const float* const x = fields.at(prefix + part + "_in").view<float>().data();
      const std::vector<float> y = model.layer(i, part, x, tokens);
      check_tensor(fields, prefix + part + "_out", y.data(), y.size(), "alone");
    }
    const std::size_t each = hidden_states.shape.size() / hidden_states.shape[0];
    const std::vector<float> y = model.layer(i, "", hidden_states.view<float>().data() + i * each, tokens);
    check_tensor(fields, prefix + "out", y.data(), y.size(), "alone");
  }
}

// Equal bits: any number of threads, two runs, small workspaces, rows of a batch alone, callers side by side.
inline void check_bits(const AnyModel& model, const Case& recorded) {
  const Fields& prompt = recorded["prompt"];
  Arguments arguments = arguments_of(prompt, 0);
  const Result first = model.forward(arguments);
  for (const int threads : {1, 2, 4}) {
    const qwen35::ThreadCount scope(threads);
    const Result again = model.forward(arguments);
    CHECK_MESSAGE(same_bits(again.logits, first.logits), threads, " threads");
    for (std::size_t i = 0; i < first.hidden_states.size(); ++i) {
      CHECK(same_bits(again.hidden_states[i], first.hidden_states[i]));
    }
  }
  Result others[2];
  std::vector<std::thread> callers;
  for (Result& other : others) {
    callers.emplace_back([&] { other = model.forward(arguments); });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  CHECK(same_bits(others[0].logits, first.logits));
  CHECK(same_bits(others[1].logits, first.logits));
  arguments.output_attentions = false;
  arguments.workspace_tokens = 5;
  CHECK_MESSAGE(same_bits(model.forward(arguments).logits, first.logits), "five tokens at a time");

  for (const char* scenario : {"padded", "holes"}) {
    const Fields& fields = recorded[scenario];
    const Arguments together = arguments_of(fields, 0);
    const Result whole = model.forward(together);
    const qwen35::TensorView<std::int32_t> mask = find(fields, 0, "attention_mask")->view<std::int32_t>();
    const std::size_t length = mask.shape()[1];
    for (std::size_t b = 0; b < mask.shape()[0]; ++b) {
      const qwen35::Tensor<float> expected = batch_row<float>(whole.logits, b);
      const qwen35::Tensor<qwen35::TokenId> ids = batch_row(together.input_ids, b);
      const qwen35::Tensor<std::int32_t> row_mask = batch_row(mask, b);
      Arguments alone;
      alone.input_ids = ids;
      alone.attention_mask = row_mask;
      CHECK_MESSAGE(same_bits(model.forward(alone).logits, expected), scenario, ": row ", b, " alone");
      // A left-padded row is the row without its pads, at positions that begin later.
      const auto first_token =
          static_cast<std::size_t>(std::find(row_mask.begin(), row_mask.end(), 1) - row_mask.begin());
      const qwen35::Tensor<qwen35::TokenId> bare_ids = columns<qwen35::TokenId>(ids, first_token, length);
      const qwen35::Tensor<std::int32_t> bare_mask = columns<std::int32_t>(row_mask, first_token, length);
      qwen35::Tensor<std::int32_t> positions({1, length - first_token});
      for (std::size_t i = 0; i < positions.size(); ++i) {
        positions[i] = static_cast<std::int32_t>(first_token + i);
      }
      Arguments bare;
      bare.input_ids = bare_ids;
      bare.attention_mask = bare_mask;
      bare.position_ids = positions;
      const qwen35::Tensor<float> short_logits = model.forward(bare).logits;
      CHECK_MESSAGE(std::memcmp(short_logits.data(), expected.data() + expected.size() - short_logits.size(),
                                short_logits.size() * sizeof(float)) == 0,
                    scenario, ": row ", b, " without its pads");
    }
  }
}

// A cache is a value: going back, forking, copying and reordering continue with equal bits.
inline void check_cache(const AnyModel& model, const Case& recorded) {
  const Fields& fields = recorded["cached"];
  const Arguments begin = arguments_of(fields, 0);
  const Arguments next = arguments_of(fields, 1);
  const Arguments last = arguments_of(fields, 2);
  const std::unique_ptr<AnyCache> cache = model.make_cache();
  model.forward(begin, cache.get());
  const std::shared_ptr<const void> snapshot = cache->snapshot();
  const std::unique_ptr<AnyCache> copy = cache->copy();
  const Result one = model.forward(next, cache.get());
  const std::unique_ptr<AnyCache> fork = cache->fork();
  const Result two = model.forward(last, cache.get());
  CHECK(same_bits(model.forward(last, fork.get()).logits, two.logits));
  CHECK(same_bits(model.forward(next, copy.get()).logits, one.logits));
  CHECK(same_bits(model.forward(last, copy.get()).logits, two.logits));
  cache->restore(snapshot);
  CHECK(same_bits(model.forward(next, cache.get()).logits, one.logits));
  CHECK(same_bits(model.forward(last, cache.get()).logits, two.logits));

  // Beams: the second sequence three times, then the first.
  cache->restore(snapshot);
  const std::vector<std::size_t> rows = {1, 1, 0, 1};
  cache->reorder(rows);
  qwen35::Tensor<qwen35::TokenId> ids({rows.size(), 1});
  for (std::size_t b = 0; b < rows.size(); ++b) {
    ids[b] = next.input_ids[rows[b]];
  }
  Arguments beams;
  beams.input_ids = ids;
  const Result reordered = model.forward(beams, cache.get());
  for (std::size_t b = 0; b < rows.size(); ++b) {
    CHECK(same_bits(batch_row<float>(reordered.logits, b), batch_row<float>(one.logits, rows[b])));
  }
  cache->reset();
  model.forward(begin, cache.get());
  CHECK(same_bits(model.forward(next, cache.get()).logits, one.logits));
}

// A prompt in any pieces gives the one-pass result.
inline void check_splits(const AnyModel& model, const Case& recorded, bool dynamic_rope) {
  std::mt19937 engine(7);
  for (const char* scenario : {"prompt", "padded"}) {
    const Fields& fields = recorded[scenario];
    const qwen35::TensorView<qwen35::TokenId> ids = find(fields, 0, "input_ids")->view<qwen35::TokenId>();
    const Recorded* const recorded_mask = find(fields, 0, "attention_mask");
    const std::size_t length = ids.shape()[1];
    Arguments whole;
    whole.input_ids = ids;
    if (recorded_mask != nullptr) {
      whole.attention_mask = recorded_mask->view<std::int32_t>();
    }
    const qwen35::Tensor<float> expected = model.forward(whole).logits;
    const std::size_t width = expected.shape()[2];
    for (int trial = 0; trial < 3; ++trial) {
      const std::unique_ptr<AnyCache> cache = model.make_cache();
      for (std::size_t begin = 0; begin < length;) {
        const std::size_t end = std::min(length, begin + 1 + engine() % (trial == 0 ? 1u : 7u));
        const qwen35::Tensor<qwen35::TokenId> piece = columns(ids, begin, end);
        const qwen35::Tensor<std::int32_t> mask = recorded_mask != nullptr
                                                      ? columns(recorded_mask->view<std::int32_t>(), 0, end)
                                                      : qwen35::Tensor<std::int32_t>();
        Arguments arguments;
        arguments.input_ids = piece;
        if (recorded_mask != nullptr) {
          arguments.attention_mask = mask;
        }
        const qwen35::Tensor<float> logits = model.forward(arguments, cache.get()).logits;
        for (std::size_t b = 0; !dynamic_rope && b < ids.shape()[0]; ++b) {
          const Difference d = difference(logits.data() + b * (end - begin) * width,
                                          expected.data() + (b * length + begin) * width, (end - begin) * width);
          check_within(d.relative_l2(), layer_bar, std::string(scenario) + " in pieces");
        }
        begin = end;
      }
    }
  }
}

template <class Config>
void check_model(const char* name) {
  const Case recorded(name);
  const OracleModel<Config> model(recorded.folder());
  const qwen35::RopeType rope = qwen35::text_config_t<Config>::rope_parameters.rope_type;
  SUBCASE("recorded runs") {
    check_recorded(model, recorded);
  }
  const std::string gguf = gguf_path(name);
  if (std::filesystem::exists(gguf)) {
    SUBCASE("equal bits, from GGUF") {
      const GgufOfFolder file(gguf, qwen35::Checkpoint::open(recorded.folder()));
      check_same(OracleModel<Config>(file.checkpoint()), model, recorded);
    }
  }
  SUBCASE("layers alone") {
    check_layers(model, recorded);
  }
  SUBCASE("equal bits") {
    check_bits(model, recorded);
  }
  SUBCASE("cache") {
    check_cache(model, recorded);
  }
  // Frequencies that depend on the length change between pieces, in the reference too.
  SUBCASE("splits") {
    check_splits(model, recorded, rope == qwen35::RopeType::dynamic || rope == qwen35::RopeType::longrope);
  }
}

}  // namespace oracle
