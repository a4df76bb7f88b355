// SPDX-License-Identifier: Apache-2.0
// Names only, for files that pass models and caches around.
#pragma once

#include <qwen35/core/abi.hpp>

QWEN35_BEGIN_NAMESPACE

class Cancellation;
class Checkpoint;
class Tokenizer;
class StreamDecoder;
struct CacheOptions;
class SequenceCache;
class RectangleCache;
class ForwardWorkspace;
struct SequenceSlice;
struct ForwardInput;
struct ForwardOutput;
struct GenerationConfig;
struct ImageFeatures;

template <class Config>
class TextModel;
template <class Config>
class CausalLM;
template <class Config>
class Model;
template <class Config>
class ConditionalGeneration;
template <class Config>
class HybridCache;
template <class Config>
class Snapshot;
template <class Config>
class Workspace;
template <class T>
class Tensor;
template <class T>
class TensorView;
template <class Model>
struct GenerateInput;
template <class Model>
struct GenerateOutput;

QWEN35_END_NAMESPACE
