#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh doxygen_filter.sh HEADER: the header as Doxygen wants it. Comments before a declaration begin with three slashes, those behind one (and the lines
# that continue them, far to the right) with ///<, and what Doxygen would take for a command or a tag is escaped.
sed -e '/^ *\/\//{s|\\|\\\\|g;s|[@#%<>&]|\\&|g;}' \
    -e '/^ \{20,\}\/\//{s|^\( *\)//|\1///<|;b' -e '}' \
    -e '/^ *\/\//{s|^\( *\)//|\1///|;b' -e '}' \
    -e '/^\(.*[^ :"]  *\)\/\/ \(.*\)$/{h;s|^.*[^ :"]  *// ||;s|\\|\\\\|g;s|[@#%<>&]|\\&|g;x;s|^\(.*[^ :"]  *\)// .*$|\1///< |;G;s|\n||;}' "$1"
