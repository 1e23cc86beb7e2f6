/** The worker of the workers' conformance tests: does what each message asks for. */
import { workerScope } from "../../src/adapters/node/workers.ts";
import { runTestWorker, type WorkerAnswer, type WorkerOrder } from "./test_worker_orders.ts";

runTestWorker(workerScope<WorkerOrder, WorkerAnswer>());
