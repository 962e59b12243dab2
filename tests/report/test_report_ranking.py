"""The table above several runs: the best first, and of a comparison who wins there."""

from __future__ import annotations

import re

from report_sample import sample

from lrlab.report.html.tables import ranking


def rows(compared):
    several = [sample(lrs=9, seeds=2, steps=50, evals=5, root=root) for root in (0, 1)]
    several = [data._replace(title=title) for data, title in zip(several, "ab", strict=True)]
    page = ranking(several, compared)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in page.split("<tr>")[2:]]
    return page, [(re.sub(r"<.*?>", "", row[0]), row) for row in cells]


def test_a_comparison_is_ranked_by_its_own_means() -> None:
    """What a search picked its rates by is a little too good: fresh seeds decide."""
    page, alone = rows(None)
    assert "best mean" in page
    winner, loser = (name for name, _ in reversed(alone))  # the other way round
    entries = [{"name": winner, "mean": 0.25}, {"name": loser, "mean": 0.5}]
    versus = {loser: {"interval": [-0.4, -0.1]}}
    page, found = rows({"entries": entries, "versus": versus})
    assert [name for name, _ in found] == [winner, loser]
    assert found[0][1][3] == "0.25" and "0.1 to 0.4" in found[1][1]
    assert "best mean" not in page and "behind the best by" in page
    page, found = rows({"entries": entries, "versus": versus, "scale": "log"})
    assert "behind by a factor of" in page and "1.11 to 1.49" in found[1][1]
    page, found = rows({"entries": [entries[0], {"name": loser, "mean": None}], "versus": {}})
    assert [name for name, _ in found] == [winner, loser] and found[1][1][3] == "-"
