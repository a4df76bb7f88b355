// SPDX-License-Identifier: Apache-2.0
// Wrong files and inputs without exceptions: every door that has a try_ form gives a Result, whatever is wrong, and the
// program goes on. doors CORPUS MEDIA: the seeds of the fuzz drivers and sound pictures, which are cut and damaged
// here.
#include <qwen35/media/decode.hpp>
#include <qwen35/model.hpp>
#include <qwen35_embed/door_files.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

const char* door = "";  // that is being tried
std::size_t accepted = 0, declined_count = 0;

template <class T>
void count(const qwen35::Result<T>& result) {
  if (!result && result.failure().message.empty()) {
    std::printf("%s: declined without a word\n", door);
    std::exit(1);
  }
  ++(result ? accepted : declined_count);
}
template <class T>
void expect(const qwen35::Result<T>& result, qwen35::ErrorKind kind, std::string_view words) {
  if (result || result.failure().kind != kind || result.failure().message.find(words) == std::string::npos) {
    std::printf("%s: expected \"%s\", got \"%s\"\n", door, std::string(words).c_str(),
                result ? "no failure" : result.failure().message.c_str());
    std::exit(1);
  }
  ++declined_count;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The file cut at `pieces` places, and with a byte changed there.
template <class Try>
void damage(const std::string& sound, std::size_t pieces, const Try& try_it) {
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t at = i * sound.size() / pieces;
    try_it(sound.substr(0, at));
    std::string changed = sound;
    changed[at] = static_cast<char>(changed[at] ^ (i % 2 == 0 ? 0x10 : 0xff));
    try_it(changed);
  }
}

void try_picture(const std::string& file) {
  const qwen35::MediaLimits limits{.max_file_bytes = 1 << 20, .max_pixels = 1 << 17};
  count(qwen35::try_decode_image(bytes_of(file), limits));
}
void try_checkpoint(const std::string& file) {
  constexpr std::string_view config = "{}";
  count(qwen35::Checkpoint::try_from_bytes(
      {{"config.json", std::as_bytes(std::span(config))}, {"model.safetensors", bytes_of(file)}}));
}
void try_config(const std::string& file) {
  const qwen35::Result<qwen35::Checkpoint> checkpoint = qwen35::Checkpoint::try_from_bytes(
      {{"config.json", bytes_of(file)}, {"model.safetensors", door_files::model_safetensors()}});
  count(checkpoint);
  if (checkpoint) {
    count(qwen35::attempt(
        [&] { return qwen35::check<qwen35::configs::Shapes>(checkpoint.value().config()).text_config.use_cache; }));
    count(qwen35::attempt([&] { return qwen35::QuantizationConfig::of(checkpoint.value().config()).group_size; }));
  }
}
void try_settings(const std::string& file) {
  if (const auto value = qwen35::json::try_parse(file)) {
    count(qwen35::GenerationConfig::try_from_json(*value));
  }
}
void try_tokenizer(const std::string& file) {
  count(qwen35::Tokenizer::try_from_bytes(file));
}
void try_tokenizer_config(const std::string& file) {
  const qwen35::NamedBytes files[] = {{"tokenizer.json", door_files::tokenizer_json()},
                                      {"tokenizer_config.json", bytes_of(file)}};
  count(qwen35::Tokenizer::try_from_pretrained(qwen35::ModelFolder::from_bytes(files)));
}

using Model = qwen35::CausalLM<qwen35::configs::Shapes>;

qwen35::Result<Model> model_of(std::span<const std::byte> config, std::span<const std::byte> weights) {
  const auto checkpoint = qwen35::Checkpoint::from_bytes({{"config.json", config}, {"model.safetensors", weights}});
  return qwen35::attempt([&] { return Model(checkpoint); });
}

void try_models() {
  using qwen35::ErrorKind;
  expect(Model::try_from_pretrained("/no/such/folder"), ErrorKind::checkpoint, "no such folder");
  std::string config = text_of(door_files::config_json()), weights = text_of(door_files::model_safetensors());
  config.replace(config.find("\"hidden_size\": 128"), 18, "\"hidden_size\": 12");
  expect(model_of(bytes_of(config), door_files::model_safetensors()), ErrorKind::config,
         "the file has 12, the type 128");
  weights[weights.find("mlp.gate.weight")] = 'M';
  expect(model_of(door_files::config_json(), bytes_of(weights)), ErrorKind::checkpoint, "mlp.gate.weight: missing");
}

void try_generating() {
  using qwen35::ErrorKind;
  const qwen35::Result<Model> made = model_of(door_files::config_json(), door_files::model_safetensors());
  const Model& model = made.value();
  const std::vector<qwen35::TokenId> ids(8, 5), wrong = {5, 9999};
  const auto refuses = [&](const qwen35::GenerateInput<Model>& input, const qwen35::GenerationConfig& config,
                           ErrorKind kind,
                           std::string_view words) { expect(qwen35::try_generate(model, input, config), kind, words); };
  refuses({}, {}, ErrorKind::input, "give input_ids");
  refuses({.input_ids = wrong}, {}, ErrorKind::input, "input_ids[1] is 9999");
  refuses({.input_ids = {ids.data(), {2, 0}}}, {}, ErrorKind::input, "not empty");
  refuses({.input_ids = ids, .attention_mask = {1, 0}}, {}, ErrorKind::input, "attention_mask of shape");
  refuses({.input_ids = ids, .attention_mask = {1, 1, 1, 1, 1, 1, 1, 0}}, {}, ErrorKind::input, "pad on the left");
  refuses({.input_ids = ids, .position_ids = {ids.data(), {1, 4}}}, {}, ErrorKind::input, "position_ids of shape");
  refuses({.input_ids = ids}, {.max_length = 8}, ErrorKind::input, "nothing can be generated");
  refuses({.input_ids = ids}, {.max_new_tokens = -1}, ErrorKind::input, "max_new_tokens is -1");
  refuses({.input_ids = ids}, {.num_beams = 0}, ErrorKind::input, "num_beams is 0");
  refuses({.input_ids = ids}, {.do_sample = true, .temperature = -1.0}, ErrorKind::input, "temperature is -1");
  refuses({.input_ids = ids}, {.num_return_sequences = 2}, ErrorKind::input, "greedy search finds one");
  refuses({.input_ids = ids}, {.bad_words_ids = {{{700}}}}, ErrorKind::input, "bad_words_ids");
  qwen35::RectangleCache small({.capacity = 4});
  refuses({.input_ids = ids, .past_key_values = &small}, {}, ErrorKind::cache, "the cache holds 4");
  expect(qwen35::attempt([&] { return model.forward({.input_ids = ids, .past_key_values = &small}); }),
         ErrorKind::cache, "the cache holds 4");
  expect(qwen35::attempt([&] { return model.forward({.input_ids = wrong}); }), ErrorKind::input, "9999");
  const auto going_on = qwen35::try_generate(model, {.input_ids = ids}, {.max_new_tokens = 2});
  count(going_on);
  if (!going_on || going_on.value().generated[0] != 2) {
    std::printf("%s: the model does not go on\n", door);
    std::exit(1);
  }
}

template <class Try>
void each_file(const std::string& folder, const Try& try_it) {
  std::vector<std::string> names = qwen35::names_in_folder(folder, 1000);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    try_it(qwen35::read_text_file(folder + "/" + name));
  }
}

}  // namespace

extern "C" void qwen35_error_handler(qwen35::ErrorKind, const char* message, const char* file, int line) {
  std::printf("%s: went to the handler: %s (%s:%d)\n", door, message, file, line);
  std::exit(1);
}

int main(int, char** arguments) {
  using qwen35::ErrorKind;
  const std::string corpus = arguments[1], media = arguments[2];

  door = "files that are not there";
  expect(qwen35::Checkpoint::try_open("/no/such/folder"), ErrorKind::checkpoint, "no such folder");
  expect(qwen35::Checkpoint::try_open(media), ErrorKind::checkpoint, "no file config.json");
  expect(qwen35::Checkpoint::try_open(std::string("a\0b", 3)), ErrorKind::checkpoint, "no such folder");
  expect(qwen35::try_load_image("/no/such/picture.png"), ErrorKind::media, "No such file");
  expect(qwen35::try_load_image(media), ErrorKind::media, "is a folder");
  expect(qwen35::try_load_image("https://example.org/a.png"), ErrorKind::media, "nothing is fetched");
  expect(qwen35::try_load_image("data:image/png;base64,!"), ErrorKind::media, "is not base64");
  expect(qwen35::Tokenizer::try_from_pretrained(qwen35::ModelFolder(media)), ErrorKind::text, "no file tokenizer.json");

  door = "pictures";
  expect(qwen35::try_decode_image({}), ErrorKind::media, "empty");
  each_file(media, [](const std::string& file) { damage(file, 24, try_picture); });
  each_file(corpus + "/media_fuzz_media", try_picture);
  door = "checkpoints";
  each_file(corpus + "/weights_fuzz_safetensors", try_checkpoint);
  damage(text_of(door_files::model_safetensors()).substr(0, 4096), 400, try_checkpoint);
  door = "config.json";
  each_file(corpus + "/config_fuzz_config", try_config);
  damage(text_of(door_files::config_json()), 400, try_config);
  door = "generation_config.json";
  each_file(corpus + "/sampling_fuzz_generation_config", try_settings);
  door = "tokenizer.json";
  each_file(corpus + "/text_fuzz_tokenizer_file", try_tokenizer);
  damage(text_of(door_files::tokenizer_json()), 400, try_tokenizer);
  door = "tokenizer_config.json";
  damage(text_of(door_files::tokenizer_config_json()), 200, try_tokenizer_config);

  door = "models";
  try_models();
  door = "generate";
  try_generating();

  std::printf("accepted %zu, declined %zu\n", accepted, declined_count);
  return accepted > 500 && declined_count > 2000 ? 0 : 1;
}
