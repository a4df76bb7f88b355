// SPDX-License-Identifier: Apache-2.0
#define SIGHT seen_by_avx2
#include <isa_mix/sight.ipp>
