"""What other tools call lrlab's fields, so that `learning_rate` leads to `lr`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lrlab.core.synonyms import closest

Path = tuple[str, ...]

ALMOST = 0.85
"""How near (difflib's ratio) a word must be to one that another tool uses."""

_USUAL: Mapping[Path, Mapping[str, str]] = {
    (): {
        "lr": "learning_rate learning_rates lrs base_lr peak_lr max_learning_rate initial_lr "
        "init_lr",
        "lr_range": "min_lr max_lr lr_min lr_max lr_bounds lr_limits",
        "steps": "n_steps num_steps nsteps max_steps total_steps train_steps num_train_steps "
        "training_steps iterations iters n_iter num_iterations max_iter max_iterations updates "
        "num_updates",
        "epochs": "n_epochs num_epochs nepochs max_epochs nb_epoch num_train_epochs",
        "batch_size": "batch bs minibatch_size mini_batch_size train_batch_size",
        "seeds": "n_seeds num_seeds nseeds repeats num_repeats n_repeats replicates",
        "seed": "random_state random_seed rng_seed rng",
        "schedule": "scheduler lr_scheduler lr_schedule learning_rate_schedule sched",
        "schedule_args": "scheduler_args schedule_kwargs schedule_params schedule_options "
        "scheduler_kwargs lr_scheduler_args lr_scheduler_kwargs",
        "optimizer": "optim opt optimiser solver",
        "optimizer_args": "optimiser_args optim_args opt_args optimizer_kwargs optimizer_params "
        "optimizer_options optim_kwargs",
        "task.model": "model network net architecture arch module model_args model_kwargs",
        "task.data": "data dataset datasets train_data training_data data_args data_path",
        "task.loss": "loss loss_fn loss_function criterion",
        "task.metrics": "metrics",
        "metric": "monitor metric_name",
        "score": "aggregate aggregation",
        "scale": "log_scale loss_scale_of_regret regret_scale",
        "tolerance": "tol epsilon",
        "confidence": "certainty confidence_level",
        "budget": "n_trials num_trials max_trials num_samples timeout time_budget max_time",
        "eval_every": "eval_interval eval_freq eval_frequency evaluate_every validate_every "
        "val_check_interval eval_steps_every",
        "precision": "dtype float_type",
        "sampler": "shuffle",
        "out": "out_dir outdir output output_dir save_dir savedir run_dir log_dir logdir",
        "progress": "verbose progress_bar progressbar quiet silent",
        "plan.devices": "devices num_devices n_devices",
        "plan.tile_width": "tile_width",
        "plan.segment_steps": "segment_steps",
        "plan.model_devices": "model_devices fsdp fsdp_devices model_parallel shards",
        "multipliers": "lr_mult lr_multipliers lr_multiplier",
        "groups": "param_groups parameter_groups",
    },
    ("task",): {
        "model": "network net architecture arch module",
        "data": "dataset datasets train_data training_data",
        "loss": "loss_fn loss_function criterion objective",
        "metrics": "metric",
    },
    ("task", "data"): {
        "path": "file filename file_name filepath file_path data_path root",
        "valid_fraction": "val_fraction validation_fraction val_split valid_split "
        "validation_split val_size valid_size",
        "test_fraction": "test_split test_size",
        "split_seed": "seed random_state random_seed",
        "scale": "normalize normalise standardize standardise scaling",
        "max_train": "n_train num_train max_examples max_samples limit train_size",
        "max_valid": "n_valid num_valid n_val num_val max_val",
        "target": "label labels y target_column label_column",
        "inputs": "features x feature_columns",
        "delimiter": "sep separator delim",
        "context": "context_length seq_len sequence_length block_size",
    },
    ("task", "model"): {
        "width": "hidden hidden_size hidden_sizes hidden_dim hidden_units hidden_features "
        "num_hidden n_hidden d_model embed_dim units features dim",
        "depth": "layers num_layers n_layers n_layer num_hidden_layers",
        "heads": "num_heads n_heads n_head nhead num_attention_heads",
        "activation": "act act_fn activation_fn nonlinearity",
        "dropout": "dropout_rate drop_rate p_dropout",
        "bias": "use_bias",
        "norm": "normalization norm_layer",
        "channels": "filters num_filters num_channels features width",
        "kernel": "kernel_size filter_size",
    },
}
"""Table -> lrlab's name -> words of PyTorch, Keras, Optax, scikit-learn and the like."""

_LEADS: dict[Path, list[tuple[str, str]]] = {
    path: [(word, name) for name, words in table.items() for word in words.split()]
    for path, table in _USUAL.items()
}
_LEADS[("task",)] += [*_LEADS["task", "model"], *_LEADS["task", "data"]]
# Beside a task's name stand the options of its model and its data.


def usual(word: str, path: Path = ()) -> str | None:
    """lrlab's name for a word that others use in table `path`; None where there is none.

    >>> usual("num_epochs"), usual("test_size", ("task", "data")), usual("temperature")
    ('epochs', 'test_fraction', None)
    """
    return next((name for other, name in _LEADS.get(path, ()) if other == _simple(word)), None)


def nearest(
    word: str, candidates: Collection[str], path: Path = (), cutoff: float = 0.6
) -> str | None:
    """The candidate that an unknown word of table `path` most probably means. A name with a dot
    (`task.data`) counts as its first part where only that is a candidate.

    >>> nearest("learnign_rate", ["lr", "steps"]), nearest("epocs", ["epochs"]), nearest("q", ["a"])
    ('lr', 'epochs', None)
    >>> nearest("dataset", ["task.data", "task"]), nearest("dataset", ["task"])
    ('task.data', 'task')
    """
    leads: dict[str, str] = {}
    for other, name in _LEADS.get(path, ()):
        for one in (name, name.partition(".")[0]):
            if one in candidates:
                leads.setdefault(other, one)
    # Many words are near to something, so that another tool's must be met almost exactly.
    for words, least in ((leads, ALMOST), ({_simple(name): name for name in candidates}, cutoff)):
        if close := closest(_simple(word), words, least):
            return words[close]
    return None


def hint(word: str, candidates: Collection[str], path: Path = ()) -> str:
    """`"; did you mean 'x'?"` with the name that `nearest` finds, else `""`.

    >>> hint("dataset", ["task.data", "steps"])
    "; did you mean 'task.data'?"
    """
    meant = nearest(word, candidates, path)
    return "" if meant is None else f"; did you mean {meant!r}?"


def _simple(word: str) -> str:
    return word.lower().replace("-", "_")
