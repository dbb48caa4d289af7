import findGeneral from "./examples/FindGeneral.graphql?raw";
import joinRoom from "./examples/JoinRoom.graphql?raw";
import messageAdded from "./examples/MessageAdded.graphql?raw";
import presence from "./examples/Presence.graphql?raw";
import recentMessages from "./examples/RecentMessages.graphql?raw";
import roomEvents from "./examples/RoomEvents.graphql?raw";
import sendMessage from "./examples/SendMessage.graphql?raw";
import setTyping from "./examples/SetTyping.graphql?raw";
import typing from "./examples/Typing.graphql?raw";

/** An operation as GraphiQL opens it in a tab of its own. */
export interface Example {
  query: string;
  /** JSON text; empty for none. */
  variables: string;
}

/** Stands in the examples' variables until somebody signs in and the id of `general` is known. */
const roomIdPlaceholder = "<the id of general: sign in>";

/** The operations of a new playground, in the order of a first visit. */
export const examples: Example[] = [
  example(findGeneral, {}),
  example(joinRoom, { input: { roomId: roomIdPlaceholder } }),
  example(messageAdded, { roomId: roomIdPlaceholder }),
  example(sendMessage, { input: { roomId: roomIdPlaceholder, content: "Hello from the playground" } }),
  example(recentMessages, { roomId: roomIdPlaceholder, last: 20 }),
  example(roomEvents, { roomId: roomIdPlaceholder }),
  example(typing, { roomId: roomIdPlaceholder }),
  example(setTyping, { input: { roomId: roomIdPlaceholder, typing: true } }),
  example(presence, { roomId: roomIdPlaceholder }),
];

/** The variables with the placeholder, where it still stands, replaced by a room's id. */
export function fillRoomId(variables: string, roomId: string): string {
  return variables.replaceAll(JSON.stringify(roomIdPlaceholder), JSON.stringify(roomId));
}

function example(query: string, variables: object): Example {
  const none = Object.keys(variables).length === 0;
  return { query: query.trimEnd(), variables: none ? "" : JSON.stringify(variables, null, 2) };
}
