#!/bin/bash
# What the tables lack on an accelerator, in under eight minutes on one GPU:
#     bash experiments/benchmarks/accelerator.sh [FILE] [small]
# Rows of JSON go to FILE (accelerator.jsonl) as they come, so that what was measured is kept where
# the time ends early; `small` is a rehearsal on any device. Parts are processes of their own: what
# one leaves in the device's memory, or a crash, is not in the next. PYTHON names another Python.
set -u
here=$(dirname "$0")
file=${1:-accelerator.jsonl}
small=${2:+--small}
: > "$file"
# Each part begins no row after these seconds; a row under way may take a little longer, for which
# its process has half as much again. Together 320 s, at most 480 s.
for part in precisions:60 bits:50 widths:50 retreat:40 lanes:120; do
    name=${part%:*} seconds=${part#*:}
    timeout $((seconds * 3 / 2)) "${PYTHON:-python}" "$here/accelerator.py" "$name" \
        --seconds "$seconds" $small >> "$file" ||
        echo "{\"part\": \"$name\", \"ended\": \"with status $?\"}" >> "$file"
done
cat "$file"
