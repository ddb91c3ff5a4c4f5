/**
 * The operations of a build: BuildKit's LLB (solver/pb/ops.proto), by short import names. Both doors and the
 * Dockerfile front end hand the solver a graph of these.
 */
export * from '../protocol/github.com/moby/buildkit/solver/pb/ops_pb.js';
