import { bunUdp } from "../../../src/adapters/bun/udp.ts";
import { udpConformance } from "../udp_conformance.ts";

udpConformance({ name: "bunUdp", port: bunUdp });
