/** The stages of a start, and everybody who watches them. */
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

  /** A stage that is under way has the time until now. */
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

  /** Runs one stage; when it throws, the whole start has failed there. */
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

  /** Shows a question until it is answered or called off; the next one waits for nobody's sake. */
  async ask(question: Asked, signal: AbortSignal): Promise<string | undefined> {
    if (signal.aborted) return undefined;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const callOff = () => resolve(undefined);
    this.#answer?.(undefined);
    this.#answer = resolve;
    signal.addEventListener('abort', callOff);
    this.#set({ ...this.#state, question: { ...question, id: randomUUID() } });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', callOff);
      if (this.#answer === resolve) {
        this.#answer = undefined;
        const { question: _answered, ...state } = this.#state;
        this.#set(state);
      }
    }
  }

  /** An answer to a question that is not asked any more changes nothing. */
  answer(question: string, answer: string | undefined): void {
    if (this.#state.question?.id === question) this.#answer?.(answer);
  }

  /** A running machine that cannot be reached any more; `finish('running')` when it can. */
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

  /** The latest state each time: who reads slowly skips what is past. */
  async *watch(signal: AbortSignal): AsyncGenerator<MachineState> {
    let seen: MachineState | undefined;
    let wake = () => {};
    const notice = () => wake();
    this.#watchers.add(notice);
    signal.addEventListener('abort', notice);
    try {
      while (!signal.aborted) {
        if (seen === this.#state)
          await new Promise<void>((resolve) => {
            wake = resolve;
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

/** Before the stage that broke all was done, and what follows it waits. */
function statusAround(stepsUntilBroken: number): 'done' | 'failed' | 'waiting' {
  if (stepsUntilBroken > 0) return 'done';
  return stepsUntilBroken === 0 ? 'failed' : 'waiting';
}
