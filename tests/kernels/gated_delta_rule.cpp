// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

using namespace qwen35;
using namespace kernel_test;

namespace {

struct Problem {
  std::size_t tokens, key_dim, value_dim, qk_stride, v_stride, gate_stride, out_stride;
  std::vector<float> q, k, v, decay, beta, start;

  Problem(std::size_t t, std::size_t dk, std::size_t dv, std::size_t pad)
      : tokens(t),
        key_dim(dk),
        value_dim(dv),
        qk_stride(dk + pad),
        v_stride(dv + 2 * pad),
        gate_stride(1 + pad),
        out_stride(dv + pad),
        q(random_values(t * qk_stride, 1)),
        k(random_values(t * qk_stride, 2)),
        v(random_values(t * v_stride, 3)),
        decay(random_values(t * gate_stride, 4)),
        beta(random_values(t * gate_stride, 5)),
        start(random_values(dk * dv, 6)) {
    for (std::size_t i = 0; i < t; ++i) {
      double sum = 0;
      for (std::size_t d = 0; d < dk; ++d) {
        sum += static_cast<double>(k[i * qk_stride + d]) * static_cast<double>(k[i * qk_stride + d]);
      }
      for (std::size_t d = 0; d < dk; ++d) {
        k[i * qk_stride + d] /= static_cast<float>(std::sqrt(sum + 1e-6));
      }
    }
    for (float& value : decay) {
      value = 0.75f + 0.25f * value;
    }
    for (float& value : beta) {
      value = 0.5f + 0.5f * value;
    }
  }

  std::vector<float> initial_state() const {
    std::vector<float> state(kernels::delta_state_size(key_dim, value_dim), 0.0f);
    for (std::size_t i = 0; i < key_dim; ++i) {
      for (std::size_t j = 0; j < value_dim; ++j) {
        state[(j / 16 * key_dim + i) * 16 + j % 16] = start[i * value_dim + j];
      }
    }
    return state;
  }

  // Tokens [first, first + count) on `state`, appended to `out` [tokens, out_stride].
  void run(std::size_t first, std::size_t count, std::vector<float>& state, std::vector<float>& out) const {
    kernels::DeltaRuleTask task;
    task.state = state.data();
    task.q = q.data() + first * qk_stride;
    task.k = k.data() + first * qk_stride;
    task.qk_stride = qk_stride;
    task.v = v.data() + first * v_stride;
    task.v_stride = v_stride;
    task.decay = decay.data() + first * gate_stride;
    task.beta = beta.data() + first * gate_stride;
    task.gate_stride = gate_stride;
    task.out = out.data() + first * out_stride;
    task.out_stride = out_stride;
    task.tokens = count;
    task.key_dim = key_dim;
    task.value_dim = value_dim;
    kernels::gated_delta_rule(task);
  }

  // The definition, in double precision.
  void truth(std::vector<double>& state, std::vector<double>& out) const {
    state.assign(start.begin(), start.end());
    out.assign(tokens * value_dim, 0.0);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (double& value : state) {
        value *= static_cast<double>(decay[t * gate_stride]);
      }
      for (std::size_t j = 0; j < value_dim; ++j) {
        double u = 0;
        for (std::size_t i = 0; i < key_dim; ++i) {
          u += state[i * value_dim + j] * static_cast<double>(k[t * qk_stride + i]);
        }
        const double delta =
            static_cast<double>(beta[t * gate_stride]) * (static_cast<double>(v[t * v_stride + j]) - u);
        for (std::size_t i = 0; i < key_dim; ++i) {
          state[i * value_dim + j] += static_cast<double>(k[t * qk_stride + i]) * delta;
          out[t * value_dim + j] += state[i * value_dim + j] * static_cast<double>(q[t * qk_stride + i]);
        }
      }
    }
  }
};

}  // namespace

TEST_CASE("the delta rule agrees with its definition in double precision") {
  for_each_isa([] {
    for (const std::size_t key_dim : {1u, 2u, 3u, 5u, 16u, 34u, 128u}) {
      for (const std::size_t value_dim : {1u, 4u, 15u, 16u, 17u, 40u}) {
        for (const std::size_t tokens : {1u, 2u, 33u}) {
          const Problem problem(tokens, key_dim, value_dim, tokens % 3);
          CAPTURE(key_dim);
          CAPTURE(value_dim);
          CAPTURE(tokens);
          std::vector<float> state = problem.initial_state();
          std::vector<float> out(tokens * problem.out_stride, 77.0f);
          problem.run(0, tokens, state, out);
          std::vector<double> true_state, true_out;
          problem.truth(true_state, true_out);
          std::vector<float> dense(key_dim * value_dim), rows(tokens * value_dim);
          bool padding_intact = true;
          for (std::size_t i = 0; i < key_dim; ++i) {
            for (std::size_t j = 0; j < (value_dim + 15) / 16 * 16; ++j) {
              const float value = state[(j / 16 * key_dim + i) * 16 + j % 16];
              if (j < value_dim) {
                dense[i * value_dim + j] = value;
              } else {
                padding_intact = padding_intact && value == 0.0f;
              }
            }
          }
          for (std::size_t t = 0; t < tokens; ++t) {
            for (std::size_t j = 0; j < problem.out_stride; ++j) {
              if (j < value_dim) {
                rows[t * value_dim + j] = out[t * problem.out_stride + j];
              } else {
                padding_intact = padding_intact && out[t * problem.out_stride + j] == 77.0f;
              }
            }
          }
          CHECK(padding_intact);
          CHECK(distance(dense, true_state) < 3e-6);
          CHECK(distance(rows, true_out) < 3e-6);
        }
      }
    }
  });
}

TEST_CASE("the delta rule gives the same bits for any split of the tokens") {
  for_each_isa([] {
    for (const std::size_t key_dim : {6u, 128u}) {
      for (const std::size_t value_dim : {16u, 35u}) {
        const Problem problem(29, key_dim, value_dim, 1);
        std::vector<float> state = problem.initial_state();
        std::vector<float> out(29 * problem.out_stride, 0.0f);
        problem.run(0, 29, state, out);
        for (const std::size_t piece : {1u, 2u, 7u, 28u}) {
          std::vector<float> piece_state = problem.initial_state();
          std::vector<float> piece_out(out.size(), 0.0f);
          problem.run(0, 0, piece_state, piece_out);
          for (std::size_t first = 0; first < 29; first += piece) {
            problem.run(first, std::min<std::size_t>(piece, 29 - first), piece_state, piece_out);
          }
          CHECK(same_bits(piece_state, state));
          CHECK(same_bits(piece_out, out));
        }
      }
    }
  });
}

TEST_CASE("a zero token on a zero state leaves zero") {
  for_each_isa([] {
    Problem problem(3, 8, 20, 0);
    problem.q.assign(problem.q.size(), 0.0f);
    problem.k.assign(problem.k.size(), 0.0f);
    problem.v.assign(problem.v.size(), 0.0f);
    std::vector<float> state(kernels::delta_state_size(8, 20), 0.0f);
    std::vector<float> out(3 * 20, 1.0f);
    problem.run(0, 3, state, out);
    CHECK(state == std::vector<float>(state.size(), 0.0f));
    CHECK(out == std::vector<float>(out.size(), 0.0f));
  });
}
