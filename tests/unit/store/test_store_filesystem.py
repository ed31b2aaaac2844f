"""Which file system a path is on, read from lines as Linux writes them."""

from pathlib import Path

import pytest

from ipymlops.store.filesystem import can_share_memory, filesystem_of

MOUNTS = r"""22 1 259:1 / / rw,noatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /home rw,nosuid shared:5 - nfs4 server:/home rw,vers=4.1
31 30 0:41 / /home/u/local rw - xfs /dev/sdb rw
32 30 0:42 / /home/with\040space rw shared:7 master:2 - fuse.sshfs host:/x rw
33 31 0:43 / /home/u/local rw - tmpfs tmpfs rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", "ext4"),
        ("/home", "nfs4"),
        ("/home/u", "nfs4"),
        ("/home/u/local/deep", "tmpfs"),
        ("/home/with space/x", "fuse.sshfs"),
        ("/homely", "ext4"),
    ],
)
def test_the_longest_mount_point_holds_the_path_and_the_last_one_there_covers_it(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_without_a_list_of_mounts_it_is_not_known() -> None:
    assert filesystem_of(Path("/x"), "") == ""
    assert can_share_memory("")


def test_this_machine_says_something_for_its_root() -> None:
    assert filesystem_of(Path("/proc/self")) == "proc"


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.s3fs", "fuse", "lustre"])
def test_network_storage_shares_no_memory(kind: str) -> None:
    assert not can_share_memory(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs"])
def test_a_disk_of_this_machine_does(kind: str) -> None:
    assert can_share_memory(kind)
