import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import type { Client as Socket } from "graphql-ws";

/** Queries and mutations go by HTTP, subscriptions over the socket. */
export function connect(url: string, token: () => string, socket: Socket): ApolloClient {
  const signedIn = new SetContextLink(() => ({ headers: { Authorization: `Bearer ${token()}` } }));
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      signedIn.concat(new HttpLink({ uri: url })),
    ),
  });
}
