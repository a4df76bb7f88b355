// SPDX-License-Identifier: Apache-2.0
// expect: deleted
#include <qwen35/text/tokenizer.hpp>

using namespace qwen35;

std::string call(const Tokenizer& tokenizer) {
#if defined(QWEN35_POSITIVE_CONTROL)
  StreamDecoder decoder(tokenizer);
#else
  StreamDecoder decoder(Tokenizer{tokenizer});
#endif
  return decoder.finish();
}
