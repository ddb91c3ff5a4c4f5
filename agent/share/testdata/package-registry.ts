/** A registry of a few packages for npm: one that many files depend on, one with a program and a script of its own. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface PackageRegistry {
  url: string;
  close(): void;
}

interface Package {
  manifest: { name: string; version: string } & Record<string, unknown>;
  files: Record<string, string>;
}

export async function servePackages(packages: readonly Package[]): Promise<PackageRegistry> {
  const archives = new Map(packages.map((each) => [each.manifest.name, pack(each)]));
  const server = createServer((request, response) => {
    const [, name = '', file] = /^\/([^/]+)(\/archive\.tgz)?$/.exec(request.url ?? '') ?? [];
    const archive = archives.get(name);
    const manifest = packages.find((each) => each.manifest.name === name)?.manifest;
    if (archive === undefined || manifest === undefined) response.writeHead(404).end();
    else if (file !== undefined) response.end(archive);
    else {
      const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
      const dist = { tarball: `${url}/${name}/archive.tgz`, integrity };
      response.end(
        JSON.stringify({
          name,
          'dist-tags': { latest: manifest.version },
          versions: { [manifest.version]: { ...manifest, dist } },
        }),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => server.close() };
}

function pack({ manifest, files }: Package): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'corten-package-'));
  try {
    const all = { ...files, 'package.json': JSON.stringify(manifest) };
    for (const [name, text] of Object.entries(all)) {
      const path = join(directory, 'package', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    const archive = join(directory, 'archive.tgz');
    execFileSync('tar', ['-czf', archive, '-C', directory, 'package']);
    return readFileSync(archive);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
