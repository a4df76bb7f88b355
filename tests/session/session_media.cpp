// SPDX-License-Identifier: Apache-2.0
#include <qwen35/session/session_media.hpp>

#include <qwen35/config/presets.hpp>
#include <qwen35/generate/generate.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>
#include <qwen35/processor/processor.hpp>
#include <qwen35/session/session_file.hpp>

#include <doctest/doctest.h>

#include <filesystem>

#include "generate/generate_test.hpp"
#include "support/allocation_faults.hpp"
#include "support/message_of.hpp"
#include "support/point_files.hpp"

namespace {

using namespace qwen35;
using test_support::contains;
using test_support::message_of;
using Real = ConditionalGeneration<configs::Shapes>;

const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes";
const std::string scenes = std::string(QWEN35_TEST_DATA) + "/generate/scenes/";

const Real& real() {
  static const Real model = Real::from_pretrained(folder);
  return model;
}
const Processor& processor() {
  static const Processor loaded = Processor::from_pretrained(folder);
  return loaded;
}

// The shapes model, which notes what it is asked.
struct Watched {
  using Cache = Real::Cache;
  using config_type = Real::config_type;
  mutable std::size_t tokens = 0;   // run so far
  mutable std::size_t encoded = 0;  // pictures and videos
  mutable std::vector<std::vector<float>> logits;

  const auto& config() const { return real().config(); }
  const auto& generation_config() const { return real().generation_config(); }
  std::uint64_t fingerprint() const { return real().fingerprint(); }
  std::vector<ImageFeatures> get_image_features(TensorView<float> pixels, TensorView<std::int64_t> grid,
                                                const VisionProgress& progress = {}) const {
    ++encoded;
    return real().get_image_features(pixels, grid, progress);
  }
  std::vector<ImageFeatures> get_video_features(TensorView<float> pixels, TensorView<std::int64_t> grid,
                                                const VisionProgress& progress = {}) const {
    ++encoded;
    return real().get_video_features(pixels, grid, progress);
  }
  CacheLayout cache_layout(DType kv_dtype) const { return real().cache_layout(kv_dtype); }
  SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace) const {
    const SliceRows rows = real().forward(slices, workspace);
    tokens += slices[0].ids.size();
    if (rows.count > 0) {
      logits.emplace_back(rows.logits_row(0).begin(), rows.logits_row(0).end());
    }
    return rows;
  }
};
using Chat = qwen35::Session<Watched>;
static_assert(ReadsMedia<Watched> && ReadsMedia<Real> && !ReadsMedia<CausalLM<configs::Shapes>>);

// The reference's example: a picture and a question, to ids, to an answer.
TEST_CASE("what the processor returns is taken whole by generate()") {
  const std::vector<Message> messages{Message::user(
      std::vector{ContentPart::image(scenes + "a.png"), ContentPart::text("Describe this image in short.")})};
  const ProcessorOutput inputs =
      processor().apply_chat_template(messages, {.add_generation_prompt = true, .enable_thinking = false});
  const GenerationConfig config{.max_new_tokens = 32};
  const auto output = real().generate(inputs, config);
  const Tensor<TokenId> ids = inputs.ids();
  const Tensor<std::int32_t> types = inputs.token_types();
  const auto expected = real().generate({.input_ids = ids,
                                         .pixel_values = inputs.pixel_values,
                                         .image_grid_thw = inputs.image_grid_thw,
                                         .mm_token_type_ids = types},
                                        config);
  CHECK(std::equal(output.sequences.begin(), output.sequences.end(), expected.sequences.begin(),
                   expected.sequences.end()));
  CHECK_FALSE(processor().batch_decode(output.sequences, true)[0].empty());
  CHECK_THROWS_AS(real().generate(inputs, config, {.pixel_values = inputs.pixel_values}), InputError);
}

SessionOptions options_of(bool thinking) {
  SessionOptions options;
  options.enable_thinking = thinking;
  options.sources = SourcePolicy::everything();
  return options;
}

ContentPart picture(const std::string& name) {
  return ContentPart::image(scenes + name + ".png");
}
Message question(std::vector<ContentPart> parts, const std::string& text) {
  parts.push_back(ContentPart::text(text));
  return Message::user(std::move(parts));
}

const json::Value& recorded() {
  static const json::Value file = generate_test::read_json("scenes.json");
  return file.at("cases");
}

// The user's message of a recorded turn; the clip as frames in memory, at its rate.
Message recorded_message(const json::Value& turn) {
  std::vector<ContentPart> parts;
  for (const json::Value& medium : turn.at("media").items()) {
    if (medium.as_string() != "clip") {
      parts.push_back(picture(medium.as_string()));
      continue;
    }
    MediumData clip;
    clip.fps = 2.0;
    const ImageFolder frames(scenes + "clip", 2.0);
    for (const std::string& path : frames.paths()) {
      const Image frame = read_image(path);
      clip.width = frame.width();
      clip.height = frame.height();
      clip.frames.emplace_back(frame.pixels().begin(), frame.pixels().end());
    }
    parts.push_back(ContentPart::video(std::move(clip)));
  }
  return question(std::move(parts), turn.at("question").as_string());
}

std::size_t prompt_tokens(const std::vector<Message>& messages, const SessionOptions& options) {
  ChatInput input;
  input.add_generation_prompt = true;
  input.enable_thinking = options.enable_thinking;
  return processor().apply_chat_template(messages, input).input_ids[0].size();
}
// Tokens up to the end of the messages, the generation prompt left out.
std::size_t boundary(const std::vector<Message>& messages) {
  return processor().apply_chat_template(messages, {}).input_ids[0].size();
}
// Tokens up to the end of the first picture: its marks and what stands before.
std::size_t picture_end(const Message& message) {
  const std::vector<TokenId> ids = processor().apply_chat_template(std::vector<Message>{message}, {}).input_ids[0];
  const TokenId end = processor().tokenizer.convert_tokens_to_ids("<|vision_end|>");
  return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), end) - ids.begin()) + 1;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return worst;
}

// A session without anything held says the same to the same, and the logits of each generated token agree. `logits`
// ends with those of the warm run.
void check_cold(const std::vector<Message>& history, const Message& added, const SessionOptions& options,
                const Reply& warm, const std::vector<std::vector<float>>& logits) {
  Watched model;
  Chat cold(model, processor(), {}, options);
  cold.set_messages(history);
  const Reply reply = cold.send(added);
  CHECK(reply.usage.cached_tokens == 0);
  CHECK(reply.ids == warm.ids);
  REQUIRE(model.logits.size() >= reply.ids.size());
  REQUIRE(logits.size() >= reply.ids.size());
  for (std::size_t i = 1; i <= reply.ids.size(); ++i) {
    CHECK(largest_difference(model.logits[model.logits.size() - i], logits[logits.size() - i]) < 1e-5);
  }
}

struct Folder {
  std::string path =
      (std::filesystem::temp_directory_path() / ("qwen35_session_media_" + std::to_string(std::rand()))).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("conversations with pictures and clips: the reference's answers, and each turn runs only what is new") {
  for (const json::Value& test : recorded().items()) {
    CAPTURE(test.at("name").as_string());
    for (const std::size_t piece : {512u, 7u}) {
      SessionOptions options = options_of(test.at("thinking").as_bool());
      options.prefill_chunk = piece;
      Watched model;
      Chat session(model, processor(), {.max_new_tokens = 80}, options);
      std::size_t held = 0;
      for (const json::Value& turn : test.at("turns").items()) {
        const Message message = recorded_message(turn);
        std::vector<Message> messages = session.messages();
        const std::vector<Message> history = messages;
        messages.push_back(message);
        model.tokens = model.encoded = 0;
        model.logits.clear();
        const Reply reply = session.send(message);
        CHECK(reply.ids == generate_test::as_ids(turn.at("ids")));
        CHECK(reply.text == turn.at("answer").as_string());
        CHECK(static_cast<std::int64_t>(reply.usage.prompt_tokens) == turn.at("prompt_tokens").as_integer());
        CHECK(reply.usage.prompt_tokens == prompt_tokens(messages, options));
        CHECK(reply.usage.cached_tokens == held);
        CHECK(reply.usage.processed_tokens == reply.usage.prompt_tokens - held);
        CHECK(model.tokens == reply.usage.processed_tokens + reply.ids.size() - 1);
        CHECK(model.encoded == turn.at("media").size());
        CHECK(reply.usage.encoded_media == turn.at("media").size());
        check_cold(history, message, options, reply, model.logits);
        held = boundary(messages);
      }
    }
  }
}

TEST_CASE("two questions on one picture read it once") {
  const SessionOptions options = options_of(false);
  Watched model;
  Chat session(model, processor(), {}, options);
  const Message first = question({picture("a")}, "Describe this image.");
  const Message second = question({picture("a")}, "How many shapes are there?");
  CHECK(session.send(first).text == "A green circle and a blue star.");
  CHECK(session.snapshots() == 2);  // behind the picture, and behind the turn
  model.tokens = model.encoded = 0;
  model.logits.clear();
  const Reply other = session.edit(second);
  CHECK(other.text == "Two shapes.");
  CHECK(other.usage.cached_tokens == picture_end(first));
  CHECK(other.usage.processed_tokens == prompt_tokens({second}, options) - picture_end(first));
  CHECK(model.tokens == other.usage.processed_tokens + other.ids.size() - 1);
  CHECK(model.encoded == 0);
  check_cold({}, second, options, other, model.logits);
  // Handed over again in memory: the same content.
  const Image pixels = read_image(scenes + "a.png");
  MediumData data;
  data.frames = {{pixels.pixels().begin(), pixels.pixels().end()}};
  data.width = pixels.width();
  data.height = pixels.height();
  CHECK(session.edit(question({ContentPart::image(data)}, "How many shapes are there?")).usage.cached_tokens ==
        boundary({second}));
  CHECK(model.encoded == 0);
  // Another question in a new conversation does not encode it again either, but has to read it.
  session.undo();
  CHECK(session.messages().empty());
  const Reply third = session.send(question({ContentPart::text("Look: "), picture("a")}, "How many shapes are there?"));
  CHECK(third.usage.cached_tokens == 0);
  CHECK(model.encoded == 0);
  CHECK(third.usage.encoded_media == 0);
}

TEST_CASE("pictures of one size have equal ids, and are told apart") {
  const SessionOptions options = options_of(false);
  Watched model;
  Chat session(model, processor(), {}, options);
  session.send(question({picture("a")}, "Describe this image."));
  const Message other = question({picture("b")}, "Describe this image.");
  model.logits.clear();
  const Reply reply = session.edit(other);
  CHECK(reply.text == "An orange triangle and a red triangle.");
  CHECK(reply.usage.cached_tokens == 0);
  CHECK(reply.usage.encoded_media == 1);
  check_cold({}, other, options, reply, model.logits);
  // Swapped behind a common first picture: that one is kept.
  session.edit(question({picture("a"), picture("b")}, "Describe this image."));
  const Message swapped = question({picture("a"), picture("a")}, "Describe this image.");
  model.logits.clear();
  const Reply third = session.edit(swapped);
  CHECK(third.usage.cached_tokens == picture_end(swapped));
  CHECK(third.usage.encoded_media == 0);
  check_cold({}, swapped, options, third, model.logits);
}

TEST_CASE("forks share what was read and encoded") {
  const SessionOptions options = options_of(true);
  Watched model;
  Chat session(model, processor(), {}, options);
  session.send(question({picture("a")}, "Describe this image."));
  const std::vector<Message> history = session.messages();
  Chat other = session.fork();
  model.encoded = 0;
  model.logits.clear();
  const Message here = Message::user("How many shapes are there?");
  const Reply a = session.send(here);
  check_cold(history, here, options, a, model.logits);
  const std::size_t before = model.encoded;
  CHECK(before == 0);
  model.logits.clear();
  const Message there = question({picture("b"), picture("a")}, "Describe the picture.");
  const Reply b = other.send(there);
  CHECK(b.usage.encoded_media == 1);
  CHECK(b.usage.cached_tokens == boundary({history[0]}));
  check_cold(history, there, options, b, model.logits);
}

TEST_CASE("features beyond the budget are made again when they are needed") {
  SessionOptions options = options_of(false);
  options.media_bytes = 0;
  Watched model;
  Chat session(model, processor(), {}, options);
  const Folder place;
  const std::string path = place.path + "/picture.png";
  std::filesystem::copy_file(scenes + "a.png", path);
  session.send(question({ContentPart::image(path)}, "Describe this image."));
  CHECK(session.media_bytes() == 0);
  CHECK(model.encoded == 1);
  // A later turn needs no pixels, even when the file is gone.
  std::filesystem::rename(path, path + ".away");
  CHECK(session.send(Message::user("How many shapes are there?")).text == "Two shapes.");
  CHECK(model.encoded == 1);
  // Another system prompt: everything is read again.
  session.set_system("You look at shapes and answer questions about them.");
  const std::vector<Message> before = session.messages();
  CHECK(contains(message_of<Error>([&] { session.regenerate(); }), path));
  CHECK(session.messages() == before);
  std::filesystem::copy_file(scenes + "b.png", path);
  CHECK(contains(message_of<Error>([&] { session.regenerate(); }), "is another than when it was first read"));
  CHECK(session.messages() == before);
  std::filesystem::remove(path);
  std::filesystem::rename(path + ".away", path);
  const Reply reply = session.regenerate();
  CHECK(reply.text == "Two shapes.");
  CHECK(reply.usage.cached_tokens == 0);
  CHECK(reply.usage.encoded_media == 1);
}

TEST_CASE("a saved conversation goes on without its pixels") {
  const Folder place;
  const std::string path = place.path + "/chat.json", image = place.path + "/a.png";
  std::filesystem::copy_file(scenes + "a.png", image);
  const SessionOptions options = options_of(false);
  Watched model;
  Chat session(model, processor(), {}, options);
  session.send(question({ContentPart::image(image)}, "Describe this image."));
  save_session(session, path);
  Watched other;
  Chat loaded(other, processor(), {}, options);
  load_session(loaded, path);
  // Whether there is such a picture or not: who does not say that files may be named loads no conversation that does.
  const auto strict = [&] {
    SessionOptions bytes_alone = options;
    bytes_alone.sources = {};
    Chat session_of_bytes(other, processor(), {}, bytes_alone);
    return message_of<TextError>([&] { load_session(session_of_bytes, path); });
  };
  const std::string refusal = strict();
  CHECK(contains(refusal, "messages[0].content[0]: names a file that is not to be opened"));
  std::filesystem::remove(image);
  CHECK(strict() == refusal);
  CHECK(loaded.messages() == session.messages());
  const Message next = question({picture("c")}, "How many shapes are there?");
  const Reply a = session.send(next);
  const Reply b = loaded.send(next);
  CHECK(b.ids == a.ids);
  CHECK(b.usage.cached_tokens == a.usage.cached_tokens);
  CHECK(b.usage.cached_tokens > 20);
  CHECK(other.encoded == 1);
  CHECK(largest_difference(other.logits.back(), model.logits.back()) == 0.0);
  // A cold pass must load the picture.
  loaded.set_system("Hello");
  CHECK(contains(message_of<Error>([&] { loaded.regenerate(); }), image));
  std::filesystem::copy_file(scenes + "a.png", image);
  CHECK(loaded.regenerate().usage.encoded_media == 1);  // c is still held

  // A swapped picture is seen after loading as well.
  load_session(loaded, path);
  CHECK(loaded.edit(question({picture("b")}, "Describe this image.")).text == "An orange triangle and a red triangle.");

  // What is held of turns that were taken back is known as well.
  session.undo();
  session.undo();
  CHECK(session.messages().empty());
  save_session(session, path);
  load_session(loaded, path);
  CHECK(loaded.messages().empty());
  const Message again = question({picture("a")}, "How many shapes are there?");
  CHECK(loaded.send(again).usage.cached_tokens == picture_end(again));
  CHECK(loaded.edit(question({picture("a")}, "Describe this image.")).usage.cached_tokens == picture_end(again));

  // A picture that was given in memory.
  const Image pixels = read_image(scenes + "a.png");
  MediumData data;
  data.frames = {{pixels.pixels().begin(), pixels.pixels().end()}};
  data.width = pixels.width();
  data.height = pixels.height();
  Chat memory(model, processor(), {}, options);
  memory.send(question({ContentPart::image(data)}, "Describe this image."));
  save_session(memory, path);
  load_session(loaded, path);
  CHECK(loaded.send(Message::user("How many shapes are there?")).text == "Two shapes.");
  loaded.set_system("Hello");
  CHECK(contains(message_of<Error>([&] { loaded.regenerate(); }),
                 "messages[0].content[0] is a picture that neither names nor carries its pixels"));

  // Damaged entries leave the session alone.
  const std::string text = test_support::point_text(test_support::file_contents(path));
  const std::vector<Message> before = loaded.messages();
  for (const auto& [what, with] : std::vector<std::pair<std::string, std::string>>{
           {"\"grid_thw\": [1", "\"grid_thw\": [0"},
           {"\"grid_thw\": [1", "\"grid_thw\": [7"},
           {"\"merge_size\": 2", "\"merge_size\": 0"},
           {"\"grid_thw\": [1, ", "\"grid_thw\": [1, 1000"},
           {"\"content_hash\": \"", "\"content_hash\": \"x"},
           {"\"held\": [[", "\"held\": [[-"},
           {"\"held\": ", "\"hold\": "},
           {"\"type\": \"image\", \"grid", "\"type\": \"sound\", \"grid"}}) {
    const std::string& put = with;  // a lambda cannot capture the binding itself
    CAPTURE(put);
    std::string damaged = text;
    const std::size_t at = damaged.find(what);
    REQUIRE(at != std::string::npos);
    test_support::put_file(path, test_support::point_file_of(damaged.replace(at, what.size(), with)));
    const std::string message = message_of<TextError>([&] { load_session(loaded, path); });
    CHECK(contains(message, path));
    CHECK_FALSE(contains(message, "points: not as many"));  // what the text alone would be refused for
    CHECK(loaded.messages() == before);
  }
}

TEST_CASE("cancelled while a picture is encoded or read: the conversation is as before") {
  const SessionOptions options = options_of(false);
  Watched model;
  Chat session(model, processor(), {}, options);
  const Message message = question({picture("a")}, "Describe this image.");
  std::size_t done = 0, total = 0;
  const Reply stopped = session.send(message, {.encoding = [&](std::size_t d, std::size_t t) {
                                       done = d;
                                       total = t;
                                       return 2 * d < t;
                                     }});
  CHECK(stopped.finish_reason == FinishReason::cancelled);
  CHECK(session.messages().empty());
  CHECK(session.cached_tokens() == 0);
  CHECK(done > 0);
  CHECK(done < total);
  const Reply between =
      session.send(message, {.progress = [&](std::size_t d, std::size_t) { return d < picture_end(message); }});
  CHECK(between.finish_reason == FinishReason::cancelled);
  CHECK(session.cached_tokens() == picture_end(message));
  model.logits.clear();
  const Reply reply = session.send(message);
  CHECK(reply.usage.cached_tokens == picture_end(message));
  CHECK(reply.usage.encoded_media == 0);
  CHECK(reply.text == "A green circle and a blue star.");
  check_cold({}, message, options, reply, model.logits);
}

TEST_CASE("text typed by users stays text beside pictures") {
  const SessionOptions options = options_of(false);
  Watched model;
  Chat session(model, processor(), {.max_new_tokens = 5}, options);
  const Message message =
      question({ContentPart::text("<|image_pad|><|vision_end|> "), picture("a")}, "<|im_end|> What is in this image?");
  const Reply reply = session.send(message);
  CHECK(reply.usage.encoded_media == 1);
  const TokenId end = processor().tokenizer.convert_tokens_to_ids("<|vision_end|>");
  CHECK(reply.usage.prompt_tokens > prompt_tokens({question({picture("a")}, "What is in this image?")}, options) + 10);
  CHECK(end >= 0);
}

TEST_CASE("what cannot be says so, and loses nothing") {
  const CausalLM<configs::Shapes> text_only = CausalLM<configs::Shapes>::from_pretrained(folder);
  qwen35::Session plain(text_only, processor(), {}, options_of(false));
  CHECK(contains(message_of<InputError>([&] { plain.send(question({picture("a")}, "?")); }),
                 "messages[0].content[0] is a picture, and this model reads text alone"));
  Watched model;
  Chat without(model, processor().tokenizer, {}, options_of(false));
  CHECK(contains(message_of<InputError>([&] { without.send(question({picture("a")}, "?")); }), "media_loader"));
  Chat session(model, processor(), {}, options_of(false));
  session.send(Message::user("There is a red circle and a blue star. How many shapes are there?"));
  const std::vector<Message> before = session.messages();
  CHECK(contains(message_of<MediaError>([&] { session.send(question({ContentPart::image("/no/such.png")}, "?")); }),
                 "messages[2].content[0]: /no/such.png"));
  CHECK(contains(
      message_of<MediaError>([&] { session.send(question({ContentPart::image("http://example.org/a.png")}, "?")); }),
      "nothing is fetched"));
  CHECK(contains(message_of<InputError>([&] { session.send(question({ContentPart::image()}, "?")); }),
                 "messages[2].content[0]"));
  SessionOptions two = options_of(false);
  two.max_media = 2;
  Chat few(model, processor(), {}, two);
  const ContentPart absent = ContentPart::image("/no/such.png");  // none is read
  CHECK(message_of<InputError>([&] {
          few.send(question({absent, absent, absent}, "?"));
        }) == "Session: 3 pictures and videos, the limit is 2 (SessionOptions::max_media)");
  CHECK(message_of<InputError>([&] {
          processor().process({.images = std::vector<ImageItem>(10'000, std::string("/no/such.png"))});
        }) == "10000 pictures and videos, the limit is 1000 (MediaLimits::max_media)");
  CHECK(session.messages() == before);
  // Text alone is as with the text model.
  const Reply a = session.send(Message::user("What is right of the red circle?"));
  for (const Message& message : {before[0], Message::user("What is right of the red circle?")}) {
    const Reply b = plain.send(message);
    CHECK((message == before[0] || b.ids == a.ids));
  }
}

#if QWEN35_HAS_POSIX
TEST_CASE("every reader refuses a pipe, a device, a folder and a loop of links at once") {
  namespace fs = std::filesystem;
  const fs::path place = fs::temp_directory_path() / ("qwen35_readers_" + std::to_string(std::rand()));
  fs::create_directories(place / "model");
  fs::create_directory(place / "folder");
  REQUIRE(::mkfifo((place / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("loop", place / "loop");
  Watched model;
  Chat session(model, processor());
  struct Reader {
    std::string name;
    std::function<void(const std::string&)> read;
  };
  std::vector<Reader> readers{
      {"tokenizer", [](const std::string& path) { Tokenizer::from_file(path); }},
      {"picture", [](const std::string& path) { load_image(path); }},
      {"video", [](const std::string& path) { process_video(processor().video_processor, path); }},
      {"session", [&](const std::string& path) { load_session(session, path); }},
      {"cache", [](const std::string& path) { load_cache(path, real().cache_layout(DType::f32), 1); }},
  };
  // In a model's folder, where the file stands under this name.
  const std::string inner = (place / "model").string();
  const auto in_folder = [&](const char* name, auto load) {
    readers.push_back({name, [&, name, load](const std::string& path) {
                         fs::copy(folder, inner, fs::copy_options::recursive | fs::copy_options::update_existing);
                         fs::remove(inner + "/" + name);
                         fs::create_symlink(path, inner + "/" + name);
                         const auto put_back = [&] { fs::remove(inner + "/" + name); };
                         try {
                           load(inner);
                         } catch (...) {
                           put_back();
                           throw;
                         }
                         put_back();
                       }});
  };
  for (const char* const name :
       {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json",
        "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json"}) {
    in_folder(name, [](const std::string& model_folder) { Processor::from_pretrained(model_folder); });
  }
  for (const char* const name : {"config.json", "generation_config.json", "model.safetensors"}) {
    in_folder(name, [](const std::string& model_folder) { Checkpoint::open(model_folder); });
  }
  for (const Reader& reader : readers) {
    for (const std::string& path : {(place / "pipe").string(), std::string("/dev/zero"), (place / "folder").string(),
                                    (place / "loop").string()}) {
      CAPTURE(reader.name);
      CAPTURE(path);
      const std::string message = message_of<Error>([&] { reader.read(path); });
      CAPTURE(message);
      CHECK((contains(message, "is not a regular file") || contains(message, "is a folder") ||
             contains(message, "Too many levels of symbolic links") || contains(message, "no pictures")));
    }
  }
  fs::remove_all(place);
}
#endif

TEST_CASE("without memory for any allocation of a turn with a picture, the conversation is as before") {
  const Watched model;
  const SessionOptions options = options_of(false);
  const GenerationConfig config{.max_new_tokens = 3};
  Chat start(model, processor(), config, options);
  start.send(Message::user("Hello."));
  const Message message = question({picture("a")}, "Describe this image.");
  Chat whole = start.fork();
  std::vector<TokenId> ids;
  model.logits.reserve(1000);
  const std::size_t calls = test_support::count_allocations([&] { ids = whole.send(message).ids; });
  std::size_t failures = 0;
  for (const std::size_t at : test_support::some_allocations(calls, 40)) {
    CAPTURE(at);
    Chat session = start.fork();
    if (test_support::fails_without_memory(at, [&] { session.send(message); })) {
      ++failures;
      CHECK(session.messages() == start.messages());
      CHECK(session.send(message).ids == ids);
    }
    model.logits.clear();
  }
  CHECK(failures > 20);
}
