import type { FormattedExecutionResult } from "graphql";
import welcome from "./Welcome.graphql?raw";

/** Who is signed in, as the server tells it. */
export interface Viewer {
  id: string;
  name: string;
}

/** What signing in finds out: the viewer, and the id of the public room `general` where there is one. */
export interface Welcome {
  viewer: Viewer;
  roomId: string | null;
}

/** A GraphQL request as it stands in the body of a POST. */
export interface GraphQLRequest {
  query: string;
  operationName?: string | null;
  variables?: Record<string, unknown>;
}

/** The server doesn't hand out tokens: it isn't in development mode. */
export class NoDevelopmentSignIn extends Error {}

/** The server answered, and the token is no good. */
export class TokenRefused extends Error {}

const endpoint = "/graphql";

interface WelcomeData {
  viewer: Viewer | null;
  publicRooms: { edges: { node: { id: string; name: string | null } }[] } | null;
}

/** The address of the same endpoint for WebSockets. */
export function socketURL(): string {
  const url = new URL(endpoint, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * Runs a query or mutation by POST. `headers` are the person's own and win over the token.
 *
 * @throws Error with a sentence to show when there is no answer, or none in JSON.
 */
export async function post<Data>(
  request: GraphQLRequest,
  token: string | null,
  headers: HeadersInit = {},
): Promise<FormattedExecutionResult<Data>> {
  const all = new Headers({
    "content-type": "application/json",
    accept: "application/graphql-response+json, application/json;q=0.9",
  });
  if (token) all.set("authorization", `Bearer ${token}`);
  new Headers(headers).forEach((value, name) => {
    all.set(name, value);
  });
  const response = await send(endpoint, { method: "POST", headers: all, body: JSON.stringify(request) });
  const result = await response.json().catch(() => null);
  if (result === null || typeof result !== "object") throw new Error(describe(response));
  return result;
}

/**
 * Asks for a token by the development sign-in.
 *
 * @param name shown to others; empty for the user itself.
 * @throws NoDevelopmentSignIn when the server isn't in development mode, Error with a sentence to show otherwise.
 */
export async function requestToken(user: string, name: string): Promise<string> {
  const response = await send("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(name ? { user, name } : { user }),
  });
  if (response.status === 404) throw new NoDevelopmentSignIn();
  const answer = await response.json().catch(() => null);
  if (typeof answer?.token === "string") return answer.token;
  throw new Error(answer?.errors?.[0]?.message ?? describe(response));
}

/**
 * Asks the server whose token this is.
 *
 * @throws TokenRefused when it is nobody's, Error with a sentence to show when there is no telling.
 */
export async function identify(token: string): Promise<Welcome> {
  const { data, errors } = await post<WelcomeData>({ query: welcome }, token);
  if (data?.viewer) {
    const rooms = data.publicRooms?.edges.map((edge) => edge.node) ?? [];
    return { viewer: data.viewer, roomId: rooms.find((room) => room.name === "general")?.id ?? null };
  }
  const error = errors?.[0];
  if (error && error.extensions?.code !== "UNAUTHENTICATED") throw new Error(error.message);
  throw new TokenRefused(error?.message ?? "The server does not know this token.");
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw new Error("No answer from the server. Is it running?");
  }
}

function describe(response: Response): string {
  return `The server answered ${response.status} ${response.statusText}`.trimEnd();
}
