/** Filters of `ps` (moby daemon/list.go). */
import type { ContainerView } from '../../contract/container.ts';
import { invalid } from '../../errors.ts';
import { type Filters, labelsMatch } from '../filters.ts';
import type { ImagesBackend } from '../images/backend.ts';
import { type ImageConfigLookup, labelsOf } from './inspect.ts';
import { isUp } from './is-up.ts';

export const containerFilterNames = [
  ...['ancestor', 'before', 'exited', 'expose', 'health', 'id', 'is-task', 'isolation', 'label'],
  ...['name', 'network', 'publish', 'since', 'status', 'volume'],
];

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['starting', 'healthy', 'unhealthy', 'none'];

export interface FilterSources {
  inspect(reference: string): ContainerView;
  images: Pick<ImagesBackend, 'inspect'>;
  imageConfig: ImageConfigLookup;
}

/** Whether `ps` shows the container. Without `all` it shows only running ones, unless filters say otherwise. */
export function containerFilter(
  filters: Filters,
  all: boolean,
  sources: FilterSources,
): (view: ContainerView) => boolean {
  checkValues(filters, 'status', statuses);
  checkValues(filters, 'health', healths);
  const exits = filters.get('exited').map(exitCode);
  const showAll =
    all ||
    filters.has('status') ||
    exits.length > 0 ||
    filters.has('before') ||
    filters.has('since');
  const bound = (name: string) =>
    filters.get(name).map((reference) => sources.inspect(reference).createdAt.getTime());
  const [before, since] = [bound('before'), bound('since')];
  const ancestors = new Set(filters.get('ancestor').flatMap((name) => imageId(name, sources)));
  const labels = filters.labels();
  return (view) =>
    (showAll || isUp(view.state.status)) &&
    filters.some('id', (prefix) => view.id.startsWith(prefix)) &&
    filters.some('name', (pattern) => nameMatches(view.name, pattern)) &&
    filters.some('status', (status) => view.state.status === status) &&
    filters.some('health', (health) => (view.state.health?.status ?? 'none') === health) &&
    (exits.length === 0 || (hasExited(view) && exits.includes(view.state.exitCode))) &&
    (!filters.has('ancestor') ||
      ancestors.has(view.imageId) ||
      filters.get('ancestor').includes(view.settings.image)) &&
    labelsMatch(labelsOf(view, sources.imageConfig), labels) &&
    filters.some('network', (network) => isOnNetwork(view, network)) &&
    filters.some('volume', (volume) => hasVolume(view, volume)) &&
    filters.some('publish', (port) => hasPort(view, port, true)) &&
    filters.some('expose', (port) => hasPort(view, port, false)) &&
    filters.some('is-task', (value) => value === 'false' || value === '0') &&
    before.every((time) => view.createdAt.getTime() < time) &&
    since.every((time) => view.createdAt.getTime() > time);
}

function checkValues(filters: Filters, name: string, allowed: readonly string[]): void {
  for (const value of filters.get(name)) {
    if (!allowed.includes(value)) throw invalid(`invalid filter '${name}=${value}'`);
  }
}

function exitCode(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw invalid(`invalid filter 'exited=${text}'`);
  return Number(text);
}

function hasExited(view: ContainerView): boolean {
  return view.state.status === 'exited' || view.state.status === 'dead';
}

/** Matches a regular expression with the name, with and without its slash; an invalid expression counts as plain text. */
function nameMatches(name: string, pattern: string): boolean {
  try {
    const expression = new RegExp(pattern);
    return expression.test(name) || expression.test(`/${name}`);
  } catch {
    return name.includes(pattern);
  }
}

function imageId(name: string, { images }: FilterSources): string[] {
  try {
    return [images.inspect(name).id];
  } catch {
    // Without such an image no container descends from it, which is no error.
    return [];
  }
}

function isOnNetwork(view: ContainerView, network: string): boolean {
  const { mode } = view.settings.network;
  if (typeof mode === 'string' && mode === network) return true;
  return view.networks.some(
    (endpoint) => endpoint.networkName === network || endpoint.networkId.startsWith(network),
  );
}

function hasVolume(view: ContainerView, volume: string): boolean {
  return view.mounts.some(
    (mount) => mount.name === volume || mount.source === volume || mount.target === volume,
  );
}

/** Matches `80`, `80/udp` or `8000-8080/tcp`. */
function hasPort(view: ContainerView, text: string, published: boolean): boolean {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text);
  if (match === null) throw invalid(`invalid filter '${published ? 'publish' : 'expose'}=${text}'`);
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  return view.ports.some((port) => {
    const number = published ? port.hostPort : port.containerPort;
    return (
      number !== undefined &&
      number >= first &&
      number <= last &&
      port.protocol === (match[3] ?? 'tcp')
    );
  });
}
