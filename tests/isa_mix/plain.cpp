// SPDX-License-Identifier: Apache-2.0
#define SIGHT seen_by_plain
#include <isa_mix/sight.ipp>
