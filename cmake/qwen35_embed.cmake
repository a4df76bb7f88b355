# SPDX-License-Identifier: Apache-2.0
# Files inside a binary, without a copy at run time.
#
#   qwen35_embed(my_program NAME weights FILES model.safetensors tokenizer.json)
#
# gives my_program the header <qwen35_embed/weights.hpp>, with a function for each file, named after it, and a table of all:
#
#   std::span<const std::byte> weights::model_safetensors();     // aligned to 64 bytes, followed by a zero byte that is not counted
#   std::span<const std::pair<std::string_view, std::span<const std::byte>>> weights::files();    // {"model.safetensors", bytes}, ...
#
# NAME is an identifier, another one for each call with the same target. Relative paths are looked for in the current source directory. Every character of a file's name that no identifier may
# have becomes `_`; a name that starts with a digit or is a C++ keyword gets a `_` in front.
#
# The assembler copies the bytes (.incbin), so that 100 MB cost a fraction of a second, and no language but C++ need be enabled. A changed file is
# embedded anew by the next build. All that is embedded in one program should stay below 2 GB, the reach of an address in ordinary x86-64 code.
include_guard(GLOBAL)

set(QWEN35_EMBED_KEYWORDS
  alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await co_return co_yield compl
  concept const const_cast consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum explicit export extern
  false files float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected
  public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this
  thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
  CACHE INTERNAL "")

function(qwen35_embed target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "NAME" "FILES")
  if(NOT TARGET "${target}")
    message(FATAL_ERROR "qwen35_embed: ${target} is not a target")
  endif()
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_FILES)
    message(FATAL_ERROR "qwen35_embed(${target}): expected NAME identifier FILES file...")
  endif()
  if(NOT arg_NAME MATCHES "^[A-Za-z_][A-Za-z0-9_]*$" OR arg_NAME IN_LIST QWEN35_EMBED_KEYWORDS)
    message(FATAL_ERROR "qwen35_embed(${target}): NAME must be an identifier, not '${arg_NAME}'")
  endif()
  get_target_property(names "${target}" QWEN35_EMBEDDED)
  if(arg_NAME IN_LIST names)
    message(FATAL_ERROR "qwen35_embed(${target}): there is a NAME ${arg_NAME} in it already")
  endif()
  set_property(TARGET "${target}" APPEND PROPERTY QWEN35_EMBEDDED "${arg_NAME}")
  if(MSVC)
    message(FATAL_ERROR "qwen35_embed(${target}): needs an assembler with .incbin (GCC or Clang)")
  endif()

  # cmake_parse_arguments escapes a semicolon inside an argument; it is no character that a build file can carry.
  string(REPLACE "\\;" "?semicolon?" files "${arg_FILES}")
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/qwen35_embed/${target}")
  set(source "${directory}/${arg_NAME}.cpp")
  set(seen "")
  set(paths "")
  set(declarations "")
  set(definitions "")
  set(rows "")
  set(blocks "")
  set(symbols "")
  set(index 0)
  foreach(file IN LISTS files)
    if(file MATCHES "[?]semicolon[?]" OR file MATCHES "[\n\r\"\\]")
      message(FATAL_ERROR "qwen35_embed(${target}): a file name with a semicolon, quote, backslash or line break cannot be embedded: ${file}")
    endif()
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE OUTPUT_VARIABLE path)
    if(NOT EXISTS "${path}" OR IS_DIRECTORY "${path}")
      message(FATAL_ERROR "qwen35_embed(${target}): there is no file ${path}")
    endif()
    cmake_path(GET path FILENAME name)
    string(REGEX REPLACE "[^A-Za-z0-9_]" "_" identifier "${name}")
    if(identifier MATCHES "^[0-9]" OR identifier IN_LIST QWEN35_EMBED_KEYWORDS)
      set(identifier "_${identifier}")
    endif()
    if(identifier IN_LIST seen)
      message(FATAL_ERROR "qwen35_embed(${target}): two files would both be ${arg_NAME}::${identifier}(); the second is ${path}")
    endif()
    list(APPEND seen "${identifier}")
    list(APPEND paths "${path}")
    # A symbol of the assembler's own file, in no symbol table: two embeddings in one program do not meet.
    set(symbol "qwen35_embedded_${index}")
    math(EXPR index "${index} + 1")
    string(APPEND blocks "EMBED(\"${symbol}\", R\"path(${path})path\")\n")
    string(APPEND symbols "extern \"C\" __attribute__((visibility(\"hidden\"))) const std::byte ${symbol}[], ${symbol}_end[];\n")
    string(APPEND declarations "std::span<const std::byte> ${identifier}();\n")
    string(APPEND definitions "std::span<const std::byte> ${identifier}() { return {${symbol}, ${symbol}_end}; }\n")
    string(APPEND rows "    {std::string_view(R\"name(${name})name\"), {${symbol}, ${symbol}_end}},\n")
  endforeach()

  file(CONFIGURE OUTPUT "${directory}/include/qwen35_embed/${arg_NAME}.hpp" @ONLY CONTENT [=[
// The files embedded in @target@ as `@arg_NAME@`.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace @arg_NAME@ {

// Each is aligned to 64 bytes.
@declarations@
// (file name, bytes) of all of them, in the order in which they were named.
std::span<const std::pair<std::string_view, std::span<const std::byte>>> files();

}  // namespace @arg_NAME@
]=])
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [=[
// The files embedded in @target@ as `@arg_NAME@`.
#include <qwen35_embed/@arg_NAME@.hpp>

#include <array>

#if defined(__APPLE__)
#define EMBED_SECTION "__DATA,__const"
#define EMBED_PREFIX "_"
#else
#define EMBED_SECTION ".rodata"
#define EMBED_PREFIX ""
#endif
// The labels are local to this file.
#define EMBED(symbol, path)                                                                                                \
  __asm__(".section " EMBED_SECTION "\n.balign 64\n" EMBED_PREFIX symbol ":\n.incbin \"" path "\"\n" EMBED_PREFIX symbol \
          "_end:\n.byte 0\n.text\n");

@blocks@
@symbols@
namespace @arg_NAME@ {

@definitions@
std::span<const std::pair<std::string_view, std::span<const std::byte>>> files() {
  static const std::array<std::pair<std::string_view, std::span<const std::byte>>, @index@> table{{
@rows@  }};
  return table;
}

}  // namespace @arg_NAME@
]=])

  # Link-time optimisation moves code away from the assembler's labels. A debugger needs nothing of it, sanitizers neither.
  set_property(SOURCE "${source}" PROPERTY COMPILE_OPTIONS -fno-lto)
  set_property(SOURCE "${source}" APPEND PROPERTY OBJECT_DEPENDS "${paths}")
  target_sources("${target}" PRIVATE "${source}")
  target_include_directories("${target}" PRIVATE "${directory}/include")
endfunction()
