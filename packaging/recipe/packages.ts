/**
 * What the guest has of each Debian package. Dependencies are not followed: they would bring systemd,
 * perl and most of Debian. That every library is there is checked on the finished tree
 * (libraries.ts), so a list that has become wrong fails the build.
 */

export interface Wanted {
  name: string;
  /** Which of its files. Documentation never comes along; licences are read by manifest.ts. */
  files: RegExp;
}

const libraries = /^usr\/lib\/[^/]+-linux-gnu\/lib[^/]*\.so[^/]*$/;

export const wantedPackages: readonly Wanted[] = [
  // The shell, init, mount, DHCP client and the like.
  { name: 'busybox-static', files: /^usr\/bin\/busybox$/ },
  {
    name: 'libc6',
    files:
      /^(lib(64)?|usr\/lib64)(\/ld-linux[^/]*)?$|^usr\/lib\/(ld-linux[^/]*|[^/]+\/(ld-linux[^/]*|libc|libm|libdl|libpthread|librt|libresolv|libnss_(dns|files)))(\.so[^/]*)?$/,
  },
  { name: 'libgcc-s1', files: libraries },
  { name: 'libstdc++6', files: libraries },
  { name: 'libatomic1', files: libraries },
  { name: 'libseccomp2', files: libraries },
  // nft, for NAT and published ports.
  { name: 'nftables', files: /^usr\/sbin\/nft$/ },
  { name: 'libnftables1', files: libraries },
  { name: 'libnftnl11', files: libraries },
  { name: 'libmnl0', files: libraries },
  { name: 'libjansson4', files: libraries },
  { name: 'libgmp10', files: libraries },
  { name: 'libedit2', files: libraries },
  { name: 'libbsd0', files: libraries },
  { name: 'libmd0', files: libraries },
  { name: 'libtinfo6', files: /\/libtinfo\.so[^/]*$/ },
  { name: 'libxtables12', files: libraries },
  // The data disk.
  { name: 'xfsprogs', files: /^usr\/sbin\/(mkfs\.xfs|xfs_growfs|xfs_repair)$/ },
  { name: 'libblkid1', files: libraries },
  { name: 'libinih1', files: libraries },
  { name: 'libuuid1', files: libraries },
  { name: 'liburcu8t64', files: /\/liburcu\.so[^/]*$/ },
  // `docker top` with ps's own options.
  { name: 'procps', files: /^usr\/bin\/ps$/ },
  { name: 'libproc2-0', files: libraries },
  { name: 'libsystemd0', files: libraries },
  { name: 'libcap2', files: /\/libcap\.so[^/]*$/ },
  // One form of each zone; `posix` and `right` would be the same hours again.
  { name: 'tzdata', files: /^usr\/share\/zoneinfo\/(?!posix|right)[A-Z][^.]*$/ },
  // Joined into one file by root.ts, as its own script does.
  { name: 'ca-certificates', files: /^usr\/share\/ca-certificates\/mozilla\/.*\.crt$/ },
];
