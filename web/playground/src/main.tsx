import "./monaco-workers";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./style.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Session } from "./session";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

const session = new Session();
void session.restore();
createRoot(root).render(
  <StrictMode>
    <App session={session} />
  </StrictMode>,
);
