// SPDX-License-Identifier: Apache-2.0
// What a multimodal model must show on its recorded case: the reference's results within the bars, positions exactly,
// and equality to itself.
#pragma once

#include "model/gguf_of_folder.hpp"
#include "model/multimodal_model.hpp"
#include "support/message_of.hpp"

#include <filesystem>

namespace oracle {

using test_support::contains;
using test_support::message_of;

inline MediaArguments arguments_of(const VisionStep& step) {
  MediaArguments out;
  out.input_ids = step.input_ids;
  if (step.attention_mask) {
    out.attention_mask = step.attention_mask;
  }
  out.pixel_values = step.pixel_values;
  out.pixel_values_videos = step.pixel_values_videos;
  out.image_grid_thw = step.image_grid_thw;
  out.video_grid_thw = step.video_grid_thw;
  out.mm_token_type_ids = step.mm_token_type_ids;
  return out;
}

// A recorded step, its positions and offsets included.
inline void check_media_step(const AnyMediaModel& model, const Fields& fields, std::size_t step, MediaCache* cache,
                             const std::string& where) {
  CAPTURE(where);
  CAPTURE(step);
  const std::string prefix = std::to_string(step) + ".";
  const VisionStep recorded(fields, step);
  MediaArguments arguments = arguments_of(recorded);
  arguments.inputs_embeds = view_of<float>(fields, step, "inputs_embeds");
  arguments.labels = view_of<std::int32_t>(fields, step, "labels");
  arguments.output_hidden_states = find(fields, step, "hidden_states") != nullptr;
  if (find(fields, step, "aux_loss") != nullptr) {
    arguments.output_router_logits = true;
  }
  const qwen35::RopeIndex chosen = model.positions(arguments, cache);
  for (const char* name : {"positions", "given_positions"}) {  // the second: what the reference had to be given
    if (const Recorded* theirs = find(fields, step, name)) {
      CHECK(same_values(chosen.position_ids, theirs->view<std::int32_t>()));
    }
  }
  const MediaResult ours = model.forward(arguments, cache);
  CHECK(ours.rope_deltas == chosen.rope_deltas);
  if (const Recorded* theirs = find(fields, step, "rope_deltas")) {
    const auto deltas = theirs->view<std::int32_t>();
    CHECK(std::equal(ours.rope_deltas.begin(), ours.rope_deltas.end(), deltas.data(), deltas.data() + deltas.size()));
  }
  check_same_shape(ours.logits.shape(), find(fields, step, "logits")->shape, where + " logits");
  check_tensor(fields, prefix + "logits", ours.logits.data(), ours.logits.size(), where);
  if (arguments.output_hidden_states) {
    check_stack(fields, prefix + "hidden_states", ours.hidden_states, where);
  }
  if (const Recorded* theirs = find(fields, step, "loss")) {
    REQUIRE(ours.loss.has_value());
    check_loss(*ours.loss, theirs->view<float>()[0], where + " loss");
  }
  CHECK(ours.aux_loss.has_value() == (find(fields, step, "aux_loss") != nullptr));
  if (const Recorded* theirs = find(fields, step, "aux_loss"); theirs != nullptr && ours.aux_loss) {
    check_loss(*ours.aux_loss, theirs->view<float>()[0], where + " aux_loss");
  }
  if (cache != nullptr) {
    CHECK(cache->rope_deltas() == ours.rope_deltas);
  }
}

inline void check_media_recorded(const AnyMediaModel& model, const Case& recorded) {
  for (const std::string scenario : {"images", "video", "mixed", "text_only", "embeds"}) {
    check_media_step(model, recorded[scenario], 0, nullptr, scenario);
  }
  for (const std::string scenario : {"continued", "continued_padded"}) {
    const auto cache = model.make_cache();
    for (std::size_t step = 0; step < 3; ++step) {
      check_media_step(model, recorded[scenario], step, cache.get(), scenario);
    }
  }
}

// Row b of a recorded step, with its own media.
struct AloneStep {
  AloneStep(const VisionStep& step, std::size_t b, std::size_t merge) {
    MediaSource images(step.image_grid_thw, step.pixel_values, merge);
    MediaSource videos(step.video_grid_thw, step.pixel_values_videos, merge);
    const std::size_t length = step.input_ids.shape()[1];
    for (std::size_t row = 0; row <= b; ++row) {
      image = {};
      video = {};
      const std::int32_t* const t = step.mm_token_type_ids.data() + row * length;
      REQUIRE(images.take(static_cast<std::size_t>(std::count(t, t + length, 1)), image));
      REQUIRE(videos.take(static_cast<std::size_t>(std::count(t, t + length, 2)), video));
    }
    ids = batch_row(step.input_ids, b);
    types = batch_row(step.mm_token_type_ids, b);
    arguments.input_ids = ids;
    arguments.mm_token_type_ids = types;
    if (step.attention_mask) {
      mask = batch_row(step.attention_mask, b);
      arguments.attention_mask = mask;
    }
    arguments.image_grid_thw = image.grid_thw();
    arguments.video_grid_thw = video.grid_thw();
    arguments.pixel_values =
        step.pixel_values ? image.pixel_values(step.pixel_values.shape()[1]) : qwen35::TensorView<float>();
    arguments.pixel_values_videos = step.pixel_values_videos ? video.pixel_values(step.pixel_values_videos.shape()[1])
                                                             : qwen35::TensorView<float>();
  }
  AloneStep(const AloneStep&) = delete;

  MediaPart image, video;
  qwen35::Tensor<qwen35::TokenId> ids;
  qwen35::Tensor<std::int32_t> types, mask;
  MediaArguments arguments;
};

// Equal bits: encoded before or in the call, a sequence alone or in a batch.
inline void check_media_bits(const AnyMediaModel& model, const Case& recorded) {
  for (const std::string scenario : {"images", "video", "mixed"}) {
    CAPTURE(scenario);
    const VisionStep step(recorded[scenario], 0);
    MediaArguments arguments = arguments_of(step);
    const MediaResult whole = model.forward(arguments);
    for (std::size_t b = 0; b < step.input_ids.shape()[0]; ++b) {
      AloneStep alone(step, b, model.merge());
      const qwen35::RopeIndex chosen = model.positions(arguments);
      qwen35::Tensor<std::int32_t> positions;
      if (alone.image.grid.empty() && alone.video.grid.empty()) {  // text alone counts slots, padding included
        positions = qwen35::Tensor<std::int32_t>({3, 1, alone.ids.size()});
        for (std::size_t plane = 0; plane < 3; ++plane) {
          const auto row = chosen.position_ids.row(plane * whole.logits.shape()[0] + b);
          std::copy(row.begin(), row.end(), positions.row(plane).begin());
        }
        alone.arguments.position_ids = positions;
      }
      const MediaResult result = model.forward(alone.arguments);
      CHECK(same_bits(result.logits, batch_row<float>(whole.logits, b)));
    }
    std::vector<qwen35::ImageFeatures> images, videos;
    if (step.pixel_values) {
      images = model.encode(step.pixel_values, step.image_grid_thw);
    }
    if (step.pixel_values_videos) {
      videos = model.encode(step.pixel_values_videos, step.video_grid_thw);
    }
    arguments.pixel_values = {};
    arguments.pixel_values_videos = {};
    arguments.image_features = images;
    arguments.video_features = videos;
    CHECK(same_bits(model.forward(arguments).logits, whole.logits));
    arguments.image_grid_thw = {};
    arguments.video_grid_thw = {};
    const MediaResult result = model.forward(arguments);
    CHECK(same_bits(result.logits, whole.logits));
    CHECK(result.rope_deltas == whole.rope_deltas);
  }
}

// A conversation read in two calls on a cache, media in either: as one cold pass over everything. The reference's
// cached call is wrong there.
inline void check_turns(const AnyMediaModel& model, const VisionStep& step, const std::string& where,
                        std::size_t& media_in_both) {
  const MediaArguments whole = arguments_of(step);
  const MediaResult cold = model.forward(whole);
  const qwen35::RopeIndex all = model.positions(whole);
  const std::size_t batch = step.input_ids.shape()[0];
  const std::size_t length = step.input_ids.shape()[1];
  const std::size_t vocab = cold.logits.shape()[2];
  for (std::size_t cut = 1; cut < length; ++cut) {
    const auto halves = split_step(step, cut, model.merge());
    if (!halves) {
      continue;
    }
    CAPTURE(where);
    CAPTURE(cut);
    media_in_both += (halves->images[0] || halves->videos[0]) && (halves->images[1] || halves->videos[1]) ? 1u : 0u;
    const auto cache = model.make_cache();
    for (const std::size_t half : {0u, 1u}) {
      MediaArguments turn;
      turn.input_ids = halves->ids[half];
      turn.mm_token_type_ids = halves->types[half];
      turn.image_grid_thw = halves->images[half];
      turn.video_grid_thw = halves->videos[half];
      if (step.pixel_values) {
        turn.pixel_values = halves->image[half].pixel_values(step.pixel_values.shape()[1]);
      }
      if (step.pixel_values_videos) {
        turn.pixel_values_videos = halves->video[half].pixel_values(step.pixel_values_videos.shape()[1]);
      }
      if (step.attention_mask) {
        turn.attention_mask =
            half == 0 ? qwen35::AttentionMask(halves->mask[0]) : qwen35::AttentionMask(step.attention_mask);
      }
      const std::size_t begin = half == 0 ? 0 : cut;
      const std::size_t count = halves->ids[half].shape()[1];
      // Before the first picture nobody asks for positions of three planes: the text model counts slots, equal to ours
      // where nothing is masked.
      const qwen35::RopeIndex chosen = model.positions(turn, cache.get());
      if (!chosen.position_ids.empty() && !(half == 1 && cache->rope_deltas().empty() && step.attention_mask)) {
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < 3 * batch; ++row) {
          for (std::size_t s = 0; s < count; ++s) {
            wrong += chosen.position_ids[row * count + s] == all.position_ids[row * length + begin + s] ? 0u : 1u;
          }
        }
        CHECK(wrong == 0);
      }
      const MediaResult result = model.forward(turn, cache.get());
      for (std::size_t b = 0; b < batch; ++b) {
        for (std::size_t s = 0; s < count; ++s) {
          if (halves->mask[half][b * count + s] != 0) {
            const Difference d = difference(result.logits.data() + (b * count + s) * vocab,
                                            cold.logits.data() + (b * length + begin + s) * vocab, vocab);
            check_within(d.relative_l2(), layer_bar, where + " in two turns");
          }
        }
      }
      if (half == 1 && !(cache->rope_deltas() == cold.rope_deltas)) {
        CHECK(step.attention_mask);  // a padded first turn of text alone: slots are counted, so all positions are later
                                     // by the padding
      }
    }
  }
}

inline void check_conversations(const AnyMediaModel& model, const Case& recorded) {
  std::size_t media_in_both = 0;
  for (const std::string scenario : {"images", "video", "mixed", "continued_padded", "generate"}) {
    const VisionStep step(recorded[scenario], 0);
    check_turns(model, step, scenario, media_in_both);
  }
  CHECK(media_in_both > 0);
}

inline qwen35::GenerationConfig greedy_config(std::int64_t new_tokens, bool use_cache) {
  qwen35::GenerationConfig config;
  config.max_new_tokens = new_tokens;
  config.do_sample = false;
  config.eos_token_id = qwen35::TokenIds();
  config.pad_token_id = 0;
  config.use_cache = use_cache;
  return config;
}

inline void check_generate(const AnyMediaModel& model, const Case& recorded, const Fields& beams) {
  for (const std::string scenario : {"generate", "generate_video"}) {
    CAPTURE(scenario);
    const Fields& fields = recorded[scenario];
    const VisionStep step(fields, 0);
    const MediaArguments arguments = arguments_of(step);
    const auto sequences = find(fields, 0, "sequences")->view<std::int32_t>();
    const auto new_tokens = static_cast<std::int64_t>(sequences.shape()[1] - step.input_ids.shape()[1]);
    for (const bool use_cache : {true, false}) {
      CAPTURE(use_cache);
      CHECK(same_values(model.generate(arguments, greedy_config(new_tokens, use_cache)).sequences, sequences));
      const auto found = beams.find(scenario + ".sequences");
      if (found == beams.end()) {
        continue;
      }
      const auto expected = found->second.view<std::int32_t>();
      qwen35::GenerationConfig config =
          greedy_config(static_cast<std::int64_t>(expected.shape()[1] - step.input_ids.shape()[1]), use_cache);
      config.num_beams = 3;
      config.num_return_sequences = 2;
      const Generated searched = model.generate(arguments, config);
      CHECK(same_values(searched.sequences, expected));
      const auto scores = beams.at(scenario + ".sequences_scores").view<float>();
      REQUIRE(searched.scores.size() == scores.size());
      for (std::size_t i = 0; i < scores.size(); ++i) {
        CHECK(searched.scores[i] == doctest::Approx(scores[i]).epsilon(1e-5));
      }
    }
  }
  // Sampled siblings of one prompt keep its pictures, with a cache or without.
  const VisionStep prompts(recorded["generate"], 0);
  qwen35::GenerationConfig sampled = greedy_config(4, true);
  sampled.do_sample = true;
  sampled.seed = 5;
  sampled.num_return_sequences = 3;
  const Generated siblings = model.generate(arguments_of(prompts), sampled);
  CHECK(siblings.sequences.shape()[0] == 3 * prompts.input_ids.shape()[0]);
  sampled.use_cache = false;
  CHECK(same_values(model.generate(arguments_of(prompts), sampled).sequences, siblings.sequences));
  // On with a cache that holds the first turn, its pictures included: as from the start.
  const VisionStep step(recorded["generate"], 0);
  std::size_t continued = 0;
  for (std::size_t b = 0; b < step.input_ids.shape()[0]; ++b) {
    const AloneStep alone(step, b, model.merge());
    const Generated cold = model.generate(alone.arguments, greedy_config(4, true));
    const std::size_t length = alone.ids.shape()[1];
    for (std::size_t cut = 1; cut < length; ++cut) {
      const qwen35::Tensor<std::int32_t> first_mask = columns<std::int32_t>(alone.mask, 0, cut);
      const auto seen = std::count(first_mask.begin(), first_mask.end(), 1);
      MediaPart parts[2];
      MediaSource source(alone.arguments.image_grid_thw, alone.arguments.pixel_values, model.merge());
      const auto before = static_cast<std::size_t>(
          std::count(alone.types.begin(), alone.types.begin() + static_cast<std::ptrdiff_t>(cut), 1));
      const auto after = static_cast<std::size_t>(
          std::count(alone.types.begin() + static_cast<std::ptrdiff_t>(cut), alone.types.end(), 1));
      if (seen == 0 || !source.take(before, parts[0]) || !source.take(after, parts[1])) {
        continue;
      }
      const qwen35::Tensor<qwen35::TokenId> first_ids = columns<qwen35::TokenId>(alone.ids, 0, cut);
      const qwen35::Tensor<std::int32_t> first_types = columns<std::int32_t>(alone.types, 0, cut);
      const std::size_t width = step.pixel_values.shape()[1];
      MediaArguments first;
      first.input_ids = first_ids;
      first.mm_token_type_ids = first_types;
      first.attention_mask = first_mask;
      first.image_grid_thw = parts[0].grid_thw();
      first.pixel_values = parts[0].pixel_values(width);
      const auto cache = model.make_cache();
      model.forward(first, cache.get());
      MediaArguments rest =
          alone.arguments;  // the whole sequence, of which the new part runs; types of all of it, media of the new part
      rest.image_grid_thw = parts[1].grid_thw();
      rest.pixel_values = parts[1].pixel_values(width);
      CHECK(same_values(model.generate(rest, greedy_config(4, true), cache.get()).sequences, cold.sequences));
      continued += before > 0 && after > 0 ? 1u : 0u;
    }
  }
  CHECK(continued > 0);
}

inline void check_media_errors(const AnyMediaModel& model, const Case& recorded) {
  const VisionStep step(recorded["mixed"], 0);
  const MediaArguments good = arguments_of(step);
  const auto problem = [&](const MediaArguments& arguments) {
    return message_of<qwen35::InputError>([&] { model.forward(arguments); });
  };
  const auto changed = [&](auto&& change) {
    MediaArguments arguments = good;
    change(arguments);
    return problem(arguments);
  };
  CHECK(problem(good).empty());
  std::vector<qwen35::TokenId> ids(step.input_ids.data(), step.input_ids.data() + step.input_ids.size());
  const auto images = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), 5));
  const auto videos = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), 6));
  const qwen35::TensorView<qwen35::TokenId> view(ids.data(), step.input_ids.shape());
  *std::find(ids.begin(), ids.end(), 5) = 9;
  CHECK(contains(
      changed([&](auto& a) { a.input_ids = view; }),
      qwen35::concat("Image features and image tokens do not match, tokens: ", images - 1, ", features: ", images)));
  std::copy_n(step.input_ids.data(), ids.size(), ids.data());
  *std::find(ids.begin(), ids.end(), 6) = 9;
  CHECK(contains(
      changed([&](auto& a) { a.input_ids = view; }),
      qwen35::concat("Video features and video tokens do not match, tokens: ", videos - 1, ", features: ", videos)));
  std::copy_n(step.input_ids.data(), ids.size(), ids.data());
  ids[ids.size() - 1] = 1 << 20;
  CHECK(contains(changed([&](auto& a) { a.input_ids = view; }), "is 1048576, expected 0 to"));
  CHECK(contains(changed([](auto& a) { a.image_grid_thw = {}; }), "pixel_values were given without image_grid_thw"));
  CHECK(contains(changed([](auto& a) { a.video_grid_thw = {}; }),
                 "pixel_values_videos were given without video_grid_thw"));
  CHECK(contains(changed([](auto& a) { a.mm_token_type_ids = {}; }), "without mm_token_type_ids"));
  CHECK(contains(changed([](auto& a) { a.image_grid_thw = {}, a.pixel_values = {}; }),
                 "image_grid_thw has no item left"));
  CHECK(contains(changed([](auto& a) { a.input_ids = {}; }), "exactly one of input_ids and inputs_embeds"));
  const qwen35::TensorView<float> pixels = step.pixel_values;
  const std::size_t width = pixels.shape()[1];
  CHECK(contains(changed([&](auto& a) {
                   a.pixel_values = {pixels.data(), {pixels.size() / width, width - 1}};
                 }),
                 "pixel values of shape"));
  CHECK(contains(changed([&](auto& a) {
                   a.pixel_values = {pixels.data(), {pixels.size()}};
                 }),
                 "pixel_values of shape"));
  std::vector<std::int64_t> grid(step.image_grid_thw.data(), step.image_grid_thw.data() + step.image_grid_thw.size());
  const qwen35::TensorView<std::int64_t> other(grid.data(), step.image_grid_thw.shape());
  grid[1] = -grid[1];
  CHECK(contains(changed([&](auto& a) { a.image_grid_thw = other; }), "image_grid_thw[0] is (1, -"));
  const std::vector<qwen35::ImageFeatures> features = model.encode(pixels, step.image_grid_thw);
  CHECK(contains(changed([&](auto& a) { a.image_features = features; }), "pixel_values and image_features were given"));
  CHECK(contains(changed([&](auto& a) { a.image_features = features, a.pixel_values = {}, a.image_grid_thw = other; }),
                 "image_grid_thw is not that of image_features"));
  std::vector<qwen35::ImageFeatures> short_one = features;
  short_one[0].grid_thw[0] = 2;
  CHECK(contains(changed([&](auto& a) { a.image_features = short_one, a.pixel_values = {}, a.image_grid_thw = {}; }),
                 "image_features[0] has rows"));
  CHECK(contains(changed([&](auto& a) {
                   a.image_features = std::span(features).first(1), a.pixel_values = {}, a.image_grid_thw = {};
                 }),
                 "Image features and image tokens do not match"));

  // A call that fails leaves a cache as it was.
  const auto cache = model.make_cache();
  const VisionStep first(recorded["continued_padded"], 0);
  model.forward(arguments_of(first), cache.get());
  const auto deltas = cache->rope_deltas();
  const auto held = cache->ids();
  MediaArguments next;
  const std::vector<qwen35::TokenId> one_row = {9};
  next.input_ids = one_row;
  CHECK(contains(message_of<qwen35::InputError>([&] { model.forward(next, cache.get()); }),
                 "past_key_values holds 2 sequences, the input has 1"));
  const std::vector<qwen35::TokenId> two = {9, 9};
  const std::vector<std::int32_t> narrow = {1, 1};
  next.input_ids = qwen35::TensorView<qwen35::TokenId>(two.data(), {2, 1});
  next.attention_mask = qwen35::TensorView<std::int32_t>(narrow.data(), {2, 1});
  CHECK(contains(message_of<qwen35::InputError>([&] { model.forward(next, cache.get()); }),
                 "attention_mask of shape [2, 1], expected [2, "));
  CHECK(cache->rope_deltas() == deltas);
  CHECK(cache->ids() == held);
}

// The loss of the routers is asked for explicitly, or not given.
inline void check_router_loss(const AnyMediaModel& model, const Case& recorded) {
  const VisionStep step(recorded["images"], 0);
  MediaArguments arguments = arguments_of(step);
  CHECK(!model.forward(arguments).aux_loss.has_value());
  arguments.output_router_logits = false;
  CHECK(!model.forward(arguments).aux_loss.has_value());
  arguments.output_router_logits = true;
  const MediaResult result = model.forward(arguments);
  CHECK(result.aux_loss.has_value() == model.is_moe());
  CHECK(result.router_logits.empty() != model.is_moe());
  arguments.logits_to_keep = 1;
  const MediaResult last = model.forward(arguments);
  CHECK(last.logits.shape() == qwen35::Shape{step.input_ids.shape()[0], 1, result.logits.shape()[2]});
}

template <class Config>
void check_multimodal(const char* name) {
  const Case recorded(name, "vision");
  const AnyMediaModel model = media_model<Config>(recorded.folder());
  SUBCASE("recorded runs") {
    check_media_recorded(model, recorded);
  }
  SUBCASE("equal bits") {
    check_media_bits(model, recorded);
  }
  const std::string gguf = std::string(QWEN35_TEST_DATA) + "/gguf/" + name + "/" + name + ".gguf";
  if (std::filesystem::exists(gguf)) {
    SUBCASE("the tower of a GGUF file has the folder's bits") {
      const AnyMediaModel same = media_model<Config>(gguf);
      const VisionStep step(recorded["images"], 0);
      const auto ours = same.encode(step.pixel_values, step.image_grid_thw);
      const auto folder = model.encode(step.pixel_values, step.image_grid_thw);
      REQUIRE(ours.size() == folder.size());
      for (std::size_t i = 0; i < ours.size(); ++i) {
        CHECK(same_bits(ours[i].pooler_output, folder[i].pooler_output));
      }
    }
  }
  if (std::filesystem::exists(gguf_path(name))) {
    SUBCASE("the text model of a GGUF file has the folder's bits") {
      const GgufOfFolder file(gguf_path(name), qwen35::Checkpoint::open(recorded.folder()));
      const qwen35::AnyModel same = qwen35::open_model<Config>(file.checkpoint());
      const std::vector<qwen35::TokenId> ids = {5, 17, 8, 40, 8, 23, 11};
      const qwen35::Tensor<float> ours = same.forward({.input_ids = ids}).logits;
      const qwen35::Tensor<float> folder = model.forward({.input_ids = ids}).logits;
      if (qwen35::isa_name() == "avx512-amx") {  // the folder's router is bf16, the file's f32
        check_within(difference(ours.data(), folder.data(), folder.size()).nmse(), 1e-9, "logits of a GGUF file");
      } else {
        CHECK(same_bits(ours, folder));
      }
    }
  }
  SUBCASE("conversations") {
    check_conversations(model, recorded);
  }
  SUBCASE("generation") {
    const qwen35::MappedFile file(std::string(QWEN35_TEST_DATA) + "/vision/beams.safetensors");
    Fields beams;
    for (const qwen35::TensorInfo& tensor : qwen35::read_safetensors(file.bytes(), "beams.safetensors")) {
      if (tensor.name.substr(0, 3) == name) {
        qwen35::Shape shape;
        for (const std::size_t extent : tensor.shape) {
          shape.push_back(extent);
        }
        beams[tensor.name.substr(4)] = {shape, tensor.bytes.data()};
      }
    }
    check_generate(model, recorded, beams);
  }
  SUBCASE("errors") {
    check_media_errors(model, recorded);
  }
  SUBCASE("router loss") {
    check_router_loss(model, recorded);
  }
}

}  // namespace oracle
