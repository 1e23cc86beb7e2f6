import type { ApiInput, ApiOperation, ApiResult } from "../config/api_schema.ts";
import type { RouteRule } from "../config/gateway_config.ts";
import { checkRoutes, withoutPassword } from "../config/gateway_routes.ts";
import type { GatewayServer } from "../gateway/gateway_server.ts";
import type { OperatorMessage } from "../gateway/gateway_operations.ts";
import { ApiProblem } from "./api_problem.ts";
import type { ReloadReport } from "./reloader.ts";

/** Where an operation is. */
export interface ApiPlace {
  readonly method: "get" | "post" | "put" | "delete";
  /** Below `/api/v1`, with `:names` of parameters. */
  readonly path: string;
  /** One sentence without a full stop. */
  readonly summary: string;
  /** Needs a token of the kind `write`. */
  readonly writes: boolean;
}

/** All operations. */
export const apiPlaces: Readonly<Record<ApiOperation, ApiPlace>> = {
  sendToClient: {
    method: "post",
    path: "/clients/:clientId/messages",
    summary: "Send a message to a client: now, or kept until it is back when it has a messageId",
    writes: true,
  },
  sendToUpstream: {
    method: "post",
    path: "/clients/:clientId/upstream-messages",
    summary: "Send a message to a client's upstream as if the client had sent it",
    writes: true,
  },
  readHistory: {
    method: "get",
    path: "/clients/:clientId/history",
    summary: "The messages of a client, oldest first",
    writes: false,
  },
  forgetHistory: {
    method: "delete",
    path: "/clients/:clientId/history",
    summary: "Forget the messages of a client, for good",
    writes: true,
  },
  listConnections: {
    method: "get",
    path: "/connections",
    summary: "Open connections; their order changes as clients come and go",
    writes: false,
  },
  getConnection: {
    method: "get",
    path: "/connections/:clientId",
    summary: "The connection of a client",
    writes: false,
  },
  kick: {
    method: "delete",
    path: "/connections/:clientId",
    summary: "Close the connection of a client",
    writes: true,
  },
  listRoutes: { method: "get", path: "/routes", summary: "The rules of now", writes: false },
  replaceRoutes: {
    method: "put",
    path: "/routes",
    summary: "Put other rules in place of all, until the configuration is read again",
    writes: true,
  },
  setRoute: {
    method: "post",
    path: "/routes",
    summary: "Add a rule, or put it in place of the one with its prefix, likewise",
    writes: true,
  },
  deleteRoute: {
    method: "delete",
    path: "/routes",
    summary: "Take out the rule with a prefix, likewise",
    writes: true,
  },
  readDeadLetters: {
    method: "get",
    path: "/dead-letters",
    summary: "Acknowledged messages that were given up, the newest last",
    writes: false,
  },
  readStats: { method: "get", path: "/stats", summary: "Figures and upstreams", writes: false },
  reload: {
    method: "post",
    path: "/reload",
    summary: "Read the configuration again; what has a fault changes nothing",
    writes: true,
  },
};

/** What each operation does. Rejects with ApiProblem. */
export type ApiWork = {
  readonly [Name in ApiOperation]: (input: ApiInput<Name>) => Promise<ApiResult<Name>>;
};

/** The work of all operations on a gateway that runs. */
export function apiWork(
  gateway: GatewayServer,
  reload: () => Promise<ReloadReport>,
): ApiWork {
  const { operations } = gateway;
  const changeRoutes = async (
    change: (now: readonly RouteRule[]) => readonly RouteRule[] | string,
  ) => {
    const refused = await operations.changeRoutes(change);
    if (refused !== undefined) throw new ApiProblem(409, refused);
    return { routes: operations.routes.length, persistent: false } as const;
  };
  return {
    async sendToClient({ params, body }) {
      const outcome = operations.sendToClient(params.clientId, messageOf(body));
      if (outcome === "refused") {
        throw new ApiProblem(
          404,
          "the client is not connected, and nothing can be kept for it: only messages with a " +
            "messageId are, for clients that were here not long ago",
        );
      }
      return { outcome };
    },
    async sendToUpstream({ params, body }) {
      const { isDurable, refusal } = await operations.sendToUpstream(params.clientId, {
        message: messageOf(body),
        priority: body.priority,
      });
      if (refusal !== undefined) {
        const { code = "", message = "it was refused" } = refusal;
        throw new ApiProblem(statusOf[code] ?? 503, message, { code });
      }
      return { durable: isDurable };
    },
    async readHistory({ params, query }) {
      return { messages: await operations.history(params.clientId, query) };
    },
    forgetHistory: async ({ params }) => ({ forgotten: operations.forgetHistory(params.clientId) }),
    listConnections: async ({ query }) => ({
      total: operations.connectionCount,
      connections: operations.connections(query),
    }),
    async getConnection({ params }) {
      const found = operations.connection(params.clientId);
      if (found === undefined) throw notConnected();
      return found;
    },
    async kick({ params }) {
      if (!operations.kick(params.clientId)) throw notConnected();
      return { kicked: true };
    },
    async listRoutes({ query: { offset, limit } }) {
      const { routes } = operations;
      return {
        total: routes.length,
        routes: routes.slice(offset, offset + limit).map(shownRule),
      };
    },
    replaceRoutes: ({ body }) => changeRoutes(() => checkedRules(body.routes)),
    async setRoute({ body }) {
      const [rule] = checkedRules([body]);
      if (rule === undefined) throw new ApiProblem(400, "body must be a rule");
      return await changeRoutes((now) => {
        const at = now.findIndex(({ clientIdPrefix }) => clientIdPrefix === rule.clientIdPrefix);
        return at < 0 ? [...now, rule] : now.with(at, rule);
      });
    },
    async deleteRoute({ query }) {
      let isFound = false;
      const changed = await changeRoutes((now) => {
        const others = now.filter((rule) => rule.clientIdPrefix !== query.clientIdPrefix);
        isFound = others.length < now.length;
        return others;
      });
      if (!isFound) throw new ApiProblem(404, "no rule has that prefix");
      return changed;
    },
    readDeadLetters: async ({ query }) => ({
      deadLetters: await operations.deadLetters(query.limit),
    }),
    readStats: async () => ({
      figures: gateway.figures(),
      upstreams: operations.upstreams().map((one) => ({ ...one, url: withoutPassword(one.url) })),
    }),
    async reload() {
      const report = await reload();
      if (!report.ok) {
        throw new ApiProblem(409, "the configuration has faults, and nothing was changed", {
          faults: report.faults,
        });
      }
      const { changed, needRestart, routes, certificate, notices } = report;
      return {
        changed: [...changed],
        needRestart: [...needRestart],
        routes,
        certificate,
        notices: [...notices],
      };
    },
  };
}

/** Of the gateway's own error codes. */
const statusOf: Readonly<Record<string, 400 | 404 | 409>> = {
  bad_message: 400,
  no_route: 404,
  duplicate_id: 409,
};

function notConnected(): ApiProblem {
  return new ApiProblem(404, "the client is not connected");
}

function messageOf({ type, data, messageId, contentType }: OperatorMessage): OperatorMessage {
  return { type, data, messageId, contentType };
}

/** Rules as the configuration has them; the same checks. */
function checkedRules(list: readonly unknown[]): readonly RouteRule[] {
  const checked = checkRoutes(list, { source: "body", path: "routes", mayHoldUnknownKeys: false });
  if (checked.ok) return checked.rules;
  throw new ApiProblem(400, "the rules cannot be used", {
    faults: checked.faults.map(({ problem }) => problem),
  });
}

function shownRule({ clientIdPrefix, upstreams, strategy }: RouteRule) {
  const shown = upstreams.map(withoutPassword);
  const [only] = shown;
  return shown.length === 1 && only !== undefined
    ? { clientIdPrefix, upstream: only }
    : { clientIdPrefix, upstreams: shown, strategy };
}
