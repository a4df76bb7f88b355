// SPDX-License-Identifier: Apache-2.0
// Stands for a copy of Highway that a user's project brings: the system's, with a mark.
#define OWN_HIGHWAY
#include_next <hwy/highway.h>
