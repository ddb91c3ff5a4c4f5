/** Which kernel modules the guest has, and what those need in turn (modules.dep(5)). */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { PackageFile } from '../recipe/debian.ts';
import type { FileTree } from '../recipe/file-tree.ts';
import { silenceTracer, tracingSections } from './module-tracing.ts';

/** On the way to the root, nothing else: the kernel unpacks these before anything can run. */
export const initrdModules = /\/(virtio_blk|erofs|overlay|crc32c[^/]*)\.ko$/;

/** By path below `kernel/`. */
export const rootModules = new RegExp(
  [
    // Containers' own networks, NAT and filters, and what people build out of them.
    'net/(netfilter|ipv4|ipv6|bridge|8021q|sched|packet|unix|tls|xfrm|vmw_vsock)/',
    'drivers/net/(veth|tun|tap|macvlan|macvtap|dummy|ifb|vrf|virtio_net|bonding/bonding)\\.ko',
    'drivers/net/(ipvlan|vxlan|wireguard)/',
    // Disks and file systems.
    'drivers/block/(virtio_blk|loop|nbd|zram/zram)\\.ko',
    'fs/(xfs|overlayfs|erofs|squashfs|isofs|fat|quota)/',
    'fs/(binfmt_misc|nls/nls_(cp437|iso8859-1|utf8|ascii))\\.ko',
    // What the host talks to.
    'drivers/virtio/(virtio_balloon|virtio_mem|virtio_input)\\.ko',
    'drivers/char/hw_random/virtio-rng\\.ko',
    'drivers/ptp/ptp_kvm\\.ko',
    'drivers/(acpi/button|input/evdev)\\.ko',
    // Asked for by name, so that no dependency shows it (crypto_alloc_shash and its kind).
    'crypto/(crc32c_generic|xxhash_generic|blake2b_generic|zstd|lz4|deflate|algif_\\w+)\\.ko',
    'arch/(x86|arm64)/crypto/(crc32c?|aesni|chacha|poly1305|sha256|ghash)[^/]*\\.ko',
  ]
    .map((part) => `(?:${part})`)
    .join('|'),
);

export interface Modules {
  version: string;
  /** Adds the modules that match, what they need, and depmod's tables. */
  addTo(tree: FileTree, wanted: RegExp): void;
}

/**
 * `files` are the kernel package's, `toolPrefix` names the binutils of its processor. The caller
 * disposes what was unpacked.
 */
export function openModules(
  files: readonly PackageFile[],
  toolPrefix: string,
): Modules & Disposable {
  const work = mkdtempSync(join(tmpdir(), 'corten-modules-'));
  const prefix = /^(?:usr\/)?lib\/modules\/([^/]+)\/(.+)$/;
  let version = '';
  for (const { path, type, content } of files) {
    const [, found = '', rest = ''] = prefix.exec(path) ?? [];
    if (rest === '' || type !== 'file') continue;
    version = found;
    place(work, version, rest, content);
  }
  if (version === '') throw new Error('the kernel package has no modules');
  const root = join(work, 'lib/modules', version);
  execFileSync('find', [root, '-name', '*.ko.xz', '-exec', 'xz', '-d', '-T1', '{}', '+']);
  execFileSync('depmod', ['-b', work, version]);
  const needs = dependencies(readFileSync(join(root, 'modules.dep'), 'utf8'));

  return {
    version,
    addTo(tree, wanted) {
      const chosen = closure(needs, (path) => wanted.test(path));
      const subset = mkdtempSync(join(tmpdir(), 'corten-modules-'));
      try {
        for (const path of [
          ...chosen,
          'modules.builtin',
          'modules.builtin.modinfo',
          'modules.order',
        ])
          place(subset, version, path, readFileSync(join(root, path)));
        const chosenRoot = join(subset, 'lib/modules', version);
        withoutDescriptions(
          chosen.map((path) => join(chosenRoot, path)),
          toolPrefix,
        );
        execFileSync('depmod', ['-b', subset, version]);
        const tables = ['modules.dep', 'modules.alias', 'modules.symbols', 'modules.builtin'];
        for (const path of [...chosen, ...tables])
          tree.file(`usr/lib/modules/${version}/${path}`, readFileSync(join(chosenRoot, path)));
      } finally {
        rmSync(subset, { recursive: true });
      }
    },
    [Symbol.dispose]: () => rmSync(work, { recursive: true }),
  };
}

/**
 * Without BTF, which tracing programs alone read (the kernel keeps its own), and so without the
 * signature behind it: a tenth of what they pack to, and what the kernel checks and reads at each load. Without the
 * symbols that no relocation needs, and on x86 without what the function tracer needs (module-tracing.ts); arm64 marks
 * its functions in a way of its own.
 */
function withoutDescriptions(modules: readonly string[], toolPrefix: string): void {
  const isX86 = toolPrefix.startsWith('x86_64');
  const sections = ['.BTF', '.comment', ...(isX86 ? tracingSections : [])];
  execFileSync(`${toolPrefix}strip`, [
    '--strip-unneeded',
    ...sections.map((name) => `--remove-section=${name}`),
    ...modules,
  ]);
  for (const path of isX86 ? modules : []) {
    const module = readFileSync(path);
    if (silenceTracer(module) > 0) writeFileSync(path, module);
  }
}

function place(work: string, version: string, path: string, content: Buffer): void {
  const target = join(work, 'lib/modules', version, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}

export function dependencies(modulesDep: string): Map<string, string[]> {
  return new Map(
    modulesDep
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => {
        const [path = '', needed = ''] = line.split(':');
        return [path, needed.split(' ').filter(Boolean)];
      }),
  );
}

/** Sorted; modules.dep lists what a module needs to the end, so one step is enough. */
export function closure(
  needs: ReadonlyMap<string, string[]>,
  wanted: (path: string) => boolean,
): string[] {
  const chosen = [...needs.keys()].filter(wanted);
  if (chosen.length === 0) throw new Error('no kernel module matches');
  return [...new Set(chosen.flatMap((path) => [path, ...(needs.get(path) ?? [])]))].sort();
}

/** The name that modprobe takes. */
export const moduleName = (path: string) => basename(path, '.ko').replaceAll('-', '_');
