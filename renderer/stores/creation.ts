/** Creating and starting a container, stage by stage. */
import { create } from 'zustand';
import {
  type ContainerCreateRequest,
  commandContainer,
  createContainer,
  removeContainer,
} from '../bridge/containers.ts';
import { EngineError } from '../bridge/engine.ts';
import { perMachine } from './per-machine.ts';
import { pull, usePulls } from './pulls.ts';
import { messageOf } from './sentence.ts';

export type CreationStage = 'pull' | 'create' | 'start';

export const useCreation = perMachine(
  create<{
    /** The stage under way; undefined when none is. */
    stage: CreationStage | undefined;
    failure: { stage: CreationStage; message: string } | undefined;
  }>()(() => ({ stage: undefined, failure: undefined })),
);

export interface CreationRequest {
  name: string | undefined;
  body: ContainerCreateRequest;
  start: boolean;
}

/** The new container's id; undefined when a stage failed, which the store then tells. */
export async function createAndStart(request: CreationRequest): Promise<string | undefined> {
  useCreation.setState({ stage: 'create', failure: undefined });
  let id: string | undefined;
  try {
    id = await createWithImage(request);
    if (id && request.start) {
      useCreation.setState({ stage: 'start' });
      await commandContainer(id, 'start');
    }
    useCreation.setState({ stage: undefined });
    return id;
  } catch (error) {
    // What cannot start is not left behind under the name that the next try wants. That the removal
    // fails too is for the next try to tell.
    if (id) await removeContainer(id, true).catch(() => undefined);
    const stage = useCreation.getState().stage ?? 'create';
    useCreation.setState({ stage: undefined, failure: { stage, message: messageOf(error) } });
    return undefined;
  }
}

export function clearCreation(): void {
  useCreation.setState({ stage: undefined, failure: undefined });
}

/** Like `docker run`: an image that is not there is pulled, and then asked for once more. */
async function createWithImage({ name, body }: CreationRequest): Promise<string> {
  try {
    return (await createContainer(name, body)).Id;
  } catch (error) {
    // 404 is also the answer for a missing network or volume; only an image can be fetched.
    const missing = error instanceof EngineError && error.status === 404;
    if (!missing || !/image/i.test(error.message)) throw error;
    const reference = body.Image ?? '';
    useCreation.setState({ stage: 'pull' });
    if (!(await pull(reference)))
      throw new Error(usePulls.getState().pulls[reference]?.error ?? error.message);
    useCreation.setState({ stage: 'create' });
    return (await createContainer(name, body)).Id;
  }
}
