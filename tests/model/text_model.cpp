// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/core/cancellation.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>
#include <qwen35/model/text_model.hpp>
#include <qwen35/model/vision_tower.hpp>
#include <qwen35/weights/pack.hpp>

#include "support/message_of.hpp"
#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <array>

#include <cstdlib>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

// The shapes model but for two sizes.
struct Wider : configs::Shapes {
  struct text_config : configs::Shapes::text_config {
    static constexpr std::size_t hidden_size = 256;
    static constexpr std::size_t num_experts_per_tok = 3;
  };
};

struct MoreChosen : configs::Shapes {
  struct text_config : configs::Shapes::text_config {
    static constexpr std::size_t num_experts_per_tok = 3;
  };
};

struct Deeper : configs::Shapes::vision_config {
  static constexpr std::size_t depth = 5;
};

}  // namespace

TEST_CASE("a checkpoint of another shape is one error of the config, before any tensor is looked for") {
  const std::string message =
      message_of<ConfigError>([] { TextModel<Wider>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes"); });
  CHECK(contains(message, "hidden_size: the file has 128, the type 256"));
  CHECK(contains(message, "num_experts_per_tok: the file has 2, the type 3"));
}

TEST_CASE("a checkpoint that is not the model's is refused before its weights are read, in every kind of file") {
  const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes", gguf = QWEN35_TEST_DATA "/gguf/shapes-q8_0.gguf";
  const weights_test::TempFolder out;
  const std::string packed = out.file("shapes.qwen35");
  pack(Checkpoint::open(folder), packed);
  for (std::size_t i = 0; i < 6; ++i) {
    const std::string path = std::array{folder, gguf, packed}[i / 2];
    CAPTURE(path);
    CAPTURE(i);
    std::size_t loaded = 0, asked = 0;
    CheckpointOptions options{.progress = [&](std::size_t, std::size_t) { ++loaded; },
                              .load = i % 2 == 0 ? LoadMode::read : LoadMode::map,
                              .check = [&](const Checkpoint& checkpoint) { asked += checkpoint.config().is_object(); }};
    CHECK_THROWS_AS(TextModel<Wider>::from_pretrained(path, options), ConfigError);
    CHECK_FALSE(TextModel<Wider>::try_from_pretrained(path, options));
    CHECK_THROWS_AS(CausalLM<Wider>::from_pretrained(path, options), ConfigError);
    CHECK_THROWS_AS(ConditionalGeneration<MoreChosen>::from_pretrained(path, options), ConfigError);
    CHECK_THROWS_AS(Model<MoreChosen>::from_pretrained(path, options), ConfigError);
    CHECK_THROWS_AS(VisionTower<Deeper>::from_pretrained(path, options), ConfigError);
#if QWEN35_HAS_MMAP
    CHECK(loaded == 0);
#endif
    CHECK(asked == 6);
    TextModel<configs::Shapes>::from_pretrained(path, options);
    CHECK(loaded > 0);
    CHECK(asked == 7);
  }
}

TEST_CASE("an instruction set that QWEN35_ISA names and the machine has not is an error of whoever makes a model") {
  ::setenv("QWEN35_ISA", "avx9000", 1);
  const auto refused = [](const auto& make) {
    CHECK(message_of<InputError>(make).starts_with("QWEN35_ISA: no kernels for \"avx9000\" here, expected one of: "));
  };
  refused([] { TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes"); });
  refused([] { TextModel<configs::Shapes>(InitOptions{}); });
  refused([] { VisionTower<configs::Shapes::vision_config>(InitOptions{}); });
  ::setenv("QWEN35_ISA", std::string(isa_name()).c_str(), 1);
  CHECK_NOTHROW(TextModel<configs::Shapes>(InitOptions{}));
  ::unsetenv("QWEN35_ISA");
}

TEST_CASE("arguments that contradict each other") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const std::vector<TokenId> ids = {1, 2, 3};
  const Tensor<float> embeds({1, 3, 128});
  const Tensor<std::int32_t> short_mask({1, 2}, {1, 1});
  const Tensor<std::int32_t> five_planes({5, 1, 3});
  const Tensor<float> narrow({1, 3, 64});
  const auto message = [&](const TextModelInput<configs::Shapes>& input) {
    return message_of<InputError>([&] { model.forward(input); });
  };
  CHECK(contains(message({}), "exactly one of input_ids and inputs_embeds"));
  CHECK(contains(message({.input_ids = ids, .inputs_embeds = embeds}), "exactly one of input_ids and inputs_embeds"));
  CHECK(contains(message({.input_ids = {1, 512}}), "input_ids[1] is 512, expected 0 to 511"));
  CHECK(contains(message({.input_ids = {-1}}), "input_ids[0] is -1"));
  CHECK(contains(message({.inputs_embeds = narrow}),
                 "inputs_embeds of shape [1, 3, 64], expected [batch, sequence, 128]"));
  CHECK(contains(message({.input_ids = ids, .attention_mask = short_mask}),
                 "attention_mask of shape [1, 2], expected [1, 3]"));
  CHECK(contains(message({.input_ids = ids, .position_ids = five_planes}), "position_ids of shape [5, 1, 3]"));
  CHECK(contains(message({.input_ids = ids, .cache_position = {1, 2, 3}}), "cache_position must count from 0 to 2"));
  CHECK(model.forward({.input_ids = ids}).last_hidden_state.shape() == Shape{1, 3, 128});
}

TEST_CASE("rows that stand instead of embeddings") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const std::vector<TokenId> ids = {10, 11, 12, 13};
  const std::vector<TokenId> others = {10, 30, 12, 31};
  std::vector<float> a(128);
  std::vector<float> b(128);
  model.embed(30, a.data());
  model.embed(31, b.data());
  const std::vector<const float*> rows = {nullptr, a.data(), nullptr, b.data()};
  HybridCache<configs::Shapes> cache;
  const auto replaced = model.forward({.input_ids = ids, .past_key_values = &cache, .replaced_rows = rows});
  const auto expected = model.forward({.input_ids = others});
  CHECK(std::equal(replaced.last_hidden_state.begin(), replaced.last_hidden_state.end(),
                   expected.last_hidden_state.begin()));
  CHECK(std::equal(ids.begin(), ids.end(), cache.ids().begin()));  // the cache knows the ids
  const auto message = [&](std::span<const float* const> given) {
    return message_of<InputError>([&] { model.forward({.input_ids = ids, .replaced_rows = given}); });
  };
  CHECK(contains(message(std::span(rows).first(3)), "replaced_rows has 3 entries, expected one for each of 4 tokens"));
  CHECK(contains(message_of<InputError>([&] { model.embed(512, a.data()); }), "token 512, expected 0 to 511"));
}

TEST_CASE("sequences of any lengths together give the bits of each alone") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  constexpr std::size_t count = 4;
  // Prompt pieces and single tokens of one sequence: rounds[sequence][round].
  const std::size_t rounds[count][3] = {{70, 1, 1}, {1, 1, 40}, {33, 64, 1}, {5, 1, 90}};
  const auto ids_of = [](std::size_t sequence, std::size_t tokens) {
    std::vector<TokenId> ids(tokens);
    for (std::size_t i = 0; i < tokens; ++i) {
      ids[i] = static_cast<TokenId>((i * 37 + sequence * 101 + tokens) % 400);
    }
    return ids;
  };
  const auto run = [&](const std::vector<std::size_t>& sequences, std::size_t tokens, std::size_t at_once) {
    const auto pool = std::make_shared<KvPool>(model.cache_layout());
    std::vector<SequenceCache> caches(sequences.size());
    std::vector<std::vector<float>> found(sequences.size());
    ForwardWorkspace workspace(tokens, at_once);
    for (std::size_t round = 0; round < 3; ++round) {
      std::vector<SequenceSlice> slices;
      std::vector<std::vector<TokenId>> ids;
      for (const std::size_t sequence : sequences) {
        ids.push_back(ids_of(sequence, rounds[sequence][round]));
      }
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        if (round == 0) {
          caches[i] = SequenceCache(pool);
        }
        slices.push_back({.cache = &caches[i], .ids = ids[i], .wanted = std::min<std::size_t>(ids[i].size(), 3)});
      }
      const SliceRows rows = model.forward(slices, workspace);
      std::size_t row = 0;
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        for (std::size_t wanted = 0; wanted < slices[i].wanted; ++wanted, ++row) {
          found[i].insert(found[i].end(), rows.hidden_row(row).begin(), rows.hidden_row(row).end());
        }
      }
      CHECK(row == rows.count);
    }
    return found;
  };
  std::vector<std::vector<float>> alone;
  for (std::size_t sequence = 0; sequence < count; ++sequence) {
    alone.push_back(run({sequence}, 512, 1)[0]);
  }
  CHECK(alone[0] != alone[1]);
  CHECK(run({0, 1, 2, 3}, 512, 4) == alone);
  CHECK(run({0, 1, 2, 3}, 16, 4) == alone);
  CHECK(run({0, 1, 2, 3}, 100, 2) == alone);
  CHECK(run({2, 0}, 7, 8) == std::vector<std::vector<float>>{alone[2], alone[0]});
  // And those of the rectangle.
  HybridCache<configs::Shapes> cache;
  std::vector<float> rectangle;
  for (const std::size_t tokens : rounds[0]) {
    const auto ids = ids_of(0, tokens);
    const auto out = model.forward({.input_ids = ids, .past_key_values = &cache});
    const std::size_t wanted = std::min<std::size_t>(tokens, 3) * 128;
    rectangle.insert(rectangle.end(), out.last_hidden_state.end() - static_cast<std::ptrdiff_t>(wanted),
                     out.last_hidden_state.end());
  }
  CHECK(rectangle == alone[0]);
}

TEST_CASE("a text model takes no pictures, a model without a head no labels") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const Tensor<float> pixels({4, 8});
  CHECK(contains(message_of<InputError>([&] { model.forward({.input_ids = {1}, .pixel_values = pixels}); }),
                 "this model reads text alone"));
  CHECK(contains(message_of<InputError>([&] { model.forward({.input_ids = {1}, .labels = {1}}); }), "has no head"));
  const CacheLayout other{.linear_layers = 1, .full_layers = 1, .kv_heads = 1, .head_dim = 8};
  SequenceCache cache(other);
  const std::vector<TokenId> ids = {1};
  const SequenceSlice slices[] = {{.cache = &cache, .ids = ids}};
  ForwardWorkspace workspace(1);
  CHECK(contains(message_of<CacheError>([&] { model.forward(slices, workspace); }), "a cache of another model shape"));
}

TEST_CASE("a forward without room for all leaves each sequence as it was") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const std::vector<TokenId> ids(60, 7);
  const auto run = [&](SequenceCache& cache, std::size_t tokens) {
    ForwardWorkspace workspace(64);
    const SequenceSlice slices[] = {{.cache = &cache, .ids = std::span(ids).first(tokens)}};
    const SliceRows rows = model.forward(slices, workspace);
    return std::vector<float>(rows.hidden_row(0).begin(), rows.hidden_row(0).end());
  };
  SequenceCache roomy(model.cache_layout());
  run(roomy, 60);
  const std::vector<float> expected = run(roomy, 2);
  const auto pool = std::make_shared<KvPool>(model.cache_layout(), 2);
  SequenceCache first(pool);
  SequenceCache second(pool);
  run(first, 60);
  run(second, 60);
  ForwardWorkspace workspace(64, 2);
  const SequenceSlice slices[] = {{.cache = &first, .ids = std::span(ids).first(2)},
                                  {.cache = &second, .ids = std::span(ids).first(5)}};
  CHECK(contains(message_of<CacheError>([&] { model.forward(slices, workspace); }), "memory is full"));
  CHECK(first.tokens() == 60);
  CHECK(run(first, 2) == expected);
  CHECK(run(second, 2) == expected);
}

TEST_CASE("a forward that is cancelled between two layers leaves its sequences as they were") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const auto pool = std::make_shared<KvPool>(model.cache_layout());
  SequenceCache one(pool), two(pool);
  ForwardWorkspace workspace(8, 2);
  const std::vector<TokenId> first = {5, 6, 7}, rest = {8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, next = {9};
  const auto run = [&](SequenceCache& a, SequenceCache& b) {
    const SequenceSlice slices[] = {{.cache = &a, .ids = rest, .wanted = 2}, {.cache = &b, .ids = next, .wanted = 1}};
    const SliceRows rows = model.forward(slices, workspace);
    std::vector<float> out(rows.hidden, rows.hidden + rows.count * rows.hidden_size);
    out.insert(out.end(), a.states().begin(), a.states().end());
    out.insert(out.end(), b.states().begin(), b.states().end());
    return out;
  };
  {
    const SequenceSlice slices[] = {{.cache = &one, .ids = first, .wanted = 1},
                                    {.cache = &two, .ids = rest, .wanted = 1}};
    model.forward(slices, workspace);
  }
  SequenceCache one_alike = one.fork(), two_alike = two.fork();
  const std::vector<float> expected = run(one_alike, two_alike);

  std::vector<std::size_t> steps;
  std::size_t total = 0;
  {
    const CallScope scope([&](std::string_view what, std::size_t done, std::size_t all) {
      CHECK(what == "forward");
      steps.push_back(done);
      total = all;
    });
    SequenceCache a = one.fork(), b = two.fork();
    CHECK(run(a, b) == expected);  // being watched changes nothing
  }
  constexpr std::size_t layers = configs::Shapes::text_config::num_hidden_layers;
  CHECK(total == 12 * layers);
  CHECK(steps.size() == 2 * layers);  // two passes of at most 8 tokens
  CHECK(std::is_sorted(steps.begin(), steps.end()));
  CHECK(steps.back() < total);
  for (std::size_t stop = 0; stop < steps.size(); ++stop) {
    CAPTURE(stop);
    Cancellation cancellation;
    std::size_t step = 0;
    const CallScope scope(cancellation, [&](std::string_view, std::size_t, std::size_t) {
      if (step++ == stop) {
        cancellation.cancel();
      }
    });
    CHECK_THROWS_AS(run(one, two), CancelledError);
    CHECK(step == stop + 1);  // not one layer more
    CHECK(one.tokens() == first.size());
    CHECK(two.tokens() == rest.size());
    CHECK_FALSE(one.entered());
    CHECK_FALSE(two.entered());
  }
  CHECK(run(one, two) == expected);

  // One token of each sequence goes to its end.
  Cancellation cancellation;
  cancellation.cancel();
  const CallScope scope(cancellation);
  const SequenceSlice slices[] = {{.cache = &one, .ids = next, .wanted = 1}};
  CHECK(model.forward(slices, workspace).count == 1);
  // A cache of rectangles; a load.
  HybridCache<configs::Shapes> cache;
  CHECK_THROWS_AS(model.forward({.input_ids = rest, .past_key_values = &cache}), CancelledError);
  CHECK(cache.get_seq_length() == 0);
  CHECK_THROWS_AS(TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes"), CancelledError);
}
