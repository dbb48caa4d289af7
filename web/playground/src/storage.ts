const namespace = "graphiql:";

/** What GraphiQL keeps of the operations being edited; its other keys are theme, layout and history. */
const perTab = new Set(["tabState", "query", "variables", "headers"].map((name) => namespace + name));

/**
 * GraphiQL's storage: the operations belong to one browser tab, since two tabs are two people here and would overwrite
 * each other's; theme, layout and history are shared and outlive the tab.
 */
export const storage = {
  getItem: (key: string) => areaOf(key).getItem(key),
  setItem: (key: string, value: string) => areaOf(key).setItem(key, value),
  removeItem: (key: string) => areaOf(key).removeItem(key),
  get length() {
    return ownKeys(sessionStorage).length + ownKeys(localStorage).length;
  },
  clear() {
    for (const area of [sessionStorage, localStorage]) {
      for (const key of ownKeys(area)) area.removeItem(key);
    }
  },
};

function areaOf(key: string): Storage {
  return perTab.has(key) ? sessionStorage : localStorage;
}

function ownKeys(area: Storage): string[] {
  return Object.keys(area).filter((key) => key.startsWith(namespace));
}
