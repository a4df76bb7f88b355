// SPDX-License-Identifier: Apache-2.0
// Who proposes tokens that a step may run beyond the newest one.
#pragma once

#include <qwen35/generate/sequence.hpp>

QWEN35_BEGIN_NAMESPACE

// `draft` appends to `out` the tokens that it thinks follow. The step runs them with the newest token, keeps those that
// the chooser would have chosen, and takes the others back: the result is the same, only sooner.
template <class D>
concept Drafter = requires(D& drafter, const Sequence& sequence, std::vector<TokenId>& out) {
  drafter.draft(sequence, out);
};

struct NoDraft {
  void draft(const Sequence&, std::vector<TokenId>&) const {}
};

static_assert(Drafter<NoDraft>);

QWEN35_END_NAMESPACE
