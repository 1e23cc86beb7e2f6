import { encodeUtf8 } from "../../wire/utf8.ts";
import type { LuaCall } from "./lua_host.ts";
import { encodePlayer } from "./rpc_facts.ts";

/** A method of the rules and its parameters. */
export interface RulesCall {
  readonly method: string;
  readonly params: readonly (number | Uint8Array)[];
}

/** How a call is written, whatever carries it; strings of Lua are bytes. */
export function rulesCall(call: LuaCall): RulesCall {
  const handle = (text: Uint8Array) => ({ method: "HandleRequest", params: [text] });
  switch (call.kind) {
    case "new_room":
      return handle(encodeUtf8(`-1,${call.roomId},newroom`));
    case "new_task":
      return handle(encodeUtf8(`-1,${call.taskId},newtask`));
    case "request":
      return handle(encodeUtf8(`${call.roomId},${call.playerId},${call.command}`));
    case "push_request": {
      const head = encodeUtf8(`${call.roomId},${call.playerId},`);
      const text = new Uint8Array(head.length + call.request.length);
      text.set(head);
      text.set(call.request, head.length);
      return handle(text);
    }
    case "resume":
      return { method: "ResumeRoom", params: [call.roomId, encodeUtf8(call.reason)] };
    case "set_player_state":
      return { method: "SetPlayerState", params: [call.roomId, call.playerId, call.state] };
    case "add_observer":
      return { method: "AddObserver", params: [call.roomId, encodePlayer(call.player)] };
    case "remove_observer":
      return { method: "RemoveObserver", params: [call.roomId, call.playerId] };
  }
}
