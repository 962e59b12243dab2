"""Compiled programs that are kept on disk."""

from __future__ import annotations

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
