/** The full document of the container that is looked at; read again when an event touches it. */
import { create } from 'zustand';
import { type ContainerInspectResponse, inspectContainer } from '../bridge/containers.ts';
import { messageOf } from './sentence.ts';

export const useInspection = create<{
  id: string | undefined;
  document: ContainerInspectResponse | undefined;
  error: string | undefined;
}>()(() => ({ id: undefined, document: undefined, error: undefined }));

export async function inspect(id: string): Promise<void> {
  if (useInspection.getState().id !== id)
    useInspection.setState({ id, document: undefined, error: undefined });
  try {
    const document = await inspectContainer(id);
    if (useInspection.getState().id === id) useInspection.setState({ document, error: undefined });
  } catch (error) {
    if (useInspection.getState().id === id) useInspection.setState({ error: messageOf(error) });
  }
}
