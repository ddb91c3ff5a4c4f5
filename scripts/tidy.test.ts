/**
 * Checks of conventions: which folder may import which (docs/architecture.md), no circular imports, the length of files,
 * and names that say nothing.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { importedFiles, importsOf } from './imports.ts';

const root = join(import.meta.dirname, '..');
const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => /\.(ts|tsx|c|h)$/.test(path));

/** From a zone to the zones that it may import besides itself. A file's zone is the longest prefix that matches. */
const arrows: Record<string, string[]> = {
  'agent/contract': [],
  'agent/errors.ts': [],
  'agent/kernel': ['agent/contract', 'agent/errors.ts'],
  'agent/cgroup': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/images': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/network': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/dockerfile': ['agent/contract', 'agent/errors.ts'],
  'agent/disk': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/machine': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/runtime': ['agent/kernel', 'agent/cgroup', 'agent/contract', 'agent/errors.ts'],
  // Published definitions and what is generated from them.
  'agent/builder/protocol': [],
  'agent/builder': [
    'agent/builder/protocol',
    'agent/dockerfile',
    'agent/images',
    'agent/kernel',
    'agent/contract',
    'agent/errors.ts',
    'agent/api/*/backend.ts',
  ],
  'agent/engine': [
    'agent/builder/steps/step-runner.ts',
    'agent/dockerfile',
    'agent/runtime',
    'agent/images',
    'agent/network',
    'agent/cgroup',
    'agent/disk',
    'agent/kernel',
    'agent/contract',
    'agent/errors.ts',
    'agent/api/*/backend.ts',
  ],
  'agent/oci': [
    'agent/runtime',
    'agent/cgroup',
    'agent/kernel',
    'agent/contract',
    'agent/errors.ts',
  ],
  'agent/api': ['agent/contract', 'agent/errors.ts'],
  'agent/share': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/ssh': ['agent/contract', 'agent/errors.ts'],
  'agent/entry/guest': ['agent/contract', 'agent/kernel', 'agent/machine', 'agent/main.ts'],
  'agent/rootless': ['agent/kernel', 'agent/contract', 'agent/errors.ts'],
  'agent/main.ts': ['agent'],
  'agent/entry/as-user.ts': ['agent'],
  'agent/e2e': ['agent'],
  'agent/entry/remote-host.ts': [],
  'packaging/recipe': [],
  'packaging/vm-image': ['packaging/recipe'],
  'packaging/remote-bundle': ['packaging/recipe'],
  devtools: ['agent', 'electron'],
  cli: ['agent', 'electron'],
  'electron/contract': ['agent/contract'],
  'electron/host/engine-client.ts': ['electron/contract'],
  'electron/host/ssh': [],
  'electron/host/terminal.ts': ['electron/host/ssh', 'electron/contract'],
  'electron/host/renderer-files.ts': [],
  'electron/host/diagnostics': ['electron/host/engine-client.ts', 'electron/contract'],
  'electron/host/docker-socket': ['electron/host/ssh', 'electron/contract'],
  'electron/host/port-forwarding': ['electron/host/ssh', 'electron/contract', 'agent/contract'],
  'electron/host/idle-pause': ['electron/host/engine-client.ts', 'electron/host/ssh'],
  'electron/host/machine': [
    'electron/host/engine-client.ts',
    'electron/host/ssh',
    'electron/host/idle-pause',
    'electron/contract',
  ],
  'electron/host/native-linux': ['electron/host/machine', 'electron/host/ssh', 'agent/contract'],
  'electron/host/remote-host/login': [
    'electron/host/machine',
    'electron/host/ssh',
    'electron/contract',
  ],
  'electron/host/remote-host': [
    'electron/host/remote-host/login',
    'electron/host/machine',
    'electron/host/ssh',
    'electron/contract',
    'agent/contract',
  ],
  'electron/host/virtual-machine': [
    'electron/host/machine',
    'electron/host/engine-client.ts',
    'electron/contract',
    'agent/contract',
  ],
  'electron/host/qemu': [
    'electron/host/virtual-machine',
    'electron/host/machine',
    'electron/host/engine-client.ts',
    'electron/contract',
  ],
  'electron/host/apple-virtualization': [
    'electron/host/virtual-machine',
    'electron/host/machine',
    'electron/host/engine-client.ts',
    'electron/contract',
  ],
  'electron/host/wsl': [
    'electron/host/virtual-machine',
    'electron/host/machine',
    'electron/contract',
  ],
  'electron/host/host-settings': [
    'electron/host/machine',
    'electron/host/engine-client.ts',
    'electron/host/ssh',
    'agent/contract',
  ],
  'electron/host/forwarding': [
    'electron/host/docker-socket',
    'electron/host/port-forwarding',
    'electron/host/host-settings',
    'electron/host/machine',
    'electron/host/engine-client.ts',
    'electron/host/ssh',
    'electron/contract',
  ],
  'electron/host/builds': [
    'electron/host/engine-client.ts',
    'electron/contract',
    'agent/dockerfile',
    'agent/builder/patterns.ts',
  ],
  'electron/host/shared-folders/file-server': ['agent/contract'],
  'electron/host/shared-folders': [
    'electron/host/shared-folders/file-server',
    'electron/host/machine',
    'electron/host/ssh',
    'electron/contract',
    'agent/contract',
  ],
  'electron/host/machine-list': [
    'electron/host/machine',
    'electron/host/forwarding',
    'electron/contract',
  ],
  'electron/host/host-core.ts': ['electron/host', 'electron/contract'],
  // A new folder gets its own row above.
  'electron/host': [],
  'electron/window': ['electron/contract'],
  electron: ['electron'],
  'renderer/bridge': ['electron/contract', 'agent/contract'],
  'renderer/ui': [],
  'renderer/stores': ['renderer/bridge', 'electron/contract', 'agent/contract'],
  'renderer/features': [
    'renderer/ui',
    'renderer/stores',
    'renderer/bridge',
    'renderer/messages',
    'electron/contract',
    'agent/contract',
  ],
  renderer: ['renderer', 'electron/contract', 'agent/contract'],
};

/** Libraries that only one place may load. */
const ownedLibraries: Record<string, string[]> = {
  koffi: ['agent/kernel/'],
  electron: ['electron/'],
  'node:sqlite': ['agent/engine/', 'agent/builder/'],
};

test('imports point one way', () => {
  const wrong: string[] = [];
  for (const path of sources.filter((source) => /\.tsx?$/.test(source))) {
    for (const specifier of importsOf(path)) {
      if (specifier.startsWith('.')) {
        const target = normalize(join(dirname(path), specifier));
        if (!mayImport(path, target)) wrong.push(`${path} -> ${target}`);
      } else {
        const owners = ownedLibraries[specifier] ?? [''];
        if (!owners.some((owner) => path.startsWith(owner)) && !isTest(path))
          wrong.push(`${path} -> ${specifier} (only ${owners.join(' and ')} may)`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('no file imports itself by way of others', () => {
  const imports = new Map(
    sources.filter((path) => /\.tsx?$/.test(path)).map((path) => [path, importedFiles(path)]),
  );
  const circles: string[] = [];
  const done = new Set<string>();
  const follow = (path: string, way: readonly string[]) => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    else if (!done.has(path))
      for (const target of imports.get(path) ?? []) follow(target, [...way, path]);
    done.add(path);
  };
  for (const path of imports.keys()) follow(path, []);
  assert.deepEqual(circles, []);
});

test('no feature imports another', () => {
  const wrong = sources
    .filter((path) => path.startsWith('renderer/features/'))
    .flatMap((path) =>
      importedFiles(path)
        .filter(
          (target) =>
            target.startsWith('renderer/features/') && featureOf(target) !== featureOf(path),
        )
        .map((target) => `${path} -> ${target}`),
    );
  assert.deepEqual(wrong, []);
});

test('no file is much beyond 400 lines', () => {
  const long = sources
    .filter((path) => !isTest(path) && !path.endsWith('.data.ts') && !isGenerated(path))
    .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 440)
    .map(({ path, lines }) => `${path}: ${lines}`);
  assert.deepEqual(long, []);
});

test('no folder or file is called util, common, helpers or misc', () => {
  const vague = sources.filter(
    (path) => !isGenerated(path) && /(^|\/)(utils?|common|helpers?|misc)(\/|\.)/.test(path),
  );
  assert.deepEqual(vague, []);
});

const isGenerated = (path: string) => path.startsWith('agent/builder/protocol/');

function mayImport(from: string, target: string): boolean {
  if (isTest(from)) return true;
  const zone = zoneOf(from);
  if (zone === undefined || zoneOf(target) === zone) return true;
  return (arrows[zone] ?? []).some((allowed) => matches(allowed, target));
}

function zoneOf(path: string): string | undefined {
  return Object.keys(arrows)
    .filter((zone) => path === zone || path.startsWith(`${zone}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function matches(allowed: string, target: string): boolean {
  if (allowed.includes('*'))
    return new RegExp(`^${allowed.replaceAll('.', '\\.').replace('*', '[^/]+')}$`).test(target);
  return target === allowed || target.startsWith(`${allowed}/`);
}

function featureOf(path: string): string {
  return path.split('/').slice(0, 3).join('/');
}

function isTest(path: string): boolean {
  return (
    /\.(test|suite)\.tsx?$/.test(path) || path.includes('/testdata/') || path.includes('/e2e/')
  );
}
