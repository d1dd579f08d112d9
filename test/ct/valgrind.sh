#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: valgrind.sh PROGRAM [CULPRIT]
#
# Runs a program that marks secrets as undefined memory under valgrind, and fails
# if a branch or an address depended on one. With CULPRIT, a function that was
# planted to have such a branch, fails unless valgrind names it. Exit status 77,
# skipped, without valgrind.
set -u
command -v valgrind >/dev/null || {
    echo 'skipped: there is no valgrind'
    exit 77
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
valgrind -q --error-exitcode=99 --suppressions="$(dirname "$0")/valgrind.supp" "$1" >"$log" 2>&1
status=$?
cat "$log"
if [ $# -eq 1 ]; then
    exit $status
elif [ $status -ne 99 ] || ! grep -q "$2" "$log"; then
    echo "valgrind did not find what was planted in $2"
    exit 1
fi
