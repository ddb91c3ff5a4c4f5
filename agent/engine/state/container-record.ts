import type { ContainerState, ContainerView } from '../../contract/container.ts';
import type { IdBlock } from '../containers/id-range.ts';

/** A container's record: the part that the API shows and the part that only the engine needs. */
export interface ContainerRecord extends ContainerView {
  /**
   * Set when a user stopped or killed it. Restart policies then ignore the container until it is
   * started again, even after a restart of the agent or the machine (`unless-stopped`).
   */
  manuallyStopped: boolean;
  /** Anonymous volumes made for the container, which `rm -v` and auto-remove remove too. */
  ownVolumes: string[];
  /** The host ids of a container with a user namespace of its own. */
  idRange?: IdBlock;
}

/** The part of the record that changes when a container starts, ends or changes networks. */
export type LiveFields = Pick<
  ContainerRecord,
  'state' | 'networks' | 'ports' | 'networkSandboxId' | 'manuallyStopped'
>;

export const newState = (): ContainerState => ({
  status: 'created',
  pid: 0,
  exitCode: 0,
  oomKilled: false,
  error: '',
  restartCount: 0,
});

/** What requests that wait for the exit receive. */
export const resultOf = ({ state }: Pick<ContainerRecord, 'state'>) => ({
  exitCode: state.exitCode,
  ...(state.error !== '' && { error: state.error }),
});

/** The two documents of a container's row. */
export function definitionDocument(record: ContainerRecord): string {
  const { state, networks, ports, networkSandboxId, manuallyStopped, ...definition } = record;
  return JSON.stringify(definition);
}

export function stateDocument(record: ContainerRecord): string {
  const { state, networks, ports, networkSandboxId, manuallyStopped } = record;
  const live: LiveFields = { state, networks, ports, networkSandboxId, manuallyStopped };
  return JSON.stringify(live);
}

export function recordOf(documents: { definition: string; state: string }): ContainerRecord {
  const record = {
    ...JSON.parse(documents.definition),
    ...JSON.parse(documents.state),
  } as ContainerRecord;
  const { state } = record;
  return {
    ...record,
    createdAt: new Date(record.createdAt),
    state: {
      ...state,
      ...(state.startedAt && { startedAt: new Date(state.startedAt) }),
      ...(state.finishedAt && { finishedAt: new Date(state.finishedAt) }),
      ...(state.health && {
        health: {
          ...state.health,
          log: state.health.log.map((entry) => ({
            ...entry,
            start: new Date(entry.start),
            end: new Date(entry.end),
          })),
        },
      }),
    },
  };
}
