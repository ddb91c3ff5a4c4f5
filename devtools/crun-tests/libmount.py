"""As much of libmount's Python as crun's test_mounts.py uses, which Debian does not package: a table of mounts."""


class Mount:
    def __init__(self, line):
        own, _, rest = line.partition(" - ")
        fields = own.split(" ")
        self.target = fields[4]
        self.vfs_options = fields[5]
        self.fs_options = rest.split(" ")[2]


class Table:
    """Of a file like /proc/self/mountinfo (proc_pid_mountinfo(5))."""

    def __init__(self, path):
        with open(path) as file:
            self.mounts = [Mount(line) for line in file.read().split("\n") if " - " in line]

    def find_target(self, target):
        """The topmost, which is the last."""
        return next(mount for mount in reversed(self.mounts) if mount.target == target)
