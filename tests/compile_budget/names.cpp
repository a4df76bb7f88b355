// SPDX-License-Identifier: Apache-2.0
// What a program's own header says of models and conversations, without seeing them.
// budget: inline lines 600 bytes 4096
#include <qwen35/fwd.hpp>

namespace app {

using Preset = qwen35::configs::Qwen35_35B_A3B;
using Causal = qwen35::CausalLM<Preset>;
using Multimodal = qwen35::ConditionalGeneration<Preset>;

class Assistant {
 public:
  Assistant(const Multimodal& model, const qwen35::Processor& processor, const qwen35::SessionOptions& options);
  qwen35::Reply ask(const qwen35::Message& message, const qwen35::SessionCallbacks& callbacks);
  qwen35::Session<Multimodal>& session();

 private:
  qwen35::Session<Multimodal>* session_;
  const qwen35::GenerationConfig* config_;
};

void serve(qwen35::Batch<Causal>& batch, const qwen35::Tokenizer& tokenizer, const qwen35::GenerationConfig& config);
qwen35::GenerateOutput<Causal> answer(const Causal& model, const qwen35::GenerateInput<Causal>& input);
qwen35::ProcessorOutput look(const qwen35::Processor& processor, const qwen35::ProcessorInput& input);
qwen35::BatchEncoding encode(const qwen35::Tokenizer& tokenizer, const qwen35::TokenizerOptions& options);
qwen35::Tensor<float> logits(const qwen35::TextModel<Preset>& model, const qwen35::ForwardInput& input,
                             qwen35::HybridCache<Preset>* cache);
qwen35::FinishReason why(const qwen35::Sequence& sequence);
void show(const qwen35::Error& error, const qwen35::OutputEvent& event, const qwen35::json::Value& value);
const qwen35::AnyModel& open(const qwen35::Checkpoint& checkpoint, const qwen35::CheckpointOptions& options,
                             qwen35::Cancellation& cancellation);
void see(const qwen35::Image& image, const qwen35::ImageFeatures& features, qwen35::Role role);

}  // namespace app
