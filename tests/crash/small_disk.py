"""A small ext4 file system in a file, in a mount namespace of its own: it can be filled, turned read-only under load, and mended.

It needs root, loop devices and mkfs.ext4. What cannot be done here is told as a skip; what could be done once is a failure later.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
INSIDE = "ROTA_OWN_MOUNTS"
STEP = 1024 * 1024


class Skip(Exception):
    """The host does not permit this."""


class DiskFailure(AssertionError):
    """What the host permits went wrong."""


def enter_namespace():
    """Runs the program again where its mounts are nobody else's and end with it."""
    if os.environ.get(INSIDE):
        return
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        print("skipped: only root can mount a small file system")
        sys.exit(SKIPPED)
    own_mounts = [unshare, "--mount", "--propagation", "private"]
    probe = subprocess.run([*own_mounts, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:  # root without the capability, as in a container
        print(f"skipped: a mount namespace cannot be made: {probe.stderr.strip()}")
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    os.execv(unshare, [*own_mounts, sys.executable, "-B", *sys.argv])


class SmallDisk:
    """`path` is where it is mounted. The constructor raises Skip if the host does not permit it; everything else DiskFailure."""

    def __init__(self, folder, mebibytes):
        self.path = Path(folder) / "disk"
        self._image = Path(folder) / "disk.img"
        self._ballast = self.path / "ballast"
        self._has_turned = False
        self.path.mkdir()
        with open(self._image, "wb") as image:
            image.truncate(mebibytes * STEP)
        try:
            self._run("mkfs.ext4", "-q", "-F", "-m", "0", self._image)
            self.mount()
        except DiskFailure as refused:
            raise Skip(str(refused)) from None

    @staticmethod
    def _run(program, *arguments):
        found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if found is None:
            raise DiskFailure(f"{program} is not there")
        done = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DiskFailure(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def mount(self):
        self._run("mount", "-o", "loop,errors=remount-ro", self._image, self.path)

    def unmount(self):
        self._run("umount", self.path)

    def close(self):
        """Unmounts it, which gives its loop device back; the image stays."""
        if self.path.is_mount():
            self.unmount()

    def fill(self):
        """Takes all that is free, to the last kibibyte."""
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (STEP, 64 * 1024, 1024):
                try:
                    while True:
                        if file.write(bytes(size)) < size:
                            break
                except OSError:
                    pass

    def make_room(self):
        self._ballast.unlink(missing_ok=True)

    def turn_read_only(self):
        """As the kernel does when it finds an error in the file system: at once, whoever writes. Raises Skip if it never could."""
        device = Path(self._run("findmnt", "-n", "-o", "SOURCE", self.path).strip()).name
        trigger = Path("/sys/fs/ext4") / device / "trigger_fs_error"
        try:
            trigger.write_text("test")
        except OSError as refused:
            raise (DiskFailure if self._has_turned else Skip)(f"{trigger}: {refused}") from None
        self._has_turned = True
