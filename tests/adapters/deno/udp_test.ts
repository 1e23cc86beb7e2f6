import { denoUdp } from "../../../src/adapters/deno/udp.ts";
import { udpConformance } from "../udp_conformance.ts";

udpConformance({ name: "denoUdp", port: denoUdp });
