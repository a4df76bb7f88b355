// SPDX-License-Identifier: Apache-2.0
// The fixed text of the chat template's tools block: model input, kept to the byte.
#pragma once

#include <qwen35/core/abi.hpp>

#include <string_view>

QWEN35_BEGIN_NAMESPACE
inline constexpr std::string_view tools_opening = "# Tools\n\nYou have access to the following functions:\n\n<tools>";

// The usage paragraph alone is 817 characters, sha256 c618bf70de036a3337fbf9cfaf7171d7b700d3e116d61b6f4a40511e1ab4e25b.
inline constexpr std::string_view tools_closing =
    "\n</tools>"
    "\n"
    "\n"
    "If you choose to call a function ONLY reply in the following format with NO suffix:\n"
    "\n"
    "<tool_call>\n"
    "<function=example_function_name>\n"
    "<parameter=example_parameter_1>\n"
    "value_1\n"
    "</parameter>\n"
    "<parameter=example_parameter_2>\n"
    "This is the value for the second parameter\n"
    "that can span\n"
    "multiple lines\n"
    "</parameter>\n"
    "</function>\n"
    "</tool_call>\n"
    "\n"
    "<IMPORTANT>\n"
    "Reminder:\n"
    "- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within "
    "<tool_call></tool_call> XML tags\n"
    "- Required parameters MUST be specified\n"
    "- You may provide optional reasoning for your function call in natural language BEFORE the function call, but NOT "
    "after\n"
    "- If there is no function call available, answer the question like normal with your current knowledge and do not "
    "tell the user about function calls\n"
    "</IMPORTANT>";
QWEN35_END_NAMESPACE
