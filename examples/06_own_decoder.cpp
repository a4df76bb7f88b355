// SPDX-License-Identifier: Apache-2.0
// A decoder of your own from the library's layers: two Gated DeltaNet layers, one gated attention layer, random
// weights, a sequence in two pieces.
//
// Expected output:
//   48 tokens through 3 layers of 64; state of a sequence: 27 KiB
//   in two pieces as in one: yes
#include <qwen35/layers/decoder_layer.hpp>
#include <qwen35/layers/gated_attention.hpp>
#include <qwen35/layers/gated_delta_net.hpp>
#include <qwen35/layers/moe_block.hpp>
#include <qwen35/layers/rotary_embedding.hpp>
#include <qwen35/weights/initialise.hpp>

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t width = 64;
using Mixer = qwen35::GatedDeltaNet<4, 16, 2>;       // 4 value heads, 2 key heads, heads of 16
using Attention = qwen35::GatedAttention<4, 2, 16>;  // 4 query heads on 2 key-value heads
using Experts = qwen35::MoeBlock<8, 2, 32>;          // 2 of 8 experts, 32 wide
using LinearLayer = qwen35::DecoderLayer<Mixer, Experts>;
using FullLayer = qwen35::DecoderLayer<Attention, Experts>;
constexpr std::size_t capacity = qwen35::kernels::attention_split;  // slots of the attention layer: one page

// The layers with random weights, which live in `storage`.
struct Decoder {
  LinearLayer::Weights first, second;
  FullLayer::Weights third;
  qwen35::BoundStorage storage;
  qwen35::RotaryEmbedding rotary{{.partial_rotary_factor = 0.5, .mrope_section = {2, 1, 1}}, 16, 1024};

  Decoder() {
    qwen35::Initialiser random(storage, {.seed = 1}, 0.15);
    visit_parameters(first, Mixer::sizes(width), Experts::sizes(width), "linear_attn.", "layers.0.", random);
    visit_parameters(second, Mixer::sizes(width), Experts::sizes(width), "linear_attn.", "layers.1.", random);
    visit_parameters(third, Attention::sizes(width, false), Experts::sizes(width), "self_attn.", "layers.2.", random);
  }
};

// The states of one sequence in all three layers.
struct State {
  std::vector<float> conv = std::vector<float>(2 * Mixer::conv_state_size);
  std::vector<float> recurrent = std::vector<float>(2 * Mixer::recurrent_state_size);
  std::vector<std::byte> page = std::vector<std::byte>(capacity * Attention::state_bytes(qwen35::DType::f32));
  std::size_t length = 0;

  std::size_t bytes() const { return (conv.size() + recurrent.size()) * sizeof(float) + page.size(); }
};

// hidden `[tokens, width]`, in place.
void forward(const Decoder& decoder, State& state, std::vector<float>& hidden) {
  const std::size_t tokens = hidden.size() / width;
  const qwen35::TokenSpan span{.sequence = 0, .first = 0, .count = tokens, .slot = state.length};
  std::vector<std::int32_t> positions(3 * tokens);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    positions[i] = static_cast<std::int32_t>(state.length + i % tokens);
  }
  std::vector<float> cos(tokens * decoder.rotary.half());
  std::vector<float> sin(cos.size());
  decoder.rotary.fill(positions.data(), tokens, tokens, positions.back(), cos.data(), sin.data());

  qwen35::Pass pass;
  pass.tokens = tokens;
  pass.spans = {&span, 1};
  pass.rotary = {cos.data(), sin.data(), decoder.rotary.half()};
  qwen35::Arena arena(1 << 20);
  const qwen35::GatedDeltaNetState linear[] = {
      {state.conv.data(), state.recurrent.data()},
      {state.conv.data() + Mixer::conv_state_size, state.recurrent.data() + Mixer::recurrent_state_size}};
  std::byte* const pages[] = {state.page.data()};
  const qwen35::GatedAttentionState full{pages, 0, state.page.size() / 2, qwen35::DType::f32};
  LinearLayer::forward(decoder.first, hidden.data(), width, pass, {&linear[0], 1}, arena);
  LinearLayer::forward(decoder.second, hidden.data(), width, pass, {&linear[1], 1}, arena);
  FullLayer::forward(decoder.third, hidden.data(), width, pass, {&full, 1}, arena);
  state.length += tokens;
}

}  // namespace

int main() {
  Decoder decoder;
  std::vector<float> input(48 * width);
  for (std::size_t i = 0; i < input.size(); ++i) {
    input[i] = static_cast<float>(i % 37) / 18.0f - 1.0f;
  }

  State whole_state;
  std::vector<float> whole = input;
  forward(decoder, whole_state, whole);
  std::printf("48 tokens through 3 layers of %zu; state of a sequence: %zu KiB\n", width, whole_state.bytes() / 1024);

  State state;
  std::vector<float> head(input.begin(), input.begin() + 19 * width);
  std::vector<float> tail(input.begin() + 19 * width, input.end());
  forward(decoder, state, head);
  forward(decoder, state, tail);
  head.insert(head.end(), tail.begin(), tail.end());
  const bool same = head == whole;
  std::printf("in two pieces as in one: %s\n", same ? "yes" : "no");
  return same ? 0 : 1;
}
