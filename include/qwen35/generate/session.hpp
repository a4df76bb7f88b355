// SPDX-License-Identifier: Apache-2.0
// Has moved: include <qwen35/session/session.hpp>.
#pragma once

#include <qwen35/session/session.hpp>
