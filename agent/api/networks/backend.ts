/** Declares what the network routes need of the engine. */
import type { EndpointSettings, EndpointView } from '../../contract/container.ts';
import type { LabelFilter } from '../containers/backend.ts';

export interface NetworksBackend {
  create(request: NetworkCreate): Promise<{ id: string; warning: string }>;
  list(): NetworkView[];
  /** Finds by full ID, name or unique prefix. */
  inspect(reference: string): NetworkView;
  remove(reference: string): Promise<void>;
  connect(reference: string, container: string, endpoint: EndpointSettings): Promise<void>;
  disconnect(reference: string, container: string, options: { force: boolean }): Promise<void>;
  prune(filter: { until?: Date; labels: LabelFilter[] }): Promise<{ deleted: string[] }>;
}

export interface NetworkCreate {
  name: string;
  driver: string;
  internal: boolean;
  attachable: boolean;
  enableIpv6: boolean;
  labels: Record<string, string>;
  options: Record<string, string>;
  ipam: { subnet?: string; ipRange?: string; gateway?: string }[];
}

export interface NetworkView {
  id: string;
  name: string;
  /** Driver: `bridge`, `host` or `null`. */
  driver: string;
  createdAt: Date;
  internal: boolean;
  attachable: boolean;
  enableIpv6: boolean;
  labels: Record<string, string>;
  options: Record<string, string>;
  ipam: { subnet: string; ipRange?: string; gateway: string }[];
  containers: { id: string; name: string; endpoint: EndpointView }[];
}
