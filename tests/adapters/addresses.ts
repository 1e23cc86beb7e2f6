import { networkInterfaces } from "node:os";

/** No machine has it: RFC 5737 keeps it for examples. */
export const UNASSIGNED_HOST = "198.51.100.7";

/** Why tests of IPv6 must be skipped here; false when they need not. */
export const noIpv6: string | false =
  Object.values(networkInterfaces()).flat().some((own) => own?.address === "::1")
    ? false
    : "this machine has no IPv6";
