// The operations that every client is put through, typed by graphql-codegen from schema.graphqls.
import { graphql } from "./gql/index.js";

export const Viewer = graphql(`
  query Viewer {
    viewer {
      id
      name
    }
  }
`);

export const LastMessage = graphql(`
  query LastMessage($room: ID!) {
    room(id: $room) {
      name
      messages(last: 1) {
        cursor
        edges {
          node {
            id
            content
          }
        }
      }
    }
  }
`);

export const SendMessage = graphql(`
  mutation SendMessage($input: SendMessageInput!) {
    sendMessage(input: $input) {
      message {
        id
        seq
        content
      }
    }
  }
`);

export const MessageAdded = graphql(`
  subscription MessageAdded($room: ID!, $after: Cursor) {
    messageAdded(roomId: $room, after: $after) {
      id
      seq
      content
    }
  }
`);

export const RoomEvents = graphql(`
  subscription RoomEvents($room: ID!, $after: Cursor) {
    roomEvents(roomId: $room, after: $after) {
      __typename
      cursor
      ... on MessageSent {
        message {
          id
          seq
          content
        }
      }
      ... on RoomReset {
        reason
      }
    }
  }
`);
