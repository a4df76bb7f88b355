// SPDX-License-Identifier: Apache-2.0
// All of a small text model.
#include <qwen35/model.hpp>

template class qwen35::TextModel<qwen35::configs::Shapes>;
