// SPDX-License-Identifier: Apache-2.0
// Wrong files and inputs without exceptions: every door that has a try_ form gives a Result, whatever is wrong, and the
// program goes on. doors CORPUS MEDIA GGUF: the seeds of the fuzz drivers, sound pictures and GGUF files, which are cut
// and damaged here.
#include <qwen35/cache/cache_file.hpp>
#include <qwen35/media/decode.hpp>
#include <qwen35/model.hpp>
#include <qwen35/session/session_file.hpp>
#include <qwen35/weights/packed_writer.hpp>
#include <qwen35_embed/door_files.hpp>

#include <support/point_files.hpp>
#include <support/small_layout.hpp>
#include <weights/packed_seal.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
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
  expect(Model::try_from_pretrained("/no/such/folder"), ErrorKind::checkpoint, "no such file or folder");
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

// A folder of this process.
struct WorkFolder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / qwen35::concat("qwen35_doors_", static_cast<long>(::getpid()));
  WorkFolder() { std::filesystem::create_directories(path); }
  ~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string file(const char* name) const { return (path / name).string(); }
  std::string put(const char* name, const std::string& bytes) const {
    test_support::put_file(file(name), bytes);
    return file(name);
  }
};

// Opened, bound, and read for its tokenizer.
void try_model_file(std::string_view name, std::span<const std::byte> bytes) {
  const qwen35::Result<qwen35::Checkpoint> checkpoint = qwen35::Checkpoint::try_from_bytes({{name, bytes}});
  count(checkpoint);
  if (checkpoint) {
    count(qwen35::attempt([&] { return Model(checkpoint.value()); }));
    count(qwen35::Tokenizer::try_from_pretrained(checkpoint.value().files()));
  }
}
void try_gguf(const std::string& file) {
  try_model_file("m.gguf", bytes_of(file));
}
void try_packed(const std::string& file) {
  try_model_file("m.qwen35", bytes_of(file));
}
void try_packed_index(const std::string& index) {
  try_model_file("m.qwen35", weights_test::sealed(index));
}

void try_gguf_files(const std::string& folder, const WorkFolder& work) {
  using qwen35::ErrorKind;
  const std::string shapes = folder + "/shapes-q8_0.gguf", part = folder + "/c04-split-00001-of-00003.gguf";
  expect(Model::try_from_pretrained(shapes), ErrorKind::checkpoint, "dtype Q8_0");
  count(qwen35::Tokenizer::try_from_pretrained(qwen35::ModelFolder(shapes)));
  count(qwen35::Checkpoint::try_open(part));
  std::filesystem::copy_file(part, work.file("m-00001-of-00003.gguf"));
  expect(qwen35::Checkpoint::try_open(work.file("m-00001-of-00003.gguf")), ErrorKind::checkpoint, "do not exist");
  expect(qwen35::Checkpoint::try_open(work.put("m.gguf", "GGUF")), ErrorKind::checkpoint, "takes 4 bytes");
  expect(qwen35::Checkpoint::try_open(part, {.mmproj = shapes}), ErrorKind::checkpoint, "not its picture tower");
  const std::string whole = test_support::file_contents(shapes);
  damage(whole.substr(0, 1 << 16), 300,
         [&](const std::string& begin) { try_gguf(begin.size() < (1 << 16) ? begin : begin + whole.substr(1 << 16)); });
}

// The shapes model as a packed file.
std::string packed_model(const WorkFolder& work) {
  const auto checkpoint = qwen35::Checkpoint::from_bytes(
      {{"config.json", door_files::config_json()}, {"model.safetensors", door_files::model_safetensors()}});
  const std::string path = work.file("m.qwen35");
  qwen35::PackedWriter writer(path);
  writer.add_file("config.json", text_of(door_files::config_json()));
  writer.add_file("tokenizer.json", text_of(door_files::tokenizer_json()));
  for (const qwen35::TensorInfo& tensor : checkpoint.tensors()) {
    writer.begin_tensor(tensor.name, tensor.dtype, tensor.shape, tensor.bytes.size());
    writer.write(tensor.bytes);
    writer.end_tensor();
  }
  writer.commit(false, "copy");
  return path;
}

void try_packed_files(const WorkFolder& work) {
  using qwen35::ErrorKind;
  const std::string path = packed_model(work);
  const qwen35::Result<Model> model = Model::try_from_pretrained(path);
  count(model);
  if (!model) {
    std::printf("%s: %s\n", door, model.failure().message.c_str());
    std::exit(1);
  }
  const std::string whole = test_support::file_contents(path);
  expect(qwen35::Checkpoint::try_open(work.put("cut.qwen35", whole.substr(0, whole.size() / 2))), ErrorKind::checkpoint,
         "is cut or damaged");
  damage(whole, 40, try_packed);
  std::string changed = whole;
  changed[changed.find("\"hidden_size\"")] = '\'';
  expect(qwen35::Checkpoint::try_open(work.put("changed.qwen35", changed)), ErrorKind::checkpoint,
         "config.json: damaged");
}

void try_cache_files(const std::string& corpus, const WorkFolder& work) {
  using qwen35::ErrorKind;
  using Config = qwen35::configs::Shapes;
  const qwen35::Result<Model> made = model_of(door_files::config_json(), door_files::model_safetensors());
  const Model& model = made.value();
  const std::vector<qwen35::TokenId> ids(8, 5);
  qwen35::HybridCache<Config> cache;
  model.forward({.input_ids = ids, .past_key_values = &cache});
  const std::string path = work.file("cache");
  qwen35::save_cache(cache, path);
  const auto same = qwen35::try_load_cache<Config>(path, model.fingerprint());
  count(same);
  if (!same || same.value().seq_length() != 8) {
    std::printf("%s: not loaded\n", door);
    std::exit(1);
  }
  expect(qwen35::try_load_cache<Config>(work.file("none"), model.fingerprint()), ErrorKind::cache, "No such file");
  expect(qwen35::try_load_cache<Config>(path, 1), ErrorKind::cache, "another model");
  expect(qwen35::try_load_cache<Config>(path, model.fingerprint(), {.capacity = 4}), ErrorKind::cache,
         "the cache holds 4");
  damage(test_support::file_contents(path), 100, [&](const std::string& bytes) {
    count(qwen35::try_load_cache<Config>(work.put("damaged", bytes), model.fingerprint()));
  });
  // Those of the fuzz driver, in a format that this program has and of the same size, with a checksum that fits.
  qwen35::CacheLayout layout = test_support::small_layout;
  layout.kv_dtype = qwen35::DType::bf16;
  each_file(corpus, [&](std::string bytes) {
    const qwen35::LayoutWords words = qwen35::layout_words(layout);
    const std::size_t at = offsetof(qwen35::detail::CacheFileHeader, layout) + sizeof(words) - sizeof(words.back());
    if (bytes.size() >= at + sizeof(words.back())) {
      std::memcpy(bytes.data() + at, &words.back(), sizeof(words.back()));
    }
    qwen35::Hasher sum;
    sum.bytes(bytes.data(), bytes.size());
    const std::uint64_t value = sum.value();
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    count(qwen35::try_load_cache(work.put("damaged", bytes), layout, 77, {.kv_dtype = layout.kv_dtype}));
  });
}

void try_sessions(const std::string& corpus, const WorkFolder& work) {
  using qwen35::ErrorKind;
  const qwen35::Result<Model> model = model_of(door_files::config_json(), door_files::model_safetensors());
  const auto tokenizer = qwen35::Tokenizer::from_bytes(text_of(door_files::tokenizer_json()));
  qwen35::Session<Model> session(model.value(), tokenizer, {.max_new_tokens = 2});
  session.send(qwen35::Message::user("There is a red circle."));
  const std::string path = work.file("chat");
  qwen35::save_session(session, path);
  const auto tokens = session.cached_tokens();
  expect(qwen35::try_load_session(session, work.file("none")), ErrorKind::cache, "No such file");
  const auto damaged = [&](const std::string& bytes) {
    const std::vector<qwen35::Message> before = session.messages();
    const std::size_t held = session.cached_tokens();
    const qwen35::Result<void> loaded = qwen35::try_load_session(session, work.put("damaged", bytes));
    count(loaded);
    if (!loaded && (session.messages() != before || session.cached_tokens() != held)) {
      std::printf("%s: a session is half of another\n", door);
      std::exit(1);
    }
  };
  const std::string bytes = test_support::file_contents(path), text = test_support::point_text(bytes);
  damage(bytes, 100, damaged);
  if (session.messages().size() != 2 || session.cached_tokens() != tokens || !qwen35::try_load_session(session, path)) {
    std::printf("%s: the session is not as it was\n", door);
    std::exit(1);
  }
  damage(text, 200, [&](const std::string& changed) { damaged(test_support::point_file_of(changed)); });
  each_file(corpus, [&](const std::string& given) {
    damaged(test_support::point_file_of(given));
    damaged(given);
  });
}

void try_messages(const std::string& file) {
  if (const auto value = qwen35::json::try_parse(file)) {
    count(qwen35::attempt([&] { return qwen35::messages_from_json(*value); }));
    count(qwen35::attempt([&] { return qwen35::tools_from_json(*value); }));
    for (const qwen35::json::Value::Member& member :
         value->is_object() ? value->members() : std::vector<qwen35::json::Value::Member>()) {
      count(qwen35::attempt([&] { return qwen35::messages_from_json(member.second); }));
    }
  }
}

}  // namespace

extern "C" void qwen35_error_handler(qwen35::ErrorKind, const char* message, const char* file, int line) {
  std::printf("%s: went to the handler: %s (%s:%d)\n", door, message, file, line);
  std::exit(1);
}

int main(int, char** arguments) {
  using qwen35::ErrorKind;
  const std::string corpus = arguments[1], media = arguments[2], gguf = arguments[3];
  const WorkFolder work;

  door = "files that are not there";
  expect(qwen35::Checkpoint::try_open("/no/such/folder"), ErrorKind::checkpoint, "no such file or folder");
  expect(qwen35::Checkpoint::try_open(media), ErrorKind::checkpoint, "no file config.json");
  expect(qwen35::Checkpoint::try_open(std::string("a\0b", 3)), ErrorKind::checkpoint, "no such file or folder");
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
  door = "GGUF files";
  try_gguf_files(gguf, work);
  each_file(corpus + "/weights_fuzz_gguf", try_gguf);
  door = "packed files";
  try_packed_files(work);
  each_file(corpus + "/weights_fuzz_packed", try_packed);
  each_file(corpus + "/weights_fuzz_packed", try_packed_index);
  door = "caches";
  try_cache_files(corpus + "/cache_fuzz_cache_file", work);
  door = "sessions";
  try_sessions(corpus + "/session_fuzz_session_file", work);
  door = "messages";
  each_file(corpus + "/text_fuzz_chat_template", try_messages);

  std::printf("accepted %zu, declined %zu\n", accepted, declined_count);
  return accepted > 500 && declined_count > 2000 ? 0 : 1;
}
