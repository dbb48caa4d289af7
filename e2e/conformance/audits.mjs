// The audits of graphql-http: one line for each.
import { serverAudits } from "graphql-http";

const none = { url: "", fetchFn: fetch };

export const lines = serverAudits(none).map(({ id, name }, index) => ({
  name: `${id} ${name.replaceAll("application/graphql-response+json", "…response+json")}`,
  want: "ok",
  probe: async (server) => {
    const result = await serverAudits({ url: server.url, fetchFn: asSomebody(server) })[index].fn();
    return result.status === "ok" ? "ok" : `${result.status}: ${complaint(result)}`;
  },
}));

/** fetch with a token. */
function asSomebody(server) {
  return (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...server.headers } });
}

/** The status, where that is what is wrong. */
function complaint({ reason, response }) {
  return reason.includes("status code") ? String(response.status) : reason.replace(/^Response /, "");
}
