/** The stages of a start, as the UI shows them. */
import { randomUUID } from 'node:crypto';
import type { MachineState } from '../../contract/machines.ts';
import { type Asked, StageFailure } from './machine.ts';

export class Stages {
  readonly #kind: MachineState['kind'];
  readonly #watchers = new Set<() => void>();
  #state: MachineState;
  #begun: { id: string; at: number } | undefined;
  #answer: ((answer: string | undefined) => void) | undefined;

  constructor(kind: MachineState['kind'], ids: readonly string[]) {
    this.#kind = kind;
    this.#state = { status: 'stopped', kind, stages: waiting(ids) };
  }

  /** The elapsed time of a running stage is filled in here, because no event carries it. */
  get state(): MachineState {
    const begun = this.#begun;
    if (begun === undefined) return this.#state;
    const elapsedMs = Math.round(performance.now() - begun.at);
    return {
      ...this.#state,
      stages: this.#state.stages.map((stage) =>
        stage.id === begun.id && stage.status === 'running' ? { ...stage, elapsedMs } : stage,
      ),
    };
  }

  begin(): void {
    const ids = this.#state.stages.map(({ id }) => id);
    this.#set({ status: 'starting', kind: this.#kind, stages: waiting(ids) });
  }

  /** Runs one stage; when its work rejects, the whole start has failed. */
  async run<T>(id: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    this.#begun = { id, at: startedAt };
    const mark = (status: 'running' | 'done' | 'failed') => {
      const elapsedMs = Math.round(performance.now() - startedAt);
      return this.#state.stages.map((stage) =>
        stage.id === id ? { ...stage, status, elapsedMs } : stage,
      );
    };
    this.#set({ ...this.#state, stages: mark('running') });
    try {
      const result = await work();
      this.#set({ ...this.#state, stages: mark('done') });
      return result;
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      const nextStep =
        error instanceof StageFailure ? error.nextStep : 'Start it again; the log has the details.';
      this.#set({
        ...this.#state,
        status: 'failed',
        stages: mark('failed'),
        failure: { stage: id, cause, nextStep },
      });
      throw error;
    } finally {
      if (this.#begun?.at === startedAt) this.#begun = undefined;
    }
  }

  note(id: string, note: string | undefined): void {
    const stages = this.#state.stages.map((stage) =>
      stage.id === id ? { ...stage, note } : stage,
    );
    this.#set({ ...this.#state, stages });
  }

  /** Shows a question until it is answered or cancelled. A later question replaces it, as if it was cancelled. */
  async ask(question: Asked, signal: AbortSignal): Promise<string | undefined> {
    if (signal.aborted) return undefined;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const cancel = () => resolve(undefined);
    this.#answer?.(undefined);
    this.#answer = resolve;
    signal.addEventListener('abort', cancel);
    this.#set({ ...this.#state, question: { ...question, id: randomUUID() } });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', cancel);
      if (this.#answer === resolve) {
        this.#answer = undefined;
        const { question: _answered, ...state } = this.#state;
        this.#set(state);
      }
    }
  }

  /** Ignores an answer to a question that is no longer shown. */
  answer(question: string, answer: string | undefined): void {
    if (this.#state.question?.id === question) this.#answer?.(answer);
  }

  /** Marks a running machine as unreachable; `finish('running')` takes that back. */
  lose(stage: string, cause: string, nextStep: string): void {
    const { kind } = this.#state;
    const stages = this.#state.stages.map(({ id }, index, all) => ({
      id,
      status: statusAround(all.findIndex((each) => each.id === stage) - index),
    }));
    this.#set({ status: 'failed', kind, stages, failure: { stage, cause, nextStep, lost: true } });
  }

  finish(status: 'running' | 'paused' | 'stopped'): void {
    const { kind, stages } = this.#state;
    this.#set({
      status,
      kind,
      stages:
        status !== 'stopped'
          ? stages.map((stage) => ({ ...stage, status: 'done' }))
          : waiting(stages.map(({ id }) => id)),
    });
  }

  /** Yields the latest state each time, so a slow reader skips older ones. */
  async *watch(signal: AbortSignal): AsyncGenerator<MachineState> {
    let seen: MachineState | undefined;
    let notify = () => {};
    const notice = () => notify();
    this.#watchers.add(notice);
    signal.addEventListener('abort', notice);
    try {
      while (!signal.aborted) {
        if (seen === this.#state)
          await new Promise<void>((resolve) => {
            notify = resolve;
          });
        else {
          seen = this.#state;
          yield this.state;
        }
      }
    } finally {
      this.#watchers.delete(notice);
      signal.removeEventListener('abort', notice);
    }
  }

  #set(state: MachineState): void {
    this.#state = state;
    for (const notice of this.#watchers) notice();
  }
}

function waiting(ids: readonly string[]): MachineState['stages'] {
  return ids.map((id) => ({ id, status: 'waiting' }));
}

/** Stages before the one that failed were done, and those after it wait. */
function statusAround(stepsUntilBroken: number): 'done' | 'failed' | 'waiting' {
  if (stepsUntilBroken > 0) return 'done';
  return stepsUntilBroken === 0 ? 'failed' : 'waiting';
}
