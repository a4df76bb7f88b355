// SPDX-License-Identifier: Apache-2.0
// All of a small text model, but what makes or writes one.
// budget: generate lines 79000 bytes 196000
#include <qwen35/model.hpp>

template class qwen35::TextModel<qwen35::configs::Shapes>;
