import type { Fetcher } from "@graphiql/toolkit";
import { type FormattedExecutionResult, Kind, type OperationDefinitionNode, parse } from "graphql";
import { type GraphQLRequest, post } from "./server";
import type { Session } from "./session";
import type { Results } from "./socket";

/** Runs GraphiQL's operations as whoever is signed in: subscriptions over the socket, the rest by POST. */
export function createFetcher(session: Session): Fetcher {
  const run = (...[{ query, variables, operationName }, options]: Parameters<Fetcher>) => {
    const operation = findOperation(query, operationName);
    const request: GraphQLRequest = { query, variables, operationName: operation?.name?.value ?? null };
    if (operation?.operation !== "subscription") {
      return post(request, session.token, options?.headers).catch((failure) => failed(failure.message));
    }
    const { socket } = session;
    if (!socket) return failed("Sign in first: a subscription needs somebody to deliver to.");
    return { subscribe: (results: Results) => ({ unsubscribe: socket.subscribe(request, results) }) };
  };
  return run as Fetcher; // whose type has GraphQLError objects where JSON can only have their fields
}

/**
 * The operation of that name, or else the only one: for a moment after a change of tab GraphiQL names one of the tab
 * before. Undefined where there is no telling, which is the server's to complain about.
 */
function findOperation(query: string, name: string | null | undefined): OperationDefinitionNode | undefined {
  try {
    const operations = parse(query, { noLocation: true }).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
    const named = operations.find((operation) => operation.name?.value === name);
    return named ?? (operations.length === 1 ? operations[0] : undefined);
  } catch {
    return undefined;
  }
}

/** A failure in the shape of a result, since GraphiQL shows a thrown error with its stack. */
function failed(message: string): FormattedExecutionResult {
  return { errors: [{ message }] };
}
