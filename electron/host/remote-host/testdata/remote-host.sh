#!/bin/bash
# Another computer, as far as a login can tell: Debian's sshd in a file system, mount and process
# namespaces of its own. What is written to it lies in $1/rw. Usage: remote-host.sh DIR ADDRESS PORT [sftp]
set -euo pipefail
directory=$1 address=$2 port=$3 sftp=${4:-}
root=$directory/root
mount --make-rprivate /
mkdir -p "$directory/rw" "$root"
mount -t tmpfs -o size=2g tmpfs "$directory/rw"
mkdir "$directory/rw/"{upper,work}
mount -t overlay -o "lowerdir=/,upperdir=$directory/rw/upper,workdir=$directory/rw/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
# An overlay cannot be the place of another one's upper directory, and containers have overlays.
for place in run tmp var/lib opt; do
  mount -t tmpfs -o mode=0755 tmpfs "$root/$place"
done
chmod 1777 "$root/tmp"
mkdir -p "$root/run/sshd"
# It lacks what many hosts lack.
rm -f "$root/usr/sbin/nft" "$root"/usr/lib/*-linux-gnu/libseccomp.so.2*
# What the test machine's root starts at each login is none of its business, and may take a minute.
rm -f "$root"/root/.bash* "$root"/root/.profile
# No systemd, whatever the test machine has; a test may put a stand-in there.
install -m 600 "$directory/host_key" "$root/etc/ssh/corten_test_host_key"
# sshd reads it as the user who comes.
install -m 644 "$directory/authorized_keys" "$root/etc/ssh/corten_test_keys"
echo 'carol:x:4242:4242::/tmp:/bin/sh' >>"$root/etc/passwd"
echo 'carol:*:20000:0:99999:7:::' >>"$root/etc/shadow"
echo 'carol ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/corten-test"
# With the password "open sesame", which his sudo wants.
echo 'dave:x:4343:4343::/tmp:/bin/sh' >>"$root/etc/passwd"
echo 'dave:$6$corten$djtTyUVc2n1l.Z.0pu4CPdvQZyh0awGeRxiHOywS.Yo7IeTA8mJDdv9Ix/pc8LKjhVqPs3QA5wTR1CbITejH00:20000:0:99999:7:::' >>"$root/etc/shadow"
echo 'dave ALL=(ALL) ALL' >>"$root/etc/sudoers.d/corten-test"
echo 'erin:x:4444:4444::/tmp:/bin/sh' >>"$root/etc/passwd"
echo 'erin:$6$corten$djtTyUVc2n1l.Z.0pu4CPdvQZyh0awGeRxiHOywS.Yo7IeTA8mJDdv9Ix/pc8LKjhVqPs3QA5wTR1CbITejH00:20000:0:99999:7:::' >>"$root/etc/shadow"
chmod 440 "$root/etc/sudoers.d/corten-test"
cat >"$root/etc/ssh/corten_test_config" <<CONFIG
ListenAddress $address:$port
HostKey /etc/ssh/corten_test_host_key
AuthorizedKeysFile /etc/ssh/corten_test_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
${sftp:+Subsystem sftp internal-sftp}
CONFIG
touch "$directory/made"
# No chroot: the engine's threads come back to their mount namespace, whose root this must be.
cd "$root"
pivot_root . mnt
exec /usr/sbin/sshd -D -e -f /etc/ssh/corten_test_config
