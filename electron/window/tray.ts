/** The tray: the machine's state, and the way back to the window. */
import type { MenuItemConstructorOptions } from 'electron';
import type { MachineState } from '../contract/machines.ts';

export interface TrayActions {
  show(): void;
  start(): void;
  stop(): void;
  quit(): void;
}

const labels: Record<MachineState['status'], string> = {
  stopped: 'Corten is stopped',
  starting: 'Corten is starting',
  running: 'Corten is running',
  paused: 'Corten is paused',
  failed: 'Corten needs attention',
};

export function trayTemplate(
  status: MachineState['status'],
  actions: TrayActions,
): MenuItemConstructorOptions[] {
  const isDown = status === 'stopped' || status === 'failed';
  return [
    { label: labels[status], enabled: false },
    { type: 'separator' },
    { label: 'Show window', click: actions.show },
    isDown
      ? { label: 'Start', click: actions.start }
      : {
          label: 'Stop',
          enabled: status === 'running' || status === 'paused',
          click: actions.stop,
        },
    { type: 'separator' },
    { label: 'Quit', click: actions.quit },
  ];
}

/** A ring in corten steel's rust orange, as BGRA pixels: no file to carry along. */
export function trayIconPixels(size: number): Buffer {
  const pixels = Buffer.alloc(size * size * 4);
  const centre = (size - 1) / 2;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const distance = Math.hypot(x - centre, y - centre) / (size / 2);
      if (distance > 0.5 && distance < 0.95)
        pixels.set([0x1a, 0x52, 0xb4, 0xff], (y * size + x) * 4);
    }
  return pixels;
}
