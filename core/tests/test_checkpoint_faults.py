"""Whatever happens to a process, a file or a disk, what was reported saved is there and what is loaded is what was saved.

A fault is set off in a forked child, which never comes back into pytest. The child makes no call of torch: the threads that
torch may hold are not there after a fork.
"""

import ctypes
import hashlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import tempfile
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo
from diffeo import checkpoints
from diffeo.checkpoints import SaveError
from diffeo.errors import CheckpointError
from diffeo.manifest import NewerFormatError, describe
from diffeo_registry import DiffeoError

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

CALLS = ("open", "write", "fsync", "close", "mkdir", "rename", "unlink", "rmdir")
"""The calls of the system by which a checkpoint is written, moved and removed."""


def contents(step, kind="first", size=5000):
    """The files of a checkpoint, all different for each step and kind: random weights in two files of safetensors, and state."""
    rng = random.Random(f"{step} {kind}")

    def tensors(count):
        header = {"weight": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + rng.randbytes(4 * count)

    state = json.dumps({"step": step, "kind": kind}).encode()
    return {"model.safetensors": tensors(size), "training.safetensors": tensors(size // 2), "state.json": state}


def unsynced(folder, step, *, score=None, kind="first"):
    """A checkpoint as ``write`` leaves it, made the quick way."""
    path = folder / f"step-{step:09d}"
    path.mkdir(parents=True)
    files = contents(step, kind, size=50)
    for name, data in (files | {"MANIFEST.json": describe(step, files, score=score)}).items():
        (path / name).write_bytes(data)
    return path


def damage(path):
    (path / "model.safetensors").write_bytes(b"")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# A process that is killed


def in_child(action):
    """What ``action`` does wrong in a forked process, as text, and the signal that ended it, 0 for none."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            action()
        except BaseException:
            os.write(writer, traceback.format_exc()[-4000:].encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        text = pipe.read().decode()
    return text, os.WTERMSIG(os.waitpid(pid, 0)[1])


def dying_before(call, action):
    """``action``, killed before its n-th call of the system; of a write, half has happened by then."""
    count = itertools.count(1)

    def wrapped(name, real):
        def counted(*args, **kwargs):
            if next(count) == call:
                if name == "write":
                    real(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return counted

    def run():
        for name in CALLS:
            setattr(os, name, wrapped(name, getattr(os, name)))
        action()

    return run


def killed_everywhere(tmp_path, prepare, action):
    """A folder for each call before which ``action`` can be killed, as the kill leaves it."""
    prepare(tmp_path / "before")
    for call in itertools.count(1):
        folder = tmp_path / f"killed-{call}"
        shutil.copytree(tmp_path / "before", folder)
        text, number = in_child(dying_before(call, lambda folder=folder: action(folder)))
        assert not text
        yield folder
        if number == 0:
            return
        assert number == signal.SIGKILL


def one_and_two(folder):
    checkpoints.write(folder, 1, contents(1))
    checkpoints.write(folder, 2, contents(2))


def two_cut_short(folder):
    """Every kind of leftover at once, below and above the newest whole checkpoint, which is 3."""
    for step in range(1, 6):
        unsynced(folder, step)
    damage(folder / "step-000000004")
    damage(folder / "step-000000005")
    (folder / "step-000000003").rename(folder / "step-000000003-replaced")
    shutil.copytree(folder / "step-000000002", folder / "step-000000002-replaced")
    shutil.copytree(folder / "step-000000002", folder / ".tmp-step-000000006-77")
    shutil.copytree(folder / "step-000000002", folder / ".tmp-delete-step-000000000-77")


def step_and_kind(path):
    """What a checkpoint holds, after comparing every byte with what was saved."""
    files = checkpoints.read(path).files
    state = json.loads(bytes(files["state.json"]))
    size = 5000 if len(files["model.safetensors"]) > 20000 else 50
    assert files == contents(state["step"], state["kind"], size)
    return state["step"], state["kind"]


def assert_goes_on(folder, steps):
    """After a crash, the next save succeeds and leaves nothing but whole checkpoints and what was quarantined."""
    checkpoints.write(folder, 9, contents(9))
    assert step_and_kind(checkpoints.newest(folder)) == (9, "first")
    kept = [name for name in names(folder) if not name.startswith("quarantine-")]
    assert kept == [f"step-{step:09d}" for step in (*steps, 9)]
    for name in kept:
        assert checkpoints.verify(folder / name).step == int(name[5:])


@pytest.mark.parametrize(
    ("step", "kind", "found"),
    [
        (3, "first", [(2, "first"), (3, "first")]),
        (2, "second", [(2, "first"), (2, "second")]),
        (2, "first", [(2, "first")]),
    ],
    ids=["a new step", "a step that is there and different", "a step that is there and the same"],
)
def test_a_save_that_is_killed_anywhere_loses_nothing(tmp_path, step, kind, found):
    seen = []
    for folder in killed_everywhere(
        tmp_path, one_and_two, lambda folder: checkpoints.write(folder, step, contents(step, kind))
    ):
        before = names(folder)
        seen.append(step_and_kind(checkpoints.newest(folder)))
        assert names(folder) == before
        assert seen[-1] in found
        copy = shutil.copytree(folder, folder.with_name(f"{folder.name}-recovered"))
        recovered = checkpoints.recover(copy)
        assert recovered.problems == ()
        assert step_and_kind(recovered.path) == seen[-1]
        assert checkpoints.NAME.fullmatch(recovered.path.name)[2] is None
        assert_goes_on(folder, range(1, seen[-1][0] + 1))
        assert_goes_on(copy, range(1, seen[-1][0] + 1))
    assert seen == sorted(seen)
    assert [key for key, _ in itertools.groupby(seen)] == found
    assert len(seen) >= 20 or len(found) == 1


def test_the_same_state_is_not_written_twice(tmp_path):
    path = checkpoints.write(tmp_path, 1, contents(1), score=0.5)
    before = [(file.stat().st_ino, file.stat().st_mtime_ns) for file in sorted(path.iterdir())]
    assert checkpoints.write(tmp_path, 1, contents(1), score=0.5) == path
    assert [(file.stat().st_ino, file.stat().st_mtime_ns) for file in sorted(path.iterdir())] == before


def test_retention_that_is_killed_anywhere_loses_nothing(tmp_path):
    def prepare(folder):
        for step in range(1, 6):
            unsynced(folder, step)

    left = []
    for folder in killed_everywhere(tmp_path, prepare, lambda folder: checkpoints.retain(folder, keep=1)):
        assert step_and_kind(checkpoints.newest(folder)) == (5, "first")
        left.append(len(checkpoints.list_checkpoints(folder)))
        assert_goes_on(folder, range(6 - left[-1], 6))
    assert left == sorted(left, reverse=True)
    assert (left[0], left[-1]) == (5, 1)
    assert len(left) >= 20


def test_recovery_that_is_killed_anywhere_can_be_done_again(tmp_path):
    phases = 0
    for folder in killed_everywhere(tmp_path, two_cut_short, checkpoints.recover):
        phases += 1
        assert step_and_kind(checkpoints.newest(folder)) == (3, "first")
        assert checkpoints.recover(folder).path == folder / "step-000000003"
        assert names(folder)[:2] == ["quarantine-step-000000004", "quarantine-step-000000005"]
        assert_goes_on(folder, (1, 2, 3))
    assert phases >= 20


def test_what_is_damaged_makes_way_for_what_is_replaced(tmp_path):
    """A replacement cut short, whose new checkpoint is then damaged: the one before it comes back."""
    unsynced(tmp_path, 1).rename(tmp_path / "step-000000001-replaced")
    damage(unsynced(tmp_path, 1, kind="second"))
    copy = shutil.copytree(tmp_path, tmp_path / "copy")
    assert checkpoints.newest(tmp_path).name == "step-000000001-replaced"
    checkpoints.write(copy, 1, contents(1, "third"))
    assert names(copy) == ["step-000000001"]
    shutil.rmtree(copy)
    recovered = checkpoints.recover(tmp_path)
    assert len(recovered.problems) == 1
    assert step_and_kind(recovered.path) == (1, "first")
    assert names(tmp_path) == ["quarantine-step-000000001", "step-000000001"]


# Files that are damaged


def flip(rng, data):
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


DAMAGES = {
    "flip": flip,
    "truncate": lambda rng, data: data[: rng.randrange(len(data))],
    "append": lambda rng, data: data + b"\0" + rng.randbytes(rng.randrange(20)),
    "zero": lambda rng, data: bytes(len(data)),
}


def corrupt(rng, path):
    """Damage one file of a checkpoint, or swap two."""
    victim, other = (path / name for name in rng.sample(names(path), 2))
    kind = rng.choice([*DAMAGES, "delete", "swap"])
    if kind in DAMAGES:
        victim.write_bytes(DAMAGES[kind](rng, victim.read_bytes()))
    elif kind == "delete":
        victim.unlink()
    else:
        data = victim.read_bytes()
        victim.write_bytes(other.read_bytes())
        other.write_bytes(data)


def test_two_hundred_corruptions_are_found_and_moved_away(tmp_path):
    rng = random.Random(0)
    before = tmp_path / "before"
    for step in (1, 2, 3):
        unsynced(before, step)
    for number in range(200):
        folder = shutil.copytree(before, tmp_path / str(number))
        victims = rng.sample([1, 2, 3], rng.choice([1, 2]))
        for step in victims:
            corrupt(rng, folder / f"step-{step:09d}")
        damaged = {name: [p.read_bytes() for p in sorted((folder / name).iterdir())] for name in names(folder)}
        whole = max({1, 2, 3} - set(victims))
        assert step_and_kind(checkpoints.newest(folder)) == (whole, "first")
        recovered = checkpoints.recover(folder)
        assert step_and_kind(recovered.path) == (whole, "first")
        assert len(recovered.problems) == 3 - whole
        for step in range(whole + 1, 4):
            moved = folder / f"quarantine-step-{step:09d}"
            assert [p.read_bytes() for p in sorted(moved.iterdir())] == damaged[f"step-{step:09d}"]
        for step in victims:
            for function in (checkpoints.verify, checkpoints.read):
                with pytest.raises(CheckpointError, match=r"^.*$"):
                    function(folder / f"{'quarantine-' if step > whole else ''}step-{step:09d}")


def test_swapped_checkpoints_are_told(tmp_path):
    for step in (1, 2, 3):
        unsynced(tmp_path, step)
    (tmp_path / "step-000000003").rename(tmp_path / "three")
    (tmp_path / "step-000000002").rename(tmp_path / "step-000000003")
    (tmp_path / "three").rename(tmp_path / "step-000000002")
    assert checkpoints.newest(tmp_path).name == "step-000000001"
    recovered = checkpoints.recover(tmp_path)
    assert recovered.problems[0].endswith(
        "expected the checkpoint of this step; got that of step 2; it is now quarantine-step-000000003"
    )


def test_a_run_without_a_whole_checkpoint_does_not_start_afresh(tmp_path):
    for step in (1, 2):
        damage(unsynced(tmp_path, step))
    unsynced(tmp_path, 3).rename(tmp_path / ".tmp-step-000000003-77")
    before = names(tmp_path)
    with pytest.raises(CheckpointError, match="expected a whole checkpoint; got damaged ones only") as told:
        checkpoints.recover(tmp_path)
    assert len(str(told.value).splitlines()) == 3
    with pytest.raises(CheckpointError, match=r"^.*model.safetensors: expected 2\d\d bytes; got 0") as told:
        checkpoints.newest(tmp_path)
    assert len(str(told.value).splitlines()) == 2
    assert names(tmp_path) == before


def test_a_folder_without_checkpoints_has_nothing_to_recover(tmp_path):
    assert checkpoints.recover(tmp_path / "nowhere") == checkpoints.Recovered(None, ())
    with pytest.raises(CheckpointError, match="nowhere: expected a checkpoint; got none"):
        checkpoints.newest(tmp_path / "nowhere")


def test_quarantine_never_overwrites(tmp_path):
    unsynced(tmp_path, 1)
    for _ in range(3):
        damage(unsynced(tmp_path, 2))
        checkpoints.recover(tmp_path)
    quarantined = [f"quarantine-step-000000002{end}" for end in ("", "-1", "-2")]
    assert names(tmp_path) == [*quarantined, "step-000000001"]


def rewrite_manifest(path, change, *, sign=True):
    content = json.loads((path / "MANIFEST.json").read_text())
    del content["sha256"]
    change(content)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    content["sha256"] = hashlib.sha256(canonical if sign else b"").hexdigest()
    (path / "MANIFEST.json").write_text(json.dumps(content))


def test_a_manifest_says_what_is_there(tmp_path):
    path = checkpoints.write(tmp_path, 7, contents(7, size=50), score=1.5)
    manifest = checkpoints.verify(path)
    assert (manifest.step, manifest.score) == (7, 1.5)
    assert manifest.created_by == f"diffeo {diffeo.__version__}"
    assert manifest.files["model.safetensors"].size == (path / "model.safetensors").stat().st_size
    assert manifest.tensors["training.safetensors"] == {"weight": {"dtype": "F32", "shape": [25]}}
    assert set(json.loads((path / "MANIFEST.json").read_text())) == {
        *("format", "created_by", "step", "score", "files", "tensors", "sha256")
    }
    assert checkpoints.verify(checkpoints.write(tmp_path, 8, contents(8), score=float("nan"))).score is None


@pytest.mark.parametrize("name", ["../outside", "a/b", "a\\b", "..", ".", "", "c:x", "a\nb", "\ud800", "MANIFEST.json"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    (tmp_path / "outside").write_bytes(b"secret")
    path = unsynced(tmp_path, 1)
    entry = {"size": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}
    rewrite_manifest(path, lambda content: content["files"].update({name: entry}))
    for function in (checkpoints.verify, checkpoints.read):
        with pytest.raises(CheckpointError, match=r"MANIFEST.json: expected plain file names; got"):
            function(path)
    with pytest.raises(CheckpointError, match="expected plain file names"):
        checkpoints.write(tmp_path, 2, {name: b""})
    assert names(tmp_path) == ["outside", "step-000000001"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format=0), "expected format 1; got 0"),
        (lambda content: content.pop("files"), "expected the keys and types of format 1; got others"),
        (lambda content: content.update(files=[1]), "expected the keys and types of format 1; got others"),
        (lambda content: content.update(score=10**400), "expected the keys and types of format 1; got others"),
        (lambda content: content.update(tensors=1), "expected the keys and types of format 1; got others"),
        (lambda content: content.update(step="one"), "expected the keys and types of format 1; got others"),
        (lambda content: content["files"].update(state=None), "expected the keys and types of format 1; got others"),
    ],
)
def test_manifests_that_were_not_written_by_us_are_told(tmp_path, change, message):
    path = unsynced(tmp_path, 1)
    rewrite_manifest(path, change)
    with pytest.raises(CheckpointError, match=rf"^.*MANIFEST.json: {message}.*$"):
        checkpoints.verify(path)


def test_a_manifest_with_another_hash_is_damaged(tmp_path):
    path = unsynced(tmp_path, 1)
    rewrite_manifest(path, lambda content: None, sign=False)
    with pytest.raises(CheckpointError, match="expected a manifest with the hash that it states; got another"):
        checkpoints.verify(path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'{"format": NaN}'])
def test_a_manifest_that_is_none_is_told(tmp_path, text):
    path = unsynced(tmp_path, 1)
    (path / "MANIFEST.json").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"^.*MANIFEST.json: expected .*$"):
        checkpoints.verify(path)


def test_what_is_no_file_is_told(tmp_path):
    path = unsynced(tmp_path, 1)
    (path / "state.json").unlink()
    os.mkfifo(path / "state.json")  # reading it would never end
    with pytest.raises(CheckpointError, match=r"state.json: expected a file of a checkpoint; got something that"):
        checkpoints.verify(path)


def test_a_newer_format_is_refused_and_never_passed_over(tmp_path):
    unsynced(tmp_path, 1)
    rewrite_manifest(unsynced(tmp_path, 2), lambda content: content.update(format=2, created_by="diffeo 9.0.0"))
    before = names(tmp_path)
    for function in (checkpoints.newest, checkpoints.recover):
        with pytest.raises(
            NewerFormatError, match=r"expected format 1 or older; got format 2: .* newer .*'diffeo 9.0.0'"
        ):
            function(tmp_path)
    assert checkpoints.retain(tmp_path, keep=1)[0].endswith("no checkpoint was removed")
    assert names(tmp_path) == before


# Disks that are full, and places that cannot be written


def test_a_file_that_grows_too_large_leaves_nothing(tmp_path):
    checkpoints.write(tmp_path, 1, contents(1))

    def action():
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with pytest.raises(
            SaveError, match=r"^.*step-000000002: expected .*; got File too large: the older .* intact$"
        ):
            checkpoints.write(tmp_path, 2, contents(2))
        assert names(tmp_path) == ["step-000000001"]
        assert step_and_kind(checkpoints.newest(tmp_path)) == (1, "first")
        with pytest.raises(SaveError, match="File too large"):
            checkpoints.write(tmp_path, 1, contents(1, "second"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    assert in_child(action) == ("", 0)
    assert_goes_on(tmp_path, [1])
    assert step_and_kind(tmp_path / "step-000000001") == (1, "first")


def mounted(folder, options):
    """Mount an empty file system that this process alone sees; raises ``OSError`` where that isn't allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_user, new_mounts = 0x10000000, 0x20000
    maps = {"setgroups": "deny", "uid_map": f"0 {os.getuid()} 1", "gid_map": f"0 {os.getgid()} 1"}
    if libc.unshare(new_user | new_mounts):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for name, text in maps.items():
        Path("/proc/self", name).write_text(text)
    mount(libc, folder, options)
    return libc


def mount(libc, folder, options, flags=0):
    if libc.mount(b"none", os.fsencode(folder), b"tmpfs", flags, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def test_a_full_disk_leaves_nothing_and_a_read_only_one_is_told(tmp_path):
    folder, remount_read_only = tmp_path / "checkpoints", 0x21
    folder.mkdir()

    def action():
        try:
            libc = mounted(folder, b"size=1m")
        except (OSError, AttributeError) as error:  # no right to, or another system
            raise NotImplementedError(f"no tmpfs can be mounted here: {error}") from error
        checkpoints.write(folder, 1, contents(1))
        for kind in ("too large", "still too large"):
            with pytest.raises(SaveError, match="got No space left on device: the older checkpoints are intact"):
                checkpoints.write(folder, 2, contents(2, kind, 300_000))
            assert names(folder) == ["step-000000001"]
            assert step_and_kind(checkpoints.newest(folder)) == (1, "first")
        checkpoints.write(folder, 2, contents(2))
        assert step_and_kind(checkpoints.newest(folder)) == (2, "first")
        mount(libc, folder, None, remount_read_only)
        with pytest.raises(SaveError, match="got Read-only file system: the older checkpoints are intact"):
            checkpoints.write(folder, 3, contents(3))
        assert step_and_kind(checkpoints.newest(folder)) == (2, "first")
        assert len(checkpoints.retain(folder, keep=1)) == 1
        assert checkpoints.recover(folder).path == folder / "step-000000002"

    text, number = in_child(action)
    if "NotImplementedError" in text:
        pytest.skip(text.splitlines()[-1])
    assert (text, number) == ("", 0)


def saves_despite(call, folder):
    """What a replacement says when its n-th call of the system fails, "" if it succeeds, and how many calls it makes."""
    count = itertools.count(1)

    def refusing(real):
        def wrapped(*args, **kwargs):
            if next(count) == call:
                raise OSError(5, "Input/output error")
            return real(*args, **kwargs)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "write", "fsync", "mkdir", "rename"):
            patch.setattr(os, name, refusing(getattr(os, name)))
        try:
            checkpoints.write(folder, 1, contents(1, "second", 50))
        except SaveError as error:
            return str(error), next(count) - 1
    return "", next(count) - 1


def test_a_call_of_the_system_that_fails_loses_nothing(tmp_path):
    """Each in turn, also between the two renames of a replacement."""
    for call in itertools.count(1):
        folder = tmp_path / str(call)
        unsynced(folder, 1)
        message, calls = saves_despite(call, folder)
        assert message == "" or message.endswith("got Input/output error: the older checkpoints are intact")
        found = step_and_kind(checkpoints.newest(folder))
        assert found in [(1, "second"), *([(1, "first")] if message else [])]
        assert not [name for name in names(folder) if name.startswith(".tmp-step")]
        assert_goes_on(folder, [1])
        if calls < call:
            assert call > 20
            return


def test_what_is_renamed_has_been_synced_before_and_its_folder_after(tmp_path, monkeypatch):
    """What a loss of power needs: it keeps any part of what wasn't synced, in any order."""
    real, paths, calls = {name: getattr(os, name) for name in ("open", "write", "fsync", "rename")}, {}, []

    def opened(path, *args, **kwargs):
        descriptor = real["open"](path, *args, **kwargs)
        paths[descriptor] = Path(path).name
        return descriptor

    def noted(name):
        def call(descriptor, *args):
            calls.append((name, paths[descriptor]))
            return real[name](descriptor, *args)

        return call

    def renamed(source, target):
        calls.append(("rename", Path(target).name))
        real["rename"](source, target)

    for name, double in (("open", opened), ("write", noted("write")), ("fsync", noted("fsync")), ("rename", renamed)):
        monkeypatch.setattr(os, name, double)
    checkpoints.write(tmp_path, 1, contents(1))
    written = [*contents(1), "MANIFEST.json"]
    assert calls == [
        *(pair for name in written for pair in (("write", name), ("fsync", name))),
        ("fsync", f".tmp-step-000000001-{os.getpid()}"),
        ("rename", "step-000000001"),
        ("fsync", tmp_path.name),
    ]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SaveError, match=r"file/checkpoints/step-000000001: expected .*; got Not a directory: the older"
    ):
        checkpoints.write(tmp_path / "file" / "checkpoints", 1, contents(1))
    folder = tmp_path / "checkpoints"
    checkpoints.write(folder, 1, contents(1))
    folder.chmod(0o555)
    tmp_path.chmod(0o755)

    def action():
        os.chdir(tmp_path)  # what is above it is for the owner alone
        if os.getuid() == 0:
            os.setuid(65534)  # mode bits mean nothing to root
        with pytest.raises(
            SaveError, match=r"^checkpoints/step-000000002: expected .*; got Permission denied: the older"
        ):
            checkpoints.write(Path("checkpoints"), 2, contents(2))
        assert step_and_kind(checkpoints.newest(Path("checkpoints"))) == (1, "first")

    assert in_child(action) == ("", 0)
    folder.chmod(0o755)
    assert_goes_on(folder, [1])


def test_files_get_the_permissions_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        path = checkpoints.write(tmp_path, 1, contents(1))
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o640}
    assert path.stat().st_mode & 0o777 == 0o750


# Retention


@settings(max_examples=60)
@given(
    scores=st.lists(st.none() | st.integers(-3, 3).map(float), min_size=1, max_size=7),
    keep=st.integers(1, 8),
    best=st.integers(0, 4),
    damaged=st.sets(st.integers(0, 6)),
)
def test_the_newest_and_the_best_survive(scores, keep, best, damaged):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for step, score in enumerate(scores):
            path = unsynced(folder, step, score=score)
            if step in damaged:
                damage(path)
        steps = range(len(scores))
        whole = [step for step in steps if step not in damaged]
        ranked = sorted((step for step in steps if scores[step] is not None), key=lambda step: (scores[step], -step))
        wanted = {*steps[-keep:], *ranked[:best], *whole[-1:]} if whole else set(steps)
        warnings = checkpoints.retain(folder, keep=keep, best=best)
        assert names(folder) == [f"step-{step:09d}" for step in sorted(wanted)]
        assert bool(warnings) == (not whole)


def test_what_cannot_be_removed_is_told_and_tried_again(tmp_path, monkeypatch):
    for step in (1, 2, 3):
        unsynced(tmp_path, step)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        warnings = checkpoints.retain(tmp_path, keep=1)
    assert len(warnings) == 2
    assert warnings[0].endswith("step-000000001: expected an old checkpoint that can be removed; got Permission denied")
    assert checkpoints.newest(tmp_path).name == "step-000000003"
    assert_goes_on(tmp_path, [3])


def test_retention_that_keeps_nothing_is_refused(tmp_path):
    with pytest.raises(DiffeoError, match="expected keep >= 1 and best >= 0; got keep 0 and best 0"):
        checkpoints.retain(tmp_path, keep=0)
