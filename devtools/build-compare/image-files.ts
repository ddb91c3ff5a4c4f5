/** An image's files and configuration, in a form that can be compared. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { extract } from 'tar-stream';

export type Described = Map<string, string>;

/** Every path of the image's root with its kind, mode, owner, target and content. */
export async function filesOf(socket: string, image: string): Promise<Described> {
  const id = docker(socket, 'create', image, 'nothing-runs').trim();
  const files: Described = new Map();
  try {
    const exported = spawn('docker', ['-H', `unix://${socket}`, 'export', id], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const entry of exported.stdout.pipe(extract())) {
      const { name, type, mode = 0, uid, gid, linkname = '' } = entry.header;
      const hash = createHash('sha256');
      for await (const chunk of entry) hash.update(chunk as Buffer);
      const content = type === 'file' ? hash.digest('hex').slice(0, 12) : '';
      // What each engine puts there for its containers is no part of the image.
      if (/^(dev|proc|sys|etc\/(hosts|hostname|resolv\.conf|mtab)|\.dockerenv)(\/|$)/.test(name))
        continue;
      files.set(
        `/${name.replace(/\/$/, '')}`,
        `${type} ${(mode & 0o7777).toString(8)} ${uid}:${gid} ${linkname} ${content}`.trim(),
      );
    }
  } finally {
    docker(socket, 'rm', id);
  }
  return files;
}

/** The fields of the configuration and the history that do not depend on time. */
export function configOf(socket: string, image: string): Described {
  const [inspected] = JSON.parse(docker(socket, 'image', 'inspect', image));
  const fields: Described = new Map();
  for (const [name, value] of Object.entries(inspected.Config)) {
    // Fields of the container's configuration, which newer engines leave away.
    if (value === null || value === '' || value === false) continue;
    if (Array.isArray(value) || typeof value !== 'object' || Object.keys(value).length > 0)
      fields.set(`Config.${name}`, JSON.stringify(sorted(value)));
  }
  fields.set('Os', `${inspected.Os}/${inspected.Architecture}`);
  fields.set('Author', String(inspected.Author ?? ''));
  fields.set('layers', String(inspected.RootFS.Layers.length));
  const history = docker(
    socket,
    'history',
    '--no-trunc',
    '--format',
    '{{.Size}}\t{{.CreatedBy}}\t{{.Comment}}',
    image,
  )
    .trim()
    .split('\n')
    .reverse();
  for (const [index, line] of history.entries()) {
    const [size, ...words] = line.split('\t');
    fields.set(`history ${index}`, [size === '0B' ? 'empty' : 'layer', ...words].join(' | '));
  }
  return fields;
}

export function docker(socket: string, ...words: string[]): string {
  return execFileSync('docker', ['-H', `unix://${socket}`, ...words], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 ** 2,
  });
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, each]) => [name, sorted(each)]),
  );
}
