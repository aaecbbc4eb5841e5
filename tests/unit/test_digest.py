"""Digests of files."""

import hashlib

import pytest

from mmh.errors import InputError
from mmh.fetch.file_digest import check_digest


def test_a_file_is_compared_with_what_was_declared(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_bytes(b"content" * 100_000)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert check_digest(file, digest) == digest
    assert capsys.readouterr().err == ""
    assert check_digest(file, None) == digest
    assert "is not checked" in capsys.readouterr().err
    with pytest.raises(InputError, match=f"sha256 is {digest}, config.yaml declares {'0' * 64}"):
        check_digest(file, "0" * 64)
    with pytest.raises(InputError, match="gone: cannot be read"):
        check_digest(tmp_path / "gone", None)
