// SPDX-License-Identifier: Apache-2.0
#include <qwen35/fwd.hpp>

void keep(const qwen35::Tokenizer& tokenizer);
