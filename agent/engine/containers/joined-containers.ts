import type { ContainerRecord } from '../state/container-record.ts';

/**
 * The namespaces that the container joins, each with the reference of the container that owns it.
 */
export function joinedContainers({
  settings: { namespaces, network },
}: Pick<ContainerRecord, 'settings'>): ['pid' | 'ipc' | 'network', string][] {
  const chosen = [
    ['pid', namespaces.pid],
    ['ipc', namespaces.ipc],
    ['network', network.mode],
  ] as const;
  return chosen.flatMap(([type, choice]) =>
    typeof choice === 'object' && 'container' in choice ? [[type, choice.container]] : [],
  );
}
