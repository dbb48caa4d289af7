import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedProtocolErrors, ServerError } from "@apollo/client/errors";
import { SetContextLink } from "@apollo/client/link/context";
import { RetryLink } from "@apollo/client/link/retry";
import { OperationTypeNode } from "graphql";
import { tap } from "rxjs";
import { delay } from "./retry.js";

interface On {
  /** The server has told a subscription where it begins, or goes on. */
  connected?(wasRetry: boolean): void;
}

/** Everything goes by HTTP: queries and mutations are answered in JSON, subscriptions by multipart responses. */
export function connect(url: string, token: () => string, on: On = {}): ApolloClient {
  const signedIn = new SetContextLink(() => ({ headers: { Authorization: `Bearer ${token()}` } }));
  const http = signedIn.concat(new HttpLink({ uri: url }));
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      resuming(http, on),
      http,
    ),
  });
}

/** Subscriptions that come back after an interruption, and go on from the position they had reached. */
function resuming(http: ApolloLink, on: On): ApolloLink {
  const failures = new WeakMap<ApolloLink.Operation, number>();
  const retry = new RetryLink({
    attempts: (_count, _operation, error) => mayComeBack(error),
    delay(_count, operation) {
      const before = failures.get(operation) ?? 0;
      failures.set(operation, before + 1);
      return delay(before);
    },
  });
  const resume = new ApolloLink((operation, forward) => {
    let connected = false;
    return forward(operation).pipe(
      tap(({ extensions }) => {
        const cursor = extensions?.cursor;
        if (typeof cursor !== "string") return;
        if (!connected) on.connected?.("resume" in operation.extensions);
        connected = true;
        failures.delete(operation);
        operation.extensions = { ...operation.extensions, resume: cursor }; // RetryLink sends the same operation again
      }),
    );
  });
  return ApolloLink.from([retry, resume, http]);
}

const passing = new Set<unknown>(["UNAVAILABLE", "UNAUTHENTICATED", "RATE_LIMITED"]);

function mayComeBack(failure: unknown): boolean {
  if (CombinedProtocolErrors.is(failure)) return failure.errors.every((e) => passing.has(e.extensions?.code));
  if (ServerError.is(failure))
    return [401, 408, 429].includes(failure.statusCode) || failure.statusCode >= 500;
  return true; // the network's
}
