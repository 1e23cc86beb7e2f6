import { createHash } from "node:crypto";
import type { GatewayProgram } from "./gateway_program.ts";

export const apiToken = "an-operator's-token";

/** The section `gateway.api` that lets the token do everything, as often as a test may want. */
export const apiConfig = {
  tokens: [`ops:write:${createHash("sha256").update(apiToken).digest("hex")}`],
  burstSize: 1_000,
};

export interface ApiAnswer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

/** An operation of the REST API, such as `DELETE /connections/a`. */
export async function useApi(
  gateway: GatewayProgram,
  line: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const [method = "", path = ""] = line.split(" ");
  const response = await fetch(`http://127.0.0.1:${gateway.port}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${apiToken}`,
      ...body === undefined ? {} : { "content-type": "application/json" },
    },
    ...body === undefined ? {} : { body: JSON.stringify(body) },
  });
  return { status: response.status, json: await response.json() as Record<string, unknown> };
}
