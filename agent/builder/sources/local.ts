/** `local://`: a directory of the client's computer, such as the build context. */
import { randomUUID } from 'node:crypto';
import { invalid } from '../../errors.ts';
import type { FoundSource, SourceRequest } from './source.ts';

/** Throws not-found when the client has no directory of that name. */
export async function findLocal({
  job,
  digest,
  source,
  signal,
}: SourceRequest): Promise<FoundSource> {
  const { attrs, identifier } = source;
  const name = identifier.replace(/^local:\/\//, '');
  const started = new Date();
  const tell = (current: number, completed?: Date) =>
    job.progress.status({
      id: `transferring ${name}:`,
      vertex: digest,
      name: `transferring ${name}:`,
      current,
      total: 0,
      started,
      ...(completed && { completed }),
    });
  let arrivedBytes = 0;
  const directory = await job.client.localDirectory({
    name,
    includePatterns: listIn(attrs, 'local.includepattern'),
    excludePatterns: listIn(attrs, 'local.excludepatterns'),
    followPaths: listIn(attrs, 'local.followpaths'),
    sharedKeyHint: attrs['local.sharedkeyhint'] ?? name,
    signal,
    progress: (bytes) => {
      arrivedBytes = bytes;
      tell(bytes);
    },
  });
  tell(arrivedBytes, new Date());
  return {
    // The same directory may hold other files at the next build: only their content says.
    identity: undefined,
    state: 'brought',
    snapshot: async () => ({
      layers: [{ id: `local:${randomUUID()}`, directory: directory.path }],
    }),
    release: () => directory.release(),
  };
}

/** A JSON list of strings. Throws invalid. */
function listIn(attrs: Readonly<Record<string, string>>, name: string): string[] {
  const text = attrs[name];
  if (text === undefined || text === '') return [];
  const list: unknown = parse(text, name);
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string'))
    throw invalid(`the attribute ${name} of a local source is no list of strings`);
  return list;
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`the attribute ${name} of a local source is no JSON`, { cause: error });
  }
}
