import logo from "./parley.svg";
import { SignInForm } from "./SignInForm";
import type { Session, SessionState } from "./session";
import type { Connection } from "./socket";

const connectionText: Record<Connection["state"], string> = {
  off: "Not connected",
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Reconnecting…",
  refused: "Refused",
};

/** The bar on top: Parley, the connection, and the sign-in or whoever is signed in. */
export function Header({ session, state }: { session: Session; state: SessionState }) {
  return (
    <header className="bar">
      <div className="bar-brand">
        <img src={logo} alt="" width="26" height="26" />
        <h1>
          Parley <span>playground</span>
        </h1>
      </div>
      <ConnectionDot connection={state.connection} />
      {state.viewer ? (
        <SignedIn session={session} id={state.viewer.id} name={state.viewer.name} />
      ) : (
        <SignInForm session={session} state={state} />
      )}
      {state.problem && (
        <p role="alert" className="bar-problem" data-testid="sign-in-problem">
          {state.problem}
        </p>
      )}
    </header>
  );
}

function ConnectionDot({ connection }: { connection: Connection }) {
  const title = connection.detail || "The WebSocket that carries this tab's subscriptions";
  return (
    <output className="bar-connection" data-testid="connection" data-state={connection.state} title={title}>
      {connectionText[connection.state]}
    </output>
  );
}

function SignedIn({ session, id, name }: { session: Session; id: string; name: string }) {
  return (
    <div className="bar-viewer">
      <span className="bar-avatar" aria-hidden="true">
        {[...name][0]?.toUpperCase()}
      </span>
      <span data-testid="viewer" data-user={id}>
        <strong>{name}</strong> {name !== id && <small>{id}</small>}
      </span>
      <button type="button" data-testid="sign-out" onClick={() => session.signOut()}>
        Sign out
      </button>
    </div>
  );
}
