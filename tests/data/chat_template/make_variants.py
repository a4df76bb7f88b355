#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what transformers' apply_chat_template gives for templates that are edited as people edit them.

Usage: make_variants.py CHAT_TEMPLATE_JINJA [CASES_PER_TEMPLATE] [SEED] > variants.jsonl

The first line tells the versions. A line {"name": ..., "edits": [[old, new], ...]} or {"name": ..., "source": ...} begins a template: the
published file (see make_cases.py) with each first `old` replaced, or a text of its own. The lines after it are its cases, as make_cases.py
describes them, without `v`.
"""
import hashlib
import json
import sys

import jinja2
import transformers

from make_cases import BASE_SHA256, Maker, make_tokenizer, run

NO_QUERY = """{%- if ns.multi_step_tool %}
    {{- raise_exception('No user query found in messages.') }}
{%- endif %}
"""
THINK = """    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- else %}
        {{- '<think>\\n' }}
    {%- endif %}
"""
SYSTEM = """    {%- if messages[0].role == 'system' %}
        {%- set content = render_content(messages[0].content, false, true)|trim %}
        {{- '<|im_start|>system\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
"""
DEFAULT_SYSTEM = SYSTEM.replace("    {%- endif %}\n{%- endif %}\n", "    {%- else %}\n        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n")
TOOL_LOOP = """    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
"""
ARGUMENT = ("{%- set args_value = args_value | tojson | safe if args_value is mapping or (args_value is sequence and args_value is not string) "
            "else args_value | string %}")
HISTORY = "{%- if loop.index0 > ns.last_query_index %}"
SEARCH_OLD = """{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" %}"""
USER = """        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
"""
SPLIT = """                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
"""
MIDDLE_SYSTEM = """        {%- if not loop.first %}
            {{- raise_exception('System message must be at the beginning.') }}
        {%- endif %}
"""

VARIANTS = {
    "no line for a missing query": [(NO_QUERY, "")],
    "a missing query is the last message": [(NO_QUERY, "{%- if ns.multi_step_tool %}{%- set ns.last_query_index = messages|length - 1 %}{%- endif %}\n")],
    "a system prompt of its own": [(SYSTEM, DEFAULT_SYSTEM)],
    "system messages anywhere": [(MIDDLE_SYSTEM, "        {%- if not loop.first %}{{- '<|im_start|>system\\n' + content + '<|im_end|>\\n' }}{%- endif %}\n")],
    "no thinking": [(THINK, "    {{- '<think>\\n\\n</think>\\n\\n' }}\n")],
    "no think block at all": [(THINK, "")],
    "thinking off unless asked": [(THINK, THINK.replace("is false", "is true").replace("<think>\\n\\n</think>\\n\\n", "@").replace("<think>\\n'", "<think>\\n\\n</think>\\n\\n'").replace("@", "<think>\\n"))],
    "thinking by default()": [(THINK, "    {{- '<think>\\n' if enable_thinking | default(true) else '<think>\\n\\n</think>\\n\\n' }}\n")],
    "a set with a default": [("{%- set image_count", "{%- set enable_thinking = enable_thinking if enable_thinking is defined else false %}\n{%- set image_count"),
                             (THINK, THINK.replace("enable_thinking is defined and enable_thinking is false", "not enable_thinking"))],
    "history kept": [(HISTORY, "{%- if true %}")],
    "history kept when asked": [(HISTORY, "{%- if preserve_thinking|default(false) or loop.index0 > ns.last_query_index %}")],
    "history dropped": [(HISTORY, "{%- if false %}")],
    "reasoning only where there is some": [(HISTORY, "{%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}")],
    "arguments as JSON": [(ARGUMENT, "{%- set args_value = args_value if args_value is string else args_value | tojson %}")],
    "arguments by items()": [("tool_call.arguments|items", "tool_call.arguments.items()")],
    "arguments if a mapping": [("{%- if tool_call.arguments is defined %}", "{%- if tool_call.arguments is mapping %}")],
    "tools with indent": [(TOOL_LOOP, TOOL_LOOP.replace("tool | tojson", "tool | tojson(indent=2)"))],
    "tools by function": [(TOOL_LOOP, TOOL_LOOP.replace("{{- tool | tojson }}", "{%- set f = tool.function if tool.function is defined else tool %}{{- f | tojson }}"))],
    "tools by name": [(TOOL_LOOP, "    {{- '\\n' ~ tools | map(attribute='name', default='?') | join(', ') }}\n")],
    "tools in a loop with a condition": [(TOOL_LOOP, "    {%- for tool in tools if tool is mapping %}\n        {{- '\\n' ~ loop.index ~ ': ' ~ tool | tojson }}\n    {%- else %}\n        {{- '\\nnone' }}\n    {%- endfor %}\n")],
    "search forwards": [(SEARCH_OLD, SEARCH_OLD.replace("messages[::-1]", "messages").replace("(messages|length - 1) - loop.index0", "loop.index0").replace("ns.multi_step_tool and ", "")),
                        ("{%- set ns.last_query_index = index %}", "{%- set ns.last_query_index = [ns.last_query_index, index]|max if not ns.multi_step_tool else index %}")],
    "search with break": [("            {%- set ns.last_query_index = index %}\n", "            {%- set ns.last_query_index = index %}\n            {%- break %}\n")],
    "user messages stripped on the right": [(USER, "        {{- '<|im_start|>user\\n' ~ content.rstrip() ~ '<|im_end|>\\n' }}\n")],
    "names of roles": [(USER, "        {{- '<|im_start|>' ~ {'user': 'User', 'tool': 'Tool'}.get(message.role, 'x') | lower ~ '\\n' ~ content ~ '<|im_end|>\\n' }}\n")],
    "reasoning by partition": [(SPLIT, SPLIT.replace("content.split('</think>')[0]", "content[:content.find('</think>')]"))],
    "reasoning of either name": [("{%- if message.reasoning_content is string %}\n            {%- set reasoning_content = message.reasoning_content %}",
                                  "{%- set own = message.reasoning_content or message.reasoning %}\n        {%- if own is string %}\n            {%- set reasoning_content = own %}")],
    "developer messages": [('{%- if message.role == "system" %}', '{%- if message.role in ["system", "developer"] %}'), (MIDDLE_SYSTEM, "")],
    "a macro for turns": [("{%- if not messages %}", "{%- macro turn(role, text='', end=true) %}{{ '<|im_start|>' ~ role ~ '\\n' ~ text }}{% if end %}{{ '<|im_end|>\\n' }}{% endif %}{%- endmacro %}\n{%- if not messages %}"),
                          (USER, "        {{- turn('user', content) }}\n"), ("{{- '<|im_start|>assistant\\n' }}\n", "{{- turn('assistant', end=false) }}\n")],
    "captured turns": [(USER, "        {%- set turn %}<|im_start|>user\n{{ content }}<|im_end|>\n{% endset %}\n        {{- turn }}\n")],
    "text between the tags": [(USER, "<|im_start|>user\n{{ content }}<|im_end|>\n\n        ")],
    "blanks that are kept": [("{%- if add_generation_prompt %}\n", "\n  {% if add_generation_prompt %}\n")],
    "tags without dashes": [("{%- for message in messages %}", "{# messages #}\n   {% for message in messages %}\n"), (HISTORY, "{% if loop.index0 > ns.last_query_index %}")],
    "a time of day": [("{%- set image_count", "{%- set now = strftime_now('%Y') | int %}\n{%- set image_count"), (USER, USER.replace("content +", "content + (' (late)' if now > 2000 else '') +"))],
    "media counted in one namespace": [("{%- set image_count = namespace(value=0) %}\n{%- set video_count = namespace(value=0) %}", "{%- set image_count = namespace(value=0, other='x') %}\n{%- set video_count = namespace() %}{%- set video_count.value = 0 %}")],
    "media first": [("{%- for item in content %}", "{%- for item in content | selectattr('type', 'defined') | list + content | rejectattr('type', 'defined') | list %}")],
    "replaced text": [("{{- item.text }}", "{{- item.text | replace('a', 'A') }}")],
    "generation marks": [("{{- '<|im_start|>' + message.role + '\\n' + content }}", "{% generation %}{{- '<|im_start|>' + message.role + '\\n' + content }}{% endgeneration %}")],
    "an instruction behind the last message": [(USER, USER.replace("'<|im_end|>'", "(' /no_think' if loop.last and enable_thinking is false else '') + '<|im_end|>'"))],
}
SOURCES = {
    "the plain form": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
                      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "with a default system message": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
                                     "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
                                     "{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}"
                                     "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
                                     "{{ '<|im_start|>' ~ message.role ~ '\\n' ~ (content | trim) ~ '<|im_end|>\\n' }}{% endfor %}",
    "contents joined": "{%- for m in messages %}\n<|im_start|>{{ m.role }}\n"
                       "{{ m.content if m.content is string else m.content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join('\\n') }}<|im_end|>\n{%- endfor %}\n",
    "filters in a row": "{% for m in messages if m.role in ['user', 'assistant'] %}[{{ loop.index }}/{{ loop.length }} {{ m.role | upper | replace('USER', 'U') | first }}] "
                        "{{ (m.content | string)[:20] | trim | tojson }}{{ '' if loop.last else ';' }}\n{% endfor %}",
}


def main():
    base = open(sys.argv[1], encoding="utf-8").read()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    maker = Maker(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
    assert hashlib.sha256(base.encode()).hexdigest() == BASE_SHA256, "not the published template"
    tokenizer = make_tokenizer()
    print(json.dumps({"transformers": transformers.__version__, "jinja2": jinja2.__version__, "template_sha256": BASE_SHA256}))
    templates = {name: (base, edits) for name, edits in VARIANTS.items()} | {"the published file": (base, [])} | {name: (source, None) for name, source in SOURCES.items()}
    for name, (source, edits) in templates.items():
        for old, new in edits or []:
            assert old in source, (name, old)
            source = source.replace(old, new, 1)
        head = {"name": name, "source": source} if edits is None else {"name": name, "edits": edits}
        print(json.dumps(head, ensure_ascii=False, separators=(",", ":")))
        made = 0
        while made < count:
            case = {"v": 0, "m": maker.messages()}
            if (tools := maker.tools()) is not None and not isinstance(tools, dict):
                case["t"] = tools
            if options := maker.options():
                case["o"] = options
            run(tokenizer, [source], case)
            if case.get("e") == "" and made % 6 != 5:  # few of the interpreter's own errors
                continue
            del case["v"]
            made += 1
            print(json.dumps(case, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
