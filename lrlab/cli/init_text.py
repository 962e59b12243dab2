"""The texts that `lrlab init` writes: a configuration, and a script with a model of one's own."""

from __future__ import annotations

import json
from typing import NamedTuple

from lrlab.config.toml import written
from lrlab.core.paths import shown


class Start(NamedTuple):
    """What an experiment begins with. `task`: a registered one; else `data` (a table as in
    `task.data`) and `model`. `batch_size`: None for an objective, which has no examples."""

    file: str
    task: str | None
    data: dict[str, object]
    model: str
    optimizer: str
    schedule: str
    steps: int
    batch_size: int | str | None
    maximized: str | None


def config_text(start: Start) -> str:
    """The configuration, with a comment where people change something first."""
    rows = [
        ("steps", start.steps, "updates of a full-length run; or epochs = 10"),
        ("batch_size", start.batch_size, 'or "full"'),
        ("seeds", 3, "initial weights and orders of batches, the same for every learning rate"),
        ("metric", "valid_loss", f'or "{start.maximized}"' if start.maximized else "what decides"),
        ("lr_range", [1e-6, 10.0], "where find, compare and study search"),
        ("lr", {"log": [1e-5, 1.0, 33]}, "what sweep trains: low, high, number"),
    ]
    lines = [_row(*row) for row in rows if row[1] is not None]
    if start.task is not None:
        task = [_row("name", start.task, "lrlab ls tasks")]
    else:
        task = [
            _row("data", start.data, ""),
            _row("model", {"name": start.model}, "lrlab ls models"),
        ]
    return "\n".join(
        [
            "# Which learning rate should this train with?",
            f"#   lrlab find {start.file}      searches for it, and says how sure that is",
            f"#   lrlab sweep {start.file}     trains every rate in lr",
            f"#   lrlab preview {start.file}   shows every field there is, with its default",
            "# Fields can be changed on the command line too: --set steps=500",
            *lines,
            "",
            "[optimizer]",
            _row("name", start.optimizer, "lrlab ls optimizers"),
            "# weight_decay = [0.0, 0.01]      # a list is trained side by side, in one program",
            "",
            "[schedule]",
            _row("name", start.schedule, "lrlab ls schedules"),
            "# warmup = 0.05                   # the share of the steps in which the rate rises",
            "",
            "[task]",
            *task,
            "",
        ]
    )


def _row(key: str, value: object, comment: str) -> str:
    """A line of TOML with a comment in a column of its own."""
    line = f"{key} = {written(value)}"
    return f"{line:<33} # {comment}" if comment else line


MODELS = {
    "rows": """\
        x = x.reshape((x.shape[0], -1))
        x = nn.relu(nn.Dense(64)(x))""",
    "tokens": """\
        x = nn.Embed(self.num_outputs, 64)(x)
        x = nn.relu(nn.Dense(64)(x))""",
}
"""The body of the model, by what the data are."""

SCRIPT = '''\
"""Which learning rate should this model train with? Run it{command}"""

{imports}import flax.linen as nn

import lrlab


class Net(nn.Module):
    num_outputs: int

    @nn.compact
    def __call__(self, x):
{body}
        return nn.Dense(self.num_outputs)(x)


data = lrlab.data.load({data})
task = lrlab.Task.supervised(
    name={name},
    model=Net(data.num_outputs),
    loss="{loss}",
    train=data.train,
    valid=data.valid,
    metrics=("{metric}",),
)
print(lrlab.find(task, optimizer="{optimizer}", schedule="{schedule}", steps={steps}, {batch}))
'''


def script_text(start: Start, file: str, name: str, kind: str) -> str:
    """The script.

    Args:
        file: its name; `name`: the task's; `kind`: the data's ("classification", "regression" or
            "tokens").
    """
    options = [f"{json.dumps(key)}: {_python(key, value)}" for key, value in start.data.items()]
    paths = "path" in start.data
    regression = kind == "regression"
    return SCRIPT.format(
        command="" if set(file) & set('"\\\n') else f": python {shown(file)}",
        imports="from pathlib import Path\n\n" if paths else "",
        body=MODELS["tokens" if kind == "tokens" else "rows"],
        data="{" + ", ".join(options) + "}",
        name=json.dumps(name, ensure_ascii=False),
        loss="mse" if regression else "softmax_cross_entropy",
        metric="mae" if regression else "accuracy",
        optimizer=start.optimizer,
        schedule=start.schedule,
        steps=start.steps,
        batch=f"batch_size={start.batch_size!r}",
    )


def _python(key: str, value: object) -> str:
    """An option of the data as Python; a relative path is one from the script's folder."""
    if key == "path":
        return f"Path(__file__).parent / {json.dumps(value, ensure_ascii=False)}"
    return repr(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False)
