import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { zlibConformance } from "./zlib_conformance.ts";

zlibConformance("node:zlib", nodeZlib());
