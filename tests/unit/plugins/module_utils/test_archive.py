# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Archives: what is unpacked, and what would leave the release and is therefore refused as a whole."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _archive
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render

Entry = "tuple[str, str, str]"


def tar_of(path: Path, entries: list[tuple[str, str, str]], mode: str = "w:gz") -> Path:
    """Pack entries of name, kind and content or target, without any of the checks a polite packer makes."""
    with tarfile.open(path, mode) as tar:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o4755 if kind == "program" else 0o644
            types = {"link": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "directory": tarfile.DIRTYPE}
            info.type = {**types, "pipe": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE}.get(kind, tarfile.REGTYPE)
            plain = info.type == tarfile.REGTYPE
            info.linkname = "" if plain or kind in ("directory", "pipe", "device") else content
            info.size = len(content) if plain else 0
            tar.addfile(info, io.BytesIO(content.encode()) if plain else None)
    return path


def zip_of(path: Path, entries: list[tuple[str, str, str]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, kind, content in entries:
            info = zipfile.ZipInfo(name)
            modes = {"link": stat.S_IFLNK | 0o777, "program": stat.S_IFREG | 0o755}
            info.external_attr = modes.get(kind, stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
    return path


RELEASE = [
    ("llama-b1/", "directory", ""),
    ("llama-b1/llama-server", "program", "the server"),
    ("llama-b1/lib/libllama.so.1", "file", "the library"),
    ("llama-b1/lib/libllama.so", "link", "libllama.so.1"),
    ("llama-b1/current", "link", "lib/../llama-server"),
]


def unpacked(directory: Path) -> dict[str, str]:
    found = {}
    for current, names, files in os.walk(directory):
        for name in (*files, *(each for each in names if os.path.islink(os.path.join(current, each)))):
            path = Path(current, name)
            mode = "" if path.is_symlink() else f" {stat.S_IMODE(path.stat().st_mode):04o}"
            found[str(path.relative_to(directory))] = f"{path.read_text()}{mode}"
    return found


CONTENT = {
    "llama-server": "the server 0755",
    "lib/libllama.so.1": "the library 0644",
    "lib/libllama.so": "the library",
    "current": "the server",
}


@pytest.mark.parametrize(
    ("name", "mode"),
    [("r.tar.gz", "w:gz"), ("r.tar.xz", "w:xz"), ("r.tar.bz2", "w:bz2"), ("r.tar", "w"), ("r.zip", "")],
)
def test_every_kind_of_archive_is_unpacked_without_its_top(tmp_path: Path, name: str, mode: str) -> None:
    archive = tar_of(tmp_path / name, RELEASE, mode) if mode else zip_of(tmp_path / name, RELEASE[1:])
    release = _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=True)
    assert release == str(tmp_path / "new" / "llama-b1")
    assert unpacked(Path(release)) == CONTENT


def test_an_archive_of_the_directory_itself_has_a_top_too(tmp_path: Path) -> None:
    entries = [("./", "directory", ""), *((f"./{name}", *rest) for name, *rest in RELEASE)]
    release = _archive.unpack(str(tar_of(tmp_path / "r.tar.gz", entries)), str(tmp_path / "new"), strip_top=True)
    assert (release, unpacked(Path(release))) == (str(tmp_path / "new" / "llama-b1"), CONTENT)


def test_without_strip_top_the_top_stays(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "r.tar.gz", RELEASE)
    assert _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=False) == str(tmp_path / "new")
    assert set(unpacked(tmp_path / "new")) == {f"llama-b1/{name}" for name in CONTENT}


def test_a_hard_link_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "r.tar.gz", [("a", "file", "text"), ("b", "hardlink", "a")])
    _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=False)
    assert unpacked(tmp_path / "new") == {"a": "text 0644", "b": "text 0644"}


@pytest.mark.parametrize(
    ("entries", "reasons"),
    [
        pytest.param([("../evil", "file", "x")], ["'../evil' leaves the release."], id="a name that climbs out"),
        pytest.param([("a/../../evil", "file", "x")], ["'a/../../evil' leaves the release."], id="climbs on its way"),
        pytest.param([("/etc/evil", "file", "x")], ["'/etc/evil' leaves the release."], id="an absolute name"),
        pytest.param(
            [("out", "link", "/etc"), ("out/evil", "file", "x")],
            ["'out' links to '/etc', which is outside the release.", "'out/evil' lies behind a link."],
            id="a file written through a link",
        ),
        pytest.param(
            [("a/up", "link", "../..")],
            ["'a/up' links to '../..', which is outside the release."],
            id="a link that climbs out",
        ),
        pytest.param(
            [("x", "link", "a/b"), ("x", "file", "evil")], ["'x' is there twice."], id="a file in the place of a link"
        ),
        pytest.param([("p", "pipe", "")], ["'p' is a device or pipe."], id="a pipe"),
        pytest.param([("d", "device", "")], ["'d' is a device or pipe."], id="a device"),
        pytest.param(
            [("a/b/c/root", "link", "../../.."), ("far", "link", "a/b/c/root/../secret")],
            ["'far' leads outside the release."],
            id="a link that climbs out through another link",
        ),
    ],
)
def test_what_leaves_the_release_is_refused(
    tmp_path: Path, entries: list[tuple[str, str, str]], reasons: list[str]
) -> None:
    archive = tar_of(tmp_path / "r.tar.gz", [*entries, ("fine", "file", "x")])
    with pytest.raises(InstallError) as refusal:
        _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=False)
    listed = "".join(f"\n    {reason}" for reason in reasons)
    assert str(refusal.value) == (
        f"{archive} was not unpacked:{listed}\n    Nothing of it was kept. Use the archive of the publisher."
    )
    assert not list(tmp_path.rglob("evil"))


def test_a_zip_is_held_to_the_same_rules(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "r.zip", [("../evil", "file", "x"), ("out", "link", "/etc")])
    with pytest.raises(InstallError, match=r"'\.\./evil' leaves(.|\n)*'out' links to '/etc'"):
        _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("entries", "listed"),
    [
        pytest.param([("a/x", "file", ""), ("b/x", "file", "")], "a, b", id="two directories"),
        pytest.param([("server", "program", "")], "server", id="a file and no directory"),
        pytest.param([], "nothing", id="nothing at all"),
    ],
)
def test_strip_top_needs_one_directory(tmp_path: Path, entries: list[tuple[str, str, str]], listed: str) -> None:
    archive = tar_of(tmp_path / "r.tar.gz", entries)
    with pytest.raises(InstallError, match=f"exactly one directory at the top; the archive has {listed}"):
        _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=True)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"GGUF" * 500, id="another kind of file"),
        pytest.param(b"", id="an empty file"),
        pytest.param(None, id="an archive cut short"),
    ],
)
def test_what_is_no_archive_is_refused_with_the_other_way(tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "r.tar.gz"
    if content is None:
        whole = tar_of(archive, [("a", "file", os.urandom(50_000).hex())]).read_bytes()
        content = whole[: len(whole) // 2]
    archive.write_bytes(content)
    with pytest.raises(InstallError, match=r"was not unpacked(.|\n)*for a single file set kind: file"):
        _archive.unpack(str(archive), str(tmp_path / "new"), strip_top=False)


@pytest.mark.skipif(not shutil.which("zstd"), reason="this host lacks the program zstd")
def test_an_archive_by_zstd_is_what_it_would_be_without(tmp_path: Path) -> None:
    plain = tar_of(tmp_path / "a.tar", RELEASE, "w")
    subprocess.run(["zstd", "-q", str(plain), "-o", str(tmp_path / "a.tar.zst")], check=True)
    built = _archive.unpack(str(tmp_path / "a.tar.zst"), str(tmp_path / "out"), strip_top=True)
    expected = _archive.unpack(str(plain), str(tmp_path / "expected"), strip_top=True)
    assert unpacked(Path(built)) == unpacked(Path(expected))
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "a.tar.zst", "expected", "out"]


@pytest.mark.skipif(not shutil.which("zstd"), reason="this host lacks the program zstd")
def test_an_archive_by_zstd_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    plain = tar_of(tmp_path / "a.tar", RELEASE, "w")
    subprocess.run(["zstd", "-q", str(plain), "-o", str(tmp_path / "a.tar.zst")], check=True)
    (tmp_path / "a.tar.zst").write_bytes((tmp_path / "a.tar.zst").read_bytes()[:-9])
    with pytest.raises(InstallError, match=r"a\.tar\.zst was not unpacked: "):
        _archive.unpack(str(tmp_path / "a.tar.zst"), str(tmp_path / "out"), strip_top=True)
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "a.tar.zst"]


def test_a_host_without_zstd_is_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert list(_archive.unfit_host("https://mirror.lan/ollama.tar.gz")) == []
    assert [render(each) for each in _archive.unfit_host("https://mirror.lan/ollama.tar.zst")] == [
        "zstd: is missing on this host, and the archive is compressed with it.\n"
        "    An administrator installs the package zstd; or name a mirror that has the archive as .tar.gz."
    ]
