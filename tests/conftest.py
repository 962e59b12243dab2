"""What every test starts from: no windows, no GPU tests without a GPU, no user's data folder."""

from __future__ import annotations

import os
import shutil

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    no_gpu = pytest.mark.skip(reason="no NVIDIA driver here")
    if shutil.which("nvidia-smi") is None:
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(no_gpu)


@pytest.fixture(scope="module")
def without_figures():
    """Runs draw no figures, which takes them a second or two each: for modules about other things
    (`pytestmark = pytest.mark.usefixtures("without_figures")`). The page is written all the same.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lrlab.report.write_figures", lambda *given, **options: [])
        yield
