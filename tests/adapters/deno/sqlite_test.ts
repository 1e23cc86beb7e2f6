import { denoSqlite } from "../../../src/adapters/deno/sqlite.ts";
import { sqliteConformance } from "../sqlite_conformance.ts";

sqliteConformance("Deno", denoSqlite());
