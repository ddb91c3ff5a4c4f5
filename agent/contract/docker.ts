/** Wire types of the Docker Engine API, from Docker's own package. Types only: nothing is loaded. */
export type * from '@docker/node-sdk';
