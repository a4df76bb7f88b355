// SPDX-License-Identifier: Apache-2.0
// Names only, for headers that pass models, conversations and what goes with them around.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstdint>

QWEN35_BEGIN_NAMESPACE

// Errors.
class Error;
class ConfigError;
class UncompiledModelError;
class CheckpointError;
class InputError;
class CacheError;
class TextError;
class MediaError;
class CancelledError;
struct Failure;
template <class T>
class Result;

// Values.
class Shape;
template <class T>
class Tensor;
template <class T>
class TensorView;
class Cancellation;
namespace json {
class Value;
}  // namespace json

// What a model is.
namespace configs {
struct Shapes;
struct Qwen35_35B_A3B;
struct Qwen36_35B_A3B;
struct Qwen35_122B_A10B;
struct Qwen35_397B_A17B;
struct Qwen35_0_8B;
struct Qwen35_2B;
struct Qwen35_4B;
struct Qwen35_9B;
struct Qwen35_27B;
}  // namespace configs
class Checkpoint;
struct CheckpointOptions;

// Models.
template <class Config>
class TextModel;
template <class Config>
class CausalLM;
template <class Config>
class Model;
template <class Config>
class ConditionalGeneration;
class AnyModel;
struct ForwardInput;
struct ForwardOutput;
struct ImageFeatures;
struct SequenceSlice;
class ForwardWorkspace;
template <class Config>
class Workspace;

// What they remember.
struct CacheOptions;
class SequenceCache;
class RectangleCache;
template <class Config>
class HybridCache;
template <class Config>
class Snapshot;

// From prompts to tokens.
struct GenerationConfig;
struct GenerateInputs;
template <class Model>
using GenerateInput = GenerateInputs;
struct GenerateOutputs;
template <class Model>
using GenerateOutput = GenerateOutputs;
struct BatchOptions;
struct NoDraft;
template <class Model, class Drafter = NoDraft>
class Batch;
struct Sequence;
struct Usage;
enum class FinishReason : std::uint8_t;
class LogitsProcessor;
class StoppingCriteria;

// Text.
class Tokenizer;
struct TokenizerOptions;
struct BatchEncoding;
class StreamDecoder;
enum class Role : std::uint8_t;
struct Message;
class MessageContent;
struct ContentPart;
struct ToolCall;
struct ChatTemplate;
struct ChatTemplateOptions;
struct OutputEvent;
struct ParsedOutput;

// Pictures.
class Image;
#if defined(QWEN35_HAS_FFMPEG)
inline namespace with_ffmpeg {
#else
inline namespace without_ffmpeg {
#endif
class Processor;
}
struct ProcessorInput;
struct ProcessorOutput;

// Conversations.
template <class Model>
class Session;
struct SessionOptions;
struct SessionCallbacks;
struct Reply;

QWEN35_END_NAMESPACE
