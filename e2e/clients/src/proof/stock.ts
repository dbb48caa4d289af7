// The clients behind one face, each used as its own documentation tells.
import { type ApolloClient, CombinedGraphQLErrors } from "@apollo/client";
import type { TypedDocumentNode as Document } from "@graphql-typed-document-node/core";
import type { CombinedError, Client as URQL } from "@urql/core";
import { print } from "graphql";
import type { Client as EventStreams } from "graphql-sse";
import type { Client as Socket } from "graphql-ws";
import type { connect as openLegacySocket } from "../connect/subscriptions-transport-ws.js";

type Subscribe = ReturnType<typeof openLegacySocket>["subscribe"];

// biome-ignore lint/suspicious/noExplicitAny: what clients ask of variables
export type Variables = Record<string, any>;

export interface Sink<Data> {
  next(data: Data): void;
  /** The subscription is over, by codes of errors; none for a failure of another kind. */
  error(codes: readonly unknown[], failure: unknown): void;
  /** It is over, maybe after an error. */
  complete(): void;
}

/** Answers errors with their codes, as Refused. */
export interface Stock {
  query<Data, V extends Variables>(document: Document<Data, V>, variables: V): Promise<Data>;
  mutate<Data, V extends Variables>(document: Document<Data, V>, variables: V): Promise<Data>;
  subscribe<Data, V extends Variables>(
    document: Document<Data, V>,
    variables: V,
    sink: Sink<Data>,
  ): () => void;
}

export class Refused extends Error {
  constructor(readonly codes: readonly unknown[]) {
    super(`refused: ${codes.join()}`);
  }
}

interface GraphQLFailure {
  readonly extensions?: { readonly code?: unknown } | undefined;
}

export function codesOf(errors: readonly GraphQLFailure[]): unknown[] {
  return errors.map(({ extensions }) => extensions?.code);
}

/** graphql-ws and graphql-sse, which carry every operation the same way. */
export function streaming(
  client: Pick<Socket, "subscribe"> | Pick<EventStreams<boolean>, "subscribe">,
): Stock {
  function subscribe<Data, V extends Variables>(document: Document<Data, V>, variables: V, sink: Sink<Data>) {
    return (client as Pick<Socket, "subscribe">).subscribe<Data>(
      { query: print(document), variables },
      {
        next({ data, errors }) {
          if (data) sink.next(data);
          if (errors) sink.error(codesOf(errors), errors);
        },
        error: (failure) => sink.error(Array.isArray(failure) ? codesOf(failure) : [], failure),
        complete: () => sink.complete(),
      },
    );
  }
  function ask<Data, V extends Variables>(document: Document<Data, V>, variables: V): Promise<Data> {
    return new Promise((resolve, reject) => {
      let answer: Data;
      subscribe(document, variables, {
        next(data) {
          answer = data;
        },
        error: (codes, failure) => reject(codes.length > 0 ? new Refused(codes) : failure),
        complete: () => resolve(answer),
      });
    });
  }
  return { query: ask, mutate: ask, subscribe };
}

/** subscriptions-transport-ws, which tells of one error alone. */
export function legacy(subscribe: Subscribe): Stock {
  return streaming({
    subscribe: (payload, sink) =>
      subscribe(payload, {
        next: (result) => sink.next(result as never),
        error: (failure) => sink.error([failure]),
        complete: () => sink.complete(),
      }),
  } as Pick<Socket, "subscribe">);
}

export function urql(client: URQL): Stock {
  async function ask<Data>(answer: Promise<{ data?: Data | undefined; error?: CombinedError | undefined }>) {
    const { data, error } = await answer;
    if (error?.graphQLErrors.length) throw new Refused(codesOf(error.graphQLErrors));
    if (error || !data) throw error ?? new Error("no data");
    return data;
  }
  return {
    query: (document, variables) => ask(client.query(document, variables).toPromise()),
    mutate: (document, variables) => ask(client.mutation(document, variables).toPromise()),
    subscribe(document, variables, sink) {
      const results = client.subscription(document, variables);
      return results.subscribe(({ data, error, hasNext }) => {
        if (!hasNext)
          sink.complete(); // which repeats the last result
        else if (error) sink.error(codesOf(error.graphQLErrors), error);
        else if (data) sink.next(data);
      }).unsubscribe;
    },
  };
}

export function apollo(client: ApolloClient): Stock {
  const codes = (failure: unknown) => (CombinedGraphQLErrors.is(failure) ? codesOf(failure.errors) : []);
  async function ask<Data>(answer: Promise<{ data?: unknown }>): Promise<Data> {
    try {
      return (await answer).data as Data;
    } catch (failure) {
      throw CombinedGraphQLErrors.is(failure) ? new Refused(codes(failure)) : failure;
    }
  }
  return {
    query: (query, variables) => ask(client.query({ query, variables, fetchPolicy: "network-only" })),
    mutate: (mutation, variables) => ask(client.mutate({ mutation, variables })),
    subscribe(query, variables, sink) {
      const subscription = client.subscribe({ query, variables, fetchPolicy: "no-cache" }).subscribe({
        next({ data, error }) {
          if (error) sink.error(codes(error), error);
          else if (data) sink.next(data as Parameters<typeof sink.next>[0]);
        },
        error: (failure: unknown) => sink.error(codes(failure), failure),
        complete: () => sink.complete(),
      });
      return () => subscription.unsubscribe();
    },
  };
}
