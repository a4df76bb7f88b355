// SPDX-License-Identifier: Apache-2.0
// Texts, pictures and videos to what the model takes. Source: reference `Qwen3VLProcessor`.
#pragma once

#include <qwen35/media/placeholders.hpp>
#include <qwen35/processor/media_items.hpp>
#include <qwen35/processor/media_loader.hpp>
#include <qwen35/text/chat_json.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/chat_template_file.hpp>
#include <qwen35/text/text_runs.hpp>
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/weights/checkpoint.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Arguments as in the reference; padding_side defaults to the side that generate() wants.
struct ProcessorInput {
  std::vector<ImageItem> images{};  // in the order of the placeholders, counted on from text to text
  std::vector<std::string> text{};
  std::vector<VideoItem> videos{};
  ImageOptions images_kwargs{};
  VideoOptions videos_kwargs{};
  Padding padding = Padding::none;
  PaddingSide padding_side = PaddingSide::left;
  std::optional<std::size_t> max_length{};  // of Padding::max_length, and of truncation; nothing: model_max_length
  bool truncation = false;                  // cuts the end off; an error where that cuts a picture
  std::size_t pad_to_multiple_of = 0;
  bool return_offsets_mapping = false;  // in the text with its placeholders expanded
  bool return_mm_token_type_ids = true;
  VideoForm video_form = VideoForm::pad;
  std::optional<double> folder_fps{};  // the rate of the pictures of a folder that is a video
  MediaLimits limits{};
};

// Outputs as in the reference: the tokenizer's, and what belongs to pictures and videos.
struct ProcessorOutput : BatchEncoding {
  std::vector<std::vector<std::int32_t>> mm_token_type_ids;  // 1 for a picture's token, 2 for a video's, else 0
  Tensor<float> pixel_values;           // [patches of all pictures, 3 * temporal_patch_size * patch_size^2]
  Tensor<std::int64_t> image_grid_thw;  // [pictures, 3]
  Tensor<float> pixel_values_videos;    // [patches of all videos, ...]
  Tensor<std::int64_t> video_grid_thw;  // [videos, 3]
  std::vector<VideoMetadata> video_metadata;

  Tensor<std::int32_t> token_types() const { return rectangular(mm_token_type_ids, "mm_token_type_ids"); }
};

// Of apply_chat_template(). Media parts that name nothing and carry nothing stand for processor_kwargs.images and
// .videos, in order.
struct ChatInput {
  std::vector<json::Value> tools{};
  bool add_generation_prompt = false;
  std::optional<bool> enable_thinking{};
  bool add_vision_id = false;
  bool preserve_thinking = false;
  bool continue_final_message = false;
  // How added tokens (<|image_pad|>, <|im_end|>, ...) that stand in the messages' own text are read. With `none` they
  // are plain characters: no placeholder, no end of a turn; the system prompt's and the tools' act, and of an assistant
  // message the think and tool-call tags. `parse`: they act wherever they stand, as in the reference.
  added_tokens injected = added_tokens::none;
  SourcePolicy sources{};             // which media messages in JSON may name; typed ones are the program's own
  ProcessorInput processor_kwargs{};  // without text
};

#if defined(QWEN35_HAS_FFMPEG)
inline namespace with_ffmpeg {
#else
inline namespace without_ffmpeg {
#endif

// Immutable once made; may be shared between threads.
class Processor {
 public:
  // Raises TextError when the tokenizer lacks one of the family's media tokens, InputError when the two processors cut
  // patches differently.
  Processor(ImageProcessor images, Tokenizer tokens, VideoProcessor videos,
            const ChatTemplate& chat = chat_templates::qwen3_5)
      : image_processor(std::move(images)),
        tokenizer(std::move(tokens)),
        video_processor(std::move(videos)),
        chat_template(chat) {
    constexpr PlaceholderTokens names;
    image_token_id_ = token(names.image);
    video_token_id_ = token(names.video);
    token(names.vision_start);
    token(names.vision_end);
    const PreprocessorConfig& a = image_processor.config();
    const PreprocessorConfig& b = video_processor.config();
    if (a.patch_size != b.patch_size || a.temporal_patch_size != b.temporal_patch_size ||
        a.merge_size != b.merge_size) {
      decline<InputError>(concat("processor: pictures are cut into patches of ", a.patch_size, " pixels, ",
                                 a.temporal_patch_size, " frames, merged by ", a.merge_size, ", videos into ",
                                 b.patch_size, ", ", b.temporal_patch_size, ", ", b.merge_size));
    }
  }
  // A GGUF file with its picture tower beside it, or a model's folder, on disk or in memory: tokenizer.json,
  // preprocessor_config.json, video_preprocessor_config.json (or processor_config.json for these two) and, where they
  // are, tokenizer_config.json and the chat template, which `chat` replaces. Raises MediaError, ConfigError, InputError
  // and TextError, also for a template that is none of the family's: `chat` then has to say how to render. Each names
  // the file, or the folder whose files contradict each other.
  static Processor from_pretrained(const ModelFolder& folder, std::optional<ChatTemplate> chat = {});
  // The same, with what it would raise as a failure.
  static Result<Processor> try_from_pretrained(const ModelFolder& folder, std::optional<ChatTemplate> chat = {}) {
    return attempt([&] { return from_pretrained(folder, chat); });
  }
  // The same files of an opened checkpoint, or of one in memory.
  static Processor from_checkpoint(const Checkpoint& checkpoint, std::optional<ChatTemplate> chat = {}) {
    return from_pretrained(checkpoint.files(), chat);
  }

  // Writes preprocessor_config.json, video_preprocessor_config.json, processor_config.json, the tokenizer's two files,
  // and the chat templates of the folder that the processor comes from as chat_template.jinja and
  // additional_chat_templates/NAME.jinja; the folder is made where there is none. from_pretrained() and the reference
  // load it. Raises TextError, also where a chat_template.json stands there, which would count before what is written.
  void save_pretrained(const std::string& folder) const;

  // Without texts for pictures and videos alone. Raises InputError unless the texts have a placeholder for each picture
  // and each video and no more (the reference lets the model find out, or nobody), MediaError for what cannot be read,
  // which says what it was: "images[1]".
  ProcessorOutput process(const ProcessorInput& input) const {
    return process(input, {place_in_list("images"), place_in_list("videos")});
  }
  ProcessorOutput operator()(const ProcessorInput& input) const { return process(input); }

  // Renders the conversation, loads its media in their order, and processes both: the reference's tokenize = True. What
  // cannot be read is called by its place: "messages[1].content[0]", of several conversations
  // "conversations[2].messages[1].content[0]".
  ProcessorOutput apply_chat_template(const std::vector<Message>& messages, const ChatInput& input = {}) const {
    return apply_chat_template(std::span(&messages, 1), input);
  }
  ProcessorOutput apply_chat_template(const json::Value& messages, const ChatInput& input = {}) const {
    const std::vector<Message> list = messages_from_json(messages, input.sources);
    return declined() ? ProcessorOutput() : apply_chat_template(list, input);
  }
  // Several conversations, one row each.
  ProcessorOutput apply_chat_template(std::span<const std::vector<Message>> conversations,
                                      const ChatInput& input = {}) const;
  // The text alone: tokenize = False.
  RenderedChat render(const std::vector<Message>& messages, const ChatInput& input = {}) const {
    return render_chat(messages, input.tools,
                       {.add_generation_prompt = input.add_generation_prompt,
                        .enable_thinking = input.enable_thinking,
                        .add_vision_id = input.add_vision_id,
                        .preserve_thinking = input.preserve_thinking,
                        .continue_final_message = input.continue_final_message,
                        .chat_template = chat_template});
  }

  // See Tokenizer.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = false,
                     bool clean_up_tokenization_spaces = false) const {
    return tokenizer.decode(ids, skip_special_tokens, clean_up_tokenization_spaces);
  }
  // The text of each row: of `sequences` that generate() gave, of rows of ids.
  template <class Rows>
  std::vector<std::string> batch_decode(const Rows& rows, bool skip_special_tokens = false,
                                        bool clean_up_tokenization_spaces = false) const {
    return tokenizer.batch_decode(rows, skip_special_tokens, clean_up_tokenization_spaces);
  }
  template <class Rows>
  std::vector<std::string> post_process_image_text_to_text(const Rows& rows, bool skip_special_tokens = true,
                                                           bool clean_up_tokenization_spaces = false) const {
    return tokenizer.batch_decode(rows, skip_special_tokens, clean_up_tokenization_spaces);
  }
  std::string image_token() const { return std::string(PlaceholderTokens().image); }
  std::string video_token() const { return std::string(PlaceholderTokens().video); }
  TokenId image_token_id() const { return image_token_id_; }
  TokenId video_token_id() const { return video_token_id_; }
  TokenId vision_start_token_id() const { return token(PlaceholderTokens().vision_start); }
  TokenId vision_end_token_id() const { return token(PlaceholderTokens().vision_end); }

  // For sessions; of `options` it reads the media's (images_kwargs, videos_kwargs, folder_fps, limits). The processor
  // must outlive it.
  MediaLoader media_loader() const& { return media_loader(ProcessorInput()); }
  MediaLoader media_loader() const&& = delete;
  MediaLoader media_loader(ProcessorInput options) const&& = delete;
  MediaLoader media_loader(ProcessorInput options) const& {
    return [this, options = std::move(options)](const ContentPart& part) { return load(part, options); };
  }
  LoadedMedium load(const ContentPart& part, const ProcessorInput& options = {}) const;

  ImageProcessor image_processor;
  Tokenizer tokenizer;
  VideoProcessor video_processor;
  ChatTemplate chat_template;

 private:
  TokenId token(std::string_view name) const {
    const TokenId id = tokenizer.convert_tokens_to_ids(name);
    if (id < 0) {
      decline<TextError>(concat("processor: the tokenizer has no token ", name));
    }
    return id;
  }
  // What stands for each picture and each video in a text.
  struct MediaTexts {
    std::vector<std::string> images, videos;
  };
  struct MediaPlaces {
    PlaceOfMedium image, video;
  };
  ProcessorOutput process(const ProcessorInput& input, const MediaPlaces& places) const;
  MediaTexts process_media(const ProcessorInput& input, const MediaPlaces& places, ProcessorOutput& out) const;
  void tokenize(const ProcessorInput& input, const std::vector<std::string>& texts, const AddedTokenFilter& acts,
                ProcessorOutput& out) const;

  TokenId image_token_id_ = -1;
  TokenId video_token_id_ = -1;
  NamedChatTemplates templates_;  // as the folder has them
};

}  // inline namespace

QWEN35_END_NAMESPACE

#include <qwen35/processor/processor_impl.hpp>
