"""Compiled programs that are kept on disk."""

from __future__ import annotations

import os

from lrlab.engine import cache


def test_programs_in_the_cache_that_others_may_write_are_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    cache.keep_program("p", b"program")
    assert cache.kept_program("p") == b"program"
    path = tmp_path / "compiled" / "p"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert cache.kept_program("p") is None
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    path.parent.chmod(0o777)
    assert cache.kept_program("p") is None
    path.parent.chmod(0o700)
    path.chmod(0o666)
    assert cache.kept_program("p") is None


def test_the_programs_that_were_used_longest_ago_go_first(tmp_path, monkeypatch):
    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "MAX_BYTES", 20_000)
    folder, last = tmp_path / "compiled", cache.CHECKED_EVERY - 1
    for number in range(last):
        cache.keep_program(f"p{number}", bytes(1000))
        os.utime(folder / f"p{number}", (number, number))
    assert len(list(folder.iterdir())) == last and cache.kept_program("p0") is not None
    cache.keep_program(f"p{last}", bytes(1000))
    left = {path.name for path in folder.iterdir()}
    assert len(left) == 19 and {"p0", f"p{last}", f"p{last - 1}"} <= left and "p1" not in left
