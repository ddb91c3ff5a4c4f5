/** What has another name for each kind of processor. */

export type Architecture = 'amd64' | 'arm64';

interface Names {
  /** Debian's multiarch directory. */
  multiarch: string;
  /** The package that depends on the newest cloud kernel. */
  kernelPackage: string;
  /** Node's and koffi's word in the names of npm packages. */
  npm: 'x64' | 'arm64';
  /** Before the names of gcc's and binutils' commands. */
  toolPrefix: string;
  /** The dynamic loader, by the path that is compiled into every program. */
  loader: string;
  /** As `uname -m` says it. */
  machine: string;
}

export const architectures: Record<Architecture, Names> = {
  amd64: {
    multiarch: 'x86_64-linux-gnu',
    kernelPackage: 'linux-image-cloud-amd64',
    npm: 'x64',
    toolPrefix: 'x86_64-linux-gnu-',
    loader: 'lib64/ld-linux-x86-64.so.2',
    machine: 'x86_64',
  },
  arm64: {
    multiarch: 'aarch64-linux-gnu',
    kernelPackage: 'linux-image-cloud-arm64',
    npm: 'arm64',
    toolPrefix: 'aarch64-linux-gnu-',
    loader: 'lib/ld-linux-aarch64.so.1',
    machine: 'aarch64',
  },
};

export function isArchitecture(name: string): name is Architecture {
  return name in architectures;
}
