import { create } from 'zustand';
import { type ImageSummary, listImages, removeImage } from '../bridge/images.ts';
import { InOrder } from './in-order.ts';
import { atSwitch, perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';
import { toast, toastError } from './toasts.ts';

export const useImages = perMachine(
  create<{
    images: ImageSummary[];
    loaded: boolean;
    error: string | undefined;
  }>()(() => ({ images: [], loaded: false, error: undefined })),
);

let readings = new InOrder();
atSwitch(() => {
  readings = new InOrder();
  clearTimeout(reading);
  reading = undefined;
});

export async function loadImages(): Promise<void> {
  await readings.read(
    listImages,
    (images) => useImages.setState({ images, loaded: true, error: undefined }),
    (error) => useImages.setState({ error: messageOf(error) }),
  );
}

let reading: ReturnType<typeof setTimeout> | undefined;

/** Images change rarely and come few: an event reads the list again, once for a burst of events. */
export function applyImageEvent(): void {
  if (!useImages.getState().loaded) return;
  if (reading !== undefined) return;
  reading = setTimeout(() => {
    reading = undefined;
    void loadImages();
  }, 100);
}

export async function deleteImage(reference: string): Promise<void> {
  try {
    await removeImage(reference);
    toast({ id: 'toast.imageRemoved', values: { name: reference } });
  } catch (error) {
    toastError({ id: 'failed.imageRemove', values: { name: reference } }, error);
  }
}
