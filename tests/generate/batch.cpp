// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"

#include <qwen35/generate/batch.hpp>
#include <qwen35/generate/generate.hpp>

#include <doctest/doctest.h>

#include <map>

#include "support/allocation_faults.hpp"
#include "support/log_capture.hpp"

using namespace qwen35;
using namespace generate_test;

namespace {

using Handle = Batch<ToyModel>::Handle;

std::vector<TokenId> prompt_of(std::size_t number, std::size_t length) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < length; ++i) {
    ids.push_back(static_cast<TokenId>((number * 7 + i * 3 + i * i) % 23));
  }
  return ids;
}

// The new tokens of each sequence as the events tell them, until nothing runs.
std::map<Handle, std::vector<TokenId>> run(Batch<ToyModel>& batch) {
  std::map<Handle, std::vector<TokenId>> out;
  while (batch.step()) {
    for (const auto& event : batch.events()) {
      out[event.handle].push_back(event.token);
    }
  }
  return out;
}

std::vector<TokenId> generated(const Sequence& sequence) {
  return {sequence.generated().begin(), sequence.generated().end()};
}

// What generate() makes of one prompt.
std::vector<std::vector<TokenId>> alone(const ToyModel& model, const std::vector<TokenId>& ids,
                                        const GenerationConfig& config, std::uint32_t number = 0) {
  const auto output = generate(model, {.input_ids = ids, .sequence_ids = {number}}, config);
  std::vector<std::vector<TokenId>> out;
  for (std::size_t row = 0; row < output.generated.size(); ++row) {
    out.emplace_back(output.new_tokens(row).begin(), output.new_tokens(row).end());
  }
  return out;
}

}  // namespace

TEST_CASE("sequences that come and go get the tokens that they get alone") {
  ToyModel model;
  model.bonus = 2.0f;
  model.bonus_ids = {3};
  model.special.eos_token_id = {3};
  Batch<ToyModel> batch(model, {.max_sequences = 8, .prefill_chunk = 5});
  const std::vector<std::size_t> lengths{1, 13, 4, 5, 6, 30, 2, 9};
  std::map<Handle, std::size_t> number;
  std::map<Handle, std::vector<TokenId>> told;
  const auto config_of = [](std::size_t i) {
    return GenerationConfig{
        .max_new_tokens = 6 + static_cast<std::int64_t>(i), .do_sample = i % 2 == 1, .seed = 4, .temperature = 1.3};
  };
  std::size_t added = 0;
  while (added < lengths.size() || batch.running() > 0) {
    if (added < lengths.size()) {
      const Handle handle = batch.add({.input_ids = prompt_of(added, lengths[added]),
                                       .config = config_of(added),
                                       .sequence_id = static_cast<std::uint32_t>(added)});
      number[handle] = added++;
    }
    batch.step();
    for (const auto& event : batch.events()) {
      told[event.handle].push_back(event.token);
      if (event.reason != FinishReason::none) {
        const auto removed = batch.remove(event.handle);
        CHECK(removed.sequence.finish_reason == event.reason);
        CHECK(generated(removed.sequence) == told[event.handle]);
        CHECK(removed.cache.tokens() == removed.sequence.ids.size() - 1);
      }
    }
  }
  CHECK(batch.size() == 0);
  CHECK_FALSE(batch.step());
  CHECK(*std::max_element(model.slices.begin(), model.slices.end()) > 3);
  REQUIRE(told.size() == lengths.size());
  for (const auto& [handle, tokens] : told) {
    const std::size_t i = number[handle];
    CAPTURE(i);
    CHECK(tokens == alone(model, prompt_of(i, lengths[i]), config_of(i), static_cast<std::uint32_t>(i))[0]);
  }
}

TEST_CASE("a step runs the newest tokens and whole pieces of prompts, the oldest first") {
  const ToyModel model;
  Batch<ToyModel> batch(model, {.max_sequences = 3, .prefill_chunk = 4});
  const Handle a = batch.add({.input_ids = prompt_of(0, 10), .config = {.max_new_tokens = 9}});
  const Handle b = batch.add({.input_ids = prompt_of(1, 3), .config = {.max_new_tokens = 9}});
  const Handle c = batch.add({.input_ids = prompt_of(2, 4), .config = {.max_new_tokens = 9}});
  const auto held = [&] {
    return std::vector<std::size_t>{batch.cache(a).tokens(), batch.cache(b).tokens(), batch.cache(c).tokens()};
  };
  batch.step();  // 7 tokens have room
  CHECK(held() == std::vector<std::size_t>{4, 3, 0});
  CHECK(batch.is_reading(a));
  CHECK_FALSE(batch.is_reading(b));
  REQUIRE(batch.events().size() == 1);
  CHECK(batch.events()[0].handle == b);
  batch.step();
  CHECK(held() == std::vector<std::size_t>{8, 4, 0});
  batch.step();
  CHECK(held() == std::vector<std::size_t>{10, 5, 4});
  CHECK(batch.events().size() == 3);
  CHECK(batch.sequence(a).usage.prompt_tokens == 10);
  CHECK(batch.sequence(a).usage.completion_tokens == 1);
  CHECK_THROWS_WITH_AS(batch.add({.input_ids = {1}}),
                       "Batch: 3 sequences are there and 1 more do not fit, max_sequences is 3", InputError);
}

TEST_CASE("a prompt is read once for its siblings, whoever of them stays") {
  ToyModel model;
  const std::vector<TokenId> ids = prompt_of(3, 11);
  const GenerationConfig config{.max_new_tokens = 5, .do_sample = true, .num_return_sequences = 3, .seed = 2};
  const auto expected = alone(model, ids, config, 6);
  model.rows_run = 0;
  Batch<ToyModel> batch(model, {.prefill_chunk = 4});
  const Handle first = batch.add({.input_ids = ids, .config = config, .sequence_id = 6});
  auto told = run(batch);
  CHECK(model.rows_run == 11 + 3 * 4);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(told[first + i] == expected[i]);
    CHECK(batch.remove(first + i).cache.tokens() == 15);
  }

  const Handle second = batch.add({.input_ids = ids, .config = config, .sequence_id = 6});
  batch.step();
  CHECK(batch.remove(second).sequence.finish_reason == FinishReason::cancelled);
  batch.step();
  batch.remove(second + 1);
  told = run(batch);
  CHECK(told.size() == 1);
  CHECK(told[second + 2] == expected[2]);
  batch.remove(second + 2);

  const Handle third = batch.add({.input_ids = ids, .config = config, .sequence_id = 6});
  while (batch.is_reading(third)) {
    batch.forward();
  }
  CHECK(batch.logits(third).size() == model.vocab_size);
  batch.remove(third);  // its logits are its siblings' too
  told = run(batch);
  CHECK(told[third + 1] == expected[1]);
  CHECK(told[third + 2] == expected[2]);
}

TEST_CASE("a held prefix is gone on with, forked or borrowed") {
  const ToyModel model;
  const std::vector<TokenId> ids = prompt_of(5, 9);
  const auto expected = alone(model, ids, {.max_new_tokens = 5})[0];
  Batch<ToyModel> batch(model);
  const Handle reader = batch.add({.input_ids = {ids.begin(), ids.begin() + 6}, .config = {.max_new_tokens = 1}});
  batch.step();
  SequenceCache borrowed = batch.cache(reader).fork();
  const std::size_t before = model.rows_run;
  const Handle forked =
      batch.add({.input_ids = ids, .config = {.max_new_tokens = 5}, .past_key_values = batch.cache(reader).fork()});
  const Handle other = batch.add({.input_ids = ids, .config = {.max_new_tokens = 5}, .borrowed_cache = &borrowed});
  auto told = run(batch);
  CHECK(told[forked] == expected);
  CHECK(told[other] == expected);
  CHECK(model.rows_run - before == 2 * (3 + 4));
  CHECK(batch.sequence(forked).usage.cached_tokens == 6);
  batch.remove(other);
  CHECK(borrowed.tokens() == 13);
  CHECK_THROWS_WITH_AS(batch.add({.input_ids = ids, .borrowed_cache = &borrowed}),
                       "Batch: the cache holds 13 tokens and the prompt 9; at least one more is needed", InputError);
  std::vector<TokenId> others = prompt_of(6, 20);
  others[0] = ids[0] == 0 ? 1 : 0;
  CHECK_THROWS_AS(batch.add({.input_ids = others, .borrowed_cache = &borrowed}), InputError);
  CHECK_THROWS_WITH_AS(batch.add({}), "Batch: input_ids are empty", InputError);
  CHECK_THROWS_WITH_AS(batch.add({.input_ids = ids, .config = {.num_beams = 2}}), "Batch: no beams, found num_beams 2",
                       InputError);
  CHECK_THROWS_AS(batch.remove(99), InputError);
}

TEST_CASE("an error of a processor ends its sequence and no other") {
  const ToyModel model;
  const auto refuses = make_logits_processor("refuses", [](const SequenceRow& row, std::span<float>) {
    require<InputError>(row.generated().size() < 2, "enough");
  });
  Batch<ToyModel> batch(model);
  const GenerationConfig config{.max_new_tokens = 5};
  std::map<Handle, std::vector<TokenId>> told;
  const Handle a = batch.add({.input_ids = prompt_of(0, 4), .config = config});
  const Handle b =
      batch.add({.input_ids = prompt_of(1, 4), .config = config, .extras = {.logits_processor = {refuses}}});
  const Handle c = batch.add({.input_ids = prompt_of(2, 4), .config = config});
  batch.step();
  batch.step();
  CHECK_THROWS_WITH_AS(batch.step(), "enough", InputError);
  CHECK(batch.sequence(b).finish_reason == FinishReason::cancelled);
  CHECK(batch.sequence(b).usage.completion_tokens == 2);
  run(batch);
  CHECK(generated(batch.sequence(a)) == alone(model, prompt_of(0, 4), config)[0]);
  CHECK(generated(batch.sequence(c)) == alone(model, prompt_of(2, 4), config)[0]);
}

TEST_CASE("at the limit of memory every sequence stands as it was") {
  const ToyModel model;
  Batch<ToyModel> batch(model, {.max_pages = 2});
  // More than all pages hold is never begun.
  const GenerationConfig longer{.max_new_tokens = 70};
  CHECK_THROWS_WITH_AS(batch.add({.input_ids = prompt_of(0, 60), .config = longer}),
                       doctest::Contains("the cache holds 128 tokens (max_pages of its pool), not the prompt's 60 and "
                                         "70 new ones"),
                       CacheError);
  CHECK(batch.size() == 0);
  const GenerationConfig config{.max_new_tokens = 69};
  const Handle a = batch.add({.input_ids = prompt_of(0, 60), .config = config});
  const Handle b = batch.add({.input_ids = prompt_of(1, 40), .config = config});
  std::size_t steps = 0;
  const auto until_full = [&] {
    while (batch.step()) {
      ++steps;
    }
  };
  CHECK_THROWS_AS(until_full(), CacheError);
  CHECK(steps == 5);  // a's 65th token needs a third page
  CHECK(batch.sequence(a).usage.completion_tokens == 5);
  CHECK(batch.sequence(b).usage.completion_tokens == 5);
  CHECK_THROWS_AS(batch.step(), CacheError);
  CHECK(batch.events().empty());
  CHECK(batch.remove(a).sequence.finish_reason == FinishReason::cancelled);
  until_full();
  CHECK(batch.events().empty());
  CHECK(generated(batch.sequence(b)) == alone(model, prompt_of(1, 40), config)[0]);
}

TEST_CASE("with stop_at_capacity a sequence ends where all pages are full") {
  const ToyModel model;
  Batch<ToyModel> batch(model, {.max_pages = 1});
  const Handle a =
      batch.add({.input_ids = prompt_of(0, 60), .config = {.max_new_tokens = 80, .stop_at_capacity = true}});
  run(batch);
  CHECK(batch.sequence(a).finish_reason == FinishReason::length);
  CHECK(generated(batch.sequence(a)) == alone(model, prompt_of(0, 60), {.max_new_tokens = 5})[0]);
}

TEST_CASE("a sequence that may go beyond the model's positions is told so when it is added") {
  ToyModel model;
  model.special.max_position_embeddings = 10;
  Batch<ToyModel> batch(model, {.max_sequences = 2});
  LogCapture log;
  batch.add({.input_ids = prompt_of(0, 4), .config = {.max_new_tokens = 7}});
  CHECK(log.messages.empty());
  batch.add({.input_ids = prompt_of(0, 4), .config = {.max_new_tokens = 8}});
  run(batch);
  REQUIRE(log.messages.size() == 1);
  CHECK(log.messages[0].starts_with("generate: a sequence may come to 12 tokens"));
}

TEST_CASE("what a batch cannot do is refused, as are counts beyond the limits") {
  const ToyModel model;
  Batch<ToyModel> batch(model);
  CHECK_THROWS_WITH_AS(batch.add({.input_ids = prompt_of(0, 4), .config = {.guidance_scale = 1.5}}),
                       "guidance_scale is 1.500000, which needs unconditional logits: generate() has them, Batch and "
                       "Session do not",
                       InputError);
  CHECK(batch.size() == 0);
  CHECK_THROWS_WITH_AS(Batch<ToyModel>(model, {.max_sequences = 0}),
                       "BatchOptions: max_sequences is 0, expected 1 to 65536", InputError);
  CHECK_THROWS_WITH_AS(Batch<ToyModel>(model, {.max_sequences = std::size_t{1} << 40}),
                       "BatchOptions: max_sequences is 1099511627776, expected 1 to 65536", InputError);
  CHECK_THROWS_WITH_AS(Batch<ToyModel>(model, {.prefill_chunk = std::size_t{1} << 40}),
                       "BatchOptions: prefill_chunk is 1099511627776, expected 1 to 16777216", InputError);
}

TEST_CASE("a streamer ends its sequence; tokens may be given instead of chosen") {
  const ToyModel model;
  Batch<ToyModel> batch(model);
  std::vector<TokenId> streamed;
  const Handle a =
      batch.add({.input_ids = prompt_of(0, 4), .config = {.max_new_tokens = 9}, .streamer = [&](TokenId id) {
                   streamed.push_back(id);
                   return streamed.size() < 3;
                 }});
  const Handle b = batch.add({.input_ids = prompt_of(1, 4), .config = {.max_new_tokens = 6, .eos_token_id = 22}});
  batch.forward();
  CHECK_THROWS_WITH_AS(batch.forward(), "Batch: logits of 2 sequences wait for a choice", InputError);
  const std::vector<TokenId> given{5, 6, 7};
  batch.push(b, given);
  CHECK(batch.logits(b).empty());
  batch.choose();
  run(batch);
  CHECK(batch.sequence(a).finish_reason == FinishReason::cancelled);
  CHECK(streamed == generated(batch.sequence(a)));
  CHECK(streamed.size() == 3);
  CHECK(batch.sequence(b).finish_reason == FinishReason::length);
  std::vector<TokenId> whole = prompt_of(1, 4);
  whole.insert(whole.end(), given.begin(), given.end());
  std::vector<TokenId> expected = given;
  const auto rest = alone(model, whole, {.max_new_tokens = 3, .eos_token_id = 22})[0];
  expected.insert(expected.end(), rest.begin(), rest.end());
  CHECK(generated(batch.sequence(b)) == expected);
  const Handle c = batch.add({.input_ids = prompt_of(1, 4), .config = {.max_new_tokens = 6, .eos_token_id = 6}});
  batch.forward();
  batch.push(c, given);
  CHECK(batch.sequence(c).finish_reason == FinishReason::stop);
  CHECK(batch.sequence(c).ids.back() == 6);
}

TEST_CASE("a token allocates nothing after the first ones, greedy or sampled") {
  const ToyModel model;
  model.slices.reserve(1000);
  Batch<ToyModel> batch(model);
  const GenerationConfig greedy{.max_new_tokens = 50};
  const GenerationConfig sampled{
      .max_new_tokens = 50, .do_sample = true, .temperature = 0.8, .top_k = 9, .top_p = 0.9, .repetition_penalty = 1.1};
  for (std::size_t i = 0; i < 4; ++i) {
    batch.add({.input_ids = prompt_of(i, 3 + i), .config = i % 2 == 0 ? greedy : sampled});
  }
  for (int i = 0; i < 3; ++i) {
    batch.step();
  }
  CHECK(test_support::count_allocations([&] {
          for (int i = 0; i < 40; ++i) {
            batch.step();
          }
        }) == 0);
  CHECK(batch.running() == 4);
}

TEST_CASE("nor does a step of generate(), whatever the number of rows") {
  const ToyModel model;
  model.slices.reserve(1000);
  const Tensor<TokenId> ids({3, 4}, {7, 8, 9, 10, 1, 1, 11, 12, 1, 13, 14, 15});
  const Tensor<std::int32_t> mask({3, 4}, {1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1});
  for (const bool sampled : {false, true}) {
    std::vector<std::size_t> seen;
    seen.reserve(100);
    const test_support::FailingAllocation counting(0);
    generate(model,
             {.input_ids = ids,
              .attention_mask = mask,
              .streamer =
                  [&](std::span<const TokenId>) {
                    seen.push_back(test_support::allocation_faults.calls);
                    return true;
                  }},
             {.max_new_tokens = 40, .do_sample = sampled, .seed = 1, .top_k = 5, .eos_token_id = TokenIds()});
    REQUIRE(seen.size() == 40);
    CHECK(seen[39] == seen[4]);
  }
}

TEST_CASE("without memory for any allocation of a batch, its sequences go on; one whose choice failed is cancelled") {
  const ToyModel model;
  const GenerationConfig config{.max_new_tokens = 6, .do_sample = true, .seed = 4, .top_k = 5};
  const std::vector<std::vector<TokenId>> prompts{prompt_of(0, 12), prompt_of(1, 3)};
  const std::vector<std::vector<TokenId>> expected{alone(model, prompts[0], config, 0)[0],
                                                   alone(model, prompts[1], config, 1)[0]};
  std::size_t calls = 1, failures = 0, cancelled = 0;
  for (std::size_t at = 0; at <= calls; ++at) {
    CAPTURE(at);
    Batch<ToyModel> batch(model, {.max_sequences = 4, .prefill_chunk = 5});
    std::vector<Handle> handles;
    handles.reserve(2);
    const auto work = [&] {
      while (handles.size() < 2) {
        const std::size_t i = handles.size();
        handles.push_back(
            batch.add({.input_ids = prompts[i], .config = config, .sequence_id = static_cast<std::uint32_t>(i)}));
      }
      while (batch.step()) {
      }
    };
    failures += test_support::fails_without_memory(at, work) ? 1u : 0u;
    calls = at == 0 ? test_support::allocation_faults.calls : calls;
    work();
    REQUIRE(batch.size() == 2);
    std::size_t whole = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      const Sequence& sequence = batch.sequence(handles[i]);
      const std::vector<TokenId> found = generated(sequence);
      whole += found == expected[i] ? 1u : 0u;
      const bool begun = sequence.finish_reason == FinishReason::cancelled && found.size() < expected[i].size() &&
                         std::equal(found.begin(), found.end(), expected[i].begin());
      cancelled += begun ? 1u : 0u;
      CHECK((found == expected[i] || begun));
    }
    CHECK(whole >= 1);
  }
  CHECK(failures > calls / 10 * 9);
  CHECK(cancelled < failures / 4);
}

TEST_CASE("without memory for any allocation of a beam search, the caller's cache is as before") {
  const ToyModel model;
  const std::vector<TokenId> ids = prompt_of(2, 9);
  const GenerationConfig config{.max_new_tokens = 5, .num_beams = 3, .num_return_sequences = 2, .eos_token_id = 4};
  const auto filled = [&] {
    ToyModel::Cache cache;
    model.forward({.input_ids = std::span(ids).first(4), .past_key_values = &cache});
    return cache;
  };
  const auto search = [&](ToyModel::Cache& cache) {
    const auto output = generate(model, {.input_ids = ids, .past_key_values = &cache}, config);
    return std::vector<TokenId>(output.sequences.begin(), output.sequences.end());
  };
  ToyModel::Cache whole = filled();
  std::vector<TokenId> expected;
  const std::size_t calls = test_support::count_allocations([&] { expected = search(whole); });
  std::size_t failures = 0;
  for (const std::size_t at : test_support::some_allocations(calls, 200)) {
    CAPTURE(at);
    ToyModel::Cache cache = filled();
    if (test_support::fails_without_memory(at, [&] { search(cache); })) {
      ++failures;
      CHECK(search(cache) == expected);
    }
  }
  CHECK(failures > 100);
}
