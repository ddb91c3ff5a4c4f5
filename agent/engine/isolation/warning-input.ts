/** The facts from which a container's isolation warnings are computed. */
import type { ContainerRecord } from '../state/container-record.ts';
import type { RequestedIsolation } from './requested.ts';
import type { IsolationView } from './view.ts';

export interface WarningInput {
  view: IsolationView;
  record: ContainerRecord;
  asked: RequestedIsolation;
  /**
   * The engine's own API socket, the directory of its volumes, and whether containers have user
   * namespaces by default.
   */
  engine: { socket: string; volumes: string; remapsUsers: boolean };
}
