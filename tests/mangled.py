"""A good configuration with things wrong, and files as bytes, for tests of input nobody meant."""

from __future__ import annotations

import random
import struct

import numpy as np

GOOD = """# a comment
steps = 200
seeds = 2
batch_size = 32
lr = {log = [1e-3, 1.0, 4]}
metric = "valid_loss"
budget = "20s"
precision = "float32"
probes = ["sharpness"]

[task]
model = {name = "mlp", width = [32, 16], activation = "relu"}
data = {name = "digits", flat = true}

[optimizer]
name = "adamw"
weight_decay = [0.0, 0.1]

[schedule]
name = "wsd"
warmup = 0.1

[plan]
tile_width = 4
"""


VALUES = (
    "-1", "0", "1e308", "1e999", "-inf", "nan", "true", '""', '"\\u0000"', "[]", "{}", "[[1]]",
    "10000000000000000000000", "0x10", "1979-05-27", '"../../etc/passwd"', '"/etc/passwd"',
    '"a\\nb"', "[1, 'a']", "{log = [1, 0, 5]}", "{log = [0, 1, 5]}", "{log = [1, 2, 1e9]}",
    "{linear = 3}", "'''x'''", '"<script>"', '"npz:/dev/null"', '"csv:.."', "[nan]", "1e-320",
)  # fmt: skip


def mangled(rng: random.Random) -> str:
    """The good file with one to three things wrong (or, now and then, right)."""
    text = GOOD
    for _ in range(rng.randint(1, 3)):
        lines = text.split("\n")
        kind = rng.randrange(6)
        place = rng.randrange(len(lines))
        if kind == 0 and "=" in lines[place]:
            lines[place] = lines[place].split("=")[0] + "= " + rng.choice(VALUES)
        elif kind == 1:
            del lines[place]
        elif kind == 2:
            lines.insert(place, lines[rng.randrange(len(lines))])
        elif kind == 3 and lines[place]:
            at = rng.randrange(len(lines[place]))
            odd = rng.choice("=[]{}\"'#.\\\t\x00\u202e\ud7ff1")
            lines[place] = lines[place][:at] + odd + lines[place][at + 1 :]
        elif kind == 4:
            key = "".join(rng.choice("abcdelprst_.-") for _ in range(rng.randint(1, 12)))
            lines.insert(place, f"{key} = {rng.choice(VALUES)}")
        else:
            lines[place] = lines[place].swapcase()
        text = "\n".join(lines)
    return text


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
