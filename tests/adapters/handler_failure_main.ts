import { reportHandlerFailure } from "../../src/adapters/handler_failure.ts";

reportHandlerFailure("A handler failed", new Error("first\n  second\u001b[31m"));
reportHandlerFailure("A handler failed", "no error");
