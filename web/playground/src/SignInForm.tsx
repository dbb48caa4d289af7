import { type FormEvent, useState } from "react";
import type { Session, SessionState } from "./session";

/** The sign-in box: by name in development, by a pasted token otherwise. */
export function SignInForm({ session, state }: { session: Session; state: SessionState }) {
  const [wantsToken, setWantsToken] = useState(false);
  const byToken = wantsToken || !state.development;
  const busy = state.phase === "signing-in";

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string) => String(fields.get(name) ?? "").trim();
    void (byToken ? session.signInWithToken(text("token")) : session.signIn(text("user"), text("name")));
  };

  return (
    <form className="bar-form" onSubmit={submit} data-testid="sign-in">
      {byToken ? <TokenField /> : <NameFields />}
      <button type="submit" data-testid="sign-in-submit" disabled={busy}>
        {busy ? "Signing in…" : "Sign in"}
      </button>
      {state.development && (
        <button
          type="button"
          className="bar-link"
          data-testid="sign-in-switch"
          onClick={() => setWantsToken(!wantsToken)}
        >
          {byToken ? "by name" : "by token"}
        </button>
      )}
    </form>
  );
}

function NameFields() {
  return (
    <>
      <input
        name="user"
        aria-label="User"
        placeholder="User, e.g. ada"
        required
        maxLength={128}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        data-testid="sign-in-user"
      />
      <input
        name="name"
        aria-label="Display name"
        placeholder="Name (optional)"
        maxLength={120}
        autoComplete="off"
        data-testid="sign-in-name"
      />
    </>
  );
}

function TokenField() {
  return (
    <input
      name="token"
      type="password"
      aria-label="Token"
      placeholder="Paste a token"
      required
      autoComplete="off"
      data-testid="sign-in-token"
    />
  );
}
