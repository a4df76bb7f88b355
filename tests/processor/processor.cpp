// SPDX-License-Identifier: Apache-2.0
#include <qwen35/processor/processor.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "generate/generate_test.hpp"
#include "media/media_test.hpp"
#include "support/message_of.hpp"

namespace {

using namespace qwen35;
using generate_test::as_ids;
using test_support::contains;
using test_support::message_of;

const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes";

const Processor& processor() {
  static const Processor loaded = Processor::from_pretrained(folder);
  return loaded;
}

const json::Value& cases() {
  static const json::Value file = generate_test::read_json("processor.json");
  return file.at("cases");
}

bool flag(const json::Value& object, std::string_view key) {
  return object.find(key) != nullptr && object.at(key).as_bool();
}

// The recorded clips as frames in memory.
std::vector<MediumData> clips_of(const json::Value& recorded) {
  std::vector<MediumData> clips;
  for (const json::Value& clip : recorded.at("clips").items()) {
    MediumData data;
    data.width = media_test::size_of(clip.items()[0]);
    data.height = media_test::size_of(clip.items()[1]);
    for (std::size_t k = 0; k < media_test::size_of(clip.items()[2]); ++k) {
      data.frames.push_back(media_test::picture(data.width, data.height, "noise",
                                                static_cast<std::uint32_t>(media_test::size_of(clip.items()[3]) + k)));
    }
    if (!clip.items()[4].is_null()) {
      data.fps = clip.items()[4].as_number();
    }
    clips.push_back(std::move(data));
  }
  return clips;
}

ChatInput chat_input(const json::Value& recorded) {
  const json::Value& chat = recorded.at("template");
  const json::Value& options = recorded.at("options");
  ChatInput input;
  input.add_generation_prompt = flag(chat, "add_generation_prompt");
  input.add_vision_id = flag(chat, "add_vision_id");
  if (const json::Value* thinking = chat.find("enable_thinking")) {
    input.enable_thinking = thinking->as_bool();
  }
  ProcessorInput& kwargs = input.processor_kwargs;
  if (const json::Value* padding = options.find("padding")) {
    kwargs.padding = padding->is_string() ? Padding::max_length : Padding::longest;
    kwargs.padding_side = options.at("padding_side").as_string() == "left" ? PaddingSide::left : PaddingSide::right;
  }
  if (const json::Value* length = options.find("max_length")) {
    kwargs.max_length = media_test::size_of(*length);
  }
  if (options.find("do_sample_frames") != nullptr) {
    kwargs.videos_kwargs.do_sample_frames = options.at("do_sample_frames").as_bool();
  }
  if (options.find("num_frames") != nullptr) {
    kwargs.videos_kwargs.num_frames = media_test::size_of(options.at("num_frames"));
  }
  if (const json::Value* fps = options.find("fps"); fps != nullptr && !fps->is_null()) {
    kwargs.videos_kwargs.fps = fps->as_number();
  }
  if (const json::Value* images = options.find("images_kwargs")) {
    if (images->find("min_pixels") != nullptr) {
      kwargs.images_kwargs.min_pixels = media_test::size_of(images->at("min_pixels"));
      kwargs.images_kwargs.max_pixels = media_test::size_of(images->at("max_pixels"));
    }
    if (const json::Value* size = images->find("size")) {
      kwargs.images_kwargs.size = {media_test::size_of(size->at("shortest_edge")),
                                   media_test::size_of(size->at("longest_edge"))};
    }
    if (images->find("do_normalize") != nullptr) {
      kwargs.images_kwargs.do_normalize = images->at("do_normalize").as_bool();
    }
  }
  return input;
}

void check_pixels(const json::Value& recorded, std::string_view values_key, std::string_view grid_key,
                  const Tensor<float>& values, const Tensor<std::int64_t>& grid) {
  if (recorded.find(values_key) == nullptr) {
    CHECK(values.size() == 0);
    CHECK(grid.size() == 0);
    return;
  }
  const json::Value& expected = recorded.at(values_key);
  CHECK(values.shape() == Shape{media_test::size_of(expected.at("shape").items()[0]),
                                media_test::size_of(expected.at("shape").items()[1])});
  CHECK(media_test::crc_of(std::span<const float>(values.data(), values.size())) == expected.at("crc").as_integer());
  const auto& rows = recorded.at(grid_key).items();
  REQUIRE(grid.shape() == Shape{rows.size(), 3});
  for (std::size_t i = 0; i < grid.size(); ++i) {
    CHECK(grid[i] == rows[i / 3].items()[i % 3].as_integer());
  }
}

void check_output(const json::Value& recorded, const ProcessorOutput& out) {
  const std::size_t texts = recorded.at("texts").size();
  REQUIRE(out.input_ids.size() == texts);
  for (std::size_t i = 0; i < texts; ++i) {
    CHECK(out.input_ids[i] == as_ids(recorded.at("input_ids").items()[i]));
    CHECK(out.attention_mask[i] == as_ids(recorded.at("attention_mask").items()[i]));
    CHECK(out.mm_token_type_ids[i] == as_ids(recorded.at("mm_token_type_ids").items()[i]));
  }
  check_pixels(recorded, "pixel_values", "image_grid_thw", out.pixel_values, out.image_grid_thw);
  check_pixels(recorded, "pixel_values_videos", "video_grid_thw", out.pixel_values_videos, out.video_grid_thw);
}

std::string media_path(const json::Value& named) {
  const std::string& path = named.as_string();
  return media_test::file_path(path.substr(path.find('/') + 1));
}

}  // namespace

TEST_CASE("conversations with pictures and videos give the reference's inputs") {
  for (const json::Value& recorded : cases().items()) {
    CAPTURE(recorded.at("name").as_string());
    std::vector<MediumData> clips = clips_of(recorded);
    std::vector<std::vector<Message>> conversations;
    std::size_t next_clip = 0;
    ProcessorInput apart = chat_input(recorded).processor_kwargs;
    for (const json::Value& conversation : recorded.at("conversations").items()) {
      conversations.push_back(messages_from_json(conversation, SourcePolicy::everything()));
      for (Message& message : conversations.back()) {
        if (message.content.is_text()) {
          continue;
        }
        std::vector<ContentPart> parts = *message.content.parts();
        for (ContentPart& part : parts) {
          if (part.type == PartType::image) {
            part.value = media_path(json::Value(part.value));
            apart.images.push_back(part.value);
          } else if (part.type == PartType::video) {
            part = ContentPart::video(clips.at(next_clip++));
            apart.videos.push_back(video_item(part));
          }
        }
        message.content = parts;
      }
    }
    const ChatInput input = chat_input(recorded);
    check_output(recorded, processor().apply_chat_template(conversations, input));
    // The same as texts with placeholders and media beside them.
    for (std::size_t i = 0; i < conversations.size(); ++i) {
      CHECK(processor().render(conversations[i], input).text == recorded.at("texts").items()[i].as_string());
      apart.text.push_back(recorded.at("texts").items()[i].as_string());
    }
    // video_item() looks into parts that live in the conversations' copies, which share their data.
    check_output(recorded, processor()(apart));
  }
}

TEST_CASE("a picture may be a path, a data: URL, encoded bytes, pixels, or given apart") {
  const std::string path = media_test::file_path("rgb.png");
  const std::vector<std::byte> bytes = read_file<MediaError>(path, 1 << 20);
  const Image image = decode_image(bytes);
  const auto ask = [](ContentPart part) {
    return std::vector<Message>{
        Message::user({std::vector<ContentPart>{std::move(part), ContentPart::text("What is in this image?")}})};
  };
  const ProcessorOutput expected = processor().apply_chat_template(ask(ContentPart::image(path)));
  CHECK(expected.image_grid_thw.shape() == Shape{1, 3});
  const auto same = [&](const ProcessorOutput& out) {
    return out.input_ids == expected.input_ids && out.mm_token_type_ids == expected.mm_token_type_ids &&
           std::equal(out.pixel_values.begin(), out.pixel_values.end(), expected.pixel_values.begin(),
                      expected.pixel_values.end());
  };
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string url = "data:image/png;base64,";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = word << 8 | (i + k < bytes.size() ? static_cast<std::uint32_t>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      url += i + k <= bytes.size() ? digits[word >> (18 - 6 * k) & 63] : '=';
    }
  }
  CHECK(same(processor().apply_chat_template(ask(ContentPart::image(url)))));
  MediumData encoded;
  encoded.file = bytes;
  CHECK(same(processor().apply_chat_template(ask(ContentPart::image(encoded)))));
  MediumData pixels;
  pixels.frames = {{image.pixels().begin(), image.pixels().end()}};
  pixels.width = image.width();
  pixels.height = image.height();
  CHECK(same(processor().apply_chat_template(ask(ContentPart::image(pixels)))));
  CHECK(same(processor().apply_chat_template(ask(ContentPart::image()), {.processor_kwargs = {.images = {image}}})));
  CHECK(same(processor().apply_chat_template(ask(ContentPart::image()),
                                             {.processor_kwargs = {.images = {std::span<const std::byte>(bytes)}}})));
  const LoadedMedium medium = processor().load(ContentPart::image(path));
  CHECK(std::equal(medium.pixel_values.begin(), medium.pixel_values.end(), expected.pixel_values.begin(),
                   expected.pixel_values.end()));
  CHECK(std::equal(medium.grid_thw.begin(), medium.grid_thw.end(), expected.image_grid_thw.begin(),
                   expected.image_grid_thw.end()));
}

TEST_CASE("settings that do not fit are told with the file, or with the folder whose files contradict each other") {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const char* const name : {"tokenizer.json", "preprocessor_config.json", "video_preprocessor_config.json"}) {
    texts.emplace_back(name, read_text_file(folder + "/" + name));
  }
  const auto problem = [&](std::string_view key, const json::Value& value) {
    json::Value settings = json::parse(texts[1].second);
    settings[key] = value;
    const std::string changed = json::dump(settings);
    const NamedBytes files[] = {{texts[0].first, std::as_bytes(std::span(texts[0].second))},
                                {texts[1].first, std::as_bytes(std::span(changed))},
                                {texts[2].first, std::as_bytes(std::span(texts[2].second))}};
    return Processor::try_from_pretrained(ModelFolder::from_bytes(files)).failure().message;
  };
  CHECK(contains(problem("patch_size", "x"), "preprocessor_config.json.patch_size: expected a whole number"));
  CHECK(contains(problem("merge_size", 1),
                 "checkpoint: processor: pictures are cut into patches of 16 pixels, 2 frames, merged by 1, videos"));
}

TEST_CASE("a medium that cannot be read is called by its place") {
  const std::string path = media_test::file_path("rgb.png");
  const std::span<const std::byte> bytes = media_test::bytes_of("no picture");
  const std::vector<std::byte> torn(bytes.begin(), bytes.end());
  const auto ask = [](std::vector<ContentPart> parts) { return Message::user({std::move(parts)}); };
  MediumData data;
  data.file = torn;
  const auto of_chat = [](const auto& messages, const ChatInput& input = {}) {
    return message_of<MediaError>([&] { processor().apply_chat_template(messages, input); });
  };
  const std::vector<Message> messages{
      ask({ContentPart::image(path)}),
      Message::assistant("?"),
      ask({ContentPart::text("Here:"), ContentPart::image(path), ContentPart::image(data)}),
  };
  const std::string no_picture = "image: not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture";
  for (const added_tokens injected : {added_tokens::none, added_tokens::parse}) {
    CHECK(of_chat(messages, {.injected = injected}) == "messages[2].content[2]: " + no_picture);
  }
  const std::vector<std::vector<Message>> conversations{{messages[0]}, messages};
  CHECK(of_chat(conversations) == "conversations[1].messages[2].content[2]: " + no_picture);
  CHECK(contains(of_chat(std::vector{ask({ContentPart::video(data)})}), "messages[0].content[0]: video: "));
  CHECK(of_chat(std::vector{ask({ContentPart::image(path), ContentPart::image()})},
                {.processor_kwargs = {.images = {std::span(torn)}}}) == "messages[0].content[1]: " + no_picture);
  data.file.clear();
  data.frames.resize(2);
  CHECK(contains(of_chat(std::vector{ask({ContentPart::image(data)})}), "messages[0].content[0]: a picture of 2 "));

  const auto of_lists = [](const ProcessorInput& input) { return message_of<MediaError>([&] { processor()(input); }); };
  CHECK(of_lists({.images = {path, std::span(torn)}}) == "images[1]: " + no_picture);
  CHECK(contains(of_lists({.images = {std::string("/no/such.png")}}), "images[0]: /no/such.png"));
  CHECK(contains(of_lists({.videos = {media_test::file_path("moving.gif"), std::span(torn)}}), "videos[1]: video: "));
}

TEST_CASE("an animated GIF is a video, as a path and as bytes") {
  const std::string path = media_test::file_path("moving.gif");
  const LoadedMedium named = processor().load(ContentPart::video(path));
  MediumData data;
  data.file = read_file<MediaError>(path, 1 << 20);
  const LoadedMedium carried = processor().load(ContentPart::video(data));
  CHECK(named.grid_thw == carried.grid_thw);
  CHECK(named.timestamps == carried.timestamps);
  CHECK(named.timestamps.size() == static_cast<std::size_t>(named.grid_thw[0]));
  CHECK(std::equal(named.pixel_values.begin(), named.pixel_values.end(), carried.pixel_values.begin(),
                   carried.pixel_values.end()));
}

TEST_CASE("videos in the form before 5.10: the template's marks are replaced too") {
  const json::Value& recorded = cases().items()[2];
  const std::vector<MediumData> clips = clips_of(recorded);
  const std::vector<Message> messages{Message::user(
      {std::vector<ContentPart>{ContentPart::video(clips[0]), ContentPart::text("Describe this video.")}})};
  const TokenId start = processor().tokenizer.convert_tokens_to_ids("<|vision_start|>");
  const auto starts = [&](VideoForm form) {
    const ProcessorOutput out = processor().apply_chat_template(messages, {.processor_kwargs = {.video_form = form}});
    return std::count(out.input_ids[0].begin(), out.input_ids[0].end(), start);
  };
  CHECK(starts(VideoForm::pad) == starts(VideoForm::marked) + 1);
}

TEST_CASE("special tokens that a user types are text") {
  const std::string path = media_test::file_path("rgb.png");
  const std::string typed = "<|image_pad|> and <|im_end|>\n<|video_pad|> are tokens";
  const std::vector<Message> messages{Message::user({std::vector<ContentPart>{
      ContentPart::text(typed), ContentPart::image(path), ContentPart::text("<|vision_start|><|image_pad|>")}})};
  const std::vector<Message> words{Message::user("<|image_pad|>")};
  const std::vector<std::vector<Message>> both{words, messages, messages};
  const ProcessorOutput out =
      processor().apply_chat_template(both, {.processor_kwargs = {.return_offsets_mapping = true}});
  const Tokenizer& tokenizer = processor().tokenizer;
  std::vector<TokenId> expected;
  const auto add = [&](const std::string& text, added_tokens added) {
    const std::vector<TokenId> ids = tokenizer.encode(text, added);
    expected.insert(expected.end(), ids.begin(), ids.end());
  };
  std::string pads;
  for (std::int64_t i = 0; i < out.image_grid_thw[1] * out.image_grid_thw[2] / 4; ++i) {
    pads += "<|image_pad|>";
  }
  add("<|im_start|>user\n", added_tokens::parse);
  add(typed, added_tokens::none);
  add("<|vision_start|>" + pads + "<|vision_end|>", added_tokens::parse);
  add("<|vision_start|><|image_pad|>", added_tokens::none);
  add("<|im_end|>\n", added_tokens::parse);
  REQUIRE(out.input_ids.size() == 3);
  CHECK(out.input_ids[1] == expected);
  CHECK(out.input_ids[2] == expected);
  CHECK(out.offset_mapping[1].size() == expected.size());
  CHECK(std::count(out.input_ids[0].begin(), out.input_ids[0].end(), processor().image_token_id()) == 0);
  CHECK(tokenizer.decode(out.input_ids[0]) == "<|im_start|>user\n<|image_pad|><|im_end|>\n");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(out.mm_token_type_ids[1][i] == (expected[i] == processor().image_token_id() ? 1 : 0));
  }
  // As in the reference when asked for.
  CHECK(
      contains(message_of<Error>([&] { processor().apply_chat_template(messages, {.injected = added_tokens::parse}); }),
               "the texts have 3 image placeholders (<|image_pad|>), and 1 images were given"));
  CHECK(contains(
      message_of<Error>([&] { processor().apply_chat_template(words, {.injected = added_tokens::parse}); }),
      "the texts have 1 image placeholders (<|image_pad|>), and 0 images were given; a text whose placeholders are "
      "expanded already is for the tokenizer"));
}

TEST_CASE("the checkpoint's files, from a folder and from memory") {
  const Processor other = Processor::from_checkpoint(Checkpoint::open(folder));
  CHECK(other.image_processor.config().size == processor().image_processor.config().size);
  CHECK(other.video_processor.config().max_frames == 16);
  CHECK(other.tokenizer.pad_token_id() == processor().tokenizer.pad_token_id());
  CHECK(other.chat_template == processor().chat_template);
  CHECK(other.image_token_id() == 438);
  CHECK(other.video_token_id() == 439);
  CHECK(other.vision_start_token_id() == 436);
  CHECK(other.vision_end_token_id() == 437);
  CHECK(other.image_token() == "<|image_pad|>");
  CHECK(other.video_token() == "<|video_pad|>");
  const std::vector<std::vector<TokenId>> ids{other.tokenizer.encode("A red circle.<|im_end|>")};
  CHECK(other.batch_decode(ids, true) == std::vector<std::string>{"A red circle."});
  CHECK(other.decode(ids[0]) == "A red circle.<|im_end|>");
  CHECK(other.post_process_image_text_to_text(ids) == std::vector<std::string>{"A red circle."});
}

TEST_CASE("of a GGUF file without its picture tower it is said what lacks, and where it is") {
  const std::string path = QWEN35_TEST_DATA "/gguf/shapes-q8_0.gguf";
  const std::string expected =
      path +
      ": has no picture tower, which says how pictures are prepared: that of a GGUF file is a file of its own "
      "(mmproj); "
      "put it beside this one, or name it in CheckpointOptions::mmproj and make the Processor from that checkpoint";
  CHECK(message_of<ConfigError>([&] { Processor::from_pretrained(path); }) == expected);
  CHECK(message_of<ConfigError>([&] { Processor::from_checkpoint(Checkpoint::open(path)); }) == expected);
  CHECK(message_of<ConfigError>([&] { ImageProcessor::from_pretrained(Checkpoint::open(path).files()); }) == expected);
}

TEST_CASE("a processor is written as it was read") {
  namespace fs = std::filesystem;
  const fs::path place = fs::temp_directory_path() / ("qwen35_processor_" + std::to_string(std::rand()));
  const std::string from = (place / "from").string(), to = (place / "inner" / "to").string();
  fs::create_directories(place);
  fs::copy(folder, from);
  const fs::path published = fs::path(QWEN35_TEST_DATA) / "chat_template" / "qwen3_5.chat_template.jinja";
  fs::copy(published, from + "/chat_template.jinja");
  fs::create_directory(from + "/additional_chat_templates");
  std::ofstream(from + "/additional_chat_templates/other.jinja") << "{{ messages[0]['content'] }}";
  const Processor first = Processor::from_pretrained(from);
  for (int round = 0; round < 2; ++round) {  // the second time over the first one's files
    first.save_pretrained(to);
    const Processor again = Processor::from_pretrained(to);
    CHECK(again.image_processor.config().to_json() == first.image_processor.config().to_json());
    CHECK(again.video_processor.config().to_json() == first.video_processor.config().to_json());
    CHECK(again.chat_template == first.chat_template);
    CHECK(find_chat_templates(ModelFolder(to)).templates == find_chat_templates(ModelFolder(from)).templates);
    const Image image = media_test::rgb_picture(70, 90, "noise", 3);
    const ProcessorInput input{.images = {image}, .text = {"<|vision_start|><|image_pad|><|vision_end|>A star."}};
    const ProcessorOutput a = first(input), b = again(input);
    CHECK(a.input_ids == b.input_ids);
    CHECK(std::equal(a.pixel_values.begin(), a.pixel_values.end(), b.pixel_values.begin(), b.pixel_values.end()));
  }
  std::ofstream(to + "/chat_template.json") << "{}";
  CHECK(contains(message_of<TextError>([&] { first.save_pretrained(to); }), "would count before the chat template"));
  fs::remove(from + "/chat_template.jinja");
  fs::remove_all(from + "/additional_chat_templates");
  std::ofstream(from + "/chat_template.json") << R"({"chat_template": {"default": "a", "../b": "c"}})";
  const Processor odd = Processor::from_pretrained(from);
  CHECK(contains(message_of<TextError>([&] { odd.save_pretrained((place / "odd").string()); }), "../b"));
  fs::remove_all(place);
}

TEST_CASE("what does not fit says so") {
  const Image image = media_test::rgb_picture(64, 64, "noise", 1);
  const std::string pad = "<|vision_start|><|image_pad|><|vision_end|>";
  const auto problem = [](const ProcessorInput& input) { return message_of<Error>([&] { processor()(input); }); };
  CHECK(contains(problem({}), "at least one input"));
  const std::string clip = "<|vision_start|><|video_pad|><|vision_end|>";
  CHECK(problem({.images = {image}, .text = {pad + pad}}) ==
        "the texts have 2 image placeholders (<|image_pad|>), and 1 images were given");
  CHECK(problem({.images = {image, image}, .text = {pad, "and"}}) ==
        "the texts have 1 image placeholders (<|image_pad|>), and 2 images were given");
  CHECK(problem({.images = {image}, .text = {"none"}}) ==
        "the texts have 0 image placeholders (<|image_pad|>), and 1 images were given");
  CHECK(problem({.images = {image}, .text = {pad + clip}})
            .starts_with("the texts have 1 video placeholders (<|video_pad|>), and 0 videos were given"));
  CHECK(problem({.text = {clip}, .videos = {std::string("/no/such.mp4"), std::string("/nor/this.mp4")}}) ==
        "the texts have 1 video placeholders (<|video_pad|>), and 2 videos were given");
  CHECK(problem({.text = {"a", pad}})
            .starts_with("the texts have 1 image placeholders (<|image_pad|>), and 0 images were given"));
  CHECK(problem({.images = {image, image}, .text = {pad, pad}}).empty());
  CHECK(contains(problem({.images = {image}, .text = {pad}, .max_length = 3, .truncation = true}),
                 "Mismatch in `image` token count"));
  // Without max_length the tokenizer's model_max_length counts, as in the reference.
  CHECK(processor()({.text = {"a"}, .padding = Padding::max_length}).input_ids[0].size() == 2048);
  CHECK(contains(problem({.images = {std::string("https://example.org/a.png")}, .text = {pad}}), "nothing is fetched"));
  CHECK(contains(problem({.images = {std::string("/no/such.png")}, .text = {pad}}), "/no/such.png"));
  CHECK(contains(problem({.text = {clip}, .videos = {std::as_bytes(std::span("not a gif", 9))}}), "no GIF"));
  const auto chat = [](const std::vector<ContentPart>& parts, const ChatInput& input) {
    return message_of<Error>(
        [&] { processor().apply_chat_template(std::vector<Message>{Message::user(parts)}, input); });
  };
  CHECK(contains(chat({ContentPart::image()}, {}), "messages[0].content[0]: a picture that names nothing"));
  CHECK(contains(chat({ContentPart::text("a")}, {.processor_kwargs = {.images = {image}}}), "1 pictures"));
  CHECK(chat({ContentPart::text("a")}, {.processor_kwargs = {.text = {"b"}}}) ==
        "chat: processor_kwargs.text would not be read; the messages are the text");
  MediumData bad;
  bad.frames = {std::vector<std::uint8_t>(10)};
  bad.width = 2;
  bad.height = 2;
  CHECK(contains(chat({ContentPart::image(bad)}, {}), "10 bytes for 2 x 2 pixels"));
  CHECK(processor()({.images = {image}}).input_ids.empty());  // pictures alone
  // Ragged rows make no tensor.
  const ProcessorOutput ragged = processor()({.text = {"a", "How many shapes are there?"}});
  CHECK(contains(message_of<Error>([&] { ragged.ids(); }), "ask for padding"));
  const ProcessorOutput padded =
      processor()({.text = {"a", "How many shapes are there?"}, .padding = Padding::longest});
  CHECK(padded.ids().shape() == Shape{2, padded.input_ids[0].size()});
  CHECK(padded.mask().row(0)[0] == 0);
  CHECK(padded.token_types().row(1)[0] == 0);
}
