import { rootKeys } from "./root_keys.ts";
import { type SettingsFiles, systemCode } from "./read_document.ts";

/** The accounts, relative to the working directory of `serve`. */
export const usersDatabasePath = "server/users.db";

/**
 * Stands as `application_id` in account databases that this server has made, from their first write
 * on. Those of the original server have 0 there, and keep it. "FKgw" in ASCII.
 */
export const ownDatabaseId = 0x464b6777;

export interface DefaultHost {
  readonly host: string;
  /** A line for people when it is not the usual default. */
  readonly notice: string | undefined;
}

/**
 * The address to listen on when nothing names one: 127.0.0.1, but all addresses in a data directory
 * of the original server, which knows no other way. What this server has made itself does not count,
 * else a private trial would be open to everybody from its second start on.
 */
export async function defaultHost(files: SettingsFiles): Promise<DefaultHost> {
  const usual = rootKeys.host.default;
  try {
    const info = await files.info(usersDatabasePath);
    if (info?.kind !== "file" || await isOurs(files)) return { host: usual, notice: undefined };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    const notice = `${usersDatabasePath} cannot be read (${code}), so host is ${usual}.`;
    return { host: usual, notice };
  }
  const host = await everyAddress(files);
  const notice =
    `Nothing names host and ${usersDatabasePath} is the original server's, so TCP and ` +
    `UDP are open on all addresses (${host}), as there; HTTP stays on ${usual}. Name host to change it.`;
  return { host, notice };
}

/** What listens on all addresses of this machine. */
export async function everyAddress(files: SettingsFiles): Promise<string> {
  return await hasIpv6Loopback(files) ? "::" : "0.0.0.0";
}

/** The header of an SQLite file has its `application_id` in big-endian at 68 (File Format §1.3). */
async function isOurs(files: SettingsFiles): Promise<boolean> {
  const header = await files.read(usersDatabasePath, { bytesMax: 72, cut: true });
  if (header.length < 72) return false;
  return new DataView(header.buffer, header.byteOffset).getUint32(68) === ownDatabaseId;
}

/**
 * Whether `::` can be listened on and then reached as `::1`, which probes will do. Linux lists its
 * IPv6 addresses in this file; where there is none, IPv4 is sure.
 */
async function hasIpv6Loopback(files: SettingsFiles): Promise<boolean> {
  const path = "/proc/net/if_inet6";
  try {
    if (await files.info(path) === undefined) return false;
    const list = new TextDecoder().decode(await files.read(path, { bytesMax: 2 ** 20 }));
    return /^0{31}1 /m.test(list);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
