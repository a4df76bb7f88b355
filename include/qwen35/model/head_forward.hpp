// SPDX-License-Identifier: Apache-2.0
// What models with a language-model head do behind their text model.
#pragma once

#include <qwen35/core/part_clock.hpp>
#include <qwen35/model/forward_input.hpp>
#include <qwen35/model/sequence_slice.hpp>

#if QWEN35_BODIES
#include <qwen35/model/losses.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Slices through a TextModel, and the head over the wanted rows.
template <class Text>
SliceRows forward_with_head(const Text& text, std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                            const ForwardRecord& record) {
  const Matrix& head = text.weights().lm_head;
  SliceRows out{.count = wanted_rows(slices), .hidden_size = head.cols, .vocab_size = head.rows};
  float* const rows = text.prepare(workspace, head.cols + head.rows, out.count);
  text.run(slices, workspace, rows, record);
  float* const logits = rows + out.count * head.cols;
  PartClock::enter(Part::head);
  lm_head(head, rows, out.count, logits, workspace.tokens(), workspace.arena());
  PartClock::enter(Part::rest);
  out.hidden = rows;
  out.logits = logits;
  return out;
}

// The routers' load-balancing loss, a part of the loss if there is one.
void add_router_loss(ForwardOutput& output, const ForwardInput& input, std::size_t num_experts, std::size_t top_k,
                     double factor);

#if QWEN35_BODIES

QWEN35_BODY void add_router_loss(ForwardOutput& output, const ForwardInput& input, std::size_t num_experts,
                                 std::size_t top_k, double factor) {
  output.aux_loss = load_balancing_loss(output.router_logits, num_experts, top_k, input.attention_mask);
  if (output.loss) {
    *output.loss += static_cast<float>(factor) * *output.aux_loss;
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
