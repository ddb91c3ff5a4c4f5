/** The full document of the container that is looked at; read again when an event touches it. */
import { create } from 'zustand';
import { type ContainerInspectResponse, inspectContainer } from '../bridge/containers.ts';
import { InOrder } from './in-order.ts';
import { perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';

export const useInspection = perMachine(
  create<{
    id: string | undefined;
    document: ContainerInspectResponse | undefined;
    error: string | undefined;
  }>()(() => ({ id: undefined, document: undefined, error: undefined })),
);

const readings = new InOrder();

export async function inspect(id: string): Promise<void> {
  if (useInspection.getState().id !== id)
    useInspection.setState({ id, document: undefined, error: undefined });
  const put = (found: { document?: ContainerInspectResponse; error: string | undefined }) => {
    if (useInspection.getState().id === id) useInspection.setState(found);
  };
  await readings.read(
    () => inspectContainer(id),
    (document) => put({ document, error: undefined }),
    (error) => put({ error: messageOf(error) }),
  );
}
