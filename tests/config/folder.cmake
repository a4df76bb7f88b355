# SPDX-License-Identifier: Apache-2.0
# Config types written from files: one of each shape, and files that must be refused with the right words.
set(data "${PROJECT_SOURCE_DIR}/tests/data/config")
qwen35_add_config(test_config NAME shapes_from_file FROM "${data}/shapes.json")
foreach(kind dense_text moe_odd dense_composite nearly_empty loosely_written)
  qwen35_add_config(test_config NAME ${kind} FROM "${data}/${kind}.json")
endforeach()

# Of a file with this text CMake says these words: qwen35_refused() with an error, qwen35_warned() with a header.
function(qwen35_said as name words json)
  set(file "${CMAKE_CURRENT_BINARY_DIR}/bad_configs/${name}.json")
  file(CONFIGURE OUTPUT "${file}" CONTENT "${json}" @ONLY)
  add_test(NAME add_config_${as}_${name}
           COMMAND "${CMAKE_COMMAND}" "-DFROM=${file}" "-DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/bad_configs/${name}.hpp" "-DEXPECT=${words}"
                   "-DAS=${as}" "-DLIBRARY=${PROJECT_SOURCE_DIR}" -P "${PROJECT_SOURCE_DIR}/tests/config/says.cmake")
  set_tests_properties(add_config_${as}_${name} PROPERTIES LABELS config)
endfunction()
function(qwen35_refused name words json)
  qwen35_said(refuses ${name} "${words}" "${json}")
endfunction()
function(qwen35_warned name words json)
  qwen35_said(warns ${name} "${words}" "${json}")
endfunction()
qwen35_refused(no_json "not well-formed JSON" "{\"hidden_size\": ")
qwen35_refused(list "expected a JSON object" "[1, 2]")
qwen35_refused(family "model_type 'llama' is none of" [[{"model_type": "llama"}]])
qwen35_refused(outer_family "model_type 'qwen3_next' is none of" [[{"model_type": "qwen3_next", "text_config": {"model_type": "qwen3_5_moe_text"}}]])
qwen35_refused(text_size "hidden_size: expected a whole number from 0 to 2147483647, found STRING '2048 values'"
               [[{"model_type": "qwen3_5_moe_text", "hidden_size": "2048 values"}]])
qwen35_refused(negative "text_config: num_experts: expected a whole number" [[{"text_config": {"model_type": "qwen3_5_moe_text", "num_experts": -1}}]])
qwen35_refused(huge "vocab_size: expected a whole number" [[{"model_type": "qwen3_5_text", "vocab_size": 99999999999999999999}]])
qwen35_refused(fraction "vision_config: depth: expected a whole number" [[{"model_type": "qwen3_5", "vision_config": {"depth": 1.5}}]])
qwen35_refused(layers "layer_types: expected one entry for each of num_hidden_layers (3), not 1"
               [[{"model_type": "qwen3_5_text", "num_hidden_layers": 3, "layer_types": ["full_attention"]}]])
qwen35_refused(layer_kind "layer_types[0]: 'sliding_attention' is neither"
               [[{"model_type": "qwen3_5_text", "num_hidden_layers": 1, "layer_types": ["sliding_attention"]}]])
qwen35_refused(activation "hidden_act: 'relu' is none of" [[{"model_type": "qwen3_5_text", "hidden_act": "relu"}]])
qwen35_refused(rope_type "rope_type 'spiral' is none of" [[{"model_type": "qwen3_5_text", "rope_parameters": {"rope_type": "spiral"}}]])
qwen35_refused(rope_key "rope_scaling: rope_type 'yarn' needs the key 'factor'" [[{"model_type": "qwen3_5_text", "rope_scaling": {"type": "yarn"}}]])
qwen35_refused(sections "mrope_section: expected three sizes, found 2"
               [[{"model_type": "qwen3_5_text", "rope_parameters": {"mrope_section": [1, 2]}}]])
qwen35_refused(flag "attention_bias: expected true or false, found NUMBER '2'" [[{"model_type": "qwen3_5_text", "attention_bias": 2}]])
qwen35_refused(number "rms_norm_eps: expected a number, found STRING '1e400'" [[{"model_type": "qwen3_5_text", "rms_norm_eps": "1e400"}]])
qwen35_refused(token "image_token_id: expected a token id, found NUMBER '1.5'" [[{"model_type": "qwen3_5", "image_token_id": 1.5}]])
qwen35_refused(epsilon "rms_norm_eps: expected a number not below 0, found -0.5" [[{"model_type": "qwen3_5_text", "rms_norm_eps": -0.5}]])
qwen35_refused(positions "max_position_embeddings: expected a number above 0, found 0"
               [[{"model_type": "qwen3_5_text", "max_position_embeddings": "0"}]])
qwen35_refused(theta "rope_parameters: rope_theta: expected a number above 0, found 0"
               [[{"model_type": "qwen3_5_text", "rope_parameters": {"rope_theta": 0}}]])
# Fields that nothing reads, at each level, but for those that tell of the file or say what the model does in any case.
qwen35_warned(one_field "passed over 1 field that nothing reads: hiden_size" [[{"model_type": "qwen3_5_text", "hiden_size": 3, "dtype": "float32"}]])
qwen35_warned(fields "passed over 7 fields that nothing reads: tie, text_config.attn_output_gate, text_config.hidden?size, text_config.rope_parameters.fctor, text_config.rope_scaling.kind and 2 more"
              [[{"model_type": "qwen3_5_moe", "tie": true, "quantization_config": {"x": 1},
                 "text_config": {"rope_parameters": {"fctor": 2}, "rope_scaling": {"rope_type": "default", "type": "yarn", "kind": 1}, "hidden;size": null,
                                 "full_attention_interval": 4, "attn_output_gate": false, "mlp_only_layers": []},
                 "vision_config": {"dpth": 1, "deepstack_visual_indexes": [1], "model_type": "qwen3_5_moe_vision"}}]])
