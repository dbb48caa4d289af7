import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect } from "react";
import { fillRoomId } from "./examples";
import type { SessionState } from "./session";

/** Lets GraphiQL follow the sign-in: it renders nothing. */
export function Follow({ state }: { state: SessionState }) {
  useRoomId(state.roomId);
  useSchema(state.viewer?.id);
  return null;
}

/** Fills the room's id into the variables of the operation on screen, where the placeholder still stands. */
function useRoomId(roomId: string | null): void {
  const { editor, tab } = useGraphiQL(({ variableEditor, tabs, activeTabIndex }) => ({
    editor: variableEditor,
    tab: tabs[activeTabIndex]?.id,
  }));
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab brings other variables into the same editor
  useEffect(() => {
    if (!editor || roomId === null) return;
    const variables = editor.getValue();
    const filled = fillRoomId(variables, roomId);
    if (filled !== variables) editor.setValue(filled);
  }, [editor, tab, roomId]);
}

/** Asks for the schema again once signed in, where it was not to be had before. */
function useSchema(viewerId: string | undefined): void {
  const { introspect } = useGraphiQLActions();
  const missing = useGraphiQL(({ schema, isIntrospecting }) => !schema && !isIntrospecting);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only signing in asks again, or a failure would repeat itself
  useEffect(() => {
    if (viewerId !== undefined && missing) void introspect();
  }, [viewerId]);
}
