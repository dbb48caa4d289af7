/* eslint-disable */
import * as types from './graphql.js';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  query Viewer {\n    viewer {\n      id\n      name\n    }\n  }\n": typeof types.ViewerDocument,
    "\n  query LastMessage($room: ID!) {\n    room(id: $room) {\n      name\n      messages(last: 1) {\n        cursor\n        edges {\n          node {\n            id\n            content\n          }\n        }\n      }\n    }\n  }\n": typeof types.LastMessageDocument,
    "\n  mutation SendMessage($input: SendMessageInput!) {\n    sendMessage(input: $input) {\n      message {\n        id\n        seq\n        content\n      }\n    }\n  }\n": typeof types.SendMessageDocument,
    "\n  subscription MessageAdded($room: ID!, $after: Cursor) {\n    messageAdded(roomId: $room, after: $after) {\n      id\n      seq\n      content\n    }\n  }\n": typeof types.MessageAddedDocument,
    "\n  subscription RoomEvents($room: ID!, $after: Cursor) {\n    roomEvents(roomId: $room, after: $after) {\n      __typename\n      cursor\n      ... on MessageSent {\n        message {\n          id\n          seq\n          content\n        }\n      }\n      ... on RoomReset {\n        reason\n      }\n    }\n  }\n": typeof types.RoomEventsDocument,
};
const documents: Documents = {
    "\n  query Viewer {\n    viewer {\n      id\n      name\n    }\n  }\n": types.ViewerDocument,
    "\n  query LastMessage($room: ID!) {\n    room(id: $room) {\n      name\n      messages(last: 1) {\n        cursor\n        edges {\n          node {\n            id\n            content\n          }\n        }\n      }\n    }\n  }\n": types.LastMessageDocument,
    "\n  mutation SendMessage($input: SendMessageInput!) {\n    sendMessage(input: $input) {\n      message {\n        id\n        seq\n        content\n      }\n    }\n  }\n": types.SendMessageDocument,
    "\n  subscription MessageAdded($room: ID!, $after: Cursor) {\n    messageAdded(roomId: $room, after: $after) {\n      id\n      seq\n      content\n    }\n  }\n": types.MessageAddedDocument,
    "\n  subscription RoomEvents($room: ID!, $after: Cursor) {\n    roomEvents(roomId: $room, after: $after) {\n      __typename\n      cursor\n      ... on MessageSent {\n        message {\n          id\n          seq\n          content\n        }\n      }\n      ... on RoomReset {\n        reason\n      }\n    }\n  }\n": types.RoomEventsDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Viewer {\n    viewer {\n      id\n      name\n    }\n  }\n"): (typeof documents)["\n  query Viewer {\n    viewer {\n      id\n      name\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query LastMessage($room: ID!) {\n    room(id: $room) {\n      name\n      messages(last: 1) {\n        cursor\n        edges {\n          node {\n            id\n            content\n          }\n        }\n      }\n    }\n  }\n"): (typeof documents)["\n  query LastMessage($room: ID!) {\n    room(id: $room) {\n      name\n      messages(last: 1) {\n        cursor\n        edges {\n          node {\n            id\n            content\n          }\n        }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation SendMessage($input: SendMessageInput!) {\n    sendMessage(input: $input) {\n      message {\n        id\n        seq\n        content\n      }\n    }\n  }\n"): (typeof documents)["\n  mutation SendMessage($input: SendMessageInput!) {\n    sendMessage(input: $input) {\n      message {\n        id\n        seq\n        content\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MessageAdded($room: ID!, $after: Cursor) {\n    messageAdded(roomId: $room, after: $after) {\n      id\n      seq\n      content\n    }\n  }\n"): (typeof documents)["\n  subscription MessageAdded($room: ID!, $after: Cursor) {\n    messageAdded(roomId: $room, after: $after) {\n      id\n      seq\n      content\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription RoomEvents($room: ID!, $after: Cursor) {\n    roomEvents(roomId: $room, after: $after) {\n      __typename\n      cursor\n      ... on MessageSent {\n        message {\n          id\n          seq\n          content\n        }\n      }\n      ... on RoomReset {\n        reason\n      }\n    }\n  }\n"): (typeof documents)["\n  subscription RoomEvents($room: ID!, $after: Cursor) {\n    roomEvents(roomId: $room, after: $after) {\n      __typename\n      cursor\n      ... on MessageSent {\n        message {\n          id\n          seq\n          content\n        }\n      }\n      ... on RoomReset {\n        reason\n      }\n    }\n  }\n"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;