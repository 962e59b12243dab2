"""What `find` is compared with: trials from a record, their cost, and the rates that are picked."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest
from places import ROOT

RATES = 10 ** np.linspace(-6, 1.5, 61)
EVALS = np.arange(15, 301, 15)
INITIAL = 4.0


def bowl(seed: int = 0) -> dict[str, np.ndarray]:
    """A record with its best rate at 0.01, noise of 0.001, and divergence from 1 on at update 3."""
    shape = (len(RATES), 72)
    final = 1 + (np.log10(RATES)[:, None] + 2) ** 2 / 10
    final = final + np.random.default_rng(seed).normal(0, 1e-3, shape)
    falling = np.linspace(1, 0, len(EVALS))[:, None, None]
    broken = np.broadcast_to(RATES[:, None] > 0.99, shape)
    return {
        "metric": np.where(broken, np.nan, final + falling * (INITIAL - final) / 2),
        "initial": np.full(shape, INITIAL), "outcome": np.where(broken, "diverged", "ok"),
        "diverged_at": np.where(broken, 3, -1), "steps_trained": np.where(broken, 3, 300),
        "lr": RATES, "eval_steps": EVALS,
    }  # fmt: skip


@pytest.fixture
def load(monkeypatch):
    """A module of the experiment, and what it needs; all are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.startswith("finder_regret"):
            sys.modules.pop(name)


@pytest.fixture
def trials(load):
    return load("finder_regret_trials")


def test_a_trial_gets_what_find_gets(trials, load):
    lanes, lr = bowl(), 0.0123
    given = load("finder_regret_replay").replayed(lanes, 7)(np.full(30, lr), np.arange(30))
    train = trials.training(lanes, 7)
    values = [train(lr, number).value for number in range(30)]
    np.testing.assert_allclose(values, given.values[-1], atol=1e-12)
    assert len(set(values)) == 24  # the seeds that are not the truth's, then again
    fixed = trials.training(lanes, 7, "fixed")
    assert {fixed(lr, number).value for number in range(5)} == {values[0]}
    two = trials.training(lanes, 7, "two")(lr, 1)
    np.testing.assert_allclose(two.value, (values[2] + values[3]) / 2, atol=1e-12)
    assert two.cost == 2


def test_a_divergence_costs_its_updates_and_counts_as_the_initial_loss(trials):
    lane = trials.training(bowl(), 0)(10.0, 0)
    assert (lane.value, lane.cost) == (INITIAL, 0.01)
    lanes = bowl()
    lanes["metric"] = lanes["metric"] + 10  # ends, but worse than it began
    assert trials.training(lanes, 0)(0.01, 0).value == INITIAL


def test_what_is_maximized_is_turned(trials):
    lanes = bowl()
    turned = {**lanes, "direction": np.array("max")}
    turned |= {name: -lanes[name] for name in ("metric", "initial")}
    one, other = (trials.training(each, 0)(0.01, 0) for each in (lanes, turned))
    np.testing.assert_allclose(one.value, other.value, atol=1e-12)
    np.testing.assert_allclose(one.losses, other.losses, atol=1e-12)


@pytest.mark.parametrize("name", ["random search", "two-stage grid"])
@pytest.mark.parametrize("habit", ["fresh", "two"])
def test_no_search_spends_more_than_its_budget(trials, name, habit):
    for root in range(5):
        for pick in trials.picks(trials.PEERS[name], bowl(), root, habit):
            assert pick.budget - 2.1 * trials.SEEDS[habit] < pick.cost <= pick.budget


def test_what_diverges_early_leaves_room_for_more(trials):
    found = trials.random_search(trials.training(bowl(), 0), 0, 20, 1)
    broken = sum(trial.lr > 1 for trial in found)
    assert broken > 0
    assert 19 <= len(found) - broken <= 20


def test_a_smaller_budget_is_the_beginning_of_a_larger(trials):
    train = trials.training(bowl(), 3)
    short, long = (trials.random_search(train, 3, budget, 1) for budget in (10, 40))
    assert trials.within(long, 10) == short


def test_a_search_that_pays_nothing_ends(trials):
    train = trials.training(bowl(), 0)
    assert len(trials.asked(train, 5, 1, lambda _: 9.0)) == 5 * trials.TRIALS


def test_the_second_grid_lies_around_the_best_of_the_first(trials):
    found = trials.two_stage_grid(trials.training(bowl(), 0), 0, 20, 1)
    x = np.log10([trial.lr for trial in found])
    first, second = x[:10], x[10:]
    np.testing.assert_allclose(np.diff(first), 0.7, atol=1e-9)
    np.testing.assert_allclose(first[[0, -1]], [-5.65, 0.65], atol=1e-9)
    around = first[np.abs(first + 2).argmin()]
    assert len(second) == 11  # two of the first cost next to nothing
    assert np.abs(second - around).max() < 0.7
    assert abs(np.log10(trials.best(found)) + 2) < 0.2


def test_the_pick_ran_to_its_end(trials):
    some = [trials.Trial(1e-3, 2.0, 1.0), trials.Trial(1e-2, 1.0, 0.1, complete=False),
            trials.Trial(1e-1, 1.5, 1.0), trials.Trial(1.0, np.nan, 1.0)]  # fmt: skip
    assert trials.best(some) == 1e-1
    assert trials.best(some[1:2]) is None


def test_rows_are_kept_and_judged_anew(load, tmp_path, monkeypatch):
    peers = load("finder_regret_peers")
    lanes = bowl()
    np.savez(tmp_path / "bowl-sgd.npz", **lanes)
    kept = tmp_path / "bowl-sgd.peers.json"
    peer = load("finder_regret_trials").PEERS["random search"]
    peers.measured(tmp_path, "bowl-sgd", "trials", "random search", peer, 2)
    rows = json.loads(kept.read_text())["random search"]["rows"]
    assert len(rows) == 3 * 2 * 4
    assert {row["lr"] for row in rows} <= set(RATES)  # judged where its lanes were trained
    assert {row["problem"] for row in rows} == {"bowl"}
    assert all(row["regret"] < 0.05 for row in rows if row["budget"] == 40)

    assert peers.nearest(lanes, 0.0104) == lanes["lr"][32]
    assert peers.nearest(lanes, None) is None

    def searches(*_):
        raise AssertionError

    monkeypatch.setattr(peers, "measure", searches)
    lanes["metric"][:, :, :24] = lanes["metric"][:, ::-1, :24]  # another truth, the same search
    np.savez(tmp_path / "bowl-sgd.npz", **lanes)
    peers.measured(tmp_path, "bowl-sgd", "trials", "random search", peer, 2)
    again = json.loads(kept.read_text())["random search"]["rows"]
    assert [row["lr"] for row in again] == [row["lr"] for row in rows]
    assert [row["regret"] for row in again] != [row["regret"] for row in rows]
    with pytest.raises(AssertionError):
        peers.measured(tmp_path, "bowl-sgd", "trials", "random search", peer, 3)


def test_find_stands_beside_its_peers(load, tmp_path):
    summary = load("finder_regret_peers_summary")
    pair = {"problem": "bowl", "optimizer": "sgd"}
    find = [{**pair, "way": "find 20", "regret": 0.01}, {**pair, "way": "until sure", "regret": 0}]
    peer = {**pair, "way": "random search 20", "peer": "random search", "budget": 20}
    rows = summary.with_find(find) + [{**peer, "regret": regret} for regret in (0.1, 0.3)]
    found = summary.shares(rows)
    assert {name: list(mine) for name, mine in found.items()} == {
        "lrlab.find": [20], "random search": [20],
    }  # fmt: skip
    assert summary.cell(found["random search"][20]) == "20.00 / 28.00 / 30.00"
    other = {**peer, "optimizer": "adam", "peer": "two-stage grid", "regret": 0.2}
    both = [*rows, other, {**other, "optimizer": "sgd"}]
    assert {row["peer"] for row in summary.whole(both)} == {"two-stage grid"}
    summary.peer_figure(rows, tmp_path / "peers.png")
    assert (tmp_path / "peers.png").stat().st_size > 10_000


@pytest.mark.filterwarnings("ignore")
def test_optuna_prunes_and_pays_for_it(load):
    pytest.importorskip("optuna")
    trials, peers = load("finder_regret_trials"), load("finder_regret_optuna").PEERS
    lanes = bowl()
    for name in ("Optuna TPE, median", "Optuna TPE, Hyperband"):
        found = peers[name].search(trials.training(lanes, 0), 0, 10, 1)
        cut = [trial for trial in found if not trial.complete]
        assert len(found) > 12
        assert cut
        assert all(0.04 < trial.cost < 1 for trial in cut)
        assert sum(trial.cost for trial in found) <= 10 + 1e-9
    plain = peers["Optuna TPE"].search(trials.training(lanes, 0), 0, 20, 1)
    assert all(trial.complete for trial in plain)
    assert abs(np.log10(trials.best(plain)) + 2) < 1
    assert trials.within(plain, 5) == peers["Optuna TPE"].search(trials.training(lanes, 0), 0, 5, 1)
