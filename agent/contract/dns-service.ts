/**
 * Names that the host resolves, so that its VPN, its hosts file and its private zones hold in the
 * machine too. The host opens a channel to the name `dns`; the agent sends questions as DNS messages in
 * frames (framing.ts), each with an id of the agent's own, and the host answers in any order, whole.
 */
export const dnsService = 'dns';
