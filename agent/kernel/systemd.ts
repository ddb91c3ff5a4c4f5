import { existsSync } from 'node:fs';

/** Whether systemd is the init of this machine (sd_booted(3)). */
export const hasSystemd = () => existsSync('/run/systemd/system');
