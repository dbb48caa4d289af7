import { GraphiQL } from "graphiql";
import { useState, useSyncExternalStore } from "react";
import { examples } from "./examples";
import { Follow } from "./Follow";
import { createFetcher } from "./fetcher";
import { Header } from "./Header";
import type { Session } from "./session";
import { storage } from "./storage";

/** The page: who you are above, GraphiQL below. */
export function App({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.state);
  const [fetcher] = useState(() => createFetcher(session)); // a new one would make GraphiQL introspect again
  return (
    <>
      <Header session={session} state={state} />
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        defaultTabs={examples}
        defaultEditorToolsVisibility="variables"
        shouldPersistHeaders={false}
        inputValueDeprecation
        schemaDescription
      >
        <GraphiQL.Logo>{null}</GraphiQL.Logo>
        <Follow state={state} />
      </GraphiQL>
    </>
  );
}
