/** Document of one row of `ps`. */
import type { ContainerView } from '../../contract/container.ts';
import type { ContainerSummary } from '../../contract/docker.ts';
import { unixSeconds } from '../timestamps.ts';
import type { Wire } from '../wire.ts';
import { networkModeOf } from './host-config.ts';
import { type ImageConfigLookup, labelsOf } from './inspect.ts';
import { mountPoints } from './mount-points.ts';
import { endpointMap, portSummaries } from './network-settings.ts';
import { statusText } from './status-text.ts';

export function summaryDocument(
  view: ContainerView,
  imageConfig: ImageConfigLookup,
  now: Date,
): Wire<ContainerSummary> {
  return {
    Id: view.id,
    Names: [`/${view.name}`],
    Image: view.settings.image,
    ImageID: view.imageId,
    Command: commandLine(view.process.path, view.process.args),
    Created: unixSeconds(view.createdAt),
    Ports: portSummaries(view),
    Labels: labelsOf(view, imageConfig),
    State: view.state.status,
    Status: statusText(view.state, now),
    HostConfig: { NetworkMode: networkModeOf(view) },
    NetworkSettings: { Networks: endpointMap(view) },
    Mounts: mountPoints(view),
  };
}

/** Quotes only arguments that contain a space (moby daemon/list.go). */
function commandLine(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}
