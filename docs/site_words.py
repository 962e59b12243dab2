"""Words for the pages that are made from the code: openings, and what a key of a file is for.

A key without words here takes those of the argument of the same name in `lrlab.sweep`, `find`,
`range_test` or `study`; `tests/house/test_site_pages.py` names keys that have neither.
"""

from __future__ import annotations

WRITTEN_BY_LRLAB = ("external", "folder")
"""Keys that stand in the `config.toml` of a run folder and that nobody writes."""

NUMBERS = {2**31: "2^31", 2**31 - 2: "2^31 - 2"}
"""Limits that are better read as powers."""

TYPES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "`true` or `false`",
    "list[str]": "list of texts",
    "list[int]": "list of whole numbers",
    "list[float]": "list of numbers",
    "list[typing.Any]": "list",
    "dict[str, str]": "table of texts",
    "dict[str, Any]": "table",
    "dict[str, typing.Any]": "table",
    "dict[str, dict[str, typing.Any]]": "table of tables",
    "dict[str, typing.Annotated[typing.Any]]": "table of numbers, or lane axes",
    "typing.Any": "any value",
}
"""Type of the schema -> words."""

ALIASES = {
    "LearningRate": "number, list, `{log = [low, high, num]}`, or a table group -> these",
    "Axis": "number, list, or `{log = [low, high, num]}`",
    "BatchSize": 'whole number, or `"full"`',
    "Budget": 'number of full-length runs, or a time: `"60s"`, `"10m"`, `"2h"`',
    "Confidence": "number between 0 and 1",
    "Interval": "`[low, high]`",
    "Kinds": '`"standard"`, `"mup"`, or a list of both',
    "Multipliers": "table pattern -> number or list",
    "Scale": '`"gain"` or `"log"`',
    "ScheduleName": "text, or a list of names and tables",
    "Score": '`"last"`, `"best"` or `"mean:k"`',
    "Seeds": "how many, or a list of which",
    "Share": "number between 0 and 1",
}
"""Annotated type of the schema, by its name there -> words."""

OWN_CODE = "`module:function`, a function of your own ([own code](../guides/own-code.md))."

KEYS = {
    "name": "A name for people: run folders and reports have it.",
    "task": "What is trained. A text is short for `task.name`.",
    "optimizer": "How updates are made. A text is short for `optimizer.name`.",
    "schedule": "How the rate changes over the run. A text is short for `schedule.name`; a list "
    "trains several side by side.",
    "steps": "Updates per lane.",
    "epochs": "Passes over the training data, in place of `steps`.",
    "lr": "Peak learning rates. `sweep` trains them all; `find` looks between the lowest and the "
    "highest. 0 is the untouched model.",
    "axes": "Lane axes of a task's own: the names that its functions read from `hyper`.",
    "groups": "Group -> pattern of parameter paths, for `lr` by group.",
    "seed": "The first of the lanes' seeds, where `seeds` is a number: 3 seeds from 10 are 10, 11, "
    "12.",
    "seeds": "A seed gives the same weights and the same batches to every rate.",
    "batch_size": "Examples per update.",
    "sampler": '`"replay"` repeats the first epoch\'s order; `"in_order"` takes the data\'s own, '
    "the same for all seeds.",
    "multipliers": "Pattern of parameter paths -> what the learning rate is multiplied by there "
    "([rates for layers](../choose/layers.md)). A list is a lane axis.",
    "metric": "What decides: `<split>_<name>`.",
    "score": "Which of its evaluations: the last, the best of the run, or the mean of the last k "
    "([early stopping](../choose/score.md)).",
    "keep": "Which weights of the lanes that finish are kept. Not given: the last ones, where they "
    "are small.",
    "eval_every": "Updates between evaluations. Not given: 20 evaluations.",
    "stop_diverged": "A lane whose loss or parameters are not finite stops there.",
    "precision": '`"mixed"` computes the model in bfloat16 and keeps parameters, optimizer and '
    "loss in float32.",
    "lr_range": "Where a search looks first; it is moved when the best stands at its edge.",
    "tolerance": "What a rate may cost and still be in the interval: a share of what training "
    "gains, from the initial metric to the best.",
    "confidence": "A search stops as soon as it is this sure that its pick costs at most the "
    "tolerance.",
    "budget": "The most that a search may spend. Not given: 40 full-length runs.",
    "scale": '`"log"` measures regret in the log of the loss, for losses that span decades.',
    "eval_steps": "The updates after which lanes are evaluated, in place of `eval_every`.",
    "probes": "Measurements at evaluations; a text is short for `name`.",
    "out": "The run folder. Not given: a new one under `runs/`.",
    "figures": "Formats of the figures in the run folder; an empty list for none. Not given: PNG "
    "and SVG, which on the command line are drawn when the prompt is back.",
    "plan": "How lanes are laid on the machine.",
    "range_test": "What `lrlab range-test` does.",
    "parametrization": "Standard or muP; a study of both has its own key.",
    "compare": "`[compare.NAME]`: what this entry changes in the rest of the file.",
    "study": "What `lrlab study` goes over.",
    "task.name": "A registered task (`lrlab ls tasks`); options of its model and data may stand "
    "beside it.",
    "task.model": "The network.",
    "task.data": "The examples.",
    "task.loss": "A registered loss; not given: the one that fits the targets.",
    "task.metrics": "What is evaluated beside the loss: `accuracy` and others.",
    "task.params": "A file or folder of weights that every lane starts from, relative to the "
    "configuration ([fine-tuning](../tutorials/fine-tuning.md)).",
    "task.trainable": "Patterns of the parameters that are trained; the rest is frozen.",
    "*.python": OWN_CODE,
    "*.options": "The arguments of that function.",
    "task.model.name": "A registered network (`lrlab ls models`); its options stand beside it.",
    "task.data.name": "A source (`lrlab ls data`); its options stand beside it.",
    "task.data.path": "The file or folder of the sources `csv`, `npz`, `idx` and `text`, relative "
    "to the configuration.",
    "task.data.valid_fraction": "The share of the examples that is held out for validation, where "
    "the source has no split of its own.",
    "task.data.test_fraction": "The share that is held out for `test_...` metrics.",
    "task.data.split_seed": "Which examples those are.",
    "optimizer.name": "A registered optimizer (`lrlab ls optimizers`); its hyper-parameters stand "
    "beside it, each a value or a lane axis.",
    "schedule.name": "A registered schedule (`lrlab ls schedules`); its shape stands beside it, "
    "each a value or a lane axis.",
    "probes.name": "A registered probe (`lrlab ls probes`); its options stand beside it.",
    "probes.every": "Updates between measurements, made at the first evaluation from there on.",
    "plan.tile_width": "Lanes that one device trains in one call. Part of a run's identity: at one "
    "width a lane has the same bits whatever is beside it.",
    "plan.devices": "How many devices are used.",
    "plan.model_devices": "How many of the devices share the arrays of each lane, for lanes larger "
    "than a device. Part of a run's identity; above 1 numbers agree within a tolerance.",
    "plan.segment_steps": "Updates between two visits of the host.",
    "plan.memory_bytes": "What the lanes of one device may take.",
    "plan.rewrite": "Whether dense layers, convolutions and pooling of any model are computed in "
    "the layouts of lrlab's own layers, in tiles of several lanes on CPU. Part of a run's "
    "identity.",
    "on.address": "`ray://HOST:PORT` or `HOST:PORT` of a cluster, or `auto`. Not given: the one "
    "that runs on this machine, or a new one.",
    "on.workers": "Workers at the same time, at most.",
    "on.cpus_per_worker": "Cores of each worker, a device per core. Not given: all of a node's.",
    "on.gpus_per_worker": "GPUs of each worker.",
    "on.runtime_env": "What workers need, as Ray's `runtime_env` has it.",
    "range_test.start": "The lowest rate.",
    "range_test.end": "The highest rate.",
    "range_test.num_steps": "How many rates, one per update.",
    "range_test.seeds": "How many ramps, or which.",
    "range_test.batch_size": "Examples per update.",
    "range_test.kind": '`"ramp"`: one run per seed whose rate climbs. `"parallel"`: a run of its '
    "own for each rate.",
    "range_test.mode": "Rates evenly spaced in log, or evenly.",
    "range_test.split": "The loss of each update's batch before it, or the validation loss after.",
    "study.axis": 'The field that changes: `"width"`, `"batch_size"`, `"steps"`, '
    '`"task.data.max_train"` and so on.',
    "study.values": "Its values; each is a run of its own.",
    "study.parametrization": "In which parametrizations the values are trained.",
    "study.base": "The value at which muP is the standard parametrization, and from which rates "
    "are transferred. Not given: the first.",
    "parametrization.name": "Which of them.",
    "parametrization.base": "The options of the model that differ at the base.",
}
"""Path of a key, or `*.key` for that key of every table -> what it is for."""

TOML = """# TOML keys

Every key that a configuration may have, with its default. This page is made from the schema, so it
is what this version takes. Unknown keys are errors that name the nearest right one; `lrlab preview
CONFIG` shows what a file comes to. How files are put together (lane axes, `extends`, `--set`) is in
[configuration files](../guides/config.md).

Nothing has to be given but a task: a registered one (`task = "digits-mlp"`), or a model and data.
Where a number may be a **lane axis**, a list trains several values side by side."""

RESULTS = """# lrlab.results

What the public functions give back. An answer is `lrlab.types.Answer`, a comparison
`lrlab.search.Comparison`."""

COMMANDS = """# Command line

Every command takes `-h`. `CONFIG` is a TOML file; `RUN` is a run folder, its name under `runs/`, or
`last`. What `--json` prints and the exit statuses are in [JSON and exit status](json.md). This page
is made from the program."""

NAMES = """# Names and options

Everything that a configuration may name, with the options that stand beside the name and their
defaults. An option without a default is shown without one. This page is made from the registries;
`lrlab ls KIND` prints the same. Formulas and sources of schedules and optimizers are in
[schedules and optimizers](../methods.md)."""

KINDS = {"data": "Data sources"}
"""Kind of registry -> heading, where it is not the kind's own word."""
