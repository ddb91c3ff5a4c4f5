/** User namespaces: which ids a container's root has on the host. */
import { statSync } from 'node:fs';
import type { ContainerSettings } from '../../contract/container.ts';
import { CortenError, conflict, invalid } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import type { UserNamespace } from '../spec/spec.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { drawRange, type IdBlock } from './id-range.ts';
import { joinedContainers } from './joined-containers.ts';

/**
 * Resolves the `auto` setting and refuses combinations that dockerd refuses. Throws invalid or
 * unavailable.
 */
export function withUserNamespace(
  settings: ContainerSettings,
  { byDefault, lack }: EngineContext['userNamespaces'],
): ContainerSettings {
  const user = settings.namespaces.user ?? (byDefault ? 'auto' : 'host');
  if (user === 'auto' && lack !== undefined)
    throw new CortenError('unavailable', `${lack.cause} ${lack.nextStep}`);
  if (user === 'auto') checkRemapped(settings);
  return { ...settings, namespaces: { ...settings.namespaces, user } };
}

function checkRemapped({ security, network, namespaces }: ContainerSettings): void {
  if (security.privileged)
    throw invalid(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  if (network.mode === 'host')
    throw invalid("cannot share the host's network namespace when user namespaces are enabled");
  if (namespaces.pid === 'host')
    throw invalid('cannot share the host PID namespace when user namespaces are enabled');
}

/** An id range of the container's own, unless it joins the user namespace of another container. */
export function idRangeFor(
  { containers, userNamespaces }: Pick<EngineContext, 'containers' | 'userNamespaces'>,
  settings: ContainerSettings,
  id: string,
): { idRange?: IdBlock } {
  if (settings.namespaces.user !== 'auto' || joinedContainers({ settings }).length > 0) return {};
  const taken = containers.all().flatMap(({ idRange }) => (idRange === undefined ? [] : [idRange]));
  return { idRange: drawRange(userNamespaces.pool, taken, id) };
}

/**
 * The user namespace for a start. Capabilities apply only to namespaces owned by the same user
 * namespace, so a container that joins another's network, ipc or pid namespace joins its user
 * namespace too.
 */
export function userNamespaceOf(
  { containers, live }: Pick<EngineContext, 'containers' | 'live'>,
  { settings, idRange }: ContainerRecord,
): UserNamespace | undefined {
  if (settings.namespaces.user !== 'auto') return undefined;
  if (idRange !== undefined) return { range: idRange };
  const paths = joinedContainers({ settings }).map(([, reference]) => {
    const other = containers.find(reference);
    if (other.settings.namespaces.user !== 'auto')
      throw conflict(
        `cannot join a namespace of ${other.name}: it has no user namespace and this container has one. Make this one with --userns=host, or that one without.`,
      );
    const process = live.get(other.id)?.process;
    if (process === undefined)
      throw conflict(`cannot join namespaces of a non running container: ${other.id}`);
    return `/proc/${process.pid}/ns/user`;
  });
  const [path] = paths;
  if (path === undefined) throw new Error('a remapped container has neither ids nor a neighbour');
  if (new Set(paths.map((each) => statSync(each).ino)).size > 1)
    throw conflict(
      'cannot join namespaces of containers with different user namespaces; join those of one container only',
    );
  return { path };
}
