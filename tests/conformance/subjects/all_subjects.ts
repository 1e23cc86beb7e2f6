import type { SubjectSource } from "../conformance_run.ts";
import { withGatewaySubject } from "./gateway_subject.ts";
import { withLinkSubject } from "./link_subject.ts";
import { withServerSubject } from "./server_subject.ts";

/** Everything of this program that speaks WebSocket, on each runtime that it runs on. */
export const allSubjects: readonly SubjectSource[] = [
  { name: "binary gateway", with: (use) => withGatewaySubject("binary", use) },
  { name: "deno gateway", with: (use) => withGatewaySubject("deno", use) },
  { name: "bun server", with: (use) => withServerSubject("bun", use) },
  { name: "deno server", with: (use) => withServerSubject("deno", use) },
  { name: "bun link", with: (use) => withLinkSubject("bun", use) },
  { name: "deno link", with: (use) => withLinkSubject("deno", use) },
];
