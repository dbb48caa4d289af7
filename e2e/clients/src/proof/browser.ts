// EventSource, as a real browser has it.
import { readFile } from "node:fs/promises";
import type { TypedDocumentNode as Document } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { chromium, type Page } from "playwright-core";
import { post, Refusal } from "../connect/post.js";
import { codesOf, Refused, type Sink, type Stock, type Variables } from "./stock.js";
import { settings } from "./test.js";

/** Opens a page of the server's origin, in which `follow` of connect/eventsource.ts is at hand. */
async function openPage(): Promise<Page> {
  const browser = await chromium.launch({ executablePath: settings.chromium, args: ["--no-sandbox"] });
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.route("**/connect/*.js", async (route) => {
    const file = new URL(`..${new URL(route.request().url()).pathname}`, import.meta.url);
    await route.fulfill({ contentType: "text/javascript", body: await readFile(file, "utf8") });
  });
  await page.goto(`${settings.url}/healthz`);
  return page;
}

/** Subscriptions run in the page, by the number; queries and mutations are plain POSTs. */
export async function eventSource(endpoint: string, token: () => string, returned: () => void) {
  const page = await openPage();
  const sinks: Sink<unknown>[] = [];
  const opened = new Set<number>();
  function hear({ id, what, fact }: Told) {
    if (what === "next") sinks[id]?.next(fact);
    if (what === "error") sinks[id]?.error(fact as unknown[], fact);
    if (what === "complete") sinks[id]?.complete();
    if (what === "opened" && opened.has(id)) returned();
    if (what === "opened") opened.add(id);
  }
  await page.exposeFunction("told", (facts: Told[]) => facts.forEach(hear));

  async function ask<Data, V extends Variables>(document: Document<Data, V>, variables: V): Promise<Data> {
    try {
      return await post<Data>(endpoint, token(), print(document), variables);
    } catch (failure) {
      throw failure instanceof Refusal ? new Refused(codesOf(failure.errors)) : failure;
    }
  }

  const stock: Stock = {
    query: ask,
    mutate: ask,
    subscribe(document, variables, sink) {
      const id = sinks.push(sink as Sink<unknown>) - 1;
      const subscription = { id, endpoint, token: token(), document: print(document), variables };
      void page.evaluate(`(${followInPage})(${JSON.stringify(subscription)})`);
      return () => page.evaluate(`stops[${id}]()`).catch(() => {}); // the page may be gone already
    },
  };
  return { stock, dispose: () => void page.context().browser()?.close() };
}

/** What the page tells of a subscription. */
interface Told {
  id: number;
  what: "opened" | "next" | "error" | "complete";
  fact: unknown;
}

// Runs in the page, which tells what it has gathered in a while.
const followInPage = `async ({ id, endpoint, token, document, variables }) => {
  const { follow } = await import("/connect/eventsource.js");
  const facts = [];
  const tell = (what, fact) => {
    if (facts.push({ id, what, fact }) === 1) setTimeout(() => told(facts.splice(0)), 20);
  };
  globalThis.stops ??= [];
  stops[id] = follow(endpoint, () => token, document, variables, {
    next: (data) => tell("next", data),
    error: ({ errors }) => tell("error", errors.map(({ extensions }) => extensions?.code)),
    complete: () => tell("complete"),
  }, () => tell("opened"));
}`;
