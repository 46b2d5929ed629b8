"""Files and folders as they really lie about: odd, broken, hostile, huge."""

import os
from pathlib import Path

import pytest

from kcompliance.collect.files import MAX_FILE_BYTES, collect_files
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from tests.captures import LOG_FLAG, NOW, POLICY_FLAG, SOUND_POLICY, pod


def _collect(*paths: Path | str) -> tuple[Capture, ...]:
    return collect_files([str(path) for path in paths], NOW, lambda what: None)


def _only(*paths: Path | str) -> Capture:
    (capture,) = _collect(*paths)
    return capture


def _reason(*paths: Path | str) -> str:
    capture = _only(*paths)
    assert isinstance(capture, Unreadable)
    return capture.reason


def _written(file: Path, content: str | bytes = SOUND_POLICY) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


# --- one file that was named -------------------------------------------------------------------


def test_a_policy_is_kept_byte_for_byte(tmp_path: Path) -> None:
    capture = _only(_written(tmp_path / "policy.yaml", SOUND_POLICY + "# end\r\n"))

    assert isinstance(capture, Raw)
    assert capture.origin.kind is Kind.AUDIT_POLICY
    assert capture.content == SOUND_POLICY.encode() + b"# end\r\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"just some words\n", "nothing that kcompliance knows"),
        (b"kind: Service\napiVersion: v1\n", "nothing that kcompliance knows"),
        (b"kube-apiserver: [\n", "could not be read"),
        (b'{"kube-apiserver": ', "could not be read"),
        (b"kube-apiserver: " + b"[" * 5000, "could not be read"),
        (b'{"kube-apiserver": ' + b"[" * 100_000, "could not be read"),
        (b"\x00\xff\xfekube-apiserver\x80", "could not be read"),
    ],
    ids=["empty", "prose", "another kind", "not YAML", "not JSON", "deep", "deep JSON", "binary"],
)
def test_a_named_file_of_nothing_known_is_a_gap(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    assert reason in _reason(_written(tmp_path / "file.yaml", content))


def test_a_file_that_grows_without_end_when_it_is_read_is_a_gap(tmp_path: Path) -> None:
    lines = ['l0: &l0 ["kube-apiserver"]']
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert "could not be read" in _reason(_written(tmp_path / "bomb.yaml", "\n".join(lines)))


def test_a_file_beyond_all_measure_is_a_gap(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    with file.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)

    assert "larger than 64 MiB" in _reason(file)


def test_a_path_through_a_file_is_a_gap_and_no_exception(tmp_path: Path) -> None:
    file = _written(tmp_path / "policy.yaml")

    assert "Not a directory" in _reason(file / "policy.yaml")


def test_a_link_to_nothing_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").symlink_to("gone.yaml")

    assert "No such file" in _reason(tmp_path / "policy.yaml")


# --- folders -----------------------------------------------------------------------------------


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "c/d.yaml", "C/e.yaml"):
        _written(tmp_path / name)

    found = [capture.origin.resource for capture in _collect(tmp_path)]

    assert found == [str(tmp_path / name) for name in ("a.yaml", "b.yaml", "C/e.yaml", "c/d.yaml")]


def test_what_is_nothing_known_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    _written(tmp_path / "README.md", "# How to\n")
    _written(tmp_path / "service.yaml", "kind: Service\n")

    assert _collect(tmp_path) == ()


def test_what_is_broken_in_a_folder_is_a_gap(tmp_path: Path) -> None:
    _written(tmp_path / "policy.yaml")
    _written(tmp_path / "broken.yaml", "kube-apiserver: [\n")

    broken, policy = _collect(tmp_path)

    assert isinstance(broken, Unreadable)
    assert broken.origin.kind is Kind.FILE
    assert isinstance(policy, Raw)


def test_a_policy_that_the_server_would_refuse_is_kept_as_it_is(tmp_path: Path) -> None:
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: [\n"

    capture = _only(_written(tmp_path / "policy.yaml", text).parent)

    assert isinstance(capture, Raw)
    assert (capture.origin.kind, capture.content) == (Kind.AUDIT_POLICY, text.encode())


def test_links_in_circles_end(tmp_path: Path) -> None:
    _written(tmp_path / "a/policy.yaml")
    (tmp_path / "a/again").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")

    assert [c.origin.resource for c in _collect(tmp_path)] == [str(tmp_path / "a/policy.yaml")]


@pytest.mark.timeout(20)
def test_a_pipe_in_a_folder_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    _written(tmp_path / "policy.yaml")

    assert [c.origin.resource for c in _collect(tmp_path)] == [str(tmp_path / "policy.yaml")]


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_the_policy_is_a_gap(tmp_path: Path) -> None:
    _written(tmp_path / "etc/kubernetes/manifests/server.yaml", pod(POLICY_FLAG, LOG_FLAG))
    os.mkfifo(tmp_path / "etc/kubernetes/audit-policy.yaml")

    gaps = [capture for capture in _collect(tmp_path) if isinstance(capture, Unreadable)]

    assert [gap.origin.kind for gap in gaps] == [Kind.AUDIT_POLICY]


def test_a_link_within_its_folder_is_followed_as_a_mounted_configmap_needs(tmp_path: Path) -> None:
    _written(tmp_path / "..data/policy.yaml")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")

    found = [c.origin.resource for c in _collect(tmp_path) if isinstance(c, Raw)]

    assert str(tmp_path / "policy.yaml") in found


@pytest.mark.parametrize("target", ["../outside.yaml", "gone.yaml", "manifest.yaml"])
def test_a_manifest_behind_a_link_that_is_not_followed_is_a_gap(
    tmp_path: Path, target: str
) -> None:
    _written(tmp_path / "outside.yaml", pod(POLICY_FLAG))
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "manifest.yaml").symlink_to(target)

    assert "name the file itself" in _reason(folder)


def test_nothing_outside_is_read_through_a_link_in_place_of_the_policy(tmp_path: Path) -> None:
    secret = _written(tmp_path / "secret", "the key")
    manifest = pod("--audit-policy-file=/etc/kubernetes/p").replace("audit-policy.yaml", "p")
    _written(tmp_path / "n/etc/kubernetes/server.yaml", manifest)
    (tmp_path / "n/etc/kubernetes/p").symlink_to(secret)

    captures = _collect(tmp_path / "n")

    assert all(b"the key" not in c.content for c in captures if isinstance(c, Raw))
    assert [c.origin.kind for c in captures if isinstance(c, Unreadable)] == [Kind.AUDIT_POLICY]


def test_a_file_that_the_server_names_as_its_policy_is_taken_whatever_it_holds(
    tmp_path: Path,
) -> None:
    _written(tmp_path / "etc/kubernetes/manifests/server.yaml", pod(POLICY_FLAG, LOG_FLAG))
    _written(tmp_path / "etc/kubernetes/audit-policy.yaml", "just some words\n")

    kinds = {c.origin.kind: c for c in _collect(tmp_path)}

    policy = kinds[Kind.AUDIT_POLICY]
    assert isinstance(policy, Raw)
    assert policy.content == b"just some words\n"


def test_an_empty_policy_file_of_a_server_is_read_as_empty(tmp_path: Path) -> None:
    _written(tmp_path / "etc/kubernetes/manifests/server.yaml", pod(POLICY_FLAG, LOG_FLAG))
    _written(tmp_path / "etc/kubernetes/audit-policy.yaml", b"")

    (policy,) = [c for c in _collect(tmp_path) if c.origin.kind is Kind.AUDIT_POLICY]

    assert isinstance(policy, Raw)
    assert policy.content == b""


def test_a_log_of_any_size_in_a_folder_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "audit.log").open("wb") as stream:
        stream.write(b'{"kind": "Event", "apiVersion": "audit.k8s.io/v1"}\n')
        stream.truncate(MAX_FILE_BYTES + 1)

    assert _collect(tmp_path) == ()


@pytest.mark.parametrize("name", [".git", "node_modules", "__pycache__"])
def test_folders_of_tools_are_not_entered(tmp_path: Path, name: str) -> None:
    _written(tmp_path / name / "policy.yaml")

    assert _collect(tmp_path) == ()


def test_a_name_that_is_no_text_is_shown_as_text(tmp_path: Path) -> None:
    _written(tmp_path / os.fsdecode(b"\xff.yaml"))

    resource = _only(tmp_path).origin.resource

    assert resource.endswith("\\xff.yaml")
    assert resource.encode("utf-8")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_entered_is_a_gap(tmp_path: Path) -> None:
    _written(tmp_path / "closed/policy.yaml")
    (tmp_path / "closed").chmod(0)
    try:
        assert "Permission denied" in _reason(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
