/** Under which key of spare time an ended container's root, empty group and run directory are taken away. */
export const cleanupKey = (id: string) => `cleanupKey of ${id}`;
